//! Takes out of random steps what the plan would refuse, by walking them as the plan does.

use std::collections::BTreeSet;

use super::choose::members;
use super::model::{Chosen, Found, Rollup, Site, Step, Which};
use super::names::{PLAIN, TARGETS};

/// An item, and the server where it stands on one.
type Instance = (usize, Option<usize>);

/// What is installed and what runs, step by step.
struct Walk<'a> {
    site: &'a Site,
    installed: BTreeSet<Instance>,
    /// Running and enabled, by service and server.
    services: Vec<Vec<(bool, bool)>>,
}

/// Mends the rollups of a site, which are applied in order.
pub(super) fn mend(site: &Site, rollups: &mut [Rollup]) {
    let mut walk = Walk::new(site);
    for rollup in rollups {
        rollup.steps = walk.rollup(&rollup.steps);
    }
}

impl<'a> Walk<'a> {
    fn new(site: &'a Site) -> Self {
        let is_installed = |found| {
            matches!(
                found,
                Found::As("verified" | "unverified" | "verify-failed")
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

    fn rollup(&mut self, steps: &[Step]) -> Vec<Step> {
        let mut mended: Vec<Step> = Vec::new();
        // Where each step went, and what it removed.
        let mut places: Vec<Option<usize>> = Vec::new();
        let mut removed: Vec<BTreeSet<Instance>> = Vec::new();
        let mut initialized: BTreeSet<usize> = BTreeSet::new();
        let mut gone: BTreeSet<Instance> = BTreeSet::new();
        for step in steps {
            let before = self.installed.clone();
            let step = match step {
                Step::Uninstall(chosen) => self.uninstall(chosen),
                Step::Install(chosen) => {
                    self.install(chosen, &gone);
                    Some(step.clone())
                }
                Step::PutBack(of) => {
                    let of = places[*of];
                    of.iter()
                        .for_each(|&of| self.installed.extend(&removed[of]));
                    of.map(Step::PutBack)
                }
                Step::Share(files) if files.is_empty() => None,
                Step::Service { verb, service, x64 } => {
                    self.service(verb, *service, *x64).then(|| step.clone())
                }
                Step::Manual { undo: false, .. } => Some(Step::Manual {
                    undo: false,
                    optional: true,
                }),
                Step::Initialize { procedures, .. } => {
                    initialized.extend(procedures);
                    Some(step.clone())
                }
                _ => Some(step.clone()),
            };
            places.push(step.is_some().then_some(mended.len()));
            if let Some(step) = step {
                mended.push(step);
                removed.push(before.difference(&self.installed).copied().collect());
            }
            gone.extend(before.difference(&self.installed));
            gone.retain(|instance| !self.installed.contains(instance));
        }
        mended.extend(self.bring_back(gone, &initialized));
        if mended.is_empty() {
            mended.push(Step::Servers {
                role: 0,
                to: TARGETS[0],
                files: vec![PLAIN[0].0.to_owned()],
            });
        }
        mended
    }

    fn uninstall(&mut self, chosen: &Chosen) -> Option<Step> {
        let may_go = |&item: &usize| self.site.items[item].removable;
        let items = members(self.site, &chosen.which);
        let chosen = match items.iter().all(may_go) {
            true => chosen.clone(),
            false => Chosen {
                which: Which::Items(items.into_iter().filter(may_go).collect()),
                ..chosen.clone()
            },
        };
        if matches!(&chosen.which, Which::Items(items) if items.is_empty()) {
            return None;
        }
        for instance in self.chosen(&chosen) {
            self.installed.remove(&instance);
        }
        Some(Step::Uninstall(chosen))
    }

    /// The install of a group only puts back what the run removed.
    fn install(&mut self, chosen: &Chosen, gone: &BTreeSet<Instance>) {
        for instance in self.chosen(chosen) {
            if matches!(chosen.which, Which::Items(_)) || gone.contains(&instance) {
                self.installed.insert(instance);
            }
        }
    }

    fn chosen(&self, chosen: &Chosen) -> Vec<Instance> {
        let site = self.site;
        let fits = |&(_, server): &Instance| {
            server.is_none_or(|server| {
                let server = &site.servers[server];
                (!chosen.x64 || server.x64)
                    && chosen.role.is_none_or(|role| server.roles.contains(&role))
            })
        };
        members(site, &chosen.which)
            .into_iter()
            .flat_map(|item| instances(site, item))
            .filter(fits)
            .collect()
    }

    /// Whether the step may stay: what is disabled cannot be started.
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

    /// Installs again what something that stays requires.
    fn bring_back(
        &mut self,
        mut gone: BTreeSet<Instance>,
        initialized: &BTreeSet<usize>,
    ) -> Option<Step> {
        let mut back: BTreeSet<usize> = BTreeSet::new();
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
            let Some(&(item, _)) = gone.iter().find(|instance| is_required(instance)) else {
                break;
            };
            back.insert(item);
            gone.retain(|(other, _)| *other != item);
            self.installed.extend(instances(site, item));
        }
        let which = Which::Items(back.iter().copied().collect());
        (!back.is_empty()).then_some(Step::Install(Chosen {
            which,
            role: None,
            x64: false,
        }))
    }
}

fn instances(site: &Site, item: usize) -> Vec<Instance> {
    match site.items[item].role {
        None => vec![(item, None)],
        Some(role) => site
            .servers_of(role)
            .map(|(server, _)| (item, Some(server)))
            .collect(),
    }
}
