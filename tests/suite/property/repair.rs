//! Removal of random steps that the plan would refuse, with the rules of the plan.

use std::collections::BTreeSet;

use super::choose::members;
use super::model::{InitialState, ItemsOrGroup, RandomRollup, RandomSite, RandomStep, Selection};
use super::names::{PLAIN, TARGETS};

/// Item, with its server if it has one.
type Instance = (usize, Option<usize>);

/// Installed items and states of the services while the steps are walked.
struct StepWalk<'a> {
    site: &'a RandomSite,
    installed: BTreeSet<Instance>,
    /// Running and enabled, by service and server.
    services: Vec<Vec<(bool, bool)>>,
}

/// Repairs the rollups of a site, which are applied in order.
pub(super) fn repair(site: &RandomSite, rollups: &mut [RandomRollup]) {
    let mut step_walk = StepWalk::new(site);
    for rollup in rollups {
        rollup.steps = step_walk.rollup(&rollup.steps);
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
        }
    }

    fn rollup(&mut self, steps: &[RandomStep]) -> Vec<RandomStep> {
        let mut repaired: Vec<RandomStep> = Vec::new();
        // The new position of each step, and the instances that it removed.
        let mut positions: Vec<Option<usize>> = Vec::new();
        let mut removed: Vec<BTreeSet<Instance>> = Vec::new();
        let mut initialized: BTreeSet<usize> = BTreeSet::new();
        let mut removed_so_far: BTreeSet<Instance> = BTreeSet::new();
        for step in steps {
            let before = self.installed.clone();
            let step = match step {
                RandomStep::Uninstall(selection) => self.uninstall(selection),
                RandomStep::Install(selection) => {
                    self.install(selection, &removed_so_far);
                    Some(step.clone())
                }
                RandomStep::Reinstall(of) => {
                    let of = positions[*of];
                    of.iter()
                        .for_each(|&of| self.installed.extend(&removed[of]));
                    of.map(RandomStep::Reinstall)
                }
                RandomStep::Share(files) if files.is_empty() => None,
                RandomStep::Service { verb, service, x64 } => {
                    self.service(verb, *service, *x64).then(|| step.clone())
                }
                RandomStep::Manual { undo: false, .. } => Some(RandomStep::Manual {
                    undo: false,
                    optional: true,
                }),
                RandomStep::Initialize { procedures, .. } => {
                    initialized.extend(procedures);
                    Some(step.clone())
                }
                _ => Some(step.clone()),
            };
            positions.push(step.is_some().then_some(repaired.len()));
            if let Some(step) = step {
                repaired.push(step);
                removed.push(before.difference(&self.installed).copied().collect());
            }
            removed_so_far.extend(before.difference(&self.installed));
            removed_so_far.retain(|instance| !self.installed.contains(instance));
        }
        repaired.extend(self.reinstall_required(removed_so_far, &initialized));
        if repaired.is_empty() {
            repaired.push(RandomStep::Servers {
                role: 0,
                to: TARGETS[0],
                files: vec![PLAIN[0].0.to_owned()],
            });
        }
        repaired
    }

    fn uninstall(&mut self, selection: &Selection) -> Option<RandomStep> {
        let is_removable = |&item: &usize| self.site.items[item].removable;
        let items = members(self.site, &selection.members);
        let selection = match items.iter().all(is_removable) {
            true => selection.clone(),
            false => Selection {
                members: ItemsOrGroup::Items(items.into_iter().filter(is_removable).collect()),
                ..selection.clone()
            },
        };
        if matches!(&selection.members, ItemsOrGroup::Items(items) if items.is_empty()) {
            return None;
        }
        for instance in self.instances(&selection) {
            self.installed.remove(&instance);
        }
        Some(RandomStep::Uninstall(selection))
    }

    /// Installs the selection; of a group only the instances that the run removed.
    fn install(&mut self, selection: &Selection, removed_so_far: &BTreeSet<Instance>) {
        for instance in self.instances(selection) {
            if matches!(selection.members, ItemsOrGroup::Items(_))
                || removed_so_far.contains(&instance)
            {
                self.installed.insert(instance);
            }
        }
    }

    fn instances(&self, selection: &Selection) -> Vec<Instance> {
        let site = self.site;
        let fits = |&(_, server): &Instance| {
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
    fn service(&mut self, verb: &str, service: usize, x64: bool) -> bool {
        let on = self.site.servers_of(self.site.services[service].role);
        let on: Vec<usize> = on
            .filter(|(_, server)| !x64 || server.x64)
            .map(|(at, _)| at)
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
    fn reinstall_required(
        &mut self,
        mut removed_so_far: BTreeSet<Instance>,
        initialized: &BTreeSet<usize>,
    ) -> Option<RandomStep> {
        let mut required: BTreeSet<usize> = BTreeSet::new();
        loop {
            let site = self.site;
            let is_required = |&(item, _): &Instance| {
                let by_item = self
                    .installed
                    .iter()
                    .any(|&(other, _)| site.items[other].requires.contains(&item));
                by_item
                    || initialized
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

fn instances(site: &RandomSite, item: usize) -> Vec<Instance> {
    match site.items[item].role {
        None => vec![(item, None)],
        Some(role) => site
            .servers_of(role)
            .map(|(server, _)| (item, Some(server)))
            .collect(),
    }
}
