//! Result of a crash rehearsal: the points at which commands were killed, and the trees after the
//! recoveries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Serialize;

use crate::journal::Direction;

/// Phase of a command in which it was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CrashPhase {
    /// In `apply`, before its commit began.
    Staging,
    /// In `apply`, after its commit began.
    Commit,
    /// In `resume`.
    Resume,
    /// In `undo` of an unfinished run.
    Undo,
    /// In `undo` of the finished run.
    UndoFinished,
}

/// Points of one phase, and the trees after their recoveries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CrashRow {
    /// Phase in which the command was killed.
    pub phase: CrashPhase,
    /// Number of points.
    pub points: u64,
    /// Trees after `resume`.
    pub resumed: RecoveredTrees,
    /// Trees after `undo`.
    pub undone: RecoveredTrees,
    /// Number of points that did not recover.
    pub failing: u64,
}

/// Number of recoveries that resulted in each tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RecoveredTrees {
    /// Exactly the tree before the rollup.
    pub before: u64,
    /// Exactly the tree after an `apply` that is not killed.
    pub after: u64,
}

/// Point that did not recover.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FailedPoint {
    /// Phase in which the command was killed.
    pub phase: CrashPhase,
    /// Number of the change right before which it was killed, counted from 1.
    pub point: u64,
    /// Direction of the recovery that was tried: forward by `resume`, back by `undo`.
    pub direction: Direction,
    /// Differences and errors after the recovery.
    pub differences: Vec<String>,
}

/// Result of a crash rehearsal.
#[derive(Debug, Serialize, JsonSchema)]
pub struct CrashReport {
    /// Rows in the order of the phases.
    pub rows: Vec<CrashRow>,
    /// Every point that did not recover, in order.
    #[serde(skip)]
    pub failing: Vec<FailedPoint>,
    /// Directory of the first of them to be found.
    #[serde(skip)]
    pub kept: Option<PathBuf>,
    /// Steps that cannot be rolled back, with the number of points at which `undo` stopped just
    /// behind the step for that reason, and `resume` went on from there.
    pub stopped_behind: BTreeMap<String, u64>,
    /// Step that cannot be rolled back, because of which undoing a finished run was skipped.
    pub no_return: Option<String>,
    /// Number of files and directories that were compared each time.
    pub entries: usize,
}

impl CrashReport {
    /// Returns the number of points.
    pub fn points(&self) -> u64 {
        self.rows.iter().map(|row| row.points).sum()
    }

    /// Returns the number of points that recover in both directions.
    pub fn recovering(&self) -> u64 {
        self.points() - self.rows.iter().map(|row| row.failing).sum::<u64>()
    }
}
