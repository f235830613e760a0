//! Queue between the commands and the terminal, from the first phase on that is shown.
//!
//! A run never waits for the reader of its output: one thread writes both streams and shows the
//! phases, and lines that it cannot take in time are left out and counted. Results and messages of a
//! command with a run wait for it, but not for a reader that takes nothing for [`STALL_LIMIT`]: the
//! process ends then, and its exit code is the result. A command without a run waits for its reader, be
//! it a pager. Before the first phase, text is written directly.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::display::{self, ShownPhase};
use super::{fitted, out, safe};
use crate::cli::args::ProgressMode;
use crate::events::{QueueWriter, STALL_LIMIT, WriterQueue};
use crate::phase::Phase;

/// Most lines that wait for the terminal: more than a site of 5,000 items prints.
const MOST_WAITING: usize = 16_384;
/// Interval at which a phase is drawn, and at which a prompt looks for a signal.
const TICK: Duration = Duration::from_millis(100);

/// Console of this process, once a phase was shown or a run has begun.
static CONSOLE: OnceLock<Console> = OnceLock::new();

/// Standard stream for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Results,
    /// Standard error.
    Messages,
}

/// True once a run has begun, which waits for no reader.
static HAS_RUN: AtomicBool = AtomicBool::new(false);

/// Queues all further output of this process, which begins a run.
pub(super) fn begin() {
    HAS_RUN.store(true, Ordering::Relaxed);
    CONSOLE.get_or_init(|| Console::new(MOST_WAITING, Terminal::default()));
}

/// Writes a line of a run to standard error, without waiting.
pub(super) fn offer(text: &str) {
    let text = safe::lines(&fitted::to_screen(format!("{text}\n")));
    match CONSOLE.get() {
        Some(console) => console.offer(Stream::Messages, text),
        None => out::write(Stream::Messages, &text),
    }
}

/// Writes text, and waits for a slow reader.
pub(super) fn print(stream: Stream, text: String) {
    match CONSOLE.get() {
        Some(console) => console.print(stream, text),
        None => out::write(stream, &text),
    }
}

/// Begins a phase outside of a run, which is shown until it is dropped.
pub(in crate::cli) fn phase(phase: Phase) -> Arc<Phase> {
    let phase = Arc::new(phase);
    show(&phase);
    phase
}

/// Shows a phase until it is over, in place of the one before.
pub(super) fn show(phase: &Arc<Phase>) {
    if display::mode() != ProgressMode::None {
        let console = CONSOLE.get_or_init(|| Console::new(MOST_WAITING, Terminal::default()));
        // A phase that does not fit is not missed.
        let _ = console
            .queue
            .offer(QueuedOutput::Phase(Arc::downgrade(phase)));
    }
}

/// Removes the phase from the screen.
pub(super) fn hide() {
    if let Some(console) = CONSOLE.get() {
        let _ = console.queue.offer(QueuedOutput::Phase(Weak::new()));
    }
}

/// Waits until everything is written, or the reader takes nothing for [`STALL_LIMIT`]. Returns false
/// if text is lost.
pub(super) fn settle() -> bool {
    CONSOLE.get().is_none_or(Console::settle)
}

/// Waits until everything is written, or `is_cancelled` returns true.
pub(super) fn settle_unless(is_cancelled: impl Fn() -> bool) {
    if let Some(console) = CONSOLE.get() {
        while console.queue.drain(TICK) > 0 && !console.queue.is_dead() && !is_cancelled() {}
    }
}

/// Ends the output of the process: reports lines that were left out, and writes what is left.
pub(crate) fn finish() {
    hide();
    if let Some(console) = CONSOLE.get() {
        if console.left_out.load(Ordering::Relaxed) > 0 {
            console.print(Stream::Messages, String::new());
        }
        console.settle();
    }
}

enum QueuedOutput {
    Text(Stream, String),
    /// Phase to show; none if it is over.
    Phase(Weak<Phase>),
}

struct Console {
    queue: WriterQueue<QueuedOutput>,
    /// Number of texts that were left out since the last one that was not.
    left_out: AtomicU64,
    /// True if the reader has taken nothing for [`STALL_LIMIT`]: it is not waited for again.
    is_stalled: AtomicBool,
}

impl Console {
    fn new(limit: usize, terminal: impl QueueWriter<QueuedOutput>) -> Self {
        Self {
            queue: WriterQueue::spawn("console", limit, terminal),
            left_out: AtomicU64::new(0),
            is_stalled: AtomicBool::new(false),
        }
    }

    fn offer(&self, stream: Stream, text: String) {
        if self.try_add(stream, text).is_err() {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn print(&self, stream: Stream, text: String) {
        let Err(text) = self.try_add(stream, text) else {
            return;
        };
        self.settle();
        let Err(text) = self.try_add(stream, text) else {
            return;
        };
        if self.queue.is_dead() {
            out::write(stream, &text);
        } else {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Adds a text, and before it the number of those that are missing there.
    fn try_add(&self, stream: Stream, text: String) -> Result<(), String> {
        let left_out = self.left_out.load(Ordering::Relaxed);
        if left_out > 0 {
            let lines = out::count_of(left_out as usize, "line was", "lines were");
            let gap = format!("({lines} left out here: they were not read in time)\n");
            if self.add(Stream::Messages, gap).is_err() {
                return Err(text);
            }
            self.left_out.store(0, Ordering::Relaxed);
        }
        self.add(stream, text)
    }

    fn add(&self, stream: Stream, text: String) -> Result<(), String> {
        match self.queue.offer(QueuedOutput::Text(stream, text)) {
            Err(QueuedOutput::Text(_, text)) => Err(text),
            _ => Ok(()),
        }
    }

    fn settle(&self) -> bool {
        let is_stalled = self.is_stalled.load(Ordering::Relaxed);
        let limit = longest_wait(is_stalled, HAS_RUN.load(Ordering::Relaxed));
        let is_written = self.queue.drain(limit) == 0;
        self.is_stalled.store(!is_written, Ordering::Relaxed);
        is_written
    }
}

/// Returns the longest time to wait for a reader that takes nothing.
fn longest_wait(is_stalled: bool, has_run: bool) -> Duration {
    match (is_stalled, has_run) {
        (true, _) => Duration::ZERO,
        (false, true) => STALL_LIMIT,
        (false, false) => Duration::MAX,
    }
}

/// Writer of the console: the standard streams, and the phase that is shown on standard error.
#[derive(Default)]
struct Terminal {
    shown: Option<ShownPhase>,
    /// Time at which a bar was on the screen.
    last_drawn: Option<Instant>,
}

impl QueueWriter<QueuedOutput> for Terminal {
    fn write(&mut self, item: QueuedOutput) {
        self.idle();
        match (item, &self.shown) {
            (QueuedOutput::Text(stream, text), Some(shown)) => {
                shown.suspend(|| out::write(stream, &text));
            }
            (QueuedOutput::Text(stream, text), None) => out::write(stream, &text),
            (QueuedOutput::Phase(phase), _) => {
                self.shown = None;
                self.shown = phase
                    .upgrade()
                    .map(|_| ShownPhase::new(phase.clone(), self.last_drawn));
            }
        }
    }

    fn idle_interval(&self) -> Option<Duration> {
        self.shown.as_ref().map(|_| TICK)
    }

    /// Draws the phase, or removes one that is over.
    fn idle(&mut self) {
        let Some(shown) = &mut self.shown else {
            return;
        };
        match shown.phase() {
            Some(phase) => {
                if let Some(line) = shown.draw(&phase) {
                    out::write(Stream::Messages, &safe::lines(&format!("{line}\n")));
                }
                if shown.is_drawn() {
                    self.last_drawn = Some(Instant::now());
                }
            }
            None => self.shown = None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Longest time that a test waits for the thread.
    const PATIENCE: Duration = Duration::from_secs(60);

    /// Terminal that reports each line that it begins to write, and writes it after a permit.
    struct PermittedTerminal {
        begun: Sender<String>,
        permits: Receiver<()>,
    }

    impl QueueWriter<QueuedOutput> for PermittedTerminal {
        fn write(&mut self, item: QueuedOutput) {
            let QueuedOutput::Text(_, text) = item else {
                panic!("a phase");
            };
            self.begun.send(text).expect("a test");
            // A dropped sender permits everything.
            let _ = self.permits.recv();
        }
    }

    #[test]
    fn only_a_command_with_a_run_gives_a_reader_up() {
        assert_eq!(longest_wait(false, false), Duration::MAX);
        assert_eq!(longest_wait(false, true), STALL_LIMIT);
        assert_eq!(longest_wait(true, true), Duration::ZERO);
    }

    #[test]
    fn lines_that_are_not_read_in_time_are_counted_at_their_place() {
        let (begun, lines) = channel();
        let (permit, permits) = channel();
        let console = Console::new(2, PermittedTerminal { begun, permits });
        let next = || lines.recv_timeout(PATIENCE).expect("a line");
        console.offer(Stream::Messages, "first".to_owned());
        assert_eq!(next(), "first");
        for line in ["second", "third", "lost", "lost, too"] {
            console.offer(Stream::Messages, line.to_owned());
        }
        permit.send(()).expect("a terminal");
        assert_eq!(next(), "second");
        permit.send(()).expect("a terminal");
        assert_eq!(next(), "third");
        console.print(Stream::Results, "result".to_owned());
        drop(permit);
        assert_eq!(
            next(),
            "(2 lines were left out here: they were not read in time)\n"
        );
        assert_eq!(next(), "result");
        assert!(console.settle());
    }
}
