//! Progress of a run, by the names in its slots: what a journal never records.

use rustix::fs::{Access, AtFlags, accessat};
use rustix::io::Errno;

use super::state::Damaged;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, PathMetadataReader, Tree};
use crate::names::RelPath;
use crate::plan::{Plan, PlanFileError, Swap, parse};

/// Size in bytes of the largest plan that is read back.
const LONGEST_PLAN: u64 = 4 * 1024 * 1024 * 1024;

/// State of a swap, by the names in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapState {
    /// The old object is at the live path, if there is one.
    NotBegun,
    /// The old object and the new object are both in the slot.
    Between,
    /// The new object is at the live path.
    Done,
}

/// Returns the state of a swap, by the names in its slot alone; `None` if both objects are missing.
pub fn swap_state(tree: &Tree, run: &RunDir, swap: &Swap) -> Result<Option<SwapState>, DiskError> {
    let mut metadata = PathMetadataReader::new(tree);
    let new = metadata.metadata(&run.new_object(swap.number))?;
    let old = metadata.metadata(&run.old_object(swap.number))?;
    Ok(state_of_names(swap, new.is_some(), old.is_some()))
}

/// Returns the state of a swap, given which of the two names exist.
pub fn state_of_names(swap: &Swap, new: bool, old: bool) -> Option<SwapState> {
    match (swap.has_old(), new, old) {
        (true, true, false) | (false, true, _) => Some(SwapState::NotBegun),
        (true, true, true) => Some(SwapState::Between),
        (true, false, true) | (false, false, _) => Some(SwapState::Done),
        (true, false, false) => None,
    }
}

/// Reads the plan of a run; the fault of one that cannot be used comes in the inner result.
///
/// # Errors
///
/// The file cannot be read.
pub fn read_plan(tree: &Tree, run: &RunDir) -> Result<Result<Plan, PlanFileError>, DiskError> {
    let text = tree.text(&run.plan(), LONGEST_PLAN)?;
    Ok(text.map_or(Err(PlanFileError::Missing), |text| parse(&text)))
}

/// Returns whether the slots of a run are closed to this user, who may not write to the deployment.
///
/// # Errors
///
/// The run's directory cannot be read.
pub fn slots_are_closed(tree: &Tree, run: &RunDir) -> Result<bool, DiskError> {
    let directory = tree.directory(Some(run))?;
    let is_closed = |slots: RelPath| {
        let wanted = Access::READ_OK | Access::EXEC_OK;
        accessat(&directory, slots.name(), wanted, AtFlags::EACCESS) == Err(Errno::ACCESS)
    };
    Ok(is_closed(run.slots()) || is_closed(run.staging().slots()))
}

/// Returns the damage of a run whose commit has no record: an old object in a slot, `slots` that got
/// their name before staging was recorded, or a slot without its new object. A user to whom the slots
/// are closed sees none.
pub(super) fn lost_records(tree: &Tree, run: &RunDir, is_staged: bool) -> Result<bool, DiskError> {
    if !is_staged && tree.metadata(&run.slots())?.is_some() {
        return Ok(true);
    }
    if slots_are_closed(tree, run)? {
        return Ok(false);
    }
    for run in [run, &run.staging()] {
        for (slot, kind) in tree.names(&run.slots())? {
            if kind != FileKind::Directory {
                continue;
            }
            let is_begun = tree.metadata(&run.old_object(&slot))?.is_some();
            let is_lost = is_staged && tree.metadata(&run.new_object(&slot))?.is_none();
            if is_begun || is_lost {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Judges a run without its journal.
///
/// # Errors
///
/// The deployment cannot be read.
pub(super) fn judge(tree: &Tree, run: &RunDir) -> Result<Damaged, DiskError> {
    if tree.metadata(&run.slots())?.is_none() {
        let is_staging = tree.metadata(&run.staging().slots())?.is_some();
        return Ok(if is_staging {
            Damaged::NotBegun
        } else {
            Damaged::Pruned
        });
    }
    let Ok(plan) = read_plan(tree, run)? else {
        return Ok(Damaged::Interrupted);
    };
    let mut states = Vec::new();
    for swap in &plan.swaps {
        let has_slot = tree.metadata(&run.slot(swap.number))?.is_some();
        states.push(swap_state(tree, run, swap)?.filter(|_| has_slot));
    }
    let all = |wanted| states.iter().all(|state| *state == Some(wanted));
    let begins_by_hand = plan.steps.first().is_some_and(|step| step.manual.is_some());
    Ok(if all(SwapState::Done) {
        Damaged::Done
    } else if all(SwapState::NotBegun) && !begins_by_hand {
        Damaged::NotBegun
    } else {
        Damaged::Interrupted
    })
}
