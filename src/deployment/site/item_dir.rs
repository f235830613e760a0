//! Paths of an item; no other file knows how they are spelled.

use crate::deployment::disk::tree::path;
use crate::names::{RelPath, same_name};

/// Directory of an instance of an item, or of a program that a step ran on a server.
#[derive(Debug, Clone, Copy)]
pub struct ItemDir<'a>(pub &'a RelPath);

impl ItemDir<'_> {
    /// Name of the record of the item.
    pub const RECORD: &'static str = "state.toml";
    /// Name of the directory of the installed files.
    pub const FILES: &'static str = "files";

    pub fn record(self) -> RelPath {
        self.below(Self::RECORD)
    }

    /// Returns whether a path has the name of a record.
    pub fn is_record(path: &RelPath) -> bool {
        same_name(path.name(), Self::RECORD)
    }

    pub fn files(self) -> RelPath {
        self.below(Self::FILES)
    }

    /// Returns the path of an installed file, by its path in the package.
    pub fn file(self, in_package: &RelPath) -> RelPath {
        self.files().with(in_package)
    }

    fn below(self, name: &str) -> RelPath {
        self.0.with(&path(name))
    }
}
