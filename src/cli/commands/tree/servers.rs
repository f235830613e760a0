//! Order of `tree --by server`: what each server has, in and outside the console.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::{InstanceRow, print_row, print_state, row, shown_state};
use crate::cli::advice::command_for;
use crate::cli::terminal::out::{self, BOLD, DIM, WARN, styled};
use crate::deployment::description::{Description, ServerId};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::State;
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::{FileKind, Tree};
use crate::names::{CaseFolded, Escaped, RelPath};
use crate::plan::copied_files;

/// Server, with everything on it.
#[derive(Serialize, JsonSchema)]
pub(super) struct ServerTree<'a> {
    name: &'a str,
    roles: Vec<&'a str>,
    platform: &'a str,
    /// True while it is out of reach: steps skip it.
    offline: bool,
    /// Items and procedures that have an instance of their own on the server.
    instances: Vec<InstanceRow<'a>>,
    /// Programs that a step installed, outside the console.
    programs: Vec<ProgramRow>,
    /// Files below `Files`.
    files: Vec<ServerFile>,
    services: Vec<ServiceRow<'a>>,
}

/// Program on a server.
#[derive(Serialize, JsonSchema)]
struct ProgramRow {
    name: String,
    /// Directory below the deployment.
    path: RelPath,
    state: State,
    version: Option<String>,
}

/// File below `Files` of a server.
#[derive(Serialize, JsonSchema)]
struct ServerFile {
    /// Path below the deployment.
    path: RelPath,
    /// True if an applied rollup copied a file there.
    managed: bool,
}

/// Service on a server.
#[derive(Serialize, JsonSchema)]
struct ServiceRow<'a> {
    name: &'a str,
    running: bool,
    enabled: bool,
}

/// Returns every server with everything on it.
pub(super) fn servers<'a>(
    snapshot: &'a Snapshot,
    touched: &BTreeSet<&RelPath>,
) -> Vec<ServerTree<'a>> {
    let site = &snapshot.description;
    let mut rows: Vec<ServerTree<'a>> = Vec::new();
    let instances = site.all_instances();
    let mut instances = by_server(instances.filter_map(|one| Some((one.server?, one))));
    let services = site.all_services().into_iter();
    let mut services = by_server(services.map(|(service, server)| (server, service)));
    let mut programs = by_server(programs(snapshot, touched));
    let copied = copied_files(snapshot);
    for (at, server) in site.servers.iter().enumerate() {
        let id = ServerId(at);
        let own = instances.remove(&id).unwrap_or_default().into_iter();
        let services = services.remove(&id).unwrap_or_default().into_iter();
        rows.push(ServerTree {
            name: server.name.as_str(),
            roles: server
                .roles
                .iter()
                .map(|role| site[*role].name.as_str())
                .collect(),
            platform: &server.platform,
            offline: server.offline,
            instances: own.map(|own| row(snapshot, touched, own)).collect(),
            programs: programs.remove(&id).unwrap_or_default(),
            files: files(snapshot, &copied, id),
            services: services
                .map(|service| {
                    let record = snapshot.service(service, id);
                    ServiceRow {
                        name: site[service].name.as_str(),
                        running: record.running,
                        enabled: record.enabled,
                    }
                })
                .collect(),
        });
    }
    rows
}

fn by_server<T>(all: impl Iterator<Item = (ServerId, T)>) -> BTreeMap<ServerId, Vec<T>> {
    let mut by_server: BTreeMap<ServerId, Vec<T>> = BTreeMap::new();
    for (server, one) in all {
        by_server.entry(server).or_default().push(one);
    }
    by_server
}

/// Returns the programs, each with its server.
fn programs(
    snapshot: &Snapshot,
    touched: &BTreeSet<&RelPath>,
) -> impl Iterator<Item = (ServerId, ProgramRow)> {
    snapshot.programs().filter_map(|(directory, record)| {
        let server = snapshot.description.server(directory.parts().nth(1)?)?;
        let installed = record.installed.as_ref();
        let row = ProgramRow {
            name: directory.name().to_owned(),
            path: directory.clone(),
            state: shown_state(record.state, &ItemDir(directory).record(), touched),
            version: installed.and_then(|installed| Some(installed.version.as_ref()?.to_string())),
        };
        Some((server, row))
    })
}

/// Returns the files on a server; `copied` are the managed ones.
fn files(snapshot: &Snapshot, copied: &BTreeSet<CaseFolded>, server: ServerId) -> Vec<ServerFile> {
    let directory = snapshot.description.files_directory(server);
    let found = snapshot.below(&directory);
    found
        .filter(|found| found.kind != FileKind::Directory)
        .map(|found| ServerFile {
            path: found.path.clone(),
            managed: copied.contains(&found.path.case_folded()),
        })
        .collect()
}

/// Prints every server with everything on it.
pub(super) fn print(site: &Description, servers: &[ServerTree<'_>], tree: &Tree) {
    out::line(styled(BOLD, Escaped(&site.name)));
    for server in servers {
        server.print(site);
    }
    if site.items.iter().any(|item| item.on.is_none()) {
        let command = command_for(tree.path(), "tree");
        out::line(format_args!(
            "  items that the servers share: `{command}` prints them"
        ));
    }
}

impl ServerTree<'_> {
    fn print(&self, site: &Description) {
        let name = styled(BOLD, Escaped(self.name));
        let roles = if self.roles.is_empty() {
            "no role".to_owned()
        } else {
            self.roles.join(", ")
        };
        let offline = if self.offline {
            format!(", {}", styled(WARN, "offline"))
        } else {
            String::new()
        };
        let platform = Escaped(self.platform);
        out::line(format_args!(
            "  {name}: {}, {platform}{offline}",
            Escaped(&roles)
        ));
        for instance in &self.instances {
            instance.print(4, instance.item);
        }
        print_heading("programs", self.programs.is_empty());
        for program in &self.programs {
            print_state(6, &program.name, program.state, program.version.as_deref());
        }
        print_heading("files", self.files.is_empty());
        for file in &self.files {
            file.print(site, self.name);
        }
        print_heading("services", self.services.is_empty());
        for service in &self.services {
            service.print();
        }
    }
}

fn print_heading(heading: &str, is_empty: bool) {
    if !is_empty {
        out::line(format_args!("    {}", styled(DIM, heading)));
    }
}

impl ServerFile {
    fn print(&self, site: &Description, server: &str) {
        let directory = site
            .server(server)
            .map(|server| site.files_directory(server));
        let depth = directory.map_or(0, |directory| directory.parts().count());
        let below: Vec<&str> = self.path.parts().skip(depth).collect();
        let unmanaged = if self.managed {
            String::new()
        } else {
            styled(DIM, "unmanaged")
        };
        print_row(6, &below.join("/"), &unmanaged);
    }
}

impl ServiceRow<'_> {
    fn print(&self) {
        let running = if self.running { "running" } else { "stopped" };
        let enabled = if self.enabled { "enabled" } else { "disabled" };
        print_row(6, self.name, &format!("{running}, {enabled}"));
    }
}
