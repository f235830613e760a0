//! Display of phases by the thread of the console: a bar on a terminal, else a line every few seconds.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::choices::choices;
use super::out::{coarse, number, size};
use crate::cli::args::ProgressMode;
use crate::names::{Escaped, columns};
use crate::phase::{Phase, PhaseUnit};

/// Time after which a bar appears: what is shorter needs none.
const APPEARS_AFTER: Duration = Duration::from_millis(500);
/// Time between two lines about a phase.
const LINE_EVERY: Duration = Duration::from_secs(3);
/// Time within which a phase follows another one, and takes its place on the screen at once.
const FOLLOWS_WITHIN: Duration = Duration::from_millis(300);
/// Number of columns of a bar.
const BAR: u64 = 16;

/// Returns how this process shows its progress: `Auto` is a bar on a terminal.
pub(super) fn mode() -> ProgressMode {
    choices().progress
}

/// Phase that is shown until it is over.
pub(super) struct ShownPhase {
    phase: Weak<Phase>,
    since: Instant,
    /// Work that was done when it was first shown.
    from: u64,
    appears_after: Duration,
    bar: Option<ProgressBar>,
    lines: u32,
}

impl ShownPhase {
    /// Begins to show a phase; `last_drawn` is the time at which a bar was on the screen.
    pub(super) fn new(phase: Weak<Phase>, last_drawn: Option<Instant>) -> Self {
        let follows = last_drawn.is_some_and(|drawn| drawn.elapsed() < FOLLOWS_WITHIN);
        Self {
            appears_after: if follows {
                Duration::ZERO
            } else {
                APPEARS_AFTER
            },
            from: phase.upgrade().map_or(0, |phase| phase.done()),
            phase,
            since: Instant::now(),
            bar: None,
            lines: 0,
        }
    }

    /// Returns the phase; `None` once it is over.
    pub(super) fn phase(&self) -> Option<Arc<Phase>> {
        self.phase.upgrade()
    }

    /// Returns whether a bar is on the screen.
    pub(super) fn is_drawn(&self) -> bool {
        self.bar.is_some()
    }

    /// Draws the bar, or returns a line, if one is required now.
    pub(super) fn draw(&mut self, phase: &Phase) -> Option<String> {
        let elapsed = self.since.elapsed();
        match mode() {
            ProgressMode::Auto if elapsed >= self.appears_after => {
                self.bar.get_or_insert_with(new_bar).set_message(bar_text(
                    phase,
                    self.from,
                    elapsed,
                    screen(),
                ));
            }
            ProgressMode::Plain if elapsed >= LINE_EVERY * (self.lines + 1) => {
                self.lines = (elapsed.as_millis() / LINE_EVERY.as_millis()) as u32;
                return Some(line(phase, self.from, elapsed));
            }
            _ => {}
        }
        None
    }

    /// Calls `write` while the bar is not on the screen.
    pub(super) fn suspend(&self, write: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        }
    }
}

impl Drop for ShownPhase {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn new_bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Returns the number of columns of standard error.
fn screen() -> usize {
    rustix::termios::tcgetwinsize(std::io::stderr()).map_or(80, |size| size.ws_col.into())
}

/// Describes a phase for a screen, after a bar if there is room. A phase that is counted completely has no
/// bar: it would not move.
fn bar_text(phase: &Phase, from: u64, elapsed: Duration, screen: usize) -> String {
    let (done, total) = (phase.done(), phase.total());
    let full = describe(phase, from, elapsed, Detail::Full);
    let text = if columns(&full) <= screen {
        full
    } else {
        describe(phase, from, elapsed, Detail::Brief)
    };
    let text = if BAR as usize + 1 + columns(&text) <= screen && done < total {
        let filled = (BAR * done / total) as usize;
        let empty = BAR as usize - filled;
        format!("{}{} {text}", "█".repeat(filled), "░".repeat(empty))
    } else {
        text
    };
    text + &current(phase)
}

/// Describes a phase in a line, without a terminal.
fn line(phase: &Phase, from: u64, elapsed: Duration) -> String {
    describe(phase, from, elapsed, Detail::Full) + &current(phase)
}

/// Names what a phase works on, as long as it is not counted completely.
fn current(phase: &Phase) -> String {
    match phase.current().as_str() {
        current if !current.is_empty() && !is_counted(phase) => format!(": {}", Escaped(current)),
        _ => String::new(),
    }
}

fn is_counted(phase: &Phase) -> bool {
    phase.total() > 0 && phase.done() >= phase.total()
}

/// Amount of detail in the description of a phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    Full,
    /// Percentage and time only.
    Brief,
}

/// Describes how far a phase is: `staging: 42 %, 430 MB of 1.02 GB, 210 MB/s, 3 s left`.
fn describe(phase: &Phase, from: u64, elapsed: Duration, detail: Detail) -> String {
    let (done, total) = (phase.done(), phase.total());
    let name = &phase.name;
    if total == 0 {
        return format!("{name}, {}", coarse(elapsed.as_secs()));
    }
    if is_counted(phase) {
        return format!("{name}: 100 %, {}", phase.then);
    }
    let mut text = format!("{name}: {} %", (done as f64 * 100.0 / total as f64) as u64);
    let rate = done.saturating_sub(from) as f64 / elapsed.as_secs_f64().max(0.001);
    if detail == Detail::Full {
        text.push_str(&match phase.unit {
            PhaseUnit::Bytes => {
                let (done, total, rate) = (size(done), size(total), size(rate as u64));
                format!(", {done} of {total}, {rate}/s")
            }
            PhaseUnit::Items(noun) => format!(", {} of {} {noun}", number(done), number(total)),
        });
    }
    if rate > 0.0 {
        let left = ((total - done) as f64 / rate).ceil();
        text.push_str(&format!(", {} left", coarse(left as u64)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO_SECONDS: Duration = Duration::from_secs(2);

    fn staging(done: u64) -> Phase {
        let phase = Phase::bytes("staging", 1_024_000_000, "syncing");
        phase.advance(done);
        phase.at("Provider.msi");
        phase
    }

    #[test]
    fn a_phase_has_percentage_bytes_rate_time_and_file() {
        let phase = staging(430_000_000);
        assert_eq!(
            line(&phase, 10_000_000, TWO_SECONDS),
            "staging: 41 %, 430 MB of 1.02 GB, 210 MB/s, 3 s left: Provider.msi"
        );
        assert_eq!(
            bar_text(&phase, 10_000_000, TWO_SECONDS, 40),
            "██████░░░░░░░░░░ staging: 41 %, 3 s left: Provider.msi"
        );
        assert_eq!(
            bar_text(&phase, 10_000_000, TWO_SECONDS, 80),
            "██████░░░░░░░░░░ staging: 41 %, 430 MB of 1.02 GB, 210 MB/s, 3 s left: Provider.msi"
        );
    }

    #[test]
    fn a_full_phase_says_what_follows_instead_of_a_bar() {
        let phase = staging(1_024_000_000);
        for screen in [40, 200] {
            let text = bar_text(&phase, 0, TWO_SECONDS, screen);
            assert_eq!(text, "staging: 100 %, syncing");
        }
    }

    #[test]
    fn nothing_is_claimed_of_a_phase_that_has_not_begun() {
        assert_eq!(
            line(&staging(0), 0, TWO_SECONDS),
            "staging: 0 %, 0 bytes of 1.02 GB, 0 bytes/s: Provider.msi"
        );
        let syncing = Phase::unmeasured("syncing");
        assert_eq!(bar_text(&syncing, 0, TWO_SECONDS, 80), "syncing, 2 s");
    }

    #[test]
    fn items_are_counted_with_their_noun() {
        let phase = Phase::items("committing", "operations", 75, "syncing");
        phase.advance(40);
        assert_eq!(
            line(&phase, 0, TWO_SECONDS),
            "committing: 53 %, 40 of 75 operations, 2 s left"
        );
    }
}
