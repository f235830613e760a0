//! Checks before the first rename in a direction: everything that it still needs exists, as it was
//! written.

use std::collections::{BTreeMap, BTreeSet};

use super::RunError;
use super::measure::{Difference, differences};
use super::swap::{Progress, Slot};
use super::witness::Witness;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Answer, Run};
use crate::names::{CaseFolded, RelPath};
use crate::plan::{Entry, NewEntry, Plan, Reason, ReasonKind, Swap, What};

/// State of knowledge about the new objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum New {
    /// An earlier command has staged them.
    Found,
    /// This process, which holds the lock, has staged them and read them back from disk.
    ReadBack,
}

/// Reaction of an undo to a managed file that has changed since the run installed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IfChanged {
    /// The undo is refused, naming every such file.
    #[default]
    Refuse,
    /// The changed files move into the run's slots with the objects that they belong to.
    Quarantined,
}

/// Checks before going forward that every `new` still to be used is intact, and that the first
/// unfinished swap of every path meets what the plan saw.
pub(super) fn forward(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RelPath,
    known: New,
) -> Result<Witness, RunError> {
    let mut witness = Witness::new();
    let mut waiting: BTreeSet<&RelPath> = BTreeSet::new();
    // Compared at the end, by all cores at once: the new objects, and what the plan saw.
    let (mut new, mut old): (Vec<Entry>, Vec<Entry>) = Default::default();
    for swap in &plan.swaps {
        let slot = Slot::new(disk, run, swap);
        if slot.progress()? != Progress::Done && !waiting.contains(&swap.live) {
            // A file that a power cut left under two names would look unexpected at the live path.
            slot.mend_names()?;
        }
        let progress = slot.progress()?;
        if progress == Progress::Done {
            continue;
        }
        if known == New::Found {
            let staged: Vec<Entry> = swap.new.iter().map(|entry| entry.entry()).collect();
            new.extend(moved_to(&staged, &swap.live, &slot.new_path()));
        }
        // An object that an earlier swap will install does not exist yet, be it this object or its
        // parent directory.
        let in_a_new_directory = swap
            .live
            .ancestors()
            .any(|directory| waiting.contains(&&directory));
        let is_first = waiting.insert(&swap.live) && !in_a_new_directory;
        if swap.has_old() && (progress == Progress::Between || is_first) {
            slot.can_travel()?;
        }
        if progress == Progress::NotBegun && is_first {
            nothing_new(disk, &swap.live, &swap.old)?;
            // Unmanaged files may come and go: those that exist move along.
            old.extend(
                swap.old
                    .iter()
                    .filter(|entry| entry.what != What::Unmanaged)
                    .cloned(),
            );
            // Looked at before the comparison: a later change is found by the comparison, or by the
            // next look.
            let seen = |entry: &Entry| {
                Ok(disk
                    .tree()
                    .metadata(&entry.path)?
                    .map(|metadata| (metadata.identity, metadata.modified)))
            };
            let seen: Result<_, RunError> = swap.old.iter().map(seen).collect();
            witness.insert(swap.number, seen?);
        }
    }
    unfaithful(disk, &new)?;
    as_seen(disk, &old)?;
    Ok(witness)
}

/// Checks before going backward that every `old` still to be used is intact, and that no unmanaged
/// file is at a path to which it will restore a managed one.
pub(super) fn back(disk: &LockedDeployment, plan: &Plan, run: &RelPath) -> Result<(), RunError> {
    let mut ours: BTreeMap<&RelPath, BTreeSet<CaseFolded>> = BTreeMap::new();
    let mut last: BTreeMap<&RelPath, &Swap> = BTreeMap::new();
    for swap in &plan.swaps {
        let slot = Slot::new(disk, run, swap);
        if slot.progress()? == Progress::NotBegun {
            continue;
        }
        let old: Vec<Entry> = swap
            .old
            .iter()
            .filter(|entry| entry.what != What::Unmanaged)
            .cloned()
            .collect();
        if let Some(found) = first_difference(disk, &moved_to(&old, &swap.live, &slot.old_path()))?
        {
            return Err(RunError::Quarantined {
                path: disk.tree().shown(Some(&found.path)),
                what: found.what,
            });
        }
        let files = old
            .iter()
            .filter(|entry| matches!(entry.what, What::File { .. }));
        ours.entry(&swap.live)
            .or_default()
            .extend(files.map(|entry| entry.path.case_folded()));
        last.insert(&swap.live, swap);
    }
    for (live, swap) in last {
        for (at, below) in Slot::new(disk, run, swap).unexpected_in_live()? {
            if ours
                .get(live)
                .is_some_and(|ours| ours.contains(&live.with(&below).case_folded()))
            {
                return Err(RunError::InTheWay {
                    path: disk.tree().shown(Some(&at)),
                });
            }
        }
    }
    Ok(())
}

/// Returns a reason for each manual step that was done and has no instructions to undo it.
pub(super) fn no_way_back(run: &Run, plan: &Plan) -> Vec<Reason> {
    let confirmed = plan.steps.iter().filter(|step| {
        let without = step
            .manual
            .as_ref()
            .is_some_and(|manual| manual.undo.is_none());
        without && run.journal.confirmed(&step.id) == Some(Answer::Done)
    });
    let told = confirmed.map(|step| {
        let message = format!(
            "the manual step `{}` was done, and the manifest does not say how to take it back",
            step.id
        );
        Reason::new(ReasonKind::NotReady, message)
    });
    told.collect()
}

/// Checks that everything the run has put in place so far is still as it put it there.
pub(super) fn unchanged(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RelPath,
) -> Result<(), RunError> {
    let mut expected: BTreeMap<RelPath, Entry> = BTreeMap::new();
    for swap in &plan.swaps {
        let progress = Slot::new(disk, run, swap).progress()?;
        if progress == Progress::NotBegun {
            continue;
        }
        // Objects that an earlier swap put there are in this one's slot now.
        swap.live.remove_from(&mut expected);
        if progress == Progress::Done {
            let new = swap.new.iter().map(NewEntry::entry);
            expected.extend(new.map(|entry| (entry.path.clone(), entry)));
        }
    }
    let expected: Vec<Entry> = expected.into_values().collect();
    let found = differences(disk.tree(), &expected)?;
    match found.is_empty() {
        true => Ok(()),
        false => Err(RunError::Changed(
            found.iter().map(Difference::to_string).collect(),
        )),
    }
}

/// Returns the entries of an object, with their paths while the object is in a slot.
pub(super) fn moved_to(entries: &[Entry], live: &RelPath, slot: &RelPath) -> Vec<Entry> {
    let moved = |entry: &Entry| {
        let path = entry
            .path
            .below(live)
            .map_or_else(|| slot.clone(), |below| slot.with(&below));
        Entry {
            path,
            what: entry.what.clone(),
        }
    };
    entries.iter().map(moved).collect()
}

fn unfaithful(disk: &LockedDeployment, entries: &[Entry]) -> Result<(), RunError> {
    match first_difference(disk, entries)? {
        None => Ok(()),
        Some(Difference { path, what }) => Err(RunError::Unfaithful {
            path: disk.tree().shown(Some(&path)),
            what,
        }),
    }
}

fn first_difference(
    disk: &LockedDeployment,
    entries: &[Entry],
) -> Result<Option<Difference>, RunError> {
    Ok(differences(disk.tree(), entries)?.into_iter().next())
}

fn stale(disk: &LockedDeployment, path: &RelPath, what: String) -> RunError {
    RunError::Stale {
        path: disk.tree().shown(Some(path)),
        what,
    }
}

fn nothing_new(disk: &LockedDeployment, live: &RelPath, old: &[Entry]) -> Result<(), RunError> {
    match old.is_empty() && disk.tree().metadata(live)?.is_some() {
        true => Err(stale(disk, live, "it stands where nothing did".to_owned())),
        false => Ok(()),
    }
}

fn as_seen(disk: &LockedDeployment, old: &[Entry]) -> Result<(), RunError> {
    match first_difference(disk, old)? {
        None => Ok(()),
        Some(Difference { path, what }) => Err(stale(disk, &path, format!("it {what}"))),
    }
}
