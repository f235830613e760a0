//! Conversion of a run's events to lines.

use std::time::Duration;

use super::{EventOperation, LoggedEvent, StateComparison, SwapEvent};
use crate::names::Escaped;
use crate::run::Event;

impl LoggedEvent {
    /// Returns the logged form of an event, or `None` if the event is not logged.
    pub fn of(event: &Event<'_>) -> Option<Self> {
        let id = |step: &crate::plan::PlannedStep| step.id.clone();
        Some(match event {
            Event::Opened { run, bytes } => Self::Opened {
                run: (*run).to_owned(),
                bytes: *bytes,
            },
            // Too many to log; `opened` has the number of bytes.
            Event::Wrote { .. } => return None,
            Event::Staged { bytes } => Self::Staged { bytes: *bytes },
            Event::BackedUp(backup) => Self::BackedUp {
                directory: Escaped(&backup.directory.display().to_string()).to_string(),
                files: backup.files as u64,
                bytes: backup.bytes,
            },
            Event::Committing => Self::Committing,
            Event::Step { step, direction } => Self::Step {
                step: step.map(id),
                direction: *direction,
            },
            Event::Swapped {
                swap,
                operations,
                direction,
                took,
            } => Self::Swap(SwapEvent {
                swap: swap.number,
                step: swap.step.clone(),
                direction: *direction,
                took_us: micros(*took),
                operations: operations
                    .iter()
                    .map(|operation| EventOperation::of(operation))
                    .collect(),
            }),
            Event::Sync {
                step,
                direction,
                took,
            } => Self::Sync {
                step: step.map(id),
                direction: *direction,
                took_us: micros(*took),
            },
            Event::Asked { step, direction } => Self::Asked {
                step: id(step),
                direction: *direction,
            },
            Event::Answered {
                step,
                answer,
                by,
                waited,
            } => Self::Answered {
                step: id(step),
                answer: *answer,
                by: (*by).to_owned(),
                waited_us: micros(*waited),
            },
            Event::Turned { direction, why } => Self::Turned {
                direction: *direction,
                why: (*why).to_owned(),
            },
            Event::RestartRequired { service, servers } => Self::RestartRequired {
                service: (*service).to_owned(),
                servers: servers.iter().map(|server| (*server).to_owned()).collect(),
            },
            Event::Notice { text } => Self::Notice {
                text: (*text).to_owned(),
            },
            Event::Compared(compared) => Self::Compared(StateComparison {
                direction: compared.direction,
                expected: compared.expected,
                measured: compared.measured,
                differs: compared.differs.clone(),
                appeared: compared.appeared.clone(),
            }),
            Event::Closed {
                outcome,
                measured,
                accepted,
            } => Self::Closed {
                outcome: *outcome,
                measured: Some(*measured),
                by: accepted.map(|accepted| accepted.by.clone()),
                reason: accepted.map(|accepted| accepted.reason.clone()),
            },
        })
    }
}

/// Returns a duration in whole microseconds, at most [`u64::MAX`].
pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
