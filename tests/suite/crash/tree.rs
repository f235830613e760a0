//! Snapshot of a whole tree, for comparison with another one.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rollup::names::CaseFolded;
use walkdir::WalkDir;

/// Every entry of a deployment outside `.rollup`.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, TreeEntry>);

/// Properties of an entry that a rollback restores. The times of directories are not among them.
#[derive(Clone, PartialEq, Eq)]
enum TreeEntry {
    Directory {
        mode: u32,
        owner: (u32, u32),
    },
    File {
        mode: u32,
        owner: (u32, u32),
        modified: Option<(i64, i64)>,
        contents: Vec<u8>,
    },
    Link {
        to: PathBuf,
    },
}

impl std::fmt::Debug for TreeEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TreeEntry::Directory { mode, owner } => write!(f, "directory {mode:o} of {owner:?}"),
            TreeEntry::Link { to } => write!(f, "link to {}", to.display()),
            TreeEntry::File {
                mode,
                owner,
                modified,
                contents,
            } => {
                let (size, beginning) = (
                    contents.len(),
                    String::from_utf8_lossy(&contents[..contents.len().min(80)]),
                );
                write!(
                    f,
                    "file {mode:o} of {owner:?}, changed {modified:?}, {size} bytes {beginning:?}"
                )
            }
        }
    }
}

impl Tree {
    /// Reads a deployment.
    pub(crate) fn of(deployment: &Path) -> Self {
        let is_rollup_directory = |entry: &walkdir::DirEntry| {
            entry.depth() == 1 && entry.file_name().to_string_lossy().starts_with(".rollup")
        };
        let mut entries = BTreeMap::new();
        for entry in WalkDir::new(deployment)
            .min_depth(1)
            .into_iter()
            .filter_entry(|entry| !is_rollup_directory(entry))
        {
            let entry = entry.expect("the tree can be listed");
            let metadata = entry.metadata().expect("it was just listed");
            let below = entry
                .path()
                .strip_prefix(deployment)
                .expect("it is below the deployment")
                .to_owned();
            let (mode, owner) = (metadata.mode(), (metadata.uid(), metadata.gid()));
            let found = match entry.file_type() {
                kind if kind.is_dir() => TreeEntry::Directory { mode, owner },
                kind if kind.is_symlink() => TreeEntry::Link {
                    to: std::fs::read_link(entry.path()).expect("a link can be read"),
                },
                _ => TreeEntry::File {
                    mode,
                    owner,
                    modified: Some((metadata.mtime(), metadata.mtime_nsec())),
                    contents: std::fs::read(entry.path()).expect("a file can be read"),
                },
            };
            entries.insert(below, found);
        }
        Self(entries)
    }

    /// Drops the times of files, which differ between two runs of the same plan.
    pub(crate) fn without_times(mut self) -> Self {
        for entry in self.0.values_mut() {
            if let TreeEntry::File { modified, .. } = entry {
                *modified = None;
            }
        }
        self
    }

    /// Drops the times of files that were written since a time, in seconds after 1970.
    pub(crate) fn without_times_since(mut self, since: i64) -> Self {
        for entry in self.0.values_mut() {
            if let TreeEntry::File { modified, .. } = entry {
                *modified = modified.filter(|(seconds, _)| *seconds < since);
            }
        }
        self
    }

    /// Returns whether the tree has a path.
    pub(crate) fn has(&self, path: &Path) -> bool {
        self.0.contains_key(path)
    }

    /// Returns the tree without the ignored paths.
    pub(crate) fn without(&self, ignored: &dyn Fn(&Path) -> bool) -> Self {
        let kept = self.0.iter().filter(|(path, _)| !ignored(path));
        Self(
            kept.map(|(path, entry)| (path.clone(), entry.clone()))
                .collect(),
        )
    }

    /// Returns the tree with case-folded names; `None` if two of them differ only in case.
    pub(crate) fn in_one_case(self) -> Option<Self> {
        let count = self.0.len();
        let case_folded =
            |path: &Path| PathBuf::from(CaseFolded::of(&path.to_string_lossy()).as_str());
        let entries: BTreeMap<_, _> = self
            .0
            .into_iter()
            .map(|(path, entry)| (case_folded(&path), entry))
            .collect();
        (entries.len() == count).then_some(Self(entries))
    }

    /// Panics with all differences, if there are any.
    pub(crate) fn assert_same(&self, found: &Tree, context: &str) {
        let wrong = self.differences(found);
        assert!(wrong.is_empty(), "{context}: {wrong:#?}");
    }

    /// Returns all differences. Times are compared only if this tree has some.
    pub(crate) fn differences(&self, found: &Tree) -> Vec<String> {
        let timeless = self.0.values().all(|entry| {
            !matches!(
                entry,
                TreeEntry::File {
                    modified: Some(_),
                    ..
                }
            )
        });
        let mut wrong = Vec::new();
        for path in self.0.keys().chain(found.0.keys()) {
            match (self.0.get(path), found.0.get(path)) {
                (Some(wanted), Some(entry)) if same(wanted, entry, timeless) => {}
                (Some(wanted), Some(entry)) => {
                    wrong.push(format!("{path:?} is {entry:?}, not {wanted:?}"))
                }
                (Some(_), None) => wrong.push(format!("{path:?} is missing")),
                (None, _) => wrong.push(format!("{path:?} is not expected")),
            }
        }
        wrong.sort();
        wrong.dedup();
        wrong
    }
}

fn same(wanted: &TreeEntry, found: &TreeEntry, timeless: bool) -> bool {
    match (wanted, found) {
        (
            TreeEntry::File {
                mode,
                owner,
                modified,
                contents,
            },
            TreeEntry::File {
                mode: found_mode,
                owner: found_owner,
                modified: found_modified,
                contents: found_contents,
            },
        ) => {
            mode == found_mode
                && owner == found_owner
                && contents == found_contents
                && (timeless || modified == found_modified)
        }
        (wanted, found) => wanted == found,
    }
}
