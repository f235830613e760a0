//! Read-only look at an open run: its progress, and what blocks it.

use std::collections::{BTreeMap, BTreeSet};

use super::measure::differences;
use super::swap::{BOTH_GONE, NOTHING_THERE, OURS_GONE, Progress, TAKEN, progress, slot_directory};
use crate::deployment::tree::{DiskError, Tree};
use crate::names::{Escaped, RelPath};
use crate::plan::{Entry, Plan, Swap, What};

/// Progress of a run. A run that is still going on is further than this.
#[derive(Debug, Default)]
pub struct Examined {
    /// Progress of each swap, by its number; a swap whose objects are both gone is left out.
    pub swaps: BTreeMap<u32, Progress>,
    /// Problems that keep the run from going on in either direction, in words.
    pub troubles: Vec<String>,
}

impl Examined {
    /// Returns whether a swap is in place.
    pub fn is_done(&self, swap: u32) -> bool {
        self.swaps.get(&swap) == Some(&Progress::Done)
    }

    /// Returns the number of swaps that are in place.
    pub fn done(&self) -> usize {
        self.swaps
            .values()
            .filter(|progress| **progress == Progress::Done)
            .count()
    }
}

/// Looks at the names in the slots and at the live paths; does not read contents.
pub fn examine(tree: &Tree, run: &RelPath, plan: &Plan) -> Result<Examined, DiskError> {
    let mut examined = Examined::default();
    // Live paths that still wait for a swap, and live paths at which the last swap is in place.
    let mut waiting: BTreeSet<&RelPath> = BTreeSet::new();
    let mut arrived: BTreeMap<&RelPath, &Swap> = BTreeMap::new();
    for swap in &plan.swaps {
        let slot = slot_directory(run, swap.number);
        let trouble = |what: &str| {
            format!(
                "{what}; look at `{}` and at `{slot}`",
                Escaped(swap.live.as_str())
            )
        };
        let Some(found) = progress(tree, &slot, swap)? else {
            examined.troubles.push(trouble(BOTH_GONE));
            continue;
        };
        examined.swaps.insert(swap.number, found);
        match found {
            Progress::Done => {
                // An object that an earlier swap put there is in this one's slot, or in what it
                // made.
                swap.live.remove_from(&mut arrived);
                arrived.insert(&swap.live, swap);
                continue;
            }
            Progress::Between => {
                arrived.remove(&swap.live);
            }
            Progress::NotBegun => {}
        }
        let in_a_new_directory = swap
            .live
            .ancestors()
            .any(|directory| waiting.contains(&&directory));
        if !waiting.insert(&swap.live) || in_a_new_directory {
            continue;
        }
        let live = tree.metadata(&swap.live)?;
        let is_ours = |name: &str| -> Result<bool, DiskError> {
            let here = tree.metadata(&slot.join(name).expect("a plain name"))?;
            Ok(here
                .zip(live)
                .is_some_and(|(here, live)| here.identity == live.identity))
        };
        match (found, live.is_some()) {
            // After a power cut a file may have two names; the walk repairs that.
            (Progress::Between, true) if !is_ours("old")? && !is_ours("new")? => {
                examined.troubles.push(trouble(TAKEN));
            }
            (Progress::NotBegun, false) if swap.has_old() => {
                examined.troubles.push(trouble(NOTHING_THERE))
            }
            (Progress::NotBegun, true) if !swap.has_old() && !is_ours("new")? => {
                examined.troubles.push(trouble(TAKEN));
            }
            _ => {}
        }
    }
    for (live, swap) in arrived {
        if tree.metadata(live)?.is_none() {
            let slot = slot_directory(run, swap.number);
            examined.troubles.push(format!(
                "{OURS_GONE}; look at `{}` and at `{slot}`",
                Escaped(live.as_str())
            ));
        }
    }
    Ok(examined)
}

/// Returns what is no longer as the plan of a staged run saw it, in words.
pub fn moved(tree: &Tree, plan: &Plan) -> Result<Vec<String>, DiskError> {
    let mut seen: BTreeSet<&RelPath> = BTreeSet::new();
    let mut moved = Vec::new();
    for swap in &plan.swaps {
        if !swap.live.is_within(&seen) {
            if !swap.has_old() && tree.metadata(&swap.live)?.is_some() {
                moved.push(format!(
                    "`{}` stands where nothing did",
                    Escaped(swap.live.as_str())
                ));
            }
            let ours: Vec<Entry> = swap
                .old
                .iter()
                .filter(|entry| entry.what != What::Unmanaged)
                .cloned()
                .collect();
            moved.extend(differences(tree, &ours)?.iter().map(ToString::to_string));
        }
        seen.insert(&swap.live);
    }
    Ok(moved)
}
