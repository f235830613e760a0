//! Checks of a manifest against a deployment: its names exist there, and its steps change only
//! items that may be changed.

use super::draft::{Draft, PrerequisiteDraft};
use super::flow::selections_known;
use super::installers;
use super::problems::{self, Fault, NameKind, Problem, Rules, has_platform, missing_parameters};
use super::services::services_known;
use super::*;
use crate::deployment::description::{Description, Item, ItemKind, ServerId};
use crate::deployment::platforms;
use crate::document::{Code, MeantName, Reader, Severity, brief, misspelling_of, some_of};
use crate::names::same_name;

pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft, site: &Description) {
    report_problems(reader, draft, site);
    if let Some(step) = draft.names.too_many_at.map(|at| &draft.steps[at]) {
        let message = format!(
            "the steps up to {} select more items than can be checked",
            step.quoted_name()
        );
        reader
            .report(Code::TooLarge, &step.span, message)
            .help("select each group once");
        return;
    }
    let mut checker = DeploymentChecker {
        reader,
        site,
        platforms: platforms::known(Some(site)),
        disjoint: BTreeMap::new(),
    };
    for step in &draft.steps {
        checker.step(step, step.outer(&draft.steps));
    }
    if draft.names.whole {
        if selections_known(draft) {
            checker.wider_groups(draft);
        }
        if selections_known(draft) && services_known(draft) {
            checker.missing_host_restarts(draft);
        }
        installers::check(reader, draft, site);
    }
}

/// Reports the problems that would also make the planner refuse the manifest.
fn report_problems(reader: &mut Reader<'_>, draft: &Draft, site: &Description) {
    for problem in problems::of_rollup(site, &draft.rollup) {
        report(reader, &problem, None);
    }
    let source = reader.source;
    let mut rules = Rules::new(site, |problem: Problem| {
        let near = nearest_name(reader, site, &problem.fault);
        report(reader, &problem, near);
    });
    for PrerequisiteDraft { condition, span } in &draft.prerequisites {
        if let Some(condition) = condition {
            rules.condition(condition, source.line(span.start));
        }
    }
    if draft.names.too_many_at.is_none() {
        draft.steps.iter().for_each(|step| rules.step(step));
        for problem in problems::copied_over(site, &draft.steps) {
            report(reader, &problem, None);
        }
    }
}

pub(super) fn report(
    reader: &mut Reader<'_>,
    Problem { fault, span, .. }: &Problem,
    near: Option<MeantName>,
) {
    let finding = reader.report(fault.code(), span, fault.to_string());
    let is_near = near.is_some();
    finding.did_you_mean(near);
    if let Some(label) = fault.label() {
        finding.label(label);
    }
    match fault {
        Fault::OtherProduct { .. }
        | Fault::OtherVersion { .. }
        | Fault::UnlistedItem { .. }
        | Fault::NoProduct { .. } => {
            finding.help("`plan` refuses the manifest there");
        }
        Fault::NotThere { .. } => {
            finding.level(Severity::Note);
            finding.help = fault.help().filter(|_| !is_near).map(str::to_owned);
        }
        Fault::Unknown { .. } if is_near => {}
        _ => finding.help = fault.help().map(str::to_owned),
    }
}

/// Returns the name of the deployment that is most like an unknown one.
fn nearest_name(reader: &mut Reader<'_>, site: &Description, fault: &Fault) -> Option<MeantName> {
    let (kind, name) = match fault {
        Fault::Unknown { kind, name, .. } => (kind, name),
        Fault::UnlistedItem { name, .. }
        | Fault::NotThere {
            name,
            is_item: true,
            ..
        } => return reader.nearest(name, site.item_names()),
        Fault::NoProduct { product: name } | Fault::NotThere { name, .. } => {
            return reader.nearest(name, site.product_names());
        }
        _ => return None,
    };
    match kind {
        NameKind::Group => {
            let by_last = reader.suggestion(site.groups.len(), || site.group_ending(name));
            by_last
                .map(MeantName::from)
                .or_else(|| reader.nearest(name, site.group_paths()))
        }
        NameKind::Item => reader.nearest(name, site.item_names()),
        NameKind::Procedure => reader.nearest(name, site.procedure_names()),
        NameKind::Role => reader.nearest(name, site.role_names()),
        NameKind::Service => reader.nearest(name, site.service_names()),
    }
}

struct DeploymentChecker<'r, 's, 'd> {
    reader: &'r mut Reader<'s>,
    site: &'d Description,
    platforms: Vec<&'d str>,
    /// Cache of `are_disjoint`.
    disjoint: BTreeMap<(RoleId, RoleId), bool>,
}

/// Returns whether no server holds both roles, but false if no server holds `one`, which has a
/// finding of its own.
fn are_disjoint(site: &Description, one: RoleId, other: RoleId) -> bool {
    let (ones, others) = (&site[one].servers, &site[other].servers);
    let (fewer, role) = if ones.len() < others.len() {
        (ones, other)
    } else {
        (others, one)
    };
    let holds = |server: &ServerId| site[*server].roles.binary_search(&role).is_ok();
    !ones.is_empty() && !fewer.iter().any(holds)
}

impl<'d> DeploymentChecker<'_, '_, 'd> {
    /// Checks a step; `outer` is the one whose `on` applies to it.
    fn step(&mut self, step: &Step, outer: &Step) {
        let lists = step.items.iter().map(|members| &members.group);
        // An action that takes no groups has its finding already.
        let takes_groups = matches!(step.verb, Some(Verb::Uninstall | Verb::Install) | None);
        let groups = step.groups.iter().filter(|_| takes_groups);
        groups
            .clone()
            .chain(lists)
            .for_each(|name| self.alias(name));
        groups.for_each(|name| self.empty_group(name));
        self.groups_and_items_named_twice(step);
        self.parameters(step);
        if step.verb == Some(Verb::Initialize) {
            self.missing_parameters(step);
        }
        self.no_selected_server(step);
        self.no_common_server(step, outer);
    }

    fn names(&self, items: impl IntoIterator<Item = ItemId>) -> Vec<&'d str> {
        items
            .into_iter()
            .map(|item| self.site[item].name.as_str())
            .collect()
    }

    fn alias(&mut self, name: &Name<GroupId>) {
        let path = name.id.map(|id| &self.site[id].path);
        if let Some(path) = path.filter(|path| path.case_folded() != CaseFolded::of(&name.text)) {
            let message = format!("`{name}` is an alias of `{path}`");
            self.reader
                .report(Code::GroupByAlias, &name.span, message)
                .help("there is nothing to do");
        }
    }

    fn empty_group(&mut self, name: &Name<GroupId>) {
        let Some(group) = name.id else { return };
        if self
            .site
            .items_below(group)
            .iter()
            .all(|item| self.site[*item].is_procedure())
        {
            let message = format!("the group `{name}` holds no items");
            self.reader
                .report(Code::NoTargets, &name.span, message)
                .help("to run its procedures, name them in an `initialize` step");
        }
    }

    /// Checks that some server of the deployment is selected by the step's role and platform.
    fn no_selected_server(&mut self, step: &Step) {
        let named = step.on.as_ref().and_then(|on| Some((&on.span, on.id?)));
        let service = step.service.as_ref();
        let own = service.and_then(|service| Some((&service.span, self.site[service.id?].on)));
        let Some((span, role)) = named.or(own) else {
            return;
        };
        let servers = &self.site[role].servers;
        let (site, name) = (brief(&self.site.name), brief(&self.site[role].name));
        let platform = step.platform();
        let message = if servers.is_empty() {
            format!("no server of `{site}` holds the role `{name}`")
        } else if let Some(platform) = platform
            // A misspelled platform has a finding of its own.
            && platforms::misspelled(platform, &self.platforms).is_none()
            && !servers.iter().any(|server| has_platform(self.site, *server, Some(platform)))
        {
            format!("no server of `{site}` that holds the role `{name}` is {platform}")
        } else {
            return;
        };
        self.reader
            .report(Code::NoServers, span, message)
            .help("the step has no effect there");
    }

    /// Checks that some server holds both the step's role and the role of each service or item it
    /// names.
    fn no_common_server(&mut self, step: &Step, outer: &Step) {
        let Some((on, role)) = outer.on.as_ref().and_then(|on| Some((on, on.id?))) else {
            return;
        };
        let mut named = Vec::new();
        if let (Some(Verb::Service(_)), Some(service)) = (step.verb, &step.service)
            && let Some(id) = service.id
        {
            // A nested step has no `on` of its own to point at.
            let span = match step.within {
                Some(_) => &service.span,
                None => &on.span,
            };
            named.push((&service.text, span, self.site[id].on));
        }
        for item in step.named_items() {
            if let Some(own) = item.id.and_then(|id| self.site[id].on) {
                named.push((&item.text, &item.span, own));
            }
        }
        let verb = if step.service.is_some() { "runs" } else { "is" };
        for (name, span, own) in named {
            let disjoint = self.disjoint.entry((role, own));
            if !*disjoint.or_insert_with(|| are_disjoint(self.site, role, own)) {
                continue;
            }
            let (here, there) = (brief(&self.site[role].name), brief(&self.site[own].name));
            let message = format!(
                "`{name}` {verb} on `{there}`, but no server holds both that role and `{here}`"
            );
            self.reader
                .report(Code::NoCommonServer, span, message)
                .help("remove or correct `on`; the step has no effect there");
        }
    }

    fn groups_and_items_named_twice(&mut self, step: &Step) {
        self.named_twice(step, step.groups.iter().map(|group| (0, group)));
        let keys = step.items.iter().map(|members| (0, &members.group));
        self.named_twice(step, keys);
        let mut items = Vec::new();
        for (list, GroupItems { group, names }) in step.items.iter().enumerate() {
            // An item of another group has its finding already.
            let is_member =
                |name: &&Name<ItemId>| name.id.map(|item| self.site[item].group) == group.id;
            items.extend(names.iter().filter(is_member).map(|name| (list, name)));
        }
        self.named_twice(step, items);
    }

    /// Finds groups or items that a step names twice, by the same name or by two of their names. Each
    /// name has the number of its list.
    fn named_twice<'n, Id: Copy + Ord + 'n>(
        &mut self,
        step: &Step,
        names: impl IntoIterator<Item = (usize, &'n Name<Id>)>,
    ) {
        let mut seen = BTreeMap::new();
        for (list, name) in names {
            let Some(id) = name.id else { continue };
            let (first_list, first) = *seen.entry(id).or_insert((list, name));
            let message = match same_name(&first.text, &name.text) {
                // A word that is twice in one list is reported when the list is read.
                true if first_list == list => continue,
                true => format!("{} names `{name}` twice", step.quoted_name()),
                false => format!("`{first}` and `{name}` are the same"),
            };
            self.reader
                .report(Code::NamedTwice, &name.span, message)
                .note(format!("the first is on line {}", first.line))
                .help("remove one of them");
        }
    }

    /// Checks that the procedures for which a step has parameters exist, and that it runs them.
    fn parameters(&mut self, step: &Step) {
        let run: BTreeSet<_> = step.item_ids().collect();
        for ProcedureParameters { procedure, .. } in &step.parameters {
            let name = &procedure.text;
            let Some(id) = procedure.id else {
                let fault = Fault::Unknown {
                    kind: NameKind::Procedure,
                    site: brief(&self.site.name).to_owned(),
                    name: name.clone(),
                };
                let near = nearest_name(self.reader, self.site, &fault);
                report(self.reader, &procedure.problem(fault), near);
                continue;
            };
            let (code, message) = if !self.site[id].is_procedure() {
                let message = format!("`{name}` is not a procedure, so it has no parameters");
                (Code::WrongKind, message)
            } else if !run.contains(&id) {
                let message = format!("{} does not run `{name}`", step.quoted_name());
                (Code::InapplicableKey, message)
            } else {
                continue;
            };
            self.reader
                .report(code, &procedure.span, message)
                .help("name a procedure that the step lists in `items`");
        }
    }

    /// Checks that every parameter that a procedure needs is stored or passed. One that is passed
    /// under a similar name is misspelled, and not missing.
    fn missing_parameters(&mut self, step: &Step) {
        for name in step.named_items() {
            let Some(id) = name.id else { continue };
            let given: BTreeMap<&str, &Span> = step
                .parameters_of(id)
                .map(|(name, value)| (name.as_str(), &value.span))
                .collect();
            let item = &self.site[id];
            let meant = self.misspelled_parameters(&name.text, item, &given);
            let is_given = |need: &str| given.contains_key(need) || meant.contains(need);
            if let Some(fault) = missing_parameters(item, is_given) {
                report(self.reader, &name.problem(fault), None);
            }
        }
    }

    /// Reports values under names that are almost those that a procedure needs; returns these.
    fn misspelled_parameters(
        &mut self,
        procedure: &str,
        item: &'d Item,
        given: &BTreeMap<&str, &Span>,
    ) -> BTreeSet<&'d str> {
        let mut meant = BTreeSet::new();
        let ItemKind::Procedure {
            needs, parameters, ..
        } = &item.kind
        else {
            return meant;
        };
        let known = needs.iter().chain(parameters.keys()).map(String::as_str);
        let known: BTreeSet<&str> = known.collect();
        for (&other, &span) in given {
            if known.contains(other) {
                continue;
            }
            let open = needs
                .iter()
                .map(String::as_str)
                .filter(|need| !given.contains_key(need));
            let near = self
                .reader
                .suggestion(needs.len(), || misspelling_of(other, open));
            let Some(near) = near else { continue };
            let message = format!("`{procedure}` needs `{near}`, but gets `{other}`");
            self.reader
                .report(Code::MisspelledParameter, span, message)
                .did_you_mean(Some(near))
                .help(
                    "correct the name; a procedure may also get parameters that it does not need",
                );
            meant.insert(near);
        }
        meant
    }

    /// Finds whole groups to install that hold more items than earlier steps removed.
    fn wider_groups(&mut self, draft: &Draft) {
        let mut removed: BTreeSet<ItemId> = BTreeSet::new();
        for step in &draft.steps {
            removed.extend(step.removes());
            if step.verb != Some(Verb::Install) {
                continue;
            }
            let mut seen = BTreeSet::new();
            for name in &step.groups {
                // The same group under two names has a finding of its own.
                let Some(group) = name.id.filter(|group| seen.insert(*group)) else {
                    continue;
                };
                let mut more = self.site.items_below(group);
                more.retain(|item| !self.site[*item].is_procedure() && !removed.contains(item));
                if !more.is_empty() {
                    let names = some_of(self.names(more).into_iter());
                    let message =
                        format!("`{name}` also holds {names}, which no earlier step removed");
                    self.reader.report(Code::WiderGroup, &name.span, message).help("the step installs only the removed items; `--include-missing` adds the others");
                }
            }
        }
    }

    /// Finds items that are replaced on servers of a role of which no service restarts afterwards.
    fn missing_host_restarts(&mut self, draft: &Draft) {
        let mut removed: BTreeSet<ItemId> = BTreeSet::new();
        let mut replaced: BTreeMap<RoleId, (usize, BTreeSet<ItemId>)> = BTreeMap::new();
        for (at, step) in draft.steps.iter().enumerate() {
            removed.extend(step.removes());
            match (step.verb, &step.service) {
                (Some(Verb::Install), _) => {
                    let chosen = draft.installs(step, &removed);
                    for item in chosen.intersection(&removed).copied() {
                        if let Some(role) = self.site[item].on {
                            let (last, items) = replaced.entry(role).or_default();
                            *last = at;
                            items.insert(item);
                        }
                    }
                }
                (Some(Verb::Service(ServiceVerb::Restart | ServiceVerb::Start)), Some(service)) => {
                    let own = service.id.map(|service| self.site[service].on);
                    let on = step.outer(&draft.steps).on.as_ref().and_then(|on| on.id);
                    for role in own.into_iter().chain(on) {
                        replaced.remove(&role);
                    }
                }
                _ => {}
            }
        }
        for (role, (at, items)) in replaced {
            let services: Vec<&str> = self
                .site
                .services
                .iter()
                .filter(|service| service.on == role)
                .map(|service| service.name.as_str())
                .collect();
            if services.is_empty() {
                continue;
            }
            let message = format!(
                "{} replaces items on `{}`, but no later step restarts a service there",
                draft.steps[at].quoted_name(),
                self.site[role].name
            );
            let replaced = some_of(self.names(items).into_iter());
            let services = some_of(services.into_iter());
            self.reader
                .report(Code::NoServiceRestart, &draft.steps[at].span, message)
                .note(format!("it replaces {replaced}"))
                .help(format!("restart {services} there, if the vendor agrees"));
        }
    }
}
