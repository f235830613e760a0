//! Event log of a run, and the summary of the run that is made from it.
//!
//! Every command that works on a run appends lines to `events.ndjson` in the run's directory: what
//! happened and when, so that a report can be made from this file alone. Nothing ever depends on
//! it. It is never synced, lines that cannot be written are dropped, and lines that cannot be read
//! are left out and reported as missing.
//!
//! Each line is one JSON object, a [`Line`]; `rollup schema event` prints its schema. Every line
//! has:
//!
//! | key | is |
//! | --- | --- |
//! | `at` | when it was written, by the wall clock, UTC |
//! | `elapsed_us` | microseconds since the command began, by the monotonic clock |
//! | `event` | what happened; the other keys depend on it |
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
//! | `sync` | what a step moved is synced to disk |
//! | `asked`, `answered` | a manual step waits for a person; the answer |
//! | `turned` | the run changes its direction |
//! | `restart-due` | the old file of a service was restored; the service itself did not notice |
//! | `notice` | information for the operator that stops nothing |
//! | `compared` | the tree was compared with the plan, or after a rollback with the state before |
//! | `closed` | the run is closed |
//! | `ended` | last line of a command |
//!
//! Within one `schema` keys and events may be added; a reader skips what it does not know.

mod attempt;
mod from_run;
mod outage;
mod reader;
mod records;
mod summarize;
mod summary;
mod timeline;
mod writer;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::lock::{host, user};
use crate::journal::{Answer, Direction, Outcome};
use crate::names::{Digest, RelPath};
use crate::plan::{OperationKind, Plan, Subject, TargetState};

pub use reader::{Events, read};
pub use records::Records;
pub use summary::{
    Account, Away, Compared, Move, Passage, Restart, ServerTaken, Session, Span, Spent, StepTaken,
    Turned, Waited,
};
pub use writer::{Lost, Writer, path_of};

/// Version of the format of the lines.
pub const SCHEMA: u32 = 1;

/// One line of the `events.ndjson` of a run. Keys and events may be added in later versions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(title = "A line of events.ndjson")]
pub struct Line {
    /// When it was written, by the wall clock: UTC, as in RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    pub at: String,
    /// Microseconds since the command began, by a clock that nobody sets.
    pub elapsed_us: u64,
    /// What happened.
    #[serde(flatten)]
    pub happened: Happened,
}

/// What a line tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Happened {
    /// A command begins to work on the run.
    Began(Box<Began>),
    /// The run's directory was made.
    Opened {
        /// The run, such as `0012-KB952076`.
        run: String,
        /// How many bytes will be staged.
        bytes: u64,
    },
    /// Staging is whole: everything is on disk and was read back.
    Staged {
        /// How many bytes were staged.
        #[serde(default)]
        bytes: u64,
    },
    /// What the run will replace was copied elsewhere.
    BackedUp {
        /// Where to.
        directory: String,
        /// How many files.
        files: u64,
        /// How many bytes they have.
        bytes: u64,
    },
    /// The first rename is due.
    Committing,
    /// A step begins.
    Step {
        /// Its id; `null` is the level.
        step: Option<String>,
        /// Direction in which it is taken.
        direction: Direction,
    },
    /// An object was swapped in, or the old one back.
    Swap(Swapped),
    /// What a step moved is on disk.
    Sync {
        /// The step's id; `null` is the level.
        step: Option<String>,
        /// Direction of the run.
        direction: Direction,
        /// How long the disk took, in microseconds.
        took_us: u64,
    },
    /// A manual step waits for a person from now on.
    Asked {
        /// The step's id.
        step: String,
        /// Direction of the run: `back` if the step is to be taken back.
        direction: Direction,
    },
    /// A manual step was answered.
    Answered {
        /// The step's id.
        step: String,
        /// What was said.
        answer: Answer,
        /// Who said so.
        #[serde(default)]
        by: String,
        /// How long this command waited for it, in microseconds; an earlier one may have put the
        /// question.
        #[serde(default)]
        waited_us: u64,
    },
    /// The run goes the other way from here on.
    Turned {
        /// Direction from here on.
        direction: Direction,
        /// Why: what failed, or the command.
        why: String,
    },
    /// The file of a service went back to its old bytes; the service itself did not notice.
    RestartDue {
        /// The service.
        service: String,
        /// Where.
        servers: Vec<String>,
    },
    /// What the operator should know, and stops nothing.
    Notice {
        /// In words.
        text: String,
    },
    /// What stands was compared with what should.
    Compared {
        /// Direction of the run: `back` if the state before should stand, and not what the preview
        /// said.
        direction: Direction,
        /// Digest of what should stand.
        expected: Option<Digest>,
        /// Digest of what does; going back, only where nothing differs.
        measured: Option<Digest>,
        /// What of ours differs, in words.
        differs: Vec<String>,
        /// Files that nobody predicted: an operator's, which came meanwhile.
        came: Vec<RelPath>,
    },
    /// The run is at rest.
    Closed {
        /// How.
        outcome: Outcome,
        /// Digest of what stands at the live paths.
        #[serde(default)]
        measured: Option<Digest>,
        /// Where the run was closed as it stood: who did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Where the run was closed as it stood: why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The command ends.
    Ended {
        /// Its exit code.
        exit_code: u8,
        /// The name of the exit code.
        #[serde(default)]
        exit: String,
        /// Why it did not do what it was asked for.
        #[serde(default)]
        reasons: Vec<String>,
    },
}

/// The first line of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Began {
    /// Version of the lines that follow, up to the next such line.
    pub schema: u32,
    /// The command: `apply`, `stage`, `resume`, `undo`, `accept` or `rehearse`.
    pub command: String,
    /// The run, such as `0012-KB952076`.
    pub run: String,
    /// Version of the program.
    pub tool: String,
    /// Who typed it.
    pub user: String,
    /// On which machine.
    pub host: String,
    /// Name of the deployment.
    pub deployment: String,
    /// What the run is of.
    pub about: About,
    /// Digest of the plan.
    pub plan: Option<Digest>,
    /// Digest of what the plan predicts.
    pub expected: Option<Digest>,
    /// How many swaps the plan has, the level's included.
    pub swaps: u64,
    /// The steps of the plan, in order.
    pub steps: Vec<Step>,
}

/// What a run is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum About {
    /// A rollup.
    Rollup {
        /// Its KB number, such as `KB952076`.
        kb: String,
        /// Revision of its article.
        revision: String,
        /// Its title.
        title: String,
    },
    /// What lay on disk was taken for true.
    Accept {
        /// Why.
        reason: String,
    },
}

/// A step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// The author's id.
    pub id: String,
    /// For people.
    pub title: String,
    /// Its action, such as `uninstall`.
    pub action: String,
    /// How many operations it has.
    pub operations: u64,
}

/// A swap that is done, or taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Swapped {
    /// Its number in the plan, from 1.
    pub swap: u32,
    /// The step's id; `null` is the level.
    pub step: Option<String>,
    /// Direction: `back` if it was taken back.
    pub direction: Direction,
    /// How long its renames took, in microseconds; they end when the line is written.
    pub took_us: u64,
    /// What it does. The level has no operation.
    pub operations: Vec<Operation>,
}

/// An operation of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Operation {
    /// What is done.
    pub kind: OperationKind,
    /// To what, as people name it.
    pub target: String,
    /// The server, where there is one.
    pub server: Option<String>,
    /// What the target is.
    pub of: Kind,
    /// Whether an item is installed or a service runs before the operation; `null` for anything
    /// else. Taken back, this is so again afterwards.
    pub before: Option<Availability>,
    /// The same after it.
    pub after: Option<Availability>,
}

/// What an operation is done to.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A component of the console, or what a package installs outside of it.
    Item,
    /// A procedure of the console.
    Procedure,
    /// A file.
    File,
    /// A service.
    Service,
}

/// Whether an item or a service is there for those who use it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// Installed, or running.
    Up,
    /// Not installed, or stopped.
    Down,
}

impl Began {
    /// Returns the first line of a command that works on a run of this plan; the run has no name
    /// yet.
    pub fn of(plan: &Plan, command: &str) -> Self {
        Self {
            schema: SCHEMA,
            command: command.to_owned(),
            run: String::new(),
            tool: env!("CARGO_PKG_VERSION").to_owned(),
            user: user(),
            host: host(),
            deployment: plan.deployment.clone(),
            about: About::of(&plan.subject),
            plan: plan.digest,
            expected: plan
                .expected_state
                .as_ref()
                .map(|expected_state| expected_state.digest),
            swaps: plan.swaps.len() as u64,
            steps: Step::all(plan),
        }
    }
}

impl Step {
    /// Returns the steps of a plan.
    fn all(plan: &Plan) -> Vec<Self> {
        let steps = plan.steps.iter().map(|step| Self {
            id: step.id.clone(),
            title: step.title.clone(),
            action: step.action.clone(),
            operations: step.operations.len() as u64,
        });
        steps.collect()
    }
}

impl About {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Rollup(rollup) => Self::Rollup {
                kb: rollup.kb.to_string(),
                revision: rollup.revision.to_string(),
                title: rollup.title.clone(),
            },
            Subject::Accept(acceptance) => Self::Accept {
                reason: acceptance.reason.clone(),
            },
        }
    }
}

impl Operation {
    fn of(operation: &crate::plan::Operation) -> Self {
        let (of, before, after) = availability(&operation.before, &operation.after);
        Self {
            kind: operation.kind,
            target: operation.target.clone(),
            server: operation.server.clone(),
            of,
            before,
            after,
        }
    }
}

/// Returns the kind of an operation's target, and whether the target is up before and after the
/// operation.
fn availability(
    before: &TargetState,
    after: &TargetState,
) -> (Kind, Option<Availability>, Option<Availability>) {
    let availability_if = |up: bool| {
        if up {
            Availability::Up
        } else {
            Availability::Down
        }
    };
    let item = |side: &TargetState| match side {
        TargetState::Item { state, .. } => Some(availability_if(state.is_installed())),
        TargetState::Nothing => Some(Availability::Down),
        _ => None,
    };
    let service = |side: &TargetState| match side {
        TargetState::Service { running, .. } => Some(availability_if(*running)),
        _ => None,
    };
    match (before, after) {
        (TargetState::Service { .. }, _) | (_, TargetState::Service { .. }) => {
            (Kind::Service, service(before), service(after))
        }
        (TargetState::Item { .. }, _) | (_, TargetState::Item { .. }) => {
            (Kind::Item, item(before), item(after))
        }
        (TargetState::Procedure { .. }, _) | (_, TargetState::Procedure { .. }) => {
            (Kind::Procedure, None, None)
        }
        _ => (Kind::File, None, None),
    }
}
