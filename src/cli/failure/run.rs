//! A run that failed or stopped: before its commit, between two states, or at the undo of what it
//! did.

use std::fmt;
use std::path::Path;

use super::{Failure, of_reasons};
use crate::cli::advice::undo_of;
use crate::cli::exit::Exit;
use crate::cli::terminal::FailurePlaces;
use crate::cli::terminal::out::shell_quoted;
use crate::deployment::attributes::CARRY_ACTION;
use crate::deployment::newer::INSTALL_NEWER;
use crate::journal::{Direction, JournalError, Run, RunState};
use crate::names::error_chain;
use crate::plan::{PlanFileError, Reason};
use crate::run::{Ended, RunError};

/// Advice for a run that can go in either direction once its problem is fixed.
const ANY_WAY_OUT: &str = "fix the cause, then `rollup resume` or `rollup undo`; or `rollup accept` \
     closes the run in its current state";

/// Advice if a new object cannot have the attributes of the one that it replaces.
const NOT_CARRIED: &str = "run the command as a user who may set them, or remove them from the object \
     first (`getfacl` and `getfattr` show them)";

/// Context of an error: the number of the run that the command was to finish or roll back.
#[derive(Debug)]
pub(in crate::cli) struct OfRun(pub(in crate::cli) u32);

impl fmt::Display for OfRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.0)
    }
}

/// Run that was begun or continued, and that did not reach the planned state.
#[derive(Debug, thiserror::Error)]
#[error("the planned state was not reached")]
pub(in crate::cli) struct NotApplied {
    pub(in crate::cli) ended: Ended,
    /// Steps and operations that failed.
    pub(in crate::cli) places: FailurePlaces,
}

/// Describes an error with its causes, and its place if it is known.
fn at_place(place: Option<&String>, error: &RunError) -> String {
    let chain = error_chain(error);
    match place {
        // A pause and a point of no return name their steps themselves.
        Some(place) if manual_step_advice(error).is_none() => format!("{place}: {chain}"),
        _ => chain,
    }
}

/// Describes an error of a run. The run is the one that was to be finished or rolled back; without
/// one, the commit had not begun.
pub(super) fn of_run_error(error: &RunError, run: Option<&Run>) -> Failure {
    let failure = before_commit(error);
    let Some(run) = run else { return failure };
    match run.state() {
        RunState::Staging | RunState::Staged => of_staged(error, failure),
        RunState::Unfinished(_) => of_unfinished(error, failure),
        RunState::Closed(_) => of_finished(error, failure, run),
        RunState::Damaged(_) => failure,
    }
}

fn before_commit(error: &RunError) -> Failure {
    let exit = match error {
        RunError::Disk(error) if error.action == CARRY_ACTION => {
            return Failure::caused(Exit::NotReady, error).next(NOT_CARRIED);
        }
        RunError::Disk(error) => return error.into(),
        RunError::Journal(error) => return error.into(),
        RunError::NotReady(reasons) => return of_reasons(Exit::NotReady, reasons),
        RunError::Changed(found) => {
            let changed = found
                .iter()
                .map(|difference| format!("changed since the run: {difference}"));
            return Failure::because(Exit::Mismatch, changed.collect());
        }
        RunError::Interrupted => return Failure::new(Exit::Interrupted, "stopped by a signal"),
        RunError::Plan { .. } => Exit::Invalid,
        RunError::DamagedJournal { .. } => Exit::NeedsAttention,
        RunError::Gone(_) => Exit::Mismatch,
        RunError::Stale { .. } => Exit::StalePlan,
        RunError::CannotMove { .. }
        | RunError::NotCarried { .. }
        | RunError::PointOfNoReturn { .. } => Exit::NotReady,
        RunError::NotAsWritten { .. } => Exit::Io,
        RunError::OldObjectChanged { .. }
        | RunError::UnmanagedConflict { .. }
        | RunError::Unexpected { .. }
        | RunError::UnexpectedResult(_) => Exit::NeedsAttention,
        RunError::Waiting { .. } | RunError::StopsBefore { .. } => Exit::Stopped,
    };
    let failure = Failure::new(exit, error);
    match error {
        RunError::Plan {
            fault: PlanFileError::TooNew(_),
            ..
        } => failure.next(INSTALL_NEWER),
        RunError::DamagedJournal { .. } => failure
            .next("`rollup resume --from-slots` or `rollup undo --from-slots` works without the journal")
            .next("or `rollup accept --reason TEXT` quarantines the run"),
        RunError::Stale { .. } => failure.next("plan again: `rollup plan` shows the differences"),
        RunError::CannotMove { .. } => failure.next("rename it"),
        RunError::NotCarried { .. } => failure.next(NOT_CARRIED),
        RunError::NotAsWritten { .. } => failure.next("check the disk first"),
        _ => failure,
    }
}

fn of_staged(error: &RunError, failure: Failure) -> Failure {
    match error {
        // Planning again does not close an open run.
        RunError::Stale { .. } => failure.instead(
            Exit::StalePlan,
            "`rollup undo` discards the staged run; then plan and apply again",
        ),
        _ => failure,
    }
}

fn of_unfinished(error: &RunError, failure: Failure) -> Failure {
    match error {
        RunError::Journal(_)
        | RunError::Plan {
            fault: PlanFileError::TooNew(_),
            ..
        } => failure,
        RunError::NotReady(_) => failure.next("`rollup resume` finishes the run"),
        RunError::Interrupted => failure.instead(Exit::Stopped, "`rollup resume` or `rollup undo`"),
        RunError::Plan { .. } => failure.instead(
            Exit::NeedsAttention,
            "recover the run by hand: `rollup explain recovery`; \
             or `rollup accept` quarantines the run",
        ),
        RunError::Changed(_) => failure.instead(Exit::NeedsAttention, discard_changes("undo")),
        _ => failure.instead(Exit::NeedsAttention, ANY_WAY_OUT),
    }
}

/// Describes the undo of a finished run that did not begin: nothing is between states.
fn of_finished(error: &RunError, failure: Failure, run: &Run) -> Failure {
    let undo = undo_of(run);
    let (exit, action) = match error {
        RunError::Plan { .. }
        | RunError::Journal(JournalError::Damaged { .. } | JournalError::TooNew { .. }) => {
            return failure;
        }
        RunError::Changed(_) => return failure.next(discard_changes(&undo)),
        RunError::Gone(_) => {
            return failure.next(format!(
                "restore them, or put an empty file or directory in their place, then `rollup {undo} --discard-changes`"
            ));
        }
        RunError::NotReady(reasons) => return failure.next(after_reasons(reasons, run)),
        RunError::Interrupted => return failure.next(format!("`rollup {undo}` starts again")),
        RunError::OldObjectChanged { .. } => (Exit::Mismatch, "restore the path from a backup"),
        RunError::UnmanagedConflict { .. } | RunError::Unexpected { .. } => {
            (Exit::NotReady, "move it somewhere else")
        }
        RunError::CannotMove { .. } => (failure.exit, "rename it"),
        _ => (failure.exit, "fix the cause"),
    };
    failure.instead(exit, format!("{action}, then `rollup {undo}`"))
}

fn after_reasons(reasons: &[Reason], run: &Run) -> String {
    let report = format!("`rollup report {}` shows the run", run.number);
    if reasons.iter().any(|reason| reason.help.is_none()) {
        return report;
    }
    format!("then `rollup {}`; {report}", undo_of(run))
}

fn discard_changes(undo: &str) -> String {
    format!(
        "restore the files, or `rollup {undo} --discard-changes`, which keeps the changed files in the \
         run's directory"
    )
}

/// Describes the end of a run that did not reach the planned state.
impl From<&NotApplied> for Failure {
    fn from(NotApplied { ended, places }: &NotApplied) -> Self {
        let FailurePlaces { forward, back } = places;
        match ended {
            Ended::Applied { .. } | Ended::Undone { because: None } => {
                Failure::new(Exit::RolledBack, "rolled back")
            }
            Ended::Undone {
                because: Some(error),
            } => Failure::new(Exit::RolledBack, at_place(forward.as_ref(), error))
                .next("fix the cause, then apply again"),
            Ended::Restored { because } => {
                Failure::new(Exit::RolledBack, at_place(back.as_ref(), because))
                    .next("fix the cause, then undo the run again")
            }
            Ended::Stopped(error) => {
                let advice = manual_step_advice(error).unwrap_or_else(|| {
                    "`rollup resume` continues, `rollup undo` rolls back as far as possible"
                        .to_owned()
                });
                let place = forward.as_ref().or(back.as_ref());
                Failure::new(Exit::Stopped, at_place(place, error)).next(advice)
            }
            Ended::Stuck { because, error } => {
                let mut reasons = Vec::new();
                if let Some(because) = because {
                    reasons.push(at_place(forward.as_ref(), because));
                }
                let place = match because {
                    Some(_) => back.as_ref(),
                    None => forward.as_ref().or(back.as_ref()),
                };
                reasons.push(at_place(place, error));
                if error.is_lost_write() {
                    let lost = "the disk reports write errors: data written since the last sync \
                                may be lost";
                    reasons.push(lost.to_owned());
                }
                let advice = manual_step_advice(error).unwrap_or_else(|| ANY_WAY_OUT.to_owned());
                Failure::because(Exit::NeedsAttention, reasons).next(advice)
            }
        }
    }
}

/// Returns the advice at a manual step, which depends on the direction of the run.
fn manual_step_advice(error: &RunError) -> Option<String> {
    match error {
        RunError::Waiting {
            step,
            direction: Direction::Forward,
        } => Some(format!(
            "follow the instructions, then `rollup resume --done {}`; \
             or `rollup undo` rolls back as far as possible",
            shell_quoted(Path::new(step))
        )),
        RunError::Waiting {
            step,
            direction: Direction::Back,
        } => Some(format!(
            "roll the step back by hand, then `rollup undo --done {}`; \
             or `rollup resume` goes forward again",
            shell_quoted(Path::new(step))
        )),
        RunError::PointOfNoReturn { .. } => Some(
            "everything after that step was rolled back; \
             fix the cause, then `rollup resume` goes forward again"
                .to_owned(),
        ),
        _ => None,
    }
}
