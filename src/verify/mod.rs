//! Check that every installed file, installer and state still matches its record and what the runs
//! left. Reads only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use crate::deployment::records::{InstallerRecord, ItemRecord};
use crate::deployment::snapshot::{Snapshot, in_files};
use crate::deployment::tree::{DiskError, FileFacts, FileKind, PathMetadata, Tree};
use crate::journal::{Emptied, runs};
use crate::names::{CaseFolded, Digest, Escaped, RelPath};
use crate::plan::What;
use crate::run::{Left, LeftBehind, RunError, left_by, left_empty};

/// Result of a verification.
#[derive(Debug, Clone, Default)]
pub struct Verified {
    /// Number of installed items and programs.
    pub items: usize,
    /// Number of their files, and of those that runs copied or wrote.
    pub files: usize,
    /// Number of bytes that were hashed.
    pub bytes: u64,
    /// Drift per file or record, sorted by path.
    pub drift: Vec<Drift>,
    /// Unmanaged files beside the installed ones; they are assumed to belong there.
    pub beside: Vec<RelPath>,
    /// Names on disk that are not UTF-8, escaped; a plan that touches them is refused.
    pub unreadable: Vec<String>,
}

/// Difference from a record or from what a run left.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Drift {
    /// Path below the deployment.
    pub path: RelPath,
    /// Description of the difference, in words.
    pub what: String,
}

/// Recorded contents that a file should have.
struct Expected {
    sha256: Digest,
    /// Origin of the record, for the message.
    by: String,
}

/// Expected state by the records of items and programs.
#[derive(Default)]
struct Recorded {
    files: BTreeMap<RelPath, Expected>,
    /// Installers in the share. Several items, or one on several servers, may come from one
    /// installer.
    installers: BTreeMap<RelPath, Vec<Expected>>,
    /// Missing paths that were accepted as missing.
    gone: BTreeSet<RelPath>,
}

/// Compares the deployment with its records and with what the finished runs left.
pub fn verify(tree: &Tree, snapshot: &Snapshot) -> Result<Verified, RunError> {
    let mut verified = Verified {
        unreadable: snapshot.unreadable.clone(),
        ..Verified::default()
    };
    let runs = runs(tree)?;
    let LeftBehind { there, gone } = left_by(tree, &runs)?;
    for (run, Emptied { live, kept }) in left_empty(tree, &runs)? {
        if !gone.contains(&live) {
            let what = match tree.metadata(&kept)? {
                Some(_) => format!(
                    "is gone; run {run}, closed as it stood, keeps it as `{}`",
                    Escaped(kept.as_str())
                ),
                None => format!("is gone; run {run}, closed as it stood, had set it aside"),
            };
            verified.drift.push(Drift { path: live, what });
        }
    }
    let mut recorded = Recorded {
        gone,
        ..Recorded::default()
    };
    let site = &snapshot.description;
    for instance in site.all_instances() {
        let directory = snapshot.actual(&site.directory(instance));
        match snapshot.item(instance) {
            Some(record) => {
                let shown = site.shown(instance);
                take_in(
                    snapshot,
                    &directory,
                    record,
                    &shown,
                    &mut recorded,
                    &mut verified,
                );
                installer_of(snapshot, record, &shown, &mut recorded, &mut verified);
            }
            None => verified.drift.extend(
                snapshot
                    .hidden(&directory)
                    .map(|(path, what)| Drift { path, what }),
            ),
        }
    }
    for (directory, record) in snapshot.programs() {
        let shown = directory.name().to_owned();
        // A program that a step ran came from the payload; a file with that name in the share is
        // unrelated to it.
        take_in(
            snapshot,
            directory,
            record,
            &shown,
            &mut recorded,
            &mut verified,
        );
    }
    for (first, second) in &snapshot.clashes {
        let what = format!("and `{}` differ only in case", Escaped(first.as_str()));
        verified.drift.push(Drift {
            path: second.clone(),
            what,
        });
    }
    for (file, why) in &snapshot.faults {
        verified.drift.push(Drift {
            path: file.clone(),
            what: why.clone(),
        });
    }
    compare(tree, snapshot, expected(there, recorded), &mut verified)?;
    verified.drift.sort();
    verified.drift.dedup();
    Ok(verified)
}

/// Merges what runs left with the records of items, which take precedence. The record of an
/// installer counts only if no run brought the file, since a newer one may be there by now.
fn expected(left: BTreeMap<RelPath, Left>, recorded: Recorded) -> BTreeMap<RelPath, Vec<Expected>> {
    let mut expected = BTreeMap::new();
    for (path, left) in left {
        if let What::File { sha256, .. } = left.what {
            expected.insert(
                path,
                vec![Expected {
                    sha256,
                    by: format!("run {} left it", left.run),
                }],
            );
        }
    }
    expected.extend(
        recorded
            .files
            .into_iter()
            .map(|(path, file)| (path, vec![file])),
    );
    for (path, installer) in recorded.installers {
        expected.entry(path).or_insert(installer);
    }
    expected
}

/// Adds the expected files of an installed item or program, and the unmanaged files beside them.
fn take_in(
    snapshot: &Snapshot,
    directory: &RelPath,
    record: &ItemRecord,
    shown: &str,
    recorded: &mut Recorded,
    verified: &mut Verified,
) {
    let installed = record
        .installed
        .as_ref()
        .filter(|_| record.state.is_installed());
    let files = installed.map(|installed| &installed.files);
    let mut ours: Vec<CaseFolded> = vec![
        directory
            .with(&RelPath::parse("state.toml").expect("a name"))
            .case_folded(),
    ];
    for (file, wanted) in files.into_iter().flatten() {
        let at = snapshot.exact(&in_files(directory, file));
        ours.push(at.case_folded());
        let by = format!("`{}` was installed with it", Escaped(shown));
        recorded.files.insert(
            at,
            Expected {
                sha256: wanted.sha256,
                by,
            },
        );
    }
    ours.sort();
    let beside = snapshot
        .below(directory)
        .filter(|found| found.kind != FileKind::Directory);
    let beside = beside.filter(|found| ours.binary_search(&found.path.case_folded()).is_err());
    verified
        .beside
        .extend(beside.map(|found| found.path.clone()));
    verified.items += usize::from(installed.is_some());
}

/// Adds the installer of an item, as the item was installed from it, to the expected files, or
/// reports it if it is missing from the share.
fn installer_of(
    snapshot: &Snapshot,
    record: &ItemRecord,
    shown: &str,
    recorded: &mut Recorded,
    verified: &mut Verified,
) {
    let Some(installed) = record
        .installed
        .as_ref()
        .filter(|_| record.state.is_installed())
    else {
        return;
    };
    let InstallerRecord { name, sha256 } = &installed.installer;
    if let Some(found) = snapshot.share_file(&name.case_folded()) {
        let by = format!("`{}` was installed from it", Escaped(shown));
        recorded
            .installers
            .entry(found.path.clone())
            .or_default()
            .push(Expected {
                sha256: *sha256,
                by,
            });
        return;
    }
    let path = snapshot.share_path(name);
    if !recorded.gone.contains(&path) {
        let what = format!("is gone; `{}` was installed from it", Escaped(shown));
        verified.drift.push(Drift { path, what });
    }
}

fn compare(
    tree: &Tree,
    snapshot: &Snapshot,
    expected: BTreeMap<RelPath, Vec<Expected>>,
    verified: &mut Verified,
) -> Result<(), RunError> {
    let metadata = |path: &RelPath| {
        let at = snapshot.exact(path);
        tree.metadata(&at).map(|metadata| (at, metadata))
    };
    let looks: Vec<_> = expected
        .par_iter()
        .map(|(path, _)| metadata(path))
        .collect::<Result<_, _>>()?;
    // The largest files come first, so that none is left to one core at the end.
    let mut order: Vec<_> = looks.iter().zip(expected.values()).enumerate().collect();
    order.sort_by_key(|(_, ((_, metadata), _))| {
        Reverse(metadata.map_or(0, |metadata| metadata.size))
    });
    let check = |(at, metadata): &(RelPath, Option<PathMetadata>),
                 wanted: &[Expected]|
     -> Result<(u64, Vec<String>), DiskError> {
        let all = |what: &str| {
            wanted
                .iter()
                .map(|wanted| format!("{what}; {}", wanted.by))
                .collect()
        };
        match metadata.map(|metadata| metadata.kind) {
            None => Ok((0, all("is gone"))),
            Some(FileKind::File) => {
                let FileFacts { size, sha256 } = tree.facts(at)?;
                let others = wanted.iter().filter(|wanted| wanted.sha256 != sha256);
                let told = |Expected { sha256, by }: &Expected| {
                    format!("has other contents; {by} as {}", sha256.short())
                };
                Ok((size, others.map(told).collect()))
            }
            Some(kind) => Ok((0, all(&format!("is {}, not a file", kind.named())))),
        }
    };
    let checked = order
        .into_iter()
        .par_bridge()
        .map(|(at, (metadata, wanted))| check(metadata, wanted).map(|found| (at, found)));
    let found: BTreeMap<usize, _> = checked.collect::<Result<_, _>>()?;
    verified.files = expected.len();
    for (path, (bytes, what)) in expected.into_keys().zip(found.into_values()) {
        verified.bytes += bytes;
        verified.drift.extend(what.into_iter().map(|what| Drift {
            path: path.clone(),
            what,
        }));
    }
    Ok(())
}
