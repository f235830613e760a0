//! Killing a real process at every change of the disk, and taking what it leaves both ways.
//!
//! A *point* is one change of the disk that a command is about to make. At each one the command is
//! killed twice, on a copy of the deployment each time; what it leaves is taken to its end by
//! `resume` once, and back by `undo` once. Then the whole tree has to be the one before the rollup,
//! or the one after it: nothing in between, nothing too much. Points are counted up until the
//! command outlives its number.
//!
//! | killed | on |
//! | --- | --- |
//! | `apply` | a deployment in its state before |
//! | `resume` | what `apply` leaves when it dies as soon as its commit has begun: all of it is still to do |
//! | `undo` | what `apply` leaves when it dies right before it would close its run: all of it has to go back |
//! | `undo last` | what `apply` leaves when nothing disturbs it; left out where a step cannot be taken back |

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

pub use report::{Failing, Place, Report, Row, Stood, Way};

/// More copies of a deployment than this at once take more room than they save time.
const MOST_WORKERS: usize = 4;

/// The directory of the first copy that did not recover.
pub(super) const FIRST_FAILURE: &str = "first-failure";
/// The file in it that says what was done there.
pub(super) const WHAT_HAPPENED: &str = "what-happened.txt";
/// The deployment that the copies of a scene are made from.
pub(super) const SCENE: &str = "scene";

/// The names of all directories that are made beside a deployment.
pub(super) fn copies() -> impl Iterator<Item = String> {
    let workers = (1..=MOST_WORKERS).map(worker::name);
    workers.chain([SCENE, FIRST_FAILURE].map(str::to_owned))
}

/// What is killed everywhere.
#[derive(Clone, Copy)]
pub struct Crashes<'a> {
    /// The program that is started, again and again.
    pub program: &'a Program,
    /// The deployment in its state before; it is only copied.
    pub deployment: &'a Path,
    /// Where the copies are made.
    pub folder: &'a Path,
    /// What `apply` will do.
    pub plan: &'a Plan,
    /// Hears how far it is, from several threads.
    pub tell: &'a (dyn Fn(&News<'_>) + Sync),
    /// Asked before each point whether to stop.
    pub is_stopped: &'a (dyn Fn() -> bool + Sync),
}

impl Crashes<'_> {
    /// Where the deployment stands that the copies of a scene are made from.
    fn scene(&self) -> PathBuf {
        self.folder.join(SCENE)
    }

    /// The last step that nobody can take back, if there is one: behind it nothing goes back.
    fn no_return(&self) -> Option<&str> {
        let fixed =
            |step: &&PlannedStep| step.gate.as_ref().is_some_and(|gate| gate.undo.is_none());
        self.plan
            .steps
            .iter()
            .rev()
            .find(fixed)
            .map(|step| step.id.as_str())
    }
}

/// What a rehearsal of crashes tells while it is at work.
#[derive(Debug)]
pub enum News<'a> {
    /// A command will be killed at each of so many points.
    Begun {
        /// Which command.
        verb: Verb,
        /// How many changes of the disk it makes.
        points: u64,
    },
    /// One point was tried, both ways.
    Tried,
    /// All points of one kind were tried.
    Row(&'a Row),
}

/// Why the points were not tried, or not all of them.
#[derive(Debug, thiserror::Error)]
pub enum CrashError {
    /// The lab could not be made.
    #[error(transparent)]
    Lab(#[from] LabError),
    /// A command fails though nothing disturbs it.
    #[error("`{line}` {ending}{}", .reasons.iter().map(|reason| format!(": {reason}")).collect::<String>())]
    FailsByItself {
        /// The command.
        line: String,
        /// How it ended.
        ending: String,
        /// What it said.
        reasons: Vec<String>,
    },
    /// A command ends well, and leaves something else than it should.
    #[error("`{line}` was not disturbed, and then {}", .wrong.join("; "))]
    Elsewhere {
        /// The command.
        line: String,
        /// What is wrong.
        wrong: Vec<String>,
    },
    /// The points cannot be told apart by their number.
    #[error("`{verb}` made {told} changes of the disk once, and {found} another time")]
    Uneven {
        /// The command.
        verb: Verb,
        /// At first.
        told: u64,
        /// When it was killed at every one of them.
        found: u64,
    },
}

/// Kills at every point, and recovers both ways.
///
/// # Errors
///
/// What kept the points from being tried; the copies are removed all the same. A point that does
/// not recover is not an error; it is in the report.
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
