//! Lag: what an applied rollup brought, and a server or an instance lacks.
//!
//! For each place (an instance, a program, a copied file) only the newest run counts that brought
//! it and is not undone. A server that a rollup in effect did not cover lags as a whole: it is not
//! known what its steps would have done there.

use std::collections::{BTreeMap, BTreeSet};

use super::brought::{OnRole, OnRoleKind, on_roles};
use crate::deployment::applied::{AppliedRecord, Brought};
use crate::deployment::description::{Description, Instance, ItemId, RoleId, ServerId};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{ItemRecord, State};
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::{FileKind, path};
use crate::names::{CaseFolded, FileName, Kb, RelPath, same_name};

/// Everything that lags in a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lagging {
    /// Servers that a rollup in effect did not cover.
    pub servers: Vec<LaggingServer>,
    /// Places that are not as the rollup that counts for them left them, by their path.
    pub places: Vec<LaggingPlace>,
    /// Newest run that brought each place, by its path.
    newest: BTreeMap<CaseFolded, u32>,
    /// Services whose records several rollups brought in different states, by path and rollup.
    services: BTreeMap<CaseFolded, BTreeMap<Kb, ServiceState>>,
}

/// State in which a rollup left a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ServiceState {
    /// Number of the rollup's newest run.
    rank: u32,
    running: Option<bool>,
    enabled: Option<bool>,
}

impl ServiceState {
    fn is_same(self, other: Self) -> bool {
        self.running == other.running && self.enabled == other.enabled
    }
}

/// Server that an applied rollup did not cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaggingServer {
    /// The rollup.
    pub kb: Kb,
    pub server: ServerId,
    /// Role in which it is not covered.
    pub role: RoleId,
    /// Names of the server and of the role, for people.
    pub name: String,
}

/// Instance, program or copied file that is not as the rollup that counts for it left it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaggingPlace {
    /// The rollup.
    pub kb: Kb,
    /// Path of the instance's directory, of the program's, or of the file.
    pub path: RelPath,
    pub server: Option<ServerId>,
    /// Name for people.
    pub target: String,
    /// Predicate of a sentence about the target, such as `is missing`.
    pub why: String,
}

/// Limits of a run that catches up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CatchUp {
    /// Servers that lag as a whole, with the role in which they do.
    servers: BTreeSet<(ServerId, RoleId)>,
    /// Places that lag.
    pub(super) places: Vec<LaggingPlace>,
    /// Places for which a later rollup counts, and services that it left in another state.
    others: BTreeSet<CaseFolded>,
}

impl std::fmt::Display for LaggingServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "server {} lags behind {}, which did not cover it",
            self.name, self.kb
        )
    }
}

impl std::fmt::Display for LaggingPlace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "`{}` lags behind {}: it {}",
            self.target, self.kb, self.why
        )
    }
}

impl Lagging {
    /// Returns whether nothing lags.
    pub fn is_empty(&self) -> bool {
        self.servers.is_empty() && self.places.is_empty()
    }

    /// Describes what lags behind one rollup, or behind any.
    pub fn lines(&self, kb: Option<Kb>) -> Vec<String> {
        let counts = |of: Kb| kb.is_none_or(|kb| kb == of);
        let servers = self.servers.iter().filter(|lagging| counts(lagging.kb));
        let places = self.places.iter().filter(|lagging| counts(lagging.kb));
        let servers = servers.map(ToString::to_string);
        servers.chain(places.map(ToString::to_string)).collect()
    }

    /// Returns the rollups behind which something lags.
    pub fn rollups(&self) -> BTreeSet<Kb> {
        let servers = self.servers.iter().map(|lagging| lagging.kb);
        servers
            .chain(self.places.iter().map(|lagging| lagging.kb))
            .collect()
    }

    /// Returns the limits of a run that catches up with a rollup; `rank` is the number of its newest
    /// run.
    pub(super) fn catch_up(&self, kb: Kb, rank: u32) -> CatchUp {
        let servers = self.servers.iter().filter(|lagging| lagging.kb == kb);
        let places = self.places.iter().filter(|lagging| lagging.kb == kb);
        let others = self.newest.iter().filter(|(_, newest)| **newest > rank);
        let services = self.services.iter().filter(|(_, brought)| {
            let own = brought.get(&kb);
            let differs = |state: &ServiceState| own.is_none_or(|own| !own.is_same(*state));
            brought
                .values()
                .any(|state| state.rank > rank && differs(state))
        });
        CatchUp {
            servers: servers
                .map(|lagging| (lagging.server, lagging.role))
                .collect(),
            places: places.cloned().collect(),
            others: others
                .map(|(path, _)| path)
                .chain(services.map(|(path, _)| path))
                .cloned()
                .collect(),
        }
    }
}

impl CatchUp {
    /// Returns whether the run may touch a place, on a server in a role or without one.
    pub(super) fn covers(&self, path: &RelPath, on: Option<(ServerId, RoleId)>) -> bool {
        self.is_lagging(path) || self.is_uncovered(on) && self.counts_for(path)
    }

    /// Returns whether a place lags by itself.
    pub(super) fn is_lagging(&self, path: &RelPath) -> bool {
        let path = path.case_folded();
        let mut places = self.places.iter();
        places.any(|lagging| lagging.path.case_folded() == path)
    }

    /// Returns the servers that lag as a whole, each with the role in which it does.
    pub(super) fn uncovered(&self) -> impl Iterator<Item = (ServerId, RoleId)> + '_ {
        self.servers.iter().copied()
    }

    /// Returns whether a server lags as a whole in a role.
    pub(super) fn is_uncovered(&self, on: Option<(ServerId, RoleId)>) -> bool {
        on.is_some_and(|on| self.servers.contains(&on))
    }

    /// Returns whether no later rollup counts for a place.
    pub(super) fn counts_for(&self, path: &RelPath) -> bool {
        !self.others.contains(&path.case_folded())
    }

    /// Returns whether service and manual steps in a role apply to a server: the run does something
    /// on it.
    pub(super) fn touches(&self, on: (ServerId, RoleId)) -> bool {
        let mut places = self.places.iter();
        self.servers.contains(&on) || places.any(|lagging| lagging.server == Some(on.0))
    }
}

/// Place as a record states it.
struct RecordedPlace<'a> {
    path: RelPath,
    server: Option<ServerId>,
    target: String,
    kind: PlaceKind,
    brought: &'a Brought,
    /// True if the rollup did not cover the server: what it would have left there is not known.
    is_uncovered: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PlaceKind {
    Instance(Instance),
    Share,
    OnRole(OnRoleKind),
}

/// Finds everything that lags. Servers that are offline do not count.
pub fn lagging(snapshot: &Snapshot) -> Lagging {
    let mut lagging = Lagging::default();
    let mut newest: BTreeMap<CaseFolded, (u32, Vec<(Kb, RecordedPlace<'_>)>)> = BTreeMap::new();
    for record in snapshot.applied.records() {
        let rank = snapshot.past.rank(record.kb);
        let uncovered = uncovered_servers(snapshot, record);
        let site = &snapshot.description;
        lagging
            .servers
            .extend(uncovered.iter().map(|&(server, role)| LaggingServer {
                kb: record.kb,
                server,
                role,
                name: site[server].name.to_string(),
            }));
        let reader = PlaceReader {
            snapshot,
            covered: covered_servers(site, record),
            uncovered: &uncovered,
            with_offline: false,
        };
        for place in reader.places(record) {
            let path = place.path.case_folded();
            if place.kind == PlaceKind::OnRole(OnRoleKind::Service) {
                let state = ServiceState {
                    rank,
                    running: place.brought.running,
                    enabled: place.brought.enabled,
                };
                let states = lagging.services.entry(path).or_default();
                states.insert(record.kb, state);
                continue;
            }
            let entry = newest.entry(path).or_default();
            if rank > entry.0 || entry.1.is_empty() {
                *entry = (rank, Vec::new());
            }
            if rank == entry.0 {
                entry.1.push((record.kb, place));
            }
        }
    }
    for (path, (rank, places)) in newest {
        lagging.newest.insert(path, rank);
        // Without runs it is not known which of two records is the newer one.
        let found: Option<Vec<_>> = places
            .into_iter()
            .map(|(kb, place)| Some((kb, difference(snapshot, &place)?, place)))
            .collect();
        if let Some((kb, why, place)) = found.and_then(|found| found.into_iter().next()) {
            lagging.places.push(LaggingPlace {
                kb,
                path: place.path,
                server: place.server,
                target: place.target,
                why,
            });
        }
    }
    lagging
}

/// Returns the files on servers that an applied rollup copied there and no later one removed. Servers
/// that are offline count.
pub fn copied_files(snapshot: &Snapshot) -> BTreeSet<CaseFolded> {
    let mut newest: BTreeMap<CaseFolded, (u32, bool)> = BTreeMap::new();
    for record in snapshot.applied.records() {
        let rank = snapshot.past.rank(record.kb);
        let reader = PlaceReader {
            snapshot,
            covered: covered_servers(&snapshot.description, record),
            uncovered: &BTreeSet::new(),
            with_offline: true,
        };
        let mut places = Vec::new();
        for place in on_roles(record).filter(|place| place.kind == OnRoleKind::File) {
            reader.add_on_servers(&place, &mut places);
        }
        for place in places {
            let entry = newest.entry(place.path.case_folded()).or_default();
            *entry = (*entry).max((rank, !place.brought.removed));
        }
    }
    let copied = newest.into_iter().filter(|(_, (_, is_there))| *is_there);
    copied.map(|(path, _)| path).collect()
}

/// Returns the online servers of the rollup's roles that its record does not name, each with the
/// role. A replaced rollup has none; for one that is included, the record that includes it counts if
/// it has the role.
fn uncovered_servers(snapshot: &Snapshot, record: &AppliedRecord) -> BTreeSet<(ServerId, RoleId)> {
    let (site, applied) = (&snapshot.description, &snapshot.applied);
    let including: Vec<_> = applied
        .records()
        .filter(|other| applied.included_in(other.kb).contains(&record.kb))
        .map(|other| covered_servers(site, other))
        .collect();
    if including.is_empty() && applied.superseded_by(record.kb).is_some() {
        return BTreeSet::new();
    }
    let mut uncovered = BTreeSet::new();
    for (role, covered) in covered_servers(site, record) {
        if including.iter().any(|other| other.contains_key(&role)) {
            continue;
        }
        let now = site.online_servers(role);
        let missing = now.filter(|server| !covered.contains(server));
        uncovered.extend(missing.map(|server| (server, role)));
    }
    uncovered
}

/// Returns the servers that a record covers, by role. Roles and servers are found by any of their
/// names.
pub(super) fn covered_servers(
    site: &Description,
    record: &AppliedRecord,
) -> BTreeMap<RoleId, BTreeSet<ServerId>> {
    let mut covered: BTreeMap<RoleId, BTreeSet<ServerId>> = BTreeMap::new();
    for (role, names) in &record.servers {
        if let Some(role) = site.role(role) {
            covered
                .entry(role)
                .or_default()
                .extend(servers_named(site, names));
        }
    }
    covered
}

/// Returns the servers with these names that the description has.
fn servers_named(site: &Description, names: &BTreeSet<FileName>) -> BTreeSet<ServerId> {
    let servers = names.iter().filter_map(|name| site.server(name.as_str()));
    servers.collect()
}

/// Reader of the places that a record states, on the servers that still have the role.
struct PlaceReader<'a> {
    snapshot: &'a Snapshot,
    covered: BTreeMap<RoleId, BTreeSet<ServerId>>,
    uncovered: &'a BTreeSet<(ServerId, RoleId)>,
    /// True if servers count that are offline.
    with_offline: bool,
}

impl PlaceReader<'_> {
    fn places<'r>(&self, record: &'r AppliedRecord) -> Vec<RecordedPlace<'r>> {
        let mut places = Vec::new();
        for (name, brought) in &record.items {
            self.add_instances(name, brought, &mut places);
        }
        for (name, brought) in &record.share {
            places.push(RecordedPlace {
                path: self.snapshot.actual(&self.snapshot.share_path(name)),
                server: None,
                target: format!("{}/{name}", self.snapshot.description.share),
                kind: PlaceKind::Share,
                brought,
                is_uncovered: false,
            });
        }
        for place in on_roles(record) {
            self.add_on_servers(&place, &mut places);
        }
        places
    }

    /// Returns the servers of a role on which an entry is in this state, or would be: the latter are
    /// not covered.
    fn servers_of(&self, role: RoleId, brought: &Brought) -> Vec<(ServerId, bool)> {
        let site = &self.snapshot.description;
        let named = match &brought.servers {
            Some(names) => servers_named(site, names),
            None => self.covered.get(&role).cloned().unwrap_or_default(),
        };
        let mut servers = Vec::new();
        for &server in &site[role].servers {
            if site[server].offline && !self.with_offline {
                continue;
            }
            let is_named = named.contains(&server);
            if is_named || self.uncovered.contains(&(server, role)) {
                servers.push((server, !is_named));
            }
        }
        servers
    }

    fn add_instances<'r>(
        &self,
        name: &str,
        brought: &'r Brought,
        places: &mut Vec<RecordedPlace<'r>>,
    ) {
        let site = &self.snapshot.description;
        let Some(item) = site.item(name) else { return };
        let servers = match site[item].on {
            None => vec![(None, false)],
            Some(role) => {
                let servers = self.servers_of(role, brought).into_iter();
                servers.map(|(server, is)| (Some(server), is)).collect()
            }
        };
        for (server, is_uncovered) in servers {
            let instance = Instance { item, server };
            places.push(RecordedPlace {
                path: self.snapshot.actual(&site.directory(instance)),
                server,
                target: site.shown(instance),
                kind: PlaceKind::Instance(instance),
                brought,
                is_uncovered,
            });
        }
    }

    fn add_on_servers<'r>(&self, place: &OnRole<'r>, places: &mut Vec<RecordedPlace<'r>>) {
        let site = &self.snapshot.description;
        let Some(role) = site.role(place.role) else {
            return;
        };
        for (server, is_uncovered) in self.servers_of(role, place.brought) {
            let name = &site[server].name;
            let path = format!("Servers/{name}/{}", place.path());
            let Ok(path) = RelPath::parse(&path) else {
                continue;
            };
            places.push(RecordedPlace {
                path: self.snapshot.actual(&path),
                server: Some(server),
                target: format!("{} on {name}", path.name()),
                kind: PlaceKind::OnRole(place.kind),
                brought: place.brought,
                is_uncovered,
            });
        }
    }
}

/// Returns how a place differs from what was brought there, if it does and that was not accepted.
fn difference(snapshot: &Snapshot, place: &RecordedPlace<'_>) -> Option<String> {
    if place.is_uncovered || snapshot.past.is_accepted_as_gone(&place.path) {
        return None;
    }
    match place.kind {
        PlaceKind::OnRole(OnRoleKind::Service) => None,
        PlaceKind::Share | PlaceKind::OnRole(OnRoleKind::File) => snapshot
            .node(&place.path)
            .is_none()
            .then(|| "is missing".to_owned()),
        PlaceKind::OnRole(OnRoleKind::Program) => {
            item_difference(snapshot.program(&place.path), place.brought)
        }
        PlaceKind::Instance(instance) if place.brought.procedure => {
            let state = snapshot.procedure(instance).map(|record| record.state);
            (!state.is_some_and(State::is_installed)).then(|| "was not run".to_owned())
        }
        PlaceKind::Instance(instance) => item_difference(snapshot.item(instance), place.brought),
    }
}

fn item_difference(record: Option<&ItemRecord>, brought: &Brought) -> Option<String> {
    let installed = record
        .filter(|record| record.state.is_installed())
        .and_then(|record| record.installed.as_ref());
    if record.is_some_and(|record| record.accepted) {
        return None;
    }
    if brought.removed {
        return installed.map(|_| "is installed, and was removed".to_owned());
    }
    let Some(installed) = installed else {
        return Some("is not installed".to_owned());
    };
    if let (Some(installed), Some(version)) = (&installed.version, &brought.version)
        && installed != version
    {
        return Some(format!("has version {installed}, not {version}"));
    }
    let sha256 = brought.sha256?;
    (sha256 != installed.installer.sha256).then(|| match &brought.version {
        Some(version) => format!("was installed from another installer of version {version}"),
        None => "was installed from another file".to_owned(),
    })
}

/// Returns the directories that belong to no instance and no server: those of a server that lost its
/// role or that `deployment.toml` no longer lists, and those with the record of an item that it no
/// longer has there. Sorted; none is below another.
pub fn directories_of_no_instance(snapshot: &Snapshot) -> Vec<RelPath> {
    let site = &snapshot.description;
    let instances: BTreeSet<CaseFolded> = site
        .all_instances()
        .map(|instance| site.directory(instance).case_folded())
        .collect();
    let with_role = (0..site.items.len()).map(ItemId);
    let with_role: BTreeSet<CaseFolded> = with_role
        .filter(|item| site[*item].on.is_some())
        .map(|item| site.item_directory(item).case_folded())
        .collect();
    let servers = path("Servers").case_folded();
    let is_orphan = |directory: &RelPath, holds_record: bool| {
        let Some(parent) = directory.parent() else {
            return false;
        };
        if directory
            .parts()
            .next()
            .is_some_and(|top| same_name(top, servers.as_str()))
        {
            return parent.case_folded() == servers && site.server(directory.name()).is_none();
        }
        let is_beside_instances = with_role.contains(&parent.case_folded());
        (is_beside_instances || holds_record) && !instances.contains(&directory.case_folded())
    };
    let mut orphans: Vec<RelPath> = Vec::new();
    for found in snapshot.entries() {
        let directory = match found.kind {
            FileKind::Directory => is_orphan(&found.path, false).then(|| found.path.clone()),
            FileKind::File if ItemDir::is_record(&found.path) => {
                found.path.parent().filter(|parent| is_orphan(parent, true))
            }
            _ => None,
        };
        orphans.extend(directory);
    }
    orphans.sort();
    orphans.dedup_by(|below, above| below == above || below.below(above).is_some());
    orphans
}
