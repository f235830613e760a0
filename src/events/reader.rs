//! Reader of the lines, which accepts a damaged file.

use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::{EventLine, SCHEMA};
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::Tree;

/// Maximum number of bytes that are read; the rest is reported as missing.
const MAX_FILE_BYTES: u64 = 128 * 1024 * 1024;
/// Maximum length of a line, in bytes.
const MAX_LINE_BYTES: u64 = 16 * 1024 * 1024;

/// Events of a run as far as they can be read, with the extent of the unreadable part.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Lines that are understood, in order.
    #[serde(skip)]
    pub lines: Vec<EventLine>,
    /// Reason why the file does not exist or cannot be read.
    pub absent: Option<String>,
    /// True if the file does not end with a complete line.
    pub torn: bool,
    /// Number of lines that are not event lines.
    pub damaged: u64,
    /// Number of lines of a later version, or with an event that this version does not know.
    pub unknown: u64,
    /// True if the file is too long to be read completely.
    pub cut: bool,
}

/// Reads the events of a run. Nothing in their contents makes it fail.
pub fn read(tree: &Tree, run: &str) -> Events {
    let absent = |why: String| Events {
        absent: Some(why),
        ..Events::default()
    };
    match tree.file(&ROLLUP_DIR.run(run).events()) {
        Ok(file) => Events::parse(BufReader::new(file)),
        Err(error) if error.is_missing() => absent("there are none".to_owned()),
        Err(error) => absent(error.source.to_string()),
    }
}

impl Events {
    /// Reads lines from a text.
    pub fn parse(text: impl BufRead) -> Self {
        let mut events = Self::default();
        let mut text = text.take(MAX_FILE_BYTES);
        let mut line = Vec::new();
        loop {
            line.clear();
            // A line that is too long is read in pieces, each of which counts as damaged.
            match text
                .by_ref()
                .take(MAX_LINE_BYTES)
                .read_until(b'\n', &mut line)
            {
                Ok(0) => break,
                Ok(_) => events.add_line(&line),
                Err(error) => {
                    events.absent = Some(format!("they cannot be read completely: {error}"));
                    break;
                }
            }
        }
        events.cut = text.limit() == 0;
        events
    }

    fn add_line(&mut self, line: &[u8]) {
        let is_complete = line.ends_with(b"\n") || line.len() as u64 == MAX_LINE_BYTES;
        if line.trim_ascii().is_empty() {
            return;
        }
        match parse_line(line) {
            ParsedLine::Line(line) => self.lines.push(*line),
            ParsedLine::Unknown => self.unknown += 1,
            ParsedLine::Damaged if !is_complete => self.torn = true,
            ParsedLine::Damaged => self.damaged += 1,
        }
    }
}

enum ParsedLine {
    Line(Box<EventLine>),
    Unknown,
    Damaged,
}

fn parse_line(line: &[u8]) -> ParsedLine {
    /// Keys of a line in any version.
    #[derive(Deserialize)]
    struct CommonKeys {
        #[serde(rename = "event")]
        _event: String,
        schema: Option<u64>,
    }
    let Ok(keys) = serde_json::from_slice::<CommonKeys>(line) else {
        return ParsedLine::Damaged;
    };
    if keys.schema.is_some_and(|schema| schema > u64::from(SCHEMA)) {
        return ParsedLine::Unknown;
    }
    match serde_json::from_slice::<EventLine>(line) {
        Ok(line) => ParsedLine::Line(Box::new(line)),
        Err(error) if error.to_string().starts_with("unknown variant") => ParsedLine::Unknown,
        Err(_) => ParsedLine::Damaged,
    }
}
