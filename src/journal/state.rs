//! What the runs of a deployment came to, told by their journals.

use super::{Direction, Journal, JournalFault, Outcome, Record};
use crate::deployment::tree::{Kind, Tree, path};
use crate::names::{Kb, RelPath};
use crate::plan::ACCEPT;

/// A run's folder and its journal.
#[derive(Debug)]
pub struct Run {
    /// The run's number.
    pub number: u32,
    /// The rollup that the folder is named for; a run that accepts has none.
    pub kb: Option<Kb>,
    /// The folder, below the deployment.
    pub folder: RelPath,
    /// What its journal says.
    pub journal: Journal,
}

/// Where a run stands, by the last good record of its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It died while staging, or is staging now; nothing of the deployment has changed.
    Staging,
    /// Staged whole and not begun.
    Staged,
    /// Begun, and due in this direction.
    Unfinished(Direction),
    /// At rest.
    Closed(Outcome),
}

impl Run {
    /// As people name it: `0012-KB952076`.
    pub fn name(&self) -> &str {
        self.folder.name()
    }

    /// Where it stands.
    pub fn state(&self) -> RunState {
        match self.journal.last() {
            None | Some(Record::Opened(_)) => RunState::Staging,
            Some(Record::Staged { .. }) => RunState::Staged,
            Some(Record::Closed { outcome, .. }) => RunState::Closed(*outcome),
            Some(_) => RunState::Unfinished(self.direction()),
        }
    }

    /// The run stands in the way of another one.
    pub fn is_open(&self) -> bool {
        !matches!(self.state(), RunState::Closed(_))
    }

    fn direction(&self) -> Direction {
        let last = self.journal.entries.iter().rev().find_map(|entry| match &entry.record {
            Record::Turned { direction, .. } => Some(*direction),
            Record::Reopened { .. } => Some(Direction::Back),
            _ => None,
        });
        last.unwrap_or(Direction::Forward)
    }
}

/// All runs of a deployment, oldest first.
pub fn runs(tree: &Tree) -> Result<Vec<Run>, JournalFault> {
    let folder = path(".rollup/runs");
    let mut runs = Vec::new();
    for (name, kind) in tree.names(&folder)? {
        let Some((number, about)) = name.split_once('-') else { continue };
        let kb = about.parse().ok();
        let is_named = kb.is_some() || about == ACCEPT;
        let (Ok(number), true, Kind::Folder) = (number.parse(), is_named, kind) else { continue };
        let folder = folder.join(&name).expect("a name found in a folder");
        let journal = Journal::read(tree, &folder.join("journal").expect("a plain name"))?;
        runs.push(Run { number, kb, folder, journal });
    }
    runs.sort_by_key(|run| run.number);
    Ok(runs)
}
