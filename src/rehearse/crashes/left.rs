//! State that a dead process left, and the tree that is expected after its recovery.

use std::path::Path;

use crate::deployment::tree::Tree;
use crate::journal::{Answer, Direction, Outcome, Run, RunState, runs};
use crate::plan::{Plan, PlannedStep};
use crate::run::describe_state;

/// State that a dead process left, according to its journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// No run, or one that died staging.
    NotBegun,
    /// A run that is completely staged.
    Staged,
    /// A run that is unfinished in some direction; with the last step done that cannot be rolled
    /// back.
    Begun { no_return: Option<String> },
    /// A closed run: only the end of the process was missing.
    Closed(Outcome),
}

impl Left {
    /// Reads the state; if that is not possible, the error has the reason.
    pub(super) fn on(deployment: &Path, plan: &Plan) -> Result<Self, String> {
        let runs = read(deployment)?;
        let Some(run) = runs.last() else {
            return Ok(Left::NotBegun);
        };
        Ok(match run.state() {
            RunState::Staging => Left::NotBegun,
            RunState::Staged => Left::Staged,
            RunState::Unfinished(_) => {
                let fixed = |step: &&PlannedStep| {
                    let manual = step.manual.as_ref();
                    manual.is_some_and(|manual| manual.undo.is_none())
                        && run.journal.confirmed(&step.id) == Some(Answer::Done)
                };
                Left::Begun {
                    no_return: plan
                        .steps
                        .iter()
                        .rev()
                        .find(fixed)
                        .map(|step| step.id.clone()),
                }
            }
            RunState::Closed(outcome) => Left::Closed(outcome),
        })
    }

    /// Returns the tree that is expected after a recovery.
    pub(super) fn due(&self, way: Direction) -> Due {
        match (self, way) {
            (Left::NotBegun, _)
            | (Left::Staged, Direction::Back)
            | (Left::Closed(Outcome::Undone), _) => Due::Before,
            (Left::Begun { no_return: None }, Direction::Back) => Due::Before,
            (
                Left::Begun {
                    no_return: Some(step),
                },
                Direction::Back,
            ) => Due::AfterStoppingBehind(step.clone()),
            (Left::Staged | Left::Begun { .. }, Direction::Forward)
            | (Left::Closed(Outcome::Applied | Outcome::Accepted), _) => Due::After,
        }
    }
}

/// Tree that is expected after a recovery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// The tree before the rollup.
    Before,
    /// The tree that an undisturbed apply leaves.
    After,
    /// `undo` has to stop behind this step, and then `resume` has to reach the state after.
    AfterStoppingBehind(String),
}

/// Checks that no run is open any more; else the error names the one that is.
pub(super) fn at_rest(deployment: &Path) -> Result<(), String> {
    match read(deployment)?.iter().find(|run| run.is_open()) {
        None => Ok(()),
        Some(run) => Err(format!("run {} is {}", run.name(), describe_state(run))),
    }
}

fn read(deployment: &Path) -> Result<Vec<Run>, String> {
    let tree = Tree::open(deployment).map_err(|error| error.to_string())?;
    runs(&tree).map_err(|fault| fault.to_string())
}
