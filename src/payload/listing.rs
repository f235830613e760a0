//! Names of all files in a payload, for a first file table.

use super::Payload;
use crate::deployment::tree::{DiskError, FileKind};
use crate::names::{Escaped, PayloadPath, RelPath};

/// Most entries that are listed.
const MOST: usize = 20_000;

/// Names of everything in a payload.
#[derive(Debug, Clone, Default)]
pub struct PayloadNames {
    /// Files, sorted by their paths.
    pub files: Vec<PayloadPath>,
    /// Entries that a file table cannot name, escaped.
    pub others: Vec<String>,
    /// True if there are more entries than are listed.
    pub is_truncated: bool,
}

impl Payload {
    /// Lists the files of the payload and of all directories below it.
    ///
    /// # Errors
    ///
    /// A directory that cannot be read.
    pub fn names(&self) -> Result<PayloadNames, DiskError> {
        let mut names = PayloadNames::default();
        let mut left: Vec<Option<RelPath>> = vec![None];
        while let Some(directory) = left.pop() {
            let listing = self.directories.listing(&self.tree, directory.as_ref())?;
            let Some(listing) = listing else { continue };
            for found in listing.entries.values() {
                if names.files.len() + names.others.len() + left.len() > MOST {
                    names.is_truncated = true;
                    return Ok(names);
                }
                match (found.kind, PayloadPath::parse(found.path.as_str())) {
                    (FileKind::File, Ok(name)) => names.files.push(name),
                    (FileKind::Directory, Ok(_)) => left.push(Some(found.path.clone())),
                    _ => names.others.push(Escaped(found.path.as_str()).to_string()),
                }
            }
            let clashes = listing.clashes.iter();
            names
                .others
                .extend(clashes.map(|(_, other)| Escaped(other.as_str()).to_string()));
            names.others.extend(listing.unreadable.iter().cloned());
        }
        names.files.sort_by_key(PayloadPath::case_folded);
        Ok(names)
    }
}
