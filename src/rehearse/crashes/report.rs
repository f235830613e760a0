//! Table of the points at which a command was killed, and of the trees after the recoveries.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::journal::Direction;

/// Place at which a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
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

/// Points of one kind, and the trees after their recoveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Place at which the process was killed.
    pub place: Place,
    /// Number of points.
    pub points: u64,
    /// Trees after `resume`.
    pub resumed: Stood,
    /// Trees after `undo`.
    pub undone: Stood,
    /// Number of points that did not recover.
    pub failing: u64,
}

/// Number of recoveries that resulted in each tree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stood {
    /// Exactly the one before the rollup.
    pub before: u64,
    /// Exactly the one that an undisturbed apply leaves.
    pub after: u64,
}

/// A point that did not recover.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failing {
    /// Place at which the process was killed.
    pub place: Place,
    /// Number of the change right before which it was killed, counted from 1.
    pub point: u64,
    /// Direction of the recovery that was tried: forward by `resume`, back by `undo`.
    pub way: Direction,
    /// Everything that is wrong.
    pub wrong: Vec<String>,
}

/// Result of a crash rehearsal.
#[derive(Debug)]
pub struct Report {
    /// Rows by place.
    pub rows: Vec<Row>,
    /// Every point that did not recover, in order.
    pub failing: Vec<Failing>,
    /// Directory of the first of them to be found.
    pub kept: Option<PathBuf>,
    /// Steps that cannot be rolled back, with the number of points at which `undo` therefore
    /// stopped behind one of them, and `resume` went on from there.
    pub stopped_behind: BTreeMap<String, u64>,
    /// Step that cannot be rolled back, because of which no finished run was undone.
    pub no_return: Option<String>,
    /// Number of files and directories that were compared each time.
    pub entries: usize,
}

impl Report {
    /// Returns the number of points.
    pub fn points(&self) -> u64 {
        self.rows.iter().map(|row| row.points).sum()
    }

    /// Returns the number of points that recover in both directions.
    pub fn recovering(&self) -> u64 {
        self.points() - self.rows.iter().map(|row| row.failing).sum::<u64>()
    }
}
