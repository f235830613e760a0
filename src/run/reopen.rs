//! Undo of a finished run: the same directories, the same walk, backward.

use std::collections::{BTreeMap, BTreeSet};

use super::check::{self, IfChanged, no_way_back};
use super::executor::{Ended, WayBack, go_back, load_plan};
use super::swap::{Progress, Slot, slot_directory};
use super::walk::Walk;
use super::witness::Witness;
use super::{Event, Listener, RunError, go_on};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{PathMetadataReader, Tree};
use crate::journal::{Direction, Outcome, Record, Run, RunState, Writer};
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
    if_changed: IfChanged,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    let incomplete = incomplete(disk.tree(), run, &plan)?;
    if !incomplete.is_empty() {
        return Err(RunError::NotReady(incomplete));
    }
    let mut reasons = built_upon(runs, run);
    reasons.extend(no_way_back(run, &plan));
    let mut unmanaged = Vec::new();
    if reasons.is_empty() {
        let (found, homeless) = unmanaged_now(disk, run, &plan)?;
        unmanaged = found;
        reasons.extend(homeless);
    }
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons));
    }
    check::back(disk, &plan, &run.directory)?;
    if if_changed == IfChanged::Refuse {
        check::unchanged(disk, &plan, &run.directory)?;
    }
    go_on(listener)?;
    let mut journal = Writer::resume(disk, &run.directory)?;
    journal.write(
        disk,
        Record::Reopened {
            why: "undo".to_owned(),
            unmanaged,
        },
    )?;
    let witness = Witness::new();
    let mut walk = Walk {
        disk,
        plan: &plan,
        run: &run.directory,
        journal: &mut journal,
        listener,
        witness,
    };
    walk.listener.tell(&Event::Turned {
        direction: Direction::Back,
        why: "undo",
    });
    Ok(go_back(&mut walk, WayBack::Begun, None))
}

/// Returns why applied and unfinished runs can no longer be rolled back completely, by their
/// numbers. `runs` are all runs of the deployment, oldest first.
pub fn no_return(tree: &Tree, runs: &[Run]) -> Result<BTreeMap<u32, String>, RunError> {
    let mut whys = BTreeMap::new();
    let mut later: Option<&Run> = None;
    let stands = |run: &&Run| {
        matches!(
            run.state(),
            RunState::Closed(Outcome::Applied) | RunState::Unfinished(_)
        )
    };
    for run in runs.iter().rev().filter(stands) {
        let own = match load_plan(tree, &run.directory) {
            Err(error) => Some(error.to_string()),
            Ok(plan) => {
                let gone = match run.state() {
                    RunState::Closed(_) => incomplete(tree, run, &plan)?,
                    // What an open run keeps is still on its way.
                    _ => Vec::new(),
                };
                gone.into_iter()
                    .chain(no_way_back(run, &plan))
                    .next()
                    .map(|reason| reason.message)
            }
        };
        let built_upon =
            later.map(|later| format!("run {} came after it and cannot be undone", later.name()));
        if let Some(why) = own.or(built_upon) {
            later.get_or_insert(run);
            whys.insert(run.number, why);
        }
    }
    Ok(whys)
}

/// Returns a reason for each later run: finished runs are undone newest first, because a later one
/// may depend on what this one installed.
fn built_upon(runs: &[Run], run: &Run) -> Vec<Reason> {
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
    let told = later.into_iter().rev().map(|later| {
        let message = format!(
            "run {} came after {} and builds on it",
            later.name(),
            run.name()
        );
        Reason::new(ReasonKind::NotReady, message)
            .help(format!("undo the newest run first: {newest}"))
    });
    told.collect()
}

/// Returns what keeps the slots of a finished run from being what it left there. Of its kept
/// objects only the names are looked at.
fn incomplete(tree: &Tree, run: &Run, plan: &Plan) -> Result<Vec<Reason>, RunError> {
    let reason =
        |message: String, help: &str| Reason::new(ReasonKind::NotReady, message).help(help);
    let slots = run.directory.join("slots").expect("a plain name");
    if tree.metadata(&slots)?.is_none() {
        let message = format!("the old objects of run {} were cleared away", run.name());
        return Ok(vec![reason(
            message,
            "`rollup history` tells which runs can still be undone",
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
                "`{}` is missing, which run {} kept",
                Escaped(&tree.shown(Some(&old))),
                run.name()
            );
            reasons.push(reason(message, "restore what is missing from a backup"));
        }
        if metadata.metadata(&new)?.is_some() {
            let message = format!(
                "`{}` was not left there by run {}",
                Escaped(&tree.shown(Some(&new))),
                run.name()
            );
            reasons.push(reason(message, "move it somewhere else first"));
        }
    }
    Ok(reasons)
}

/// Returns the unmanaged files inside what the run installed, and reasons for those that no old
/// object could take.
fn unmanaged_now(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
) -> Result<(Vec<RelPath>, Vec<Reason>), RunError> {
    let mut unmanaged = Vec::new();
    let mut homeless = Vec::new();
    let mut seen: BTreeMap<&RelPath, bool> = BTreeMap::new();
    for swap in &plan.swaps {
        // Going backward, the first swap of a path is the last one.
        seen.entry(&swap.live).or_insert(swap.has_old());
    }
    let live: BTreeSet<&RelPath> = plan.live_paths().into_iter().collect();
    let last: BTreeMap<&RelPath, _> = plan.swaps.iter().map(|swap| (&swap.live, swap)).collect();
    for swap in last.into_values() {
        let slot = Slot::new(disk, &run.directory, swap);
        if slot.progress()? != Progress::Done {
            continue;
        }
        for (at, _) in slot.unexpected_in_live()? {
            // Objects that a later step put below a directory that an earlier one made are not
            // unmanaged.
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
                        "`{}` is an operator's file in a directory that the run made, which will be gone",
                        Escaped(&disk.tree().shown(Some(&at)))
                    );
                    let help = "move it somewhere else first";
                    homeless.push(Reason::new(ReasonKind::NotReady, message).help(help));
                }
            }
        }
    }
    unmanaged.sort();
    Ok((unmanaged, homeless))
}
