//! Read-only examination of an open run: its progress, and the problems that block it.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::differences;
use super::swap::{
    NEW_AND_OLD_MISSING, NEW_MISSING_AT_LIVE, OLD_MISSING_AT_LIVE, UNEXPECTED_AT_LIVE,
    state_of_live,
};
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Direction, SwapState, swap_state};
use crate::names::{Escaped, RelPath};
use crate::plan::{Entry, EntryKind, Plan, Swap};

/// Examination of a run. A run that is still in progress may be further by now.
#[derive(Debug, Default)]
pub struct RunExamination {
    /// State of each swap, by its number. If both objects are missing in its slot, the object at the live
    /// path decides; if that is another one, the swap is left out.
    pub swaps: BTreeMap<u32, SwapState>,
    /// Descriptions of the problems that keep the run from going on, in either direction or in one.
    pub problems: Vec<String>,
    /// Directions in which the run cannot go: they need an object that is missing, and that only a
    /// backup has.
    pub impossible: BTreeSet<Direction>,
    /// Number of the problems that only make a direction impossible; the others can be fixed.
    pub irreparable: usize,
}

impl RunExamination {
    /// Returns whether a swap is done.
    pub fn is_done(&self, swap: u32) -> bool {
        self.swaps.get(&swap) == Some(&SwapState::Done)
    }

    /// Returns the number of swaps that are done.
    pub fn done(&self) -> usize {
        self.swaps
            .values()
            .filter(|state| **state == SwapState::Done)
            .count()
    }
}

/// Examines a run by the names in its slots and at the live paths. Contents are read only where both
/// objects of a swap are missing in its slot.
pub fn examine(tree: &Tree, run: &RunDir, plan: &Plan) -> Result<RunExamination, DiskError> {
    let mut examined = RunExamination::default();
    // Live paths that still wait for a swap, and live paths with their last swap, which is done.
    let mut waiting: BTreeSet<&RelPath> = BTreeSet::new();
    let mut installed: BTreeMap<&RelPath, &Swap> = BTreeMap::new();
    let describe_problem = |problem: &str, swap: &Swap| {
        format!(
            "{problem}; look at `{}` and at `{}`",
            Escaped(swap.live.as_str()),
            run.slot(swap.number)
        )
    };
    for swap in &plan.swaps {
        let Some(found) = swap_state(tree, run, swap)? else {
            examined
                .problems
                .push(describe_problem(NEW_AND_OLD_MISSING, swap));
            if let Some(state) = state_of_live(tree, swap)? {
                examined.swaps.insert(swap.number, state);
                examined.impossible.insert(match state {
                    SwapState::Done => Direction::Back,
                    SwapState::NotBegun | SwapState::Between => Direction::Forward,
                });
                examined.irreparable += 1;
            }
            continue;
        };
        examined.swaps.insert(swap.number, found);
        match found {
            SwapState::Done => {
                // An object that an earlier swap installed there is in this one's slot.
                installed.insert(&swap.live, swap);
                continue;
            }
            SwapState::Between => {
                installed.remove(&swap.live);
            }
            SwapState::NotBegun => {}
        }
        if !waiting.insert(&swap.live) {
            continue;
        }
        let live = tree.metadata(&swap.live)?;
        let is_same_file = |at: RelPath| -> Result<bool, DiskError> {
            let here = tree.metadata(&at)?;
            Ok(here
                .zip(live)
                .is_some_and(|(here, live)| here.identity == live.identity))
        };
        match (found, live.is_some()) {
            // After a power cut a file may have two names; the walk repairs that.
            (SwapState::Between, true)
                if !is_same_file(run.old_object(swap.number))?
                    && !is_same_file(run.new_object(swap.number))? =>
            {
                examined
                    .problems
                    .push(describe_problem(UNEXPECTED_AT_LIVE, swap));
            }
            (SwapState::NotBegun, false) if swap.has_old() => examined
                .problems
                .push(describe_problem(OLD_MISSING_AT_LIVE, swap)),
            (SwapState::NotBegun, true)
                if !swap.has_old() && !is_same_file(run.new_object(swap.number))? =>
            {
                examined
                    .problems
                    .push(describe_problem(UNEXPECTED_AT_LIVE, swap));
            }
            _ => {}
        }
    }
    for (live, swap) in installed {
        if tree.metadata(live)?.is_none() {
            examined
                .problems
                .push(describe_problem(NEW_MISSING_AT_LIVE, swap));
            if !swap.has_old() {
                examined.impossible.insert(Direction::Forward);
                examined.irreparable += 1;
            }
        }
    }
    Ok(examined)
}

/// Describes the paths that have changed since the plan of a staged run was made.
pub fn changes_since_plan(tree: &Tree, plan: &Plan) -> Result<Vec<String>, DiskError> {
    let mut seen: BTreeSet<&RelPath> = BTreeSet::new();
    let mut changes = Vec::new();
    for swap in &plan.swaps {
        if seen.insert(&swap.live) {
            if !swap.has_old() && tree.metadata(&swap.live)?.is_some() {
                changes.push(format!(
                    "`{}` exists, and did not when the plan was made",
                    Escaped(swap.live.as_str())
                ));
            }
            let managed: Vec<Entry> = swap
                .old
                .iter()
                .filter(|entry| entry.kind != EntryKind::Unmanaged)
                .cloned()
                .collect();
            changes.extend(differences(tree, &managed)?.iter().map(ToString::to_string));
        }
    }
    Ok(changes)
}
