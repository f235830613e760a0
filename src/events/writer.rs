//! Writer of the lines: one write for each, on a thread of its own, never synced, and never a
//! reason to fail or to wait.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::queue::{QueueWriter, STALL_LIMIT, WriterQueue};
use super::{Event, EventLine};
use crate::deployment::locked::{LockedDeployment, side_file};
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::Tree;
use crate::names::RelPath;
use crate::run::event::micros;

/// Most lines that wait for the disk: a run has about one for each operation.
const MOST_WAITING: usize = 65_536;

/// Appends lines to the events of a run.
pub struct EventWriter {
    queue: WriterQueue<EventLine>,
    begun: Instant,
    pace: Pace,
    failed: Arc<Mutex<Option<DroppedEvents>>>,
}

/// Relation between a run and the threads that write its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// The run never waits.
    Queued,
    /// The run waits for every line, so that a process that is killed at a change of the disk has
    /// always written the same.
    Sequential,
}

impl Pace {
    /// Returns the pace of a run: sequential with a fault injector attached.
    pub fn of(disk: &LockedDeployment) -> Self {
        if disk.has_injector() {
            Self::Sequential
        } else {
            Self::Queued
        }
    }
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
    pub fn open(tree: &Tree, run: &str, begun: Instant, pace: Pace) -> Option<Self> {
        let at = ROLLUP_DIR.run(run).events();
        let torn = is_torn(tree, &at);
        let failed = Arc::default();
        let file = EventFile {
            file: side_file(tree, &at)?,
            torn,
            failed: Arc::clone(&failed),
        };
        Some(Self {
            queue: WriterQueue::spawn("events", MOST_WAITING, file),
            begun,
            pace,
            failed,
        })
    }

    /// Adds a line with the time of this call.
    pub fn write(&mut self, event: &Event) {
        let at = jiff::Timestamp::now()
            .strftime("%Y-%m-%dT%H:%M:%S%.6fZ")
            .to_string();
        // A line that does not fit is counted by the queue.
        let _ = self.queue.offer(EventLine {
            at,
            elapsed_us: micros(self.begun.elapsed()),
            event: event.clone(),
        });
        if self.pace == Pace::Sequential {
            self.queue.drain(STALL_LIMIT);
        }
    }

    /// Adds the last line, and before it a notice if lines are missing. Waits until everything is
    /// written, or the disk takes nothing for [`STALL_LIMIT`]. Returns the lines that could not be
    /// written.
    pub fn finish(mut self, ended: &Event) -> Option<DroppedEvents> {
        let limit = match self.queue.drain(STALL_LIMIT) {
            0 => STALL_LIMIT,
            _ => Duration::ZERO,
        };
        if let Some(DroppedEvents { lines, why }) = self.dropped(0) {
            let text = format!("{lines} of the lines before could not be written: {why}");
            self.write(&Event::Notice { text });
        }
        self.write(ended);
        let unwritten = self.queue.drain(limit);
        self.dropped(unwritten)
    }

    fn dropped(&self, unwritten: u64) -> Option<DroppedEvents> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let not_taken = self.queue.dropped() + unwritten;
        let why = match &*failed {
            Some(failed) => failed.why.clone(),
            None if not_taken == 0 => return None,
            None if self.queue.is_dead() => "their thread has ended".to_owned(),
            None => "the disk did not take them in time".to_owned(),
        };
        let failed = failed.as_ref().map_or(0, |failed| failed.lines);
        Some(DroppedEvents {
            lines: failed + not_taken,
            why,
        })
    }
}

/// File that the thread writes to.
struct EventFile {
    file: File,
    /// True if the last line is incomplete, from an earlier command or because the disk was full.
    torn: bool,
    failed: Arc<Mutex<Option<DroppedEvents>>>,
}

impl QueueWriter<EventLine> for EventFile {
    fn write(&mut self, line: EventLine) {
        let Ok(json) = serde_json::to_string(&line) else {
            return;
        };
        // Start a new line after a torn one, so that only the torn one is lost.
        let text = format!("{}{json}\n", if self.torn { "\n" } else { "" });
        let written = self.file.write_all(text.as_bytes());
        self.torn = written.is_err();
        if let Err(error) = written {
            let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
            let failed = failed.get_or_insert_with(|| DroppedEvents {
                lines: 0,
                why: error.to_string(),
            });
            failed.lines += 1;
        }
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

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn lines_that_a_stalled_disk_does_not_take_are_counted_before_the_last_line() {
        let (mut reader, disk) = std::io::pipe().expect("a pipe");
        let failed = Arc::default();
        let file = EventFile {
            file: File::from(OwnedFd::from(disk)),
            torn: false,
            failed: Arc::clone(&failed),
        };
        let mut events = EventWriter {
            queue: WriterQueue::spawn("events", 2, file),
            begun: Instant::now(),
            pace: Pace::Queued,
            failed,
        };
        // Large enough to fill the pipe at once.
        let text = "x".repeat(1 << 20);
        while events.queue.dropped() < 3 {
            events.write(&Event::Notice { text: text.clone() });
        }
        let read = std::thread::spawn(move || {
            let mut text = String::new();
            reader.read_to_string(&mut text).map(|_| text)
        });
        let dropped = events.finish(&Event::Ended {
            exit_code: 0,
            exit: "ok".to_owned(),
            reasons: Vec::new(),
        });
        let why = "the disk did not take them in time".to_owned();
        assert_eq!(dropped, Some(DroppedEvents { lines: 3, why }));
        let text = read.join().expect("no panic").expect("text");
        let lines: Vec<EventLine> = text
            .lines()
            .map(|line| serde_json::from_str(line).expect("a line"))
            .collect();
        let notice =
            "3 of the lines before could not be written: the disk did not take them in time";
        let [.., before_last, last] = lines.as_slice() else {
            panic!("{} lines", lines.len());
        };
        assert_eq!(
            before_last.event,
            Event::Notice {
                text: notice.to_owned()
            }
        );
        assert!(matches!(last.event, Event::Ended { exit_code: 0, .. }));
        assert!(lines.iter().map(|line| line.elapsed_us).is_sorted());
    }
}
