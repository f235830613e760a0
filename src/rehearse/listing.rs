//! Mark of a lab: the list of what the rehearsal made in it, so that `--replace` removes nothing
//! else.
//!
//! `.rollup-lab` begins with a line for its format. A line for each object follows, written before
//! the object is made: a letter for its kind, a blank, and its path with everything but printable
//! ASCII escaped. `complete` is the last line of a lab that was finished. The process that holds
//! the lock of the file works in the lab.

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

/// Name of the mark.
pub(super) const MARK: &str = ".rollup-lab";
const FORMAT: &str = "rollup lab 1";
const COMPLETE: &str = "complete";
/// Beginning of the mark in versions that listed nothing.
const WITHOUT_LISTING: &str = "made by `rollup rehearse`";
/// Longest mark that is read, in bytes: more than a listing of a million long paths.
const LONGEST: u64 = 1 << 30;

/// The mark of a lab that is being made, or used; locked until it is dropped.
#[derive(Debug)]
pub(super) struct Listing {
    file: File,
    /// A death left half a line.
    is_torn: AtomicBool,
}

/// Lines of the mark of a lab.
#[derive(Debug, Default)]
pub(super) struct Listed {
    lines: BTreeSet<String>,
}

/// Object that is found under the name of the mark.
pub(super) enum Mark {
    /// The listing of a lab.
    Listing(Listing, Listed),
    /// The mark of a lab that an older rollup made.
    WithoutListing,
    /// Nothing, or something that rollup did not make.
    None,
}

impl Listing {
    /// Makes the mark of a new lab.
    pub(super) fn create(lab: &Dir) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .mode(0o644)
            .follow(FollowSymlinks::No);
        let file = lab.open_with(MARK, &options)?.into_std();
        file.try_lock()?;
        let listing = Self {
            file,
            is_torn: AtomicBool::new(false),
        };
        match listing.line(FORMAT) {
            Ok(()) => Ok(listing),
            // Without that line the mark is not recognized.
            Err(error) => lab.remove_file(MARK).and(Err(error)),
        }
    }

    /// Notes that an object is about to be made.
    pub(super) fn note(&self, kind: FileKind, path: &Path) -> io::Result<()> {
        self.line(&line(kind, path))
    }

    /// Notes that all of the lab was made.
    pub(super) fn complete(&self) -> io::Result<()> {
        self.line(COMPLETE)
    }

    fn line(&self, line: &str) -> io::Result<()> {
        let end_of_torn = if self.is_torn.load(Ordering::Relaxed) {
            "\n"
        } else {
            ""
        };
        (&self.file).write_all(format!("{end_of_torn}{line}\n").as_bytes())?;
        self.is_torn.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Mark {
    /// Reads the mark of a lab, and locks it.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if another process is at work in the lab.
    pub(super) fn read(lab: &Dir) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let nonblocking = OFlags::NONBLOCK.bits().cast_signed();
        options
            .read(true)
            .append(true)
            .follow(FollowSymlinks::No)
            .custom_flags(nonblocking);
        let file = match lab.symlink_metadata(MARK) {
            Ok(metadata) if metadata.is_file() => lab.open_with(MARK, &options)?.into_std(),
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
        let listed = Listed {
            lines: lines.map(str::to_owned).collect(),
        };
        file.try_lock()?;
        let is_torn = AtomicBool::new(!text.ends_with('\n'));
        Ok(Self::Listing(Listing { file, is_torn }, listed))
    }
}

impl Listed {
    /// Returns whether the lab was finished.
    pub(super) fn is_complete(&self) -> bool {
        self.lines.contains(COMPLETE)
    }

    /// Returns whether an object of this kind was noted at a path.
    pub(super) fn has(&self, kind: FileKind, path: &Path) -> bool {
        self.lines.contains(&line(kind, path))
    }
}

/// Returns whether the marked lab is complete, or `None` if there is no mark; takes no lock.
pub(super) fn completeness(lab: &Path) -> Option<bool> {
    std::fs::symlink_metadata(lab.join(MARK))
        .ok()
        .filter(std::fs::Metadata::is_file)?;
    let text = std::fs::read(lab.join(MARK)).ok()?;
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
