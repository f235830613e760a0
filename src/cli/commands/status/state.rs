//! States of a deployment, of which it is always in one.

use schemars::JsonSchema;
use serde::Serialize;

use super::open::OpenRow;
use crate::journal::RunState;

/// State of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum DeploymentState {
    /// No run is in progress, and nothing is left to do.
    Clean,
    /// A run is staged; the deployment is unchanged.
    Staged,
    /// A process is changing the deployment.
    InProgress,
    /// A run is neither finished nor rolled back, and no process works on it.
    Interrupted,
    /// No run is in progress, and a person has to restart something.
    ActionRequired,
    /// A run can be neither finished nor rolled back as it is.
    NeedsAttention,
}

impl DeploymentState {
    /// Returns the state, of those that hold the one that decides what to type next.
    pub(super) fn of(open: Option<&OpenRow>, has_writer: bool, has_pending: bool) -> Self {
        let Some(open) = open else {
            return match (has_writer, has_pending) {
                (true, _) => Self::InProgress,
                (false, true) => Self::ActionRequired,
                (false, false) => Self::Clean,
            };
        };
        match open.run_state {
            _ if !open.problems.is_empty() => Self::NeedsAttention,
            _ if has_writer => Self::InProgress,
            RunState::Staged => Self::Staged,
            // It died before anything was begun; the next command removes it.
            RunState::Staging => Self::Clean,
            RunState::Unfinished(_) | RunState::Closed(_) | RunState::Damaged(_) => {
                Self::Interrupted
            }
        }
    }
}
