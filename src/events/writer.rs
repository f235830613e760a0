//! Writer of the lines: one write for each, never synced, and never a reason to fail.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::time::Instant;

use super::{Event, EventLine};
use crate::deployment::locked::side_file;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::Tree;
use crate::names::RelPath;
use crate::run::event::micros;

/// Appends lines to the events of a run.
pub struct EventWriter {
    file: File,
    begun: Instant,
    /// True if the last line is incomplete, from an earlier command or because the disk was full.
    torn: bool,
    dropped: Option<DroppedEvents>,
}

/// Lines that could not be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedEvents {
    /// Number of lines.
    pub lines: u64,
    /// Reason why the first of them could not be written.
    pub why: String,
}

impl EventWriter {
    /// Opens the events of a run, or returns `None` if that is not possible. The clock of its lines
    /// started at `begun`.
    pub fn open(tree: &Tree, run: &str, begun: Instant) -> Option<Self> {
        let at = ROLLUP_DIR.run(run).events();
        let torn = is_torn(tree, &at);
        Some(Self {
            file: side_file(tree, &at)?,
            begun,
            torn,
            dropped: None,
        })
    }

    /// Writes a line.
    pub fn write(&mut self, event: &Event) {
        let at = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
            .to_string();
        let line = EventLine {
            at,
            elapsed_us: micros(self.begun.elapsed()),
            event: event.clone(),
        };
        let Ok(json) = serde_json::to_string(&line) else {
            return;
        };
        // Start a new line after a torn one, so that only the torn one is lost.
        let text = format!("{}{json}\n", if self.torn { "\n" } else { "" });
        let written = self.file.write_all(text.as_bytes());
        self.torn = written.is_err();
        if let Err(error) = written {
            self.dropped
                .get_or_insert_with(|| DroppedEvents {
                    lines: 0,
                    why: error.to_string(),
                })
                .lines += 1;
        }
    }

    /// Returns the lines that could not be written so far.
    pub fn dropped(&self) -> Option<&DroppedEvents> {
        self.dropped.as_ref()
    }
}

fn is_torn(tree: &Tree, at: &RelPath) -> bool {
    let last = || {
        let mut file = tree.file(at).ok()?;
        file.seek(SeekFrom::End(-1)).ok()?;
        let mut last = [0];
        file.read_exact(&mut last).ok()?;
        Some(last[0])
    };
    last().is_some_and(|last| last != b'\n')
}
