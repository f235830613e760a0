//! Clearing what old runs keep: their slots, and with them the way back.
//!
//! That a run is closed goes to disk first. Then its slots go by one rename into the trash, and
//! that to disk before anything is deleted, so that they are there whole or not at all. Manifest,
//! plan, journal and events stay: later runs are compared with them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;

use super::RunError;
use super::check::moved_to;
use super::executor::load_plan;
use super::swap::slot_folder;
use crate::deployment::deletion::{list, refuse_mounts};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{DiskError, Kind, Tree};
use crate::journal::{Outcome, Run, RunState};
use crate::names::{Folded, RelPath};
use crate::plan::{Entry, NewEntry, Plan, What};

/// A file in the slots of a run that would be lost with them: no plan knows it, so nothing brings
/// it back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Where it is, below the deployment.
    pub path: String,
    /// What it is, in words.
    pub what: &'static str,
}

/// What a run keeps beside its records, in bytes; `None` where that was cleared already.
pub fn kept(tree: &Tree, run: &Run) -> Result<Option<u64>, DiskError> {
    let mut bytes = None;
    if is_folder(tree, &slots(run))? {
        let all = Cell::new(0);
        list(tree, &slots(run), &|_, kind, size| {
            all.set(all.get() + if kind.is_file() { size } else { 0 })
        })?;
        bytes = Some(all.get());
    }
    if let Some(look) = tree.look(&reserve(run))? {
        bytes = Some(bytes.unwrap_or_default() + look.size);
    }
    Ok(bytes)
}

/// The files in the slots of a run that are neither old nor new ones of its plan: what an
/// operator's process still wrote there, or what he had changed and an undo set aside. All of them
/// are read.
///
/// # Errors
///
/// A plan that cannot be used tells nothing of its files.
pub fn lost(tree: &Tree, run: &Run) -> Result<Vec<Lost>, RunError> {
    if !is_folder(tree, &slots(run))? {
        return Ok(Vec::new());
    }
    let known = known(run, &load_plan(tree, &run.folder)?);
    let is_closed_as_it_stood = run.state() == RunState::Closed(Outcome::Accepted);
    let mut lost = Vec::new();
    for (shown, kind) in contents(tree, &slots(run))? {
        if kind == Kind::Folder {
            continue;
        }
        let path = match shown.to_str().map(RelPath::parse) {
            Some(Ok(path)) => path,
            Some(Err(_)) => {
                lost.push(Lost {
                    path: shown.display().to_string(),
                    what: "is an operator's",
                });
                continue;
            }
            None => {
                lost.push(Lost {
                    path: shown.display().to_string(),
                    what: "has a name that is not UTF-8",
                });
                continue;
            }
        };
        let what = match (kind, known.get(&path.folded())) {
            // Nothing brings back what a closed run had set aside.
            (Kind::File, Some(_))
                if is_closed_as_it_stood && path.parts().nth(5) == Some("old") =>
            {
                "stood in the deployment before the run"
            }
            (Kind::File, Some(What::File { size, sha256 })) => {
                let facts = tree.facts(&path)?;
                if (facts.size, facts.sha256) == (*size, *sha256) {
                    continue;
                }
                "was changed by hand"
            }
            (Kind::File, _) => "is an operator's",
            (kind, _) => kind.named(),
        };
        lost.push(Lost {
            path: path.as_str().to_owned(),
            what,
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
    refuse_mounts(tree, &slots(run))
}

/// Everything below a directory of the deployment, however deep, sorted by its path from the root.
fn contents(tree: &Tree, at: &RelPath) -> Result<Vec<(PathBuf, Kind)>, DiskError> {
    let found = RefCell::new(Vec::new());
    list(tree, at, &|shown, kind, _| {
        let path = shown.strip_prefix(tree.path()).unwrap_or(shown);
        found.borrow_mut().push((path.to_owned(), Kind::from(kind)));
    })?;
    let mut found = found.into_inner();
    found.sort();
    Ok(found)
}

/// Everything that a plan may have put into its slots, by its path there.
fn known(run: &Run, plan: &Plan) -> BTreeMap<Folded, What> {
    let mut known = BTreeMap::new();
    for swap in &plan.swaps {
        let slot = slot_folder(&run.folder, swap.number);
        let new: Vec<Entry> = swap.new.iter().map(NewEntry::entry).collect();
        for (name, entries) in [("old", &swap.old), ("new", &new)] {
            let there = moved_to(entries, &swap.live, &slot.join(name).expect("a plain name"));
            known.extend(
                there
                    .into_iter()
                    .map(|entry| (entry.path.folded(), entry.what)),
            );
        }
    }
    known
}

/// Clears the slots of runs; open ones are left alone. May be called again after a death at any
/// point.
///
/// # Errors
///
/// Whatever failed, and a mount in any of the slots, which stops all before anything goes. Each run
/// still has its slots whole, or has none.
pub fn prune(disk: &LockedDeployment, runs: &[&Run]) -> Result<(), DiskError> {
    let mut runs: Vec<&Run> = runs.iter().copied().filter(|run| !run.is_open()).collect();
    // A run is only undone when all later ones are.
    runs.sort_by_key(|run| run.number);
    // Their closing records first: a power cut may open a run again whose process died over its
    // last one.
    disk.barrier()?;
    // All of them first: a mount in one is found before anything goes.
    for run in &runs {
        refuse_mounts(disk.tree(), &slots(run))?;
    }
    for run in &runs {
        if is_folder(disk.tree(), &slots(run))? {
            disk.put_in_trash(&slots(run))?;
        }
    }
    disk.empty_trash()?;
    for run in &runs {
        if disk.tree().look(&reserve(run))?.is_some() {
            disk.remove_file(&reserve(run))?;
        }
    }
    Ok(())
}

fn is_folder(tree: &Tree, at: &RelPath) -> Result<bool, DiskError> {
    Ok(tree.look(at)?.is_some_and(|look| look.kind == Kind::Folder))
}

fn slots(run: &Run) -> RelPath {
    run.folder.join("slots").expect("a plain name")
}

fn reserve(run: &Run) -> RelPath {
    run.folder.join("reserve").expect("a plain name")
}
