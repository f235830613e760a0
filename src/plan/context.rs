//! Facts for readers of a plan, beyond its operations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::planner::Planner;
use crate::deployment::description::{Description, GroupId, Instance, ItemKind, ServerId};
use crate::deployment::records::State;
use crate::deployment::snapshot::Snapshot;
use crate::manifest::{Action, Condition, Manifest, PayloadFile};
use crate::names::{CaseFolded, Digest, FileName, RelPath, Version};

/// Facts that only people need. The executor does not use them, and the plan's digest does not
/// cover them, so that a change elsewhere in the console does not make a plan stale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Context {
    /// Product that the rollup is for, with the supported versions.
    pub product: Option<String>,
    /// Problems that the rollup fixes.
    pub fixes: Vec<String>,
    /// Notes for the operator.
    pub notes: Vec<String>,
    /// Descriptions of what lags and this run does not catch up with.
    pub lagging: Vec<String>,
    /// Servers, with their roles.
    pub servers: Vec<ConsoleServer>,
    /// Prerequisites that were checked and are met.
    pub checked: Vec<CheckedPrerequisite>,
    /// Documented files of the payload, used or not.
    pub file_table: Vec<FileTableRow>,
    /// Groups of the console in its order, each before those below it, with all their members.
    pub console: Vec<ConsoleGroup>,
}

/// Server of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleServer {
    /// Name of the server.
    pub name: String,
    /// Roles of the server.
    pub roles: Vec<String>,
    /// Platform of the server, such as `x64`.
    pub platform: String,
}

/// Prerequisite that is met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedPrerequisite {
    /// Condition, in words.
    pub condition: String,
    /// Findings, in words: one for every server or instance.
    pub found: Vec<String>,
}

/// Row of the file table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileTableRow {
    /// Name in the table's spelling.
    pub name: FileName,
    /// Size in bytes.
    pub size: Option<u64>,
    /// Time of the last change, UTC, to the minute: `2008-03-31 18:32`.
    pub modified: Option<String>,
    /// Platform of the file, such as `x86`.
    pub platform: Option<String>,
    /// Version of the file.
    pub version: Option<String>,
    /// Pinned SHA-256.
    pub sha256: Option<Digest>,
    /// Ids of the steps that deploy it.
    pub steps: Vec<String>,
    /// Reason why no step deploys it, as given by the author.
    pub unused: Option<String>,
}

/// Group of the console, with its direct members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleGroup {
    /// Path of the group in the console.
    pub path: RelPath,
    /// Direct members, in the console's order.
    pub items: Vec<ConsoleItem>,
}

/// Component or procedure of the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleItem {
    /// Name of the item.
    pub name: String,
    /// True if it is a procedure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub procedure: bool,
    /// Its only instance, or one on each server of its role.
    pub instances: Vec<ConsoleInstance>,
}

/// State of an instance when the plan is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConsoleInstance {
    /// Server, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Directory of the instance below the deployment; operations name it as `at`.
    pub at: RelPath,
    /// State in its record.
    pub state: State,
    /// Product version, if anything is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

impl Context {
    /// Returns the facts that are known without a manifest.
    pub(super) fn of_site(snapshot: &Snapshot) -> Self {
        let site = &snapshot.description;
        let top = (0..site.groups.len()).filter(|&at| site.groups[at].path.parent().is_none());
        let mut console = Vec::new();
        top.for_each(|at| groups(snapshot, GroupId(at), &mut console));
        Self {
            servers: servers(site),
            console,
            ..Self::default()
        }
    }
}

impl Planner<'_> {
    /// Returns all facts for readers of this plan.
    pub(super) fn context(&self) -> Context {
        let rollup = &self.manifest.rollup;
        let product = format!("{} {}", rollup.product, rollup.product_versions.join(", "));
        Context {
            product: Some(product.trim_end().to_owned()),
            fixes: rollup.fixes.clone(),
            notes: rollup.notes.clone(),
            checked: self.checked(),
            file_table: file_table(self.manifest),
            ..Context::of_site(self.snapshot)
        }
    }

    /// Returns the prerequisites that were checked; valid only if all of them are met.
    fn checked(&self) -> Vec<CheckedPrerequisite> {
        let site = &self.snapshot.description;
        let conditions = self
            .manifest
            .prerequisites
            .iter()
            .map(|prerequisite| &prerequisite.condition);
        let checked = conditions.filter_map(|condition| match condition {
            Condition::Product {
                product,
                service_pack,
                on,
            } => {
                let found = self.service_packs(product);
                let servers: Vec<ServerId> = match on.as_ref().and_then(|role| site.role(role)) {
                    Some(role) => site.roles[role.0].servers.clone(),
                    None => found.keys().copied().collect(),
                };
                let describe = |server: &ServerId| {
                    let name = &site.servers[server.0].name;
                    match found.get(server) {
                        None | Some(0) => name.to_string(),
                        Some(pack) => format!("{name} (service pack {pack})"),
                    }
                };
                let condition = match service_pack {
                    0 => product.clone(),
                    pack => format!("{product}, at least service pack {pack}"),
                };
                Some(CheckedPrerequisite {
                    condition,
                    found: servers.iter().map(describe).collect(),
                })
            }
            Condition::Item { item } => {
                let found = site
                    .instances(site.item(item)?)
                    .into_iter()
                    .map(|instance| site.shown(instance));
                Some(CheckedPrerequisite {
                    condition: format!("{item} is installed"),
                    found: found.collect(),
                })
            }
            Condition::Confirm { .. } => None,
        });
        checked.collect()
    }
}

fn servers(site: &Description) -> Vec<ConsoleServer> {
    let server = |server: &crate::deployment::description::Server| ConsoleServer {
        name: server.name.to_string(),
        roles: server
            .roles
            .iter()
            .map(|role| site.roles[role.0].name.clone())
            .collect(),
        platform: server.platform.clone(),
    };
    site.servers.iter().map(server).collect()
}

fn file_table(manifest: &Manifest) -> Vec<FileTableRow> {
    let mut steps: BTreeMap<CaseFolded, Vec<String>> = BTreeMap::new();
    for step in &manifest.steps {
        if let Action::Copy { files, .. } | Action::Run { files, .. } = &step.action {
            for file in files {
                let users = steps.entry(CaseFolded::of(&file.name)).or_default();
                users.push(step.id.clone());
            }
        }
    }
    let row = |row: &PayloadFile| FileTableRow {
        name: row.name.clone(),
        size: row.size,
        modified: row.modified.and_then(minute),
        platform: row.platform.clone(),
        version: row.version.clone(),
        sha256: row.sha256,
        steps: steps.remove(&row.name.case_folded()).unwrap_or_default(),
        unused: row.unused.clone(),
    };
    manifest.files.iter().map(row).collect()
}

fn minute(seconds: i64) -> Option<String> {
    Some(
        jiff::Timestamp::from_second(seconds)
            .ok()?
            .strftime("%Y-%m-%d %H:%M")
            .to_string(),
    )
}

fn groups(snapshot: &Snapshot, id: GroupId, console: &mut Vec<ConsoleGroup>) {
    let site = &snapshot.description;
    let group = &site.groups[id.0];
    let console_instance = |instance: Instance| {
        let item = snapshot.item(instance);
        let procedure = snapshot.procedure(instance).map(|record| record.state);
        ConsoleInstance {
            server: instance
                .server
                .map(|server| site.servers[server.0].name.to_string()),
            at: site.directory(instance),
            state: item
                .map(|record| record.state)
                .or(procedure)
                .unwrap_or(State::NotInstalled),
            version: item
                .and_then(|record| record.installed.as_ref())
                .map(|installed| installed.version.clone()),
        }
    };
    let items = group.items.iter().map(|&id| {
        let item = &site.items[id.0];
        ConsoleItem {
            name: item.name.to_string(),
            procedure: matches!(item.kind, ItemKind::Procedure { .. }),
            instances: site
                .instances(id)
                .into_iter()
                .map(console_instance)
                .collect(),
        }
    });
    console.push(ConsoleGroup {
        path: group.path.clone(),
        items: items.collect(),
    });
    group
        .groups
        .iter()
        .for_each(|&below| groups(snapshot, below, console));
}
