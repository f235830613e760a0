//! Records of a run that supplement its events: the journal and the plan in its directory.

use jiff::Timestamp;

use super::summary::AcknowledgedRestarts;
use super::{Began, Event, EventLine, EventStep, EventSubject, SCHEMA, StateComparison};
use crate::journal::{Direction, JournalEntry, Opened, Outcome, Record, Run, RunState, RunSubject};
use crate::names::Digest;
use crate::plan::Plan;

/// Journal and plan of a run, as far as they exist.
#[derive(Debug, Clone, Copy, Default)]
pub struct Records<'a> {
    /// Run with its journal.
    pub run: Option<&'a Run>,
    /// Plan of the run.
    pub plan: Option<&'a Plan>,
}

impl Records<'_> {
    fn opened(&self) -> Option<&Opened> {
        self.run?.journal.opened()
    }

    fn expected(&self) -> Option<Digest> {
        Some(self.plan?.expected_state.as_ref()?.digest)
    }

    /// Returns the state of the run, or `None` if the journal has no record.
    pub(super) fn state(&self) -> Option<RunState> {
        self.opened().and(self.run).map(Run::state)
    }

    /// Returns the restarts that were acknowledged, in order.
    pub(super) fn acknowledged(&self) -> Vec<AcknowledgedRestarts> {
        let entries = self.run.map(|run| run.journal.entries.as_slice());
        let acknowledged = |entry: &JournalEntry| match &entry.record {
            Record::Acknowledged { by, actions } => Some(AcknowledgedRestarts {
                at: entry.at.clone(),
                by: by.clone(),
                actions: actions.clone(),
            }),
            _ => None,
        };
        entries
            .unwrap_or_default()
            .iter()
            .filter_map(acknowledged)
            .collect()
    }

    /// Returns the first event of the run as far as the records have its facts; the others are
    /// empty.
    pub(super) fn began(&self) -> Option<Began> {
        let (opened, plan) = (self.opened(), self.plan);
        let subject = match opened {
            Some(opened) => subject(&opened.subject),
            None => EventSubject::of(&plan?.subject),
        };
        Some(Began {
            schema: SCHEMA,
            command: String::new(),
            run: String::new(),
            tool: String::new(),
            user: opened.map(|opened| opened.user.clone()).unwrap_or_default(),
            host: opened.map(|opened| opened.host.clone()).unwrap_or_default(),
            deployment: plan.map(|plan| plan.deployment.clone()).unwrap_or_default(),
            subject,
            plan: opened.map(|opened| opened.plan),
            expected: self.expected(),
            swaps: plan.map_or(0, |plan| plan.swaps.len() as u64),
            steps: plan.map(EventStep::all).unwrap_or_default(),
        })
    }

    /// Returns the journal as event lines: when the run was opened, staged, begun, turned and
    /// closed.
    pub(super) fn lines(&self) -> Vec<EventLine> {
        let entries = self.run.map(|run| run.journal.entries.as_slice());
        let mut first: Option<Timestamp> = None;
        let mut lines = Vec::new();
        for entry in entries.unwrap_or_default() {
            let at: Option<Timestamp> = entry.at.parse().ok();
            first = first.or(at);
            let elapsed = at.zip(first).map(|(at, first)| at.duration_since(first));
            let elapsed_us = elapsed.and_then(|elapsed| u64::try_from(elapsed.as_micros()).ok());
            let line = |event| EventLine {
                at: entry.at.clone(),
                elapsed_us: elapsed_us.unwrap_or(0),
                event,
            };
            lines.extend(self.compared(&entry.record).map(line));
            lines.extend(self.event(&entry.record).map(line));
        }
        lines
    }

    /// Returns the comparison that a record proves: a run is closed as applied only if nothing
    /// managed differs from the expected state.
    fn compared(&self, record: &Record) -> Option<Event> {
        match record {
            Record::Closed {
                outcome: Outcome::Applied,
                measured,
                missing,
                ..
            } => Some(Event::Compared(StateComparison {
                direction: Direction::Forward,
                expected: self.expected(),
                measured: Some(*measured),
                differs: Vec::new(),
                appeared: Vec::new(),
                missing: missing.clone(),
            })),
            _ => None,
        }
    }

    fn event(&self, record: &Record) -> Option<Event> {
        let bytes = self.plan.map_or(0, Plan::new_bytes);
        Some(match record {
            // It belongs to no attempt.
            Record::Acknowledged { .. } => return None,
            Record::Opened(opened) => Event::Opened {
                run: self
                    .run
                    .map(|run| run.name().to_owned())
                    .unwrap_or_default(),
                bytes,
                signatures: opened.signatures.clone(),
            },
            Record::Staged { .. } => Event::Staged { bytes },
            Record::Committing { .. } => Event::Committing,
            Record::Confirmed {
                step,
                by,
                from,
                answer,
            } => Event::Answered {
                step: step.clone(),
                answer: *answer,
                by: by.clone().unwrap_or_default(),
                from: *from,
                waited_us: 0,
            },
            Record::Turned { direction, why, .. } => Event::Turned {
                direction: *direction,
                why: why.clone(),
            },
            Record::Reopened { why, .. } => Event::Turned {
                direction: Direction::Back,
                why: why.clone(),
            },
            Record::Closed {
                outcome,
                measured,
                accepted,
                ..
            } => Event::Closed {
                outcome: *outcome,
                measured: Some(*measured),
                by: accepted.as_ref().map(|accepted| accepted.by.clone()),
                reason: accepted.as_ref().map(|accepted| accepted.reason.clone()),
            },
        })
    }
}

fn subject(subject: &RunSubject) -> EventSubject {
    match subject {
        RunSubject::Rollup(rollup) => EventSubject::Rollup {
            kb: rollup.kb.to_string(),
            revision: rollup.revision.to_string(),
            title: rollup.title.clone(),
        },
        RunSubject::Accept { reason, .. } => EventSubject::Accept {
            reason: reason.clone(),
        },
    }
}
