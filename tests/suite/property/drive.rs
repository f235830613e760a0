//! Everything of the run that the promises call, in one place.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::test_runner::TestCaseError;
use rollup::deployment::description::Description;
use rollup::deployment::snapshot::Snapshot;
use rollup::deployment::tree::Tree as Folder;
use rollup::deployment::watch::Watch;
use rollup::journal::{Outcome, Run, RunState, runs};
use rollup::manifest::Manifest;
use rollup::payload::Payload;
use rollup::plan::{Options, Plan, Planned, interest, plan};
use rollup::run::{self, Ended, IfChanged, RunError};

use super::model::Case;
use super::stock::{description, manifest};
use crate::crash::{Death, Willing, lock};

pub(super) use crate::crash::{Way, recover};

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
        let ready = |rollup: &super::model::Rollup| {
            let text = rollup.to_toml(&case.site);
            let payload = &payloads[rollup.number - 1];
            let manifest = manifest(&text).map_err(TestCaseError::fail)?;
            Ok(Self { description: description.clone(), manifest, text, payload })
        };
        case.rollups.iter().map(ready).collect()
    }

    /// What would be done; the reasons where that is nothing.
    pub(super) fn plan(&self, deployment: &Path) -> Result<Plan, String> {
        let tree = Folder::open(deployment).expect("the deployment is there");
        let interest = interest(&self.manifest, &self.description);
        let snapshot = Snapshot::read(&tree, self.description.clone(), &interest);
        let mut snapshot = snapshot.expect("the deployment can be read");
        snapshot.past = run::past(&tree, self.manifest.rollup.kb).expect("the runs can be read");
        let facts = self.payload.facts(&self.manifest).expect("the payload can be read");
        match plan(&self.manifest, &snapshot, Some(&facts), Options::default()) {
            Ok(Planned::Plan(plan)) => Ok(*plan),
            Ok(Planned::Nothing(nothing)) => Err(nothing.why),
            Err(refusal) => Err(refusal.to_string()),
        }
    }

    /// Applies a plan as the command does.
    pub(super) fn apply(&self, deployment: &Path, plan: &Plan, death: Option<&Doom>) -> Result<Ended, RunError> {
        let mut disk = lock(deployment);
        if let Some(death) = death {
            disk = disk.watched(death.watch());
        }
        run::clear_the_way(&disk)?;
        disk.keep("test")?;
        let asked = run::Asked { manifest: &self.text, confirmed: Vec::new() };
        let staged = run::stage(&disk, plan, &asked, Some(self.payload), &mut Willing)?;
        if let Some(death) = death {
            death.staged.store(death.changes(), Ordering::SeqCst);
        }
        run::commit(&disk, plan, staged, &mut Willing)
    }
}

/// Takes the newest finished run back; `Ok(None)` where there is none.
pub(super) fn undo_finished(deployment: &Path, death: Option<&Doom>) -> Result<Option<Ended>, RunError> {
    let mut disk = lock(deployment);
    if let Some(death) = death {
        disk = disk.watched(death.watch());
    }
    run::clear_the_way(&disk)?;
    let runs = runs(disk.tree())?;
    let newest = runs.iter().rfind(|run| run.state() == RunState::Closed(Outcome::Applied));
    let Some(newest) = newest else { return Ok(None) };
    run::reopen(&disk, &runs, newest, IfChanged::Refuse, &mut Willing).map(Some)
}

/// Cuts the last record of a run's journal; some of its bytes may stay.
pub(super) fn tear_last_record(deployment: &Path, run: &Run, stay: usize) {
    let at = deployment.join(run.folder.to_path()).join("journal");
    // A run that died at once has none.
    let Ok(bytes) = std::fs::read(&at) else { return };
    let begins = bytes[..bytes.len().saturating_sub(1)].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
    let length = bytes.len().min(begins + stay);
    let file = std::fs::File::options().write(true).open(at).expect("a journal");
    file.set_len(length as u64).expect("it can be cut");
}

/// All runs, oldest first.
pub(super) fn all_runs(deployment: &Path) -> Vec<Run> {
    let tree = Folder::open(deployment).expect("the deployment is there");
    runs(&tree).expect("the journals can be read")
}

/// A death at some change; none of the changes after it gets through.
pub(super) struct Doom {
    seen: Arc<AtomicUsize>,
    at: usize,
    /// How many changes the staging took, once it is over.
    staged: AtomicUsize,
}

impl Doom {
    pub(super) fn at(change: usize) -> Self {
        Self { seen: Arc::default(), at: change, staged: AtomicUsize::default() }
    }

    /// No death at all, but the changes are counted.
    pub(super) fn never() -> Self {
        Self::at(usize::MAX)
    }

    /// How many changes there were.
    pub(super) fn changes(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }

    /// How many of them staged a run.
    pub(super) fn staging(&self) -> usize {
        self.staged.load(Ordering::SeqCst)
    }

    /// Whether it came to it.
    pub(super) fn came(&self) -> bool {
        self.changes() >= self.at
    }

    pub(super) fn watch(&self) -> Arc<dyn Watch> {
        Arc::new(Death { seen: Arc::clone(&self.seen), at: self.at })
    }
}
