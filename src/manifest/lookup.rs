//! Lookup of the names of all steps, before the checks.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::draft::*;
use super::known::{ResolutionSummary, ResolvedNames};
use crate::deployment::description::{Description, ItemId, ItemKind};
use crate::names::CaseFolded;

/// Maximum number of items that all steps together may select, including what these require: every
/// check of the items walks them all, step by step. Removing a hundred thousand items and
/// installing them again takes a tenth of it.
const MOST_SELECTED: usize = 4_000_000;

/// Looks every name up, once.
pub(super) fn look_up(draft: &mut Draft, deployment: Option<&Description>) {
    let group = |name: &Named| deployment?.group(&name.value);
    let item = |name: &Named| deployment?.item(&name.value);
    for step in &mut draft.steps {
        let groups = step.groups.iter().map(group).collect();
        let items = step
            .items
            .iter()
            .map(|(name, names)| (group(name), names.iter().map(item).collect()))
            .collect();
        step.resolved = ResolvedNames {
            groups,
            items,
            selected: BTreeSet::new(),
        };
    }
    let Some(deployment) = deployment else { return };
    let too_many_at = too_many(draft, deployment);
    let mut selecting = draft
        .steps
        .iter()
        .filter(|step| matches!(step.verb, Some(Verb::Uninstall | Verb::Install)));
    let whole = too_many_at.is_none() && selecting.all(|step| step.resolved.is_whole());
    draft.resolved = ResolutionSummary { too_many_at, whole };
    if too_many_at.is_none() {
        draft
            .steps
            .iter_mut()
            .for_each(|step| step.resolved.select(deployment));
    }
}

fn too_many(draft: &Draft, deployment: &Description) -> Option<usize> {
    let of_item = |item: &ItemId| {
        let item = &deployment.items[item.0];
        let needs = match &item.kind {
            ItemKind::Procedure { needs, .. } => needs.len(),
            ItemKind::Component { .. } => 0,
        };
        1 + item.requires.len() + needs
    };
    // A group comes after its parent in the list.
    let mut below: Vec<usize> = vec![0; deployment.groups.len()];
    for (at, group) in deployment.groups.iter().enumerate().rev() {
        let groups = group.groups.iter().map(|group| below[group.0]);
        below[at] = 1 + groups.chain(group.items.iter().map(of_item)).sum::<usize>();
    }
    let (mut all, mut removed) = (0, 0);
    draft.steps.iter().position(|step| {
        let groups = step.resolved.groups.iter().flatten();
        let groups = groups.map(|group| below[group.0]);
        let items = step.resolved.named().map(|item| of_item(&item));
        let chosen: usize = groups.chain(items).sum();
        removed += chosen;
        all += chosen;
        if step.platform.is_some() {
            all += deployment.servers.len();
        }
        if step.removed_by.is_some() {
            all += removed;
        }
        all > MOST_SELECTED
    })
}

impl Draft {
    /// Returns the steps by their ids; of two with the same id the first.
    pub(super) fn steps_by_id(&self) -> BTreeMap<CaseFolded, usize> {
        let steps = self.steps.iter().enumerate().rev();
        steps
            .filter_map(|(at, step)| Some((CaseFolded::of(&step.id.as_ref()?.value), at)))
            .collect()
    }

    /// Returns the items that a step installs: of a whole group those that earlier steps removed.
    pub(super) fn installs(
        &self,
        step: &StepDraft,
        ids: &BTreeMap<CaseFolded, usize>,
        removed: &BTreeSet<ItemId>,
    ) -> Cow<'_, BTreeSet<ItemId>> {
        if let Some(reference) = &step.removed_by {
            let referred = ids.get(&CaseFolded::of(&reference.value));
            return referred
                .map(|&at| Cow::Borrowed(self.steps[at].removes()))
                .unwrap_or_default();
        }
        let mut items: BTreeSet<ItemId> = step.resolved.named().collect();
        items.extend(step.resolved.selected.intersection(removed));
        Cow::Owned(items)
    }
}

impl StepDraft {
    /// Returns the components that the step removes.
    pub(super) fn removes(&self) -> &BTreeSet<ItemId> {
        static NOTHING: BTreeSet<ItemId> = BTreeSet::new();
        match self.verb {
            Some(Verb::Uninstall) => &self.resolved.selected,
            _ => &NOTHING,
        }
    }

    /// Returns the names of items that the step gives, each with the item it refers to.
    pub(super) fn named_items(&self) -> impl Iterator<Item = (&Named, Option<ItemId>)> {
        let lists = self.items.iter().zip(&self.resolved.items);
        lists.flat_map(|((_, names), (_, known))| names.iter().zip(known.iter().copied()))
    }
}
