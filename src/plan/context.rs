//! Rest of the console, beyond the targets of a plan's operations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::description::{Description, GroupId, Instance};
use crate::deployment::records::State;
use crate::deployment::snapshot::Snapshot;
use crate::names::{RelPath, Version};

/// State of the console for readers of a plan. The executor does not use it, and the plan's digest
/// does not cover it, so that a change elsewhere in the console does not make a plan stale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// Descriptions of what lags and this run does not catch up with.
    pub lagging: Vec<String>,
    /// Servers, with their roles.
    pub servers: Vec<ConsoleServer>,
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
    /// Returns the console of a deployment.
    pub(super) fn of_site(snapshot: &Snapshot) -> Self {
        let site = &snapshot.description;
        let top = (0..site.groups.len()).filter(|&at| site.groups[at].path.parent().is_none());
        let mut console = Vec::new();
        top.for_each(|at| groups(snapshot, GroupId(at), &mut console));
        Self {
            lagging: Vec::new(),
            servers: servers(site),
            console,
        }
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
                .and_then(|installed| installed.version.clone()),
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
