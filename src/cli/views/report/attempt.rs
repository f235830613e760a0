//! View of one attempt of a run.

use super::outages::OutageTable;
use super::timeline::{Axis, TimeLineView};
use super::verdict::describe_comparison;
use super::words::{
    at_least, duration_or_blank, format_duration, format_moment, format_share, format_time,
    server_name, unavailable_since,
};
use crate::cli::terminal::out::{number, size};
use crate::cli::views::restarts::describe_restart;
use crate::cli::views::steps::{describe_answer, with_title};
use crate::cli::views::verdict::Tone;
use crate::events::{
    Attempt, DirectionChange, ManualWait, RunSummary, ServerTiming, StateComparison, StepTiming,
    TimeSpan,
};
use crate::journal::Direction;
use crate::names::Digest;

/// One attempt of the run, from one clean state to the next.
pub(super) struct AttemptView {
    pub(super) number: usize,
    /// Number and direction, if there are several; else empty.
    pub(super) title: String,
    pub(super) compared: Option<ComparisonView>,
    /// Reasons why the direction changed, required restarts, notices, and the user who closed the
    /// run in its current state.
    pub(super) messages: Vec<(Tone, String)>,
    pub(super) waits: Vec<ManualStepWait>,
    pub(super) figures: Vec<TimeFigure>,
    pub(super) timeline: TimeLineView,
    /// Outages of services, and of items.
    pub(super) outages: [OutageTable; 2],
    pub(super) steps: Vec<StepRow>,
    pub(super) servers: Vec<ServerRow>,
}

/// Result of the comparison with the expected state.
pub(super) struct ComparisonView {
    pub(super) tone: Tone,
    pub(super) result: String,
    pub(super) differs: Vec<String>,
    pub(super) digests: [(&'static str, Option<Digest>); 2],
}

/// Manual step, with the time for which the run waited.
pub(super) struct ManualStepWait {
    pub(super) step: String,
    /// Answer, and who gave it from where.
    pub(super) answer: String,
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

/// Step as it was executed.
pub(super) struct StepRow {
    /// Id and title.
    pub(super) name: String,
    pub(super) from: String,
    pub(super) took: String,
    pub(super) operations: String,
    pub(super) renaming: String,
    pub(super) sync: String,
}

/// Work that was done on a server.
pub(super) struct ServerRow {
    pub(super) server: String,
    pub(super) operations: String,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) renaming: String,
}

impl AttemptView {
    /// Returns the view of an attempt, by its index.
    pub(super) fn of(summary: &RunSummary, at: usize) -> Self {
        let attempt = &summary.attempts[at];
        let axis = Axis::of(attempt);
        let start = commit_start(attempt);
        let steps = attempt.steps.iter();
        let servers = attempt.servers.iter();
        let waits = attempt.waits.iter();
        Self {
            number: at + 1,
            title: attempt_title(summary, at),
            compared: attempt.compared.as_ref().map(ComparisonView::of),
            messages: messages(attempt, at + 1 == summary.attempts.len()),
            waits: waits
                .map(|wait| ManualStepWait::of(wait, attempt))
                .collect(),
            figures: time_figures(attempt),
            outages: [
                OutageTable::of("services", "Services, from stop to start", attempt, &axis),
                OutageTable::of(
                    "items",
                    "Items, from removal until available again",
                    attempt,
                    &axis,
                ),
            ],
            steps: steps.map(|step| StepRow::of(step, start)).collect(),
            servers: servers.map(|server| ServerRow::of(server, start)).collect(),
            timeline: TimeLineView::of(attempt, &axis),
        }
    }

    pub(super) fn has_outages(&self) -> bool {
        self.outages.iter().any(|table| !table.rows.is_empty())
    }
}

fn attempt_title(summary: &RunSummary, at: usize) -> String {
    let (attempt, all) = (&summary.attempts[at], summary.attempts.len());
    if all == 1 {
        return String::new();
    }
    let is_rollback = attempt
        .turns
        .iter()
        .any(|turn| turn.direction == Direction::Back);
    let direction = match (at, is_rollback) {
        (0, false) => "forward",
        (0, true) => "forward, then rolled back",
        (_, true) => "rollback",
        (_, false) => "forward again",
    };
    let time = format_time(&attempt.at);
    format!("attempt {} of {all}, {direction}: {time}", at + 1)
}

/// Returns the time at which the commit or the first step began.
fn commit_start(attempt: &Attempt) -> u64 {
    let first = attempt.steps.first().map(|step| step.span);
    attempt.committed.or(first).unwrap_or(attempt.span).from_us
}

impl ComparisonView {
    fn of(compared: &StateComparison) -> Self {
        let (tone, result) = describe_comparison(compared);
        let expected = match compared.direction {
            Direction::Forward => "expected",
            Direction::Back => "before",
        };
        let mut lines = compared.differs.clone();
        for path in &compared.appeared {
            lines.push(format!("`{path}` appeared during the run"));
        }
        for path in &compared.missing {
            lines.push(format!(
                "`{path}` was there before, and is not in its place any more"
            ));
        }
        Self {
            tone,
            result,
            differs: lines,
            digests: [
                (expected, compared.expected),
                ("measured", compared.measured),
            ],
        }
    }
}

/// Returns the messages of an attempt; the verdict has the failures of the newest one.
fn messages(attempt: &Attempt, is_newest: bool) -> Vec<(Tone, String)> {
    let mut messages: Vec<(Tone, String)> = attempt
        .turns
        .iter()
        .map(|turn| describe_turn(turn, attempt))
        .filter(|(tone, _)| !(is_newest && tone.is_bad()))
        .collect();
    for restart in &attempt.restarts {
        let servers = restart.servers.iter().map(String::as_str);
        let restart = describe_restart(restart.service.as_deref(), servers);
        messages.push((Tone::Warn, format!("restart required: {restart}")));
    }
    for notice in &attempt.notices {
        messages.push((Tone::Warn, notice.clone()));
    }
    if let Some((by, reason)) = &attempt.accepted {
        messages.push((
            Tone::Warn,
            format!("closed in its current state by {by}: {reason}"),
        ));
    }
    if let Some(directory) = &attempt.backup {
        messages.push((Tone::Good, format!("backup in {directory}")));
    }
    messages
}

/// Describes a change of direction, as a failure if one was the reason.
pub(super) fn describe_turn(turn: &DirectionChange, attempt: &Attempt) -> (Tone, String) {
    match (turn.direction, turn.why.as_str()) {
        (Direction::Back, "undo") => (Tone::Warn, "rolled back by `undo`".to_owned()),
        // The reason names the step and the operation.
        (Direction::Back, why) if why.starts_with("step `") => {
            (Tone::Bad, format!("the run was rolled back: {why}"))
        }
        (Direction::Back, why) => {
            let failed = attempt.steps.iter().rfind(|step| {
                step.direction == Direction::Forward && step.span.from_us <= turn.at_us
            });
            let at = match failed.map(|step| &step.id) {
                None => String::new(),
                Some(Some(id)) => format!(" in step {id}"),
                Some(None) => " while recording the applied updates".to_owned(),
            };
            let text = format!("the run failed{at} and was rolled back: {why}");
            (Tone::Bad, text)
        }
        (Direction::Forward, why) => (Tone::Warn, format!("continued forward by `{why}`")),
    }
}

impl ManualStepWait {
    fn of(wait: &ManualWait, attempt: &Attempt) -> Self {
        let answer = match (wait.answer, wait.direction) {
            (Some(answer), _) => describe_answer(answer, wait.by.as_deref(), wait.from),
            (None, _) if attempt.outcome.is_none() => {
                format!("waits since {}", format_moment(attempt, wait.span.from_us))
            }
            (None, Direction::Forward) => "not answered".to_owned(),
            (None, Direction::Back) => "not rolled back".to_owned(),
        };
        Self {
            step: wait.step.clone(),
            answer,
            took: format_duration(wait.span.us()),
        }
    }
}

fn time_figures(attempt: &Attempt) -> Vec<TimeFigure> {
    let mut figures = Vec::new();
    let mut figure = |label, value, note: &str| {
        figures.push(TimeFigure {
            label,
            part: false,
            value,
            note: note.to_owned(),
        });
    };
    if let Some(staged) = attempt.staged {
        let bytes = attempt.bytes.map(|bytes| format!("{}, ", size(bytes)));
        let note = format!("{}before the first change", bytes.unwrap_or_default());
        figure("staged in", format_duration(staged.us()), &note);
    }
    if let Some(committed) = attempt.committed {
        let note = "from its start until everything was compared and closed";
        figure("committed in", format_duration(committed.us()), note);
    }
    if let Some(since) = unavailable_since(attempt) {
        let unavailable = attempt.outages.iter().filter(|one| one.since_us.is_some());
        let note = format!("{} of the items and services below", unavailable.count());
        figure("unavailable since", since, &note);
        return figures;
    }
    if attempt.outage.is_some() {
        let value = format!(
            "{}{}",
            at_least(attempt),
            format_duration(attempt.outage_us)
        );
        figure(
            "outage",
            value,
            "at least one item or service was unavailable",
        );
    }
    if let Some(renames) = attempt.renames {
        let value = format!("{}{}", at_least(attempt), format_duration(renames.us()));
        let label = match attempt.outcome {
            Some(_) => "all operations",
            None => "operations so far",
        };
        figure(label, value, "from the first rename to the last");
        figures.extend(parts(attempt, &renames));
    }
    figures
}

/// Returns the parts of the time of the operations. Waits are left out where there were none.
fn parts(attempt: &Attempt, whole: &TimeSpan) -> Vec<TimeFigure> {
    let breakdown = &attempt.breakdown;
    let waits = [
        ("waiting for people", breakdown.waiting_us),
        ("between commands", breakdown.between_us),
    ];
    let mut parts = vec![
        ("renames", breakdown.renaming_us),
        ("syncs", breakdown.syncs_us),
    ];
    parts.extend(waits.into_iter().filter(|(_, us)| *us > 0));
    parts.push(("everything else", breakdown.else_us));
    let figure = |(label, us)| TimeFigure {
        label,
        part: true,
        value: format_duration(us),
        note: format_share(us, whole.us()),
    };
    parts.into_iter().map(figure).collect()
}

impl StepRow {
    fn of(step: &StepTiming, start: u64) -> Self {
        let id = step.id.as_deref().unwrap_or("applied updates");
        let mut name = with_title(id, step.title.as_deref().unwrap_or(id));
        if step.direction == Direction::Back {
            name = format!("rollback: {name}");
        }
        Self {
            name,
            from: format_duration(step.span.from_us.saturating_sub(start)),
            took: format_duration(step.span.us()),
            operations: number(step.operations),
            renaming: duration_or_blank(step.renaming_us),
            sync: duration_or_blank(step.syncs.iter().map(TimeSpan::us).sum()),
        }
    }
}

impl ServerRow {
    fn of(server: &ServerTiming, start: u64) -> Self {
        Self {
            server: server_name(server.server.as_ref()),
            operations: number(server.operations),
            from: format_duration(server.span.from_us.saturating_sub(start)),
            to: format_duration(server.span.to_us.saturating_sub(start)),
            renaming: format_duration(server.renaming_us),
        }
    }
}
