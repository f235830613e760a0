//! Clearing what old runs keep: their slots, and with them the way back.
//!
//! That a run is closed goes to disk first. Then its slots go by one rename into the trash, and that to
//! disk before anything is deleted, so that they are there whole or not at all.
//! Manifest, plan, journal and events stay: later runs are compared with them.

use std::collections::BTreeMap;

use super::RunError;
use super::check::moved_to;
use super::executor::load_plan;
use super::swap::slot_folder;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{DiskError, Found, Kind, Tree};
use crate::journal::{Outcome, Run, RunState};
use crate::names::{Folded, RelPath};
use crate::plan::{Entry, NewEntry, Plan, What};

/// A file in the slots of a run that would be lost with them: no plan knows it, so nothing brings it back.
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
        let files = tree.walk(Some(&slots(run)))?.found.into_iter().filter(|found| found.kind == Kind::File);
        let mut all = 0;
        for file in files {
            all += tree.look(&file.path)?.map_or(0, |look| look.size);
        }
        bytes = Some(all);
    }
    if let Some(look) = tree.look(&reserve(run))? {
        bytes = Some(bytes.unwrap_or_default() + look.size);
    }
    Ok(bytes)
}

/// The files in the slots of a run that are neither old nor new ones of its plan: what an operator's
/// process still wrote there, or what he had changed and an undo set aside. All of them are read.
///
/// # Errors
///
/// A plan that cannot be used tells nothing of its files.
pub fn lost(tree: &Tree, run: &Run) -> Result<Vec<Lost>, RunError> {
    if !is_folder(tree, &slots(run))? {
        return Ok(Vec::new());
    }
    let known = known(run, &load_plan(tree, &run.folder)?);
    let listing = tree.walk(Some(&slots(run)))?;
    let unreadable = listing.unreadable.into_iter();
    let is_closed_as_it_stood = run.state() == RunState::Closed(Outcome::Accepted);
    let mut lost: Vec<Lost> = unreadable.map(|path| Lost { path, what: "has a name that is not UTF-8" }).collect();
    for Found { path, kind } in listing.found {
        let what = match (kind, known.get(&path.folded())) {
            (Kind::Folder, _) => continue,
            // Nothing brings back what a closed run had set aside.
            (Kind::File, Some(_)) if is_closed_as_it_stood && path.parts().nth(5) == Some("old") => {
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
        lost.push(Lost { path: path.as_str().to_owned(), what });
    }
    Ok(lost)
}

/// Everything that a plan may have put into its slots, by its path there.
fn known(run: &Run, plan: &Plan) -> BTreeMap<Folded, What> {
    let mut known = BTreeMap::new();
    for swap in &plan.swaps {
        let slot = slot_folder(&run.folder, swap.number);
        let new: Vec<Entry> = swap.new.iter().map(NewEntry::entry).collect();
        for (name, entries) in [("old", &swap.old), ("new", &new)] {
            let there = moved_to(entries, &swap.live, &slot.join(name).expect("a plain name"));
            known.extend(there.into_iter().map(|entry| (entry.path.folded(), entry.what)));
        }
    }
    known
}

/// Clears the slots of runs; open ones are left alone. May be called again after a death at any point.
///
/// # Errors
///
/// Whatever failed. Each run still has its slots whole, or has none.
pub fn prune(disk: &LockedDeployment, runs: &[&Run]) -> Result<(), DiskError> {
    let mut runs: Vec<&Run> = runs.iter().copied().filter(|run| !run.is_open()).collect();
    // A run is only undone when all later ones are.
    runs.sort_by_key(|run| run.number);
    // Their closing records first: a power cut may open a run again whose process died over its last one.
    disk.barrier()?;
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
