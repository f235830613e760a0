//! How a run ended: the last lines of a command, or its failure with what to type next.

use super::exit::{Exit, Failure};
use super::inputs;
use super::next::Next;
use crate::cli::terminal::out;
use crate::journal::Direction;
use crate::journal::{JournalError, Run, RunState};
use crate::names::{Digest, Escaped, RelPath, error_chain};
use crate::plan::Plan;
use crate::run::{Cleared, Ended, RunError, describe_state};

/// Returns the measured digest of an applied run, and the unmanaged files that appeared during it;
/// every other outcome is a failure of the command.
pub(super) fn arrived(ended: Ended, next: &Next<'_>) -> Result<(Digest, Vec<RelPath>), Failure> {
    match ended {
        Ended::Applied { measured, came } => Ok((measured, came)),
        Ended::Undone { because } => {
            let because = because.map_or_else(|| "undone".to_owned(), |error| error_chain(&error));
            Err(Failure::new(Exit::Undone, because)
                .now("everything was put back: the deployment is as it was before")
                .next("mend what is named, then apply again"))
        }
        Ended::Stopped(error) => {
            let otherwise = || {
                format!(
                    "`{}` goes on, `{}` takes back what can be",
                    next.resume(),
                    next.undo()
                )
            };
            Err(Failure::caused(Exit::Stopped, &error)
                .now("everything up to there is on disk; the run is open")
                .next(manual_help(&error, next).unwrap_or_else(otherwise)))
        }
        Ended::Stuck { because, error } => {
            let mut failure = Failure::caused(Exit::NeedsAttention, &error);
            if let Some(because) = because {
                failure.reasons.insert(0, error_chain(&because));
            }
            let now = match error.is_lost_write() {
                true => {
                    "the disk reports write errors: what was written since the last sync may be lost"
                }
                false => "the deployment is between states; nothing else was touched",
            };
            let otherwise = || {
                format!(
                    "look at what is named; then `{}` or `{}`; or `{}` closes the run as it stands",
                    next.resume(),
                    next.undo(),
                    next.accept()
                )
            };
            Err(failure
                .now(now)
                .next(manual_help(&error, next).unwrap_or_else(otherwise)))
        }
    }
}

/// Returns what to type at a manual step, which depends on the direction of the run.
fn manual_help(error: &RunError, next: &Next<'_>) -> Option<String> {
    Some(match error {
        RunError::Waiting {
            step,
            direction: Direction::Forward,
        } => format!(
            "do what the step says, then `{} --done {step}`; or `{}` takes back what can be",
            next.resume(),
            next.undo()
        ),
        RunError::Waiting {
            step,
            direction: Direction::Back,
        } => format!(
            "take the step back by hand, then `{} --done {step}`; or `{}` goes forward again",
            next.undo(),
            next.resume()
        ),
        RunError::NoReturn { .. } => {
            let resume = next.resume();
            format!(
                "everything behind that step was put back; mend what is named, then `{resume}` goes forward again"
            )
        }
        _ => return None,
    })
}

/// Describes a recovery that could not begin, which leaves the run as it was.
pub(super) fn not_walked(error: &RunError, run: &Run, next: &Next<'_>) -> Failure {
    let failure = inputs::not_begun(error);
    let now = format!("run {} is {}", run.name(), describe_state(run));
    let without = |failure: Failure| Failure {
        next: Vec::new(),
        ..failure
    };
    let even_so = format!(
        "put back what is named, or `{} --discard-changes`: what was changed is then kept in the run's slots",
        next.undo_run(run)
    );
    match (run.state(), error) {
        (RunState::Closed(_), RunError::Journal(JournalError::Disk(_))) => {
            failure.now(now).next(format!("fix what is named, then `{}`", next.undo_run(run)))
        }
        (_, RunError::Journal(_)) => failure,
        // Planning again does not close an open run.
        (RunState::Staged, RunError::Stale { .. }) => {
            without(failure).next(format!("`{}` throws away what was staged; then plan and apply anew", next.undo()))
        }
        (RunState::Staged, _) => failure,
        (RunState::Closed(_), RunError::Changed(_)) => failure.now(now).next(even_so),
        (RunState::Closed(_), RunError::Quarantined { .. }) => Failure { exit: Exit::Mismatch, ..failure }
            .now(now)
            .next(format!("restore what is named from a backup, then `{}`", next.undo_run(run))),
        (RunState::Closed(_), RunError::InTheWay { .. } | RunError::Unexpected { .. }) => {
            Failure { exit: Exit::NotReady, ..failure }
                .now(now)
                .next(format!("move it somewhere else, then `{}`", next.undo_run(run)))
        }
        (RunState::Closed(_), RunError::NotReady(_)) => failure
            .now(now)
            .next(format!("`rollup report {} -d {}` tells what it did", run.number, out::typed(next.0))),
        (RunState::Closed(_), RunError::Plan { .. }) => failure.now(now),
        (RunState::Closed(_), RunError::Pathless { .. }) => {
            without(failure).now(now).next(format!("rename it, then `{}`", next.undo_run(run)))
        }
        (RunState::Closed(_), RunError::Interrupted) => failure.now(now).next(format!("`{}` begins again", next.undo_run(run))),
        // The undo of a finished run that never began: nothing is between states.
        (RunState::Closed(_), _) => {
            failure.now(now).next(format!("fix what is named, then `{}`", next.undo_run(run)))
        }
        (RunState::Unfinished(_), RunError::NotReady(_)) => {
            failure.now(now).next(format!("`{}` takes it to its end", next.resume()))
        }
        (RunState::Unfinished(_), RunError::Interrupted) => Failure { exit: Exit::Stopped, ..failure }
            .now(now)
            .next(format!("`{}` or `{}`", next.resume(), next.undo())),
        (_, RunError::Plan { .. }) => Failure { exit: Exit::NeedsAttention, ..without(failure) }
            .now(now)
            .next(format!(
                "the slots still tell how far it is: see \"By hand\" in the README; or `{}` sets the run's directory aside",
                next.accept()
            )),
        (_, RunError::Changed(_)) => Failure { exit: Exit::NeedsAttention, ..failure }.now(now).next(even_so),
        _ => Failure { exit: Exit::NeedsAttention, ..without(failure) }.now(now).next(format!(
            "mend what is named, then `{}` or `{}`; or `{}` closes the run as it stands",
            next.resume(),
            next.undo(),
            next.accept()
        )),
    }
}

/// Prints the last line of every apply: how the result compares with the expected state. Unmanaged
/// files beside managed ones do not affect the comparison, but are reported.
pub(super) fn told_compared(plan: &Plan, measured: Digest, came: &[RelPath]) {
    for path in came {
        let path = Escaped(path.as_str());
        out::say(format_args!(
            "note: `{path}` came while the run was under way, and was left where it is"
        ));
    }
    let expected = plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.digest);
    match expected == Some(measured) {
        true => out::line("as previewed"),
        false => {
            out::line("as previewed, but for an operator's files, which came or went meanwhile")
        }
    }
}

/// Reports which dead runs were cleared.
pub(super) fn told_cleared(cleared: &Cleared) {
    for name in cleared {
        out::say(format_args!(
            "run {name} died while staging and was cleared away: nothing had been begun"
        ));
    }
}
