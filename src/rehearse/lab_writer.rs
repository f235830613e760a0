//! Creation of the objects of a lab: each one is new, is created through a handle of the lab, and
//! never through a link.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, FileTimes};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use cap_fs_ext::{FollowSymlinks, OpenOptionsFollowExt};
use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};

use super::listing::Listing;
use super::{LabError, disk};
use crate::deployment::tree::FileKind;
use crate::phase::Phase;

/// File built in memory, with its time in seconds since 1970 if it has one.
pub(super) struct BuiltFile {
    pub(super) bytes: Vec<u8>,
    pub(super) modified: Option<i64>,
}

/// Tree built in memory, by path: `None` for a directory.
pub(super) type BuiltTree = BTreeMap<PathBuf, Option<BuiltFile>>;

/// Progress of making a lab, and requests to stop it.
#[derive(Clone, Copy)]
pub struct LabProgress<'a> {
    /// Phase that counts the objects.
    pub phase: &'a Phase,
    /// Callback before each object: true to stop there.
    pub is_stopped: &'a dyn Fn() -> bool,
}

/// Writer that creates objects below one directory.
pub(super) struct LabWriter<'a> {
    root: Dir,
    shown: PathBuf,
    listing: Option<&'a Listing>,
    progress: Option<LabProgress<'a>>,
    made: RefCell<BTreeSet<PathBuf>>,
}

impl<'a> LabWriter<'a> {
    /// Returns the writer of a lab, which lists each object before it creates it.
    pub(super) fn listed(
        root: Dir,
        shown: &Path,
        listing: &'a Listing,
        progress: LabProgress<'a>,
    ) -> Self {
        Self {
            root,
            shown: shown.to_owned(),
            listing: Some(listing),
            progress: Some(progress),
            made: RefCell::default(),
        }
    }

    /// Returns the writer of any directory of the machine, which keeps no listing.
    pub(super) fn at(shown: &Path) -> Result<LabWriter<'static>, LabError> {
        let root = Dir::open_ambient_dir(shown, ambient_authority())
            .map_err(disk("open the directory", shown))?;
        let shown = shown.to_owned();
        Ok(LabWriter {
            root,
            shown,
            listing: None,
            progress: None,
            made: RefCell::default(),
        })
    }

    /// Creates a tree below a new directory.
    pub(super) fn tree(&self, below: &Path, tree: &BuiltTree) -> Result<(), LabError> {
        self.directory(below)?;
        for (path, built) in tree {
            self.progress
                .iter()
                .for_each(|progress| progress.phase.advance(1));
            let path = below.join(path);
            match built {
                None => self.directory(&path)?,
                Some(BuiltFile { bytes, modified }) => {
                    if let Some(parent) = path.parent() {
                        self.directory(parent)?;
                    }
                    self.file(&path, |mut file| {
                        file.write_all(bytes)?;
                        modified.map_or(Ok(()), |modified| {
                            file.set_times(FileTimes::new().set_modified(time(modified)))
                        })
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Creates a directory and its missing parent directories.
    pub(super) fn directory(&self, path: &Path) -> Result<(), LabError> {
        if path.as_os_str().is_empty() || self.made.borrow().contains(path) {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        self.note(FileKind::Directory, path)?;
        self.root
            .create_dir(path)
            .map_err(disk("create the directory", &self.shown.join(path)))?;
        self.made.borrow_mut().insert(path.to_owned());
        Ok(())
    }

    /// Creates a file, and lets `fill` write its contents.
    pub(super) fn file(
        &self,
        path: &Path,
        fill: impl FnOnce(File) -> io::Result<()>,
    ) -> Result<(), LabError> {
        self.note(FileKind::File, path)?;
        let mut options = OpenOptions::new();
        options
            .write(true)
            .create_new(true)
            .follow(FollowSymlinks::No);
        let filled = self
            .root
            .open_with(path, &options)
            .and_then(|file| fill(file.into_std()));
        filled.map_err(disk("write", &self.shown.join(path)))
    }

    /// Creates a symbolic link.
    pub(super) fn link(&self, path: &Path, target: &Path) -> Result<(), LabError> {
        self.note(FileKind::Link, path)?;
        self.root
            .symlink_contents(target, path)
            .map_err(disk("create the link", &self.shown.join(path)))
    }

    /// Changes an object that was created, through a handle of the directory that contains it.
    pub(super) fn change(
        &self,
        path: &Path,
        change: impl FnOnce(&Dir, &Path) -> io::Result<()>,
    ) -> Result<(), LabError> {
        let (parent, name) = (
            path.parent().unwrap_or(Path::new("")),
            path.file_name().unwrap_or_default(),
        );
        let parent = match parent.as_os_str().is_empty() {
            true => self.root.try_clone(),
            false => self.root.open_dir(parent),
        };
        let changed = parent.and_then(|parent| change(&parent, Path::new(name)));
        changed.map_err(disk("set the permissions of", &self.shown.join(path)))
    }

    fn note(&self, kind: FileKind, path: &Path) -> Result<(), LabError> {
        if let Some(LabProgress { phase, is_stopped }) = self.progress {
            if is_stopped() {
                return Err(LabError::Interrupted);
            }
            phase.at(&path.file_name().unwrap_or_default().to_string_lossy());
        }
        match self.listing {
            Some(listing) => listing
                .note(kind, path)
                .map_err(disk("write the listing for", &self.shown.join(path))),
            None => Ok(()),
        }
    }
}

fn time(modified: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(modified.max(0).unsigned_abs())
}
