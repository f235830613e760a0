//! Finds documents: one walk for directories and for patterns.
//!
//! It follows no link below its root, and entries and depth are bounded, so that no directory makes
//! it hang. Names need not be UTF-8: they are compared as bytes, and an error in one entry does not
//! hide the others.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use super::exit::{Exit, Failure};
use crate::names::{Escaped, grouped};

/// Largest number of entries that one walk looks at.
const MOST: usize = 1_000_000;

/// Largest depth of nested directories that a walk enters.
const DEEPEST: usize = 64;

/// Longest pattern, in bytes: as long as the longest path.
const LONGEST: usize = 4096;

/// Characters that make a path a pattern.
pub(super) const WILDCARDS: [char; 4] = ['*', '?', '[', '{'];

/// Entry that may be a document.
pub(super) enum Found {
    /// File.
    File(PathBuf),
    /// Link, which is not followed.
    Link(PathBuf),
    /// Entry that cannot be read, and why.
    Unread(PathBuf, String),
}

/// Walk through a directory.
pub(super) struct Walk {
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

impl Walk {
    /// Finds the TOML files in a directory and below it.
    pub(super) fn directory(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            depth: DEEPEST,
            pattern: None,
        }
    }

    /// Finds the files that match a pattern, from the directory that its plain beginning names.
    pub(super) fn pattern(pattern: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| {
            let brief = pattern.chars().take(100).collect::<String>();
            Failure::new(
                Exit::Usage,
                format_args!("`{}` is not a pattern: {why}", Escaped(&brief)),
            )
            .next("patterns have `*`, `?`, `[…]`, `{…,…}` and, for directories in each other, `**`")
        };
        if pattern.len() > LONGEST {
            return Err(wrong(&format!(
                "it has more than {} bytes",
                grouped(LONGEST as u64, ',')
            )));
        }
        let wild = pattern.find(WILDCARDS).unwrap_or(pattern.len());
        let (root, rest) =
            pattern.split_at(pattern[..wild].rfind('/').map_or(0, |slash| slash + 1));
        let hidden = rest.split('/').filter(|part| part.starts_with('.'));
        let depth = if rest.contains("**") {
            DEEPEST
        } else {
            rest.matches('/').count() + 1
        };
        let whole =
            matcher([rest].into_iter()).map_err(|error| wrong(&error.kind().to_string()))?;
        let hidden = matcher(hidden).map_err(|error| wrong(&error.kind().to_string()))?;
        Ok(Self {
            root: root.into(),
            depth: depth.min(DEEPEST),
            pattern: Some(Pattern { whole, hidden }),
        })
    }

    /// Passes what it finds to `take`, in the order of the names.
    pub(super) fn for_each(&self, mut take: impl FnMut(Found)) {
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
            if count > MOST {
                let why = format!(
                    "it has more than {} entries, and the others were not read",
                    grouped(MOST as u64, ',')
                );
                return take(Found::Unread(root.to_owned(), why));
            }
            match entry {
                Ok(entry) if entry.depth() == 0 => {}
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.depth() == DEEPEST {
                        let why = format!("it is nested {DEEPEST} deep, and was not looked into");
                        take(Found::Unread(entry.into_path(), why));
                    }
                }
                Ok(entry) if !self.wants(&entry) => {}
                Ok(entry) if entry.path_is_symlink() => take(Found::Link(self.typed(&entry))),
                Ok(entry) if entry.file_type().is_file() => take(Found::File(self.typed(&entry))),
                Ok(_) => {}
                // Nothing matches in a directory that does not exist.
                Err(error) if error.depth() == 0 && self.pattern.is_some() && !root.is_dir() => {}
                Err(error) => {
                    let path = error.path().unwrap_or(root).to_owned();
                    let why = error
                        .io_error()
                        .map_or_else(|| error.to_string(), ToString::to_string);
                    take(Found::Unread(path, why));
                }
            }
        }
    }

    /// Returns a path in the form in which the pattern or the directory was typed.
    fn typed(&self, entry: &DirEntry) -> PathBuf {
        if self.root.as_os_str().is_empty() {
            below(entry).to_owned()
        } else {
            entry.path().to_owned()
        }
    }

    /// Returns whether the walk enters an entry: wildcards do not match hidden names.
    fn enters(&self, entry: &DirEntry) -> bool {
        let name = entry.file_name();
        let hidden = entry.depth() > 0 && name.as_encoded_bytes().starts_with(b".");
        !hidden
            || self
                .pattern
                .as_ref()
                .is_some_and(|pattern| pattern.hidden.is_match(name))
    }

    fn wants(&self, entry: &DirEntry) -> bool {
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
    // Not `compile_matcher` of a single pattern, which panics if the pattern is too complex.
    set.build()
}

/// Returns the part of an entry's path below the root of the walk.
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
