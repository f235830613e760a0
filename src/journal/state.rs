//! States of the runs of a deployment, read from their journals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pending::last_count;
use super::{Direction, Journal, JournalError, Outcome, Record};
use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};
use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::names::Kb;
use crate::plan::ACCEPT;

/// Run with its directory and its journal.
#[derive(Debug, Clone)]
pub struct Run {
    pub number: u32,
    /// Rollup that the directory is named after; `None` for a run that accepts drift.
    pub kb: Option<Kb>,
    /// Directory of the run, below the deployment.
    pub directory: RunDir,
    pub journal: Journal,
}

/// State of a run, by the last good record of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Staging in progress, or interrupted by a crash; nothing of the deployment has changed.
    Staging,
    /// Staging complete, commit not begun.
    Staged,
    /// Commit begun, to be finished in this direction.
    Unfinished(Direction),
    /// Closed with this outcome: the deployment is clean.
    Closed(Outcome),
}

impl RunState {
    /// Returns the name of the state in documents.
    pub fn word(self) -> &'static str {
        match self {
            RunState::Staging => "staging",
            RunState::Staged => "staged",
            RunState::Unfinished(Direction::Forward) => "unfinished",
            RunState::Unfinished(Direction::Back) => "unfinished-back",
            RunState::Closed(Outcome::Applied) => "applied",
            RunState::Closed(Outcome::Undone) => "undone",
            RunState::Closed(Outcome::Accepted) => "accepted",
        }
    }
}

impl Run {
    /// Returns the name of the run, such as `0012-KB952076`.
    pub fn name(&self) -> &str {
        self.directory.name()
    }

    /// Returns the state of the run, by the last good record of its journal.
    pub fn state(&self) -> RunState {
        match self.journal.last() {
            None | Some(Record::Opened(_)) => RunState::Staging,
            Some(Record::Staged { .. }) => RunState::Staged,
            Some(Record::Closed { outcome, .. }) => RunState::Closed(*outcome),
            Some(_) => RunState::Unfinished(self.direction()),
        }
    }

    /// Returns whether the run must be closed before another one can start.
    pub fn is_open(&self) -> bool {
        !matches!(self.state(), RunState::Closed(_))
    }

    /// Returns the rollup that the run recorded as applied by hand, if it is such a run.
    pub fn recorded_by_hand(&self) -> Option<Kb> {
        match &self.journal.opened()?.subject {
            super::RunSubject::Accept { applied, .. } => *applied,
            super::RunSubject::Rollup(_) => None,
        }
    }

    /// Returns whether the run has changed the deployment and is closed: it is finished, or was
    /// closed by `accept` in the state it was in.
    pub fn is_done(&self) -> bool {
        matches!(
            self.state(),
            RunState::Closed(Outcome::Applied | Outcome::Accepted)
        )
    }

    fn direction(&self) -> Direction {
        let last = self
            .journal
            .entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.record {
                Record::Turned { direction, .. } => Some(*direction),
                Record::Reopened { .. } => Some(Direction::Back),
                _ => None,
            });
        last.unwrap_or(Direction::Forward)
    }
}

/// Run with a damaged journal, of which no record can be relied on.
#[derive(Debug)]
pub struct DamagedRun {
    /// Directory of the run, below the deployment.
    pub directory: RunDir,
    /// Damage in the journal.
    pub fault: JournalError,
}

/// Returns all runs of a deployment, oldest first; fails at the first damaged journal.
pub fn runs(tree: &Tree) -> Result<Vec<Run>, JournalError> {
    let (runs, damaged) = runs_and_damaged(tree)?;
    match damaged.into_iter().next() {
        None => Ok(runs),
        Some(DamagedRun { fault, .. }) => Err(fault),
    }
}

/// Returns all runs of a deployment, oldest first, and those whose journal is damaged.
pub fn runs_and_damaged(tree: &Tree) -> Result<(Vec<Run>, Vec<DamagedRun>), JournalError> {
    let mut runs = Vec::new();
    let mut damaged = Vec::new();
    for (name, kind) in tree.names(&ROLLUP_DIR.runs())? {
        let Some((number, subject)) = name.split_once('-') else {
            continue;
        };
        if name.contains(RunDir::QUARANTINED) {
            continue;
        }
        let kb = subject.parse().ok();
        let is_named = kb.is_some() || subject == ACCEPT;
        let (Ok(number), true, FileKind::Directory) = (number.parse(), is_named, kind) else {
            continue;
        };
        let directory = ROLLUP_DIR.run(&name);
        match Journal::read(tree, &directory.journal()) {
            Ok(journal) => runs.push(Run {
                number,
                kb,
                directory,
                journal,
            }),
            Err(fault @ JournalError::Damaged { .. }) => {
                damaged.push(DamagedRun { directory, fault })
            }
            Err(fault) => return Err(fault),
        }
    }
    runs.sort_by_key(|run| run.number);
    Ok((runs, damaged))
}

/// Returns the number of the next run, which no run has had, not even a quarantined one.
pub fn next_number(tree: &Tree) -> Result<u32, DiskError> {
    let names = tree.names(&ROLLUP_DIR.runs())?;
    let numbers = names
        .iter()
        .filter_map(|(name, _)| name.split_once('-')?.0.parse().ok());
    Ok(numbers.max().map_or(1, |last: u32| last.saturating_add(1)))
}

/// Returns the position that the next end of a run has among those of all runs. Runs with a damaged
/// journal do not count.
pub fn next_count(tree: &Tree) -> Result<u64, JournalError> {
    let (runs, _) = runs_and_damaged(tree)?;
    Ok(runs.iter().map(last_count).max().unwrap_or(0) + 1)
}

/// Note in the quarantined directory of a run, which no longer counts as a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct QuarantineNote {
    /// Time, UTC.
    pub at: String,
    /// User who quarantined the run.
    pub by: String,
    /// Reason, in the user's words.
    pub reason: String,
    /// Fault that made the run unusable.
    pub because: String,
}

impl QuarantineNote {
    const LONGEST: u64 = 1024 * 1024;
}

/// Returns the names of the quarantined run directories, each with its note if it can be read.
pub fn quarantined(tree: &Tree) -> Result<Vec<(String, Option<QuarantineNote>)>, DiskError> {
    let mut quarantined = Vec::new();
    for (name, kind) in tree.names(&ROLLUP_DIR.runs())? {
        if kind != FileKind::Directory || !name.contains(RunDir::QUARANTINED) {
            continue;
        }
        let note = tree
            .text(
                &ROLLUP_DIR.run(&name).quarantine_note(),
                QuarantineNote::LONGEST,
            )?
            .and_then(|text| toml::from_str(&text).ok());
        quarantined.push((name, note));
    }
    Ok(quarantined)
}
