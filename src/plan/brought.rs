//! Everything that a run brings, which the record of its rollup states.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::Planner;
use super::refusal::{Reason, ReasonKind};
use super::resolve::roles_of_steps;
use crate::deployment::applied::{AppliedRecord, Brought};
use crate::deployment::description::{Description, Instance, ItemKind, RoleId, ServerId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::manifest::Manifest;
use crate::names::{Digest, FileName, RelPath};

/// Everything that the steps so far bring, done by them or found as it is wanted.
#[derive(Default)]
pub(super) struct BroughtPlaces {
    /// Items and procedures; their states at the end of the run count.
    pub(super) instances: BTreeSet<Instance>,
    pub(super) share: BTreeMap<FileName, Digest>,
    programs: OnRole<String>,
    files: OnRole<RelPath>,
    services: OnRole<String>,
}

/// States by role and name, with the servers on which they are.
type OnRole<N> = BTreeMap<RoleId, BTreeMap<N, (Brought, BTreeSet<ServerId>)>>;

impl BroughtPlaces {
    pub(super) fn program(
        &mut self,
        (role, server): (RoleId, ServerId),
        name: &str,
        record: &ItemRecord,
    ) {
        add(
            &mut self.programs,
            (role, server),
            name.to_owned(),
            installed(record),
        );
    }

    pub(super) fn file(&mut self, at: (RoleId, ServerId), path: RelPath, sha256: Digest) {
        add(&mut self.files, at, path, copied(sha256));
    }

    pub(super) fn service(
        &mut self,
        at: (RoleId, ServerId),
        name: &FileName,
        record: ServiceRecord,
    ) {
        let brought = Brought {
            running: Some(record.running),
            enabled: Some(record.enabled),
            ..Brought::default()
        };
        add(&mut self.services, at, name.to_string(), brought);
    }
}

fn add<N: Ord>(places: &mut OnRole<N>, at: (RoleId, ServerId), name: N, brought: Brought) {
    let (state, servers) = places.entry(at.0).or_default().entry(name).or_default();
    *state = brought;
    servers.insert(at.1);
}

fn installed(record: &ItemRecord) -> Brought {
    let installed = record.installed.as_ref();
    Brought {
        version: installed.map(|installed| installed.version.clone()),
        sha256: installed.map(|installed| installed.installer.sha256),
        removed: installed.is_none(),
        ..Brought::default()
    }
}

fn copied(sha256: Digest) -> Brought {
    Brought {
        sha256: Some(sha256),
        ..Brought::default()
    }
}

impl Planner<'_> {
    /// Returns the record of the rollup after the run. A run that catches up adds to the one that
    /// is there, and is refused if it would change what that one states.
    pub(super) fn applied_record(&mut self) -> AppliedRecord {
        let kb = self.manifest.rollup.kb;
        let site = &self.snapshot.description;
        let before = self.snapshot.applied.record(kb);
        let before = before.map(|before| in_spelling_of(site, before.clone()));
        let added: Vec<(ServerId, RoleId)> = match &self.catch_up {
            Some(catch_up) => catch_up.uncovered().collect(),
            None => {
                let roles = roles_of_steps(self.manifest, site).into_iter();
                let online = |role| site.online_servers(role).map(move |server| (server, role));
                roles.flat_map(online).collect()
            }
        };
        let mut record = match (&self.catch_up, &before) {
            (Some(_), Some(before)) => before.clone(),
            _ => {
                let mut record = recorded(self.manifest, AppliedRecord::new(kb));
                for role in roles_of_steps(self.manifest, site) {
                    record
                        .servers
                        .entry(site.roles[role.0].name.clone())
                        .or_default();
                }
                record
            }
        };
        each_on_role(&mut record, site, |covered, brought| {
            brought.servers.get_or_insert_with(|| covered.clone());
        });
        for (server, role) in added {
            let covered = record.servers.entry(site.roles[role.0].name.clone());
            covered
                .or_default()
                .insert(site.servers[server.0].name.clone());
        }
        self.add_items(&mut record);
        for (name, sha256) in &self.brought.share {
            record.share.insert(name.clone(), copied(*sha256));
        }
        merge(&mut record.programs, &self.brought.programs, site);
        merge(&mut record.files, &self.brought.files, site);
        merge(&mut record.services, &self.brought.services, site);
        each_on_role(&mut record, site, |covered, brought| {
            brought.servers.take_if(|servers| servers == covered);
        });
        if let (Some(_), Some(before)) = (&self.catch_up, &before) {
            let changed = changed_states(before, &record);
            self.reasons.extend(changed.into_iter().map(|name| {
                let message =
                    format!("`{name}` would be another one than the one that {kb} brought");
                let help = "restore the file that was applied; or `--reapply` does all steps again";
                Reason::new(ReasonKind::Mismatch, message).help(help)
            }));
        }
        record
    }

    fn add_items(&self, record: &mut AppliedRecord) {
        let site = &self.snapshot.description;
        for &instance in &self.brought.instances {
            let item = &site.items[instance.item.0];
            let brought = match item.kind {
                ItemKind::Procedure { .. } => Brought {
                    procedure: true,
                    ..Brought::default()
                },
                ItemKind::Component { .. } => match self.item_now(instance) {
                    Some(record) if record.state.is_installed() => installed(record),
                    _ => Brought {
                        removed: true,
                        ..Brought::default()
                    },
                },
            };
            let entry = record
                .items
                .entry(item.name.to_string())
                .or_insert_with(|| Brought {
                    servers: instance.server.map(|_| BTreeSet::new()),
                    ..brought.clone()
                });
            // On some servers an item may be removed and on others installed; the record states
            // where it is installed.
            if entry.removed != brought.removed {
                if brought.removed {
                    continue;
                }
                entry.servers = entry.servers.take().map(|_| BTreeSet::new());
            }
            let mut servers = entry.servers.take();
            if let (Some(servers), Some(server)) = (&mut servers, instance.server) {
                servers.insert(site.servers[server.0].name.clone());
            }
            *entry = Brought { servers, ..brought };
        }
    }
}

/// Returns a record with what a manifest states: revision, title, meaning and relations.
pub(super) fn recorded(manifest: &Manifest, mut record: AppliedRecord) -> AppliedRecord {
    let rollup = &manifest.rollup;
    record.revision = Some(rollup.revision.clone());
    record.title = Some(rollup.title.clone());
    record.manifest = Some(manifest.meaning());
    record.includes.clone_from(&rollup.includes);
    record.replaces.clone_from(&rollup.replaces);
    record.requires.clone_from(&rollup.requires);
    record
}

/// Returns a record with the names of roles and servers as the description spells them now; a name
/// that it does not have stays.
fn in_spelling_of(site: &Description, mut record: AppliedRecord) -> AppliedRecord {
    let role_name = |name: String| match site.role(&name) {
        Some(role) => site.roles[role.0].name.clone(),
        None => name,
    };
    let server_name = |name: FileName| match site.server(name.as_str()) {
        Some(server) => site.servers[server.0].name.clone(),
        None => name,
    };
    let mut servers: BTreeMap<String, BTreeSet<FileName>> = BTreeMap::new();
    for (role, names) in std::mem::take(&mut record.servers) {
        let of_role = servers.entry(role_name(role)).or_default();
        of_role.extend(names.into_iter().map(server_name));
    }
    fn by_role<N: Ord>(
        places: BTreeMap<String, BTreeMap<N, Brought>>,
        role_name: impl Fn(String) -> String,
    ) -> BTreeMap<String, BTreeMap<N, Brought>> {
        let mut named: BTreeMap<String, BTreeMap<N, Brought>> = BTreeMap::new();
        for (role, places) in places {
            named.entry(role_name(role)).or_default().extend(places);
        }
        named
    }
    record.servers = servers;
    record.programs = by_role(record.programs, role_name);
    record.files = by_role(record.files, role_name);
    record.services = by_role(record.services, role_name);
    each_on_role(&mut record, site, |_, brought| {
        let names = brought.servers.take();
        brought.servers = names.map(|names| names.into_iter().map(server_name).collect());
    });
    record
}

/// Returns the names of everything that is in another state in the second record.
fn changed_states(before: &AppliedRecord, after: &AppliedRecord) -> Vec<String> {
    let is_same = |one: &Brought, other: &Brought| {
        (&one.version, one.sha256, one.removed) == (&other.version, other.sha256, other.removed)
    };
    let mut changed = Vec::new();
    let mut compare = |name: String, one: &Brought, other: Option<&Brought>| {
        if other.is_some_and(|other| !is_same(one, other)) {
            changed.push(name);
        }
    };
    for (name, brought) in &before.items {
        compare(name.clone(), brought, after.items.get(name));
    }
    for (name, brought) in &before.share {
        compare(name.to_string(), brought, after.share.get(name));
    }
    for (role, programs) in &before.programs {
        for (name, brought) in programs {
            let now = after.programs.get(role).and_then(|now| now.get(name));
            compare(name.clone(), brought, now);
        }
    }
    for (role, files) in &before.files {
        for (path, brought) in files {
            let now = after.files.get(role).and_then(|now| now.get(path));
            compare(path.to_string(), brought, now);
        }
    }
    changed
}

fn merge<N: Ord + Clone>(
    recorded: &mut BTreeMap<String, BTreeMap<N, Brought>>,
    brought: &OnRole<N>,
    site: &Description,
) {
    for (role, places) in brought {
        let of_role = recorded.entry(site.roles[role.0].name.clone()).or_default();
        for (name, (brought, on)) in places {
            let entry = of_role.entry(name.clone()).or_default();
            let mut servers = entry.servers.take().unwrap_or_default();
            servers.extend(names(site, on.iter().copied()));
            *entry = Brought {
                servers: Some(servers),
                ..brought.clone()
            };
        }
    }
}

/// Handles every entry of a record that is on the servers of a role, with the servers that the
/// record covers.
fn each_on_role(
    record: &mut AppliedRecord,
    site: &Description,
    mut handle: impl FnMut(&BTreeSet<FileName>, &mut Brought),
) {
    let AppliedRecord {
        servers,
        items,
        programs,
        files,
        services,
        ..
    } = record;
    let none = BTreeSet::new();
    let covered = |role: &str| servers.get(role).unwrap_or(&none);
    for (name, brought) in items {
        if let Some(role) = site.item(name).and_then(|item| site.items[item.0].on) {
            handle(covered(&site.roles[role.0].name), brought);
        }
    }
    for (role, places) in programs.iter_mut().chain(services) {
        places
            .values_mut()
            .for_each(|brought| handle(covered(role), brought));
    }
    for (role, places) in files {
        places
            .values_mut()
            .for_each(|brought| handle(covered(role), brought));
    }
}

fn names(
    site: &Description,
    servers: impl Iterator<Item = ServerId>,
) -> impl Iterator<Item = FileName> {
    servers.map(|server| site.servers[server.0].name.clone())
}
