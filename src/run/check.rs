//! Before the first rename in a direction: is everything that it still needs there, as it was written?

use std::collections::BTreeSet;

use super::RunError;
use super::measure::{Difference, differences};
use super::swap::{Progress, Slot};
use crate::deployment::locked::LockedDeployment;
use crate::names::RelPath;
use crate::plan::{Entry, Plan, What};

/// Going forward: every `new` still to be used is whole, and the first unfinished swap of every path
/// meets what the plan saw.
pub(super) fn forward(disk: &LockedDeployment, plan: &Plan, run: &RelPath) -> Result<(), RunError> {
    let mut waiting: BTreeSet<&RelPath> = BTreeSet::new();
    for swap in &plan.swaps {
        let slot = Slot::new(disk, run, swap);
        if slot.progress()? != Progress::Done && !waiting.contains(&swap.live) {
            // What a power cut left under two names would look like a stranger at the live path.
            slot.mend_names()?;
        }
        let progress = slot.progress()?;
        if progress == Progress::Done {
            continue;
        }
        let new: Vec<Entry> = swap.new.iter().map(|entry| entry.entry()).collect();
        unfaithful(disk, &moved_to(&new, &swap.live, &slot.new_path()))?;
        // What an earlier swap will bring is not there yet, be it this object or the folder it lies in.
        let in_a_new_folder = swap.live.ancestors().any(|folder| waiting.contains(&&folder));
        let is_first = waiting.insert(&swap.live) && !in_a_new_folder;
        if progress == Progress::NotBegun && is_first {
            as_seen(disk, &swap.live, &swap.old)?;
        }
    }
    Ok(())
}

/// Going back: every `old` still to be used is whole.
pub(super) fn back(disk: &LockedDeployment, plan: &Plan, run: &RelPath) -> Result<(), RunError> {
    for swap in plan.swaps.iter().filter(|swap| swap.has_old()) {
        let slot = Slot::new(disk, run, swap);
        if slot.progress()? != Progress::NotBegun {
            let ours: Vec<Entry> = swap.old.iter().filter(|entry| entry.what != What::Traveller).cloned().collect();
            unfaithful(disk, &moved_to(&ours, &swap.live, &slot.old_path()))?;
        }
    }
    Ok(())
}

/// Entries of an object, as they stand while the object is in a slot.
pub(super) fn moved_to(entries: &[Entry], live: &RelPath, slot: &RelPath) -> Vec<Entry> {
    let moved = |entry: &Entry| {
        let path = entry.path.below(live).map_or_else(|| slot.clone(), |below| slot.with(&below));
        Entry { path, what: entry.what.clone() }
    };
    entries.iter().map(moved).collect()
}

fn unfaithful(disk: &LockedDeployment, entries: &[Entry]) -> Result<(), RunError> {
    match differences(disk.tree(), entries)?.into_iter().next() {
        None => Ok(()),
        Some(Difference { path, what }) => Err(RunError::Unfaithful { path: disk.tree().shown(Some(&path)), what }),
    }
}

fn as_seen(disk: &LockedDeployment, live: &RelPath, old: &[Entry]) -> Result<(), RunError> {
    let stale = |path: &RelPath, what: String| RunError::Stale { path: disk.tree().shown(Some(path)), what };
    if old.is_empty() && disk.tree().look(live)?.is_some() {
        return Err(stale(live, "it stands where nothing did".to_owned()));
    }
    // An operator's files may come and go: whatever is there travels.
    let ours: Vec<Entry> = old.iter().filter(|entry| entry.what != What::Traveller).cloned().collect();
    match differences(disk.tree(), &ours)?.into_iter().next() {
        None => Ok(()),
        Some(Difference { path, what }) => Err(stale(&path, format!("it {what}"))),
    }
}
