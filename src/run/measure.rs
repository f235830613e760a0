//! Comparison of the disk with the expected state.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::names::{CaseFolded, Digest, Escaped, RelPath};
use crate::phase::Phase;
use crate::plan::{Entry, EntryKind, digest_of};

/// Difference between the expected and the actual state of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Path below the deployment.
    pub path: RelPath,
    /// Predicate of a sentence about the path, such as `is gone`.
    pub description: String,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", Escaped(self.path.as_str()), self.description)
    }
}

/// Measured state of the live paths.
pub(super) struct Measured {
    /// Digest over all managed entries.
    pub(super) digest: Digest,
    /// Unmanaged entries that appeared during the run, so that the expected state lacks them.
    pub(super) appeared: Vec<RelPath>,
    /// All entries, sorted by path bytes.
    found: Vec<Entry>,
}

impl Measured {
    /// Compares entries with the disk. Entries that were measured are not read again.
    pub(super) fn differences(
        &self,
        tree: &Tree,
        wanted: &[Entry],
    ) -> Result<Vec<Difference>, DiskError> {
        let is_measured = |entry: &&Entry| {
            let at = self
                .found
                .binary_search_by(|found| found.path.cmp(&entry.path));
            at.is_ok_and(|at| self.found[at].kind == entry.kind)
        };
        let left = wanted.iter().filter(|entry| !is_measured(entry));
        compare(tree, left.collect(), &Phase::hidden())
    }
}

/// Compares entries with the disk. Spelling counts; an unmanaged file only has to exist.
pub fn differences(tree: &Tree, entries: &[Entry]) -> Result<Vec<Difference>, DiskError> {
    differences_in(tree, entries, &Phase::hidden())
}

/// Compares entries with the disk as a part of a phase.
pub(super) fn differences_in(
    tree: &Tree,
    entries: &[Entry],
    phase: &Phase,
) -> Result<Vec<Difference>, DiskError> {
    compare(tree, entries.iter().collect(), phase)
}

/// Returns the number of bytes of the files among some entries.
pub(super) fn bytes_of(entries: &[Entry]) -> u64 {
    entries.iter().map(Entry::bytes).sum()
}

/// Compares entries on all cores, the largest files first, so that none of these is left to a
/// single core at the end. The differences keep the order of the entries all the same.
fn compare(tree: &Tree, entries: Vec<&Entry>, phase: &Phase) -> Result<Vec<Difference>, DiskError> {
    let mut order: Vec<(usize, &Entry)> = entries.into_iter().enumerate().collect();
    order.sort_by_key(|(_, entry)| Reverse(entry.bytes()));
    let compared = order.into_iter().par_bridge().filter_map(|(at, entry)| {
        match difference(tree, entry, phase) {
            Ok(None) => None,
            Ok(Some(description)) => Some(Ok((
                at,
                Difference {
                    path: entry.path.clone(),
                    description,
                },
            ))),
            Err(error) => Some(Err(error)),
        }
    });
    let found: BTreeMap<usize, Difference> = compared.collect::<Result<_, _>>()?;
    Ok(found.into_values().collect())
}

fn difference(tree: &Tree, entry: &Entry, phase: &Phase) -> Result<Option<String>, DiskError> {
    let Some(metadata) = tree.metadata(&entry.path)? else {
        return Ok(Some("is gone".to_owned()));
    };
    Ok(match (&entry.kind, metadata.kind) {
        (EntryKind::Directory, FileKind::Directory) | (EntryKind::Unmanaged, _) => None,
        (EntryKind::File { size, .. }, FileKind::File) if *size != metadata.size => {
            Some(format!("has {} bytes, not {size}", metadata.size))
        }
        (EntryKind::File { sha256, .. }, FileKind::File) => {
            let found = tree.facts_in(&entry.path, phase)?.sha256;
            (found != *sha256).then(|| "has other contents".to_owned())
        }
        (EntryKind::Directory, kind) => {
            Some(format!("is {}, not a directory", kind.with_article()))
        }
        (_, kind) => Some(format!("is {}, not a file", kind.with_article())),
    })
}

/// Returns the paths of the objects at the live paths, without what is in unmanaged directories.
fn paths_of_objects(
    tree: &Tree,
    live: &[&RelPath],
    known: &BTreeMap<CaseFolded, &Entry>,
) -> Result<Vec<(RelPath, FileKind)>, DiskError> {
    let is_known_directory = |path: &RelPath| {
        let entry = known.get(&path.case_folded());
        entry.is_some_and(|entry| entry.kind == EntryKind::Directory)
    };
    let mut paths = Vec::new();
    for &path in live {
        let Some(metadata) = tree.metadata(path)? else {
            continue;
        };
        let mut left = vec![(path.clone(), metadata.kind)];
        while let Some((path, kind)) = left.pop() {
            if kind == FileKind::Directory && is_known_directory(&path) {
                let names = tree.names(&path)?.into_iter();
                left.extend(names.filter_map(|(name, kind)| Some((path.join(&name).ok()?, kind))));
            }
            paths.push((path, kind));
        }
    }
    Ok(paths)
}

/// Measures all objects at the live paths; `wanted` determines what is managed. An unmanaged
/// directory counts as a whole.
pub(super) fn measure(
    tree: &Tree,
    live: &[&RelPath],
    wanted: &[Entry],
    phase: &Phase,
) -> Result<Measured, DiskError> {
    let known: BTreeMap<CaseFolded, &Entry> = wanted
        .iter()
        .map(|entry| (entry.path.case_folded(), entry))
        .collect();
    let mut appeared = Vec::new();
    let mut found = Vec::new();
    let mut files: BTreeSet<RelPath> = BTreeSet::new();
    for (path, kind) in paths_of_objects(tree, live, &known)? {
        let entry = known.get(&path.case_folded()).map(|entry| &entry.kind);
        match (kind, entry) {
            (FileKind::File, Some(EntryKind::File { .. })) => drop(files.insert(path)),
            (FileKind::Directory, Some(EntryKind::Directory | EntryKind::File { .. })) => {
                found.push(Entry {
                    path,
                    kind: EntryKind::Directory,
                });
            }
            (_, entry) => {
                if entry.is_none() {
                    appeared.push(path.clone());
                }
                found.push(Entry {
                    path,
                    kind: EntryKind::Unmanaged,
                });
            }
        }
    }
    let hashed = files.into_par_iter().map(|path| {
        let size = known
            .get(&path.case_folded())
            .map_or(0, |entry| entry.bytes());
        phase.at_file(path.name(), size);
        let facts = tree.facts_in(&path, phase)?;
        Ok(Entry {
            path,
            kind: EntryKind::File {
                size: facts.size,
                sha256: facts.sha256,
            },
        })
    });
    found.extend(hashed.collect::<Result<Vec<_>, DiskError>>()?);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found.dedup();
    Ok(Measured {
        digest: digest_of(&found),
        appeared,
        found,
    })
}
