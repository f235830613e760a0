//! Runs of a deployment, and the part that `resume` and `undo` share: the lock, and the preview of
//! the remaining operations.

use std::collections::BTreeSet;

use super::answers::confirm;
use super::args::{DeploymentArg, Format, LockArgs, RehearsalChildArgs};
use super::ending::report_cleared_runs;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::{open_to_change, question};
use super::job::{refuse, report_nothing_to_do};
use super::named::open_questions;
use super::state_now::names_of;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::cli::views::plan::describe_elsewhere;
use crate::cli::views::restarts::describe_restarts;
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::journal::{Damaged, Direction, JournalError, Run, RunState, runs};
use crate::names::Escaped;
use crate::plan::{NothingToDo, Operation, Plan, PlannedStep, Swap};
use crate::run::{
    BehindPoint, Cleared, RunError, SwapState, UndoCheck, after_rollback, behind_last_point,
    clear_interrupted_staging, describe_run, examine, preflight_of_walk,
};

/// Advice if an open run is in the way.
pub(super) const FINISH_OR_ROLL_BACK: &str =
    "`rollup resume` finishes the open run, `rollup undo` rolls it back";

/// Takes the lock for a recovery, and clears runs that died while staging. The description is
/// missing if `deployment.toml` cannot be used, which is only warned about.
pub(super) fn lock_for_recovery(
    deployment: &DeploymentArg,
    lock: LockArgs,
    rehearsal: RehearsalChildArgs,
    verb: &str,
) -> anyhow::Result<(LockedDeployment, Option<Description>, Cleared)> {
    let site = open_to_change(deployment)?;
    site.warn();
    let mut disk = site.lock(verb, lock)?;
    if let Some(injector) = rehearsal.injector() {
        disk = disk.with_injector(injector);
    }
    let cleared = clear_interrupted_staging(&disk)?;
    report_cleared_runs(&cleared);
    Ok((disk, site.description.ok(), cleared))
}

/// Finds a run by its name.
pub(super) fn run_with_name(tree: &Tree, name: &str) -> Result<Option<Run>, JournalError> {
    Ok(runs(tree)?.into_iter().find(|run| run.name() == name))
}

/// Returns whether a run has begun its commit and is not closed.
pub(super) fn is_unfinished(run: &Run) -> bool {
    matches!(
        run.state(),
        RunState::Unfinished(_) | RunState::Damaged(Damaged::Interrupted)
    )
}

/// Returns the run if its journal can be relied on.
pub(super) fn sound(run: Run) -> Result<Run, RunError> {
    match run.fault {
        Some(fault) => Err(RunError::DamagedJournal {
            run: run.directory.name().to_owned(),
            fault,
        }),
        None => Ok(run),
    }
}

/// Returns whether a run in this state is being rolled back.
pub(super) fn is_back(state: RunState) -> bool {
    state == RunState::Unfinished(Direction::Back)
}

/// Describes the state of a run in a sentence.
pub(super) fn state_of(run: &Run) -> String {
    format!("run {} is {}", run.name(), describe_run(run))
}

/// Describes a run that is open, and so in the way of the command.
pub(super) fn other_is_open(open: &Run) -> Failure {
    Failure::not_ready(state_of(open)).next(FINISH_OR_ROLL_BACK)
}

/// Refuses a recovery that the deployment or this user's rights would stop; then asks: what is
/// unavailable until it ends, what a rollback leaves, and the deployment. Answered by `--yes`.
pub(super) fn confirm_recovery(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    direction: Direction,
    yes: bool,
) -> anyhow::Result<()> {
    let examined = examine(disk.tree(), &run.directory, plan)?;
    let behind = match direction {
        Direction::Forward => None,
        Direction::Back => part_rolled_back(disk.tree(), run, plan)?,
    };
    let is_reached = |swap: u32| {
        let behind = behind.as_ref();
        behind.is_none_or(|behind| behind.swaps.contains(&swap))
    };
    let to_do: Vec<&Swap> = plan
        .swaps
        .iter()
        .filter(|swap| match direction {
            Direction::Forward => !examined.is_done(swap.number),
            Direction::Back => {
                examined.swaps.get(&swap.number) != Some(&SwapState::NotBegun)
                    && is_reached(swap.number)
            }
        })
        .collect();
    let to_do_now = to_do.iter().copied();
    refuse(preflight_of_walk(disk.tree(), &run.directory, to_do_now)?.all())?;
    let unavailable = plan.unavailable_after(|operation| examined.is_done(operation.swap));
    if !unavailable.is_empty() {
        let names = names_of(&unavailable);
        let names = Escaped(&names);
        out::line(format_args!("unavailable now, until it ends: {names}"));
    }
    if direction == Direction::Back {
        let begun = to_do.iter().map(|swap| swap.live.clone()).collect();
        let restarts = describe_restarts(&after_rollback(plan, &begun)).join("; ");
        if !restarts.is_empty() {
            let restarts = Escaped(&restarts);
            out::line(format_args!("to be restarted afterwards: {restarts}"));
        }
        if let Some(behind) = &behind {
            let (point, why) = (behind.point.to_string(), behind.point.why);
            out::line(format_args!(
                "the rollback ends behind {}: {}; the run stays open, and `rollup resume` finishes it",
                Escaped(&point),
                Escaped(why)
            ));
        }
        let is_done =
            |operation: &Operation| is_reached(operation.swap) && examined.is_done(operation.swap);
        if let Some(elsewhere) = describe_elsewhere(plan.unmarked_procedures_run(is_done)) {
            out::line(Escaped(&elsewhere));
        }
    }
    let verb = match direction {
        Direction::Forward => "Finish run ",
        Direction::Back => "Roll back run ",
    };
    let name = Some(plan.deployment.as_str());
    Ok(confirm(
        &question(verb, run.name(), name, disk.tree()),
        yes,
    )?)
}

/// Returns the part of an open run that a rollback reaches, if it does not reach its start.
fn part_rolled_back<'p>(
    tree: &Tree,
    run: &Run,
    plan: &'p Plan,
) -> anyhow::Result<Option<BehindPoint<'p>>> {
    match run.is_open() {
        true => Ok(behind_last_point(tree, run, plan)?),
        false => Ok(None),
    }
}

/// Prints the operations that a recovery will do, and the steps that it asks a person about.
pub(super) fn print_remaining_operations(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    direction: Direction,
) -> anyhow::Result<()> {
    let examined = examine(disk.tree(), &run.directory, plan)?;
    out::line(state_of(run));
    let left_alone = match direction {
        Direction::Forward => BTreeSet::new(),
        Direction::Back => {
            UndoCheck::new(disk.tree(), &runs(disk.tree())?, None).paths_left_alone(run)
        }
    };
    let behind = match direction {
        Direction::Forward => None,
        Direction::Back => part_rolled_back(disk.tree(), run, plan)?,
    };
    let only = behind.as_ref().map(|behind| &behind.swaps);
    let is_reached = |step: &&PlannedStep| {
        behind.as_ref().is_none_or(|behind| {
            let mut swaps = step.operations.iter().map(|one| one.swap);
            behind.by_hand.contains(step.id.as_str())
                || swaps.any(|swap| behind.swaps.contains(&swap))
        })
    };
    let asked = open_questions(plan, run, direction, |swap| examined.is_done(swap));
    let asked = asked.into_iter().filter(is_reached);
    let asked = asked.map(|step| step.id.as_str()).collect();
    let lines =
        views::plan::remaining_operations(plan, &examined, direction, &left_alone, only, &asked);
    out::line(match (direction, lines.is_empty()) {
        (Direction::Forward, false) => "it will be finished:",
        (Direction::Back, false) => "it will be rolled back:",
        (Direction::Forward, true) => "no operation is left to do; it will be closed",
        (Direction::Back, true) if run.is_open() => "nothing to roll back; it will be closed",
        (Direction::Back, true) => "nothing is left to roll back; it will be marked as undone",
    });
    lines.iter().for_each(out::line);
    Ok(())
}

/// Reports that there is no run to recover. The hint is appended to the line.
pub(super) fn report_no_open_run(cleared: &Cleared, hint: &str, format: Format) -> Exit {
    let reason = if cleared.is_empty() {
        "no run in progress"
    } else {
        "no other run in progress"
    };
    let nothing = NothingToDo {
        why: format!("{reason}{hint}"),
        note: None,
    };
    report_nothing_to_do(&nothing, format);
    Exit::Ok
}
