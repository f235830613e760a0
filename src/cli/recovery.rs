//! Runs of a deployment, and the part that `resume` and `undo` share: the lock, and the preview of
//! the remaining operations.

use std::collections::BTreeSet;

use super::answers::confirm;
use super::args::{DeploymentArg, DryRunArg, LockArgs, RehearsalChildArgs};
use super::ending::report_cleared_runs;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs::{OpenedDeployment, open_to_change, question};
use super::job::refuse;
use super::named::open_questions;
use super::state_now::unavailable_now;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::cli::views::plan::describe_elsewhere;
use crate::cli::views::restarts::describe_restarts;
use crate::deployment::lock::{held, holder};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::journal::{Damaged, Direction, JournalError, Run, RunState, runs};
use crate::names::Escaped;
use crate::plan::{Operation, Plan, Swap};
use crate::run::{
    BehindPoint, Cleared, RunError, RunExamination, SwapState, UndoCheck, after_rollback,
    behind_last_point, clear_interrupted_staging, describe_run, examine, preflight_of_walk,
};

/// Advice if an open run is in the way.
pub(super) const FINISH_OR_ROLL_BACK: &str =
    "`rollup resume` finishes the open run, `rollup undo` rolls it back";

/// Takes the lock for a recovery, and clears runs that died while staging. A dry run takes no lock, and
/// is refused like the command while another process has it. That `deployment.toml` cannot be used is
/// only warned about.
pub(super) fn lock_for_recovery(
    deployment: &DeploymentArg,
    dry_run: DryRunArg,
    lock: LockArgs,
    rehearsal: RehearsalChildArgs,
    verb: &str,
) -> anyhow::Result<(OpenedDeployment, Option<LockedDeployment>, Cleared)> {
    let site = open_to_change(deployment)?;
    site.warn();
    if dry_run.dry_run {
        refuse_held(&site.tree)?;
        return Ok((site, None, Cleared::default()));
    }
    let mut disk = site.lock(verb, lock)?;
    if let Some(injector) = rehearsal.injector() {
        disk = disk.with_injector(injector);
    }
    let cleared = clear_interrupted_staging(&disk)?;
    report_cleared_runs(&cleared);
    Ok((site, Some(disk), cleared))
}

/// Refuses a deployment that another process has locked.
pub(super) fn refuse_held(tree: &Tree) -> anyhow::Result<()> {
    match holder(tree)? {
        Some(_) => Err(held(tree).into()),
        None => Ok(()),
    }
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

/// Recovery of a run: its end in one direction.
struct Recovery<'a> {
    tree: &'a Tree,
    run: &'a Run,
    plan: &'a Plan,
    direction: Direction,
    examined: RunExamination,
    /// Part of an open run that a rollback reaches, if it does not reach its start.
    behind: Option<BehindPoint<'a>>,
}

/// Prints what a recovery will do, and refuses one that the deployment or this user's rights would stop:
/// its operations, what is unavailable until it ends, and what a rollback leaves.
pub(super) fn preview_recovery(
    tree: &Tree,
    run: &Run,
    plan: &Plan,
    direction: Direction,
) -> anyhow::Result<()> {
    let recovery = Recovery {
        tree,
        run,
        plan,
        direction,
        examined: examine(tree, &run.directory, plan)?,
        behind: match direction {
            Direction::Back if run.is_open() => behind_last_point(tree, run, plan)?,
            _ => None,
        },
    };
    recovery.print_operations()?;
    let swaps = plan.swaps.iter();
    let to_do: Vec<&Swap> = swaps
        .filter(|swap| recovery.is_to_do(swap.number))
        .collect();
    refuse(preflight_of_walk(tree, &run.directory, to_do.iter().copied())?.all())?;
    recovery.print_outages();
    if direction == Direction::Back {
        recovery.print_remains(&to_do);
    }
    Ok(())
}

impl Recovery<'_> {
    fn is_reached(&self, swap: u32) -> bool {
        let behind = self.behind.as_ref();
        behind.is_none_or(|behind| behind.swaps.contains(&swap))
    }

    fn is_to_do(&self, swap: u32) -> bool {
        match self.direction {
            Direction::Forward => !self.examined.is_done(swap),
            Direction::Back => {
                let is_begun = self.examined.swaps.get(&swap) != Some(&SwapState::NotBegun);
                is_begun && self.is_reached(swap)
            }
        }
    }

    /// Prints the operations to do, and the steps that the recovery asks a person about.
    fn print_operations(&self) -> anyhow::Result<()> {
        let Self {
            tree, run, plan, ..
        } = self;
        out::line(state_of(run));
        let left_alone = match self.direction {
            Direction::Forward => BTreeSet::new(),
            Direction::Back => UndoCheck::new(tree, &runs(tree)?, None).paths_left_alone(run),
        };
        let is_to_do = |operation: &Operation| {
            self.is_to_do(operation.swap) && !left_alone.contains(&operation.at)
        };
        let is_done = |swap| self.examined.is_done(swap);
        let mut asked = open_questions(plan, run, self.direction, is_done);
        if let Some(behind) = &self.behind {
            asked.retain(|step| {
                let mut swaps = step.operations.iter().map(|one| one.swap);
                behind.by_hand.contains(step.id.as_str())
                    || swaps.any(|swap| behind.swaps.contains(&swap))
            });
        }
        let asked = asked.iter().map(|step| step.id.as_str()).collect();
        let lines = views::plan::remaining_operations(plan, self.direction, is_to_do, &asked);
        out::line(match (self.direction, lines.is_empty()) {
            (Direction::Forward, false) => "it will be finished:",
            (Direction::Back, false) => "it will be rolled back:",
            (Direction::Forward, true) => "no operation is left to do; it will be closed",
            (Direction::Back, true) if run.is_open() => "nothing to roll back; it will be closed",
            (Direction::Back, true) => "nothing is left to roll back; it will be marked as undone",
        });
        lines.iter().for_each(out::line);
        Ok(())
    }

    /// Prints what is unavailable now, and what becomes unavailable during the rest of a run, or during
    /// the rollback of the swaps that it reaches.
    fn print_outages(&self) {
        if let Some(names) = unavailable_now(self.plan, &self.examined) {
            out::line(format_args!("unavailable now, until it ends: {names}"));
        }
        let is_back = self.direction == Direction::Back;
        let mut to_come = self.plan.outages_among(|operation| {
            self.is_reached(operation.swap) && self.examined.is_done(operation.swap) == is_back
        });
        // The others are those that are unavailable now.
        to_come.retain(|outage| !is_back || outage.to.is_some());
        if !to_come.is_empty() {
            let unavailable = views::plan::count_unavailable(&to_come);
            let during = if is_back {
                "rollback"
            } else {
                "rest of the run"
            };
            out::line(format_args!("outage: {unavailable} during the {during}"));
        }
    }

    /// Prints what a rollback leaves to be done.
    fn print_remains(&self, to_do: &[&Swap]) {
        let begun = to_do.iter().map(|swap| swap.live.clone()).collect();
        let restarts = describe_restarts(&after_rollback(self.plan, &begun));
        if !restarts.is_empty() {
            let restarts = Escaped(&restarts);
            out::line(format_args!("to be restarted afterwards: {restarts}"));
        }
        if let Some(behind) = &self.behind {
            let (point, why) = (behind.point.to_string(), behind.point.why);
            out::line(format_args!(
                "the rollback ends behind {}: {}; the run stays open, and `rollup resume` finishes it",
                Escaped(&point),
                Escaped(why)
            ));
        }
        let procedures = self.plan.unmarked_procedures_run(|operation| {
            self.is_reached(operation.swap) && self.examined.is_done(operation.swap)
        });
        if let Some(elsewhere) = describe_elsewhere(procedures) {
            out::line(Escaped(&elsewhere));
        }
    }
}

/// Asks whether to finish a run, or to roll it back; answered by `--yes`.
pub(super) fn confirm_recovery(
    tree: &Tree,
    run: &Run,
    plan: &Plan,
    direction: Direction,
    yes: bool,
) -> Result<(), Failure> {
    let verb = match direction {
        Direction::Forward => "Finish run ",
        Direction::Back => "Roll back run ",
    };
    let name = Some(plan.deployment.as_str());
    confirm(&question(verb, run.name(), name, tree), yes)
}

/// Reports that there is no run to recover. The hint is appended to the line.
pub(super) fn report_no_open_run(cleared: &Cleared, hint: &str) -> Exit {
    let reason = if cleared.is_empty() {
        "no run in progress"
    } else {
        "no other run in progress"
    };
    out::line(format_args!("nothing to do: {reason}{hint}"));
    Exit::Ok
}
