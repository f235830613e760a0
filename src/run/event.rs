//! Events of a run: its listener receives them, and `events.ndjson` has one on each line.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::lock::{host, user};
use crate::journal::{Answer, AnswerSource, Direction, Outcome, RunSignatures};
use crate::names::{Digest, RelPath};
use crate::plan::{Operation, OperationKind, Plan, Subject, TargetState};

/// Version of the format of the lines.
pub const SCHEMA: u32 = 1;

/// Event of a run, as it is reported to the listener and written to `events.ndjson`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A command begins to work on the run.
    Began(Box<Began>),
    /// The run's directory was made.
    Opened {
        /// Name of the run, such as `0012-KB952076`.
        run: String,
        /// Number of bytes that will be staged.
        bytes: u64,
        /// Signatures that the run was begun with.
        #[serde(default, skip_serializing_if = "RunSignatures::is_empty")]
        signatures: RunSignatures,
    },
    /// Staging is complete: everything is on disk and was verified by reading it.
    Staged {
        /// Number of bytes that were staged.
        #[serde(default)]
        bytes: u64,
    },
    /// The files that the run replaces were copied elsewhere.
    BackedUp {
        /// Directory of the copies.
        directory: String,
        /// Number of files.
        files: u64,
        /// Total size of the files in bytes.
        bytes: u64,
    },
    /// The first rename is next.
    Committing,
    /// A step begins.
    Step {
        /// Id of the step; `null` for the record of the applied rollups.
        step: Option<String>,
        /// Direction in which the step is taken.
        direction: Direction,
    },
    /// A new object was swapped in, or an old one was restored.
    #[serde(rename = "swap")]
    Swapped {
        /// Number of the swap in the plan, from 1.
        swap: u32,
        /// Id of the step; `null` for the record of the applied rollups.
        step: Option<String>,
        /// Direction: `back` if the swap was rolled back.
        direction: Direction,
        /// Duration of its renames, in microseconds; they end at the time of the line.
        took_us: u64,
        /// Operations that it does. The swap of the record of the applied rollups has none.
        operations: Vec<EventOperation>,
    },
    /// The moves of a step are synced to disk.
    Sync {
        /// Id of the step; `null` for the record of the applied rollups.
        step: Option<String>,
        /// Direction of the run.
        direction: Direction,
        /// Duration of the sync, in microseconds.
        took_us: u64,
    },
    /// A manual step begins to wait for a person.
    Asked {
        /// Id of the step.
        step: String,
        /// Direction of the run: `back` if the step is to be rolled back.
        direction: Direction,
    },
    /// A manual step was answered.
    Answered {
        /// Id of the step.
        step: String,
        /// Answer that was given.
        answer: Answer,
        /// Person who gave the answer; empty if no person was asked.
        #[serde(default)]
        by: String,
        /// Source of the answer.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<AnswerSource>,
        /// Time that this command waited for it, in microseconds; an earlier command may have asked
        /// the question.
        #[serde(default)]
        waited_us: u64,
    },
    /// The run changes its direction.
    Turned {
        /// New direction.
        direction: Direction,
        /// Reason: the failure, or the name of the command.
        why: String,
    },
    /// The old file of a service was restored; the service did not notice and must be restarted. Or
    /// computers must be restarted, because the run changed them.
    RestartRequired {
        /// Name of the service; absent for the computers themselves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        service: Option<String>,
        /// Servers on which to restart it.
        servers: Vec<String>,
    },
    /// Information for the operator, which stops nothing.
    Notice {
        /// Text of the notice.
        text: String,
    },
    /// The current state was compared with the expected one.
    Compared(StateComparison),
    /// The run is closed.
    Closed {
        /// Outcome of the run.
        outcome: Outcome,
        /// Digest of the current state of the live paths.
        #[serde(default)]
        measured: Option<Digest>,
        /// User who closed the run in the state it was in, if it did not finish.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<String>,
        /// Reason why that user closed it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// The command ends.
    Ended {
        /// Exit code.
        exit_code: u8,
        /// Name of the exit code.
        #[serde(default)]
        exit: String,
        /// Reasons why the command failed.
        #[serde(default)]
        reasons: Vec<String>,
    },
}

/// Comparison of the current state with the expected one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StateComparison {
    /// Direction of the run: back if compared with the state before, and not with the plan's
    /// expected state.
    pub direction: Direction,
    /// Digest of the state that is expected.
    pub expected: Option<Digest>,
    /// Digest of the current state; after a rollback, only if nothing differs.
    pub measured: Option<Digest>,
    /// Managed entries that differ, in words.
    pub differs: Vec<String>,
    /// Unmanaged files and directories that appeared during the run.
    pub appeared: Vec<RelPath>,
    /// Unmanaged files and directories that were there before, and are not in their place any more.
    #[serde(default)]
    pub missing: Vec<RelPath>,
}

impl StateComparison {
    /// Returns whether everything is as expected, unmanaged files included.
    pub fn is_same(&self) -> bool {
        self.differs.is_empty()
            && self.appeared.is_empty()
            && self.missing.is_empty()
            && self.expected.is_some()
            && self.expected == self.measured
    }
}

/// First line of a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Began {
    /// Version of the lines that follow, up to the next such line.
    pub schema: u32,
    /// Name of the command: `apply`, `stage`, `resume`, `undo`, `accept` or `rehearse`.
    pub command: String,
    /// Name of the run, such as `0012-KB952076`.
    pub run: String,
    /// Version of the program.
    pub tool: String,
    /// User who typed the command.
    pub user: String,
    /// Machine on which it runs.
    pub host: String,
    /// Name of the deployment.
    pub deployment: String,
    /// Subject of the run.
    pub subject: EventSubject,
    /// Digest of the plan.
    pub plan: Option<Digest>,
    /// Digest of the plan's expected state.
    pub expected: Option<Digest>,
    /// Number of swaps in the plan, including that of the record of the applied rollups.
    pub swaps: u64,
    /// Steps of the plan, in order.
    pub steps: Vec<EventStep>,
}

/// Subject of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventSubject {
    /// The run applies a rollup.
    Rollup {
        /// KB number, such as `KB952076`.
        kb: String,
        /// Revision of the article.
        revision: String,
        /// Title of the rollup.
        title: String,
    },
    /// The run accepts drift.
    Accept {
        /// Reason that was given.
        reason: String,
    },
}

/// Step of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventStep {
    /// Id that the author gave it.
    pub id: String,
    /// Title, for people.
    pub title: String,
    /// Keyword of its action, such as `uninstall`.
    pub action: String,
    /// Number of operations.
    pub operations: u64,
}

/// Operation of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EventOperation {
    /// Kind of the operation.
    pub kind: OperationKind,
    /// Name of the target, for people.
    pub target: String,
    /// Server, if there is one.
    pub server: Option<String>,
    /// Kind of the target.
    pub of: TargetKind,
    /// Availability of an item or a service before the operation, and again after its rollback;
    /// `null` for other targets.
    pub before: Option<Availability>,
    /// Availability after the operation.
    pub after: Option<Availability>,
}

/// Kinds of targets of operations.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum TargetKind {
    /// A component of the console, or a package that is installed outside of it.
    Item,
    /// A procedure of the console.
    Procedure,
    /// A file.
    File,
    /// A service.
    Service,
}

/// Availability of an item or a service to its users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// Installed, or running.
    Up,
    /// Not installed, or stopped.
    Down,
}

impl Event {
    /// Returns whether it is the first or the last line of a command.
    pub(crate) fn is_edge(&self) -> bool {
        matches!(self, Event::Began(_) | Event::Ended { .. })
    }
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
            subject: EventSubject::of(&plan.subject),
            plan: plan.digest,
            expected: plan
                .expected_state
                .as_ref()
                .map(|expected_state| expected_state.digest),
            swaps: plan.swaps.len() as u64,
            steps: EventStep::all(plan),
        }
    }
}

impl EventStep {
    /// Returns the steps of a plan.
    pub(crate) fn all(plan: &Plan) -> Vec<Self> {
        let steps = plan.steps.iter().map(|step| Self {
            id: step.id.clone(),
            title: step.title.clone(),
            action: step.action.clone(),
            operations: step.operations.len() as u64,
        });
        steps.collect()
    }
}

impl EventSubject {
    pub(crate) fn of(subject: &Subject) -> Self {
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

impl EventOperation {
    pub(crate) fn of(operation: &Operation) -> Self {
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
) -> (TargetKind, Option<Availability>, Option<Availability>) {
    let availability_if = |up: bool| {
        if up {
            Availability::Up
        } else {
            Availability::Down
        }
    };
    let item = |state: &TargetState| match state {
        TargetState::Item { state, .. } => Some(availability_if(state.is_installed())),
        TargetState::Nothing => Some(Availability::Down),
        _ => None,
    };
    let service = |state: &TargetState| match state {
        TargetState::Service { running, .. } => Some(availability_if(*running)),
        _ => None,
    };
    match (before, after) {
        (TargetState::Service { .. }, _) | (_, TargetState::Service { .. }) => {
            (TargetKind::Service, service(before), service(after))
        }
        (TargetState::Item { .. }, _) | (_, TargetState::Item { .. }) => {
            (TargetKind::Item, item(before), item(after))
        }
        (TargetState::Procedure { .. }, _) | (_, TargetState::Procedure { .. }) => {
            (TargetKind::Procedure, None, None)
        }
        _ => (TargetKind::File, None, None),
    }
}

/// Returns a duration in whole microseconds, at most [`u64::MAX`].
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
