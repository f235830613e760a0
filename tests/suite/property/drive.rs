//! Commands of the program that the properties run: apply, recovery and undo, with interruptions.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::TestCaseError;
use rollup::deployment::applied::AppliedRecord;
use rollup::deployment::description::Description;
use rollup::deployment::fault_injection::FaultInjector;
use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Direction, Outcome, Run, RunState, runs};
use rollup::manifest::BoundManifest;
use rollup::payload::Payload;
use rollup::phase::Phase;
use rollup::plan::{Options, Plan, Planned, interest, plan};
use rollup::run::{self, ChangedFilePolicy, Ended, Event, Listener, Question, Reply, RunError};
use rollup::verify::verify;

use super::model::{Case, RandomRollup};
use super::stock::{description, manifest};
use crate::crash::{
    CrashInjector, FailureInjector, lock, make_rollup_directory, recover_with_listener,
};

/// Result of a command; `None` if there was nothing to do.
pub(super) type CommandResult = Result<Option<Ended>, RunError>;

/// Rollup of a case, ready to be applied.
pub(super) struct ReadyRollup<'a> {
    description: Description,
    bound: BoundManifest,
    text: String,
    payload: &'a Payload,
}

impl<'a> ReadyRollup<'a> {
    /// Parses the rollups of a case, in order.
    pub(super) fn all(case: &Case, payloads: &'a [Payload]) -> Result<Vec<Self>, TestCaseError> {
        let description = description(&case.site.to_toml()).map_err(TestCaseError::fail)?;
        let ready = |rollup: &RandomRollup| {
            let text = rollup.to_toml(&case.site);
            let payload = &payloads[rollup.number - 1];
            let bound = manifest(&text)
                .map_err(TestCaseError::fail)?
                .bind(&description);
            Ok(Self {
                description: description.clone(),
                bound: bound.expect("known names"),
                text,
                payload,
            })
        };
        case.rollups.iter().map(ready).collect()
    }

    /// Plans the rollup. Returns the reasons as an error if there is nothing to do.
    pub(super) fn plan(&self, deployment: &Path) -> Result<Plan, String> {
        let (tree, snapshot) = self.read(deployment);
        let facts = self.payload.facts(&self.bound.manifest.file_table());
        let plan = match plan(&self.bound, &snapshot, Some(&facts), Options::default()) {
            Ok(Planned::Plan(plan)) => *plan,
            Ok(Planned::Nothing(nothing)) => return Err(nothing.why),
            Err(refusal) => return Err(refusal.to_string()),
        };
        let found = run::preflight(&tree, &plan).expect("the deployment can be read");
        let reasons = found.all();
        assert!(
            reasons.is_empty(),
            "the preflight refuses the plan: {reasons:?}"
        );
        Ok(plan)
    }

    /// Returns what differs from the records of the deployment and of its runs.
    pub(super) fn drift(&self, deployment: &Path) -> BTreeSet<String> {
        let (tree, snapshot) = self.read(deployment);
        let verified =
            verify(&tree, snapshot, &Phase::hidden()).expect("the deployment can be read");
        verified
            .drift
            .into_iter()
            .map(|drift| format!("{} {}", drift.path, drift.description))
            .collect()
    }

    fn read(&self, deployment: &Path) -> (Directory, Snapshot) {
        let tree = Directory::open(deployment).expect("the deployment exists");
        let kb = self.bound.manifest.rollup.kb;
        let record = tree
            .metadata(&AppliedRecord::path(kb))
            .expect("it can be read");
        let interest = interest(&self.bound, &self.description, record.is_some());
        let snapshot = Snapshot::read(&tree, self.description.clone(), &interest);
        let mut snapshot = snapshot.expect("the deployment can be read");
        (snapshot.past, _) = run::past(&tree, Some(kb)).expect("the runs can be read");
        (tree, snapshot)
    }

    /// Applies a plan as the command does.
    pub(super) fn apply(
        &self,
        deployment: &Path,
        plan: &Plan,
        observer: &mut CommandObserver,
    ) -> CommandResult {
        let mut disk = lock(deployment).with_injector(observer.injector());
        run::clear_interrupted_staging(&disk)?;
        make_rollup_directory(&mut disk)?;
        let asked = run::RunRequest {
            manifest: Some(&self.text),
            confirmed: Vec::new(),
            ..run::RunRequest::default()
        };
        let staged = run::stage(&disk, plan, &asked, Some(self.payload), observer)?;
        run::commit(&disk, plan, staged, observer).map(Some)
    }
}

/// Resumes or undoes the run in progress.
pub(super) fn recover(
    deployment: &Path,
    direction: Direction,
    observer: &mut CommandObserver,
) -> CommandResult {
    recover_with_listener(deployment, direction, Some(observer.injector()), observer)
}

/// Undoes the newest finished run.
pub(super) fn undo_finished(deployment: &Path, observer: &mut CommandObserver) -> CommandResult {
    let disk = lock(deployment).with_injector(observer.injector());
    run::clear_interrupted_staging(&disk)?;
    let runs = runs(disk.tree())?;
    let newest = runs
        .iter()
        .rfind(|run| run.state() == RunState::Closed(Outcome::Applied));
    let Some(newest) = newest else {
        return Ok(None);
    };
    run::reopen(
        &disk,
        &runs,
        newest,
        None,
        ChangedFilePolicy::Refuse,
        observer,
    )
    .map(Some)
}

/// Reads all runs, oldest first.
pub(super) fn all_runs(deployment: &Path) -> Vec<Run> {
    let tree = Directory::open(deployment).expect("the deployment exists");
    runs(&tree).expect("the journals can be read")
}

/// Returns the direction that leads to the current tree; `None` if a run is in progress.
pub(super) fn closed_direction(deployment: &Path) -> Option<Direction> {
    let runs = all_runs(deployment);
    if runs.iter().any(Run::is_open) {
        return None;
    }
    match runs.last().map(Run::state) {
        Some(RunState::Closed(Outcome::Applied)) => Some(Direction::Forward),
        _ => Some(Direction::Back),
    }
}

/// Cuts the last record of a run's journal to a number of bytes.
pub(super) fn tear_last_record(deployment: &Path, run: &Run, stay: usize) {
    let at = deployment.join(run.directory.to_path()).join("journal");
    // A run that crashed at once has none.
    let Ok(bytes) = std::fs::read(&at) else {
        return;
    };
    let begins = bytes[..bytes.len().saturating_sub(1)]
        .iter()
        .rposition(|&byte| byte == b'\n')
        .map_or(0, |at| at + 1);
    let length = bytes.len().min(begins + stay);
    let file = std::fs::File::options()
        .write(true)
        .open(at)
        .expect("a journal");
    file.set_len(length as u64).expect("it can be cut");
}

/// Interruption of a command. Everything is counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// Crash at the change with this number.
    Crash(usize),
    /// System error at the change with this number only.
    Failure(usize),
    /// Signal before the run checks for one that many times.
    Signal(usize),
    /// No answer at a manual step.
    NoAnswer,
}

/// Event of a command that the promises are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ObservedEvent {
    /// A question about a step and its servers was answered, but not with a stop.
    Answered {
        step: String,
        servers: Vec<String>,
        direction: Direction,
    },
    Swapped {
        swap: u32,
        direction: Direction,
    },
    Turned(Direction),
}

/// Listener of one command that counts its changes, and may interrupt it.
#[derive(Default)]
pub(super) struct CommandObserver {
    interruption: Option<Interruption>,
    change_count: Arc<AtomicUsize>,
    staging: usize,
    signal_checks: Cell<usize>,
    events: Vec<ObservedEvent>,
}

impl CommandObserver {
    pub(super) fn uninterrupted() -> Self {
        Self::default()
    }

    pub(super) fn with(interruption: Option<Interruption>) -> Self {
        Self {
            interruption,
            ..Self::default()
        }
    }

    /// Returns the number of changes that were tried.
    pub(super) fn change_count(&self) -> usize {
        self.change_count.load(Ordering::SeqCst)
    }

    /// Returns the number of changes that staged the run.
    pub(super) fn staging(&self) -> usize {
        self.staging
    }

    /// Returns the events so far, in order.
    pub(super) fn events(&self) -> &[ObservedEvent] {
        &self.events
    }

    /// Returns true if the interruption explains the result, false if the command was not
    /// interrupted, and an error for any other result.
    pub(super) fn was_interrupted(&self, result: &CommandResult) -> Result<bool, String> {
        let reached = |at: usize| self.change_count() >= at;
        match (self.interruption, result) {
            (_, Ok(None | Some(Ended::Applied { .. } | Ended::Undone { because: None }))) => {
                Ok(false)
            }
            (Some(Interruption::Crash(at)), Err(_) | Ok(Some(Ended::Stuck { .. })))
                if reached(at) =>
            {
                Ok(true)
            }
            (
                Some(Interruption::Failure(at)),
                Err(_)
                | Ok(Some(
                    Ended::Stuck { .. }
                    | Ended::Undone { because: Some(_) }
                    | Ended::Restored { .. },
                )),
            ) if reached(at) => Ok(true),
            (
                Some(Interruption::Signal(_)),
                Err(RunError::Interrupted) | Ok(Some(Ended::Stopped(RunError::Interrupted))),
            ) => Ok(true),
            (Some(Interruption::NoAnswer), Ok(Some(Ended::Stopped(RunError::Waiting { .. })))) => {
                Ok(true)
            }
            _ => Err(format!("{:?} resulted in {result:?}", self.interruption)),
        }
    }

    fn injector(&self) -> Arc<dyn FaultInjector> {
        let seen = Arc::clone(&self.change_count);
        match self.interruption {
            Some(Interruption::Failure(at)) => Arc::new(FailureInjector { seen, at }),
            Some(Interruption::Crash(at)) => Arc::new(CrashInjector { seen, at }),
            _ => Arc::new(CrashInjector {
                seen,
                at: usize::MAX,
            }),
        }
    }
}

impl Listener for CommandObserver {
    fn report(&mut self, event: &Event) {
        // A process that crashed reports nothing.
        if matches!(self.interruption, Some(Interruption::Crash(at)) if self.change_count() >= at) {
            return;
        }
        match event {
            Event::Staged { .. } => self.staging = self.change_count(),
            &Event::Swapped {
                swap, direction, ..
            } => self.events.push(ObservedEvent::Swapped { swap, direction }),
            Event::Turned { direction, .. } => {
                self.events.push(ObservedEvent::Turned(*direction));
            }
            _ => {}
        }
    }

    /// Confirms every manual step, but skips an optional one without `undo`.
    fn ask(&mut self, question: &Question<'_>) -> Reply {
        let undo = question
            .step
            .manual
            .as_ref()
            .and_then(|manual| manual.undo.as_ref());
        let reply = match self.interruption {
            Some(Interruption::NoAnswer) => return Reply::Stop,
            _ if question.optional && undo.is_none() => Reply::Skip,
            _ => Reply::Done,
        };
        self.events.push(ObservedEvent::Answered {
            step: question.step.id.clone(),
            servers: question.servers.to_vec(),
            direction: question.direction,
        });
        reply
    }

    fn is_stopped(&self) -> bool {
        self.signal_checks.set(self.signal_checks.get() + 1);
        let checks = self.signal_checks.get();
        matches!(self.interruption, Some(Interruption::Signal(at)) if checks >= at)
    }
}
