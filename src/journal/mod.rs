//! Journal of a run: its few records, safe across a crash.
//!
//! A journal is a text file in the run's directory, only ever appended to. Each record is one line:
//!
//! ```text
//! <number, from 1> <checksum, 16 hexadecimal digits> <record, one line of JSON>
//! ```
//!
//! The checksum is the beginning of the SHA-256 over the checksum of the line before, the number
//! and the JSON, so a line can neither change nor move unseen. At most the last line can be torn by
//! a crash; it is then as if it had not been written. Anything else that does not check is damage,
//! which is reported and never guessed at.
//!
//! The journal records *that* a run has to be finished, and in which direction. Only the slots show
//! how far it got.

mod state;
mod writer;

use std::io;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::tree::{DiskError, Tree};
use crate::names::{Digest, RelPath};
use crate::plan::PlannedRollup;

pub use state::{
    Damaged, Quarantine, Run, RunState, next_number, quarantined, runs, sound_and_damaged,
};
pub use writer::{RESERVE, Writer};

/// Version of the journal's format.
pub const FORMAT: u32 = 1;
/// Length of the longest journal that is read, in bytes.
const LONGEST: u64 = 64 * 1024 * 1024;

/// Record in one line of the journal, with the time at which it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Time, UTC.
    pub at: String,
    /// The record.
    #[serde(flatten)]
    pub record: Record,
}

/// Record of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    Committing,
    /// Answer to a manual step.
    Confirmed {
        /// The step's id.
        step: String,
        /// Person who answered.
        by: String,
        /// The answer.
        answer: Answer,
    },
    /// New direction of an unfinished run from here on.
    Turned {
        /// The direction.
        direction: Direction,
        /// Reason.
        why: String,
    },
    /// Start of the rollback of a finished run.
    Reopened {
        /// Reason.
        why: String,
        /// Unmanaged files that will move along, as they were found then.
        unmanaged: Vec<RelPath>,
    },
    /// End of the run: clean.
    Closed {
        /// Outcome of the run.
        outcome: Outcome,
        /// Measured digest of the objects at the live paths.
        measured: Digest,
        /// Person and reason, if it was closed in its current state.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        accepted: Option<Accepted>,
    },
}

/// Person who accepted the current state, and the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// Person.
    pub by: String,
    /// Reason, in their words.
    pub reason: String,
    /// The live paths that the run left empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub empty: Vec<Emptied>,
}

/// Live path whose object a run moved to its slot, and at which nothing existed any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Emptied {
    /// The live path.
    pub live: RelPath,
    /// Path in the slot at which the object is kept.
    pub kept: RelPath,
}

/// The first record of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// Format version, [`FORMAT`].
    pub format: u32,
    /// Version of the program.
    pub tool: String,
    /// User who started the run.
    pub user: String,
    /// Machine on which it was started.
    pub host: String,
    /// Subject of the run: enough for later runs, without this one's plan.
    #[serde(flatten)]
    pub about: About,
    /// Digest of the plan.
    pub plan: Digest,
    /// The `confirm` prerequisites that were answered with yes, by id.
    pub confirmed: Vec<String>,
}

/// Subject of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A rollup.
    Rollup(PlannedRollup),
    /// Accepted drift: the state on disk counts as correct.
    Accept {
        /// Reason.
        reason: String,
    },
}

/// Direction of a run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the planned state.
    Forward,
    /// To the state before.
    Back,
}

/// What was said at a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It is done.
    Done,
    /// It was optional, and left out.
    Skipped,
    /// On the way back: it is taken back.
    TakenBack,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The planned state stands.
    Applied,
    /// The state before stands again.
    Undone,
    /// Somebody took what stands for true, wherever the run had got to.
    Accepted,
}

/// Reason why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Damage: a line was changed, lost or moved.
    #[error("the journal `{path}` is damaged in line {line}: {what}")]
    Damaged {
        /// Path of the journal.
        path: String,
        /// The line, from 1.
        line: usize,
        /// Description of the damage.
        what: &'static str,
    },
    /// Journal of a later version.
    #[error("the journal `{path}` has format {format}; this rollup understands format {FORMAT}")]
    TooNew {
        /// Path of the journal.
        path: String,
        /// Its format.
        format: u32,
    },
    /// Error of the disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Journal as it was read: the good records, and where they end.
#[derive(Debug, Default)]
pub struct Journal {
    /// The records, oldest first.
    pub entries: Vec<Entry>,
    /// Bytes of the good lines; what follows is torn.
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
            match journal.take_in(text, line) {
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

    fn take_in(&mut self, line: &[u8], number: usize) -> Result<(), LineError> {
        let damaged = |what| LineError::Damaged(number, what);
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
            return Err(damaged("its checksum does not fit"));
        }
        if let Some(format) = later_format(json) {
            return Err(LineError::TooNew(format));
        }
        let entry = serde_json::from_str(json).map_err(|_| damaged("its record is unknown"))?;
        self.entries.push(entry);
        self.last = sum.to_owned();
        Ok(())
    }

    /// Returns the last good record.
    pub fn last(&self) -> Option<&Record> {
        self.entries.last().map(|entry| &entry.record)
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

    /// Returns the rollup that the run is of; `None` for a run that accepts drift.
    pub fn rollup(&self) -> Option<&PlannedRollup> {
        match &self.opened()?.about {
            About::Rollup(rollup) => Some(rollup),
            About::Accept { .. } => None,
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

/// Returns the format of a record if it is later than [`FORMAT`], without reading the rest of the
/// record.
fn later_format(json: &str) -> Option<u32> {
    #[derive(Deserialize)]
    struct Format {
        format: Option<u32>,
    }
    serde_json::from_str::<Format>(json)
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
            LineError::Damaged(line, what) => JournalError::Damaged { path, line, what },
            LineError::TooNew(format) => JournalError::TooNew { path, format },
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
            let json = serde_json::to_string(&Entry {
                at: "now".to_owned(),
                record,
            })
            .expect("a plain record");
            last = checksum(&last, at + 1, &json);
            format!("{} {last} {json}\n", at + 1)
        });
        lines.collect()
    }

    fn three() -> Vec<String> {
        let closed = Record::Closed {
            outcome: Outcome::Applied,
            measured: Digest::of(b""),
            accepted: None,
        };
        lines(vec![
            Record::Staged {
                new: Digest::of(b""),
            },
            Record::Committing,
            closed,
        ])
    }

    #[test]
    fn a_whole_journal_is_read() {
        let journal = Journal::parse(three().concat().as_bytes()).expect("it is whole");
        assert_eq!(journal.entries.len(), 3);
    }

    #[test]
    fn the_last_line_may_be_torn_anywhere() {
        let lines = three();
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
        let lines = three();
        for (at, _) in lines[0].bytes().enumerate() {
            let mut bytes = lines.concat().into_bytes();
            bytes[at] ^= 0x01;
            assert!(
                Journal::parse(&bytes).is_err(),
                "byte {at} was changed unseen"
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
