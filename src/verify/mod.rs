//! Check that every installed file, installer and state still matches its record and the results of
//! the runs. Reads only.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{InstallerRecord, ItemRecord};
use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::{DiskError, FileFacts, FileKind, PathMetadata, Tree};
use crate::journal::{EmptiedPath, Run, quarantined, runs};
use crate::names::{CaseFolded, Digest, Escaped, RelPath};
use crate::phase::Phase;
use crate::plan::{EntryKind, Lagging, broken_requirements, directories_of_no_instance, lagging};
use crate::run::{
    LeftObject, LeftObjects, RunError, attribute_drift, emptied_paths, load_plan, past,
    paths_left_empty,
};

/// Result of a verification.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct Verification {
    /// Number of installed items and programs.
    pub items: usize,
    /// Number of their files, and of other files that runs copied or wrote.
    pub files: usize,
    /// Number of hashed bytes.
    pub bytes: u64,
    /// Drift per file or record, sorted by path.
    pub drift: Vec<Drift>,
    /// Damaged records of runs, and live paths that such runs left empty.
    pub faults: Vec<Drift>,
    /// Lag behind applied rollups, in words; nothing while a run is unfinished.
    pub lagging: Vec<String>,
    /// Installed items that lack what they require, in words.
    pub lacking: Vec<String>,
    /// Directories that belong to no instance and to no server; they are not drift.
    pub directories_of_no_instance: Vec<RelPath>,
    /// Unmanaged files and directories among the installed ones; they are not drift.
    pub unmanaged: Vec<RelPath>,
    /// Names on disk that are not UTF-8, escaped; a plan that touches them is refused.
    pub unreadable: Vec<String>,
}

/// Difference from a record or from the result of a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
pub struct Drift {
    /// Path below the deployment.
    pub path: RelPath,
    /// Phrase that follows the path in a message, such as `is gone`.
    pub description: String,
}

/// Recorded contents of a file.
struct ExpectedFile {
    sha256: Digest,
    /// Origin of the record, for a message.
    by: String,
}

/// Expected state according to the records of items and programs.
#[derive(Default)]
struct RecordedState {
    files: BTreeMap<RelPath, ExpectedFile>,
    /// Installers in the share. Several items, or one on several servers, may come from one
    /// installer.
    installers: BTreeMap<RelPath, Vec<ExpectedFile>>,
    /// Paths that were accepted as missing.
    gone: BTreeSet<RelPath>,
}

impl Verification {
    /// Returns the number of differences.
    pub fn differences(&self) -> usize {
        self.drift.len() + self.faults.len() + self.lagging.len() + self.lacking.len()
    }
}

/// Compares the deployment with its records and with the results of the closed runs, as a phase.
///
/// # Errors
///
/// The deployment or the records of a run cannot be read.
pub fn verify(
    tree: &Tree,
    mut snapshot: Snapshot,
    phase: &Phase,
) -> Result<Verification, RunError> {
    let runs = runs(tree)?;
    let (past, left) = past(tree, None)?;
    let of_attributes = attribute_drift(tree, &left)?;
    let LeftObjects {
        there,
        gone,
        faults,
    } = left;
    let is_unfinished = past.open.as_ref().is_some_and(|open| open.staged.is_none());
    snapshot.past = past;
    let snapshot = &snapshot;
    let lagging_now = match is_unfinished {
        true => Lagging::default(),
        false => lagging(snapshot),
    };
    let mut verified = Verification {
        unreadable: snapshot.unreadable.clone(),
        lagging: lagging_now.lines(None),
        lacking: broken_requirements(snapshot),
        directories_of_no_instance: directories_of_no_instance(snapshot),
        ..Verification::default()
    };
    verified.drift.extend(left_empty(tree, &runs, &gone)?);
    verified
        .drift
        .extend(of_attributes.into_iter().map(|found| Drift {
            path: found.path,
            description: found.description,
        }));
    let faults = faults.into_iter();
    verified
        .faults
        .extend(faults.map(|(path, description)| Drift { path, description }));
    verified.faults.extend(emptied_by_damaged(tree, &runs)?);
    let mut records = RecordedState {
        gone,
        ..RecordedState::default()
    };
    add_installations(snapshot, &mut records, &mut verified);
    add_clashes(snapshot, &mut verified);
    for (file, why) in &snapshot.faults {
        verified.drift.push(Drift {
            path: file.clone(),
            description: why.to_string(),
        });
    }
    let expected = expected(there, records);
    compare(tree, snapshot, expected, &mut verified, phase)?;
    verified.drift.sort();
    verified.drift.dedup();
    verified.drift = one_for_each_path(std::mem::take(&mut verified.drift));
    without_lagging(tree, &lagging_now, &mut verified)?;
    Ok(verified)
}

/// Returns the paths that runs left empty when `accept` closed them unfinished, but for those that were
/// accepted as missing.
fn left_empty(tree: &Tree, runs: &[Run], gone: &BTreeSet<RelPath>) -> Result<Vec<Drift>, RunError> {
    let mut drift = Vec::new();
    for (run, EmptiedPath { live, kept }) in paths_left_empty(tree, runs)? {
        if gone.contains(&live) {
            continue;
        }
        let closed = format!("is gone; run {run}, which `accept` closed unfinished,");
        let description = match tree.metadata(&kept)? {
            Some(_) => format!("{closed} keeps it as `{}`", Escaped(kept.as_str())),
            None => format!("{closed} had moved it to its directory"),
        };
        drift.push(Drift {
            path: live,
            description,
        });
    }
    Ok(drift)
}

/// Adds the expected files of all items and programs.
fn add_installations(
    snapshot: &Snapshot,
    records: &mut RecordedState,
    verified: &mut Verification,
) {
    let deployment = &snapshot.description;
    for instance in deployment.all_instances() {
        let directory = snapshot.actual(&deployment.directory(instance));
        match snapshot.item(instance) {
            Some(record) => {
                let owner = deployment.shown(instance);
                add_expected_files(snapshot, &directory, record, &owner, records, verified);
                add_expected_installer(snapshot, record, &owner, records, verified);
            }
            None => verified.drift.extend(
                snapshot
                    .hidden(&directory)
                    .map(|(path, description)| Drift { path, description }),
            ),
        }
    }
    for (directory, record) in snapshot.programs() {
        let owner = directory.name().to_owned();
        // A program was installed from the payload; a file with that name in the share is unrelated
        // to it.
        add_expected_files(snapshot, directory, record, &owner, records, verified);
    }
}

/// Adds the names that differ only in case. Whatever is in an unmanaged directory moves along with it.
fn add_clashes(snapshot: &Snapshot, verified: &mut Verification) {
    let unmanaged = verified.unmanaged.iter().map(RelPath::case_folded);
    let unmanaged: BTreeSet<CaseFolded> = unmanaged.collect();
    let is_inside = |path: &RelPath| {
        let mut above = path.ancestors();
        above.any(|above| unmanaged.contains(&above.case_folded()))
    };
    verified
        .unreadable
        .retain(|name| !RelPath::parse(name).is_ok_and(|path| is_inside(&path)));
    for (first, second) in &snapshot.clashes {
        if is_inside(first) && is_inside(second) {
            continue;
        }
        let description = format!("and `{}` differ only in case", Escaped(first.as_str()));
        verified.drift.push(Drift {
            path: second.clone(),
            description,
        });
    }
}

/// Removes the differences of what is missing and lags: the lag is one difference already.
fn without_lagging(
    tree: &Tree,
    lagging: &Lagging,
    verified: &mut Verification,
) -> Result<(), DiskError> {
    let mut missing = Vec::new();
    for place in &lagging.places {
        if tree.metadata(&place.path)?.is_none() {
            missing.push(place.path.clone());
        }
    }
    verified.drift.retain(|drift| {
        let is_at = |path: &RelPath| drift.path == *path || drift.path.below(path).is_some();
        !missing.iter().any(is_at)
    });
    Ok(())
}

/// Returns the live paths that are empty because their objects are in the slots of a run whose journal
/// is damaged or that is quarantined; and the plans of such runs that cannot be used.
fn emptied_by_damaged(tree: &Tree, runs: &[Run]) -> Result<Vec<Drift>, RunError> {
    let damaged = runs.iter().filter(|run| run.fault.is_some());
    let mut directories: Vec<RunDir> = damaged.map(|run| run.directory.clone()).collect();
    directories.extend(
        quarantined(tree)?
            .iter()
            .map(|(name, _)| ROLLUP_DIR.run(name)),
    );
    let mut faults = Vec::new();
    for run in directories {
        let plan = match load_plan(tree, &run) {
            Ok(plan) => plan,
            Err(RunError::Plan { fault, .. }) => {
                let description = format!(
                    "cannot be used, so that what the run moved away is not known: {fault}"
                );
                faults.push(Drift {
                    path: run.plan(),
                    description,
                });
                continue;
            }
            Err(error) => return Err(error),
        };
        for EmptiedPath { live, kept } in emptied_paths(tree, &run, &plan)? {
            let description = format!("is gone; `{}` keeps it", Escaped(kept.as_str()));
            faults.push(Drift {
                path: live,
                description,
            });
        }
    }
    Ok(faults)
}

/// Number of owners of a file that are named.
const MOST_OWNERS: usize = 3;

/// Joins the differences of each path that have the same words before the first `;`: one file that
/// several records know is one difference. The differences are sorted.
fn one_for_each_path(drift: Vec<Drift>) -> Vec<Drift> {
    let mut joined: Vec<(Drift, Vec<String>)> = Vec::new();
    for difference in drift {
        let (what, owner) = match difference.description.split_once("; ") {
            Some((what, owner)) => (what.to_owned(), vec![owner.to_owned()]),
            None => (difference.description.clone(), Vec::new()),
        };
        match joined.last_mut() {
            Some((last, owners)) if last.path == difference.path && last.description == what => {
                owners.extend(owner);
            }
            _ => {
                let drift = Drift {
                    path: difference.path,
                    description: what,
                };
                joined.push((drift, owner));
            }
        }
    }
    let describe = |(mut drift, owners): (Drift, Vec<String>)| {
        for owner in owners.iter().take(MOST_OWNERS) {
            drift.description.push_str(&format!("; {owner}"));
        }
        if let Some(more @ 1..) = owners.len().checked_sub(MOST_OWNERS) {
            let more = format!("; and {more} more records have it");
            drift.description.push_str(&more);
        }
        drift
    };
    joined.into_iter().map(describe).collect()
}

/// Merges the results of runs with the records of items, which take precedence. The record of an
/// installer counts only if no run copied the file, since the share may have a newer one by now.
fn expected(
    left: BTreeMap<RelPath, LeftObject>,
    records: RecordedState,
) -> BTreeMap<RelPath, Vec<ExpectedFile>> {
    let mut expected = BTreeMap::new();
    for (path, left) in left {
        if let EntryKind::File { sha256, .. } = left.kind {
            expected.insert(
                path,
                vec![ExpectedFile {
                    sha256,
                    by: format!("run {} left it", left.run),
                }],
            );
        }
    }
    expected.extend(
        records
            .files
            .into_iter()
            .map(|(path, file)| (path, vec![file])),
    );
    for (path, installer) in records.installers {
        expected.entry(path).or_insert(installer);
    }
    expected
}

/// Returns the topmost unmanaged files and directories of an item or program; a directory without
/// files is left out.
fn unmanaged(snapshot: &Snapshot, directory: &RelPath, managed: &[CaseFolded]) -> Vec<RelPath> {
    let files = managed.iter().cloned().collect::<BTreeSet<_>>();
    let above = managed
        .iter()
        .filter_map(|file| RelPath::parse(file.as_str()).ok());
    let mut directories: BTreeSet<CaseFolded> = above
        .flat_map(|file| {
            file.ancestors()
                .map(|above| above.case_folded())
                .collect::<Vec<_>>()
        })
        .collect();
    directories.insert(ItemDir(directory).files().case_folded());
    let mut unmanaged = Vec::new();
    let mut whole: BTreeSet<CaseFolded> = BTreeSet::new();
    for found in snapshot.below(directory) {
        let path = found.path.case_folded();
        let is_inside = || {
            found
                .path
                .ancestors()
                .any(|above| whole.contains(&above.case_folded()))
        };
        if files.contains(&path) || directories.contains(&path) || is_inside() {
            continue;
        }
        if found.kind == FileKind::Directory {
            whole.insert(path);
            if !snapshot
                .below(&found.path)
                .any(|below| below.kind != FileKind::Directory)
            {
                continue;
            }
        }
        unmanaged.push(found.path.clone());
    }
    unmanaged
}

/// Adds the expected files of an installed item or program, and the unmanaged entries among them.
fn add_expected_files(
    snapshot: &Snapshot,
    directory: &RelPath,
    record: &ItemRecord,
    owner: &str,
    records: &mut RecordedState,
    verified: &mut Verification,
) {
    let installed = record
        .installed
        .as_ref()
        .filter(|_| record.state.is_installed());
    let files = installed.map(|installed| &installed.files);
    let mut managed: Vec<CaseFolded> = vec![ItemDir(directory).record().case_folded()];
    for (file, expected_file) in files.into_iter().flatten() {
        let exact_path = snapshot.exact(&ItemDir(directory).file(file));
        managed.push(exact_path.case_folded());
        let by = format!("`{}` was installed with it", Escaped(owner));
        records.files.insert(
            exact_path,
            ExpectedFile {
                sha256: expected_file.sha256,
                by,
            },
        );
    }
    verified
        .unmanaged
        .extend(unmanaged(snapshot, directory, &managed));
    verified.items += usize::from(installed.is_some());
}

/// Adds the installer from which an item was installed to the expected files, or reports it if it
/// is missing from the share.
fn add_expected_installer(
    snapshot: &Snapshot,
    record: &ItemRecord,
    owner: &str,
    records: &mut RecordedState,
    verified: &mut Verification,
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
        let by = format!("`{}` was installed from it", Escaped(owner));
        records
            .installers
            .entry(found.path.clone())
            .or_default()
            .push(ExpectedFile {
                sha256: *sha256,
                by,
            });
        return;
    }
    let path = snapshot.share_path(name);
    if !records.gone.contains(&path) {
        let description = format!("is gone; `{}` was installed from it", Escaped(owner));
        verified.drift.push(Drift { path, description });
    }
}

/// Hashes a file. Returns its size, and its differences from each expectation.
fn check_file(
    tree: &Tree,
    path: &RelPath,
    metadata: Option<PathMetadata>,
    wanted: &[ExpectedFile],
    phase: &Phase,
) -> Result<(u64, Vec<String>), DiskError> {
    let all = |description: &str| {
        wanted
            .iter()
            .map(|wanted| format!("{description}; {}", wanted.by))
            .collect()
    };
    let Some(metadata) = metadata else {
        return Ok((0, all("is gone")));
    };
    if metadata.kind != FileKind::File {
        let kind = metadata.kind.with_article();
        return Ok((0, all(&format!("is {kind}, not a file"))));
    }
    phase.at_file(path.name(), metadata.size);
    let FileFacts { size, sha256 } = tree.facts_in(path, phase)?;
    let others = wanted.iter().filter(|wanted| wanted.sha256 != sha256);
    let describe = |ExpectedFile { sha256, by }: &ExpectedFile| {
        format!("has other contents; {by} as {}", sha256.short())
    };
    Ok((size, others.map(describe).collect()))
}

/// Hashes the expected files and adds every difference.
fn compare(
    tree: &Tree,
    snapshot: &Snapshot,
    expected: BTreeMap<RelPath, Vec<ExpectedFile>>,
    verified: &mut Verification,
    phase: &Phase,
) -> Result<(), RunError> {
    let metadata = |path: &RelPath| {
        let exact_path = snapshot.exact(path);
        let metadata = tree.metadata(&exact_path)?;
        phase.expect(metadata.map_or(0, |metadata| metadata.size));
        Ok::<_, DiskError>((exact_path, metadata))
    };
    let entries: Vec<_> = expected
        .par_iter()
        .map(|(path, _)| metadata(path))
        .collect::<Result<_, _>>()?;
    // The largest files come first, so that no single core is busy with one at the end.
    let mut order: Vec<_> = entries.iter().zip(expected.values()).enumerate().collect();
    order.sort_by_key(|(_, ((_, metadata), _))| {
        Reverse(metadata.map_or(0, |metadata| metadata.size))
    });
    let checked = order
        .into_iter()
        .par_bridge()
        .map(|(at, ((path, metadata), wanted))| {
            let found = check_file(tree, path, *metadata, wanted, phase);
            found.map(|found| (at, found))
        });
    let found: BTreeMap<usize, _> = checked.collect::<Result<_, _>>()?;
    verified.files = expected.len();
    for (path, (bytes, descriptions)) in expected.into_keys().zip(found.into_values()) {
        verified.bytes += bytes;
        verified
            .drift
            .extend(descriptions.into_iter().map(|description| Drift {
                path: path.clone(),
                description,
            }));
    }
    Ok(())
}
