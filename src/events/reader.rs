//! Reader of the lines, which accepts a file in any condition.

use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::{Happened, Line, SCHEMA, path_of};
use crate::deployment::tree::Tree;

/// Longest file that is read, in bytes; the rest is reported as missing.
const LONGEST: u64 = 128 * 1024 * 1024;
/// Longest line, in bytes.
const LONGEST_LINE: u64 = 16 * 1024 * 1024;

/// Events of a run as far as they can be read, and the extent of what cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Lines that are understood, in order.
    #[serde(skip)]
    pub lines: Vec<Line>,
    /// Reason why the file does not exist or cannot be read.
    pub absent: Option<String>,
    /// True if the file does not end with a complete line.
    pub torn: bool,
    /// Number of lines that are not event lines.
    pub damaged: u64,
    /// Number of lines of a later version, or with an event that this version does not know.
    pub unknown: u64,
    /// Number of lines in the older form, which had no `began`.
    pub older: u64,
    /// True if the file is longer than what is read of it.
    pub cut: bool,
}

/// Reads the events of a run. Nothing in their contents makes it fail.
pub fn read(tree: &Tree, run: &str) -> Events {
    let absent = |why: String| Events {
        absent: Some(why),
        ..Events::default()
    };
    let Some(at) = path_of(run) else {
        return absent("it has no such name".to_owned());
    };
    match tree.file(&at) {
        Ok(file) => Events::parse(BufReader::new(file)),
        Err(error) if error.is_missing() => absent("there are none".to_owned()),
        Err(error) => absent(error.source.to_string()),
    }
}

impl Events {
    /// Reads lines from a text.
    pub fn parse(text: impl BufRead) -> Self {
        let mut events = Self::default();
        let mut text = text.take(LONGEST);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A line that is too long is read in pieces, each of which counts as damaged.
            match text
                .by_ref()
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut line)
            {
                Ok(0) => break,
                Ok(_) => events.take_in(&line),
                Err(error) => {
                    events.absent = Some(format!("they cannot be read to their end: {error}"));
                    break;
                }
            }
        }
        events.cut = text.limit() == 0;
        events
    }

    fn take_in(&mut self, line: &[u8]) {
        let is_whole = line.ends_with(b"\n") || line.len() as u64 == LONGEST_LINE;
        if line.trim_ascii().is_empty() {
            return;
        }
        match sort(line) {
            Sorted::Line(line) => self.lines.push(*line),
            Sorted::Older(line) => {
                self.older += 1;
                self.lines.extend(line.map(|line| *line));
            }
            Sorted::Unknown => self.unknown += 1,
            Sorted::Damaged if !is_whole => self.torn = true,
            Sorted::Damaged => self.damaged += 1,
        }
    }
}

enum Sorted {
    Line(Box<Line>),
    /// Line in the form before `began`; kept if it still has the same meaning.
    Older(Option<Box<Line>>),
    Unknown,
    Damaged,
}

fn sort(line: &[u8]) -> Sorted {
    /// Keys that every line has, in any version.
    #[derive(Deserialize)]
    struct Any {
        event: String,
        schema: Option<u64>,
    }
    let Ok(any) = serde_json::from_slice::<Any>(line) else {
        return Sorted::Damaged;
    };
    if any.schema.is_some_and(|schema| schema > u64::from(SCHEMA)) {
        return Sorted::Unknown;
    }
    match (serde_json::from_slice::<Line>(line), any.event.as_str()) {
        (_, "operation") => Sorted::Older(None),
        (Ok(line), _) => match line.happened {
            Happened::Ended { ref exit, .. } if exit.is_empty() => {
                Sorted::Older(Some(Box::new(line)))
            }
            _ => Sorted::Line(Box::new(line)),
        },
        (
            Err(_),
            "began" | "opened" | "staged" | "backed-up" | "committing" | "step" | "swap" | "sync",
        ) => Sorted::Damaged,
        (
            Err(_),
            "asked" | "answered" | "turned" | "restart-due" | "notice" | "compared" | "closed"
            | "ended",
        ) => Sorted::Damaged,
        (Err(_), _) => Sorted::Unknown,
    }
}
