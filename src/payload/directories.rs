//! Directories of a payload, each listed once.
//!
//! A path is followed from one listing to the next, regardless of case. Anything but a directory on
//! the way is refused by name, above all a link: nothing outside of the payload is ever read.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::deployment::tree::{DiskError, FileKind, FoundEntry, Tree};
use crate::names::{CaseFolded, RelPath, escaped_path};

/// Directories that were read so far.
pub(super) struct Directories {
    top: Arc<DirectoryListing>,
    /// By case-folded path.
    below: Mutex<BTreeMap<CaseFolded, Arc<DirectoryListing>>>,
}

/// Entries of one directory.
pub(super) struct DirectoryListing {
    /// By case-folded path; of those that differ only in case, the first.
    pub(super) entries: BTreeMap<CaseFolded, FoundEntry>,
    /// Pairs of entries that differ only in case.
    pub(super) clashes: Vec<(RelPath, RelPath)>,
    /// Entries whose names are not UTF-8, escaped.
    pub(super) unreadable: Vec<String>,
}

impl Directories {
    /// Lists the root of a payload.
    pub(super) fn of(tree: &Tree) -> Result<Self, DiskError> {
        Ok(Self {
            top: Arc::new(DirectoryListing::read(tree, None)?),
            below: Mutex::default(),
        })
    }

    /// Returns the entry at a path, found regardless of case.
    ///
    /// # Errors
    ///
    /// A parent directory that is not a directory, or that cannot be read.
    pub(super) fn find(
        &self,
        tree: &Tree,
        path: &RelPath,
    ) -> Result<Option<FoundEntry>, DiskError> {
        let listing = self.listing(tree, path.parent().as_ref())?;
        let found = listing.and_then(|of| of.entries.get(&path.case_folded()).cloned());
        Ok(found)
    }

    /// Returns the entries of a directory, or of the root; `None` if it does not exist.
    ///
    /// # Errors
    ///
    /// Anything else that is there, or a directory that cannot be read.
    pub(super) fn listing(
        &self,
        tree: &Tree,
        directory: Option<&RelPath>,
    ) -> Result<Option<Arc<DirectoryListing>>, DiskError> {
        let Some(directory) = directory else {
            return Ok(Some(Arc::clone(&self.top)));
        };
        let known = || self.below.lock().unwrap_or_else(PoisonError::into_inner);
        let case_folded = directory.case_folded();
        if let Some(listing) = known().get(&case_folded) {
            return Ok(Some(Arc::clone(listing)));
        }
        let Some(found) = self.find(tree, directory)? else {
            return Ok(None);
        };
        if found.kind != FileKind::Directory {
            let kind = found.kind.with_article();
            let why = format!("`{}` is {kind}, not a directory", found.path);
            let shown = tree.shown(Some(&found.path));
            return Err(DiskError::new("open", shown, io::Error::other(why)));
        }
        let listing = Arc::new(DirectoryListing::read(tree, Some(&found.path))?);
        known().insert(case_folded, Arc::clone(&listing));
        Ok(Some(listing))
    }
}

impl DirectoryListing {
    fn read(tree: &Tree, directory: Option<&RelPath>) -> Result<Self, DiskError> {
        let mut listing = Self {
            entries: BTreeMap::new(),
            clashes: Vec::new(),
            unreadable: Vec::new(),
        };
        for (name, kind) in tree.entries(directory)? {
            let path = match directory {
                Some(directory) => directory.with_name(&name),
                None => name.to_str().and_then(|name| RelPath::parse(name).ok()),
            };
            let Some(path) = path else {
                let above = directory.map(RelPath::to_path).unwrap_or_default();
                listing.unreadable.push(escaped_path(&above.join(&name)));
                continue;
            };
            match listing.entries.get(&path.case_folded()) {
                Some(first) => listing.clashes.push((first.path.clone(), path)),
                None => {
                    let entry = FoundEntry { path, kind };
                    listing.entries.insert(entry.path.case_folded(), entry);
                }
            }
        }
        Ok(listing)
    }
}
