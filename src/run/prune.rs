//! Removal of the slots of old runs, and with them of the ability to roll these runs back.
//!
//! The record that a run is closed goes to disk first. Then one rename moves its slots to the
//! trash, and that rename goes to disk before anything is deleted, so that the slots disappear
//! atomically. Manifest, plan, journal and events stay: later runs are compared with them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use super::RunError;
use super::check::moved_to;
use super::executor::load_plan;
use crate::deployment::deletion::{list, refuse_mounts};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::journal::{Outcome, Run, RunState};
use crate::names::{CaseFolded, RelPath};
use crate::plan::{Entry, EntryKind, NewEntry, Plan};

/// File in the slots of a run that would be lost with them: it is in no plan, so no undo restores
/// it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct LostFile {
    /// Path below the deployment.
    pub path: String,
    /// Predicate of a sentence about the file, such as `was changed by hand`; of another object its
    /// kind, such as `a symbolic link`.
    pub description: &'static str,
}

/// Returns the bytes that a run keeps besides its records; `None` if they were cleared already.
pub fn kept_bytes(tree: &Tree, run: &Run) -> Result<Option<u64>, DiskError> {
    let mut bytes = None;
    if is_directory(tree, &run.directory.slots())? {
        let total = Cell::new(0);
        list(tree, &run.directory.slots(), &|_, kind, size| {
            total.set(total.get() + if kind.is_file() { size } else { 0 })
        })?;
        bytes = Some(total.get());
    }
    if let Some(metadata) = tree.metadata(&run.directory.reserve())? {
        bytes = Some(bytes.unwrap_or_default() + metadata.size);
    }
    Ok(bytes)
}

/// Returns whether a run keeps old objects, without reading them.
pub fn keeps_objects(tree: &Tree, run: &Run) -> Result<bool, DiskError> {
    is_directory(tree, &run.directory.slots())
}

/// Returns the files in the slots of a run that are neither old nor new files of its plan: files
/// that a process still wrote there, or files that were changed by hand and moved there by an undo.
/// Hashes the files that the plan knows.
///
/// # Errors
///
/// Fails if the plan cannot be used, because then its files are not known.
pub fn lost_files(tree: &Tree, run: &Run) -> Result<Vec<LostFile>, RunError> {
    if !is_directory(tree, &run.directory.slots())? {
        return Ok(Vec::new());
    }
    let known = known(run, &load_plan(tree, &run.directory)?);
    let is_closed_unfinished = run.state() == RunState::Closed(Outcome::Accepted);
    let mut lost = Vec::new();
    for (shown, kind) in contents(tree, &run.directory.slots())? {
        if kind == FileKind::Directory {
            continue;
        }
        let path = match shown.to_str().map(RelPath::parse) {
            Some(Ok(path)) => path,
            Some(Err(_)) => {
                lost.push(LostFile {
                    path: shown.display().to_string(),
                    description: "is an unmanaged file",
                });
                continue;
            }
            None => {
                lost.push(LostFile {
                    path: shown.display().to_string(),
                    description: "has a name that is not UTF-8",
                });
                continue;
            }
        };
        let description = match (kind, known.get(&path.case_folded())) {
            // Nothing restores the old objects of a run that was closed unfinished.
            (FileKind::File, Some(_))
                if is_closed_unfinished && RunDir::is_in_old_object(&path) =>
            {
                "was in the deployment before the run"
            }
            (FileKind::File, Some(EntryKind::File { size, sha256 })) => {
                let facts = tree.facts(&path)?;
                if (facts.size, facts.sha256) == (*size, *sha256) {
                    continue;
                }
                "was changed by hand"
            }
            (FileKind::File, _) => "is an unmanaged file",
            (kind, _) => kind.with_article(),
        };
        lost.push(LostFile {
            path: path.as_str().to_owned(),
            description,
        });
    }
    Ok(lost)
}

/// Refuses a run whose slots cannot be cleared because something is mounted in them.
///
/// # Errors
///
/// The mount point, by name.
pub fn refuse_mounted(tree: &Tree, run: &Run) -> Result<(), DiskError> {
    refuse_mounts(tree, &run.directory.slots())
}

/// Lists all objects below a directory of the deployment, at any depth, sorted by their path from
/// the root.
fn contents(tree: &Tree, at: &RelPath) -> Result<Vec<(PathBuf, FileKind)>, DiskError> {
    let found = RefCell::new(Vec::new());
    list(tree, at, &|shown, kind, _| {
        let path = shown.strip_prefix(tree.path()).unwrap_or(shown);
        found
            .borrow_mut()
            .push((path.to_owned(), FileKind::from(kind)));
    })?;
    let mut found = found.into_inner();
    found.sort();
    Ok(found)
}

/// Returns the entries that a run may have in its slots by its plan, with their paths there.
pub fn slot_entries(run: &RunDir, plan: &Plan) -> Vec<Entry> {
    let mut entries = Vec::new();
    for swap in &plan.swaps {
        let new: Vec<Entry> = swap.new.iter().map(NewEntry::entry).collect();
        entries.extend(moved_to(
            &swap.old,
            &swap.live,
            &run.old_object(swap.number),
        ));
        entries.extend(moved_to(&new, &swap.live, &run.new_object(swap.number)));
    }
    entries
}

fn known(run: &Run, plan: &Plan) -> BTreeMap<CaseFolded, EntryKind> {
    let entries = slot_entries(&run.directory, plan).into_iter();
    entries
        .map(|entry| (entry.path.case_folded(), entry.kind))
        .collect()
}

/// Clears the slots of runs; open ones are left alone. Idempotent: may be called again after a
/// crash at any point.
///
/// # Errors
///
/// Any failure, and a mount in any of the slots, which stops the call before anything is removed.
/// Each run still has all of its slots, or none.
pub fn prune(disk: &LockedDeployment, runs: &[&Run]) -> Result<(), DiskError> {
    let mut runs: Vec<&Run> = runs.iter().copied().filter(|run| !run.is_open()).collect();
    // Oldest first, because a run is only undone when all later ones are.
    runs.sort_by_key(|run| run.number);
    // Sync their closing records first: a power cut may reopen a run whose process was killed while
    // it wrote its last record.
    disk.sync()?;
    // Check all of them first: a mount in one is found before anything is removed.
    for run in &runs {
        refuse_mounts(disk.tree(), &run.directory.slots())?;
    }
    for run in &runs {
        if is_directory(disk.tree(), &run.directory.slots())? {
            disk.move_to_trash(&run.directory.slots())?;
        }
    }
    disk.empty_trash()?;
    for run in &runs {
        if disk.tree().metadata(&run.directory.reserve())?.is_some() {
            disk.remove_file(&run.directory.reserve())?;
        }
    }
    Ok(())
}

fn is_directory(tree: &Tree, at: &RelPath) -> Result<bool, DiskError> {
    Ok(tree
        .metadata(at)?
        .is_some_and(|metadata| metadata.kind == FileKind::Directory))
}
