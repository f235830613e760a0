//! Crash rehearsal: kills a real process at every change of the disk, and recovers in both
//! directions.
//!
//! A *point* is one change of the disk that a command is about to make. At each one the command is
//! killed twice, on a copy of the deployment each time; `resume` finishes what the first kill
//! leaves, and `undo` rolls back what the second one leaves. Then the whole tree has to be the one
//! before the rollup, or the one after it: nothing in between, nothing too much. Points are counted
//! up until the command outlives its number.
//!
//! | killed | after |
//! | --- | --- |
//! | `apply` | nothing: the deployment is in its state before |
//! | `resume` | an `apply` that died as soon as its commit began: all of it is still to do |
//! | `undo` | an `apply` that died right before closing its run: all of it has to be rolled back |
//! | `undo last` | an undisturbed `apply`; left out if a step cannot be rolled back |

mod left;
mod report;
mod scene;
mod trials;
mod worker;

use std::path::{Path, PathBuf};
use std::thread;

use super::child::Ran;
use super::{LabError, Picture, Program, Verb};
use crate::plan::{Plan, PlannedStep};

use scene::Scene;
use trials::Trials;
use worker::Worker;

pub use report::{Failing, Place, Report, Row, Stood};

/// Limit of workers: more copies of a deployment at once take more room than they save time.
const MOST_WORKERS: usize = 4;

/// Directory of the first copy that did not recover.
pub(super) const FIRST_FAILURE: &str = "first-failure";
/// File in it that records what was done there.
pub(super) const WHAT_HAPPENED: &str = "what-happened.txt";
/// Deployment from which the copies of a scene are made.
pub(super) const SCENE: &str = "scene";

/// Returns the names of all directories that are made beside a deployment.
pub(super) fn copies() -> impl Iterator<Item = String> {
    let workers = (1..=MOST_WORKERS).map(worker::name);
    workers.chain([SCENE, FIRST_FAILURE].map(str::to_owned))
}

/// Subject of a crash rehearsal, and its callbacks.
#[derive(Clone, Copy)]
pub struct Crashes<'a> {
    /// Program that is started for each command.
    pub program: &'a Program,
    /// Deployment in its state before; it is only copied.
    pub deployment: &'a Path,
    /// Directory in which the copies are made.
    pub directory: &'a Path,
    /// Plan of `apply`.
    pub plan: &'a Plan,
    /// Callback for the progress, called from several threads.
    pub tell: &'a (dyn Fn(&News<'_>) + Sync),
    /// Callback that is asked before each point whether to stop.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Crashes<'_> {
    /// Returns the path of the deployment from which the copies of a scene are made.
    fn scene(&self) -> PathBuf {
        self.directory.join(SCENE)
    }

    /// Returns the last step that cannot be rolled back, if there is one: no run can go back past
    /// it.
    fn no_return(&self) -> Option<&str> {
        let fixed = |step: &&PlannedStep| {
            step.manual
                .as_ref()
                .is_some_and(|manual| manual.undo.is_none())
        };
        self.plan
            .steps
            .iter()
            .rev()
            .find(fixed)
            .map(|step| step.id.as_str())
    }
}

/// Progress of a crash rehearsal.
#[derive(Debug)]
pub enum News<'a> {
    /// A command will be killed at each of its points.
    Begun {
        /// Command that is killed.
        verb: Verb,
        /// Number of changes of the disk that it makes.
        points: u64,
    },
    /// One point was tried, in both directions.
    Tried,
    /// All points of one kind were tried.
    Row(&'a Row),
}

/// Reason why the points were not tried, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The lab could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A command fails although nothing disturbs it.
    #[error("`{line}` {ending}{}", .reasons.iter().map(|reason| format!(": {reason}")).collect::<String>())]
    FailsByItself {
        /// Command line.
        line: String,
        /// Description of how it ended.
        ending: String,
        /// Errors that it printed.
        reasons: Vec<String>,
    },
    /// A command succeeds, and leaves another tree than it should.
    #[error("`{line}` was not disturbed, and then {}", .wrong.join("; "))]
    Elsewhere {
        /// Command line.
        line: String,
        /// Differences from the expected tree.
        wrong: Vec<String>,
    },
    /// The number of changes varies, so that a number does not identify a point.
    #[error("`{verb}` made {told} changes of the disk once, and {found} another time")]
    Uneven {
        /// Command that was killed.
        verb: Verb,
        /// Number of changes when nothing disturbed it.
        told: u64,
        /// Number of changes when it was killed at every one of them.
        found: u64,
    },
}

/// Kills at every point, and recovers in both directions.
///
/// # Errors
///
/// Returns what kept the points from being tried; the copies are removed all the same. A point that
/// does not recover is not an error; it is in the report.
pub fn crash_everywhere(crashes: Crashes<'_>) -> Result<Report, CrashError> {
    let before = Picture::of(crashes.deployment)?;
    let count = thread::available_parallelism()
        .map_or(1, usize::from)
        .min(MOST_WORKERS);
    let mut workers: Vec<Worker<'_>> = (1..=count)
        .map(|number| Worker::new(crashes, number))
        .collect();
    let report = every_scene(crashes, before, &mut workers);
    let cleared = workers.iter().try_for_each(Worker::clear_away);
    let report = report?;
    cleared?;
    Ok(report)
}

fn every_scene(
    crashes: Crashes<'_>,
    before: Picture,
    workers: &mut [Worker<'_>],
) -> Result<Report, CrashError> {
    let after = workers[0].applied()?;
    let trials = Trials::new(crashes, before, after);
    trials.everywhere(workers, Scene::Before)?;
    for scene in trials.later_scenes() {
        trials.everywhere(workers, scene)?;
    }
    Ok(trials.report())
}

fn fails_by_itself(ran: Ran) -> CrashError {
    CrashError::FailsByItself {
        ending: ran.ending(),
        reasons: ran.reasons(),
        line: ran.line,
    }
}
