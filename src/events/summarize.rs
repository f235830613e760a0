//! Making of a run's summary, from its events and from the run's own records.

use super::attempt::passages;
use super::summary::Account;
use super::timeline::timeline;
use super::{Began, Events, Happened, Line, Records};
use crate::journal::{Direction, RunState};
use crate::names::Escaped;

impl Account {
    /// Summarizes a run from its events, and from the run's own records if the events lack
    /// something.
    pub fn of(run: &str, events: &Events, records: &Records<'_>) -> Self {
        let mut missing = incomplete(events);
        let synthetic;
        let is_told = |line: &Line| matches!(line.happened, Happened::Began(_) | Happened::Swap(_));
        let from_journal = !events.lines.iter().any(is_told);
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
        let began: Option<&Began> = lines.iter().find_map(|line| match &line.happened {
            Happened::Began(began) => Some(&**began),
            _ => None,
        });
        if let Some(other) = began
            .map(|began| &began.run)
            .filter(|named| !named.is_empty() && *named != run)
        {
            missing.push(format!(
                "the events say that they are of run {}",
                Escaped(other)
            ));
        }
        let at = |wanted: fn(&Happened) -> bool| {
            let found = lines.iter().filter(move |line| wanted(&line.happened));
            found.map(|line| line.at.clone()).collect::<Vec<_>>()
        };
        let steps = began.map_or_else(|| records.steps(), |began| began.steps.clone());
        let swaps = began.map(|began| began.swaps).or_else(|| records.swaps());
        let state = records.state().unwrap_or_else(|| told_state(lines));
        let passages = passages(&timeline, &steps, swaps, state, from_journal);
        if passages.iter().any(|passage| passage.partial) && !from_journal {
            missing.push("not every swap is told: times may be too short".to_owned());
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
            about: began
                .map(|began| began.about.clone())
                .or_else(|| records.about()),
            deployment: began.map(|began| began.deployment.clone()),
            user: began
                .map(|began| began.user.clone())
                .or_else(|| records.opened().map(|opened| opened.user.clone())),
            host: began
                .map(|began| began.host.clone())
                .or_else(|| records.opened().map(|opened| opened.host.clone())),
            opened: at(|happened| matches!(happened, Happened::Opened { .. }))
                .into_iter()
                .next(),
            closed: at(|happened| matches!(happened, Happened::Closed { .. }))
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
            steps,
            commands,
            passages,
            missing,
        }
    }
}

/// Returns the state of a run according to its events alone.
fn told_state(lines: &[Line]) -> RunState {
    lines
        .iter()
        .fold(RunState::Staging, |state, line| match &line.happened {
            Happened::Staged { .. } => RunState::Staged,
            Happened::Committing if state == RunState::Staged => {
                RunState::Unfinished(Direction::Forward)
            }
            Happened::Turned { direction, .. } => RunState::Unfinished(*direction),
            Happened::Closed { outcome, .. } => RunState::Closed(*outcome),
            _ => state,
        })
}

/// Lists what cannot be read of the events, in words.
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
            "has an older form, which tells less",
            "have an older form, which tells less",
        ));
    }
    let is_began = |line: &Line| matches!(line.happened, Happened::Began(_));
    if events.older == 0 && !events.lines.is_empty() && !events.lines.iter().any(is_began) {
        missing.push(
            "the events do not say what they are of: they have an older form, or lost their beginning".to_owned(),
        );
    }
    if events.unknown > 0 {
        missing.push(lines(
            events.unknown,
            "is of a later version, and left out",
            "are of a later version, and left out",
        ));
    }
    if events.damaged > 0 {
        missing.push(lines(events.damaged, "cannot be read", "cannot be read"));
    }
    if events.torn {
        missing.push("the last line of the events is torn".to_owned());
    }
    if events.cut {
        missing.push("the events are longer than what is read of them".to_owned());
    }
    missing
}
