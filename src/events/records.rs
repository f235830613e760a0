//! Records of a run that supplement its events: the journal and the plan in its directory.

use jiff::Timestamp;

use super::{EventLine, EventStep, EventSubject, LoggedEvent};
use crate::journal::{self, Direction, Opened, Outcome, Record, Run, RunState};
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
    pub(super) fn opened(&self) -> Option<&Opened> {
        self.run?.journal.opened()
    }

    /// Returns the state of the run, or `None` if the journal has no record.
    pub(super) fn state(&self) -> Option<RunState> {
        self.opened().and(self.run).map(Run::state)
    }

    pub(super) fn subject(&self) -> Option<EventSubject> {
        let from_journal = self.opened().map(|opened| match &opened.subject {
            journal::RunSubject::Rollup(rollup) => EventSubject::Rollup {
                kb: rollup.kb.to_string(),
                revision: rollup.revision.to_string(),
                title: rollup.title.clone(),
            },
            journal::RunSubject::Accept { reason, .. } => EventSubject::Accept {
                reason: reason.clone(),
            },
        });
        from_journal.or_else(|| self.plan.map(|plan| EventSubject::of(&plan.subject)))
    }

    pub(super) fn steps(&self) -> Vec<EventStep> {
        self.plan.map(EventStep::all).unwrap_or_default()
    }

    pub(super) fn swaps(&self) -> Option<u64> {
        self.plan.map(|plan| plan.swaps.len() as u64)
    }

    pub(super) fn expected(&self) -> Option<Digest> {
        Some(self.plan?.expected_state.as_ref()?.digest)
    }

    /// Returns the journal as event lines: when the run was opened, staged, begun, turned and
    /// closed.
    pub(super) fn lines(&self) -> Vec<EventLine> {
        let Some(run) = self.run else {
            return Vec::new();
        };
        let first: Option<Timestamp> = run
            .journal
            .entries
            .first()
            .and_then(|entry| entry.at.parse().ok());
        let bytes = self.plan.map(crate::run::bytes_to_stage);
        let mut lines = Vec::new();
        for entry in &run.journal.entries {
            // A run is closed as applied only if nothing managed differs from the expected state.
            if let Record::Closed {
                outcome: Outcome::Applied,
                measured,
                ..
            } = &entry.record
            {
                let expected = self.expected();
                let (differs, appeared) = (Vec::new(), Vec::new());
                let elapsed_us = lines.last().map_or(0, |line: &EventLine| line.elapsed_us);
                let event = LoggedEvent::Compared {
                    direction: Direction::Forward,
                    expected,
                    measured: Some(*measured),
                    differs,
                    appeared,
                };
                lines.push(EventLine {
                    at: entry.at.clone(),
                    elapsed_us,
                    event,
                });
            }
            let at: Option<Timestamp> = entry.at.parse().ok();
            let elapsed = at
                .zip(first)
                .map(|(at, first)| at.as_microsecond() - first.as_microsecond());
            let elapsed_us = elapsed.and_then(|us| u64::try_from(us).ok()).unwrap_or(0);
            let event = match &entry.record {
                Record::Opened(_) => LoggedEvent::Opened {
                    run: run.name().to_owned(),
                    bytes: bytes.unwrap_or(0),
                },
                Record::Staged { .. } => LoggedEvent::Staged {
                    bytes: bytes.unwrap_or(0),
                },
                Record::Committing { .. } => LoggedEvent::Committing,
                Record::Confirmed { step, by, answer } => LoggedEvent::Answered {
                    step: step.clone(),
                    answer: *answer,
                    by: by.clone(),
                    waited_us: 0,
                },
                Record::Turned { direction, why } => LoggedEvent::Turned {
                    direction: *direction,
                    why: why.clone(),
                },
                Record::Reopened { why, .. } => LoggedEvent::Turned {
                    direction: Direction::Back,
                    why: why.clone(),
                },
                Record::Closed {
                    outcome,
                    measured,
                    accepted,
                    ..
                } => LoggedEvent::Closed {
                    outcome: *outcome,
                    measured: Some(*measured),
                    by: accepted.as_ref().map(|accepted| accepted.by.clone()),
                    reason: accepted.as_ref().map(|accepted| accepted.reason.clone()),
                },
            };
            lines.push(EventLine {
                at: entry.at.clone(),
                elapsed_us,
                event,
            });
        }
        lines
    }
}
