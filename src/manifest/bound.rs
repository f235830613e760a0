//! Manifest whose names are ids of one deployment: selectors are resolved to instances, and roles to
//! servers. Servers that are offline are left out.

use std::collections::{BTreeMap, BTreeSet};

use super::lookup::{look_up_condition, look_up_step};
use super::problems::{
    Fault, InstalledProducts, Problem, Rules, copied_over, has_platform, installed_products,
    missing_parameters, online_servers,
};
use super::*;
use crate::deployment::description::{Description, Instance, ServerId};
use crate::deployment::parameters::{ParameterValue, Parameters};
use crate::document::Severity;

/// Manifest for one deployment. Its ids are positions in the description of that deployment.
#[derive(Debug, Clone)]
pub struct BoundManifest {
    pub manifest: Manifest,
    /// Conditions that must hold before anything is staged, in the document's order.
    pub prerequisites: Vec<BoundCondition>,
    /// Steps, in the order of the run: those nested in an `each-server` step once for each server.
    pub steps: Vec<BoundStep>,
    /// Position of each item in the order of dependencies.
    ranks: Vec<usize>,
}

/// Condition of a prerequisite.
#[derive(Debug, Clone)]
pub enum BoundCondition {
    /// Condition on a product or an item.
    Site(BoundSiteCondition),
    /// Conditions of which one is enough.
    Any {
        /// The line in the manifest, from 1.
        line: u32,
        alternatives: Vec<BoundSiteCondition>,
    },
    /// Question that only a person can answer.
    Confirm { id: String, question: String },
}

/// Condition on a product or an item.
#[derive(Debug, Clone)]
pub struct BoundSiteCondition {
    pub subject: BoundSubject,
    pub wanted: WantedState,
}

/// Product or item that a prerequisite is about.
#[derive(Debug, Clone)]
pub enum BoundSubject {
    /// Product that servers have.
    Product {
        name: String,
        /// Product on each server that has it.
        installed: BTreeMap<ServerId, InstalledProduct>,
        /// Role whose servers must all have it, or none of them; `None` for all servers that have
        /// it.
        on: Option<RoleServers>,
    },
    /// Item of the console.
    Item {
        /// Name in the author's spelling.
        name: String,
        /// Item of this name; `None` if the console does not list it.
        id: Option<ItemId>,
    },
}

/// Position of a step in [`BoundManifest::steps`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BoundStepId(pub usize);

/// One action on its targets.
#[derive(Debug, Clone)]
pub struct BoundStep {
    /// The author's name for it; of a nested step `STEP@SERVER`.
    pub id: String,
    /// Purpose, for people; the id if there is none.
    pub title: String,
    /// Keyword of the action.
    pub keyword: &'static str,
    /// The line in the manifest on which the step begins, from 1.
    pub line: u32,
    /// Roles of everything that it names, with servers or without.
    pub roles: BTreeSet<RoleId>,
    /// Reason why its operations cannot be rolled back.
    pub irreversible: Option<String>,
    /// The `each-server` step in which it is nested, and the server.
    pub within: Option<Within>,
    pub action: Action,
}

/// `each-server` step that does a step on one server.
#[derive(Debug, Clone)]
pub struct Within {
    /// Id of the `each-server` step.
    pub step: String,
    /// Its purpose, for people; the id if there is none.
    pub title: String,
    pub server: ServerId,
}

/// Returns the id that the author gave a step: of `STEP@SERVER` that is `STEP`. No id of an author has
/// an `@`.
pub fn author_id(id: &str) -> &str {
    id.split_once('@').map_or(id, |(id, _)| id)
}

/// Action of a step.
#[derive(Debug, Clone)]
pub enum Action {
    /// Removes items as one batch.
    Uninstall(Vec<StepTarget>),
    /// Installs items as one batch.
    Install(Vec<StepTarget>),
    /// Installs exactly the instances that an earlier step removed, where they were.
    Reinstall {
        removed_by: BoundStepId,
        /// The line that names that step.
        line: u32,
    },
    /// Copies payload files.
    Copy {
        files: Vec<BoundFile>,
        to: CopyPlace,
    },
    /// Puts packages, in order, on every server of a role.
    Run {
        files: Vec<BoundFile>,
        on: RoleServers,
        /// Features to install although the packages have them off, sorted.
        features: Vec<String>,
        /// Facts of packages that rollup cannot open.
        opaque: OpaquePackage,
    },
    /// Runs procedures as one batch.
    Initialize(Vec<ProcedureTarget>),
    /// Changes a service on one server after another.
    Service {
        verb: ServiceVerb,
        service: ServiceId,
        servers: Vec<ServerId>,
    },
    /// A task for a person; the run waits for it.
    Manual {
        instructions: String,
        /// Instructions to roll it back; without them the step is a point of no return.
        undo: Option<String>,
        /// True if it may be skipped.
        optional: bool,
        /// Files of the payload that the person needs.
        files: Vec<BoundFile>,
        /// Servers that are listed with the instructions.
        on: Option<RoleServers>,
    },
    /// Nothing: no server of the role is online.
    NoServer,
}

/// Documented facts of packages that rollup cannot open.
#[derive(Debug, Clone, Default)]
pub struct OpaquePackage {
    /// Arguments, for people and for the record.
    pub arguments: Option<String>,
    /// Directory below `Programs`; named like the file if there is none.
    pub program: Option<FileName>,
    /// Instructions for a person to roll it back; without them it is a point of no return.
    pub undo: Option<String>,
}

/// Instance that a step names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepTarget {
    pub instance: Instance,
    /// Manifest line that names it or its group.
    pub line: u32,
    /// True if it is named by a group only, not by its own name.
    pub by_group: bool,
}

/// Procedure that a step runs.
#[derive(Debug, Clone)]
pub struct ProcedureTarget {
    pub target: StepTarget,
    /// Values of its parameters, those of the step before stored ones.
    pub parameters: Parameters,
    /// Parameters that have no value.
    pub missing: Option<Fault>,
}

/// Payload file that a step names.
#[derive(Debug, Clone)]
pub struct BoundFile {
    /// Name in the step's spelling, whose last part a new file gets.
    pub name: PayloadPath,
    /// Its row in the file table.
    pub row: RowId,
    /// Manifest line that names it.
    pub line: u32,
}

/// Role, and its servers that a step concerns, in the order of the description.
#[derive(Debug, Clone)]
pub struct RoleServers {
    pub role: RoleId,
    pub servers: Vec<ServerId>,
}

/// Target of a copy.
#[derive(Debug, Clone)]
pub enum CopyPlace {
    /// The installer share.
    Share,
    /// A directory below `Files/` of servers; `None` is `Files` itself.
    Servers(RoleServers, Option<RelPath>),
}

impl<Id: Copy, T> Name<Id, T> {
    /// Returns the object of a name that was looked up, and has no problem.
    fn known(&self) -> Id {
        self.id.expect("a name without a problem has an id")
    }
}

impl Manifest {
    /// Binds a manifest to a deployment.
    ///
    /// # Errors
    ///
    /// All names that the deployment does not have, and those that are used for something else.
    pub fn bind(mut self, site: &Description) -> Result<BoundManifest, Vec<Problem>> {
        let mut found = Vec::new();
        let mut rules = Rules::new(site, |problem: Problem| {
            if problem.fault.code().level() == Severity::Error {
                found.push(problem);
            }
        });
        for prerequisite in &mut self.prerequisites {
            look_up_condition(&mut prerequisite.condition, site);
            rules.condition(&prerequisite.condition, prerequisite.line);
        }
        for step in &mut self.steps {
            look_up_step(step, site);
            rules.step(step);
        }
        found.extend(copied_over(site, &self.steps));
        if !found.is_empty() {
            return Err(found);
        }
        let binder = Binder {
            site,
            products: installed_products(site),
            ranks: ranks(site),
        };
        let conditions = self.prerequisites.iter();
        Ok(BoundManifest {
            prerequisites: conditions.map(|one| binder.condition(one)).collect(),
            steps: binder.steps(&self.steps),
            manifest: self,
            ranks: binder.ranks,
        })
    }
}

impl BoundManifest {
    /// Returns the position of an item in the order of dependencies: an item comes after those that
    /// it requires.
    pub fn rank(&self, item: ItemId) -> usize {
        self.ranks[item.0]
    }

    /// Returns the roles of all steps, with servers or without.
    pub fn roles(&self) -> BTreeSet<RoleId> {
        self.steps
            .iter()
            .flat_map(|step| &step.roles)
            .copied()
            .collect()
    }
}

/// Servers of a step: its own, or the one on which it is nested.
struct Scope<'s> {
    on: Option<RoleServers>,
    platform: Option<&'s str>,
    within: Option<Within>,
}

impl<'s> Scope<'s> {
    fn of(binder: &Binder<'_>, step: &'s Step) -> Self {
        let platform = step.platform();
        Self {
            on: step
                .on
                .as_ref()
                .map(|on| binder.role_servers(on.known(), platform)),
            platform,
            within: None,
        }
    }
}

struct Binder<'d> {
    site: &'d Description,
    products: InstalledProducts,
    ranks: Vec<usize>,
}

impl Binder<'_> {
    fn condition(&self, prerequisite: &Prerequisite) -> BoundCondition {
        match &prerequisite.condition {
            Condition::Site(condition) => BoundCondition::Site(self.site_condition(condition)),
            Condition::Any { any } => BoundCondition::Any {
                line: prerequisite.line,
                alternatives: any.iter().map(|one| self.site_condition(one)).collect(),
            },
            Condition::Confirm { id, question } => BoundCondition::Confirm {
                id: id.value.clone(),
                question: question.clone(),
            },
        }
    }

    fn site_condition(&self, condition: &SiteCondition) -> BoundSiteCondition {
        let subject = match &condition.subject {
            ConditionSubject::Product { product, on } => {
                let installed = self.products.get(&CaseFolded::of(&product.value));
                let on = on
                    .as_ref()
                    .map(|role| self.role_servers(role.known(), None));
                BoundSubject::Product {
                    name: product.value.clone(),
                    installed: installed.cloned().unwrap_or_default(),
                    on,
                }
            }
            ConditionSubject::Item { item } => BoundSubject::Item {
                name: item.text.clone(),
                id: item.id,
            },
        };
        BoundSiteCondition {
            subject,
            wanted: condition.wanted.clone(),
        }
    }

    /// Binds all steps, those of an `each-server` step once for each server that is online.
    fn steps(&self, steps: &[Step]) -> Vec<BoundStep> {
        let mut bound = Vec::new();
        // Where each step is bound; a nested one, on the last server.
        let mut positions = BTreeMap::new();
        for (at, outer) in steps.iter().enumerate() {
            if outer.within.is_some() {
                continue;
            }
            let nested = outer.steps.iter().map(|nested| nested.known().0);
            let scope = Scope::of(self, outer);
            let on = match (outer.verb, &scope.on) {
                (Some(Verb::EachServer), Some(on)) if !on.servers.is_empty() => on,
                _ => {
                    let mut step = self.step(outer, &scope, &positions);
                    let nested = nested.flat_map(|nested| self.roles(&steps[nested], None));
                    step.roles.extend(nested);
                    positions.insert(at, BoundStepId(bound.len()));
                    bound.push(step);
                    continue;
                }
            };
            for &server in &on.servers {
                let scope = Scope {
                    on: Some(RoleServers {
                        role: on.role,
                        servers: vec![server],
                    }),
                    platform: None,
                    within: Some(Within {
                        step: outer.id.clone(),
                        title: outer.shown_title(),
                        server,
                    }),
                };
                for nested in nested.clone() {
                    positions.insert(nested, BoundStepId(bound.len()));
                    bound.push(self.step(&steps[nested], &scope, &positions));
                }
            }
        }
        bound
    }

    fn step(
        &self,
        step: &Step,
        scope: &Scope<'_>,
        positions: &BTreeMap<usize, BoundStepId>,
    ) -> BoundStep {
        let id = match &scope.within {
            Some(within) => format!("{}@{}", step.id, self.site[within.server].name),
            None => step.id.clone(),
        };
        let role = scope.on.as_ref().map(|on| on.role);
        let action = self.action(step, scope, positions);
        BoundStep {
            title: step.title.clone().unwrap_or_else(|| id.clone()),
            id,
            keyword: step.keyword(),
            line: step.line,
            roles: self.roles(step, role),
            irreversible: step.irreversible.clone(),
            within: scope.within.clone(),
            action: action.expect("a checked step has the keys of its action"),
        }
    }

    fn action(
        &self,
        step: &Step,
        scope: &Scope<'_>,
        positions: &BTreeMap<usize, BoundStepId>,
    ) -> Option<Action> {
        let Scope { on, platform, .. } = scope;
        Some(match step.verb? {
            Verb::Uninstall => Action::Uninstall(self.targets(step, scope)),
            Verb::Install => match &step.removed_by {
                Some(name) => Action::Reinstall {
                    removed_by: *positions.get(&name.known().0)?,
                    line: name.line,
                },
                None => Action::Install(self.targets(step, scope)),
            },
            Verb::Copy => Action::Copy {
                files: files(step),
                to: match step.to.as_ref()? {
                    CopyTarget::Share => CopyPlace::Share,
                    CopyTarget::Servers(directory) => {
                        CopyPlace::Servers(on.clone()?, directory.clone())
                    }
                },
            },
            Verb::Run => Action::Run {
                files: files(step),
                on: on.clone()?,
                features: step.features.clone(),
                opaque: OpaquePackage {
                    arguments: step.arguments.clone(),
                    program: step.program.clone(),
                    undo: step.undo.clone(),
                },
            },
            Verb::Initialize => Action::Initialize(
                self.targets(step, scope)
                    .into_iter()
                    .map(|target| self.procedure(step, target))
                    .collect(),
            ),
            Verb::Service(verb) => {
                let service = step.service.as_ref()?.known();
                let own = self.site[service].on;
                let servers = match on {
                    None => self.role_servers(own, *platform).servers,
                    Some(on) => {
                        let mut servers = on.servers.clone();
                        servers.retain(|server| self.site[*server].roles.contains(&own));
                        servers
                    }
                };
                Action::Service {
                    verb,
                    service,
                    servers,
                }
            }
            Verb::Manual => Action::Manual {
                instructions: step.instructions.clone()?,
                undo: step.undo.clone(),
                optional: step.optional,
                files: files(step),
                on: on.clone(),
            },
            // Its nested steps are bound in its place.
            Verb::EachServer => Action::NoServer,
        })
    }

    /// Returns the online servers of a role, narrowed by platform, in the description's order.
    fn role_servers(&self, role: RoleId, platform: Option<&str>) -> RoleServers {
        let servers = online_servers(self.site, role, platform);
        RoleServers { role, servers }
    }

    /// Returns the instances that a step selects, each once, in the order of dependencies, then of
    /// the servers. Of a group, only the procedures are returned, or only the components.
    fn targets(&self, step: &Step, scope: &Scope<'_>) -> Vec<StepTarget> {
        let procedures = step.verb == Some(Verb::Initialize);
        let mut selected = BTreeMap::new();
        for group in &step.groups {
            for item in self.site.items_below(group.known()) {
                if self.site[item].is_procedure() == procedures {
                    selected.insert(item, (group.line, true));
                }
            }
        }
        for name in step.named_items() {
            selected.insert(name.known(), (name.line, false));
        }
        let on: Option<BTreeSet<ServerId>> = scope
            .on
            .as_ref()
            .map(|on| &on.servers)
            .map(|on| on.iter().copied().collect());
        let is_meant = |server: ServerId| match &on {
            Some(on) => on.contains(&server),
            None => has_platform(self.site, server, scope.platform),
        };
        let mut targets = Vec::new();
        for (item, (line, by_group)) in selected {
            let instances = match &scope.within {
                Some(within) => self.instance_on(item, within.server).into_iter().collect(),
                None => self.site.instances(item),
            };
            let online = instances
                .into_iter()
                .filter(|one| self.site.is_online(*one));
            let meant = online.filter(|instance| instance.server.is_none_or(is_meant));
            targets.extend(meant.map(|instance| StepTarget {
                instance,
                line,
                by_group,
            }));
        }
        targets.sort_by_key(|target| (self.ranks[target.instance.item.0], target.instance));
        targets
    }

    /// Returns the instance of an item on a server, if its role is one of the server's.
    fn instance_on(&self, item: ItemId, server: ServerId) -> Option<Instance> {
        let role = self.site[item].on?;
        self.site[server].roles.contains(&role).then_some(Instance {
            item,
            server: Some(server),
        })
    }

    fn procedure(&self, step: &Step, target: StepTarget) -> ProcedureTarget {
        let item = &self.site[target.instance.item];
        let mut parameters = item.stored_parameters();
        for (name, value) in step.parameters_of(target.instance.item) {
            let value = ParameterValue::open(name, value.value.clone());
            parameters.insert(name.clone(), value);
        }
        item.hide_secrets(&mut parameters);
        ProcedureTarget {
            target,
            missing: missing_parameters(item, |need| parameters.contains_key(need)),
            parameters,
        }
    }

    /// Returns the roles of everything that a step names; `on` is the role of its servers.
    fn roles(&self, step: &Step, on: Option<RoleId>) -> BTreeSet<RoleId> {
        let below = step
            .group_ids()
            .flat_map(|group| self.site.items_below(group));
        let items = below.chain(step.item_ids());
        let mut roles: BTreeSet<_> = items.filter_map(|item| self.site[item].on).collect();
        let service = step.service.as_ref();
        roles.extend(service.map(|service| self.site[service.known()].on));
        // A role that narrows a selection is none of its own.
        let narrows = matches!(
            step.verb,
            Some(Verb::Uninstall | Verb::Install | Verb::Initialize)
        );
        roles.extend(on.filter(|_| !narrows));
        roles
    }
}

fn files(step: &Step) -> Vec<BoundFile> {
    let files = step.files.iter().map(|file| BoundFile {
        name: file.text.clone(),
        row: file.known(),
        line: file.line,
    });
    files.collect()
}

/// Returns the position of every item in the order of dependencies: an item comes after those that
/// it requires. Items without an order between them stay in the order of the document.
fn ranks(site: &Description) -> Vec<usize> {
    let items = &site.items;
    let mut missing: Vec<usize> = items.iter().map(|item| item.requires.len()).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); items.len()];
    for (at, item) in items.iter().enumerate() {
        for required in &item.requires {
            dependents[required.0].push(at);
        }
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
