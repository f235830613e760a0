//! Run of a killed process, and the tree that is expected after its recovery.

use std::path::Path;

use crate::deployment::tree::Tree;
use crate::journal::{Direction, Outcome, Run, RunState, runs};
use crate::plan::Plan;
use crate::run::{describe_run, points_passed};

/// State of the run of a killed process, according to its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KilledRun {
    /// No run, or one whose process was killed while staging.
    NotBegun,
    /// A completely staged run.
    Staged,
    /// A run that is unfinished in some direction, with the last completed step that cannot be
    /// rolled back.
    Begun { no_return: Option<String> },
    /// A closed run: the process was killed after its work.
    Closed(Outcome),
}

impl KilledRun {
    /// Reads the state of the newest run of a deployment.
    pub(super) fn of(deployment: &Path, plan: &Plan) -> Result<Self, String> {
        let runs = read(deployment)?;
        let Some(run) = runs.last() else {
            return Ok(KilledRun::NotBegun);
        };
        Ok(match run.state() {
            RunState::Damaged(_) => return Err(run.fault.clone().unwrap_or_default()),
            RunState::Staging => KilledRun::NotBegun,
            RunState::Staged => KilledRun::Staged,
            RunState::Unfinished(_) => {
                let tree = Tree::open(deployment).map_err(|error| error.to_string())?;
                let passed = points_passed(&tree, run, plan);
                let passed = passed.map_err(|error| error.to_string())?;
                KilledRun::Begun {
                    no_return: passed.last().map(|point| point.step.id.clone()),
                }
            }
            RunState::Closed(outcome) => KilledRun::Closed(outcome),
        })
    }

    /// Returns the tree that is expected after a recovery.
    pub(super) fn expected_tree(&self, direction: Direction) -> ExpectedTree {
        match (self, direction) {
            (KilledRun::NotBegun, _)
            | (KilledRun::Staged, Direction::Back)
            | (KilledRun::Closed(Outcome::Undone), _) => ExpectedTree::Before,
            (KilledRun::Begun { no_return: None }, Direction::Back) => ExpectedTree::Before,
            (
                KilledRun::Begun {
                    no_return: Some(step),
                },
                Direction::Back,
            ) => ExpectedTree::AfterStoppedUndo(step.clone()),
            (KilledRun::Staged | KilledRun::Begun { .. }, Direction::Forward)
            | (KilledRun::Closed(Outcome::Applied | Outcome::Accepted), _) => ExpectedTree::After,
        }
    }
}

/// Tree that is expected after a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ExpectedTree {
    /// The tree before the rollup.
    Before,
    /// The tree after an `apply` that is not killed.
    After,
    /// The same tree, reached by `resume` after `undo` had to stop just behind this step.
    AfterStoppedUndo(String),
}

/// Refuses a deployment with an open run; the error names the run.
pub(super) fn check_no_open_run(deployment: &Path) -> Result<(), String> {
    match read(deployment)?.iter().find(|run| run.is_open()) {
        None => Ok(()),
        Some(run) => Err(format!("run {} is {}", run.name(), describe_run(run))),
    }
}

fn read(deployment: &Path) -> Result<Vec<Run>, String> {
    let tree = Tree::open(deployment).map_err(|error| error.to_string())?;
    runs(&tree).map_err(|fault| fault.to_string())
}
