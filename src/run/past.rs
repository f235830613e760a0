//! State that earlier runs left behind, according to their journals and plans.

use std::collections::{BTreeMap, BTreeSet};

use super::attributes::{self, AttributesByPath, RecordedAttributes};
use super::measure::{Difference, differences};
use super::{RunError, executor::load_plan};
use crate::deployment::run_dir::RunDir;
use crate::deployment::snapshot::{OpenRun, PastRuns};
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{
    Damaged, Direction, EmptiedPath, Outcome, Record, Run, RunState, SwapState, runs, swap_state,
};
use crate::names::{Kb, RelPath, error_chain};
use crate::plan::{Entry, EntryKind, Plan, Subject};

/// Reads the facts about earlier runs that a plan, or a comparison, needs, and the objects that they
/// left; `kb` is the rollup that is to be planned. While a run is unfinished nothing is compared.
///
/// # Errors
///
/// A journal or the plan of a finished run cannot be used.
pub fn past(tree: &Tree, kb: Option<Kb>) -> Result<(PastRuns, LeftObjects), RunError> {
    let runs = runs(tree)?;
    let open = runs
        .iter()
        .find(|run| run.is_open() && run.state() != RunState::Staging);
    let open = open.map(|run| OpenRun {
        name: run.name().to_owned(),
        state: describe_run(run).to_owned(),
        staged: run
            .journal
            .opened()
            .filter(|_| run.state() == RunState::Staged)
            .map(|opened| opened.plan),
    });
    let is_unfinished = open.as_ref().is_some_and(|open| open.staged.is_none());
    let left = left_objects(tree, &runs)?;
    let mut past = PastRuns {
        ranks: ranks(&runs),
        gone: left.gone.clone(),
        open,
        drift: None,
    };
    if let Some(kb) = kb.filter(|kb| past.ranks.contains_key(kb) && !is_unfinished) {
        past.drift = Some(drift(tree, kb, &left)?);
    }
    Ok((past, left))
}

/// Returns the number of the newest finished run of each rollup; one that caught up counts as the
/// run that it completed.
fn ranks(runs: &[Run]) -> BTreeMap<Kb, u32> {
    let applied = runs
        .iter()
        .filter(|run| run.state() == RunState::Closed(Outcome::Applied));
    let rollups = applied.filter_map(|run| Some((run.number, run.journal.rollup()?)));
    let first = rollups.filter(|(_, rollup)| rollup.catch_up.is_empty());
    first.map(|(number, rollup)| (rollup.kb, number)).collect()
}

/// Object that a finished run left at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftObject {
    /// Kind of the object: a directory, or a managed file.
    pub kind: EntryKind,
    /// Name of the run that left it in this state, or accepted it.
    pub run: String,
    /// Rollup that installed it.
    pub kb: Option<Kb>,
    /// Attributes that it had then, if they were recorded.
    pub attributes: Option<RecordedAttributes>,
}

/// Objects that the finished runs left, those of later runs over those of earlier ones.
#[derive(Debug, Default)]
pub struct LeftObjects {
    /// Objects that should exist, by path.
    pub there: BTreeMap<RelPath, LeftObject>,
    /// Missing paths that were accepted as missing.
    pub gone: BTreeSet<RelPath>,
    /// Records that cannot be used, each with the predicate of a sentence about it.
    pub faults: Vec<(RelPath, String)>,
}

/// Returns the objects that the applied runs left.
pub fn left_objects(tree: &Tree, runs: &[Run]) -> Result<LeftObjects, RunError> {
    let mut left = LeftObjects::default();
    let is_in_effect = |run: &&Run| {
        let state = run.state();
        state == RunState::Closed(Outcome::Applied) || state == RunState::Damaged(Damaged::Done)
    };
    for run in runs.iter().filter(is_in_effect) {
        match load_plan(tree, &run.directory) {
            Ok(plan) => left.add(tree, run, &plan),
            Err(RunError::Plan { fault, .. }) => {
                // What it left over the results of earlier runs is not known.
                left.there.clear();
                left.gone.clear();
                let fault = format!(
                    "cannot be used, and nothing that runs up to it left is compared: {fault}"
                );
                left.faults.push((run.directory.plan(), fault));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(left)
}

impl LeftObjects {
    /// Adds what a run left over the results of earlier ones.
    fn add(&mut self, tree: &Tree, run: &Run, plan: &Plan) {
        let expected = plan.expected_state.as_ref();
        let mut there = expected.map_or_else(Vec::new, |expected| expected.entries.clone());
        let mut gone = BTreeSet::new();
        if let Subject::Accept(acceptance) = &plan.subject {
            there.extend(acceptance.there.iter().cloned());
            gone.extend(&acceptance.gone);
        }
        let live: BTreeSet<&RelPath> = plan.live_paths().into_iter().collect();
        // A run that accepts something does not install it.
        let brought_by = |path: &RelPath| {
            run.kb
                .or_else(|| self.there.get(path).and_then(|left| left.kb))
        };
        let new: Vec<_> = there
            .into_iter()
            .map(|entry| (brought_by(&entry.path), entry))
            .collect();
        self.there
            .retain(|path, _| !path.is_within(&live) && !path.is_within(&gone));
        if !self.gone.is_empty() {
            let restored: BTreeSet<&RelPath> = new.iter().map(|(_, entry)| &entry.path).collect();
            self.gone
                .retain(|path| !path.is_within(&live) && !restored.contains(path));
        }
        self.gone.extend(gone.into_iter().cloned());
        let mut attributes = self.attributes_of(tree, run);
        for (kb, Entry { path, kind }) in new {
            if kind != EntryKind::Unmanaged {
                let object = LeftObject {
                    kind,
                    run: run.name().to_owned(),
                    kb,
                    attributes: attributes.remove(&path),
                };
                self.there.insert(path, object);
            }
        }
    }

    /// Reads the attributes that a run recorded; none, with a fault, if they cannot be used.
    fn attributes_of(&mut self, tree: &Tree, run: &Run) -> AttributesByPath {
        attributes::read(tree, &run.directory).unwrap_or_else(|error| {
            let error = error_chain(&error);
            let fault = format!("cannot be used, and no mode or owner is compared: {error}");
            self.faults.push((run.directory.attributes(), fault));
            AttributesByPath::new()
        })
    }
}

/// Returns the live paths of a run that are empty because it did not finish.
pub fn emptied_paths(
    tree: &Tree,
    run: &RunDir,
    plan: &Plan,
) -> Result<Vec<EmptiedPath>, DiskError> {
    let mut kept: BTreeMap<&RelPath, RelPath> = BTreeMap::new();
    for swap in plan.swaps.iter().filter(|swap| swap.has_old()) {
        if matches!(
            swap_state(tree, run, swap)?,
            Some(SwapState::Between | SwapState::Done)
        ) {
            kept.insert(&swap.live, run.old_object(swap.number));
        }
    }
    let mut emptied = Vec::new();
    for (live, kept) in kept {
        if tree.metadata(live)?.is_none() {
            emptied.push(EmptiedPath {
                live: live.clone(),
                kept,
            });
        }
    }
    Ok(emptied)
}

/// Returns the paths that unfinished runs had left empty when they were closed and that still are,
/// each with the name of the run.
pub fn paths_left_empty(
    tree: &Tree,
    runs: &[Run],
) -> Result<Vec<(String, EmptiedPath)>, DiskError> {
    let mut all = Vec::new();
    for run in runs {
        let Some(Record::Closed {
            accepted: Some(accepted),
            ..
        }) = run.journal.last()
        else {
            continue;
        };
        for emptied in &accepted.empty {
            if tree.metadata(&emptied.live)?.is_none() {
                all.push((run.name().to_owned(), emptied.clone()));
            }
        }
    }
    Ok(all)
}

/// Describes the state of a run for people.
pub fn describe_run(run: &Run) -> &'static str {
    describe_run_state(run.state())
}

/// Describes a state of a run for people.
pub fn describe_run_state(state: RunState) -> &'static str {
    match state {
        RunState::Staging => "being staged, or interrupted while staging; nothing has changed",
        RunState::Staged => "staged and not begun; nothing has changed",
        RunState::Unfinished(Direction::Forward) => "unfinished",
        RunState::Unfinished(Direction::Back) => "unfinished, rolling back",
        RunState::Closed(Outcome::Applied) => "finished",
        RunState::Closed(Outcome::Undone) => "undone",
        RunState::Closed(Outcome::Accepted) => "closed by `accept` in the state it was in",
        RunState::Damaged(Damaged::Interrupted) => "interrupted, and its journal is damaged",
        RunState::Damaged(Damaged::Done) => "finished, by its slots: its journal is damaged",
        RunState::Damaged(Damaged::NotBegun) => {
            "not begun, by its slots: its journal is damaged, and nothing has changed"
        }
        RunState::Damaged(Damaged::Pruned) => "closed and pruned: its journal is damaged",
    }
}

/// Compares with the disk the objects that the runs of a rollup installed and no run of another
/// rollup has replaced since.
fn drift(tree: &Tree, kb: Kb, left: &LeftObjects) -> Result<Vec<String>, RunError> {
    let of_rollup = left.there.iter().filter(|(_, left)| left.kb == Some(kb));
    let managed: Vec<Entry> = of_rollup
        .map(|(path, left)| Entry {
            path: path.clone(),
            kind: left.kind.clone(),
        })
        .collect();
    Ok(differences(tree, &managed)?
        .iter()
        .map(Difference::to_string)
        .collect())
}
