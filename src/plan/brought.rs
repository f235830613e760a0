//! Everything that a run brings, which the record of its rollup states.

use std::collections::{BTreeMap, BTreeSet};

use super::planner::Inputs;
use super::refusal::{Reason, ReasonKind};
use super::simulated_state::SimulatedState;
use crate::deployment::applied::{AppliedRecord, Brought};
use crate::deployment::description::{Description, Instance, RoleId, ServerId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::manifest::Manifest;
use crate::names::{Digest, FileName, RelPath};

/// Everything that the steps so far bring, done by them or found as it is wanted.
#[derive(Default)]
pub(super) struct BroughtPlaces {
    /// Items and procedures; their states at the end of the run count.
    pub(super) instances: BTreeSet<Instance>,
    share: Vec<(FileName, Digest)>,
    on_roles: Vec<BroughtOnRole>,
}

/// Place that a step brings, done by it or found as it is wanted.
pub(super) enum BroughtPlace {
    Instance(Instance),
    Share(FileName, Digest),
    OnRole(BroughtOnRole),
}

/// Place on a server, which it has for a role.
pub(super) struct BroughtOnRole {
    place: PlaceOnRole,
    role: RoleId,
    server: ServerId,
}

/// Program, copied file or service, as a step leaves it.
pub(super) enum PlaceOnRole {
    Program(String, Brought),
    File(RelPath, Brought),
    Service(String, Brought),
}

impl PlaceOnRole {
    pub(super) fn on(self, role: RoleId, server: ServerId) -> BroughtPlace {
        BroughtPlace::OnRole(BroughtOnRole {
            place: self,
            role,
            server,
        })
    }
}

impl BroughtPlaces {
    /// Adds the places of a step.
    pub(super) fn apply(&mut self, places: Vec<BroughtPlace>, not_brought: &[Instance]) {
        for instance in not_brought {
            self.instances.remove(instance);
        }
        for place in places {
            match place {
                BroughtPlace::Instance(instance) => drop(self.instances.insert(instance)),
                BroughtPlace::Share(name, sha256) => self.share.push((name, sha256)),
                BroughtPlace::OnRole(place) => self.on_roles.push(place),
            }
        }
    }

    /// Adds the places that are not instances to a record; of one place the last state counts.
    fn add_to(&self, record: &mut AppliedRecord, site: &Description) {
        for (name, sha256) in &self.share {
            record.share.insert(name.clone(), copied_file(*sha256));
        }
        for of in &self.on_roles {
            let (role, server) = (&site[of.role].name, &site[of.server].name);
            match &of.place {
                PlaceOnRole::Program(name, state) => {
                    add(&mut record.programs, role, name, state, server);
                }
                PlaceOnRole::File(path, state) => add(&mut record.files, role, path, state, server),
                PlaceOnRole::Service(name, state) => {
                    add(&mut record.services, role, name, state, server);
                }
            }
        }
    }
}

fn add<N: Ord + Clone>(
    roles: &mut BTreeMap<String, BTreeMap<N, Brought>>,
    role: &str,
    name: &N,
    state: &Brought,
    server: &FileName,
) {
    let places = roles.entry(role.to_owned()).or_default();
    let entry = places.entry(name.clone()).or_default();
    let mut servers = entry.servers.take().unwrap_or_default();
    servers.insert(server.clone());
    *entry = Brought {
        servers: Some(servers),
        ..state.clone()
    };
}

/// Returns a file as a step copied it.
pub(super) fn copied_file(sha256: Digest) -> Brought {
    Brought {
        sha256: Some(sha256),
        ..Brought::default()
    }
}

/// Returns a service as its record says.
pub(super) fn brought_service(record: ServiceRecord) -> Brought {
    Brought {
        running: Some(record.running),
        enabled: Some(record.enabled),
        ..Brought::default()
    }
}

/// Returns an item or program, as its record says; without one, or without an installation, it is
/// removed.
pub(super) fn brought_item(record: Option<&ItemRecord>) -> Brought {
    let installed = record.and_then(|record| record.installed.as_ref());
    Brought {
        version: installed.and_then(|installed| installed.version.clone()),
        sha256: installed.map(|installed| installed.installer.sha256),
        removed: installed.is_none(),
        ..Brought::default()
    }
}

/// Returns the record of the rollup after the run. A run that catches up adds to the one that is
/// there.
pub(super) fn applied_record(inputs: &Inputs<'_>, state: &SimulatedState<'_>) -> AppliedRecord {
    let (site, manifest) = (inputs.site(), &inputs.bound.manifest);
    let before = record_before(inputs);
    let (mut record, added) = match (&inputs.catch_up, before) {
        (Some(catch_up), Some(before)) => (before, catch_up.uncovered().collect()),
        _ => new_record(manifest, site, inputs.bound.roles()),
    };
    each_on_role(&mut record, site, |covered, brought| {
        brought.servers.get_or_insert_with(|| covered.clone());
    });
    for (server, role) in added {
        let covered = record.servers.entry(site[role].name.clone());
        covered.or_default().insert(site[server].name.clone());
    }
    for &instance in &state.brought.instances {
        add_item(&mut record, site, state, instance);
    }
    state.brought.add_to(&mut record, site);
    each_on_role(&mut record, site, |covered, brought| {
        brought.servers.take_if(|servers| servers == covered);
    });
    record
}

/// Returns the record of a rollup that is applied for the first time, or again, and the servers that
/// its run covers.
fn new_record(
    manifest: &Manifest,
    site: &Description,
    roles: BTreeSet<RoleId>,
) -> (AppliedRecord, Vec<(ServerId, RoleId)>) {
    let mut record = recorded(manifest, AppliedRecord::new(manifest.rollup.kb));
    let mut added = Vec::new();
    for role in roles {
        record
            .servers
            .insert(site[role].name.clone(), BTreeSet::new());
        added.extend(site.online_servers(role).map(|server| (server, role)));
    }
    (record, added)
}

/// Returns the record of the rollup before the run, in the present spelling of its names.
fn record_before(inputs: &Inputs<'_>) -> Option<AppliedRecord> {
    let kb = inputs.bound.manifest.rollup.kb;
    let record = inputs.snapshot.applied.record(kb)?;
    Some(in_spelling_of(inputs.site(), record.clone()))
}

/// Returns the reasons why a run that catches up would change what the record states.
pub(super) fn changes_of_record(inputs: &Inputs<'_>, record: &AppliedRecord) -> Vec<Reason> {
    let before = record_before(inputs).filter(|_| inputs.catch_up.is_some());
    let Some(before) = before else {
        return Vec::new();
    };
    let reason = |name: String| {
        let kb = record.kb;
        let message = format!("`{name}` would be another one than the one that {kb} brought");
        let help = "restore the file that was applied; or `--reapply` does all steps again";
        Reason::new(ReasonKind::Mismatch, message).help(help)
    };
    let changed = changed_states(&before, record);
    changed.into_iter().map(reason).collect()
}

fn add_item(
    record: &mut AppliedRecord,
    site: &Description,
    state: &SimulatedState<'_>,
    instance: Instance,
) {
    let item = &site[instance.item];
    let brought = if item.is_procedure() {
        Brought {
            procedure: true,
            ..Brought::default()
        }
    } else {
        let record = state.item(instance);
        brought_item(record.filter(|record| record.state.is_installed()))
    };
    let entry = record.items.entry(item.name.to_string());
    let entry = entry.or_insert_with(|| Brought {
        servers: instance.server.map(|_| BTreeSet::new()),
        ..brought.clone()
    });
    // On some servers an item may be removed and on others installed; the record states where it is
    // installed.
    if entry.removed != brought.removed {
        if brought.removed {
            return;
        }
        entry.servers = entry.servers.take().map(|_| BTreeSet::new());
    }
    let mut servers = entry.servers.take();
    if let (Some(servers), Some(server)) = (&mut servers, instance.server) {
        servers.insert(site[server].name.clone());
    }
    *entry = Brought { servers, ..brought };
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
        Some(role) => site[role].name.clone(),
        None => name,
    };
    let server_name = |name: FileName| match site.server(name.as_str()) {
        Some(server) => site[server].name.clone(),
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

/// Entry of a record that is on the servers of a role.
pub(super) struct OnRole<'r> {
    pub(super) role: &'r str,
    pub(super) kind: OnRoleKind,
    name: String,
    pub(super) brought: &'r Brought,
}

/// Kinds of entries that are on the servers of a role.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum OnRoleKind {
    Program,
    File,
    Service,
}

impl OnRole<'_> {
    /// Returns its path below the directory of a server.
    pub(super) fn path(&self) -> String {
        match self.kind {
            OnRoleKind::Program => format!("Programs/{}", self.name),
            OnRoleKind::File => format!("Files/{}", self.name),
            OnRoleKind::Service => format!("Services/{}.toml", self.name),
        }
    }
}

/// Returns the entries of a record that are on the servers of a role.
pub(super) fn on_roles(record: &AppliedRecord) -> impl Iterator<Item = OnRole<'_>> {
    fn of<N: ToString>(
        kind: OnRoleKind,
        roles: &BTreeMap<String, BTreeMap<N, Brought>>,
    ) -> impl Iterator<Item = OnRole<'_>> {
        let entry = move |role, name: &N, brought| OnRole {
            role,
            kind,
            name: name.to_string(),
            brought,
        };
        roles.iter().flat_map(move |(role, places)| {
            let places = places.iter();
            places.map(move |(name, brought)| entry(role.as_str(), name, brought))
        })
    }
    of(OnRoleKind::Program, &record.programs)
        .chain(of(OnRoleKind::File, &record.files))
        .chain(of(OnRoleKind::Service, &record.services))
}

/// Returns the names of everything that is in another state in the second record.
fn changed_states(before: &AppliedRecord, after: &AppliedRecord) -> Vec<String> {
    let after = states(after);
    let mut changed = Vec::new();
    for (place, one) in states(before) {
        let Some(other) = after.get(&place) else {
            continue;
        };
        let is_same = (&one.version, one.sha256, one.removed)
            == (&other.version, other.sha256, other.removed);
        if !is_same {
            changed.push(place.2);
        }
    }
    changed
}

/// Place of a record, in the order of its tables: its kind and role if it is on one, else its table;
/// and its name.
type StatedPlace<'r> = (Option<OnRoleKind>, &'r str, String);

fn states(record: &AppliedRecord) -> BTreeMap<StatedPlace<'_>, &Brought> {
    let items = record.items.iter();
    let items = items.map(|(name, brought)| ((None, "items", name.clone()), brought));
    let share = record.share.iter();
    let share = share.map(|(name, brought)| ((None, "share", name.to_string()), brought));
    let on_roles = on_roles(record).map(|of| ((Some(of.kind), of.role, of.name), of.brought));
    items.chain(share).chain(on_roles).collect()
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
        if let Some(role) = site.item(name).and_then(|item| site[item].on) {
            handle(covered(&site[role].name), brought);
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
