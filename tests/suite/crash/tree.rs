//! A whole tree, to be compared with another one.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rollup::names::CaseFolded;
use walkdir::WalkDir;

/// Every entry of a deployment but what rollup keeps in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Entry>);

/// What is promised of an entry. The times of directories are not.
#[derive(Clone, PartialEq, Eq)]
enum Entry {
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

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Entry::Directory { mode, owner } => write!(f, "directory {mode:o} of {owner:?}"),
            Entry::Link { to } => write!(f, "link to {}", to.display()),
            Entry::File {
                mode,
                owner,
                modified,
                contents,
            } => {
                let (size, shown) = (
                    contents.len(),
                    String::from_utf8_lossy(&contents[..contents.len().min(80)]),
                );
                write!(
                    f,
                    "file {mode:o} of {owner:?}, changed {modified:?}, {size} bytes {shown:?}"
                )
            }
        }
    }
}

impl Tree {
    /// Reads a deployment.
    pub(crate) fn of(deployment: &Path) -> Self {
        let ours = |entry: &walkdir::DirEntry| {
            entry.depth() == 1 && entry.file_name().to_string_lossy().starts_with(".rollup")
        };
        let mut entries = BTreeMap::new();
        for entry in WalkDir::new(deployment)
            .min_depth(1)
            .into_iter()
            .filter_entry(|entry| !ours(entry))
        {
            let entry = entry.expect("the tree can be listed");
            let metadata = entry.metadata().expect("it was just listed");
            let below = entry
                .path()
                .strip_prefix(deployment)
                .expect("it lies below")
                .to_owned();
            let (mode, owner) = (metadata.mode(), (metadata.uid(), metadata.gid()));
            let found = match entry.file_type() {
                kind if kind.is_dir() => Entry::Directory { mode, owner },
                kind if kind.is_symlink() => Entry::Link {
                    to: std::fs::read_link(entry.path()).expect("a link can be read"),
                },
                _ => Entry::File {
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

    /// Forgets when files were written, which two runs of the same plan do at different times.
    pub(crate) fn without_times(mut self) -> Self {
        for entry in self.0.values_mut() {
            if let Entry::File { modified, .. } = entry {
                *modified = None;
            }
        }
        self
    }

    /// Forgets when those files were written that were written since, in seconds after 1970.
    pub(crate) fn without_times_since(mut self, since: i64) -> Self {
        for entry in self.0.values_mut() {
            if let Entry::File { modified, .. } = entry {
                *modified = modified.filter(|(seconds, _)| *seconds < since);
            }
        }
        self
    }

    /// Without the paths that a condition holds for.
    pub(crate) fn without(&self, ignored: &dyn Fn(&Path) -> bool) -> Self {
        let kept = self.0.iter().filter(|(path, _)| !ignored(path));
        Self(
            kept.map(|(path, entry)| (path.clone(), entry.clone()))
                .collect(),
        )
    }

    /// In one spelling, whatever case its names have; `None` where two of them differ only in case.
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

    /// Fails with every difference at once.
    pub(crate) fn assert_same(&self, found: &Tree, told: &str) {
        let wrong = self.differences(found);
        assert!(wrong.is_empty(), "{told}: {wrong:#?}");
    }

    /// Every difference. Where this tree knows no times, none are compared.
    pub(crate) fn differences(&self, found: &Tree) -> Vec<String> {
        let timeless = self.0.values().all(|entry| {
            !matches!(
                entry,
                Entry::File {
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
                (Some(_), None) => wrong.push(format!("{path:?} is gone")),
                (None, _) => wrong.push(format!("{path:?} is too much")),
            }
        }
        wrong.sort();
        wrong.dedup();
        wrong
    }
}

fn same(wanted: &Entry, found: &Entry, timeless: bool) -> bool {
    match (wanted, found) {
        (
            Entry::File {
                mode,
                owner,
                modified,
                contents,
            },
            Entry::File {
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
