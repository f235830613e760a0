//! Summary of a run: its events, their times and durations.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use super::{EventOperation, EventStep, EventSubject, StateComparison, TargetKind};
use crate::journal::{
    Answer, AnswerSource, Direction, Outcome, PendingAction, RunSignatures, RunState,
};
use crate::names::Digest;
use crate::run::UndoAnswer;

/// Summary of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RunSummary {
    /// Name of the run, such as `0012-KB952076`.
    pub run: String,
    /// Subject of the run, if any record still shows it.
    pub subject: Option<EventSubject>,
    /// Name of the deployment.
    pub deployment: Option<String>,
    /// User who began the run.
    pub user: Option<String>,
    /// Machine on which the run was begun.
    pub host: Option<String>,
    /// Time at which the run's directory was made.
    pub opened: Option<String>,
    /// Time at which the run was closed, the last time.
    pub closed: Option<String>,
    pub plan: Option<Digest>,
    /// Digest of the state that the plan expects.
    pub expected: Option<Digest>,
    /// State of the run: `staging`, `staged`, `unfinished`, `unfinished-back`, `applied`, `undone`
    /// or `accepted`.
    #[serde(serialize_with = "state_word")]
    #[schemars(with = "String")]
    pub state: RunState,
    /// Exit code of the last command that did something to the run.
    pub exit_code: Option<u8>,
    /// Name of that exit code.
    pub exit: Option<String>,
    /// Restart of computers and changes of the registry that the article documents, in words.
    pub effects: Vec<String>,
    /// Limits of the run: what it caught up with, and the servers that it left out, in words.
    pub scope: Vec<String>,
    /// Ids of the prerequisites that the user who began the run confirmed.
    pub confirmed: Vec<String>,
    /// Signatures that the run was begun with.
    #[serde(skip_serializing_if = "RunSignatures::is_empty")]
    pub signatures: RunSignatures,
    /// Restarts that a person still has to do, after a run that is closed.
    pub pending: BTreeSet<PendingAction>,
    /// Restarts that a person did, as the journal records them.
    pub acknowledged: Vec<AcknowledgedRestarts>,
    /// Answer whether the run can be undone; `None` if it is not finished, or undone already.
    pub undo: Option<UndoAnswer>,
    /// Steps of the plan.
    pub steps: Vec<EventStep>,
    /// Every command that worked on the run, in order.
    pub commands: Vec<Session>,
    /// Attempts of the run in order, each from one clean state to the next: the apply with every
    /// resume, an undo of a finished run.
    pub attempts: Vec<Attempt>,
    /// Gaps in this summary, in words.
    pub missing: Vec<String>,
}

/// Restarts that a person did after a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AcknowledgedRestarts {
    /// Time at which they were acknowledged.
    pub at: String,
    /// User who acknowledged them.
    pub by: String,
    pub actions: BTreeSet<PendingAction>,
}

/// Period on the clock of the summary, which starts when the command of the first line began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TimeSpan {
    /// Start, in microseconds.
    pub from_us: u64,
    /// End, in microseconds.
    pub to_us: u64,
    /// True if it was measured by the wall clock, because it begins in one command and ends in
    /// another.
    pub by_wall_clock: bool,
}

/// One command that worked on the run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Session {
    /// Name of the command, if its `began` line is present.
    pub command: Option<String>,
    /// User who typed the command.
    pub user: Option<String>,
    /// Machine on which it ran.
    pub host: Option<String>,
    /// Version of the program.
    pub tool: Option<String>,
    /// Time at which its first line was written.
    pub at: String,
    /// Period from its start to its last line.
    pub span: TimeSpan,
    /// Exit code; `None` if the command died or is still running.
    pub exit_code: Option<u8>,
    /// Name of the exit code.
    pub exit: Option<String>,
    /// Reasons why the command failed.
    pub reasons: Vec<String>,
}

/// Attempt of a run, from one clean state to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Attempt {
    /// Outcome; `None` if the attempt has not ended.
    pub outcome: Option<Outcome>,
    /// Time at which its first line was written.
    pub at: String,
    /// Period from its first line to its last.
    pub span: TimeSpan,
    /// Period from the start of the command until staging was complete.
    pub staged: Option<TimeSpan>,
    /// Bytes that were staged.
    pub bytes: Option<u64>,
    /// Directory with a copy of the replaced files.
    pub backup: Option<String>,
    /// Period from the start of the commit until everything was compared and the run was closed.
    pub committed: Option<TimeSpan>,
    /// Period from before the first rename until after the last one.
    pub renames: Option<TimeSpan>,
    /// Breakdown of that period.
    pub breakdown: Breakdown,
    /// Outage: the period from before the first item or service became unavailable until the last one
    /// was available again, without the ones that are not available again.
    pub outage: Option<TimeSpan>,
    /// Part of it in which at least one of them was unavailable, in microseconds.
    pub outage_us: u64,
    /// True if some of its swaps are not recorded, so that times are too short.
    pub partial: bool,
    /// Steps in the order in which they were taken, forward and back.
    pub steps: Vec<StepTiming>,
    /// Work done on each server.
    pub servers: Vec<ServerTiming>,
    /// Outages of services and items during the attempt: ongoing ones first, then the longest.
    pub outages: Vec<TargetOutages>,
    /// Manual steps.
    pub waits: Vec<ManualWait>,
    /// Changes of its direction, with the reasons.
    pub turns: Vec<DirectionChange>,
    /// Restarts that the attempt left to a person: of services whose old file was restored and which
    /// did not notice, or of computers.
    pub restarts: Vec<RequiredRestart>,
    /// Information for the operator.
    pub notices: Vec<String>,
    /// Comparison with the expected state, or after a rollback with the state before.
    pub compared: Option<StateComparison>,
    /// User who closed the run in the state it was in, and the reason.
    pub accepted: Option<(String, String)>,
    /// Every swap. Not serialized, because programs find the swaps among the events.
    #[serde(skip)]
    pub swaps: Vec<TimedSwap>,
    /// Periods without a running command, or with one that waited for a person: in order, without
    /// overlap.
    #[serde(skip)]
    pub idle: Vec<TimeSpan>,
}

/// Breakdown of a period, in microseconds. The parts add up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Breakdown {
    /// Renames, with the checks around each.
    pub renaming_us: u64,
    /// Syncs of the moves to disk.
    pub syncs_us: u64,
    /// Waiting for people.
    pub waiting_us: u64,
    /// Time between two commands, when none was running.
    pub between_us: u64,
    /// Everything else.
    pub else_us: u64,
}

/// Step as it was taken in one direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct StepTiming {
    /// Id of the step; `None` for the record of the applied rollups.
    pub id: Option<String>,
    /// Title for people.
    pub title: Option<String>,
    /// Direction in which the step was taken.
    pub direction: Direction,
    /// Period from its start until it was synced to disk.
    pub span: TimeSpan,
    /// Number of operations that were done.
    pub operations: u64,
    /// Number of swaps that were done.
    pub swaps: u64,
    /// Duration of its renames, in microseconds.
    pub renaming_us: u64,
    /// Syncs of the step; several if it was interrupted.
    pub syncs: Vec<TimeSpan>,
    /// Work done on each server.
    pub servers: Vec<ServerTiming>,
}

/// Work that was done on one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ServerTiming {
    /// Name of the server; `None` for targets that the servers share.
    pub server: Option<String>,
    /// Period from before the first rename until after the last one.
    pub span: TimeSpan,
    /// Number of operations that were done or rolled back there.
    pub operations: u64,
    /// Duration of its renames, in microseconds.
    pub renaming_us: u64,
}

/// Outages of one service or item: the times at which its users could not use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TargetOutages {
    /// Kind of the target: an item or a service.
    pub of: TargetKind,
    /// Name of the target.
    pub target: String,
    /// Server, if there is one.
    pub server: Option<String>,
    /// Outages that ended, each from before the target went down until it was up again.
    pub spans: Vec<TimeSpan>,
    /// Start of an outage that is permanent, or that lasts until the end of this summary.
    pub since_us: Option<u64>,
    /// Total length of the outages that ended, in microseconds.
    pub total_us: u64,
}

/// Wait for the answer to a manual step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ManualWait {
    /// Id of the step.
    pub step: String,
    /// Direction of the run: back if the step was to be rolled back.
    pub direction: Direction,
    /// Period from the question to the answer, or to the last line.
    pub span: TimeSpan,
    /// Answer, if there was one.
    pub answer: Option<Answer>,
    /// Person who gave the answer; absent if no person was asked.
    pub by: Option<String>,
    /// Source of the answer.
    pub from: Option<AnswerSource>,
}

/// Change of a run's direction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DirectionChange {
    /// Direction of the run from then on.
    pub direction: Direction,
    /// Reason for the change.
    pub why: String,
    /// Time of the change, in microseconds on the clock of the summary.
    pub at_us: u64,
}

/// Restart that is required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RequiredRestart {
    /// Name of the service; absent for the computers themselves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Servers on which it has to be restarted.
    pub servers: Vec<String>,
}

/// Swap with the time it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimedSwap {
    /// Id of the step; `None` for the record of the applied rollups.
    pub step: Option<String>,
    /// Direction: back if the swap was rolled back.
    pub direction: Direction,
    /// Period from before its first rename until after its last one.
    pub span: TimeSpan,
    /// Operations that it did.
    pub operations: Vec<EventOperation>,
    /// Index of the command that did it.
    pub(super) session: usize,
}

impl TimeSpan {
    /// Returns a period that was measured by the monotonic clock.
    pub(super) fn new(from_us: u64, to_us: u64) -> Self {
        Self {
            from_us,
            to_us,
            by_wall_clock: false,
        }
    }

    /// Returns its length in microseconds.
    pub fn us(&self) -> u64 {
        self.to_us.saturating_sub(self.from_us)
    }

    /// Returns the length of the part that is inside another span, in microseconds.
    pub fn within(&self, other: &TimeSpan) -> u64 {
        self.to_us
            .min(other.to_us)
            .saturating_sub(self.from_us.max(other.from_us))
    }
}

fn state_word<S: serde::Serializer>(state: &RunState, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(state.word())
}
