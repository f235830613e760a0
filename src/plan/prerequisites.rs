//! Conditions that must hold before anything is staged.

use super::Confirmation;
use super::documented::CheckedPrerequisite;
use super::refusal::{Reason, ReasonKind};
use crate::deployment::description::{Description, Instance, ItemId, ServerId};
use crate::deployment::snapshot::Snapshot;
use crate::manifest::{
    BoundCondition, BoundManifest, BoundSiteCondition, BoundSubject, Fault, InstalledProduct,
    ServicePacks, WantedState, WantedVersion,
};

/// Advice for a product that a server lacks, or has in another version.
const UPDATE_SERVER: &str =
    "update the server, then change its entry in `products` of `deployment.toml`";

/// Returns the reasons why prerequisites do not hold.
pub(super) fn unmet(bound: &BoundManifest, snapshot: &Snapshot) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for condition in &bound.prerequisites {
        match condition {
            BoundCondition::Site(condition) => reasons.extend(failures(condition, snapshot)),
            BoundCondition::Any { line, alternatives } => {
                reasons.extend(no_alternative(*line, alternatives, snapshot));
            }
            BoundCondition::Confirm { .. } => {}
        }
    }
    reasons
}

/// Returns what was checked for a prerequisite that holds; nothing for a question.
pub(super) fn checked(
    condition: &BoundCondition,
    snapshot: &Snapshot,
) -> Option<CheckedPrerequisite> {
    match condition {
        BoundCondition::Site(condition) => Some(CheckedPrerequisite {
            condition: describe(condition),
            found: found(condition, snapshot),
        }),
        BoundCondition::Any { alternatives, .. } => {
            let described: Vec<String> = alternatives.iter().map(describe).collect();
            let mut alternatives = alternatives.iter();
            let held = alternatives.find(|one| failures(one, snapshot).is_empty())?;
            Some(CheckedPrerequisite {
                condition: described.join("; or "),
                found: found(held, snapshot),
            })
        }
        BoundCondition::Confirm { .. } => None,
    }
}

/// Returns the reasons why a condition does not hold: one for each server or instance.
fn failures(condition: &BoundSiteCondition, snapshot: &Snapshot) -> Vec<Reason> {
    match &condition.subject {
        BoundSubject::Product { name, .. } => match &condition.wanted {
            WantedState::Absent { .. } => {
                let servers = servers_with_product(condition);
                let present = present_product(name, &servers, &snapshot.description);
                present.into_iter().collect()
            }
            WantedState::Present {
                service_pack,
                version,
            } => unfit_product(
                condition,
                service_pack.unwrap_or_default(),
                version.as_ref(),
                snapshot,
            ),
        },
        BoundSubject::Item { name, id } => {
            let Some(id) = *id else {
                let site = snapshot.description.name.clone();
                let name = name.clone();
                let is_fault = matches!(condition.wanted, WantedState::Present { .. });
                let fault = is_fault.then(|| Reason::from(&Fault::UnlistedItem { site, name }));
                return fault.into_iter().collect();
            };
            let instances: Vec<Instance> = online_instances(id, &snapshot.description).collect();
            if let (true, WantedState::Present { .. }) = (instances.is_empty(), &condition.wanted) {
                return vec![nothing_to_check(name)];
            }
            let failures = instances.into_iter().filter_map(|instance| {
                let shown = snapshot.description.shown(instance);
                unfit_instance(
                    &condition.wanted,
                    &shown,
                    installed_version(instance, snapshot),
                )
            });
            failures.collect()
        }
    }
}

/// Returns the one reason for alternatives of which none holds.
fn no_alternative(
    line: u32,
    alternatives: &[BoundSiteCondition],
    snapshot: &Snapshot,
) -> Option<Reason> {
    let failed: Vec<Vec<Reason>> = alternatives
        .iter()
        .map(|alternative| failures(alternative, snapshot))
        .collect();
    if failed.iter().any(Vec::is_empty) {
        return None;
    }
    let mut texts = Vec::new();
    let mut helps: Vec<&str> = Vec::new();
    for reasons in &failed {
        let messages: Vec<&str> = reasons.iter().map(|one| one.message.as_str()).collect();
        texts.push(messages.join(", and "));
        for help in reasons.iter().filter_map(|one| one.help.as_deref()) {
            if !helps.contains(&help) {
                helps.push(help);
            }
        }
    }
    // The rollup applies as long as one of the alternatives can be reached.
    let kinds = failed.iter().flatten().map(|reason| reason.kind);
    let kind = kinds.max().unwrap_or(ReasonKind::NotReady);
    let message = format!(
        "no alternative of the prerequisite on line {line} holds: {}",
        texts.join("; ")
    );
    let reason = Reason::new(kind, message);
    Some(match helps.is_empty() {
        true => reason,
        false => reason.help(format!("one is enough: {}", helps.join("; or "))),
    })
}

/// Returns the servers on which a product is checked: those of the role, or those that have it.
fn servers_to_check(condition: &BoundSiteCondition) -> Vec<ServerId> {
    match &condition.subject {
        BoundSubject::Product { on: Some(on), .. } => on.servers.clone(),
        BoundSubject::Product { installed, .. } => installed.keys().copied().collect(),
        BoundSubject::Item { .. } => Vec::new(),
    }
}

/// Returns the servers to check that have the product.
fn servers_with_product(condition: &BoundSiteCondition) -> Vec<ServerId> {
    let mut servers = servers_to_check(condition);
    servers.retain(|server| product_on(condition, *server).is_some());
    servers
}

fn product_on(condition: &BoundSiteCondition, server: ServerId) -> Option<&InstalledProduct> {
    match &condition.subject {
        BoundSubject::Product { installed, .. } => installed.get(&server),
        BoundSubject::Item { .. } => None,
    }
}

fn present_product(name: &str, servers: &[ServerId], site: &Description) -> Option<Reason> {
    let names = servers.iter().map(|server| site[*server].name.as_str());
    let names: Vec<&str> = names.collect();
    let have = match names[..] {
        [] => return None,
        [_] => "has",
        _ => "have",
    };
    let message = format!(
        "`{name}` must be absent, but {} {have} it",
        names.join(", ")
    );
    let help = "remove it there, then remove its entry in `products` of `deployment.toml`";
    Some(Reason::new(ReasonKind::NotReady, message).help(help))
}

fn unfit_product(
    condition: &BoundSiteCondition,
    packs: ServicePacks,
    version: Option<&WantedVersion>,
    snapshot: &Snapshot,
) -> Vec<Reason> {
    let BoundSubject::Product {
        name, installed, ..
    } = &condition.subject
    else {
        return Vec::new();
    };
    if installed.is_empty() {
        let product = name.clone();
        return vec![Reason::from(&Fault::NoProduct { product })];
    }
    let servers = servers_to_check(condition);
    if servers.is_empty() {
        return vec![nothing_to_check(name)];
    }
    let mut reasons = Vec::new();
    let mut not_ready = |message: String, help: &str| {
        reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
    };
    for server in servers {
        let server_name = &snapshot.description[server].name;
        let there = format!("`{name}` on {server_name}");
        let Some(product) = installed.get(&server) else {
            let message = format!("`{name}` is required on {server_name}, which does not have it");
            not_ready(message, UPDATE_SERVER);
            continue;
        };
        if !packs.contain(product.service_pack) {
            let found = found_service_pack(product.service_pack);
            let message = format!("{there} has {found}, but {packs} is required");
            not_ready(message, UPDATE_SERVER);
        }
        match (version, &product.version) {
            (Some(wanted), Some(found)) if !wanted.accepts(found) => {
                let message = format!("{there} has version {found}, but {wanted} is required");
                not_ready(message, UPDATE_SERVER);
            }
            (Some(wanted), None) => {
                let message = format!(
                    "`deployment.toml` names no version of {there}, but {wanted} is required"
                );
                not_ready(
                    message,
                    "add `version` to its entry in `products` of `deployment.toml`",
                );
            }
            _ => {}
        }
    }
    reasons
}

/// Returns the reason why something that is required cannot be checked.
fn nothing_to_check(name: &str) -> Reason {
    let message = format!("`{name}` is required, but no server on which to check it is online");
    let help = "check it when a server of the role is online: see `offline` in `deployment.toml`";
    Reason::new(ReasonKind::NotReady, message).help(help)
}

fn found_service_pack(pack: u32) -> String {
    match pack {
        0 => "no service pack".to_owned(),
        pack => format!("service pack {pack}"),
    }
}

/// Returns the reason why an instance is not as a prerequisite wants it; `found` is the version if
/// it is installed.
fn unfit_instance(wanted: &WantedState, shown: &str, found: Option<String>) -> Option<Reason> {
    let (message, help) = match (wanted, found) {
        (WantedState::Absent { .. }, None) => return None,
        (WantedState::Absent { .. }, Some(_)) => (
            format!("`{shown}` must be absent, but it is installed"),
            "first apply a rollup that uninstalls it",
        ),
        (WantedState::Present { .. }, None) => (
            format!("`{shown}` is required, but not installed"),
            "first apply a rollup that installs it",
        ),
        (WantedState::Present { version, .. }, Some(found)) => {
            let wanted = version.as_ref().filter(|wanted| !wanted.accepts(&found))?;
            (
                format!("`{shown}` has version {found}, but {wanted} is required"),
                "first apply a rollup that installs such a version",
            )
        }
    };
    Some(Reason::new(ReasonKind::NotReady, message).help(help))
}

fn online_instances(item: ItemId, site: &Description) -> impl Iterator<Item = Instance> {
    let instances = site.instances(item).into_iter();
    instances.filter(|instance| site.is_online(*instance))
}

/// Returns the version of an instance, if it is installed.
fn installed_version(instance: Instance, snapshot: &Snapshot) -> Option<String> {
    if !snapshot.is_installed(instance) {
        return None;
    }
    let record = snapshot.item(instance)?;
    let version = record.installed.as_ref();
    let version = version.and_then(|installed| installed.version.as_ref());
    Some(version.map_or_else(String::new, ToString::to_string))
}

/// Describes a condition in words.
fn describe(condition: &BoundSiteCondition) -> String {
    let is_item = matches!(condition.subject, BoundSubject::Item { .. });
    let (BoundSubject::Product { name, .. } | BoundSubject::Item { name, .. }) = &condition.subject;
    let (packs, version) = match &condition.wanted {
        WantedState::Absent { .. } => return format!("{name} is absent"),
        WantedState::Present {
            service_pack,
            version,
        } => (service_pack.unwrap_or_default(), version),
    };
    let mut text = name.clone();
    if !packs.are_all() {
        text += &format!(", {packs}");
    }
    if let Some(version) = version {
        text += &format!(", {version}");
    }
    if is_item {
        text += " is installed";
    }
    text
}

/// Describes what fulfils a condition: each server or instance.
fn found(condition: &BoundSiteCondition, snapshot: &Snapshot) -> Vec<String> {
    let site = &snapshot.description;
    let version = match &condition.wanted {
        WantedState::Present { version, .. } => version.as_ref(),
        WantedState::Absent { .. } => {
            return vec![match &condition.subject {
                BoundSubject::Product { on: Some(on), .. } => {
                    format!("no server of {} has it", site[on.role].name)
                }
                BoundSubject::Product { .. } => "no server has it".to_owned(),
                BoundSubject::Item { .. } => "not installed".to_owned(),
            }];
        }
    };
    if let BoundSubject::Item { id: Some(id), .. } = &condition.subject {
        let instances = online_instances(*id, site).map(|instance| {
            let found = version.and(installed_version(instance, snapshot));
            with_details(
                site.shown(instance),
                found.map(|found| format!("version {found}")),
            )
        });
        return instances.collect();
    }
    let servers = servers_to_check(condition).into_iter().map(|server| {
        let product = product_on(condition, server);
        let pack = product.map(|product| product.service_pack);
        let pack = pack.filter(|pack| *pack > 0).map(found_service_pack);
        let found = product.and_then(|product| product.version.as_ref());
        let found = version.and(found).map(|found| format!("version {found}"));
        with_details(site[server].name.to_string(), pack.into_iter().chain(found))
    });
    servers.collect()
}

fn with_details(name: String, details: impl IntoIterator<Item = String>) -> String {
    let details: Vec<String> = details.into_iter().collect();
    match details.is_empty() {
        true => name,
        false => format!("{name} ({})", details.join(", ")),
    }
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
