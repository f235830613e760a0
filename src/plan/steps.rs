//! Steps of a plan by their names, and their swaps.

use std::collections::BTreeMap;

use super::{Plan, PlannedStep, Swap};
use crate::manifest::author_id;
use crate::names::same_name;

impl PlannedStep {
    /// Returns whether a word of the command line may mean the step.
    pub fn may_be(&self, word: &str) -> bool {
        let within = self.within.as_ref();
        let within = within.map(|within| (within.step.as_str(), within.server.as_str()));
        may_mean(word, author_id(&self.id), within)
    }

    /// Returns the instructions for a person to roll the step back: those of a manual step, or of
    /// packages that rollup cannot open.
    pub fn undo_by_hand(&self) -> Option<&str> {
        let manual = self.manual.as_ref();
        let undo = manual.map_or(self.undo.as_ref(), |manual| manual.undo.as_ref());
        undo.map(String::as_str)
    }

    /// Returns the instructions for a person who rolled back the packages of the step, and has to put
    /// them back before the run is finished.
    pub fn again_by_hand(&self) -> String {
        let arguments = self.arguments.as_ref();
        let arguments = arguments.map_or(String::new(), |arguments| format!(" with `{arguments}`"));
        let mut targets: Vec<&str> = Vec::new();
        for operation in &self.operations {
            if !targets.contains(&operation.target.as_str()) {
                targets.push(&operation.target);
            }
        }
        let targets = targets.join(", ");
        format!("{targets} was rolled back by hand: run it again{arguments}.")
    }
}

/// Returns whether a word of the command line may mean a step of this id: `STEP`, and of a nested step
/// also `STEP@SERVER`, where `STEP` may be that of the `each-server` step. A nested step is `within` that
/// one on a server.
pub fn may_mean(word: &str, id: &str, within: Option<(&str, &str)>) -> bool {
    let Some((outer, on)) = within else {
        return same_name(id, word);
    };
    let (step, server) = match word.split_once('@') {
        Some((step, server)) => (step, Some(server)),
        None => (word, None),
    };
    let is_step = same_name(id, step) || same_name(outer, step);
    is_step && server.is_none_or(|server| same_name(on, server))
}

/// Swaps of a plan by their steps.
pub struct SwapsByStep<'p>(BTreeMap<Option<&'p str>, Vec<&'p Swap>>);

impl<'p> SwapsByStep<'p> {
    /// Returns the swaps of a step, in order; without a step, those of the record of the applied
    /// rollups.
    pub fn of(&self, step: Option<&'p PlannedStep>) -> &[&'p Swap] {
        let id = step.map(|step| step.id.as_str());
        self.0.get(&id).map_or(&[], Vec::as_slice)
    }
}

impl Plan {
    /// Returns the swaps by their steps.
    pub fn swaps_by_step(&self) -> SwapsByStep<'_> {
        let mut swaps: BTreeMap<Option<&str>, Vec<&Swap>> = BTreeMap::new();
        for swap in &self.swaps {
            swaps.entry(swap.step.as_deref()).or_default().push(swap);
        }
        SwapsByStep(swaps)
    }
}
