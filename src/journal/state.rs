//! States of the runs of a deployment, read from their journals.

use serde::{Deserialize, Serialize};

use super::{Direction, Journal, JournalError, Outcome, Record};
use crate::deployment::tree::{DiskError, FileKind, Tree, path};
use crate::names::{Kb, RelPath};
use crate::plan::ACCEPT;

/// Directory of a run, and its journal.
#[derive(Debug)]
pub struct Run {
    /// The run's number.
    pub number: u32,
    /// Rollup that the directory is named for; `None` for a run that accepts drift.
    pub kb: Option<Kb>,
    /// Its directory, below the deployment.
    pub directory: RelPath,
    /// Contents of its journal.
    pub journal: Journal,
}

/// State of a run, by the last good record of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Staging in progress, or cut off by a crash; nothing of the deployment has changed.
    Staging,
    /// Staged completely and not begun.
    Staged,
    /// Begun, and to be finished in this direction.
    Unfinished(Direction),
    /// Clean: ended with this outcome.
    Closed(Outcome),
}

impl RunState {
    /// Returns the word for the state, in documents.
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
    /// Returns the name as shown to people, such as `0012-KB952076`.
    pub fn name(&self) -> &str {
        self.directory.name()
    }

    /// Returns the state of the run.
    pub fn state(&self) -> RunState {
        match self.journal.last() {
            None | Some(Record::Opened(_)) => RunState::Staging,
            Some(Record::Staged { .. }) => RunState::Staged,
            Some(Record::Closed { outcome, .. }) => RunState::Closed(*outcome),
            Some(_) => RunState::Unfinished(self.direction()),
        }
    }

    /// Returns whether the run must be ended before another one can start.
    pub fn is_open(&self) -> bool {
        !matches!(self.state(), RunState::Closed(_))
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

/// Run whose journal is damaged: nothing in it can be relied on.
#[derive(Debug)]
pub struct Damaged {
    /// Its directory, below the deployment.
    pub directory: RelPath,
    /// Damage in its journal.
    pub fault: JournalError,
}

/// Returns all runs of a deployment, oldest first.
pub fn runs(tree: &Tree) -> Result<Vec<Run>, JournalError> {
    let (runs, damaged) = sound_and_damaged(tree)?;
    match damaged.into_iter().next() {
        None => Ok(runs),
        Some(Damaged { fault, .. }) => Err(fault),
    }
}

/// Returns all runs of a deployment, oldest first, and those whose journal is damaged.
pub fn sound_and_damaged(tree: &Tree) -> Result<(Vec<Run>, Vec<Damaged>), JournalError> {
    let directory = runs_directory();
    let mut runs = Vec::new();
    let mut damaged = Vec::new();
    for (name, kind) in tree.names(&directory)? {
        let Some((number, about)) = name.split_once('-') else {
            continue;
        };
        let kb = about.parse().ok();
        let is_named = kb.is_some() || about == ACCEPT;
        let (Ok(number), true, FileKind::Directory) = (number.parse(), is_named, kind) else {
            continue;
        };
        let directory = directory.join(&name).expect("a name found in a directory");
        match Journal::read(tree, &directory.join("journal").expect("a plain name")) {
            Ok(journal) => runs.push(Run {
                number,
                kb,
                directory,
                journal,
            }),
            Err(fault @ JournalError::Damaged { .. }) => damaged.push(Damaged { directory, fault }),
            Err(fault) => return Err(fault),
        }
    }
    runs.sort_by_key(|run| run.number);
    Ok((runs, damaged))
}

/// Returns the number of the next run: no directory had it yet, not even a quarantined one.
pub fn next_number(tree: &Tree) -> Result<u32, DiskError> {
    let names = tree.names(&runs_directory())?;
    let numbers = names
        .iter()
        .filter_map(|(name, _)| name.split_once('-')?.0.parse().ok());
    Ok(numbers.max().map_or(1, |last: u32| last.saturating_add(1)))
}

fn runs_directory() -> RelPath {
    path(".rollup/runs")
}

/// Note on the quarantined directory of a run: it is not a run any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// Time, UTC.
    pub at: String,
    /// Person who quarantined it.
    pub by: String,
    /// Reason, in their words.
    pub reason: String,
    /// Fault that made the run unusable.
    pub because: String,
}

impl Quarantine {
    /// Name of the file in the directory that holds the note.
    pub const FILE: &str = "quarantined.toml";
    /// Text that follows the run's name in the name of its directory.
    pub const SUFFIX: &str = ".quarantined";
    const LONGEST: u64 = 1024 * 1024;
}

/// Returns the names of the quarantined run directories, each with its note if one can be read.
pub fn quarantined(tree: &Tree) -> Result<Vec<(String, Option<Quarantine>)>, DiskError> {
    let directory = runs_directory();
    let mut quarantined = Vec::new();
    for (name, kind) in tree.names(&directory)? {
        if kind != FileKind::Directory || !name.contains(Quarantine::SUFFIX) {
            continue;
        }
        let file = directory
            .join(&name)
            .and_then(|directory| directory.join(Quarantine::FILE))
            .expect("names found in a directory");
        let note = tree
            .text(&file, Quarantine::LONGEST)?
            .and_then(|text| toml::from_str(&text).ok());
        quarantined.push((name, note));
    }
    Ok(quarantined)
}
