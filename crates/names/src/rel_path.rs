//! Path inside a deployment, a package or the directory of a run.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::CaseFolded;

/// Greatest number of parts in a path, far beyond the limit of Windows.
const MAX_DEPTH: usize = 128;

/// Path below some directory, its parts joined by `/`; it cannot leave that directory.
///
/// Never empty, never absolute, no empty part, no `.` or `..`, no NUL byte. The parts need not be
/// names that Windows accepts: unmanaged files may have any name. It compares and sorts by bytes;
/// [`RelPath::case_folded`] compares without regard to case, as NTFS does.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "String", into = "String")]
pub struct RelPath(String);

/// Reason why a text is not a [`RelPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RelPathError {
    /// Empty text.
    #[error("a path cannot be empty")]
    Empty,
    /// Path that starts at the root, or has two separators in a row, or one at its end.
    #[error("`{0}` has an empty part")]
    EmptyPart(String),
    /// Part that could leave the directory.
    #[error("`{0}` leads to another directory by `.` or `..`")]
    Dots(String),
    /// NUL byte, which no system accepts.
    #[error("a path cannot contain a NUL byte")]
    Nul,
    /// More parts than the limit.
    #[error("a path has at most {MAX_DEPTH} parts")]
    TooDeep,
}

impl RelPath {
    /// Parses a path whose parts are joined by `/`, or returns the reason why it is refused.
    pub fn parse(path: &str) -> Result<Self, RelPathError> {
        Self::try_from(path.to_owned())
    }

    /// Returns the path with one more part, or several joined by `/`.
    pub fn join(&self, below: &str) -> Result<Self, RelPathError> {
        Self::try_from(format!("{}/{below}", self.0))
    }

    /// Returns the path of a name in this directory; `None` for a name that no path has.
    pub fn with_name(&self, name: &OsStr) -> Option<Self> {
        self.join(name.to_str()?).ok()
    }

    /// Returns the path of `below`, which is relative to this directory.
    pub fn with(&self, below: &RelPath) -> Self {
        Self(format!("{}/{}", self.0, below.0))
    }

    /// Returns the path as text, its parts joined by `/`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the parts, outermost first.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/')
    }

    /// Returns the last part.
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or(&self.0)
    }

    /// Returns the directory that the path is in, if that is not the root itself.
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .map(|(parent, _)| Self(parent.to_owned()))
    }

    /// Returns every parent directory, outermost first, without the path itself.
    pub fn ancestors(&self) -> impl Iterator<Item = RelPath> + '_ {
        self.0
            .match_indices('/')
            .map(|(at, _)| Self(self.0[..at].to_owned()))
    }

    /// Returns the rest of this path below `directory`, if it is there. Spelling counts.
    pub fn below(&self, directory: &RelPath) -> Option<RelPath> {
        let rest = self.0.strip_prefix(&directory.0)?.strip_prefix('/')?;
        Some(Self(rest.to_owned()))
    }

    /// Removes this path and everything below it from a map.
    pub fn remove_from<P: Borrow<RelPath> + Ord + Clone, T>(&self, map: &mut BTreeMap<P, T>) {
        map.remove(self);
        // Paths below this one are contiguous: between the separator and the character after it.
        let below = Self(format!("{}/", self.0))..Self(format!("{}0", self.0));
        let below: Vec<P> = map.range(below).map(|(path, _)| path.clone()).collect();
        below
            .iter()
            .for_each(|path| drop(map.remove(path.borrow())));
    }

    /// Returns whether this path, or a parent directory of it, is one of these. Spelling counts.
    pub fn is_within(&self, directories: &BTreeSet<&RelPath>) -> bool {
        directories.contains(self)
            || self
                .ancestors()
                .any(|directory| directories.contains(&directory))
    }

    /// Returns the path for comparisons without regard to case.
    pub fn case_folded(&self) -> CaseFolded {
        CaseFolded::of(&self.0)
    }

    /// Returns the path in the form that the standard library uses.
    pub fn to_path(&self) -> PathBuf {
        self.parts().collect()
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for RelPath {
    type Error = RelPathError;

    fn try_from(path: String) -> Result<Self, RelPathError> {
        if path.is_empty() {
            return Err(RelPathError::Empty);
        }
        if path.contains('\0') {
            return Err(RelPathError::Nul);
        }
        let mut depth = 0;
        for part in path.split('/') {
            depth += 1;
            match part {
                "" => return Err(RelPathError::EmptyPart(path)),
                "." | ".." => return Err(RelPathError::Dots(path)),
                _ => {}
            }
        }
        if depth > MAX_DEPTH {
            return Err(RelPathError::TooDeep);
        }
        Ok(Self(path))
    }
}

impl From<RelPath> for String {
    fn from(path: RelPath) -> Self {
        path.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leaves_its_directory() {
        for bad in ["", "/etc", "a//b", "a/", "..", "a/../b", "./a", "a\0b"] {
            assert!(RelPath::parse(bad).is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn ancestors_are_listed_outermost_first() {
        let path = RelPath::parse("a/b/c").expect("a valid path");
        let found: Vec<_> = path.ancestors().map(String::from).collect();
        assert_eq!(found, ["a", "a/b"]);
        assert_eq!(
            path.below(&RelPath::parse("a").expect("valid"))
                .map(String::from)
                .as_deref(),
            Some("b/c")
        );
        assert_eq!(path.below(&RelPath::parse("a/b/c").expect("valid")), None);
    }

    #[test]
    fn paths_below_a_path_are_removed_from_a_map_and_its_neighbours_are_not() {
        let path = |text: &str| RelPath::parse(text).expect("a valid path");
        let all = ["a", "a b", "a-", "a/b", "a/b/c", "a0", "a.b", "b/a"];
        let mut map: BTreeMap<RelPath, ()> = all.iter().map(|text| (path(text), ())).collect();
        path("a").remove_from(&mut map);
        let left: Vec<_> = map.keys().map(RelPath::as_str).collect();
        assert_eq!(left, ["a b", "a-", "a.b", "a0", "b/a"]);
    }
}
