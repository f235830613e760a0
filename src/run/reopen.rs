//! Undo of a finished run: the same directories, the same walk, backward.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{self, ChangedFilePolicy, points_of_no_return};
use super::executor::{Ended, Rollback, load_plan, roll_back};
use super::fingerprints::Fingerprints;
use super::swap::{Slot, SwapState, slot_directory};
use super::walk::SwapWalk;
use super::{Event, Listener, RunError, check_not_stopped};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{PathMetadataReader, Tree};
use crate::journal::{Direction, JournalWriter, Outcome, Record, Run, RunState};
use crate::names::{Escaped, RelPath};
use crate::plan::{Plan, Reason, ReasonKind};

/// Rolls a finished run back. `runs` are all runs of the deployment, oldest first.
///
/// # Errors
///
/// Fails if the walk cannot begin, with all reasons at once; nothing has changed then.
pub fn reopen(
    disk: &LockedDeployment,
    runs: &[Run],
    run: &Run,
    if_changed: ChangedFilePolicy,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    let slot_faults = slot_faults(disk.tree(), run, &plan)?;
    if !slot_faults.is_empty() {
        return Err(RunError::NotReady(slot_faults));
    }
    let mut reasons = later_runs(runs, run);
    reasons.extend(points_of_no_return(run, &plan));
    let mut unmanaged = Vec::new();
    if reasons.is_empty() {
        let (found, without_target) = unmanaged_files(disk, run, &plan)?;
        unmanaged = found;
        reasons.extend(without_target);
    }
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons));
    }
    check::back(disk, &plan, &run.directory)?;
    if if_changed == ChangedFilePolicy::Refuse {
        check::unchanged(disk, &plan, &run.directory)?;
    }
    check_not_stopped(listener)?;
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    journal.write(
        disk,
        Record::Reopened {
            why: "undo".to_owned(),
            unmanaged,
        },
    )?;
    let fingerprints = Fingerprints::new();
    let mut walk = SwapWalk {
        disk,
        plan: &plan,
        run: &run.directory,
        journal: &mut journal,
        listener,
        fingerprints,
    };
    walk.listener.report(&Event::Turned {
        direction: Direction::Back,
        why: "undo",
    });
    Ok(roll_back(&mut walk, Rollback::FromStart, None))
}

/// Returns the first reason that an applied or unfinished run can no longer be rolled back
/// completely, by the numbers of such runs. `runs` are all runs of the deployment, oldest first.
pub fn undo_blockers(tree: &Tree, runs: &[Run]) -> Result<BTreeMap<u32, String>, RunError> {
    let mut blockers = BTreeMap::new();
    let mut later: Option<&Run> = None;
    let is_not_undone = |run: &&Run| {
        matches!(
            run.state(),
            RunState::Closed(Outcome::Applied) | RunState::Unfinished(_)
        )
    };
    for run in runs.iter().rev().filter(is_not_undone) {
        let own = match load_plan(tree, &run.directory) {
            Err(error) => Some(error.to_string()),
            Ok(plan) => {
                let faults = match run.state() {
                    RunState::Closed(_) => slot_faults(tree, run, &plan)?,
                    // The objects of an open run still move.
                    _ => Vec::new(),
                };
                faults
                    .into_iter()
                    .chain(points_of_no_return(run, &plan))
                    .next()
                    .map(|reason| reason.message)
            }
        };
        let of_later =
            later.map(|later| format!("the later run {} cannot be undone", later.name()));
        if let Some(why) = own.or(of_later) {
            later.get_or_insert(run);
            blockers.insert(run.number, why);
        }
    }
    Ok(blockers)
}

/// Returns a reason for each later run: finished runs are undone newest first, because a later one
/// may depend on what this one installed.
fn later_runs(runs: &[Run], run: &Run) -> Vec<Reason> {
    let later: Vec<&Run> = runs
        .iter()
        .filter(|other| {
            other.number > run.number && other.state() == RunState::Closed(Outcome::Applied)
        })
        .collect();
    let newest = later
        .last()
        .map(|run| run.name().to_owned())
        .unwrap_or_default();
    let reasons = later.into_iter().rev().map(|later| {
        let message = format!(
            "run {} is later than {} and builds on it",
            later.name(),
            run.name()
        );
        Reason::new(ReasonKind::NotReady, message)
            .help(format!("undo the newest run first: {newest}"))
    });
    reasons.collect()
}

/// Returns a reason for each object that is missing from the slots of a finished run, or that the
/// run did not leave there. Reads only names.
fn slot_faults(tree: &Tree, run: &Run, plan: &Plan) -> Result<Vec<Reason>, RunError> {
    let reason =
        |message: String, help: &str| Reason::new(ReasonKind::NotReady, message).help(help);
    let slots = run.directory.join("slots").expect("a plain name");
    if tree.metadata(&slots)?.is_none() {
        let message = format!("the old objects of run {} were pruned", run.name());
        return Ok(vec![reason(
            message,
            "`rollup history` shows which runs can still be undone",
        )]);
    }
    let mut metadata = PathMetadataReader::new(tree);
    let mut reasons = Vec::new();
    for swap in &plan.swaps {
        let slot = slot_directory(&run.directory, swap.number);
        let (new, old) = (
            slot.join("new").expect("a plain name"),
            slot.join("old").expect("a plain name"),
        );
        if swap.has_old() && metadata.metadata(&old)?.is_none() {
            let message = format!(
                "`{}` is missing; run {} kept it",
                Escaped(&tree.shown(Some(&old))),
                run.name()
            );
            reasons.push(reason(message, "restore it from a backup"));
        }
        if metadata.metadata(&new)?.is_some() {
            let message = format!(
                "`{}` is unexpected: run {} did not leave it there",
                Escaped(&tree.shown(Some(&new))),
                run.name()
            );
            reasons.push(reason(message, "move it elsewhere first"));
        }
    }
    Ok(reasons)
}

/// Returns the unmanaged files inside the objects that the run installed, and a reason for each one
/// that no old object could take.
fn unmanaged_files(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
) -> Result<(Vec<RelPath>, Vec<Reason>), RunError> {
    let mut unmanaged = Vec::new();
    let mut without_target = Vec::new();
    let mut seen: BTreeMap<&RelPath, bool> = BTreeMap::new();
    for swap in &plan.swaps {
        // Going backward, the first swap of a path is the last one.
        seen.entry(&swap.live).or_insert(swap.has_old());
    }
    let live: BTreeSet<&RelPath> = plan.live_paths().into_iter().collect();
    let last: BTreeMap<&RelPath, _> = plan.swaps.iter().map(|swap| (&swap.live, swap)).collect();
    for swap in last.into_values() {
        let slot = Slot::new(disk, &run.directory, swap);
        if slot.state()? != SwapState::Done {
            continue;
        }
        for (at, _) in slot.unmanaged_in_live()? {
            // Objects that a later step installed below a directory that an earlier one made are
            // managed.
            if live.contains(&at)
                || at
                    .ancestors()
                    .any(|directory| directory != swap.live && live.contains(&directory))
            {
                continue;
            }
            match seen[&swap.live] {
                true => unmanaged.push(at),
                false => {
                    let message = format!(
                        "the unmanaged file `{}` is in a directory that the run made and the undo removes",
                        Escaped(&disk.tree().shown(Some(&at)))
                    );
                    let help = "move it elsewhere first";
                    without_target.push(Reason::new(ReasonKind::NotReady, message).help(help));
                }
            }
        }
    }
    unmanaged.sort();
    Ok((unmanaged, without_target))
}
