//! A whole tree, to be compared with another one.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

/// Every entry of a deployment but what rollup keeps in it.
#[derive(PartialEq, Eq)]
pub(crate) struct Tree(BTreeMap<PathBuf, Entry>);

/// What is promised of an entry. The times of folders are not.
#[derive(Debug, PartialEq, Eq)]
enum Entry {
    Folder { mode: u32, owner: (u32, u32) },
    File { mode: u32, owner: (u32, u32), modified: Option<(i64, i64)>, contents: Vec<u8> },
}

impl Tree {
    /// Reads a deployment.
    pub(crate) fn of(deployment: &Path) -> Self {
        let ours = |entry: &walkdir::DirEntry| {
            entry.depth() == 1 && entry.file_name().to_string_lossy().starts_with(".rollup")
        };
        let mut entries = BTreeMap::new();
        for entry in WalkDir::new(deployment).min_depth(1).into_iter().filter_entry(|entry| !ours(entry)) {
            let entry = entry.expect("the tree can be listed");
            let metadata = entry.metadata().expect("it was just listed");
            let below = entry.path().strip_prefix(deployment).expect("it lies below").to_owned();
            let (mode, owner) = (metadata.mode(), (metadata.uid(), metadata.gid()));
            let found = match metadata.is_dir() {
                true => Entry::Folder { mode, owner },
                false => Entry::File {
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

    /// Every difference at once. Where this tree knows no times, none are compared.
    pub(crate) fn assert_same(&self, found: &Tree, told: &str) {
        let timeless = self.0.values().all(|entry| !matches!(entry, Entry::File { modified: Some(_), .. }));
        let mut wrong = Vec::new();
        for path in self.0.keys().chain(found.0.keys()) {
            match (self.0.get(path), found.0.get(path)) {
                (Some(wanted), Some(entry)) if same(wanted, entry, timeless) => {}
                (Some(_), Some(_)) => wrong.push(format!("{} differs", path.display())),
                (Some(_), None) => wrong.push(format!("{} is gone", path.display())),
                (None, _) => wrong.push(format!("{} is too much", path.display())),
            }
        }
        assert!(wrong.is_empty(), "{told}: {wrong:#?}");
    }
}

fn same(wanted: &Entry, found: &Entry, timeless: bool) -> bool {
    match (wanted, found) {
        (
            Entry::File { mode, owner, modified, contents },
            Entry::File { mode: found_mode, owner: found_owner, modified: found_modified, contents: found_contents },
        ) => {
            mode == found_mode
                && owner == found_owner
                && contents == found_contents
                && (timeless || modified == found_modified)
        }
        (wanted, found) => wanted == found,
    }
}
