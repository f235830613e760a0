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
        let role = description[required.item].on;
        let of_item = |&item: &ItemId| {
            let same_role = role.is_some() && description[item].on == role;
            let all = description.instances(item).into_iter();
            let all = all.filter(|instance| description.is_online(*instance));
            all.filter(move |instance| !same_role || instance.server == required.server)
        };
        self.0[required.item.0].iter().flat_map(of_item).collect()
    }
}

/// Removals by a run: for each, the step that removes the instance and the step that brings it
/// back, by position.
pub(super) type Absences = BTreeMap<Instance, Vec<(usize, Option<usize>)>>;

/// Refuses to remove an instance that is still required at the end of the run.
pub(super) fn check_end(
    snapshot: &Snapshot,
    absences: &Absences,
    installed_at_end: impl Fn(Instance) -> bool,
    procedures_run: &BTreeSet<Instance>,
) -> Vec<Reason> {
    let description = &snapshot.description;
    let dependents = Dependents::of(description);
    let mut reasons = Vec::new();
    for (&removed, _) in absences
        .iter()
        .filter(|(_, times)| times.iter().any(|(_, back)| back.is_none()))
    {
        for dependent in dependents.instances(description, removed) {
            let is_kept = match description[dependent.item].kind {
                ItemKind::Component { .. } => installed_at_end(dependent),
                ItemKind::Procedure { .. } => procedures_run.contains(&dependent),
            };
            if is_kept {
                let removed = description.shown(removed);
                let dependent = description.shown(dependent);
                let message = format!(
                    "the run removes `{removed}`, which `{dependent}` still requires at the end"
                );
                let help =
                    "let a later step install it again, or let a step uninstall the dependent too";
                reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
            }
        }
    }
    reasons
}

/// Describes the instances that the run installs although a dependency is not installed at the end.
/// Only a dependency that the run itself removes is a reason to refuse; the others are warnings.
pub(super) fn lacking(
    snapshot: &Snapshot,
    installed: impl Iterator<Item = Instance>,
    installed_at_end: impl Fn(Instance) -> bool,
) -> Vec<String> {
    let description = &snapshot.description;
    let mut warnings = BTreeSet::new();
    for instance in installed {
        let item = &description[instance.item];
        for &required in &item.requires {
            let same_role = item.on.is_some() && description[required].on == item.on;
            let all = description.instances(required).into_iter();
            let all = all.filter(|other| description.is_online(*other));
            let relevant = all.filter(|other| !same_role || other.server == instance.server);
            for missing in relevant.filter(|&other| !installed_at_end(other)) {
                let (dependent, missing) =
                    (description.shown(instance), description.shown(missing));
                warnings.insert(format!(
                    "`{dependent}` requires `{missing}`, which is not installed"
                ));
            }
        }
    }
    warnings.into_iter().collect()
}

/// Describes the installed instances, and the procedures that ran, whose dependencies are not
/// installed in the deployment as it is.
pub fn broken_requirements(snapshot: &Snapshot) -> Vec<String> {
    let installed_now = |instance| snapshot.is_installed(instance);
    let site = &snapshot.description;
    let installed = site
        .all_instances()
        .filter(|&instance| site.is_online(instance) && installed_now(instance));
    lacking(snapshot, installed, installed_now)
}

/// Counts the installed instances that depend on those that lack a dependency during the run, and
/// not on a removed one themselves.
pub(super) fn outage_behind(snapshot: &Snapshot, absences: &Absences) -> usize {
    let description = &snapshot.description;
    let dependents = Dependents::of(description);
    let is_affected =
        |instance: &Instance| snapshot.is_installed(*instance) && !absences.contains_key(instance);
    let comes_back = |times: &[(usize, Option<usize>)]| times.iter().any(|(_, to)| to.is_some());
    let removed = absences.iter().filter(|(_, times)| comes_back(times));
    let direct: BTreeSet<Instance> = removed
        .flat_map(|(&instance, _)| dependents.instances(description, instance))
        .filter(is_affected)
        .collect();
    let mut seen = direct.clone();
    let mut left: Vec<Instance> = direct.iter().copied().collect();
    while let Some(instance) = left.pop() {
        let above = dependents.instances(description, instance).into_iter();
        for dependent in above.filter(is_affected) {
            if seen.insert(dependent) {
                left.push(dependent);
            }
        }
    }
    seen.len() - direct.len()
}

/// Returns the instances that stay installed and have a dependency that is unavailable during the
/// run.
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
        .flat_map(|(&removed, times)| times.iter().map(move |&(from, back)| (removed, from, back)));
    for (removed, from, back) in times {
        let Some(to) = back else { continue };
        for dependent in dependents.instances(description, removed) {
            let installed = snapshot
                .item(dependent)
                .is_some_and(|record| record.state.is_installed());
            if installed && !absences.contains_key(&dependent) {
                lacking.insert(DependencyOutage {
                    instance: description.shown(dependent),
                    without: description.shown(removed),
                    from: steps[from].to_owned(),
                    to: steps[to].to_owned(),
                });
            }
        }
    }
    lacking.into_iter().collect()
}
