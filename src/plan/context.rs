//! Facts for readers of a plan, beyond what it does.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::planner::Planner;
use crate::deployment::description::{Description, GroupId, Instance, ItemKind, ServerId};
use crate::deployment::records::State;
use crate::deployment::snapshot::Snapshot;
use crate::manifest::{Action, Condition, CopyFiles, Manifest, PayloadFile};
use crate::names::{CaseFolded, Digest, FileName, RelPath, Version};

/// What only people need: the executor never looks at it, and the plan's digest does not cover it,
/// so that a change elsewhere in the console makes no plan stale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Context {
    /// The product that the rollup is for, with the versions that will do.
    pub product: Option<String>,
    /// What the rollup mends.
    pub fixes: Vec<String>,
    /// What the operator should know.
    pub notes: Vec<String>,
    /// The servers, with their roles.
    pub servers: Vec<Server>,
    /// The prerequisites that were checked, and hold.
    pub checked: Vec<Checked>,
    /// The documented files of the payload, used or not.
    pub file_table: Vec<Documented>,
    /// The groups of the console in its order, each before those below it, with all that they hold.
    pub console: Vec<Group>,
}

/// A server of the deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Server {
    /// Its name.
    pub name: String,
    /// The roles that it holds.
    pub roles: Vec<String>,
    /// Such as `x64`.
    pub platform: String,
}

/// A prerequisite that holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// What was asked, in words.
    pub what: String,
    /// What was found, in words; one for every place.
    pub found: Vec<String>,
}

/// A row of the file table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Documented {
    /// The name in the table's spelling.
    pub name: FileName,
    /// In bytes.
    pub size: Option<u64>,
    /// The last change, UTC, to the minute: `2008-03-31 18:32`.
    pub modified: Option<String>,
    /// Such as `x86`.
    pub platform: Option<String>,
    /// The file's version.
    pub version: Option<String>,
    /// The pinned SHA-256.
    pub sha256: Option<Digest>,
    /// The ids of the steps that deploy it.
    pub steps: Vec<String>,
    /// Why none does, in the author's words.
    pub unused: Option<String>,
}

/// A node of the console, with its direct members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Group {
    /// Its path in the console.
    pub path: RelPath,
    /// Its direct members, in the console's order.
    pub items: Vec<Item>,
}

/// A component or a procedure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// Whether it is a procedure.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub procedure: bool,
    /// Its one instance, or one on each server of its role.
    pub instances: Vec<Installation>,
}

/// How an instance stands when the plan is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Installation {
    /// The server, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Its directory below the deployment; operations name it as `at`.
    pub at: RelPath,
    /// Its state.
    pub state: State,
    /// The product version, where something is installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
}

impl Context {
    /// Returns what is known without a manifest.
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
    /// Returns everything for readers of this plan.
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

    /// Returns the prerequisites as checked; valid only if none of them is refused.
    fn checked(&self) -> Vec<Checked> {
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
                let asked: Vec<ServerId> = match on.as_ref().and_then(|role| site.role(role)) {
                    Some(role) => site.roles[role.0].servers.clone(),
                    None => found.keys().copied().collect(),
                };
                let told = |server: &ServerId| {
                    let name = &site.servers[server.0].name;
                    match found.get(server) {
                        None | Some(0) => name.to_string(),
                        Some(pack) => format!("{name} (service pack {pack})"),
                    }
                };
                let what = match service_pack {
                    0 => product.clone(),
                    pack => format!("{product}, at least service pack {pack}"),
                };
                Some(Checked {
                    what,
                    found: asked.iter().map(told).collect(),
                })
            }
            Condition::Item { item } => {
                let found = site
                    .instances(site.item(item)?)
                    .into_iter()
                    .map(|instance| site.shown(instance));
                Some(Checked {
                    what: format!("{item} is installed"),
                    found: found.collect(),
                })
            }
            Condition::Confirm { .. } => None,
        });
        checked.collect()
    }
}

fn servers(site: &Description) -> Vec<Server> {
    let server = |server: &crate::deployment::description::Server| Server {
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

fn file_table(manifest: &Manifest) -> Vec<Documented> {
    let mut steps: BTreeMap<CaseFolded, Vec<String>> = BTreeMap::new();
    for step in &manifest.steps {
        let files: Vec<CaseFolded> = match &step.action {
            Action::Copy {
                files: CopyFiles::Named(listed),
                ..
            }
            | Action::Run { files: listed, .. } => listed
                .iter()
                .map(|listed| CaseFolded::of(&listed.name))
                .collect(),
            Action::Copy {
                files: CopyFiles::Others { names, .. },
                ..
            } => names.iter().map(FileName::case_folded).collect(),
            _ => Vec::new(),
        };
        files
            .into_iter()
            .for_each(|file| steps.entry(file).or_default().push(step.id.clone()));
    }
    let row = |row: &PayloadFile| Documented {
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

fn groups(snapshot: &Snapshot, id: GroupId, console: &mut Vec<Group>) {
    let site = &snapshot.description;
    let group = &site.groups[id.0];
    let stands = |instance: Instance| {
        let item = snapshot.item(instance);
        let procedure = snapshot.procedure(instance).map(|record| record.state);
        Installation {
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
        Item {
            name: item.name.to_string(),
            procedure: matches!(item.kind, ItemKind::Procedure { .. }),
            instances: site.instances(id).into_iter().map(stands).collect(),
        }
    });
    console.push(Group {
        path: group.path.clone(),
        items: items.collect(),
    });
    group
        .groups
        .iter()
        .for_each(|&below| groups(snapshot, below, console));
}
