//! Everything that a run brings, which the record of its rollup states.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::Planner;
use crate::deployment::applied::{AppliedRecord, Brought};
use crate::deployment::description::{Description, Instance, ItemKind, RoleId, ServerId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::manifest::Manifest;
use crate::names::{Digest, FileName, RelPath};

/// Everything that the steps so far bring, done by them or found as it is wanted.
#[derive(Default)]
pub(super) struct BroughtPlaces {
    /// Roles of the steps.
    pub(super) roles: BTreeSet<RoleId>,
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
    /// is there.
    pub(super) fn applied_record(&self) -> AppliedRecord {
        let kb = self.manifest.rollup.kb;
        let site = &self.snapshot.description;
        let before = self.snapshot.applied.record(kb);
        let mut record = match (&self.catch_up, before) {
            (Some(_), Some(before)) => before.clone(),
            _ => recorded(self.manifest, AppliedRecord::new(kb)),
        };
        each_on_role(&mut record, site, |covered, brought| {
            brought.servers.get_or_insert_with(|| covered.clone());
        });
        let recorded = record.servers.keys().filter_map(|name| site.role(name));
        let roles: BTreeSet<RoleId> = recorded.chain(self.brought.roles.iter().copied()).collect();
        for role in roles {
            let covered = record
                .servers
                .entry(site.roles[role.0].name.clone())
                .or_default();
            covered.extend(names(site, site.online_servers(role)));
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
    record.manifest = Some(manifest.meaning);
    record.includes.clone_from(&rollup.includes);
    record.replaces.clone_from(&rollup.replaces);
    record.requires.clone_from(&rollup.requires);
    record
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
