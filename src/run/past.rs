//! State that earlier runs left behind, according to their journals and plans.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::{Difference, differences};
use super::swap::{Progress, progress, slot_directory};
use super::{RunError, executor::load_plan};
use crate::deployment::snapshot::{OpenRun, Past, PastRun};
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Direction, Emptied, Outcome, Record, Run, RunState, runs};
use crate::names::{Kb, RelPath};
use crate::plan::{Entry, Plan, Subject, What};

/// Reads what a plan for this rollup has to know about earlier runs.
pub fn past(tree: &Tree, kb: Kb) -> Result<Past, RunError> {
    let runs = runs(tree)?;
    let applied = runs
        .iter()
        .filter(|run| run.state() == RunState::Closed(Outcome::Applied));
    let told = applied.clone().filter_map(|run| {
        let rollup = run.journal.rollup()?;
        Some(PastRun {
            number: run.number,
            kb: rollup.kb,
            revision: rollup.revision.clone(),
            includes: rollup.includes.clone(),
            replaces: rollup.replaces.clone(),
        })
    });
    let open = runs
        .iter()
        .find(|run| run.is_open() && run.state() != RunState::Staging);
    let open = open.map(|run| OpenRun {
        name: run.name().to_owned(),
        state: describe_state(run).to_owned(),
        staged: run
            .journal
            .opened()
            .filter(|_| run.state() == RunState::Staged)
            .map(|opened| opened.plan),
    });
    let known = applied.clone().any(|run| run.kb == Some(kb));
    let unfinished = open.as_ref().is_some_and(|open| open.staged.is_none());
    let drift = match known && !unfinished {
        true => Some(drift(tree, kb, &runs)?),
        false => None,
    };
    Ok(Past {
        applied: told.collect(),
        open,
        drift,
    })
}

/// Entry that a finished run left at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Left {
    /// Directory, or managed file.
    pub what: What,
    /// Run that left it in this state, or accepted it.
    pub run: String,
    /// Rollup that installed it.
    pub kb: Option<Kb>,
}

/// Entries that the finished runs left, later ones over earlier ones.
#[derive(Debug, Default)]
pub struct LeftBehind {
    /// Entries that should exist, by path.
    pub there: BTreeMap<RelPath, Left>,
    /// Paths that are gone, and were accepted as gone.
    pub gone: BTreeSet<RelPath>,
}

/// Returns what the applied runs left.
pub fn left_by(tree: &Tree, runs: &[Run]) -> Result<LeftBehind, RunError> {
    let LeftBehind {
        there: mut left,
        gone: mut all_gone,
    } = LeftBehind::default();
    for run in runs
        .iter()
        .filter(|run| run.state() == RunState::Closed(Outcome::Applied))
    {
        let plan = load_plan(tree, &run.directory)?;
        let mut there = plan
            .expected_state
            .as_ref()
            .map(|expected_state| expected_state.entries.clone())
            .unwrap_or_default();
        let mut gone = BTreeSet::new();
        if let Subject::Accept(acceptance) = &plan.subject {
            there.extend(acceptance.there.iter().cloned());
            gone.extend(&acceptance.gone);
        }
        let live: BTreeSet<&RelPath> = plan.live_paths().into_iter().collect();
        // A run that accepts something does not install it.
        let brought_by =
            |path: &RelPath| run.kb.or_else(|| left.get(path).and_then(|left| left.kb));
        let new: Vec<_> = there
            .into_iter()
            .map(|entry| (brought_by(&entry.path), entry))
            .collect();
        left.retain(|path, _| !path.is_within(&live) && !path.is_within(&gone));
        if !all_gone.is_empty() {
            let back: BTreeSet<&RelPath> = new.iter().map(|(_, entry)| &entry.path).collect();
            all_gone.retain(|path: &RelPath| !path.is_within(&live) && !back.contains(path));
        }
        all_gone.extend(gone.into_iter().cloned());
        for (kb, Entry { path, what }) in new {
            if what != What::Unmanaged {
                left.insert(
                    path,
                    Left {
                        what,
                        run: run.name().to_owned(),
                        kb,
                    },
                );
            }
        }
    }
    Ok(LeftBehind {
        there: left,
        gone: all_gone,
    })
}

/// Returns the live paths of a run that are empty because it did not go on.
pub fn emptied(tree: &Tree, run: &RelPath, plan: &Plan) -> Result<Vec<Emptied>, DiskError> {
    let mut kept: BTreeMap<&RelPath, RelPath> = BTreeMap::new();
    for swap in plan.swaps.iter().filter(|swap| swap.has_old()) {
        let slot = slot_directory(run, swap.number);
        if matches!(
            progress(tree, &slot, swap)?,
            Some(Progress::Between | Progress::Done)
        ) {
            kept.insert(&swap.live, slot.join("old").expect("a plain name"));
        }
    }
    let mut emptied = Vec::new();
    for (live, kept) in kept {
        if tree.metadata(live)?.is_none() {
            emptied.push(Emptied {
                live: live.clone(),
                kept,
            });
        }
    }
    Ok(emptied)
}

/// Returns the paths that runs closed in an unfinished state left empty and that still are, each
/// with the name of the run.
pub fn left_empty(tree: &Tree, runs: &[Run]) -> Result<Vec<(String, Emptied)>, DiskError> {
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

/// Describes the state of an open run, in words.
pub fn describe_state(run: &Run) -> &'static str {
    describe_run_state(run.state())
}

/// Describes a run's state, in words.
pub fn describe_run_state(state: RunState) -> &'static str {
    match state {
        RunState::Staging => "being staged, or died there; nothing has changed",
        RunState::Staged => "staged and not begun; nothing has changed",
        RunState::Unfinished(Direction::Forward) => "unfinished",
        RunState::Unfinished(Direction::Back) => "unfinished, on the way back",
        RunState::Closed(Outcome::Applied) => "finished",
        RunState::Closed(Outcome::Undone) => "undone",
        RunState::Closed(Outcome::Accepted) => "closed as it stood",
    }
}

/// Compares with the disk what the runs of a rollup installed and no run of another one has
/// replaced since.
fn drift(tree: &Tree, kb: Kb, runs: &[Run]) -> Result<Vec<String>, RunError> {
    let ours = left_by(tree, runs)?
        .there
        .into_iter()
        .filter(|(_, left)| left.kb == Some(kb));
    let ours: Vec<Entry> = ours
        .map(|(path, Left { what, .. })| Entry { path, what })
        .collect();
    Ok(differences(tree, &ours)?
        .iter()
        .map(Difference::to_string)
        .collect())
}
