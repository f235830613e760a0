//! The result of a run: the last lines of a command, or its failure with the command to type next.

use super::exit::{Exit, Failure};
use super::inputs;
use super::next::NextCommands;
use crate::cli::terminal::out;
use crate::deployment::description::Description;
use crate::deployment::tree::Tree;
use crate::journal::{Direction, JournalError, Run, RunState, runs};
use crate::names::{Digest, Escaped, RelPath, error_chain};
use crate::plan::Plan;
use crate::run::{Cleared, Ended, RunError, describe_run, undo_answers};

/// Returns the measured digest of an applied run, and the unmanaged files that appeared during it.
/// Every other result is a failure of the command.
pub(super) fn applied_or_failure(
    ended: Ended,
    next: &NextCommands<'_>,
) -> Result<(Digest, Vec<RelPath>), Failure> {
    match ended {
        Ended::Applied { measured, appeared } => Ok((measured, appeared)),
        Ended::Undone { because } => {
            let reason = match because {
                Some(error) => error_chain(&error),
                None => "rolled back".to_owned(),
            };
            Err(Failure::new(Exit::RolledBack, reason)
                .now("everything was rolled back: the deployment is as it was before")
                .next("fix the cause, then apply again"))
        }
        Ended::Stopped(error) => {
            let otherwise = || {
                format!(
                    "`{}` continues, `{}` rolls back as far as possible",
                    next.resume(),
                    next.undo()
                )
            };
            Err(Failure::caused(Exit::Stopped, &error)
                .now("everything so far is on disk; the run is open")
                .next(manual_step_help(&error, next).unwrap_or_else(otherwise)))
        }
        Ended::Stuck { because, error } => {
            let mut failure = Failure::caused(Exit::NeedsAttention, &error);
            if let Some(because) = because {
                failure.reasons.insert(0, error_chain(&because));
            }
            let now = if error.is_lost_write() {
                "the disk reports write errors: data written since the last sync may be lost"
            } else {
                "the deployment is between states; nothing else was touched"
            };
            Err(failure
                .now(now)
                .next(manual_step_help(&error, next).unwrap_or_else(|| any_way_out(next))))
        }
    }
}

/// Returns the `next:` line at a manual step, which depends on the direction of the run.
fn manual_step_help(error: &RunError, next: &NextCommands<'_>) -> Option<String> {
    Some(match error {
        RunError::Waiting {
            step,
            direction: Direction::Forward,
        } => format!(
            "follow the instructions, then `{} --done {step}`; \
             or `{}` rolls back as far as possible",
            next.resume(),
            next.undo()
        ),
        RunError::Waiting {
            step,
            direction: Direction::Back,
        } => format!(
            "roll the step back by hand, then `{} --done {step}`; or `{}` goes forward again",
            next.undo(),
            next.resume()
        ),
        RunError::PointOfNoReturn { .. } => format!(
            "everything after that step was rolled back; \
             fix the cause, then `{}` goes forward again",
            next.resume()
        ),
        _ => return None,
    })
}

/// Returns the `next:` line of a run that can go in either direction once its problem is fixed.
fn any_way_out(next: &NextCommands<'_>) -> String {
    format!(
        "fix the cause, then `{}` or `{}`; or `{}` closes the run in its current state",
        next.resume(),
        next.undo(),
        next.accept()
    )
}

/// Describes a recovery that could not begin, which leaves the run as it was.
pub(super) fn recovery_failure(error: &RunError, run: &Run, next: &NextCommands<'_>) -> Failure {
    let failure = inputs::run_failure(error);
    let state = format!("run {} is {}", run.name(), describe_run(run));
    let undo = next.undo_run(run);
    let discard_changes = format!(
        "restore the files, or `{undo} --discard-changes`, which keeps the changed files in the \
         run's directory"
    );
    match (run.state(), error) {
        (RunState::Closed(_), RunError::Journal(JournalError::Disk(_))) => failure
            .now(state)
            .next(format!("fix the cause, then `{undo}`")),
        (_, RunError::Journal(_)) => failure,
        // Planning again does not close an open run.
        (RunState::Staged, RunError::Stale { .. }) => without_next(failure).next(format!(
            "`{}` discards the staged run; then plan and apply again",
            next.undo()
        )),
        (RunState::Staged, _) => failure,
        (RunState::Closed(_), RunError::Changed(_)) => failure.now(state).next(discard_changes),
        (RunState::Closed(_), RunError::OldObjectChanged { .. }) => {
            with_exit(failure, Exit::Mismatch)
                .now(state)
                .next(format!("restore the path from a backup, then `{undo}`"))
        }
        (RunState::Closed(_), RunError::UnmanagedConflict { .. } | RunError::Unexpected { .. }) => {
            with_exit(failure, Exit::NotReady)
                .now(state)
                .next(format!("move it somewhere else, then `{undo}`"))
        }
        (RunState::Closed(_), RunError::NotReady(reasons)) => {
            let then = match reasons.iter().all(|reason| reason.help.is_some()) {
                true => format!("then `{undo}`; "),
                false => String::new(),
            };
            failure.now(state).next(format!(
                "{then}`rollup report {} -d {}` shows the run",
                run.number,
                out::shell_quoted(next.0)
            ))
        }
        (RunState::Closed(_), RunError::Plan { .. }) => failure.now(state),
        (RunState::Closed(_), RunError::CannotMove { .. }) => without_next(failure)
            .now(state)
            .next(format!("rename it, then `{undo}`")),
        (RunState::Closed(_), RunError::Interrupted) => {
            failure.now(state).next(format!("`{undo}` starts again"))
        }
        // The undo of a finished run did not begin: nothing is between states.
        (RunState::Closed(_), _) => failure
            .now(state)
            .next(format!("fix the cause, then `{undo}`")),
        (RunState::Unfinished(_), RunError::NotReady(_)) => failure
            .now(state)
            .next(format!("`{}` finishes the run", next.resume())),
        (RunState::Unfinished(_), RunError::Interrupted) => with_exit(failure, Exit::Stopped)
            .now(state)
            .next(format!("`{}` or `{}`", next.resume(), next.undo())),
        (_, RunError::Plan { .. }) => with_exit(without_next(failure), Exit::NeedsAttention)
            .now(state)
            .next(format!(
                "recover the run by hand: `rollup explain recovery`; \
                 or `{}` quarantines the run",
                next.accept()
            )),
        (_, RunError::Changed(_)) => with_exit(failure, Exit::NeedsAttention)
            .now(state)
            .next(discard_changes),
        _ => with_exit(without_next(failure), Exit::NeedsAttention)
            .now(state)
            .next(any_way_out(next)),
    }
}

fn without_next(failure: Failure) -> Failure {
    Failure {
        next: Vec::new(),
        ..failure
    }
}

fn with_exit(failure: Failure, exit: Exit) -> Failure {
    Failure { exit, ..failure }
}

/// Prints the last line of a command that finished a run: how to undo it, or why that is not
/// possible. Computed from the run's records and slots; without a readable run nothing is claimed.
pub(super) fn report_undo(tree: &Tree, site: Option<&Description>, name: &str) {
    let Ok(runs) = runs(tree) else { return };
    let Some(run) = runs.iter().find(|run| run.name() == name) else {
        return;
    };
    let Ok(answers) = undo_answers(tree, &runs, site) else {
        return;
    };
    let next = NextCommands(tree.path());
    match answers.get(&run.number) {
        Some(answer) if answer.possible => {
            out::line(format_args!("undo: `{}` rolls it back", next.undo_run(run)))
        }
        Some(answer) => out::line(format_args!(
            "it cannot be undone: {}",
            Escaped(&answer.why_not())
        )),
        None => {}
    }
}

/// Prints the comparison of a finished run with the expected state. Unmanaged files beside managed
/// ones do not affect it, but are reported.
pub(super) fn report_comparison(plan: &Plan, measured: Digest, appeared: &[RelPath]) {
    for path in appeared {
        out::message(format_args!(
            "note: the unmanaged file `{}` appeared during the run, and was left in place",
            Escaped(path.as_str())
        ));
    }
    let expected = plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.digest);
    if expected == Some(measured) {
        out::line("the result matches the plan");
    } else {
        out::line(
            "the result matches the plan, except for unmanaged files that appeared or \
             disappeared during the run",
        );
    }
}

/// Reports runs that died while staging and were removed.
pub(super) fn report_cleared_runs(cleared: &Cleared) {
    for name in cleared {
        out::message(format_args!(
            "run {name} died while staging and was removed: it had changed nothing"
        ));
    }
}
