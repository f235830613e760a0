//! Facts for readers of a plan, beyond its operations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::prerequisites::servers_to_check;
use crate::deployment::description::{Description, GroupId, Instance, ServerId};
use crate::deployment::records::State;
use crate::deployment::snapshot::Snapshot;
use crate::manifest::{Action, BoundCondition, BoundManifest, PayloadFile, RowId};
use crate::names::{Digest, FileName, RelPath, Version};

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

impl Context {
    /// Returns all facts for readers of a plan of this manifest.
    pub(super) fn of_rollup(bound: &BoundManifest, snapshot: &Snapshot) -> Self {
        let rollup = &bound.manifest.rollup;
        let product = format!("{} {}", rollup.product, rollup.product_versions.join(", "));
        let site = &snapshot.description;
        let conditions = bound.prerequisites.iter();
        Self {
            product: Some(product.trim_end().to_owned()),
            fixes: rollup.fixes.clone(),
            notes: rollup.notes.clone(),
            checked: conditions.filter_map(|one| checked(site, one)).collect(),
            file_table: file_table(bound),
            ..Self::of_site(snapshot)
        }
    }
}

/// Returns a prerequisite that was checked and is met.
fn checked(site: &Description, condition: &BoundCondition) -> Option<CheckedPrerequisite> {
    match condition {
        BoundCondition::Product {
            product,
            service_pack,
            installed,
            ..
        } => {
            let describe = |server: ServerId| {
                let name = &site[server].name;
                match installed.get(&server) {
                    None | Some(0) => name.to_string(),
                    Some(pack) => format!("{name} (service pack {pack})"),
                }
            };
            let servers = servers_to_check(condition).into_iter();
            Some(CheckedPrerequisite {
                condition: match service_pack {
                    0 => product.clone(),
                    pack => format!("{product}, at least service pack {pack}"),
                },
                found: servers.map(describe).collect(),
            })
        }
        BoundCondition::Item { name, id } => {
            let instances = site.instances((*id)?).into_iter();
            Some(CheckedPrerequisite {
                condition: format!("{name} is installed"),
                found: instances.map(|instance| site.shown(instance)).collect(),
            })
        }
        BoundCondition::Confirm { .. } => None,
    }
}

fn servers(site: &Description) -> Vec<ConsoleServer> {
    let server = |server: &crate::deployment::description::Server| ConsoleServer {
        name: server.name.to_string(),
        roles: server
            .roles
            .iter()
            .map(|role| site[*role].name.clone())
            .collect(),
        platform: server.platform.clone(),
    };
    site.servers.iter().map(server).collect()
}

fn file_table(bound: &BoundManifest) -> Vec<FileTableRow> {
    let mut steps: BTreeMap<RowId, Vec<String>> = BTreeMap::new();
    for step in &bound.steps {
        if let Action::Copy { files, .. }
        | Action::Run { files, .. }
        | Action::Manual { files, .. } = &step.action
        {
            for file in files {
                steps.entry(file.row).or_default().push(step.id.clone());
            }
        }
    }
    let row = |(at, row): (usize, &PayloadFile)| FileTableRow {
        name: row.name.clone(),
        size: row.size,
        modified: row.modified.and_then(minute),
        platform: row.platform.clone(),
        version: row.version.clone(),
        sha256: row.sha256,
        steps: steps.remove(&RowId(at)).unwrap_or_default(),
        unused: row.unused.clone(),
    };
    bound.manifest.files.iter().enumerate().map(row).collect()
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
    let group = &site[id];
    let console_instance = |instance: Instance| {
        let item = snapshot.item(instance);
        let procedure = snapshot.procedure(instance).map(|record| record.state);
        ConsoleInstance {
            server: instance.server.map(|server| site[server].name.to_string()),
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
        let item = &site[id];
        ConsoleItem {
            name: item.name.to_string(),
            procedure: item.is_procedure(),
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
