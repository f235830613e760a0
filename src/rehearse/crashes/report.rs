//! The table: what was killed where, and what stood afterwards.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where a process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// In `apply`, before its commit began.
    Staging,
    /// In `apply`, from there on.
    Commit,
    /// In `resume`.
    Resume,
    /// In `undo` of an unfinished run.
    Undo,
    /// In `undo` of the finished run.
    UndoFinished,
}

/// A recovery, by the command that does it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// `resume`
    Forward,
    /// `undo`
    Back,
}

/// The points of one kind, and what stood after their recoveries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Where the process was killed.
    pub place: Place,
    /// At how many points.
    pub points: u64,
    /// What stood after `resume`.
    pub resumed: Stood,
    /// What stood after `undo`.
    pub undone: Stood,
    /// How many points did not recover.
    pub failing: u64,
}

/// How often which tree stood after a recovery.
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
    /// Where the process was killed.
    pub place: Place,
    /// Right before which of its changes, counted from 1.
    pub point: u64,
    /// How it was to be recovered.
    pub way: Way,
    /// What is wrong.
    pub wrong: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Report {
    /// By place.
    pub rows: Vec<Row>,
    /// Every point that did not recover, in order.
    pub failing: Vec<Failing>,
    /// The folder of the first of them to be found.
    pub kept: Option<PathBuf>,
    /// Steps that nobody can take back, with the number of points at which `undo` therefore stopped
    /// behind one of them, and `resume` went on from there.
    pub stopped_behind: BTreeMap<String, u64>,
    /// A step that nobody can take back, so that no finished run was undone.
    pub no_return: Option<String>,
    /// How many files and folders were compared each time.
    pub entries: usize,
}

impl Report {
    /// How many points there were.
    pub fn points(&self) -> u64 {
        self.rows.iter().map(|row| row.points).sum()
    }

    /// How many of them recover both ways.
    pub fn recovering(&self) -> u64 {
        self.points() - self.rows.iter().map(|row| row.failing).sum::<u64>()
    }
}
