//! Computation of a run's summary, from its events and from the run's own records.

use super::attempt::attempts;
use super::summary::RunSummary;
use super::timeline::timeline;
use super::{Began, EventLine, Events, LoggedEvent, Records};
use crate::journal::{Direction, RunState};
use crate::names::Escaped;

impl RunSummary {
    /// Summarizes a run from its events, and from the run's own records if the events lack
    /// something.
    pub fn of(run: &str, events: &Events, records: &Records<'_>) -> Self {
        let mut missing = incomplete(events);
        let synthetic;
        let is_usable =
            |line: &EventLine| matches!(line.event, LoggedEvent::Began(_) | LoggedEvent::Swap(_));
        let from_journal = !events.lines.iter().any(is_usable);
        let lines = match from_journal {
            true => {
                synthetic = records.lines();
                if !synthetic.is_empty() {
                    missing.push(
                        "times are those of the journal's records, by the wall clock".to_owned(),
                    );
                }
                &synthetic
            }
            false => &events.lines,
        };
        let timeline = timeline(lines, &mut missing);
        let began: Option<&Began> = lines.iter().find_map(|line| match &line.event {
            LoggedEvent::Began(began) => Some(&**began),
            _ => None,
        });
        if let Some(other) = began
            .map(|began| &began.run)
            .filter(|named| !named.is_empty() && *named != run)
        {
            missing.push(format!("the events belong to run {}", Escaped(other)));
        }
        let at = |wanted: fn(&LoggedEvent) -> bool| {
            let found = lines.iter().filter(move |line| wanted(&line.event));
            found.map(|line| line.at.clone()).collect::<Vec<_>>()
        };
        let steps = began.map_or_else(|| records.steps(), |began| began.steps.clone());
        let swaps = began.map(|began| began.swaps).or_else(|| records.swaps());
        let state = records.state().unwrap_or_else(|| state_from_events(lines));
        let attempts = attempts(&timeline, &steps, swaps, state, from_journal);
        if attempts.iter().any(|attempt| attempt.partial) && !from_journal {
            missing.push("not every swap is recorded: times may be too short".to_owned());
        }
        let is_closed = matches!(state, RunState::Closed(_));
        let commands = if from_journal {
            Vec::new()
        } else {
            timeline.sessions
        };
        let last = timeline.last_at_work.and_then(|at| commands.get(at));
        Self {
            run: run.to_owned(),
            subject: began
                .map(|began| began.subject.clone())
                .or_else(|| records.subject()),
            deployment: began.map(|began| began.deployment.clone()),
            user: began
                .map(|began| began.user.clone())
                .or_else(|| records.opened().map(|opened| opened.user.clone())),
            host: began
                .map(|began| began.host.clone())
                .or_else(|| records.opened().map(|opened| opened.host.clone())),
            opened: at(|event| matches!(event, LoggedEvent::Opened { .. }))
                .into_iter()
                .next(),
            closed: at(|event| matches!(event, LoggedEvent::Closed { .. }))
                .pop()
                .filter(|_| is_closed),
            plan: began
                .and_then(|began| began.plan)
                .or_else(|| records.opened().map(|opened| opened.plan)),
            expected: began
                .and_then(|began| began.expected)
                .or_else(|| records.expected()),
            state,
            exit_code: last.and_then(|session| session.exit_code),
            exit: last.and_then(|session| session.exit.clone()),
            scope: Vec::new(),
            undo: None,
            steps,
            commands,
            attempts,
            missing,
        }
    }
}

/// Returns the state of a run according to its events alone.
fn state_from_events(lines: &[EventLine]) -> RunState {
    lines
        .iter()
        .fold(RunState::Staging, |state, line| match &line.event {
            LoggedEvent::Staged { .. } => RunState::Staged,
            LoggedEvent::Committing if state == RunState::Staged => {
                RunState::Unfinished(Direction::Forward)
            }
            LoggedEvent::Turned { direction, .. } => RunState::Unfinished(*direction),
            LoggedEvent::Closed { outcome, .. } => RunState::Closed(*outcome),
            _ => state,
        })
}

/// Describes the parts of the events that cannot be read.
fn incomplete(events: &Events) -> Vec<String> {
    let lines = |number: u64, one: &str, many: &str| match number {
        1 => format!("1 line of the events {one}"),
        _ => format!("{number} lines of the events {many}"),
    };
    let mut missing = Vec::new();
    missing.extend(
        events
            .absent
            .as_ref()
            .map(|why| format!("the events of the run cannot be used: {why}")),
    );
    if events.older > 0 {
        missing.push(lines(
            events.older,
            "has an older form, which contains less",
            "have an older form, which contains less",
        ));
    }
    let is_began = |line: &EventLine| matches!(line.event, LoggedEvent::Began(_));
    if events.older == 0 && !events.lines.is_empty() && !events.lines.iter().any(is_began) {
        missing.push(
            "the events do not name their run: they have an older form, or their beginning is missing".to_owned(),
        );
    }
    if events.unknown > 0 {
        missing.push(lines(
            events.unknown,
            "is of a later version, and is left out",
            "are of a later version, and are left out",
        ));
    }
    if events.damaged > 0 {
        missing.push(lines(events.damaged, "cannot be read", "cannot be read"));
    }
    if events.torn {
        missing.push("the last line of the events is incomplete".to_owned());
    }
    if events.cut {
        missing.push("the events are too long to be read completely".to_owned());
    }
    missing
}
