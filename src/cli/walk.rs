//! The search for documents, in directories and by patterns.
//!
//! It follows no link below its root, and entries and depth are bounded, so that no directory makes
//! it hang. Names need not be UTF-8: they are compared as bytes. An error in one entry does not
//! hide the others.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use super::failure::Failure;
use crate::names::{Escaped, grouped};

/// Largest number of entries that one search reads.
const MAX_ENTRIES: usize = 1_000_000;

/// Largest depth of nested directories that a search enters.
const MAX_DEPTH: usize = 64;

/// Longest pattern, in bytes: as long as the longest path.
const MAX_PATTERN_BYTES: usize = 4096;

/// Characters that make a path a pattern.
pub(super) const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// Entry that may be a document.
pub(super) enum DocumentEntry {
    /// File.
    File(PathBuf),
    /// Link, which is not followed.
    Link(PathBuf),
    /// Entry that cannot be read, with the reason.
    Unread(PathBuf, String),
}

/// Search for documents in and below one directory.
pub(super) struct DocumentSearch {
    root: PathBuf,
    depth: usize,
    /// Pattern to match; `None` for every TOML file.
    pattern: Option<Pattern>,
}

struct Pattern {
    whole: GlobSet,
    /// Parts that begin with a dot: only these match hidden names.
    hidden: GlobSet,
}

impl DocumentSearch {
    /// Finds the TOML files in a directory and below it.
    pub(super) fn directory(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            depth: MAX_DEPTH,
            pattern: None,
        }
    }

    /// Finds the files that match a pattern, below the directories before its first wildcard.
    pub(super) fn pattern(pattern: &str) -> Result<Self, Failure> {
        let invalid = |reason: &str| {
            let brief = pattern.chars().take(100).collect::<String>();
            Failure::usage(format_args!(
                "`{}` is not a pattern: {reason}",
                Escaped(&brief)
            ))
            .next("patterns have `*`, `?`, `[…]`, `{…,…}` and, for nested directories, `**`")
        };
        if pattern.len() > MAX_PATTERN_BYTES {
            return Err(invalid(&format!(
                "it has more than {} bytes",
                grouped(MAX_PATTERN_BYTES as u64, ',')
            )));
        }
        let wild = pattern.find(WILDCARDS).unwrap_or(pattern.len());
        let (root, rest) =
            pattern.split_at(pattern[..wild].rfind('/').map_or(0, |slash| slash + 1));
        let hidden = rest.split('/').filter(|part| part.starts_with('.'));
        let depth = if rest.contains("**") {
            MAX_DEPTH
        } else {
            rest.matches('/').count() + 1
        };
        let whole =
            matcher([rest].into_iter()).map_err(|error| invalid(&error.kind().to_string()))?;
        let hidden = matcher(hidden).map_err(|error| invalid(&error.kind().to_string()))?;
        Ok(Self {
            root: root.into(),
            depth: depth.min(MAX_DEPTH),
            pattern: Some(Pattern { whole, hidden }),
        })
    }

    /// Passes every entry that it finds to `take`, in the order of the names.
    pub(super) fn for_each(&self, mut take: impl FnMut(DocumentEntry)) {
        let root = if self.root.as_os_str().is_empty() {
            Path::new(".")
        } else {
            &self.root
        };
        let walk = WalkDir::new(root)
            .max_depth(self.depth)
            .sort_by_file_name()
            .into_iter();
        for (count, entry) in walk.filter_entry(|entry| self.enters(entry)).enumerate() {
            if count > MAX_ENTRIES {
                let reason = format!(
                    "it has more than {} entries, and the others were not read",
                    grouped(MAX_ENTRIES as u64, ',')
                );
                return take(DocumentEntry::Unread(root.to_owned(), reason));
            }
            match entry {
                Ok(entry) if entry.depth() == 0 => {}
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.depth() == MAX_DEPTH {
                        let reason =
                            format!("it is nested {MAX_DEPTH} levels deep, and was not read");
                        take(DocumentEntry::Unread(entry.into_path(), reason));
                    }
                }
                Ok(entry) if !self.matches(&entry) => {}
                Ok(entry) if entry.path_is_symlink() => {
                    take(DocumentEntry::Link(self.path_as_typed(&entry)));
                }
                Ok(entry) if entry.file_type().is_file() => {
                    take(DocumentEntry::File(self.path_as_typed(&entry)));
                }
                Ok(_) => {}
                // Nothing matches in a directory that does not exist.
                Err(error) if error.depth() == 0 && self.pattern.is_some() && !root.is_dir() => {}
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    let reason = error
                        .io_error()
                        .map_or_else(|| error.to_string(), ToString::to_string);
                    take(DocumentEntry::Unread(path, reason));
                }
            }
        }
    }

    /// Returns a path that begins like the pattern or the directory that was typed.
    fn path_as_typed(&self, entry: &DirEntry) -> PathBuf {
        if self.root.as_os_str().is_empty() {
            below(entry).to_owned()
        } else {
            entry.path().to_owned()
        }
    }

    /// Returns whether the search enters an entry: wildcards do not match hidden names.
    fn enters(&self, entry: &DirEntry) -> bool {
        let name = entry.file_name();
        let is_hidden = entry.depth() > 0 && name.as_encoded_bytes().starts_with(b".");
        !is_hidden
            || self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.hidden.is_match(name))
    }

    fn matches(&self, entry: &DirEntry) -> bool {
        match &self.pattern {
            Some(pattern) => pattern.whole.is_match(below(entry)),
            None => is_toml(entry.file_name()),
        }
    }
}

fn matcher<'p>(patterns: impl Iterator<Item = &'p str>) -> Result<GlobSet, globset::Error> {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        set.add(
            GlobBuilder::new(pattern)
                .literal_separator(true)
                .backslash_escape(false)
                .build()?,
        );
    }
    // `compile_matcher` of a single pattern would panic if the pattern is too complex.
    set.build()
}

/// Returns the part of an entry's path below the root of the search.
fn below(entry: &DirEntry) -> &Path {
    let mut parts = entry.path().components();
    let all = parts.clone().count();
    parts.by_ref().take(all - entry.depth()).for_each(drop);
    parts.as_path()
}

fn is_toml(name: &OsStr) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}
