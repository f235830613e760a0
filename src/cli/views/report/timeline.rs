//! Picture of an attempt: its steps, syncs, waits and operations, from left to right.
//!
//! Positions and widths are in percent of the whole width.

use std::collections::BTreeSet;

use super::words::{format_duration, format_moment, server_name};
use crate::events::{Attempt, TimeSpan};
use crate::journal::Direction;
use crate::plan::OperationKind;

/// Number of servers that have a lane of the picture; the table has all.
const LANES: usize = 40;
/// Largest width of a wait, as a fraction of all the time in which something was done.
const WIDEST_WAIT: f64 = 0.12;
/// Resolution at which operations are drawn apart.
const FINEST: f64 = 0.25;
/// Most steps of which each has a label; of more, only some.
const LABELS: usize = 24;
/// Width of a label.
const LABEL: f64 = 3.2;

/// Picture of an attempt.
pub(super) struct TimeLineView {
    /// Time of the wall clock at the start of the picture.
    pub(super) start: String,
    /// Length of the time that the picture shows.
    pub(super) length: String,
    /// True if a wait is drawn shorter than it was.
    pub(super) is_shortened: bool,
    pub(super) steps: Vec<Bar>,
    /// Numbers of steps, from 1, and their positions.
    pub(super) labels: Vec<(usize, f64)>,
    pub(super) syncs: Vec<Bar>,
    pub(super) waits: Vec<Bar>,
    pub(super) lanes: Vec<Lane>,
    pub(super) more_servers: usize,
}

/// Period in the picture.
#[derive(Clone, Copy)]
pub(super) struct Bar {
    pub(super) x: f64,
    pub(super) end: f64,
    /// Width in the picture; a short period is still visible.
    pub(super) width: f64,
}

/// Operations on one server.
pub(super) struct Lane {
    pub(super) name: String,
    pub(super) ticks: Vec<Tick>,
}

/// Operations too close together to be drawn apart.
pub(super) struct Tick {
    pub(super) class: &'static str,
    pub(super) bar: Bar,
}

impl TimeLineView {
    pub(super) fn of(attempt: &Attempt, axis: &Axis) -> Self {
        let bars =
            |spans: &[TimeSpan]| -> Vec<Bar> { spans.iter().map(|span| axis.bar(span)).collect() };
        let steps: Vec<TimeSpan> = attempt.steps.iter().map(|step| step.span).collect();
        let syncs: Vec<TimeSpan> = attempt
            .steps
            .iter()
            .flat_map(|step| step.syncs.clone())
            .collect();
        let servers = attempt.servers.iter().take(LANES);
        let lane = |server: &Option<String>| Lane {
            name: server_name(server.as_ref()),
            ticks: ticks(attempt, server.as_ref(), axis),
        };
        Self {
            length: format_duration(axis.shown.us()),
            is_shortened: axis.shrink < 1.0,
            start: format_moment(attempt, axis.shown.from_us),
            labels: labels(&bars(&steps)),
            steps: bars(&steps),
            syncs: bars(&syncs),
            waits: bars(&axis.idle),
            lanes: servers.map(|server| lane(&server.server)).collect(),
            more_servers: attempt.servers.len().saturating_sub(LANES),
        }
    }
}

impl Bar {
    /// Returns the bar from the start of the first one to the end of the last.
    pub(super) fn around<'a>(bars: impl Iterator<Item = &'a Bar>) -> Option<Self> {
        bars.copied().reduce(|around, bar| {
            let (x, end) = (around.x.min(bar.x), around.end.max(bar.end));
            let width = rounded(end - x).max(FINEST);
            Self { x, end, width }
        })
    }
}

/// Mapping of times to positions. Waits are drawn no wider than needed, so that the operations can
/// be seen.
pub(super) struct Axis {
    shown: TimeSpan,
    /// Spans without a running command or with one that waits for a person, in order and disjoint.
    idle: Vec<TimeSpan>,
    /// Factor by which waits are drawn shorter.
    shrink: f64,
}

impl Axis {
    pub(super) fn of(attempt: &Attempt) -> Self {
        let starts = attempt.steps.iter().map(|step| step.span.from_us);
        let ends = attempt.steps.iter().map(|step| step.span.to_us);
        let from_us = starts.min().unwrap_or(attempt.span.from_us);
        let to_us = ends.max().unwrap_or(attempt.span.to_us).max(from_us + 1);
        let shown = TimeSpan {
            from_us,
            to_us,
            by_wall_clock: false,
        };
        let mut idle = attempt.idle.clone();
        idle.retain(|span| span.within(&shown) > 0);
        let waited: u64 = idle.iter().map(|span| span.within(&shown)).sum();
        let active = (shown.us() - waited).max(1) as f64;
        let widest = active * WIDEST_WAIT * idle.len() as f64;
        Self {
            shown,
            idle,
            shrink: if waited as f64 > widest {
                widest / waited as f64
            } else {
                1.0
            },
        }
    }

    /// Returns the drawn length of the time from the start of the picture.
    fn drawn(&self, to_us: u64) -> f64 {
        let until = TimeSpan {
            to_us: to_us.clamp(self.shown.from_us, self.shown.to_us),
            ..self.shown
        };
        let waited: u64 = self.idle.iter().map(|idle| idle.within(&until)).sum();
        (until.us() - waited) as f64 + waited as f64 * self.shrink
    }

    fn position(&self, us: u64) -> f64 {
        rounded(self.drawn(us) * 100.0 / self.drawn(self.shown.to_us))
    }

    /// Returns a period in the picture.
    pub(super) fn bar(&self, span: &TimeSpan) -> Bar {
        let (x, end) = (self.position(span.from_us), self.position(span.to_us));
        Bar {
            x,
            end,
            width: rounded(end - x).max(FINEST),
        }
    }

    /// Returns the period from a time to the end of the picture.
    pub(super) fn bar_from(&self, from_us: u64) -> Bar {
        self.bar(&TimeSpan {
            from_us,
            ..self.shown
        })
    }
}

/// Returns the numbers of the steps with positions at which they do not overlap, as near to the begin of
/// each step as that allows.
fn labels(steps: &[Bar]) -> Vec<(usize, f64)> {
    let every = steps.len().div_ceil(LABELS).max(1);
    let mut labels: Vec<(usize, f64)> = steps
        .iter()
        .enumerate()
        .step_by(every)
        .map(|(at, bar)| (at + 1, bar.x))
        .collect();
    let mut least = 0.0_f64;
    for (_, x) in &mut labels {
        *x = x.max(least);
        least = *x + LABEL;
    }
    let mut most = 100.0 - LABEL;
    for (_, x) in labels.iter_mut().rev() {
        *x = rounded(x.min(most));
        most = *x - LABEL;
    }
    labels
}

/// Rounds to a hundredth: a finer position is not visible, and would only make the page longer.
fn rounded(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

/// Returns the operations on a server; those that are too close together are one.
fn ticks(attempt: &Attempt, server: Option<&String>, axis: &Axis) -> Vec<Tick> {
    let mut seen: BTreeSet<(u64, &str)> = BTreeSet::new();
    let mut ticks = Vec::new();
    for swap in &attempt.swaps {
        let bar = axis.bar(&swap.span);
        let here = swap
            .operations
            .iter()
            .filter(|one| one.server.as_ref() == server);
        for operation in here {
            let class = tick_class(operation.kind, swap.direction);
            if seen.insert(((bar.x / FINEST) as u64, class)) {
                ticks.push(Tick { class, bar });
            }
        }
    }
    ticks
}

/// Returns the CSS class of an operation; a rolled back operation is drawn as its opposite.
fn tick_class(kind: OperationKind, direction: Direction) -> &'static str {
    let (removes, adds) = match direction {
        Direction::Forward => ("removes", "adds"),
        Direction::Back => ("adds", "removes"),
    };
    match kind {
        OperationKind::Uninstall | OperationKind::Stop | OperationKind::Disable => removes,
        OperationKind::Install | OperationKind::Start | OperationKind::Enable => adds,
        _ => "changes",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(x: f64) -> Bar {
        Bar {
            x,
            end: x,
            width: FINEST,
        }
    }

    #[test]
    fn labels_of_short_steps_are_beside_each_other() {
        let all = labels(&[step(0.0), step(0.5), step(50.0), step(99.0), step(99.5)]);
        let expected = [(1, 0.0), (2, 3.2), (3, 50.0), (4, 93.6), (5, 96.8)];
        assert_eq!(all, expected);
    }

    #[test]
    fn labels_of_many_steps_are_within_the_picture() {
        let all = labels(&[step(99.9); 200]);
        assert!(all.iter().all(|(_, x)| (0.0..=96.8).contains(x)), "{all:?}");
        assert!(all.len() > 20);
    }
}
