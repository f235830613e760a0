//! Requirements between items, at the end of the run and during it.

use std::collections::{BTreeMap, BTreeSet};

use super::DependencyOutage;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::description::{Description, Instance, ItemId, ItemKind};
use crate::deployment::snapshot::Snapshot;

/// Items that require an item, by that item.
pub(super) struct Dependents(Vec<Vec<ItemId>>);

impl Dependents {
    pub(super) fn of(description: &Description) -> Self {
        let mut dependents = vec![Vec::new(); description.items.len()];
        for (at, item) in description.items.iter().enumerate() {
            item.requires
                .iter()
                .for_each(|required| dependents[required.0].push(ItemId(at)));
        }
        Self(dependents)
    }

    /// Returns the instances that require this one: those on the same server if both items are of
    /// one role, else all.
    pub(super) fn instances(&self, description: &Description, required: Instance) -> Vec<Instance> {
        let role = description.items[required.item.0].on;
        let of_item = |&item: &ItemId| {
            let same_role = role.is_some() && description.items[item.0].on == role;
            let all = description.instances(item).into_iter();
            all.filter(move |instance| !same_role || instance.server == required.server)
        };
        self.0[required.item.0].iter().flat_map(of_item).collect()
    }
}

/// Removals by a run: for each, the step that removes the instance and the step that brings it
/// back, by position.
pub(super) type Absences = BTreeMap<Instance, Vec<(usize, Option<usize>)>>;

/// Refuses what would be gone at the end while something that stays requires it.
pub(super) fn check_end(
    snapshot: &Snapshot,
    absences: &Absences,
    installed_at_end: impl Fn(Instance) -> bool,
    procedures_run: &BTreeSet<Instance>,
) -> Vec<Reason> {
    let description = &snapshot.description;
    let dependents = Dependents::of(description);
    let mut reasons = Vec::new();
    for (&gone, _) in absences
        .iter()
        .filter(|(_, times)| times.iter().any(|(_, back)| back.is_none()))
    {
        for dependent in dependents.instances(description, gone) {
            let stays = match description.items[dependent.item.0].kind {
                ItemKind::Component { .. } => installed_at_end(dependent),
                ItemKind::Procedure { .. } => procedures_run.contains(&dependent),
            };
            if stays {
                let (gone, dependent) = (description.shown(gone), description.shown(dependent));
                let message = format!(
                    "`{gone}` would be gone at the end, and `{dependent}` still requires it"
                );
                let help = "let a later step install it again, or uninstall what requires it too";
                reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
            }
        }
    }
    reasons
}

/// Names what the run installs although something it requires is not installed. Only what the run
/// itself removes is a reason to refuse; the rest is a warning.
pub(super) fn lacking(
    snapshot: &Snapshot,
    came: impl Iterator<Item = Instance>,
    installed_at_end: impl Fn(Instance) -> bool,
) -> Vec<String> {
    let description = &snapshot.description;
    let mut told = BTreeSet::new();
    for instance in came {
        let item = &description.items[instance.item.0];
        for &required in &item.requires {
            let same_role = item.on.is_some() && description.items[required.0].on == item.on;
            let all = description.instances(required).into_iter();
            let asked = all.filter(|other| !same_role || other.server == instance.server);
            for missing in asked.filter(|&other| !installed_at_end(other)) {
                let (shown, missing) = (description.shown(instance), description.shown(missing));
                told.insert(format!(
                    "`{shown}` requires `{missing}`, which is not installed"
                ));
            }
        }
    }
    told.into_iter().collect()
}

/// Names what stays installed all the time and lacks something it requires during the run.
pub(super) fn outage(
    snapshot: &Snapshot,
    absences: &Absences,
    steps: &[&str],
) -> Vec<DependencyOutage> {
    let description = &snapshot.description;
    let dependents = Dependents::of(description);
    let mut lacking = BTreeSet::new();
    let times = absences
        .iter()
        .flat_map(|(&gone, times)| times.iter().map(move |&(from, back)| (gone, from, back)));
    for (gone, from, back) in times {
        let Some(to) = back else { continue };
        for dependent in dependents.instances(description, gone) {
            let installed = snapshot
                .item(dependent)
                .is_some_and(|record| record.state.is_installed());
            if installed && !absences.contains_key(&dependent) {
                lacking.insert(DependencyOutage {
                    instance: description.shown(dependent),
                    without: description.shown(gone),
                    from: steps[from].to_owned(),
                    to: steps[to].to_owned(),
                });
            }
        }
    }
    lacking.into_iter().collect()
}
