//! Restarts that a person still has to do, computed from the journals of all runs.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Outcome, Record, Run};

/// Restart that a person has to do.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case", tag = "restart")]
pub enum PendingAction {
    /// Restart of a service whose record a rollback restored.
    Service { service: String, server: String },
    /// Restart of a computer whose files changed.
    Computer { server: String },
}

impl PendingAction {
    /// Returns the server on which it has to be done.
    pub fn server(&self) -> &str {
        match self {
            Self::Service { server, .. } | Self::Computer { server } => server,
        }
    }
}

/// Returns the restarts that are pending, by the runs that left them, oldest first. A restart is no
/// longer pending once it was acknowledged, or once a later run has started the service.
pub fn pending_actions(runs: &[Run]) -> Vec<(&Run, BTreeSet<PendingAction>)> {
    let mut pending = Vec::new();
    for run in runs.iter().filter(|run| !run.is_open()) {
        let mut actions = pending_of(run);
        actions.retain(|action| !is_done_by_later_run(runs, run, action));
        if !actions.is_empty() {
            pending.push((run, actions));
        }
    }
    pending
}

/// Returns the restarts that were pending when the run was last closed and were not acknowledged.
fn pending_of(run: &Run) -> BTreeSet<PendingAction> {
    let mut pending = BTreeSet::new();
    for entry in &run.journal.entries {
        match &entry.record {
            Record::Closed { restarts, .. } => pending.clone_from(&restarts.pending),
            Record::Acknowledged { actions, .. } => pending.retain(|one| !actions.contains(one)),
            _ => {}
        }
    }
    pending
}

fn is_done_by_later_run(runs: &[Run], run: &Run, action: &PendingAction) -> bool {
    let count = last_count(run);
    let records = runs.iter().flat_map(|run| &run.journal.entries);
    records
        .map(|entry| &entry.record)
        .any(|record| match record {
            Record::Closed {
                outcome: Outcome::Applied,
                restarts,
                ..
            } => restarts.count > count && restarts.done.contains(action),
            _ => false,
        })
}

/// Returns the position of the last end of a run among those of all runs; 0 if it has none.
pub(super) fn last_count(run: &Run) -> u64 {
    let records = run.journal.entries.iter().map(|entry| &entry.record);
    let counts = records.filter_map(|record| match record {
        Record::Closed { restarts, .. } => Some(restarts.count),
        _ => None,
    });
    counts.max().unwrap_or(0)
}
