//! Journal of a run: its few records, safe across a crash.
//!
//! A journal is a text file in the run's directory, only ever appended to. Each record is one line:
//!
//! ```text
//! <number, from 1> <checksum, 16 hexadecimal digits> <record, one line of JSON>
//! ```
//!
//! The checksum is the beginning of the SHA-256 over the checksum of the line before, the number
//! and the JSON, so no change or move of a line stays undetected. At most the last line can be torn
//! by a crash; it then counts as not written. Any other line that fails a check is damage, which is
//! reported and never repaired by guessing.
//!
//! The journal records *that* a run has to be finished, and in which direction. Only the slots show
//! how far it got.

mod pending;
mod progress;
mod signatures;
mod state;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::newer::NewerFormat;
use crate::deployment::tree::{DiskError, Tree};
use crate::names::{Digest, Kb, RelPath};
use crate::plan::PlannedRollup;

pub use pending::{PendingAction, pending_actions};
pub use progress::{SwapState, read_plan, slots_are_closed, state_of_names, swap_state};
pub use signatures::{RecordedApproval, RunSignatures, Signer};
pub use state::{
    Damaged, QuarantineNote, Run, RunState, next_count, next_number, quarantined, runs,
};
pub use writer::{JournalWriter, RESERVE};

/// Version of the journal's format.
pub const FORMAT: u32 = 1;
/// Length of the longest journal that is read, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Line of the journal: a record, with the time at which it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct JournalEntry {
    /// Time, UTC.
    pub at: String,
    #[serde(flatten)]
    pub record: Record,
}

/// Record of a journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "record", rename_all = "kebab-case")]
pub enum Record {
    /// First record: the directory is a run.
    Opened(Box<Opened>),
    /// End of staging: everything is on disk and was read back.
    Staged {
        /// SHA-256 over all `new` objects as they were staged.
        new: Digest,
    },
    /// Start of the commit: from here on `resume` or `undo` is required.
    Committing {
        /// Directories that only hold objects: those that the run makes before its first rename,
        /// and those of earlier runs that it uses. A rollback removes the empty ones.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        containers: Vec<RelPath>,
        /// Unmanaged files and directories that will move along, as found at this time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unmanaged: Vec<RelPath>,
    },
    /// Answer to a manual step.
    Confirmed {
        /// Id of the step.
        step: String,
        /// User who answered; absent if no person was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Source of the answer; absent from journals of earlier versions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<AnswerSource>,
        answer: Answer,
    },
    /// Change of the direction of an unfinished run.
    Turned {
        direction: Direction,
        /// Reason for the change.
        why: String,
        /// Unmanaged files and directories in the objects of the run, as found at this time.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unmanaged: Vec<RelPath>,
    },
    /// Start of the rollback of a finished run.
    Reopened {
        /// Reason for the rollback.
        why: String,
        /// Unmanaged files and directories that will move along, as found at this time.
        unmanaged: Vec<RelPath>,
        /// Measured digest of the objects at the live paths: a failing rollback goes forward to it.
        measured: Digest,
        /// True if managed files that have changed go back with their objects.
        #[serde(default)]
        discard_changes: bool,
    },
    /// End of the run: the deployment is clean.
    Closed {
        outcome: Outcome,
        /// Measured digest of the objects at the live paths.
        measured: Digest,
        /// User and reason, if the run was closed in its current state.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<Accepted>,
        /// Parts of the run that a rollback left for later runs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        left: Option<LeftBehind>,
        /// Unmanaged files and directories that the run had listed, and that are not in their place
        /// at its end.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        missing: Vec<RelPath>,
        #[serde(flatten)]
        restarts: Restarts,
    },
    /// The user did restarts that were pending after the run was closed.
    Acknowledged {
        /// Name of the user.
        by: String,
        /// Restarts that are no longer pending.
        actions: BTreeSet<PendingAction>,
    },
}

/// Restarts at the end of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Restarts {
    /// Position of this end among those of all runs, from 1; 0 in journals of earlier versions.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub count: u64,
    /// Restarts that a person still has to do.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<PendingAction>,
    /// Services that the run itself started, on their servers.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub done: BTreeSet<PendingAction>,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Parts of a run that its rollback left, because later runs need them. The undo of the last of
/// these runs takes them away.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftBehind {
    /// Service records that the run had made.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<RelPath>,
    /// Containers that it had made, and that were not empty.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub containers: BTreeSet<RelPath>,
    /// Number of the newest run at that time: later ones found these parts as they are.
    pub newest: u32,
}

/// User who accepted the current state of a run, and their reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Accepted {
    /// Name of the user.
    pub by: String,
    /// Reason, in the user's words.
    pub reason: String,
    /// Live paths that the run left empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<EmptiedPath>,
}

/// Live path that was empty when its run was closed, because its object had moved to a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmptiedPath {
    pub live: RelPath,
    /// Path in the slot at which the object is kept.
    pub kept: RelPath,
}

/// First record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opened {
    /// Version of the format, [`FORMAT`].
    pub format: u32,
    /// Version of rollup.
    pub tool: String,
    /// User who started the run.
    pub user: String,
    /// Host on which the run was started.
    pub host: String,
    /// Subject of the run. Later runs read it without the plan of this one.
    #[serde(flatten)]
    pub subject: RunSubject,
    pub plan: Digest,
    /// Ids of the `confirm` prerequisites that were answered with yes.
    pub confirmed: Vec<String>,
    /// Options of the command, which later commands follow unless they are given others.
    #[serde(default, skip_serializing_if = "AskedOptions::is_default")]
    pub options: AskedOptions,
    /// Signatures that the run was begun with.
    #[serde(default, skip_serializing_if = "RunSignatures::is_empty")]
    pub signatures: RunSignatures,
}

/// Options of the command that began a run, so far as they outlive it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedOptions {
    /// Directory for the backup of the files that will be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_dir: Option<PathBuf>,
    /// Step before which the run stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_before: Option<String>,
    /// True if the run stays open after a failure.
    #[serde(default)]
    pub stop_on_failure: bool,
}

impl AskedOptions {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Subject of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RunSubject {
    /// Rollup that the run applies.
    Rollup(PlannedRollup),
    /// Drift that the run accepts: the state on disk becomes the recorded state.
    Accept {
        /// Reason that the user gave.
        reason: String,
        /// Rollup that the run records as applied by hand, if it does.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        applied: Option<Kb>,
    },
}

/// Direction of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Towards the planned state.
    Forward,
    /// Towards the state before the run.
    Back,
}

/// Answer to a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The step is done.
    Done,
    /// The step is optional and was skipped.
    Skipped,
    /// The step was undone by hand during a rollback.
    RolledBack,
}

/// Source of an answer to a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AnswerSource {
    /// A person at a prompt.
    Terminal,
    /// The option `--done`.
    CommandLine,
    /// A rehearsal, in which every manual step counts as done.
    Rehearsal,
    /// No person was asked: there is no terminal, and the step is optional.
    NoTerminal,
    /// The slots: the journal was lost, and they show that the run went on behind the step.
    Slots,
}

impl AnswerSource {
    /// Returns whether a person gave the answer.
    pub fn is_person(self) -> bool {
        matches!(self, Self::Terminal | Self::CommandLine)
    }
}

/// Outcome of a closed run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The planned state is reached.
    Applied,
    /// The state before the run is restored.
    Undone,
    /// The run was closed unfinished, and the current state was accepted.
    Accepted,
}

/// Fault that makes a journal unusable.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Damage: a line was changed, lost or moved.
    #[error("the journal `{path}` is damaged in line {line}: {damage}")]
    Damaged {
        path: String,
        /// Number of the line, from 1.
        line: usize,
        damage: &'static str,
    },
    /// Directory of all runs, which is made together with `.rollup` and is never removed.
    #[error("`{path}` is missing: the records of all runs are lost")]
    Missing { path: String },
    /// Journal of a newer version of rollup.
    #[error("the journal `{path}` {format}")]
    TooNew { path: String, format: NewerFormat },
    /// Failed disk operation.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Journal as it was read: its good records, and the end of the last one.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    /// Records, oldest first.
    pub entries: Vec<JournalEntry>,
    /// Bytes of the good lines; a torn line may follow them.
    good: u64,
    /// Checksum of the last good line.
    last: String,
}

impl Journal {
    /// Reads the journal of a run; one that does not exist is empty.
    pub fn read(tree: &Tree, at: &RelPath) -> Result<Self, JournalError> {
        let text = match tree.file(at) {
            Err(error) if error.is_missing() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
            Ok(file) => {
                let mut bytes = Vec::new();
                let read = io::Read::read_to_end(&mut io::Read::take(file, LONGEST), &mut bytes);
                read.map_err(|e| DiskError::new("read", tree.shown(Some(at)), e))?;
                bytes
            }
        };
        Self::parse(&text).map_err(|fault| fault.at(tree.shown(Some(at))))
    }

    fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        let mut journal = Self::default();
        let mut left = bytes;
        while !left.is_empty() {
            let line = journal.entries.len() + 1;
            let Some(end) = left.iter().position(|&byte| byte == b'\n') else {
                return Ok(journal);
            };
            let (text, rest) = (&left[..end], &left[end + 1..]);
            match journal.read_line(text, line) {
                Ok(()) => {}
                // Only the last line can be torn, and a torn one may still end in a newline of
                // an earlier write when the disk lost its middle.
                Err(LineError::Damaged(..)) if rest.is_empty() => return Ok(journal),
                Err(fault) => return Err(fault),
            }
            journal.good += end as u64 + 1;
            left = rest;
        }
        Ok(journal)
    }

    fn read_line(&mut self, line: &[u8], number: usize) -> Result<(), LineError> {
        let damaged = |damage| LineError::Damaged(number, damage);
        let text = str::from_utf8(line).map_err(|_| damaged("it is not text"))?;
        let mut fields = text.splitn(3, ' ');
        let (Some(count), Some(sum), Some(json)) = (fields.next(), fields.next(), fields.next())
        else {
            return Err(damaged("it is not a record"));
        };
        if count != number.to_string() {
            return Err(damaged("its number is not the next one"));
        }
        if sum != checksum(&self.last, number, json) {
            return Err(damaged("its checksum does not match"));
        }
        if let Some(format) = later_format(json) {
            return Err(LineError::TooNew(format));
        }
        let entry = serde_json::from_str(json).map_err(|_| damaged("its record is unknown"))?;
        self.entries.push(entry);
        self.last = sum.to_owned();
        Ok(())
    }

    /// Returns the last good record that says how far the run is.
    pub fn last(&self) -> Option<&Record> {
        let mut records = self.entries.iter().rev().map(|entry| &entry.record);
        records.find(|record| !matches!(record, Record::Acknowledged { .. }))
    }

    /// Returns the containers of the run, parents first; see [`Record::Committing`].
    pub fn containers(&self) -> &[RelPath] {
        let committing = self.entries.iter().find_map(|entry| match &entry.record {
            Record::Committing { containers, .. } => Some(containers.as_slice()),
            _ => None,
        });
        committing.unwrap_or_default()
    }

    /// Returns the parts that the rollback of the run left, if it was rolled back.
    pub fn left_behind(&self) -> Option<&LeftBehind> {
        match self.last()? {
            Record::Closed { left, .. } => left.as_ref(),
            _ => None,
        }
    }

    /// Returns the unmanaged entries that the run listed since it was begun, or reopened.
    pub fn unmanaged(&self) -> BTreeSet<&RelPath> {
        let mut listed = BTreeSet::new();
        for entry in &self.entries {
            match &entry.record {
                Record::Reopened { unmanaged, .. } => listed = unmanaged.iter().collect(),
                Record::Committing { unmanaged, .. } | Record::Turned { unmanaged, .. } => {
                    listed.extend(unmanaged);
                }
                _ => {}
            }
        }
        listed
    }

    /// Returns the unmanaged entries that the run listed later than at the start of its commit: they
    /// appeared since.
    pub fn appeared(&self) -> BTreeSet<&RelPath> {
        let at_first = self.entries.iter().find_map(|entry| match &entry.record {
            Record::Committing { unmanaged, .. } => Some(unmanaged),
            _ => None,
        });
        let mut appeared = self.unmanaged();
        appeared.retain(|entry| at_first.is_none_or(|at_first| !at_first.contains(entry)));
        appeared
    }

    /// Returns the measured digest that the rollback of a finished run found, and whether it discards
    /// changes.
    pub fn reopened(&self) -> Option<(Digest, bool)> {
        self.entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.record {
                Record::Reopened {
                    measured,
                    discard_changes,
                    ..
                } => Some((*measured, *discard_changes)),
                _ => None,
            })
    }

    /// Returns the unmanaged entries that were not in their place when the run was closed.
    pub fn missing(&self) -> &[RelPath] {
        match self.last() {
            Some(Record::Closed { missing, .. }) => missing,
            _ => &[],
        }
    }

    /// Returns the latest answer to a manual step, if there is one.
    pub fn confirmed(&self, step: &str) -> Option<Answer> {
        self.entries
            .iter()
            .rev()
            .find_map(|entry| match &entry.record {
                Record::Confirmed {
                    step: named,
                    answer,
                    ..
                } if named == step => Some(*answer),
                _ => None,
            })
    }

    /// Returns whether a person has rolled a step back by hand, and not done it again.
    pub fn is_undone_by_hand(&self, step: &str) -> bool {
        self.confirmed(step) == Some(Answer::RolledBack)
    }

    /// Returns the latest answers, by the ids of their steps.
    pub fn answers(&self) -> BTreeMap<&str, Answer> {
        let mut answers = BTreeMap::new();
        for entry in &self.entries {
            if let Record::Confirmed { step, answer, .. } = &entry.record {
                answers.insert(step.as_str(), *answer);
            }
        }
        answers
    }

    /// Returns the source of the latest answer to a manual step, if it is recorded.
    pub fn answer_source(&self, step: &str) -> Option<AnswerSource> {
        let mut records = self.entries.iter().rev().map(|entry| &entry.record);
        records.find_map(|record| match record {
            Record::Confirmed {
                step: named, from, ..
            } if named == step => Some(*from),
            _ => None,
        })?
    }

    /// Returns the rollup that the run applies; `None` for a run that accepts drift.
    pub fn rollup(&self) -> Option<&PlannedRollup> {
        match &self.opened()?.subject {
            RunSubject::Rollup(rollup) => Some(rollup),
            RunSubject::Accept { .. } => None,
        }
    }

    /// Returns the record that opened the run.
    pub fn opened(&self) -> Option<&Opened> {
        match &self.entries.first()?.record {
            Record::Opened(opened) => Some(opened),
            _ => None,
        }
    }
}

/// Returns the format of a record if it is later than [`FORMAT`]. Reads no other field, because a
/// later format may have changed them.
fn later_format(json: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct JournalFormat {
        format: Option<u32>,
    }
    serde_json::from_str::<JournalFormat>(json)
        .ok()?
        .format
        .filter(|&format| format > FORMAT)
}

#[derive(Debug)]
enum LineError {
    Damaged(usize, &'static str),
    TooNew(u32),
}

impl LineError {
    fn at(self, path: String) -> JournalError {
        match self {
            LineError::Damaged(line, damage) => JournalError::Damaged { path, line, damage },
            LineError::TooNew(found) => JournalError::TooNew {
                path,
                format: NewerFormat {
                    word: "format",
                    found,
                    known: FORMAT,
                },
            },
        }
    }
}

fn checksum(last: &str, number: usize, json: &str) -> String {
    Digest::of(format!("{last} {number} {json}").as_bytes()).to_string()[..16].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(records: Vec<Record>) -> Vec<String> {
        let mut last = String::new();
        let lines = records.into_iter().enumerate().map(|(at, record)| {
            let json = serde_json::to_string(&JournalEntry {
                at: "now".to_owned(),
                record,
            })
            .expect("a plain record");
            last = checksum(&last, at + 1, &json);
            format!("{} {last} {json}\n", at + 1)
        });
        lines.collect()
    }

    fn three_lines() -> Vec<String> {
        let closed = Record::Closed {
            outcome: Outcome::Applied,
            measured: Digest::of(b""),
            accepted: None,
            left: None,
            missing: Vec::new(),
            restarts: Restarts::default(),
        };
        lines(vec![
            Record::Staged {
                new: Digest::of(b""),
            },
            Record::Committing {
                containers: Vec::new(),
                unmanaged: Vec::new(),
            },
            closed,
        ])
    }

    #[test]
    fn a_whole_journal_is_read() {
        let journal = Journal::parse(three_lines().concat().as_bytes()).expect("it is whole");
        assert_eq!(journal.entries.len(), 3);
    }

    #[test]
    fn each_step_has_the_source_of_its_own_latest_answer() {
        let answer = |step: &str, from| Record::Confirmed {
            step: step.to_owned(),
            by: None,
            from: Some(from),
            answer: Answer::Done,
        };
        let records = lines(vec![
            answer("first", AnswerSource::Terminal),
            answer("first", AnswerSource::CommandLine),
            answer("second", AnswerSource::NoTerminal),
        ]);
        let journal = Journal::parse(records.concat().as_bytes()).expect("it is whole");
        assert_eq!(
            ["first", "second", "third"].map(|step| journal.answer_source(step)),
            [
                Some(AnswerSource::CommandLine),
                Some(AnswerSource::NoTerminal),
                None
            ]
        );
    }

    #[test]
    fn the_last_line_may_be_torn_anywhere() {
        let lines = three_lines();
        let (whole, torn) = (lines[..2].concat(), &lines[2]);
        for length in 0..torn.len() {
            let journal = Journal::parse(format!("{whole}{}", &torn[..length]).as_bytes())
                .expect("only torn");
            assert_eq!(journal.entries.len(), 2, "torn after {length} bytes");
            assert_eq!(journal.good as usize, whole.len());
        }
    }

    #[test]
    fn damage_in_the_middle_is_refused() {
        let lines = three_lines();
        for (at, _) in lines[0].bytes().enumerate() {
            let mut bytes = lines.concat().into_bytes();
            bytes[at] ^= 0x01;
            assert!(
                Journal::parse(&bytes).is_err(),
                "the change of byte {at} was not detected"
            );
        }
        assert!(Journal::parse([&lines[1][..], &lines[0], &lines[2]].concat().as_bytes()).is_err());
        assert!(Journal::parse([&lines[0][..], &lines[2], &lines[2]].concat().as_bytes()).is_err());
    }

    #[test]
    fn a_later_format_is_named() {
        let json = r#"{"at":"now","record":"opened","format":2,"news":true}"#;
        let text = format!("1 {} {json}\n", checksum("", 1, json));
        assert!(matches!(
            Journal::parse(text.as_bytes()),
            Err(LineError::TooNew(2))
        ));
    }
}
