//! Queue between the commands and the terminal, from the beginning of a run on.
//!
//! A run never waits for the reader of its output: one thread writes both streams and draws the
//! bars, and lines that it cannot take in time are left out and counted. Results and messages
//! outside of a run wait for it, but not for a reader that takes nothing for [`STALL_LIMIT`]: the
//! process ends then, and its exit code is the result. Before a run, text is written directly.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{out, safe};
use crate::events::{QueueWriter, STALL_LIMIT, WriterQueue};

/// Most lines that wait for the terminal: more than a site of 5,000 items prints.
const MOST_WAITING: usize = 16_384;
/// Interval at which a bar is drawn, and at which a prompt looks for a signal.
const TICK: Duration = Duration::from_millis(100);

/// Console of this process, once a run has begun.
static CONSOLE: OnceLock<Console> = OnceLock::new();

/// Standard stream for text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// Standard output.
    Results,
    /// Standard error.
    Messages,
}

/// Progress bar that the console draws until it is dropped.
pub(super) struct LiveBar {
    length: u64,
    template: &'static str,
    position: AtomicU64,
    message: Mutex<String>,
}

impl LiveBar {
    pub(super) fn advance(&self, by: u64) {
        self.position.fetch_add(by, Ordering::Relaxed);
    }

    pub(super) fn set_message(&self, message: &str) {
        message.clone_into(&mut self.message.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Queues all further output of this process.
pub(super) fn begin() {
    CONSOLE.get_or_init(|| Console::new(MOST_WAITING, Terminal::default()));
}

/// Writes a line of a run to standard error, without waiting.
pub(super) fn offer(text: &str) {
    let text = safe::lines(&format!("{text}\n"));
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

/// Makes a bar, which is drawn as long as it exists.
pub(super) fn bar(length: u64, template: &'static str) -> Arc<LiveBar> {
    let bar = Arc::new(LiveBar {
        length,
        template,
        position: AtomicU64::new(0),
        message: Mutex::default(),
    });
    if let Some(console) = CONSOLE.get() {
        // A bar that does not fit is not missed.
        let _ = console.queue.offer(QueuedOutput::Bar(Arc::downgrade(&bar)));
    }
    bar
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
    if let Some(console) = CONSOLE.get() {
        if console.left_out.load(Ordering::Relaxed) > 0 {
            console.print(Stream::Messages, String::new());
        }
        console.settle();
    }
}

enum QueuedOutput {
    Text(Stream, String),
    Bar(Weak<LiveBar>),
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
            let lines = out::count(left_out as usize, "line was", "lines were");
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
        let limit = if self.is_stalled.load(Ordering::Relaxed) {
            Duration::ZERO
        } else {
            STALL_LIMIT
        };
        let is_written = self.queue.drain(limit) == 0;
        self.is_stalled.store(!is_written, Ordering::Relaxed);
        is_written
    }
}

/// Writer of the console: the standard streams, and the bar that is drawn on standard error.
#[derive(Default)]
struct Terminal {
    bar: Option<(Weak<LiveBar>, ProgressBar)>,
}

impl QueueWriter<QueuedOutput> for Terminal {
    fn write(&mut self, item: QueuedOutput) {
        self.idle();
        match (item, &self.bar) {
            (QueuedOutput::Text(stream, text), Some((_, bar))) => {
                bar.suspend(|| out::write(stream, &text));
            }
            (QueuedOutput::Text(stream, text), None) => out::write(stream, &text),
            (QueuedOutput::Bar(bar), _) => self.begin(bar),
        }
    }

    fn idle_interval(&self) -> Option<Duration> {
        self.bar.as_ref().map(|_| TICK)
    }

    /// Draws the bar, or removes one that has ended.
    fn idle(&mut self) {
        let Some((state, bar)) = &self.bar else {
            return;
        };
        match state.upgrade() {
            Some(state) => {
                bar.set_position(state.position.load(Ordering::Relaxed));
                // Not locked while the bar is drawn: the run would wait for the terminal.
                let message = state
                    .message
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .clone();
                bar.set_message(message);
            }
            None => {
                bar.finish_and_clear();
                self.bar = None;
            }
        }
    }
}

impl Terminal {
    fn begin(&mut self, state: Weak<LiveBar>) {
        let Some(bar) = state.upgrade() else { return };
        let style = ProgressStyle::with_template(bar.template)
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        let drawn = ProgressBar::with_draw_target(Some(bar.length), ProgressDrawTarget::stderr());
        drawn.set_style(style);
        self.bar = Some((state, drawn));
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
                panic!("a bar");
            };
            self.begun.send(text).expect("a test");
            // A dropped sender permits everything.
            let _ = self.permits.recv();
        }
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
