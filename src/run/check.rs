//! Checks before the first rename in a direction: every object that the walk still needs exists,
//! as it was written.

use std::collections::{BTreeMap, BTreeSet};

use super::RunError;
use super::attributes;
use super::fingerprints::Fingerprints;
use super::measure::{Difference, differences_in};
use super::swap::Slot;
use super::unmanaged::ManagedPaths;
use super::walk::BackwardExceptions;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Answer, Run, SwapState, swap_state};
use crate::names::{CaseFolded, RelPath};
use crate::phase::Phase;
use crate::plan::{
    Entry, EntryKind, NewEntry, OperationKind, Plan, PointOfNoReturn, Reason, ReasonKind, Swap,
};

/// Origin of the new objects, which decides whether they are hashed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NewObjects {
    /// Staged by an earlier command.
    StagedEarlier,
    /// Staged by this process, which holds the lock and has read them back from disk.
    ReadBack,
}

/// Judgement of a missing object that replaced none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfMissing {
    /// A change.
    Changed,
    /// The state before the run.
    AsBefore,
}

/// Reaction of an undo to a managed file that has changed since the run installed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ChangedFilePolicy {
    /// Refuse the undo, and name every such file.
    #[default]
    Refuse,
    /// Move the changed files into the run's slots, with the objects that they belong to. Nothing
    /// is deleted.
    Discard,
}

/// Checks before going forward that every `new` still to be used is intact, and that the first
/// unfinished swap of every path finds the object that the plan saw.
pub(super) fn forward(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RunDir,
    new_objects: NewObjects,
    phase: &Phase,
) -> Result<Fingerprints, RunError> {
    let mut fingerprints = Fingerprints::new();
    let mut waiting: BTreeSet<&RelPath> = BTreeSet::new();
    // Compared at the end, by all cores at once: the new objects, and those that the plan saw.
    let (mut new, mut old): (Vec<Entry>, Vec<Entry>) = Default::default();
    for swap in &plan.swaps {
        let slot = Slot::new(disk, run, swap);
        if slot.state()? != SwapState::Done && !waiting.contains(&swap.live) {
            // A file that a power cut left under two names would look unexpected at the live path.
            slot.repair_names()?;
        }
        let state = slot.state()?;
        if state == SwapState::Done {
            continue;
        }
        if new_objects == NewObjects::StagedEarlier {
            let staged: Vec<Entry> = swap.new.iter().map(|entry| entry.entry()).collect();
            new.extend(moved_to(&staged, &swap.live, &slot.new_path()));
        }
        // An object that an earlier swap will install does not exist yet.
        let is_first = waiting.insert(&swap.live);
        if swap.has_old() && (state == SwapState::Between || is_first) {
            slot.check_unmanaged_can_move()?;
        }
        if state == SwapState::NotBegun && is_first {
            check_still_absent(disk, &swap.live, &swap.old)?;
            // Unmanaged files may come and go: those that exist move along.
            old.extend(
                swap.old
                    .iter()
                    .filter(|entry| entry.kind != EntryKind::Unmanaged)
                    .cloned(),
            );
            // Read before the comparison: a later change is found by the comparison, or when the
            // fingerprints are compared.
            let fingerprint = |entry: &Entry| {
                Ok(disk
                    .tree()
                    .metadata(&entry.path)?
                    .map(|metadata| (metadata.identity, metadata.modified)))
            };
            let of_old: Result<_, RunError> = swap.old.iter().map(fingerprint).collect();
            fingerprints.insert(swap.number, of_old?);
        }
    }
    check_as_written(disk, plan, run, &new, phase)?;
    check_as_planned(disk, &old, phase)?;
    check_attributes(disk, run, &old)?;
    Ok(fingerprints)
}

/// Checks that mode, owner, ACLs and extended attributes of the objects that the plan saw are those
/// that their staged replacements got.
fn check_attributes(disk: &LockedDeployment, run: &RunDir, old: &[Entry]) -> Result<(), RunError> {
    let mut staged = attributes::read(disk.tree(), run)?;
    let old: BTreeMap<&RelPath, &EntryKind> =
        old.iter().map(|entry| (&entry.path, &entry.kind)).collect();
    staged.retain(|path, _| old.contains_key(path));
    let found = attributes::differences_from_old(disk.tree(), &staged)?;
    match found.into_iter().next() {
        None => Ok(()),
        Some(Difference { path, description }) => {
            let difference = format!("it {description}, which its staged replacement has");
            Err(stale(disk, &path, difference))
        }
    }
}

/// Checks before going backward that every `old` still to be used is intact, and that no unmanaged
/// file is at a path to which it will restore a managed one.
pub(super) fn back(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RunDir,
    exceptions: &BackwardExceptions,
    phase: &Phase,
) -> Result<(), RunError> {
    let mut restored: BTreeMap<&RelPath, BTreeSet<CaseFolded>> = BTreeMap::new();
    let mut last: BTreeMap<&RelPath, &Swap> = BTreeMap::new();
    for swap in &plan.swaps {
        let slot = Slot::new(disk, run, swap);
        if exceptions.left_alone.contains(&swap.live) || slot.state()? == SwapState::NotBegun {
            continue;
        }
        let old: Vec<Entry> = swap
            .old
            .iter()
            .filter(|entry| entry.kind != EntryKind::Unmanaged)
            .cloned()
            .collect();
        let kept = moved_to(&old, &swap.live, &slot.old_path());
        if let Some(found) = first_difference(disk, &kept, phase)? {
            return Err(RunError::OldObjectChanged {
                path: disk.tree().shown(Some(&found.path)),
                live: swap.live.clone(),
                difference: found.description,
            });
        }
        let paths = old.iter().map(|entry| entry.path.case_folded());
        restored.entry(&swap.live).or_default().extend(paths);
        last.insert(&swap.live, swap);
    }
    for (live, swap) in last {
        let directories = ManagedPaths::directories_of(plan, live);
        for entry in Slot::new(disk, run, swap).unmanaged_in_live(&directories)? {
            let at = live.with(&entry.below).case_folded();
            if restored
                .get(live)
                .is_some_and(|restored| restored.contains(&at))
            {
                let path = disk.tree().shown(Some(&entry.path));
                return Err(RunError::UnmanagedConflict { path });
            }
        }
    }
    Ok(())
}

/// Returns the points of no return that a run has passed.
pub fn points_passed<'p>(
    tree: &Tree,
    run: &Run,
    plan: &'p Plan,
) -> Result<Vec<PointOfNoReturn<'p>>, DiskError> {
    let mut done = BTreeSet::new();
    let marked = plan.operations().filter(|one| one.irreversible.is_some());
    let marked: BTreeSet<u32> = marked.map(|operation| operation.swap).collect();
    for swap in plan
        .swaps
        .iter()
        .filter(|swap| marked.contains(&swap.number))
    {
        if swap_state(tree, &run.directory, swap)? == Some(SwapState::Done) {
            done.insert(swap.number);
        }
    }
    Ok(plan.points_passed(
        |operation| done.contains(&operation.swap),
        |step| run.journal.confirmed(&step.id) == Some(Answer::Done),
    ))
}

/// Returns the names of the procedures that the run has run and that no author marked as
/// irreversible: a rollback restores only their records.
pub fn unmarked_procedures_run(
    tree: &Tree,
    run: &Run,
    plan: &Plan,
) -> Result<Vec<String>, DiskError> {
    let mut done = BTreeSet::new();
    let procedures = plan.operations();
    let procedures = procedures.filter(|one| one.kind == OperationKind::Initialize);
    let procedures: BTreeSet<u32> = procedures.map(|operation| operation.swap).collect();
    for swap in &plan.swaps {
        let is_procedure = procedures.contains(&swap.number);
        if is_procedure && swap_state(tree, &run.directory, swap)? == Some(SwapState::Done) {
            done.insert(swap.number);
        }
    }
    let names = plan.unmarked_procedures_run(|operation| done.contains(&operation.swap));
    Ok(names.into_iter().map(str::to_owned).collect())
}

/// Part of an unfinished run that an undo rolls back: what is behind its last point of no return.
pub struct BehindPoint<'p> {
    /// The last point of no return that the run has passed.
    pub point: PointOfNoReturn<'p>,
    /// Numbers of the swaps that are rolled back.
    pub swaps: BTreeSet<u32>,
    /// Ids of the manual steps that are rolled back by hand.
    pub by_hand: BTreeSet<&'p str>,
}

impl BehindPoint<'_> {
    /// Returns whether the run is already just behind the point.
    pub fn is_empty(&self) -> bool {
        self.swaps.is_empty() && self.by_hand.is_empty()
    }
}

/// Returns what a rollback of the run reaches before it ends at a point of no return; `None` if the
/// run has passed none.
pub fn behind_last_point<'p>(
    tree: &Tree,
    run: &Run,
    plan: &'p Plan,
) -> Result<Option<BehindPoint<'p>>, DiskError> {
    let Some(point) = points_passed(tree, run, plan)?.pop() else {
        return Ok(None);
    };
    let at: BTreeSet<u32> = point.operations.iter().map(|one| one.swap).collect();
    let mut behind = BehindPoint {
        point,
        swaps: BTreeSet::new(),
        by_hand: BTreeSet::new(),
    };
    let swaps = plan.swaps_by_step();
    for step in plan.steps.iter().rev() {
        if step.manual.is_some() && run.journal.confirmed(&step.id) == Some(Answer::Done) {
            if step.id == behind.point.step.id {
                break;
            }
            behind.by_hand.insert(&step.id);
        }
        for swap in swaps.of(Some(step)).iter().rev() {
            if at.contains(&swap.number) {
                return Ok(Some(behind));
            }
            if swap_state(tree, &run.directory, swap)? != Some(SwapState::NotBegun) {
                behind.swaps.insert(swap.number);
            }
        }
    }
    Ok(Some(behind))
}

/// Returns the reasons why no part of an unfinished run can be rolled back.
pub fn nothing_to_roll_back(tree: &Tree, run: &Run, plan: &Plan) -> Result<Vec<Reason>, DiskError> {
    match behind_last_point(tree, run, plan)? {
        Some(behind) if behind.is_empty() => points_of_no_return(tree, run, plan),
        _ => Ok(Vec::new()),
    }
}

/// Returns a reason for each point of no return that the run has passed.
pub(super) fn points_of_no_return(
    tree: &Tree,
    run: &Run,
    plan: &Plan,
) -> Result<Vec<Reason>, DiskError> {
    let passed = points_passed(tree, run, plan)?;
    let reasons = passed.iter().map(|point| {
        let message = match point.operations.is_empty() {
            true => format!("{point} was done, and {}", point.why),
            false => format!("{point} is done and cannot be rolled back: {}", point.why),
        };
        Reason::new(ReasonKind::NotReady, message)
    });
    Ok(reasons.collect())
}

/// Checks that every object that the run has installed so far is unchanged. Going back in a run in
/// progress, an object that replaced none may be missing: then everything is as before.
pub(super) fn unchanged(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RunDir,
    exceptions: &BackwardExceptions,
    missing: IfMissing,
    phase: &Phase,
) -> Result<(), RunError> {
    let mut expected: BTreeMap<RelPath, Entry> = BTreeMap::new();
    for swap in &plan.swaps {
        let state = Slot::new(disk, run, swap).state()?;
        if state == SwapState::NotBegun || exceptions.left_alone.contains(&swap.live) {
            continue;
        }
        // Objects that an earlier swap installed there are in this one's slot now.
        swap.live.remove_from(&mut expected);
        let may_be_missing = missing == IfMissing::AsBefore && !swap.has_old();
        if may_be_missing && disk.tree().metadata(&swap.live)?.is_none() {
            continue;
        }
        if state == SwapState::Done {
            let new = swap.new.iter().map(NewEntry::entry);
            expected.extend(new.map(|entry| (entry.path.clone(), entry)));
        }
    }
    let expected: Vec<Entry> = expected.into_values().collect();
    let found = differences_in(disk.tree(), &expected, phase)?;
    match found.is_empty() {
        true => Ok(()),
        false => Err(RunError::Changed(
            found.iter().map(Difference::to_string).collect(),
        )),
    }
}

/// Checks that an object is at every live path at which the run has installed one, changed or not.
/// Without it, a name in the slot would be missing, and the walk would stop between states.
pub(super) fn nothing_gone(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RunDir,
    exceptions: &BackwardExceptions,
) -> Result<(), RunError> {
    let mut installed: BTreeSet<&RelPath> = BTreeSet::new();
    for swap in &plan.swaps {
        if exceptions.left_alone.contains(&swap.live) {
            continue;
        }
        match Slot::new(disk, run, swap).state()? {
            SwapState::Done => drop(installed.insert(&swap.live)),
            SwapState::Between => drop(installed.remove(&swap.live)),
            SwapState::NotBegun => {}
        }
    }
    let mut gone = Vec::new();
    for live in installed {
        if disk.tree().metadata(live)?.is_none() {
            gone.push(format!("`{live}`"));
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    Err(RunError::Gone(gone))
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
            kind: entry.kind.clone(),
        }
    };
    entries.iter().map(moved).collect()
}

fn check_as_written(
    disk: &LockedDeployment,
    plan: &Plan,
    run: &RunDir,
    entries: &[Entry],
    phase: &Phase,
) -> Result<(), RunError> {
    match first_difference(disk, entries, phase)? {
        None => Ok(()),
        Some(difference) => Err(not_as_written(disk.tree(), plan, run, difference)),
    }
}

/// Returns the error of a staged object that differs, with the live path that it is for.
pub(super) fn not_as_written(
    tree: &Tree,
    plan: &Plan,
    run: &RunDir,
    Difference { path, description }: Difference,
) -> RunError {
    let is_of = |swap: &&Swap| {
        let new = run.new_object(swap.number);
        new == path || path.below(&new).is_some()
    };
    let live = plan.swaps.iter().find(is_of).map(|swap| &swap.live);
    RunError::NotAsWritten {
        live: live.unwrap_or(&path).clone(),
        path: tree.shown(Some(&path)),
        difference: description,
    }
}

fn first_difference(
    disk: &LockedDeployment,
    entries: &[Entry],
    phase: &Phase,
) -> Result<Option<Difference>, RunError> {
    let found = differences_in(disk.tree(), entries, phase)?;
    Ok(found.into_iter().next())
}

fn stale(disk: &LockedDeployment, path: &RelPath, difference: String) -> RunError {
    RunError::Stale {
        path: disk.tree().shown(Some(path)),
        difference,
    }
}

fn check_still_absent(
    disk: &LockedDeployment,
    live: &RelPath,
    old: &[Entry],
) -> Result<(), RunError> {
    match old.is_empty() && disk.tree().metadata(live)?.is_some() {
        true => Err(stale(
            disk,
            live,
            "it exists, and did not when the plan was made".to_owned(),
        )),
        false => Ok(()),
    }
}

fn check_as_planned(disk: &LockedDeployment, old: &[Entry], phase: &Phase) -> Result<(), RunError> {
    match first_difference(disk, old, phase)? {
        None => Ok(()),
        Some(Difference { path, description }) => {
            Err(stale(disk, &path, format!("it {description}")))
        }
    }
}
