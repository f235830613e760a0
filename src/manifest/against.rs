//! Checks of a manifest against a deployment: its names exist there, and its steps change only
//! items that may be changed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::ServiceVerb;
use super::draft::*;
use super::flow::selections_known;
use super::installers;
use super::services::services_known;
use crate::deployment::description::{Description, GroupId, ItemId, ItemKind, RoleId, ServerId};
use crate::deployment::platforms;
use crate::document::{Code, Placed, Reader, Span, brief, misspelling_of, some_of};
use crate::names::{CaseFolded, same_name};

pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft, deployment: &Description) {
    let products = deployment
        .products
        .iter()
        .map(|product| CaseFolded::of(&product.name))
        .collect();
    let mut checker = DeploymentChecker {
        reader,
        deployment,
        products,
        platforms: platforms::known(Some(deployment)),
        disjoint: BTreeMap::new(),
    };
    checker.product_and_version(&draft.rollup);
    for prerequisite in &draft.prerequisites {
        if let Some(condition) = &prerequisite.condition {
            checker.prerequisite(condition);
        }
    }
    if let Some(step) = draft.resolved.too_many_at.map(|at| &draft.steps[at]) {
        let message = format!(
            "the steps up to {} select more items than can be checked",
            step.quoted_name()
        );
        reader
            .findings
            .add(Code::TooLarge, step.span(), message)
            .help("select each group once");
        return;
    }
    for step in &draft.steps {
        checker.step(step);
    }
    if draft.resolved.whole {
        if selections_known(draft) {
            checker.wider_groups(draft);
        }
        if selections_known(draft) && services_known(draft) {
            checker.missing_host_restarts(draft);
        }
        installers::check(reader, draft, deployment);
    }
}

struct DeploymentChecker<'r, 's, 'd> {
    reader: &'r mut Reader<'s>,
    deployment: &'d Description,
    products: BTreeSet<CaseFolded>,
    platforms: Vec<&'d str>,
    /// Cache of `are_disjoint`.
    disjoint: BTreeMap<(RoleId, RoleId), bool>,
}

/// Returns whether no server holds both roles, but false if no server holds `one`, which has a
/// finding of its own.
fn are_disjoint(deployment: &Description, one: RoleId, other: RoleId) -> bool {
    let (ones, others) = (
        &deployment.roles[one.0].servers,
        &deployment.roles[other.0].servers,
    );
    let (fewer, role) = if ones.len() < others.len() {
        (ones, other)
    } else {
        (others, one)
    };
    let holds = |server: &ServerId| {
        deployment.servers[server.0]
            .roles
            .binary_search(&role)
            .is_ok()
    };
    !ones.is_empty() && !fewer.iter().any(holds)
}

/// Name, with the number of the list it is in.
type InList<'d> = (usize, &'d Placed<String>);

/// Returns the names that mean the same as an earlier one, in pairs with the first.
fn repeated<'d, T: Ord>(
    names: impl Iterator<Item = (InList<'d>, T)>,
) -> Vec<(InList<'d>, InList<'d>)> {
    let mut seen: BTreeMap<T, InList<'d>> = BTreeMap::new();
    let mut found = Vec::new();
    for (name, known) in names {
        match seen.entry(known) {
            Entry::Vacant(entry) => drop(entry.insert(name)),
            Entry::Occupied(first) => found.push((*first.get(), name)),
        }
    }
    found
}

impl DeploymentChecker<'_, '_, '_> {
    /// Checks that the rollup is for the product and version of the deployment.
    fn product_and_version(&mut self, rollup: &RollupDraft) {
        let deployment = self.deployment;
        if let Some(product) = rollup
            .product
            .as_ref()
            .filter(|product| product.value != deployment.product)
        {
            let message = format!("the deployment `{}` is of another product", deployment.name);
            let finding =
                self.reader
                    .findings
                    .add(Code::OtherProduct, product.span.clone(), message);
            finding
                .label(format!("its product is `{}`", deployment.product))
                .help("`plan` refuses the manifest there");
        }
        let versions = &rollup.product_versions;
        if let Some(first) = versions.first()
            && versions
                .iter()
                .all(|version| version.value != deployment.product_version)
        {
            let message = format!(
                "the deployment `{}` has version {}",
                deployment.name, deployment.product_version
            );
            let finding = self
                .reader
                .findings
                .add(Code::OtherProduct, first.span.clone(), message);
            finding.help("`plan` refuses the manifest there");
        }
    }

    fn prerequisite(&mut self, condition: &ConditionDraft) {
        match condition {
            ConditionDraft::Product { product, on, .. } => {
                on.iter().for_each(|role| self.role(role));
                self.product(product);
            }
            ConditionDraft::Item { item } => self.installable(item),
            ConditionDraft::Confirm { .. } => {}
        }
    }

    /// Checks that an item exists and can be installed, which a procedure cannot.
    fn installable(&mut self, wanted: &Placed<String>) {
        let Some(item) = self.item(wanted, self.deployment.item(&wanted.value)) else {
            return;
        };
        if matches!(
            self.deployment.items[item.0].kind,
            ItemKind::Procedure { .. }
        ) {
            let message = format!(
                "`{}` is a procedure, and procedures are never installed",
                wanted.value
            );
            let finding = self
                .reader
                .findings
                .add(Code::WrongKind, wanted.span.clone(), message);
            finding.help("name the item that the procedure configures");
        }
    }

    fn product(&mut self, wanted: &Placed<String>) {
        let deployment = self.deployment;
        if self.products.contains(&CaseFolded::of(&wanted.value)) {
            return;
        }
        let names = deployment
            .products
            .iter()
            .map(|product| product.name.as_str());
        let near = self.reader.nearest(&wanted.value, names);
        let message = format!("no server has the product `{}`", wanted.value);
        let finding = self
            .reader
            .findings
            .add(Code::NoSuchProduct, wanted.span.clone(), message);
        finding
            .did_you_mean(near)
            .help("`plan` refuses the manifest if a product is missing");
    }

    fn step(&mut self, step: &StepDraft) {
        step.on.iter().for_each(|role| self.role(role));
        step.service
            .iter()
            .for_each(|service| self.service(service));
        let procedures = step.verb == Some(Verb::Initialize);
        for ((group, names), (known_group, known)) in step.items.iter().zip(&step.resolved.items) {
            self.group(group, *known_group);
            for (name, known) in names.iter().zip(known) {
                self.member(step, *known_group, (name, *known), procedures);
            }
        }
        // An action that takes no groups has its finding already.
        let takes_groups = matches!(step.verb, Some(Verb::Uninstall | Verb::Install) | None);
        for (group, known) in step
            .groups
            .iter()
            .zip(&step.resolved.groups)
            .filter(|_| takes_groups)
        {
            if let Some(known) = self.group(group, *known) {
                self.whole_group(step, known, group);
            }
        }
        self.named_twice(step);
        self.parameters(step);
        self.missing_parameters(step);
        self.no_selected_server(step);
        self.no_common_server(step);
    }

    fn role(&mut self, wanted: &Placed<String>) {
        if self.deployment.role(&wanted.value).is_some() {
            return;
        }
        if let Some(server) = self.deployment.server(&wanted.value) {
            let roles = &self.deployment.servers[server.0].roles;
            let roles = some_of(
                roles
                    .iter()
                    .map(|role| self.deployment.roles[role.0].name.as_str()),
            );
            let message = format!("`{}` is a server, but a manifest names roles", wanted.value);
            let finding = self
                .reader
                .findings
                .add(Code::NoSuchRole, wanted.span.clone(), message);
            finding.label(format!(
                "it holds {}",
                if roles.is_empty() { "no role" } else { &roles }
            ));
            return;
        }
        let near = self
            .reader
            .nearest(&wanted.value, self.deployment.role_names());
        self.report_unknown(Code::NoSuchRole, "role", wanted, near);
    }

    /// Checks that some server of the deployment is selected by the step's role and platform.
    fn no_selected_server(&mut self, step: &StepDraft) {
        let deployment = self.deployment;
        let named = step
            .on
            .as_ref()
            .and_then(|on| Some((on, deployment.role(&on.value)?)));
        let service = step.service.as_ref();
        let own = service.and_then(|name| {
            Some((
                name,
                deployment.services[deployment.service(&name.value)?.0].on,
            ))
        });
        let Some((place, role)) = named.or(own) else {
            return;
        };
        let role = &deployment.roles[role.0];
        let (deployment_name, name) = (brief(&deployment.name), brief(&role.name));
        let mut platforms = role
            .servers
            .iter()
            .map(|server| deployment.servers[server.0].platform.as_str());
        let message = match &step.platform {
            _ if role.servers.is_empty() => {
                format!("no server of `{deployment_name}` holds the role `{name}`")
            }
            // A misspelled platform has a finding of its own.
            Some(platform) if platforms::misspelled(&platform.value, &self.platforms).is_some() => {
                return;
            }
            Some(platform) if !platforms.any(|other| same_name(other, &platform.value)) => {
                let platform = &platform.value;
                format!(
                    "no server of `{deployment_name}` that holds the role `{name}` is {platform}"
                )
            }
            _ => return,
        };
        let finding = self
            .reader
            .findings
            .add(Code::NoServers, place.span.clone(), message);
        finding.help("the step has no effect there");
    }

    /// Checks that some server holds both the step's role and the role of each service or item it
    /// names.
    fn no_common_server(&mut self, step: &StepDraft) {
        let deployment = self.deployment;
        let Some(on) = &step.on else { return };
        let Some(role) = deployment.role(&on.value) else {
            return;
        };
        let service = step
            .service
            .as_ref()
            .filter(|_| matches!(step.verb, Some(Verb::Service(_))));
        let service = service.and_then(|name| {
            Some((
                name,
                deployment.services[deployment.service(&name.value)?.0].on,
            ))
        });
        let items = step
            .named_items()
            .filter_map(|(name, item)| Some((name, deployment.items[item?.0].on?)));
        for (name, own) in service.into_iter().chain(items) {
            if !*self
                .disjoint
                .entry((role, own))
                .or_insert_with(|| are_disjoint(deployment, role, own))
            {
                continue;
            }
            let (here, there) = (
                brief(&deployment.roles[role.0].name),
                brief(&deployment.roles[own.0].name),
            );
            let (place, verb) = match step.service {
                Some(_) => (on, "runs"),
                None => (name, "is"),
            };
            let message = format!(
                "`{}` {verb} on `{there}`, but no server holds both that role and `{here}`",
                name.value
            );
            let finding =
                self.reader
                    .findings
                    .add(Code::NoCommonServer, place.span.clone(), message);
            finding.help("remove or correct `on`; the step has no effect there");
        }
    }

    /// Finds groups and items that a step names twice, by the same name or by two of their names.
    fn named_twice(&mut self, step: &StepDraft) {
        let deployment = self.deployment;
        let groups = step.groups.iter().zip(&step.resolved.groups);
        let lists = || step.items.iter().zip(&step.resolved.items);
        let keys = lists().filter_map(|((name, _), (group, _))| Some(((1, name), (*group)?)));
        let items = lists()
            .zip(2..)
            .flat_map(|(((_, names), (group, known)), list)| {
                let members = names
                    .iter()
                    .zip(known)
                    .filter_map(|(name, item)| Some((name, (*item)?)));
                // An item of another group has its finding already.
                let members =
                    members.filter(|(_, item)| *group == Some(deployment.items[item.0].group));
                members.map(move |(name, item)| ((list, name), item))
            });
        let mut duplicates =
            repeated(groups.filter_map(|(name, group)| Some(((0, name), (*group)?))));
        duplicates.extend(repeated(keys));
        duplicates.extend(repeated(items));
        for ((list, first), (other, second)) in duplicates {
            let same = CaseFolded::of(&first.value) == CaseFolded::of(&second.value);
            // A word that is twice in one list is reported when the list is read.
            if same && list == other {
                continue;
            }
            let message = match same {
                true => format!("{} names `{}` twice", step.quoted_name(), second.value),
                false => format!("`{}` and `{}` are the same", first.value, second.value),
            };
            let line = self.reader.source.line(first.span.start);
            let finding = self
                .reader
                .findings
                .add(Code::NamedTwice, second.span.clone(), message);
            finding
                .note(format!("the first is on line {line}"))
                .help("remove one of them");
        }
    }

    fn service(&mut self, wanted: &Placed<String>) {
        if self.deployment.service(&wanted.value).is_none() {
            let near = self
                .reader
                .nearest(&wanted.value, self.deployment.service_names());
            self.report_unknown(Code::NoSuchService, "service", wanted, near);
        }
    }

    fn item(&mut self, wanted: &Placed<String>, found: Option<ItemId>) -> Option<ItemId> {
        if found.is_none() {
            let near = self
                .reader
                .nearest(&wanted.value, self.deployment.item_names());
            self.report_unknown(Code::NoSuchItem, "item", wanted, near);
        }
        found
    }

    fn group(&mut self, wanted: &Placed<String>, found: Option<GroupId>) -> Option<GroupId> {
        let Some(group) = found else {
            let deployment = self.deployment;
            let by_last = self.reader.suggestion(deployment.groups.len(), || {
                deployment.group_ending(&wanted.value)
            });
            let near =
                by_last.or_else(|| self.reader.nearest(&wanted.value, deployment.group_paths()));
            self.report_unknown(Code::NoSuchGroup, "group", wanted, near);
            return None;
        };
        let path = &self.deployment.groups[group.0].path;
        if path.case_folded() != CaseFolded::of(&wanted.value) {
            let message = format!("`{}` is an alias of `{path}`", wanted.value);
            self.reader
                .findings
                .add(Code::GroupByAlias, wanted.span.clone(), message)
                .help("there is nothing to do");
        }
        Some(group)
    }

    /// Returns the procedure, or any other item, of that name; reports a name that does not exist.
    fn procedure(&mut self, wanted: &Placed<String>, found: Option<ItemId>) -> Option<ItemId> {
        if found.is_none() {
            let near = self.reader.suggestion(self.deployment.items.len(), || {
                self.deployment.nearest_procedure(&wanted.value)
            });
            self.report_unknown(Code::NoSuchItem, "procedure", wanted, near);
        }
        found
    }

    fn report_unknown(
        &mut self,
        code: Code,
        kind: &str,
        wanted: &Placed<String>,
        near: Option<&str>,
    ) {
        let message = format!(
            "the deployment `{}` has no {kind} `{}`",
            brief(&self.deployment.name),
            wanted.value
        );
        let finding = self.reader.findings.add(code, wanted.span.clone(), message);
        match near {
            Some(near) => finding.did_you_mean(Some(near)),
            None => finding.help("see `deployment.toml`, which lists all names, installed or not"),
        };
    }

    fn member(
        &mut self,
        step: &StepDraft,
        group: Option<GroupId>,
        (name, known): (&Named, Option<ItemId>),
        procedures: bool,
    ) {
        let found = if procedures {
            self.procedure(name, known)
        } else {
            self.item(name, known)
        };
        let Some(id) = found else { return };
        let item = &self.deployment.items[id.0];
        let wrong_kind = match (&item.kind, procedures) {
            (ItemKind::Procedure { .. }, false) => Some("a procedure"),
            (ItemKind::Component { .. }, true) => Some("not a procedure"),
            _ => None,
        };
        if let Some(kind) = wrong_kind {
            let message = format!("`{}` is {kind}", name.value);
            let finding = self
                .reader
                .findings
                .add(Code::WrongKind, name.span.clone(), message);
            finding.help("`initialize` runs procedures; `install` and `uninstall` take items");
            return;
        }
        if let Some(group) = group.filter(|group| *group != item.group) {
            let path = |group: GroupId| &self.deployment.groups[group.0].path;
            let message = format!("`{}` is not directly in `{}`", name.value, path(group));
            let finding = self
                .reader
                .findings
                .add(Code::NotAMember, name.span.clone(), message);
            finding
                .label(format!("it is in `{}`", path(item.group)))
                .help("list it below its own group");
        }
        if step.verb == Some(Verb::Uninstall)
            && matches!(
                item.kind,
                ItemKind::Component {
                    removable: false,
                    ..
                }
            )
        {
            let message = format!("`{}` may not be removed", name.value);
            self.reader
                .findings
                .add(Code::NotRemovable, name.span.clone(), message)
                .help("remove it from the step");
        }
    }

    fn whole_group(&mut self, step: &StepDraft, group: GroupId, named: &Placed<String>) {
        let deployment = self.deployment;
        let (mut components, mut fixed) = (0, Vec::new());
        for item in deployment.items_below(group) {
            if let ItemKind::Component { removable, .. } = &deployment.items[item.0].kind {
                components += 1;
                fixed.extend((!removable).then_some(deployment.items[item.0].name.as_str()));
            }
        }
        if components == 0 {
            let message = format!("the group `{}` holds no items", named.value);
            let finding = self
                .reader
                .findings
                .add(Code::NoTargets, named.span.clone(), message);
            finding.help("to run its procedures, name them in an `initialize` step");
        }
        if step.verb == Some(Verb::Uninstall) && !fixed.is_empty() {
            let message = format!(
                "`{}` holds {}, which may not be removed",
                named.value,
                some_of(fixed.into_iter())
            );
            let finding = self
                .reader
                .findings
                .add(Code::NotRemovable, named.span.clone(), message);
            finding.help("list the other items under `items`");
        }
    }

    fn parameters(&mut self, step: &StepDraft) {
        if step.parameters.is_empty() {
            return;
        }
        let run: BTreeSet<ItemId> = step.resolved.named().collect();
        for (procedure, _) in &step.parameters {
            let Some(id) = self.procedure(procedure, self.deployment.item(&procedure.value)) else {
                continue;
            };
            let is_procedure =
                matches!(self.deployment.items[id.0].kind, ItemKind::Procedure { .. });
            let (code, message) = match is_procedure {
                false => (
                    Code::WrongKind,
                    format!(
                        "`{}` is not a procedure, so it has no parameters",
                        procedure.value
                    ),
                ),
                true if run.contains(&id) => continue,
                true => (
                    Code::InapplicableKey,
                    format!("{} does not run `{}`", step.quoted_name(), procedure.value),
                ),
            };
            let finding = self
                .reader
                .findings
                .add(code, procedure.span.clone(), message);
            finding.help("name a procedure that the step lists in `items`");
        }
    }

    /// Checks that every parameter that a procedure needs is stored or passed.
    fn missing_parameters(&mut self, step: &StepDraft) {
        if step.verb != Some(Verb::Initialize) {
            return;
        }
        let deployment = self.deployment;
        let mut given: BTreeMap<ItemId, BTreeMap<&str, &Span>> = BTreeMap::new();
        for (procedure, values) in &step.parameters {
            let Some(id) = deployment.item(&procedure.value) else {
                continue;
            };
            given.entry(id).or_default().extend(
                values
                    .iter()
                    .map(|(name, value)| (name.as_str(), &value.span)),
            );
        }
        for (name, item) in step.named_items() {
            let Some(id) = item else { continue };
            let ItemKind::Procedure { needs, parameters } = &deployment.items[id.0].kind else {
                continue;
            };
            let given = given.get(&id);
            let is_given = |need: &str| given.is_some_and(|given| given.contains_key(need));
            let known: BTreeSet<&str> = needs
                .iter()
                .chain(parameters.keys())
                .map(String::as_str)
                .collect();
            let mut meant = BTreeSet::new();
            for (other, span) in given
                .into_iter()
                .flatten()
                .filter(|(name, _)| !known.contains(*name))
            {
                let open = needs
                    .iter()
                    .map(String::as_str)
                    .filter(|need| !is_given(need));
                let Some(near) = self
                    .reader
                    .suggestion(needs.len(), || misspelling_of(other, open))
                else {
                    continue;
                };
                let message = format!("`{}` needs `{near}`, but gets `{other}`", name.value);
                let finding =
                    self.reader
                        .findings
                        .add(Code::MisspelledParameter, (*span).clone(), message);
                finding.did_you_mean(Some(near)).help(
                    "correct the name; a procedure may also get parameters that it does not need",
                );
                meant.insert(near);
            }
            let open = needs.iter().map(String::as_str);
            let open = open.filter(|need| {
                !parameters.contains_key(*need) && !is_given(need) && !meant.contains(need)
            });
            let open: Vec<_> = open.collect();
            if !open.is_empty() {
                let message = format!(
                    "`{}` needs {}, which {} missing",
                    name.value,
                    some_of(open.iter().copied()),
                    if open.len() == 1 { "is" } else { "are" }
                );
                let finding =
                    self.reader
                        .findings
                        .add(Code::MissingParameter, name.span.clone(), message);
                finding
                    .help("set it in the step's `parameters`, or store it under `[parameters]` in `deployment.toml`");
            }
        }
    }

    /// Finds whole groups to install that hold more items than earlier steps removed.
    fn wider_groups(&mut self, draft: &Draft) {
        let deployment = self.deployment;
        let mut removed: BTreeSet<ItemId> = BTreeSet::new();
        for step in &draft.steps {
            removed.extend(step.removes());
            if step.verb != Some(Verb::Install) {
                continue;
            }
            let mut seen = BTreeSet::new();
            for (named, group) in step.groups.iter().zip(&step.resolved.groups) {
                // The same group under two names has a finding of its own.
                let Some(group) = group.filter(|group| seen.insert(*group)) else {
                    continue;
                };
                let below = deployment.items_below(group).into_iter();
                let below = below.filter(|item| {
                    matches!(deployment.items[item.0].kind, ItemKind::Component { .. })
                });
                let more: Vec<_> = below.filter(|item| !removed.contains(item)).collect();
                if !more.is_empty() {
                    let names = some_of(
                        more.iter()
                            .map(|item| deployment.items[item.0].name.as_str()),
                    );
                    let message = format!(
                        "`{}` also holds {names}, which no earlier step removed",
                        named.value
                    );
                    let finding =
                        self.reader
                            .findings
                            .add(Code::WiderGroup, named.span.clone(), message);
                    finding.help(
                        "the step installs only the removed items; `--include-missing` adds the others",
                    );
                }
            }
        }
    }

    /// Finds items that are replaced on servers of a role of which no service restarts afterwards.
    fn missing_host_restarts(&mut self, draft: &Draft) {
        let deployment = self.deployment;
        let mut removed: BTreeSet<ItemId> = BTreeSet::new();
        let mut replaced: BTreeMap<RoleId, (usize, BTreeSet<ItemId>)> = BTreeMap::new();
        for (at, step) in draft.steps.iter().enumerate() {
            removed.extend(step.removes());
            match (step.verb, &step.service) {
                (Some(Verb::Install), _) => {
                    let chosen: Vec<ItemId> = match step.removed_by {
                        Some(_) => removed.iter().copied().collect(),
                        None => step
                            .resolved
                            .selected
                            .intersection(&removed)
                            .copied()
                            .collect(),
                    };
                    for item in chosen {
                        if let Some(role) = deployment.items[item.0].on {
                            let (last, items) = replaced.entry(role).or_default();
                            *last = at;
                            items.insert(item);
                        }
                    }
                }
                (Some(Verb::Service(ServiceVerb::Restart | ServiceVerb::Start)), Some(service)) => {
                    let own = deployment
                        .service(&service.value)
                        .map(|service| deployment.services[service.0].on);
                    let on = step.on.as_ref().and_then(|on| deployment.role(&on.value));
                    own.into_iter()
                        .chain(on)
                        .for_each(|role| drop(replaced.remove(&role)));
                }
                _ => {}
            }
        }
        let mut services: BTreeMap<RoleId, Vec<&str>> = BTreeMap::new();
        for service in &deployment.services {
            services
                .entry(service.on)
                .or_default()
                .push(service.name.as_str());
        }
        for (role, (at, items)) in replaced {
            if let Some(services) = services.get(&role) {
                self.no_restart(role, services, &draft.steps[at], &items);
            }
        }
    }

    fn no_restart(
        &mut self,
        role: RoleId,
        services: &[&str],
        step: &StepDraft,
        items: &BTreeSet<ItemId>,
    ) {
        let deployment = self.deployment;
        let names = some_of(
            items
                .iter()
                .map(|item| deployment.items[item.0].name.as_str()),
        );
        let role = &deployment.roles[role.0].name;
        let message = format!(
            "{} replaces items on `{role}`, but no later step restarts a service there",
            step.quoted_name()
        );
        let finding = self
            .reader
            .findings
            .add(Code::NoServiceRestart, step.span(), message);
        finding.note(format!("it replaces {names}"));
        finding.help(format!(
            "restart {} there, if the vendor agrees",
            some_of(services.iter().copied())
        ));
    }
}
