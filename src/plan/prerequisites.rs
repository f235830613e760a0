//! Conditions that must hold before anything is staged.

use super::Confirmation;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::description::{Description, Instance, ServerId};
use crate::deployment::snapshot::Snapshot;
use crate::manifest::{BoundCondition, BoundManifest, Fault};

/// Returns the reasons why prerequisites do not hold.
pub(super) fn unmet(bound: &BoundManifest, snapshot: &Snapshot) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for condition in &bound.prerequisites {
        match condition {
            BoundCondition::Product {
                product, installed, ..
            } if installed.is_empty() => {
                let product = product.clone();
                reasons.push(Reason::from(&Fault::NoProduct { product }));
            }
            BoundCondition::Product {
                product,
                service_pack,
                installed,
                ..
            } => {
                for server in servers_to_check(condition) {
                    let name = &snapshot.description[server].name;
                    let found = installed.get(&server).copied();
                    let faults = lacking_product(product, name.as_str(), *service_pack, found);
                    reasons.extend(faults);
                }
            }
            BoundCondition::Item { id: Some(id), .. } => {
                reasons.extend(not_installed(snapshot, snapshot.description.instances(*id)));
            }
            BoundCondition::Item { name, id: None } => {
                let (site, name) = (snapshot.description.name.clone(), name.clone());
                reasons.push(Reason::from(&Fault::UnlistedItem { site, name }));
            }
            BoundCondition::Confirm { .. } => {}
        }
    }
    reasons
}

/// Returns the servers on which a product is checked.
pub(super) fn servers_to_check(condition: &BoundCondition) -> Vec<ServerId> {
    match condition {
        BoundCondition::Product { on: Some(on), .. } => on.clone(),
        BoundCondition::Product { installed, .. } => installed.keys().copied().collect(),
        BoundCondition::Item { .. } | BoundCondition::Confirm { .. } => Vec::new(),
    }
}

fn lacking_product(product: &str, server: &str, wanted: u32, found: Option<u32>) -> Option<Reason> {
    let message = match found {
        Some(found) if found >= wanted => return None,
        Some(0) => format!(
            "`{product}` on {server} has no service pack; service pack {wanted} is required"
        ),
        Some(found) => format!(
            "`{product}` on {server} has service pack {found}; service pack {wanted} is required"
        ),
        None => format!("`{product}` is required on {server}, which does not have it"),
    };
    let help = "update the server, then change its entry in `products` of `deployment.toml`";
    Some(Reason::new(ReasonKind::NotReady, message).help(help))
}

fn not_installed(snapshot: &Snapshot, instances: Vec<Instance>) -> Vec<Reason> {
    let site: &Description = &snapshot.description;
    let online = instances.into_iter().filter(|one| site.is_online(*one));
    let missing = online.filter(|instance| !snapshot.is_installed(*instance));
    let reasons = missing.map(|instance| {
        let shown = site.shown(instance);
        let message = format!("`{shown}` is required, but not installed");
        Reason::new(ReasonKind::NotReady, message)
    });
    reasons.collect()
}

pub(super) fn confirmations(bound: &BoundManifest) -> Vec<Confirmation> {
    let mut confirmations = Vec::new();
    for condition in &bound.prerequisites {
        if let BoundCondition::Confirm { id, question } = condition {
            confirmations.push(Confirmation {
                id: id.clone(),
                question: question.clone(),
            });
        }
    }
    confirmations
}
