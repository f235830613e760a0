//! Lookup of every name of the steps and prerequisites, once, before the checks.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::*;
use crate::deployment::description::{Description, ItemKind};

/// Maximum number of items that all steps together may select, including what these require: every
/// check of the items walks them all, step by step. Removing a hundred thousand items and
/// installing them again takes a tenth of it.
const MOST_SELECTED: usize = 4_000_000;

/// Result of looking up the names of all steps.
#[derive(Default)]
pub(super) struct NameSummary {
    /// Position of the step at which the steps have selected more items than can be checked.
    pub(super) too_many_at: Option<usize>,
    /// True if the deployment has every item and group that steps install or uninstall, and not too
    /// many of them are selected.
    pub(super) whole: bool,
}

/// Looks every name of a draft up, and selects the items of its steps.
pub(super) fn look_up(draft: &mut Draft, site: &Description) {
    for prerequisite in &mut draft.prerequisites {
        prerequisite
            .condition
            .iter_mut()
            .for_each(|condition| look_up_condition(condition, site));
    }
    draft
        .steps
        .iter_mut()
        .for_each(|step| look_up_step(step, site));
    let too_many_at = too_many(&draft.steps, site);
    let mut selecting = draft
        .steps
        .iter()
        .filter(|step| matches!(step.verb, Some(Verb::Uninstall | Verb::Install)));
    let whole = too_many_at.is_none() && selecting.all(Step::names_known);
    draft.names = NameSummary { too_many_at, whole };
    if too_many_at.is_none() {
        for step in &mut draft.steps {
            step.selected = step.selection(site);
        }
    }
}

pub(super) fn look_up_condition(condition: &mut Condition, site: &Description) {
    match condition {
        Condition::Site(condition) => look_up_subject(&mut condition.subject, site),
        Condition::Any { any } => {
            for condition in any {
                look_up_subject(&mut condition.subject, site);
            }
        }
        Condition::Confirm { .. } => {}
    }
}

fn look_up_subject(subject: &mut ConditionSubject, site: &Description) {
    match subject {
        ConditionSubject::Product { on, .. } => set(on, |role| site.role(role)),
        ConditionSubject::Item { item } => item.id = site.item(&item.text),
    }
}

pub(super) fn look_up_step(step: &mut Step, site: &Description) {
    set(&mut step.on, |role| site.role(role));
    set(&mut step.service, |service| site.service(service));
    set(&mut step.groups, |group| site.group(group));
    for members in &mut step.items {
        members.group.id = site.group(&members.group.text);
        set(&mut members.names, |item| site.item(item));
    }
    let procedures = step.parameters.iter_mut().map(|of| &mut of.procedure);
    set(procedures, |procedure| site.item(procedure));
}

fn set<'n, Id: 'n>(
    names: impl IntoIterator<Item = &'n mut Name<Id>>,
    find: impl Fn(&str) -> Option<Id>,
) {
    for name in names {
        name.id = find(&name.text);
    }
}

fn too_many(steps: &[Step], site: &Description) -> Option<usize> {
    let of_item = |item: ItemId| {
        let needs = match &site[item].kind {
            ItemKind::Procedure { needs, .. } => needs.len(),
            ItemKind::Component { .. } => 0,
        };
        1 + site[item].requires.len() + needs
    };
    // A group comes after its parent in the list.
    let mut below: Vec<usize> = vec![0; site.groups.len()];
    for (at, group) in site.groups.iter().enumerate().rev() {
        let groups = group.groups.iter().map(|group| below[group.0]);
        let items = group.items.iter().map(|item| of_item(*item));
        below[at] = 1 + groups.chain(items).sum::<usize>();
    }
    let (mut all, mut removed) = (0, 0);
    steps.iter().position(|step| {
        let mut chosen = 0;
        for group in step.group_ids() {
            chosen += below[group.0];
        }
        for item in step.item_ids() {
            chosen += of_item(item);
        }
        removed += chosen;
        all += chosen;
        if step.platform.is_some() {
            all += site.servers.len();
        }
        if step.removed_by.is_some() {
            all += removed;
        }
        all > MOST_SELECTED
    })
}

impl Step {
    /// Returns whether the deployment has all groups and items that the step names.
    pub(super) fn names_known(&self) -> bool {
        let mut lists = self.items.iter().map(|members| &members.group);
        self.groups.iter().all(|group| group.id.is_some())
            && lists.all(|group| group.id.is_some())
            && self.named_items().all(|item| item.id.is_some())
    }

    fn selection(&self, site: &Description) -> BTreeSet<ItemId> {
        let below = self.group_ids().flat_map(|group| site.items_below(group));
        self.item_ids()
            .chain(below)
            .filter(|item| !site[*item].is_procedure())
            .collect()
    }

    /// Returns the components that the step removes.
    pub(super) fn removes(&self) -> &BTreeSet<ItemId> {
        static NOTHING: BTreeSet<ItemId> = BTreeSet::new();
        match self.verb {
            Some(Verb::Uninstall) => &self.selected,
            _ => &NOTHING,
        }
    }
}

impl Draft {
    /// Returns the steps by their ids; of two with the same id the first.
    pub(super) fn steps_by_id(&self) -> BTreeMap<CaseFolded, usize> {
        let steps = self
            .steps
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, step)| !step.id.is_empty());
        steps
            .map(|(at, step)| (CaseFolded::of(&step.id), at))
            .collect()
    }

    /// Returns the items that a step installs: of a whole group those that earlier steps removed.
    pub(super) fn installs(
        &self,
        step: &Step,
        removed: &BTreeSet<ItemId>,
    ) -> Cow<'_, BTreeSet<ItemId>> {
        if let Some(reference) = &step.removed_by {
            let referred = reference.id.map(|id| self.steps[id.0].removes());
            return referred.map(Cow::Borrowed).unwrap_or_default();
        }
        let mut items: BTreeSet<ItemId> = step.item_ids().collect();
        items.extend(step.selected.intersection(removed));
        Cow::Owned(items)
    }
}
