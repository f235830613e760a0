//! Removal of random steps that the plan would refuse, with the rules of the plan.

use std::collections::BTreeSet;

use super::choose::members;
use super::model::{
    InitialState, Instance, ItemsOrGroup, RandomRollup, RandomSite, RandomStep, Selection,
};
use super::names::{PLAIN, TARGETS};

/// Positions of a step: among those of the manifest, then among the nested ones.
type StepPath = Vec<usize>;

/// Installed items and states of the services while the steps are walked.
#[derive(Clone)]
struct StepWalk<'a> {
    site: &'a RandomSite,
    installed: BTreeSet<Instance>,
    /// Running and enabled, by service and server.
    services: Vec<Vec<(bool, bool)>>,
    /// Instances that the rollup removed and did not install again.
    removed_so_far: BTreeSet<Instance>,
    /// Procedures that the rollup runs.
    initialized: BTreeSet<usize>,
}

/// Repairs the rollups of a site, which are applied in order.
pub(super) fn repair(site: &RandomSite, rollups: &mut [RandomRollup]) {
    let mut step_walk = StepWalk::new(site);
    for rollup in rollups {
        rollup.steps = step_walk.rollup(&rollup.steps);
        rollup.installed.clone_from(&step_walk.installed);
    }
}

/// Returns the steps without those that no state of the deployment allows.
fn possible(
    steps: &[RandomStep],
    mut allowed: impl FnMut(&RandomStep) -> Option<RandomStep>,
) -> Vec<RandomStep> {
    let mut possible = Vec::new();
    let mut positions: Vec<Option<usize>> = Vec::new();
    for step in steps {
        let step = match step {
            RandomStep::Reinstall(of) => positions[*of].map(RandomStep::Reinstall),
            _ => allowed(step),
        };
        positions.push(step.is_some().then_some(possible.len()));
        possible.extend(step);
    }
    possible
}

fn allowed(site: &RandomSite, step: &RandomStep) -> Option<RandomStep> {
    Some(match step {
        RandomStep::Uninstall(selection) => RandomStep::Uninstall(removable(site, selection)?),
        RandomStep::Share(files) if files.is_empty() => return None,
        // It is skipped: otherwise no rollback would pass it.
        RandomStep::Manual { undo: false, .. } => RandomStep::Manual {
            undo: false,
            optional: true,
        },
        RandomStep::EachServer { role, x64, steps } => {
            let steps = possible(steps, |step| nested(site, allowed(site, step)?));
            if steps.is_empty() {
                return None;
            }
            RandomStep::EachServer {
                role: *role,
                x64: *x64,
                steps,
            }
        }
        _ => step.clone(),
    })
}

/// Returns a step without what nested steps do not have: servers of its own, the share, and items
/// and procedures that are on no server.
fn nested(site: &RandomSite, mut step: RandomStep) -> Option<RandomStep> {
    match &mut step {
        RandomStep::Uninstall(selection) | RandomStep::Install(selection) => {
            (selection.role, selection.x64) = (None, false);
            if let ItemsOrGroup::Items(items) = &mut selection.members {
                items.retain(|&item| site.items[item].role.is_some());
                if items.is_empty() {
                    return None;
                }
            }
        }
        RandomStep::Initialize { procedures, .. } => {
            procedures.retain(|&procedure| site.procedures[procedure].role.is_some());
            if procedures.is_empty() {
                return None;
            }
        }
        RandomStep::Servers { role, .. }
        | RandomStep::Run { role, .. }
        | RandomStep::Opaque { role, .. } => *role = None,
        RandomStep::Service { x64, .. } => *x64 = false,
        RandomStep::Reinstall(_) | RandomStep::Manual { .. } => {}
        RandomStep::Share(_) | RandomStep::EachServer { .. } => return None,
    }
    Some(step)
}

/// Returns a selection without the items that may not be removed.
fn removable(site: &RandomSite, selection: &Selection) -> Option<Selection> {
    let is_removable = |&item: &usize| site.items[item].removable;
    let items = members(site, &selection.members);
    if items.iter().all(is_removable) {
        return Some(selection.clone());
    }
    let items: Vec<usize> = items.into_iter().filter(is_removable).collect();
    (!items.is_empty()).then(|| Selection {
        members: ItemsOrGroup::Items(items),
        ..selection.clone()
    })
}

/// Removes a step, and the outer step if it was its only one.
fn remove(steps: &mut Vec<RandomStep>, path: &[usize]) {
    if let [at, below @ ..] = path
        && let RandomStep::EachServer { steps, .. } = &mut steps[*at]
        && !below.is_empty()
    {
        remove(steps, below);
        if !steps.is_empty() {
            return;
        }
    }
    let at = path[0];
    steps.remove(at);
    for step in steps {
        if let RandomStep::Reinstall(of) = step {
            *of -= usize::from(*of > at);
        }
    }
}

impl<'a> StepWalk<'a> {
    fn new(site: &'a RandomSite) -> Self {
        let is_installed = |found| {
            matches!(
                found,
                InitialState::Recorded("verified" | "unverified" | "verify-failed")
            )
        };
        let items = site
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| is_installed(item.found));
        let installed = items.flat_map(|(at, _)| instances(site, at)).collect();
        let state =
            |file: Option<(bool, bool)>| vec![file.unwrap_or((true, true)); site.servers.len()];
        Self {
            site,
            installed,
            services: site
                .services
                .iter()
                .map(|service| state(service.file))
                .collect(),
            removed_so_far: BTreeSet::new(),
            initialized: BTreeSet::new(),
        }
    }

    fn rollup(&mut self, steps: &[RandomStep]) -> Vec<RandomStep> {
        self.removed_so_far.clear();
        self.initialized.clear();
        let mut repaired = possible(steps, |step| allowed(self.site, step));
        // A nested step may be refused only on the second server, after others changed the first.
        loop {
            let mut attempt = self.clone();
            let Err(refused) = attempt.steps(&repaired, None) else {
                *self = attempt;
                break;
            };
            remove(&mut repaired, &refused);
        }
        repaired.extend(self.reinstall_required());
        if repaired.is_empty() {
            repaired.push(RandomStep::Servers {
                role: Some(0),
                to: TARGETS[0],
                files: vec![PLAIN[0].0.to_owned()],
            });
        }
        repaired
    }

    /// Walks steps, those of an `each-server` step on this server. Returns the first one that is
    /// refused.
    fn steps(&mut self, steps: &[RandomStep], on: Option<usize>) -> Result<(), StepPath> {
        // Instances that each step removed.
        let mut removed: Vec<BTreeSet<Instance>> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let before = self.installed.clone();
            match step {
                RandomStep::Uninstall(selection) => {
                    for instance in self.instances(selection, on) {
                        self.installed.remove(&instance);
                    }
                }
                RandomStep::Install(selection) => self.install(selection, on),
                RandomStep::Reinstall(of) => self.installed.extend(&removed[*of]),
                RandomStep::Service { verb, service, x64 } => {
                    if !self.service(verb, *service, *x64, on) {
                        return Err(vec![at]);
                    }
                }
                RandomStep::Initialize { procedures, .. } => self.initialized.extend(procedures),
                RandomStep::EachServer { role, x64, steps } => {
                    for (server, _) in self.site.each_server(*role, *x64) {
                        self.steps(steps, Some(server))
                            .map_err(|refused| [vec![at], refused].concat())?;
                    }
                }
                RandomStep::Share(_)
                | RandomStep::Servers { .. }
                | RandomStep::Run { .. }
                | RandomStep::Opaque { .. }
                | RandomStep::Manual { .. } => {}
            }
            removed.push(before.difference(&self.installed).copied().collect());
            self.removed_so_far
                .extend(before.difference(&self.installed));
            self.removed_so_far
                .retain(|instance| !self.installed.contains(instance));
        }
        Ok(())
    }

    /// Installs the selection; of a group only the instances that the run removed.
    fn install(&mut self, selection: &Selection, on: Option<usize>) {
        for instance in self.instances(selection, on) {
            if matches!(selection.members, ItemsOrGroup::Items(_))
                || self.removed_so_far.contains(&instance)
            {
                self.installed.insert(instance);
            }
        }
    }

    /// Returns the selected instances; on one server, those whose role it holds.
    fn instances(&self, selection: &Selection, on: Option<usize>) -> Vec<Instance> {
        let site = self.site;
        let fits = |&(_, server): &Instance| {
            if on.is_some() {
                return server == on;
            }
            server.is_none_or(|server| {
                let server = &site.servers[server];
                (!selection.x64 || server.x64)
                    && selection
                        .role
                        .is_none_or(|role| server.roles.contains(&role))
            })
        };
        members(site, &selection.members)
            .into_iter()
            .flat_map(|item| instances(site, item))
            .filter(fits)
            .collect()
    }

    /// Returns true if the step may stay: a disabled service cannot be started.
    fn service(&mut self, verb: &str, service: usize, x64: bool, on: Option<usize>) -> bool {
        let own = self.site.each_server(self.site.services[service].role, x64);
        let on: Vec<usize> = own
            .map(|(at, _)| at)
            .filter(|&at| on.is_none_or(|on| at == on))
            .collect();
        let states = &mut self.services[service];
        let refused = |&at: &usize| {
            let (running, enabled) = states[at];
            !enabled && (verb == "restart" || verb == "start" && !running)
        };
        if on.iter().any(refused) {
            return false;
        }
        for at in on {
            let (running, enabled) = &mut states[at];
            match verb {
                "stop" => *running = false,
                "disable" => *enabled = false,
                "enable" => *enabled = true,
                _ => *running = true,
            }
        }
        true
    }

    /// Returns a step that installs removed items again, if something that stays requires them.
    fn reinstall_required(&mut self) -> Option<RandomStep> {
        let mut removed_so_far = std::mem::take(&mut self.removed_so_far);
        let mut required: BTreeSet<usize> = BTreeSet::new();
        loop {
            let site = self.site;
            let is_required = |&(item, _): &Instance| {
                let by_item = self
                    .installed
                    .iter()
                    .any(|&(other, _)| site.items[other].requires.contains(&item));
                by_item
                    || self
                        .initialized
                        .iter()
                        .any(|&procedure| site.procedures[procedure].requires.contains(&item))
            };
            let Some(&(item, _)) = removed_so_far.iter().find(|instance| is_required(instance))
            else {
                break;
            };
            required.insert(item);
            removed_so_far.retain(|(other, _)| *other != item);
            self.installed.extend(instances(site, item));
        }
        let members = ItemsOrGroup::Items(required.iter().copied().collect());
        (!required.is_empty()).then_some(RandomStep::Install(Selection {
            members,
            role: None,
            x64: false,
        }))
    }
}

/// Returns an item on each server that holds its role, in their order.
pub(super) fn instances(site: &RandomSite, item: usize) -> Vec<Instance> {
    match site.items[item].role {
        None => vec![(item, None)],
        Some(role) => site
            .servers_of(role)
            .map(|(server, _)| (item, Some(server)))
            .collect(),
    }
}
