//! Conditions that must hold before anything is staged.

use std::collections::BTreeMap;

use super::Confirmation;
use super::planner::Planner;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::description::{Instance, ServerId};
use crate::manifest::{Condition, Manifest};
use crate::names::same_name;

impl Planner<'_> {
    pub(super) fn prerequisites(&mut self) {
        for prerequisite in &self.manifest.prerequisites {
            match &prerequisite.condition {
                Condition::Product {
                    product,
                    service_pack,
                    on,
                } => self.product(product, *service_pack, on.as_deref()),
                Condition::Item { item } => self.item_is_installed(item),
                Condition::Confirm { .. } => {}
            }
        }
    }

    fn product(&mut self, product: &str, wanted: u32, on: Option<&str>) {
        let site = &self.snapshot.description;
        let installed = self.service_packs(product);
        let servers: Vec<ServerId> = match on {
            None => installed.keys().copied().collect(),
            Some(role) => match site.role(role) {
                Some(role) => site.online_servers(role).collect(),
                None => {
                    let message = format!(
                        "a prerequisite names the role `{role}`, which `deployment.toml` does not list"
                    );
                    return self.refuse(ReasonKind::Invalid, message, None);
                }
            },
        };
        if installed.is_empty() {
            let message = format!("`{product}` is required, but no server has it");
            return self.refuse(ReasonKind::NotReady, message, None);
        }
        for server in servers {
            let name = &site.servers[server.0].name;
            let message = match installed.get(&server) {
                Some(&found) if found >= wanted => continue,
                Some(0) => format!(
                    "`{product}` on {name} has no service pack; service pack {wanted} is required"
                ),
                Some(found) => {
                    format!(
                        "`{product}` on {name} has service pack {found}; service pack {wanted} is required"
                    )
                }
                None => format!("`{product}` is required on {name}, which does not have it"),
            };
            let help =
                "update the server, then change its entry in `products` of `deployment.toml`";
            self.reasons
                .push(Reason::new(ReasonKind::NotReady, message).help(help));
        }
    }

    /// Returns the online servers that have a product, with its service pack there.
    pub(super) fn service_packs(&self, product: &str) -> BTreeMap<ServerId, u32> {
        let products = &self.snapshot.description.products;
        let entries = products
            .iter()
            .filter(|entry| same_name(&entry.name, product));
        entries
            .flat_map(|entry| {
                let servers = entry.servers.iter();
                servers.map(|&server| (server, entry.service_pack))
            })
            .filter(|(server, _)| !self.snapshot.description.servers[server.0].offline)
            .collect()
    }

    fn item_is_installed(&mut self, name: &str) {
        let site = &self.snapshot.description;
        let Some(item) = site.item(name) else {
            let message = format!(
                "a prerequisite names the item `{name}`, which `deployment.toml` does not list"
            );
            return self.refuse(ReasonKind::Invalid, message, None);
        };
        for instance in site.instances(item) {
            if site.is_online(instance) && !self.installed_before(instance) {
                let message = format!("`{}` is required, but not installed", site.shown(instance));
                self.reasons
                    .push(Reason::new(ReasonKind::NotReady, message));
            }
        }
    }

    /// Returns whether an instance was installed before the run; for a procedure, whether it had
    /// run.
    pub(super) fn installed_before(&self, instance: Instance) -> bool {
        let item = self.snapshot.item(instance).map(|record| record.state);
        let state = item.or_else(|| self.snapshot.procedure(instance).map(|record| record.state));
        state.is_some_and(|state| state.is_installed())
    }
}

pub(super) fn confirmations(manifest: &Manifest) -> Vec<Confirmation> {
    let confirmations =
        manifest
            .prerequisites
            .iter()
            .filter_map(|prerequisite| match &prerequisite.condition {
                Condition::Confirm { id, question } => Some(Confirmation {
                    id: id.clone(),
                    question: question.clone(),
                }),
                _ => None,
            });
    confirmations.collect()
}
