//! Crash rehearsal: kills a real process at every change of the disk, and recovers in both
//! directions.
//!
//! A *point* is one change of the disk that a command is about to make. At each point the command
//! is killed twice, each time on a copy of the deployment: `resume` finishes the first interrupted
//! run, and `undo` rolls back the second one. Afterwards the whole tree has to be exactly the one
//! before the rollup, or the one after it. Points are numbered from 1 until the command ends before
//! it is killed.
//!
//! | killed command | state in which it starts |
//! | --- | --- |
//! | `apply` | the state before the rollup |
//! | `resume` | after an `apply` killed as soon as its commit began: everything is still to do |
//! | `undo` | after an `apply` killed just before closing its run: everything is to be rolled back |
//! | `undo last` | after a finished `apply`; skipped if a step cannot be rolled back |

mod killed_run;
mod report;
mod start_state;
mod trials;
mod worker;

use std::path::{Path, PathBuf};
use std::thread;

use super::child::FinishedCommand;
use super::{ChildCommand, LabError, Program, TreeSnapshot};
use crate::plan::Plan;

use start_state::StartState;
use trials::Trials;
use worker::Worker;

pub use report::{CrashPhase, CrashReport, CrashRow, FailedPoint, RecoveredTrees};

/// Largest number of workers: more copies of a deployment at a time cost more space than they save
/// time.
const MOST_WORKERS: usize = 4;

/// Directory of the first copy that did not recover.
pub(super) const FIRST_FAILURE: &str = "first-failure";
/// File in it with the commands that were run there, and their output.
pub(super) const COMMANDS_RUN: &str = "commands.txt";
/// Deployment from which the copies of a start state are made.
pub(super) const START_STATE: &str = "start-state";

/// Returns the names of all directories that a crash rehearsal creates beside a deployment.
pub(super) fn copies() -> impl Iterator<Item = String> {
    let workers = (1..=MOST_WORKERS).map(worker::name);
    workers.chain([START_STATE, FIRST_FAILURE].map(str::to_owned))
}

/// Inputs of a crash rehearsal, and its callbacks.
#[derive(Clone, Copy)]
pub struct CrashRehearsal<'a> {
    /// Program that is started for each command.
    pub program: &'a Program,
    /// Deployment in its state before; it is only copied.
    pub deployment: &'a Path,
    /// Directory in which the copies are made.
    pub directory: &'a Path,
    /// Plan of `apply`.
    pub plan: &'a Plan,
    /// Callback for the progress, called from several threads.
    pub on_progress: &'a (dyn Fn(&CrashProgress<'_>) + Sync),
    /// Callback before each point: true to stop there.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl CrashRehearsal<'_> {
    /// Returns the path of the deployment from which the copies of a start state are made.
    fn start_state(&self) -> PathBuf {
        self.directory.join(START_STATE)
    }

    /// Returns the last step that cannot be rolled back, if there is one.
    fn no_return(&self) -> Option<&str> {
        let last = self.plan.points_of_no_return().pop();
        last.map(|point| point.step.id.as_str())
    }
}

/// Progress of a crash rehearsal.
#[derive(Debug)]
pub enum CrashProgress<'a> {
    /// A command will be killed at each of its points.
    Begun {
        /// Command that is killed.
        command: ChildCommand,
        /// Number of changes of the disk that it makes.
        points: u64,
    },
    /// One point was tried, in both directions.
    PointTried,
    /// All points of one phase were tried.
    PhaseTried(&'a CrashRow),
}

/// Reason why not all points were tried.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The lab could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A command fails without an injected fault.
    #[error("`{line}` {ending}{}", .reasons.iter().map(|reason| format!(": {reason}")).collect::<String>())]
    CommandFailed {
        /// Command line.
        line: String,
        /// Description of the way it ended.
        ending: String,
        /// Errors that it printed.
        reasons: Vec<String>,
    },
    /// A command succeeds, but the tree after it is not the expected one.
    #[error("`{line}` succeeded, but the tree is not as expected: {}", .differences.join("; "))]
    UnexpectedTree {
        /// Command line.
        line: String,
        /// Differences from the expected tree.
        differences: Vec<String>,
    },
    /// The number of changes varies, so that a number does not identify a point.
    #[error("`{command}` made {expected} changes of the disk in one run, and {found} in another")]
    VaryingChanges {
        /// Command that was killed.
        command: ChildCommand,
        /// Number of changes without a kill.
        expected: u64,
        /// Number of changes at which it was killed.
        found: u64,
    },
}

/// Kills a process at every point, and recovers in both directions.
///
/// # Errors
///
/// Returns the first error because of which not all points were tried; the copies are removed all
/// the same. A point that does not recover is not an error, but an entry of the report.
pub fn crash_everywhere(rehearsal: CrashRehearsal<'_>) -> Result<CrashReport, CrashError> {
    let before = TreeSnapshot::of(rehearsal.deployment)?;
    let count = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_WORKERS);
    let mut workers: Vec<Worker<'_>> = (1..=count)
        .map(|number| Worker::new(rehearsal, number))
        .collect();
    let report = every_start_state(rehearsal, before, &mut workers);
    let cleared = workers.iter().try_for_each(Worker::remove_copies);
    let report = report?;
    cleared?;
    Ok(report)
}

fn every_start_state(
    rehearsal: CrashRehearsal<'_>,
    before: TreeSnapshot,
    workers: &mut [Worker<'_>],
) -> Result<CrashReport, CrashError> {
    let after = workers[0].applied()?;
    let trials = Trials::new(rehearsal, before, after);
    trials.everywhere(workers, StartState::Before)?;
    for start_state in trials.later_start_states() {
        trials.everywhere(workers, start_state)?;
    }
    Ok(trials.report())
}

fn command_failed(command: FinishedCommand) -> CrashError {
    CrashError::CommandFailed {
        ending: command.ending(),
        reasons: command.reasons(),
        line: command.line,
    }
}
