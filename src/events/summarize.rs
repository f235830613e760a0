//! Computation of a run's summary, from its events and from the run's own records.

use std::collections::BTreeSet;

use super::attempt::attempts;
use super::summary::RunSummary;
use super::timeline::timeline;
use super::{Began, Event, EventLine, Events, Records};
use crate::journal::{Direction, RunSignatures, RunState};
use crate::names::Escaped;

impl RunSummary {
    /// Summarizes a run from its events, and from the run's own records if the events lack
    /// something.
    pub fn of(run: &str, events: &Events, records: &Records<'_>) -> Self {
        let mut missing = incomplete(events);
        let from_journal = !events.lines.iter().any(is_usable);
        if !from_journal {
            return summarize(run, &events.lines, records, false, missing);
        }
        let lines = records.lines();
        if !lines.is_empty() {
            missing.push("times are those of the journal's records, by the wall clock".to_owned());
        }
        summarize(run, &lines, records, true, missing)
    }
}

fn is_usable(line: &EventLine) -> bool {
    matches!(line.event, Event::Began(_) | Event::Swapped { .. })
}

fn summarize(
    run: &str,
    lines: &[EventLine],
    records: &Records<'_>,
    from_journal: bool,
    mut missing: Vec<String>,
) -> RunSummary {
    let timeline = timeline(lines, &mut missing);
    let began = began(lines).or_else(|| records.began());
    let named = began.as_ref().map(|began| began.run.as_str());
    if let Some(other) = named.filter(|named| !named.is_empty() && *named != run) {
        missing.push(format!("the events belong to run {}", Escaped(other)));
    }
    let state = records.state().unwrap_or_else(|| state_from_events(lines));
    let (steps, swaps) = match &began {
        Some(began) => (began.steps.clone(), began.swaps),
        None => (Vec::new(), 0),
    };
    let attempts = attempts(&timeline, &steps, swaps, state, from_journal);
    if attempts.iter().any(|attempt| attempt.partial) && !from_journal {
        missing.push("not every swap is recorded: times may be too short".to_owned());
    }
    let (opened, closed) = opened_and_closed(lines);
    let last = timeline
        .last_at_work
        .filter(|_| !from_journal)
        .map(|at| &timeline.sessions[at]);
    let fact = |fact: fn(&Began) -> &String| {
        let fact = began.as_ref().map(|began| fact(began).clone());
        fact.filter(|fact| !fact.is_empty())
    };
    RunSummary {
        run: run.to_owned(),
        subject: began.as_ref().map(|began| began.subject.clone()),
        deployment: fact(|began| &began.deployment),
        user: fact(|began| &began.user),
        host: fact(|began| &began.host),
        opened,
        closed: closed.filter(|_| matches!(state, RunState::Closed(_))),
        plan: began.as_ref().and_then(|began| began.plan),
        expected: began.as_ref().and_then(|began| began.expected),
        state,
        exit_code: last.and_then(|session| session.exit_code),
        exit: last.and_then(|session| session.exit.clone()),
        effects: Vec::new(),
        scope: Vec::new(),
        confirmed: Vec::new(),
        signatures: signatures(lines),
        pending: BTreeSet::new(),
        acknowledged: records.acknowledged(),
        undo: None,
        steps,
        commands: if from_journal {
            Vec::new()
        } else {
            timeline.sessions
        },
        attempts,
        missing,
    }
}

/// Returns the first line of the first command.
fn began(lines: &[EventLine]) -> Option<Began> {
    lines.iter().find_map(|line| match &line.event {
        Event::Began(began) => Some((**began).clone()),
        _ => None,
    })
}

/// Returns the signatures that the run was begun with.
fn signatures(lines: &[EventLine]) -> RunSignatures {
    lines
        .iter()
        .find_map(|line| match &line.event {
            Event::Opened { signatures, .. } => Some(signatures.clone()),
            _ => None,
        })
        .unwrap_or_default()
}

/// Returns the times at which the run was first opened and last closed.
fn opened_and_closed(lines: &[EventLine]) -> (Option<String>, Option<String>) {
    let (mut opened, mut closed) = (None, None);
    for line in lines {
        match line.event {
            Event::Opened { .. } => {
                opened.get_or_insert_with(|| line.at.clone());
            }
            Event::Closed { .. } => closed = Some(line.at.clone()),
            _ => {}
        }
    }
    (opened, closed)
}

/// Returns the state of a run according to its events alone.
fn state_from_events(lines: &[EventLine]) -> RunState {
    lines
        .iter()
        .fold(RunState::Staging, |state, line| match &line.event {
            Event::Staged { .. } => RunState::Staged,
            Event::Committing if state == RunState::Staged => {
                RunState::Unfinished(Direction::Forward)
            }
            Event::Turned { direction, .. } => RunState::Unfinished(*direction),
            Event::Closed { outcome, .. } => RunState::Closed(*outcome),
            _ => state,
        })
}

/// Describes the parts of the events that cannot be read.
fn incomplete(events: &Events) -> Vec<String> {
    let mut missing = Vec::new();
    if let Some(why) = &events.absent {
        missing.push(format!("the events of the run cannot be used: {why}"));
    }
    if !events.lines.is_empty() && began(&events.lines).is_none() {
        missing.push("the events do not name their run: their beginning is missing".to_owned());
    }
    for (lines, fault) in [
        (events.unknown, "of a later version, which are left out"),
        (events.damaged, "that cannot be read"),
    ] {
        if lines > 0 {
            missing.push(format!("lines of the events {fault}: {lines}"));
        }
    }
    if events.torn {
        missing.push("the last line of the events is incomplete".to_owned());
    }
    if events.cut {
        missing.push("the events are too long to be read completely".to_owned());
    }
    missing
}
