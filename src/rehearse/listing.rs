//! Marker file of a lab: it lists everything that the rehearsal made, so that `--replace` removes
//! nothing else.
//!
//! `.rollup-lab` begins with a line for its format. A line for each object follows, written before
//! the object is created: a letter for its kind (`d`irectory, `f`ile, `l`ink, `o`ther), a space,
//! and its path, in which everything but printable ASCII is escaped. `complete` is the last line of
//! a finished lab. The process that holds the lock of the file is using the lab.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt};
use rustix::fs::OFlags;

use crate::deployment::tree::FileKind;

/// Name of the marker file.
pub(super) const MARKER: &str = ".rollup-lab";
const FORMAT: &str = "rollup lab 1";
const COMPLETE: &str = "complete";
/// Beginning of the marker file of versions that listed nothing.
const WITHOUT_LISTING: &str = "made by `rollup rehearse`";
/// Longest marker file that is read, in bytes: more than a listing of a million long paths.
const LONGEST: u64 = 1 << 30;

/// Marker file of a lab that is being made, or used; locked until it is dropped.
#[derive(Debug)]
pub(super) struct Listing {
    file: File,
    /// True if a killed process left an incomplete last line.
    is_torn: AtomicBool,
}

/// Lines of the marker file of a lab.
#[derive(Debug, Default)]
pub(super) struct ListedObjects {
    lines: BTreeSet<String>,
}

/// Object found under the name of the marker file.
pub(super) enum LabMarker {
    /// Listing of a lab.
    Listing(Listing, ListedObjects),
    /// Marker file of a lab that an older rollup made.
    WithoutListing,
    /// No object, or one that rollup did not make.
    None,
}

impl Listing {
    /// Creates the marker file of a new lab.
    pub(super) fn create(lab: &Dir) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o644)
            .follow(FollowSymlinks::No);
        let file = lab.open_with(MARKER, &options)?.into_std();
        file.try_lock()?;
        let listing = Self {
            file,
            is_torn: AtomicBool::new(false),
        };
        match listing.line(FORMAT) {
            Ok(()) => Ok(listing),
            // Without that line the marker file is not recognized.
            Err(error) => lab.remove_file(MARKER).and(Err(error)),
        }
    }

    /// Records that an object is about to be created.
    pub(super) fn note(&self, kind: FileKind, path: &Path) -> io::Result<()> {
        self.line(&line(kind, path))
    }

    /// Records that the lab is finished.
    pub(super) fn complete(&self) -> io::Result<()> {
        self.line(COMPLETE)
    }

    fn line(&self, line: &str) -> io::Result<()> {
        let end_of_torn_line = if self.is_torn.load(Ordering::Relaxed) {
            "\n"
        } else {
            ""
        };
        (&self.file).write_all(format!("{end_of_torn_line}{line}\n").as_bytes())?;
        self.is_torn.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl LabMarker {
    /// Reads the marker file of a lab, and locks it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if another process is using the lab.
    pub(super) fn read(lab: &Dir) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        options
            .read(true)
            .append(true)
            .follow(FollowSymlinks::No)
            .custom_flags(nonblocking);
        let file = match lab.symlink_metadata(MARKER) {
            Ok(metadata) if metadata.is_file() => lab.open_with(MARKER, &options)?.into_std(),
            _ => return Ok(Self::None),
        };
        let mut bytes = Vec::new();
        (&file).take(LONGEST).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        if text.starts_with(WITHOUT_LISTING) {
            return Ok(Self::WithoutListing);
        }
        let mut lines = text.lines();
        if lines.next() != Some(FORMAT) {
            return Ok(Self::None);
        }
        let listed = ListedObjects {
            lines: lines.map(str::to_owned).collect(),
        };
        file.try_lock()?;
        let is_torn = AtomicBool::new(!text.ends_with('\n'));
        Ok(Self::Listing(Listing { file, is_torn }, listed))
    }
}

impl ListedObjects {
    /// Returns whether the lab was finished.
    pub(super) fn is_complete(&self) -> bool {
        self.lines.contains(COMPLETE)
    }

    /// Returns whether an object of this kind is listed at a path.
    pub(super) fn has(&self, kind: FileKind, path: &Path) -> bool {
        self.lines.contains(&line(kind, path))
    }
}

/// Returns whether a lab is complete, or `None` if it has no marker file; takes no lock.
pub(super) fn completeness(lab: &Path) -> Option<bool> {
    std::fs::symlink_metadata(lab.join(MARKER))
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let text = std::fs::read(lab.join(MARKER)).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().next().filter(|first| *first == FORMAT)?;
    Some(text.lines().any(|line| line == COMPLETE))
}

fn line(kind: FileKind, path: &Path) -> String {
    let letter = match kind {
        FileKind::Directory => 'd',
        FileKind::File => 'f',
        FileKind::Link => 'l',
        FileKind::Other(_) => 'o',
    };
    format!("{letter} {}", path.as_os_str().as_bytes().escape_ascii())
}
