//! Resolution of a manifest's names to the instances, servers and services of a description.

use std::collections::{BTreeMap, BTreeSet};

use super::refusal::{Reason, ReasonKind};
use crate::deployment::applied::AppliedRecord;
use crate::deployment::description::{
    Description, GroupId, Instance, ItemId, ItemKind, RoleId, ServerId, ServiceId,
};
use crate::deployment::snapshot::Interest;
use crate::manifest::{
    Action, CopyTarget, InstallTargets, Listed, Manifest, Selection, Servers, Step,
};
use crate::names::{CaseFolded, RelPath};

/// Instance that a step names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StepTarget {
    pub(super) instance: Instance,
    /// Manifest line that names it or its group.
    pub(super) line: u32,
    /// True if it is named by a group only, not by its own name.
    pub(super) by_group: bool,
}

/// Servers to which a step is limited.
struct ServerFilter<'a> {
    on: Option<BTreeSet<ServerId>>,
    platform: Option<&'a str>,
}

/// Resolver of names; collects a reason for every name that does not exist.
pub(super) struct Resolver<'a> {
    description: &'a Description,
    /// Position of each item in the order of dependencies.
    rank: Vec<usize>,
    pub(super) reasons: Vec<Reason>,
}

impl<'a> Resolver<'a> {
    pub(super) fn new(description: &'a Description) -> Self {
        Self {
            description,
            rank: ranks(description),
            reasons: Vec::new(),
        }
    }

    /// Returns the position of an item in the order of dependencies.
    pub(super) fn rank(&self, item: ItemId) -> usize {
        self.rank[item.0]
    }

    fn unknown(&mut self, step: &Step, kind: &str, name: &str) {
        let message = format!(
            "step `{}` names the {kind} `{name}`, which `deployment.toml` does not list",
            step.id
        );
        let help = "`rollup validate` shows the line and the most similar name";
        self.reasons
            .push(Reason::new(ReasonKind::Invalid, message).help(help));
    }

    /// Returns the instances of a selection, each once, in the order of dependencies, then of the
    /// servers. Of a group, only the procedures are returned, or only the components.
    pub(super) fn instances(
        &mut self,
        step: &Step,
        selection: &Selection,
        procedures: bool,
    ) -> Vec<StepTarget> {
        let mut found: BTreeMap<Instance, StepTarget> = BTreeMap::new();
        let on = selection
            .on
            .as_ref()
            .map(|on| self.servers(step, on).into_iter().collect());
        let filter = ServerFilter {
            on,
            platform: selection.platform.as_deref(),
        };
        for group in &selection.groups {
            let Some(id) = self.group(step, &group.name) else {
                continue;
            };
            for item in self.description.items_below(id) {
                if self.is_procedure(item) == procedures {
                    self.add(&mut found, &filter, item, (group.line, true));
                }
            }
        }
        for members in &selection.items {
            let Some(group) = self.group(step, &members.group.name) else {
                continue;
            };
            for name in &members.names {
                let item = self.description.item(&name.name);
                match item.filter(|item| self.description.items[item.0].group == group) {
                    Some(item) if self.is_procedure(item) == procedures => {
                        self.add(&mut found, &filter, item, (name.line, false));
                    }
                    Some(_) => {
                        let fault = if procedures {
                            "it is not a procedure"
                        } else {
                            "it is a procedure"
                        };
                        let message = format!(
                            "step `{}` cannot {} `{}`: {fault}",
                            step.id,
                            verb(step),
                            name.name
                        );
                        self.reasons.push(Reason::new(ReasonKind::Invalid, message));
                    }
                    None => self.unknown(
                        step,
                        "item",
                        &format!("{}/{}", members.group.name, name.name),
                    ),
                }
            }
        }
        let mut found: Vec<_> = found.into_values().collect();
        found.sort_by_key(|target| (self.rank[target.instance.item.0], target.instance));
        found
    }

    fn add(
        &self,
        found: &mut BTreeMap<Instance, StepTarget>,
        filter: &ServerFilter<'_>,
        item: ItemId,
        (line, by_group): (u32, bool),
    ) {
        for instance in self.description.instances(item) {
            let fits = match (instance.server, &filter.on) {
                _ if !self.description.is_online(instance) => false,
                (Some(server), Some(on)) => on.contains(&server),
                (Some(server), None) => self.has_platform(server, filter.platform),
                (None, _) => true,
            };
            if fits {
                found.insert(
                    instance,
                    StepTarget {
                        instance,
                        line,
                        by_group,
                    },
                );
            }
        }
    }

    fn group(&mut self, step: &Step, name: &str) -> Option<GroupId> {
        let group = self.description.group(name);
        if group.is_none() {
            self.unknown(step, "group", name);
        }
        group
    }

    fn is_procedure(&self, item: ItemId) -> bool {
        matches!(
            self.description.items[item.0].kind,
            ItemKind::Procedure { .. }
        )
    }

    fn has_platform(&self, server: ServerId, platform: Option<&str>) -> bool {
        platform.is_none_or(|platform| {
            crate::names::same_name(&self.description.servers[server.0].platform, platform)
        })
    }

    /// Returns the online servers of a role, narrowed by platform, in the description's order.
    pub(super) fn servers(&mut self, step: &Step, on: &Servers) -> Vec<ServerId> {
        match self.description.role(&on.role) {
            Some(role) => self.of_role(role, on.platform.as_deref()),
            None => {
                self.unknown(step, "role", &on.role);
                Vec::new()
            }
        }
    }

    fn of_role(&self, role: RoleId, platform: Option<&str>) -> Vec<ServerId> {
        let servers = self.description.online_servers(role);
        servers
            .filter(|&server| self.has_platform(server, platform))
            .collect()
    }

    /// Returns a service and its servers: those of the service's role, which also hold the step's
    /// role if it names one.
    pub(super) fn service(
        &mut self,
        step: &Step,
        service: &str,
        on: Option<&Servers>,
        platform: Option<&str>,
    ) -> Option<(ServiceId, Vec<ServerId>)> {
        let Some(id) = self.description.service(service) else {
            self.unknown(step, "service", service);
            return None;
        };
        let own = self.of_role(self.description.services[id.0].on, platform);
        let servers = match on {
            None => own,
            Some(on) => {
                let chosen: BTreeSet<ServerId> = self.servers(step, on).into_iter().collect();
                own.into_iter()
                    .filter(|server| chosen.contains(server))
                    .collect()
            }
        };
        Some((id, servers))
    }
}

fn verb(step: &Step) -> &'static str {
    match step.action {
        Action::Uninstall(_) => "uninstall",
        Action::Initialize { .. } => "initialize",
        _ => "install",
    }
}

/// Returns the position of every item in the order of dependencies: an item comes after those that
/// it requires. Items without an order between them stay in the order of the document.
fn ranks(description: &Description) -> Vec<usize> {
    let items = &description.items;
    let mut missing: Vec<usize> = items.iter().map(|item| item.requires.len()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for (at, item) in items.iter().enumerate() {
        item.requires
            .iter()
            .for_each(|required| dependents[required.0].push(at));
    }
    let mut ready: BTreeSet<usize> = (0..items.len()).filter(|&at| missing[at] == 0).collect();
    let mut ranks = vec![usize::MAX; items.len()];
    let mut next = 0;
    while let Some(at) = ready.pop_first() {
        ranks[at] = next;
        next += 1;
        for &dependent in &dependents[at] {
            missing[dependent] -= 1;
            if missing[dependent] == 0 {
                ready.insert(dependent);
            }
        }
    }
    ranks
}

/// Returns the parts of this deployment that a plan of this manifest may touch, so that only these
/// are hashed. If the rollup `is_applied`, its installers are read from the share, too, because the
/// plan may only catch up.
pub fn interest(manifest: &Manifest, description: &Description, is_applied: bool) -> Interest {
    let mut resolver = Resolver::new(description);
    let mut interest = Interest::default();
    interest
        .files
        .insert(AppliedRecord::path(manifest.rollup.kb));
    for step in &manifest.steps {
        match &step.action {
            Action::Uninstall(selection) => {
                let targets = resolver.instances(step, selection, false);
                interest
                    .instances
                    .extend(targets.iter().map(|target| target.instance));
            }
            Action::Install(targets) => {
                if let InstallTargets::Chosen(selection) = targets {
                    let targets = resolver.instances(step, selection, false);
                    interest
                        .instances
                        .extend(targets.iter().map(|target| target.instance));
                }
                installers(&mut interest, description, is_applied);
            }
            Action::Manual { .. } => {}
            Action::Initialize { items, .. } => {
                let targets = resolver.instances(step, items, true);
                interest
                    .instances
                    .extend(targets.iter().map(|target| target.instance));
            }
            Action::Copy { files, to, .. } => copies(&mut interest, &mut resolver, step, files, to),
            Action::Run { on, .. } => interest.programs_on.extend(resolver.servers(step, on)),
            Action::Service {
                service,
                on,
                platform,
                ..
            } => {
                let servers = resolver.service(step, service, on.as_ref(), platform.as_deref());
                let pairs = servers
                    .into_iter()
                    .flat_map(|(id, servers)| servers.into_iter().map(move |s| (id, s)));
                interest.services.extend(pairs);
            }
        }
    }
    interest
}

/// Returns the roles of all steps, with servers or without: those of the items and services that they
/// name, and those that they name themselves.
pub(super) fn roles_of_steps(manifest: &Manifest, description: &Description) -> BTreeSet<RoleId> {
    let mut roles = BTreeSet::new();
    let of_items = |selection: &Selection, roles: &mut BTreeSet<RoleId>| {
        let groups = selection.groups.iter();
        let groups = groups.filter_map(|group| description.group(&group.name));
        let below = groups.flat_map(|group| description.items_below(group));
        let names = selection.items.iter().flat_map(|members| &members.names);
        let named = names.filter_map(|name| description.item(&name.name));
        let items = below.chain(named);
        roles.extend(items.filter_map(|item| description.items[item.0].on));
    };
    for step in &manifest.steps {
        let on = match &step.action {
            Action::Uninstall(selection) | Action::Install(InstallTargets::Chosen(selection)) => {
                of_items(selection, &mut roles);
                None
            }
            Action::Initialize { items, .. } => {
                of_items(items, &mut roles);
                None
            }
            Action::Install(InstallTargets::RemovedBy { .. }) => None,
            Action::Copy {
                to: CopyTarget::Share,
                ..
            } => None,
            Action::Copy {
                to: CopyTarget::Servers { on, .. },
                ..
            }
            | Action::Run { on, .. } => Some(on),
            Action::Manual { on, .. } => on.as_ref(),
            Action::Service { service, on, .. } => {
                let service = description.service(service);
                roles.extend(service.map(|service| description.services[service.0].on));
                on.as_ref()
            }
        };
        roles.extend(on.and_then(|on| description.role(&on.role)));
    }
    roles
}

/// Adds the installers from which the items so far may be installed: the share has those that no
/// earlier step copied, and all if the rollup is applied.
fn installers(interest: &mut Interest, description: &Description, is_applied: bool) {
    for instance in &interest.instances {
        if let ItemKind::Component { installer, .. } = &description.items[instance.item.0].kind {
            let installer = installer.case_folded();
            if interest.share.insert(installer.clone()) || is_applied {
                interest.packages.insert(installer);
            }
        }
    }
}

fn copies(
    interest: &mut Interest,
    resolver: &mut Resolver<'_>,
    step: &Step,
    files: &[Listed],
    to: &CopyTarget,
) {
    let names: Vec<&str> = files.iter().map(|listed| listed.name.as_str()).collect();
    match to {
        CopyTarget::Share => interest.share.extend(names.into_iter().map(CaseFolded::of)),
        CopyTarget::Servers { on, directory } => {
            for server in resolver.servers(step, on) {
                for name in &names {
                    interest.files.extend(server_file(
                        resolver.description,
                        server,
                        directory.as_ref(),
                        name,
                    ));
                }
            }
        }
    }
}

/// Returns the path of a copied file on a server, as `deployment.toml` and the step spell it.
pub(super) fn server_file(
    description: &Description,
    server: ServerId,
    directory: Option<&RelPath>,
    name: &str,
) -> Option<RelPath> {
    let files = description.files_directory(server);
    match directory {
        Some(directory) => files.with(directory).join(name).ok(),
        None => files.join(name).ok(),
    }
}
