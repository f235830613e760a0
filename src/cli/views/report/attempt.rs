//! View of one attempt of a run.

use super::words::{Tone, escaped, format_duration, format_moment, format_share, format_time};
use crate::cli::terminal::out::number;
use crate::events::DirectionChange;
use crate::events::{
    self, Attempt, RunSummary, ServerTiming, StateComparison, StepTiming, TargetKind,
    TargetOutages, TimeSpan,
};
use crate::journal::Direction;
use crate::journal::{Answer, Outcome};
use crate::names::Escaped;

/// One attempt of the run, from one clean state to the next.
pub(super) struct AttemptView {
    /// Number and direction, if there are several; else empty.
    pub(super) title: String,
    pub(super) compared: Option<(Tone, Vec<String>)>,
    /// Reasons why the direction changed, required restarts, notices, and the user who closed the
    /// run in its current state.
    pub(super) messages: Vec<(Tone, String)>,
    pub(super) waits: Vec<ManualStepWait>,
    pub(super) figures: Vec<TimeFigure>,
    pub(super) services: Vec<OutageView>,
    pub(super) items: Vec<OutageView>,
    pub(super) steps: Vec<StepRow>,
    pub(super) servers: Vec<ServerRow>,
}

/// Manual step, with the time for which the run waited.
pub(super) struct ManualStepWait {
    pub(super) step: String,
    pub(super) answer: String,
    pub(super) by: String,
    pub(super) took: String,
}

/// Duration of one part of the attempt.
pub(super) struct TimeFigure {
    pub(super) label: &'static str,
    /// True if it is a part of the last figure before it that is not a part.
    pub(super) part: bool,
    pub(super) value: String,
    pub(super) note: String,
}

/// Outage of an item or a service.
pub(super) struct OutageView {
    pub(super) target: String,
    pub(super) server: String,
    pub(super) took: String,
    pub(super) note: String,
}

/// Step as it was executed.
pub(super) struct StepRow {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) from: String,
    pub(super) took: String,
    pub(super) operations: u64,
    pub(super) renaming: String,
    pub(super) sync: String,
}

/// Work that was done on a server.
pub(super) struct ServerRow {
    pub(super) server: String,
    pub(super) operations: u64,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) renaming: String,
}

impl AttemptView {
    pub(super) fn of(summary: &RunSummary, at: usize, attempt: &Attempt) -> Self {
        let all = summary.attempts.len();
        let is_rollback = |turn: &DirectionChange| turn.direction == Direction::Back;
        let direction = match (at, attempt.turns.iter().any(is_rollback)) {
            (0, false) => "forward",
            (0, true) => "forward, then rolled back",
            (_, true) => "rollback",
            (_, false) => "forward again",
        };
        let title = match all {
            1 => String::new(),
            _ => format!(
                "attempt {} of {all}, {direction}: {}",
                at + 1,
                format_time(&attempt.at)
            ),
        };
        let first = attempt
            .steps
            .first()
            .map_or(attempt.span.from_us, |first| first.span.from_us);
        let base = attempt
            .committed
            .map_or(first, |committed| committed.from_us.min(first));
        let is_service = |outages: &&TargetOutages| outages.of == TargetKind::Service;
        Self {
            title,
            compared: attempt.compared.as_ref().map(describe_comparison),
            messages: messages(attempt),
            waits: attempt
                .waits
                .iter()
                .map(|waited| describe_wait(waited, attempt))
                .collect(),
            figures: time_figures(attempt),
            services: attempt
                .outages
                .iter()
                .filter(is_service)
                .map(|outages| describe_outages(outages, attempt))
                .collect(),
            items: attempt
                .outages
                .iter()
                .filter(|outages| !is_service(outages))
                .map(|outages| describe_outages(outages, attempt))
                .collect(),
            steps: attempt
                .steps
                .iter()
                .map(|step| step_row(step, base))
                .collect(),
            servers: attempt
                .servers
                .iter()
                .map(|server| server_row(server, base))
                .collect(),
        }
    }
}

fn describe_comparison(compared: &StateComparison) -> (Tone, Vec<String>) {
    let (matches, differs) = match compared.direction {
        Direction::Forward => ("matches the plan", "differs from the plan"),
        Direction::Back => ("as it was before", "differs from the state before"),
    };
    let mut lines = Vec::new();
    let tone = match (compared.differs.is_empty(), compared.is_same()) {
        (true, true) => {
            lines.push(matches.to_owned());
            Tone::Good
        }
        (true, false) => {
            lines.push(format!(
                "{matches}, except for unmanaged files that appeared or disappeared during the run"
            ));
            Tone::Good
        }
        (false, _) => {
            lines.push(format!("{differs}:"));
            Tone::Bad
        }
    };
    lines.extend(compared.differs.iter().map(|differs| escaped(differs)));
    lines.extend(
        compared
            .appeared
            .iter()
            .map(|appeared| format!("`{}` appeared during the run", Escaped(appeared.as_str()))),
    );
    let digest = |name: &str, digest: Option<crate::names::Digest>| {
        digest.map(|digest| format!("{name} {digest}"))
    };
    let expected = match compared.direction {
        Direction::Forward => "expected",
        Direction::Back => "before  ",
    };
    lines.extend(digest(expected, compared.expected));
    lines.extend(digest("measured", compared.measured));
    (tone, lines)
}

fn messages(attempt: &Attempt) -> Vec<(Tone, String)> {
    let mut messages = Vec::new();
    for turn in &attempt.turns {
        messages.push(match (turn.direction, turn.why.as_str()) {
            (Direction::Back, "undo") => (Tone::Warn, "rolled back by `undo`".to_owned()),
            (Direction::Forward, "resume") => {
                (Tone::Warn, "continued forward by `resume`".to_owned())
            }
            (Direction::Back, why) => {
                let failed = attempt.steps.iter().rfind(|step| {
                    step.direction == Direction::Forward && step.span.from_us <= turn.at_us
                });
                let at = match failed {
                    None => String::new(),
                    Some(StepTiming { id: Some(id), .. }) => format!(" in step {}", Escaped(id)),
                    Some(_) => " while recording the applied updates".to_owned(),
                };
                (
                    Tone::Bad,
                    format!("the run failed{at} and was rolled back: {}", Escaped(why)),
                )
            }
            (Direction::Forward, why) => {
                (Tone::Warn, format!("continued forward: {}", Escaped(why)))
            }
        });
    }
    for restart in &attempt.restarts {
        let servers = restart.servers.join(", ");
        messages.push((
            Tone::Warn,
            format!(
                "restart required: {} on {}",
                Escaped(&restart.service),
                Escaped(&servers)
            ),
        ));
    }
    messages.extend(
        attempt
            .notices
            .iter()
            .map(|notice| (Tone::Warn, escaped(notice))),
    );
    if let Some((by, reason)) = &attempt.accepted {
        messages.push((
            Tone::Warn,
            format!(
                "closed in its current state by {}: {}",
                Escaped(by),
                Escaped(reason)
            ),
        ));
    }
    messages
}

fn describe_wait(waited: &events::ManualWait, attempt: &Attempt) -> ManualStepWait {
    let answer = match (waited.answer, waited.direction) {
        (Some(Answer::Done), _) => "done".to_owned(),
        (Some(Answer::Skipped), _) => "skipped".to_owned(),
        (Some(Answer::RolledBack), _) => "rolled back".to_owned(),
        (None, _) if attempt.outcome.is_none() => {
            let since = format_moment(attempt, waited.span.from_us);
            format!("waits since {since}")
        }
        (None, Direction::Forward) => "not answered".to_owned(),
        (None, Direction::Back) => "not rolled back".to_owned(),
    };
    ManualStepWait {
        step: escaped(&waited.step),
        answer,
        by: waited.by.as_deref().map(escaped).unwrap_or_default(),
        took: format_duration(waited.span.us()),
    }
}

fn time_figures(attempt: &Attempt) -> Vec<TimeFigure> {
    let mut figures = Vec::new();
    let mut figure = |label, part, value: String, note: String| {
        figures.push(TimeFigure {
            label,
            part,
            value,
            note,
        })
    };
    if let Some(staged) = attempt.staged {
        let bytes = attempt
            .bytes
            .map(|bytes| format!("{} bytes, ", number(bytes)))
            .unwrap_or_default();
        figure(
            "staged in",
            false,
            format_duration(staged.us()),
            format!("{bytes}before the first change"),
        );
    }
    if let Some(backup) = &attempt.backup {
        figure(
            "backup",
            false,
            String::new(),
            format!("in {}", Escaped(backup)),
        );
    }
    let at_least = if attempt.partial { "at least " } else { "" };
    if let Some(committed) = attempt.committed {
        let note = match attempt.compared {
            Some(_) => "from its start until everything was compared".to_owned(),
            None => "from its start until the run was closed".to_owned(),
        };
        figure("committed in", false, format_duration(committed.us()), note);
    }
    if let Some(outage) = attempt.outage {
        let value = format!("{at_least}{}", format_duration(outage.us()));
        match attempt.outcome {
            Some(_) => figure(
                "outage",
                false,
                value,
                "from the first rename to the last".to_owned(),
            ),
            None => figure(
                "outage so far",
                false,
                value,
                "from the first rename to the last recorded one; not finished".to_owned(),
            ),
        }
        let breakdown = &attempt.breakdown;
        let parts = [
            ("renames", breakdown.renaming_us),
            ("syncs", breakdown.syncs_us),
            ("waiting for people", breakdown.waiting_us),
            ("between commands", breakdown.between_us),
            ("everything else", breakdown.else_us),
        ];
        for (label, us) in parts.into_iter().filter(|(_, us)| *us > 0) {
            figure(
                label,
                true,
                format_duration(us),
                format_share(us, outage.us()),
            );
        }
    }
    figures
}

fn describe_outages(outages: &TargetOutages, attempt: &Attempt) -> OutageView {
    let at_least = if attempt.partial { "at least " } else { "" };
    let state = match (outages.of, attempt.outcome) {
        (TargetKind::Service, None) => "stopped, not started yet",
        (TargetKind::Service, Some(Outcome::Undone)) => "stopped; restart required",
        (TargetKind::Service, Some(_)) => "stopped, not started again",
        (_, None) => "removed, not restored yet",
        (_, Some(_)) if attempt.partial => "removed; may be restored, as swaps are unrecorded",
        (_, Some(_)) => "removed, not restored",
    };
    let took = match (outages.since_us, outages.spans.as_slice()) {
        (Some(since_us), []) if attempt.outcome.is_none() => {
            format!("since {}", format_moment(attempt, since_us))
        }
        (Some(_), []) => String::new(),
        _ => format!("{at_least}{}", format_duration(outages.total_us)),
    };
    let note = match (outages.since_us, outages.spans.len()) {
        (Some(_), _) => state.to_owned(),
        (None, 0 | 1) => String::new(),
        (None, 2) => "unavailable twice".to_owned(),
        (None, times) => format!("unavailable {times} times"),
    };
    OutageView {
        target: escaped(&outages.target),
        server: outages.server.as_deref().map(escaped).unwrap_or_default(),
        took,
        note,
    }
}

fn step_row(step: &StepTiming, base: u64) -> StepRow {
    let name = match (&step.id, step.direction) {
        (Some(id), Direction::Forward) => escaped(id),
        (Some(id), Direction::Back) => format!("rollback: {}", Escaped(id)),
        (None, Direction::Forward) => "applied updates".to_owned(),
        (None, Direction::Back) => "rollback: applied updates".to_owned(),
    };
    let sync: u64 = step.syncs.iter().map(TimeSpan::us).sum();
    StepRow {
        name,
        title: step.title.as_deref().map(escaped).unwrap_or_default(),
        from: format_duration(step.span.from_us.saturating_sub(base)),
        took: format_duration(step.span.us()),
        operations: step.operations,
        renaming: if step.swaps == 0 {
            String::new()
        } else {
            format_duration(step.renaming_us)
        },
        sync: if step.syncs.is_empty() {
            String::new()
        } else {
            format_duration(sync)
        },
    }
}

fn server_row(server: &ServerTiming, base: u64) -> ServerRow {
    ServerRow {
        server: server
            .server
            .as_deref()
            .map_or("shared by all".to_owned(), escaped),
        operations: server.operations,
        from: format_duration(server.span.from_us.saturating_sub(base)),
        to: format_duration(server.span.to_us.saturating_sub(base)),
        renaming: format_duration(server.renaming_us),
    }
}
