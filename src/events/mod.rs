//! Event log of a run, and the summary of the run that is made from it.
//!
//! Every command that works on a run appends lines to `events.ndjson` in the run's directory: each
//! event with its time, so that a report can be made from this file alone. Nothing ever depends on
//! it or waits for it. It is never synced, lines that cannot be written are dropped and counted, and
//! lines that cannot be read are left out and reported as missing.
//!
//! Each line is one JSON object, an [`EventLine`]; `rollup schema event` prints its schema. Every
//! line has:
//!
//! | key | value |
//! | --- | --- |
//! | `at` | time at which it happened, by the wall clock, UTC |
//! | `elapsed_us` | microseconds since the command began, by the monotonic clock |
//! | `event` | kind of the event; the other keys depend on it |
//!
//! A command that works on the run begins with `began` and ends with `ended`, which carries the
//! exit code. If `ended` is missing, the command died. The next command appends to the same file,
//! so `elapsed_us` starts again from zero at every `began`; the time between two commands is known
//! from the wall clock only.
//!
//! | event | when |
//! | --- | --- |
//! | `began` | first line of a command: the user, the command, the plan and its steps |
//! | `opened`, `staged` | the run's directory was made; staging is complete |
//! | `backed-up` | the files that will be replaced were copied elsewhere |
//! | `committing` | the first rename is next |
//! | `step` | a step begins; `null` is the record of the applied rollups |
//! | `swap` | an object was swapped in or rolled back, with the operations that this does |
//! | `sync` | the moves of a step are synced to disk |
//! | `asked`, `answered` | a step waits for a person; the answer |
//! | `turned` | the run changes its direction |
//! | `restart-required` | the old file of a service was restored; the service did not notice |
//! | `notice` | information for the operator that stops nothing |
//! | `compared` | the tree was compared with the plan, or after a rollback with the state before |
//! | `closed` | the run is closed |
//! | `ended` | last line of a command |
//!
//! Within one `schema` keys and events may be added; a reader skips what it does not know.

mod attempt;
mod outage;
mod queue;
mod reader;
mod records;
mod summarize;
mod summary;
mod timeline;
mod writer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::run::event::{
    Availability, Began, Event, EventOperation, EventStep, EventSubject, SCHEMA, StateComparison,
    TargetKind,
};
pub use queue::{QueueWriter, STALL_LIMIT, WriterQueue};
pub use reader::{Events, read};
pub use records::Records;
pub use summary::{
    AcknowledgedRestarts, Attempt, Breakdown, DirectionChange, ManualWait, RequiredRestart,
    RunSummary, ServerTiming, Session, StepTiming, TargetOutages, TimeSpan, TimedSwap,
};
pub use writer::{DroppedEvents, EventWriter, Pace};

/// One line of the `events.ndjson` of a run. Keys and events may be added in later versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A line of events.ndjson")]
pub struct EventLine {
    /// Time at which it happened, by the wall clock: UTC, as in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Microseconds since the command began, by the monotonic clock.
    pub elapsed_us: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Event,
}
