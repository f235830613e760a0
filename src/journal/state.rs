//! States of the runs of a deployment, read from their journals.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::pending::last_count;
use super::progress::{judge, lost_records};
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
    /// Records; none if the journal is damaged.
    pub journal: Journal,
    /// Fault of a journal that cannot be relied on, in words.
    pub fault: Option<String>,
    damaged: Option<Damaged>,
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
    /// Its journal cannot be relied on; this is what its slots show.
    Damaged(Damaged),
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
            RunState::Damaged(Damaged::Interrupted) => "damaged",
            RunState::Damaged(_) => "damaged-closed",
        }
    }
}

impl Run {
    /// Returns the name of the run, such as `0012-KB952076`.
    pub fn name(&self) -> &str {
        self.directory.name()
    }

    /// Returns the state of the run, by the last good record of its journal, or by its slots if the
    /// journal is damaged.
    pub fn state(&self) -> RunState {
        match self.damaged {
            Some(damaged) => RunState::Damaged(damaged),
            None => self.recorded_state(),
        }
    }

    /// Returns the fault of a journal that lacks a record, whatever its lines say.
    fn lost_record(
        &self,
        tree: &Tree,
        newest: Option<u32>,
    ) -> Result<Option<String>, JournalError> {
        let at = tree.shown(Some(&self.directory.journal()));
        let lost = |what: &str| Ok(Some(format!("the journal `{at}` lost a record: {what}")));
        let state = self.recorded_state();
        let is_reopened = || {
            let mut records = self.journal.entries.iter().map(|entry| &entry.record);
            records.any(|record| matches!(record, Record::Reopened { .. }))
        };
        match state {
            RunState::Staging | RunState::Staged
                if lost_records(tree, &self.directory, state == RunState::Staged)? =>
            {
                lost("its slots show that the run is further")
            }
            RunState::Closed(_) | RunState::Damaged(_) => Ok(None),
            _ if Some(self.number) != newest && !is_reopened() => {
                lost("a later run exists, which needs this one closed")
            }
            _ => Ok(None),
        }
    }

    fn recorded_state(&self) -> RunState {
        match self.journal.last() {
            None | Some(Record::Opened(_)) => RunState::Staging,
            Some(Record::Staged { .. }) => RunState::Staged,
            Some(Record::Closed { outcome, .. }) => RunState::Closed(*outcome),
            Some(_) => RunState::Unfinished(self.direction()),
        }
    }

    /// Returns whether the run must be closed before another one can start.
    pub fn is_open(&self) -> bool {
        match self.state() {
            RunState::Closed(_) => false,
            RunState::Damaged(damaged) => damaged == Damaged::Interrupted,
            _ => true,
        }
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

/// What the slots show of a run whose journal cannot be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damaged {
    /// Every swap is done: the run counts as closed.
    Done,
    /// No swap is begun: the run counts as closed, and changed nothing.
    NotBegun,
    /// Its slots were pruned: the run counts as closed.
    Pruned,
    /// Anything else: it has to be finished or rolled back.
    Interrupted,
}

/// Returns all runs of a deployment, oldest first. A damaged journal does not stop anything: its run
/// has [`RunState::Damaged`].
///
/// # Errors
///
/// `runs` is missing in an existing `.rollup`, a journal has a later format, or the deployment cannot
/// be read.
pub fn runs(tree: &Tree) -> Result<Vec<Run>, JournalError> {
    let mut runs = Vec::new();
    if tree.metadata(&ROLLUP_DIR)?.is_some() && tree.metadata(&ROLLUP_DIR.runs())?.is_none() {
        let path = tree.shown(Some(&ROLLUP_DIR.runs()));
        return Err(JournalError::Missing { path });
    }
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
        let (journal, fault) = match Journal::read(tree, &directory.journal()) {
            Ok(journal) => (journal, None),
            Err(fault @ JournalError::Damaged { .. }) => (Journal::default(), Some(fault)),
            Err(fault) => return Err(fault),
        };
        runs.push(Run {
            number,
            kb,
            directory,
            journal,
            fault: fault.map(|fault| fault.to_string()),
            damaged: None,
        });
    }
    runs.sort_by_key(|run| run.number);
    let newest = runs.last().map(|run| run.number);
    for run in &mut runs {
        run.fault = run
            .fault
            .take()
            .map_or_else(|| run.lost_record(tree, newest), |fault| Ok(Some(fault)))?;
        if run.fault.is_some() {
            run.damaged = Some(judge(tree, &run.directory)?);
        }
    }
    Ok(runs)
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
    Ok(runs(tree)?.iter().map(last_count).max().unwrap_or(0) + 1)
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
