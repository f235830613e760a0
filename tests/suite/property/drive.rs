//! Everything of the run that the promises call, in one place.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::TestCaseError;
use rollup::deployment::description::Description;
use rollup::deployment::fault_injection::FaultInjector;
use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree as Directory;
use rollup::journal::{Outcome, Run, RunState, runs};
use rollup::manifest::Manifest;
use rollup::payload::Payload;
use rollup::plan::{Options, Plan, Planned, interest, plan};
use rollup::run::{self, Ended, Event, IfChanged, Listener, Question, Reply, RunError};

use rollup::verify::verify;

use super::model::{Case, Rollup};
use super::stock::{description, manifest};
use crate::crash::{Death, Fault, lock, recover_before};

pub(super) use crate::crash::Way;

/// What a command comes to; `None` where there was nothing to do.
pub(super) type Came = Result<Option<Ended>, RunError>;

/// A rollup of a case, ready to be applied.
pub(super) struct Ready<'a> {
    description: Description,
    manifest: Manifest,
    text: String,
    payload: &'a Payload,
}

impl<'a> Ready<'a> {
    /// The rollups of a case, in order.
    pub(super) fn all(case: &Case, payloads: &'a [Payload]) -> Result<Vec<Self>, TestCaseError> {
        let description = description(&case.site.to_toml()).map_err(TestCaseError::fail)?;
        let ready = |rollup: &Rollup| {
            let text = rollup.to_toml(&case.site);
            let payload = &payloads[rollup.number - 1];
            let manifest = manifest(&text).map_err(TestCaseError::fail)?;
            Ok(Self {
                description: description.clone(),
                manifest,
                text,
                payload,
            })
        };
        case.rollups.iter().map(ready).collect()
    }

    /// What would be done; the reasons where that is nothing.
    pub(super) fn plan(&self, deployment: &Path) -> Result<Plan, String> {
        let (tree, snapshot) = self.read(deployment);
        let facts = self.payload.facts(&self.manifest.file_table());
        let plan = match plan(&self.manifest, &snapshot, Some(&facts), Options::default()) {
            Ok(Planned::Plan(plan)) => *plan,
            Ok(Planned::Nothing(nothing)) => return Err(nothing.why),
            Err(refusal) => return Err(refusal.to_string()),
        };
        let reasons = run::preflight(&tree, &plan).expect("the deployment can be read");
        assert!(
            reasons.is_empty(),
            "what could be planned cannot be run: {reasons:?}"
        );
        Ok(plan)
    }

    /// What does not match the records of the deployment, and of its runs.
    pub(super) fn drift(&self, deployment: &Path) -> BTreeSet<String> {
        let (tree, snapshot) = self.read(deployment);
        let verified = verify(&tree, &snapshot).expect("the deployment can be read");
        verified
            .drift
            .into_iter()
            .map(|drift| format!("{} {}", drift.path, drift.what))
            .collect()
    }

    fn read(&self, deployment: &Path) -> (Directory, Snapshot) {
        let tree = Directory::open(deployment).expect("the deployment is there");
        let interest = interest(&self.manifest, &self.description);
        let snapshot = Snapshot::read(&tree, self.description.clone(), &interest);
        let mut snapshot = snapshot.expect("the deployment can be read");
        snapshot.past = run::past(&tree, self.manifest.rollup.kb).expect("the runs can be read");
        (tree, snapshot)
    }

    /// Applies a plan as the command does.
    pub(super) fn apply(&self, deployment: &Path, plan: &Plan, course: &mut Course) -> Came {
        let mut disk = lock(deployment).with_injector(course.injector());
        run::clear_the_way(&disk)?;
        disk.keep("test")?;
        let asked = run::Asked {
            manifest: Some(&self.text),
            confirmed: Vec::new(),
        };
        let staged = run::stage(&disk, plan, &asked, Some(self.payload), course)?;
        run::commit(&disk, plan, staged, course).map(Some)
    }
}

/// Takes an open run one way.
pub(super) fn recover(deployment: &Path, way: Way, course: &mut Course) -> Came {
    recover_before(deployment, way, Some(course.injector()), course)
}

/// Takes the newest finished run back.
pub(super) fn undo_finished(deployment: &Path, course: &mut Course) -> Came {
    let disk = lock(deployment).with_injector(course.injector());
    run::clear_the_way(&disk)?;
    let runs = runs(disk.tree())?;
    let newest = runs
        .iter()
        .rfind(|run| run.state() == RunState::Closed(Outcome::Applied));
    let Some(newest) = newest else {
        return Ok(None);
    };
    run::reopen(&disk, &runs, newest, IfChanged::Refuse, course).map(Some)
}

/// All runs, oldest first.
pub(super) fn all_runs(deployment: &Path) -> Vec<Run> {
    let tree = Directory::open(deployment).expect("the deployment is there");
    runs(&tree).expect("the journals can be read")
}

/// Which tree stands where no run is open, the one after or the one before; `None` where one is.
pub(super) fn rests(deployment: &Path) -> Option<Way> {
    let runs = all_runs(deployment);
    if runs.iter().any(Run::is_open) {
        return None;
    }
    match runs.last().map(Run::state) {
        Some(RunState::Closed(Outcome::Applied)) => Some(Way::Forward),
        _ => Some(Way::Back),
    }
}

/// Cuts the last record of a run's journal; so many of its bytes stay.
pub(super) fn tear_last_record(deployment: &Path, run: &Run, stay: usize) {
    let at = deployment.join(run.directory.to_path()).join("journal");
    // A run that died at once has none.
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

/// What keeps a command from its end. Everything is counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interruption {
    /// The process dies at this change.
    Death(usize),
    /// The system refuses this change, and no other one.
    Failure(usize),
    /// A signal comes before the run asks for one so many times.
    Signal(usize),
    /// Nobody is there to do what only a person can.
    Nobody,
}

/// The course of one command: it is counted, and maybe interrupted.
#[derive(Default)]
pub(super) struct Course {
    interruption: Option<Interruption>,
    changes: Arc<AtomicUsize>,
    staging: usize,
    asked: Cell<usize>,
}

impl Course {
    pub(super) fn free() -> Self {
        Self::default()
    }

    pub(super) fn with(interruption: Option<Interruption>) -> Self {
        Self {
            interruption,
            ..Self::default()
        }
    }

    /// How many changes were tried.
    pub(super) fn changes(&self) -> usize {
        self.changes.load(Ordering::SeqCst)
    }

    /// How many of them staged a run.
    pub(super) fn staging(&self) -> usize {
        self.staging
    }

    /// Whether a command that came to this was interrupted as it should be. What else kept it from
    /// its end is told.
    pub(super) fn was_interrupted(&self, came: &Came) -> Result<bool, String> {
        let reached = |at: usize| self.changes() >= at;
        match (self.interruption, came) {
            (_, Ok(None | Some(Ended::Applied { .. } | Ended::Undone { because: None }))) => {
                Ok(false)
            }
            (Some(Interruption::Death(at)), Err(_) | Ok(Some(Ended::Stuck { .. })))
                if reached(at) =>
            {
                Ok(true)
            }
            (
                Some(Interruption::Failure(at)),
                Err(_) | Ok(Some(Ended::Stuck { .. } | Ended::Undone { because: Some(_) })),
            ) if reached(at) => Ok(true),
            (
                Some(Interruption::Signal(_)),
                Err(RunError::Interrupted) | Ok(Some(Ended::Stopped(RunError::Interrupted))),
            ) => Ok(true),
            (Some(Interruption::Nobody), Ok(Some(Ended::Stopped(RunError::Waiting { .. })))) => {
                Ok(true)
            }
            _ => Err(format!("{:?} came to {came:?}", self.interruption)),
        }
    }

    fn injector(&self) -> Arc<dyn FaultInjector> {
        let seen = Arc::clone(&self.changes);
        match self.interruption {
            Some(Interruption::Failure(at)) => Arc::new(Fault { seen, at }),
            Some(Interruption::Death(at)) => Arc::new(Death { seen, at }),
            _ => Arc::new(Death {
                seen,
                at: usize::MAX,
            }),
        }
    }
}

impl Listener for Course {
    fn tell(&mut self, event: &Event<'_>) {
        if matches!(event, Event::Staged { .. }) {
            self.staging = self.changes();
        }
    }

    /// Does what can be taken back, and skips the rest.
    fn ask(&mut self, question: &Question<'_>) -> Reply {
        let undo = question
            .step
            .manual
            .as_ref()
            .and_then(|manual| manual.undo.as_ref());
        match self.interruption {
            Some(Interruption::Nobody) => Reply::Stop,
            _ if question.optional && undo.is_none() => Reply::Skip,
            _ => Reply::Done,
        }
    }

    fn is_stopped(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        matches!(self.interruption, Some(Interruption::Signal(at)) if self.asked.get() >= at)
    }
}
