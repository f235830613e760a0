//! Objects that the names of the steps refer to, in the deployment against which a manifest is
//! checked.
//!
//! Most checks of the items need the same names, so each is looked up once, before them (see
//! `lookup`).

use std::collections::BTreeSet;

use crate::deployment::description::{Description, GroupId, ItemId, ItemKind};

/// Objects that the names of a step refer to; `None` if the deployment has nothing of that name, or
/// if there is no deployment.
#[derive(Default)]
pub(super) struct ResolvedNames {
    /// Parallel to the step's groups.
    pub(super) groups: Vec<Option<GroupId>>,
    /// Parallel to the step's items: the group of each list, and its members.
    pub(super) items: Vec<(Option<GroupId>, Vec<Option<ItemId>>)>,
    /// Components that the step names, one by one or by their groups; none if the steps select too
    /// many.
    pub(super) selected: BTreeSet<ItemId>,
}

/// Result of looking up the names of all steps.
#[derive(Default)]
pub(super) struct ResolutionSummary {
    /// Position of the step at which the steps have selected more items than can be checked.
    pub(super) too_many_at: Option<usize>,
    /// True if the deployment has every item and group that steps install or uninstall, and not too
    /// many of them are selected.
    pub(super) whole: bool,
}

impl ResolvedNames {
    /// Returns the items and procedures that the step names one by one.
    pub(super) fn named(&self) -> impl Iterator<Item = ItemId> {
        self.items
            .iter()
            .flat_map(|(_, members)| members)
            .copied()
            .flatten()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.groups.iter().all(Option::is_some)
            && self
                .items
                .iter()
                .flat_map(|(_, members)| members)
                .all(Option::is_some)
    }

    pub(super) fn select(&mut self, deployment: &Description) {
        let component =
            |item: &ItemId| matches!(deployment.items[item.0].kind, ItemKind::Component { .. });
        let groups = self
            .groups
            .iter()
            .flatten()
            .flat_map(|&group| deployment.items_below(group));
        self.selected = self.named().chain(groups).filter(component).collect();
    }
}
