//! The part that `resume` and `undo` share: the lock, the runs, and the preview of the remaining
//! operations.

use std::collections::BTreeSet;
use std::time::Duration;

use super::answers::require_terminal;
use super::args::{DeploymentArg, LockArgs, RehearsalChildArgs};
use super::ending::report_cleared_runs;
use super::exit::Exit;
use super::failure::Failure;
use super::inputs;
use super::next::NextCommands;
use super::state_now::take_lock;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Direction, JournalError, Run, runs};
use crate::plan::Plan;
use crate::run::{Cleared, UndoCheck, clear_interrupted_staging, describe_run, examine};

/// Takes the lock for a recovery, and clears runs that died while staging. The description is
/// missing if `deployment.toml` cannot be used, which is only warned about.
pub(super) fn lock_for_recovery(
    deployment: &DeploymentArg,
    yes: bool,
    lock: LockArgs,
    rehearsal: RehearsalChildArgs,
    verb: &str,
) -> anyhow::Result<(LockedDeployment, Option<Description>, Cleared)> {
    let site = inputs::open_deployment(deployment.deployment.as_deref())?;
    out::message(format_args!(
        "deployment {} ({})",
        site.tree.path().display(),
        site.how
    ));
    site.warn();
    if !yes {
        require_terminal("`--yes` continues without asking")?;
    }
    let wait = Duration::from_secs(lock.lock_timeout);
    let disk = take_lock(site.tree, verb, wait)?;
    let disk = match rehearsal.injector() {
        Some(injector) => disk.with_injector(injector),
        None => disk,
    };
    let cleared = clear_interrupted_staging(&disk)?;
    report_cleared_runs(&cleared);
    Ok((disk, site.description.ok(), cleared))
}

pub(super) fn all_runs(disk: &LockedDeployment) -> Result<Vec<Run>, JournalError> {
    runs(disk.tree())
}

/// Describes a run that is open, and so in the way of the command.
pub(super) fn other_is_open(open: &Run, next: &NextCommands<'_>) -> Failure {
    let reason = format!("run {} is {}", open.name(), describe_run(open));
    Failure::new(Exit::NotReady, reason).next(next.finish_or_roll_back())
}

/// Prints the operations that a recovery will do.
pub(super) fn print_remaining_operations(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    direction: Direction,
) -> anyhow::Result<()> {
    let examined = examine(disk.tree(), &run.directory, plan)?;
    out::line(format_args!("run {} is {}", run.name(), describe_run(run)));
    let left_alone = match direction {
        Direction::Forward => BTreeSet::new(),
        Direction::Back => {
            UndoCheck::new(disk.tree(), &all_runs(disk)?, None).paths_left_alone(run)
        }
    };
    let lines = views::plan::remaining_operations(plan, &examined, direction, &left_alone);
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

/// Returns the ids of the manual steps of a plan, which can be confirmed on the command line.
pub(super) fn manual_steps(plan: &Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .filter(|step| step.manual.is_some())
        .map(|step| step.id.as_str())
        .collect()
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
