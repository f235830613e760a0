//! Rules that a deployment sets to a manifest, each written once: the validator makes a finding of
//! a problem, and the planner a reason to refuse.

use super::draft::RollupDraft;
use super::*;
use crate::deployment::description::{Description, Item, ItemKind, ServerId};
use crate::document::{Code, brief, some_of};
use crate::names::same_name;

/// Rule that a manifest breaks, with the place.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{fault}")]
pub struct Problem {
    /// The broken rule.
    pub fault: Fault,
    /// Place in the manifest.
    pub span: Span,
    /// The line in the manifest, from 1.
    pub line: u32,
}

/// Rule that a manifest breaks in a deployment, with the names that it is about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The rollup is for another product.
    #[error("{rollup} is for `{wanted}`, and this deployment is `{found}`")]
    OtherProduct {
        rollup: String,
        wanted: String,
        found: String,
    },
    /// The rollup is for other versions of the product.
    #[error("{rollup} is for version {wanted} of `{product}`, and this deployment has {found}")]
    OtherVersion {
        rollup: String,
        wanted: String,
        product: String,
        found: String,
    },
    /// No server that is online has a product.
    #[error("`{product}` is required, but no server has it")]
    NoProduct { product: String },
    /// The console does not list an item that a prerequisite names.
    #[error("`{name}` is required, and the console of `{site}` does not list it")]
    UnlistedItem { site: String, name: String },
    /// The deployment lacks a product or an item that it need not have.
    #[error(
        "`{site}` has no {} `{name}`, so this {} there",
        if *.is_item { "item" } else { "product" },
        if *.holds { "condition holds" } else { "alternative does not hold" }
    )]
    NotThere {
        site: String,
        name: String,
        is_item: bool,
        /// True if the product or item must be absent.
        holds: bool,
    },
    /// The deployment does not have a name.
    #[error("the deployment `{site}` has no {kind} `{name}`")]
    Unknown {
        kind: NameKind,
        site: String,
        name: String,
    },
    /// A server is named in place of a role.
    #[error("`{name}` is a server, but a manifest names roles")]
    Server { name: String, roles: String },
    /// A prerequisite names a procedure.
    #[error("`{name}` is a procedure, and procedures are never installed")]
    NeverInstalled { name: String },
    /// A step names an item in place of a procedure, or the reverse.
    #[error("`{name}` is {}a procedure", if *.is_procedure { "" } else { "not " })]
    WrongKind { name: String, is_procedure: bool },
    /// An item is a member of another group.
    #[error("`{name}` is not directly in `{group}`")]
    NotAMember {
        name: String,
        group: RelPath,
        of: RelPath,
    },
    /// A step removes an item that may not be removed.
    #[error("`{name}` may not be removed")]
    NotRemovable { name: String },
    /// A step removes a group with items that may not be removed.
    #[error("`{group}` holds {items}, which may not be removed")]
    HoldsNotRemovable { group: String, items: String },
    /// A procedure gets no value for a parameter.
    #[error(
        "the procedure `{procedure}` requires the parameter{} {}, which {} no value",
        if missing.len() == 1 { "" } else { "s" },
        some_of(missing.iter().map(String::as_str)),
        if missing.len() == 1 { "has" } else { "have" }
    )]
    MissingParameters {
        procedure: String,
        missing: Vec<String>,
    },
    /// A nested step names an item that the servers share.
    #[error("`{name}` is on no server, but a nested step concerns one server at a time")]
    OnNoServer { name: String },
    /// Two files of the payload are copied to one path.
    #[error("`{file}` would replace `{other}`, which {copied_by} copies to the same path{}", on(server.as_deref()))]
    CopiedOver {
        file: String,
        other: String,
        copied_by: String,
        /// Server on which it happens, if only a deployment shows it.
        server: Option<String>,
    },
    /// A step has a text for a parameter that is secret.
    #[error("the manifest contains the secret `{parameter}` of `{procedure}`")]
    SecretInManifest {
        procedure: String,
        parameter: String,
    },
}

/// Kinds of names that a deployment lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameKind {
    Group,
    Item,
    Procedure,
    Role,
    Service,
}

impl std::fmt::Display for NameKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            NameKind::Group => "group",
            NameKind::Item => "item",
            NameKind::Procedure => "procedure",
            NameKind::Role => "role",
            NameKind::Service => "service",
        })
    }
}

impl NameKind {
    /// Returns the kind of finding for a name that the deployment does not have.
    fn unknown(self) -> Code {
        match self {
            NameKind::Group => Code::NoSuchGroup,
            NameKind::Item | NameKind::Procedure => Code::NoSuchItem,
            NameKind::Role => Code::NoSuchRole,
            NameKind::Service => Code::NoSuchService,
        }
    }
}

fn on(server: Option<&str>) -> String {
    server
        .map(|server| format!(" on `{server}`"))
        .unwrap_or_default()
}

impl Fault {
    /// Returns the kind of finding.
    pub fn code(&self) -> Code {
        self.code_and_help().0
    }

    /// Returns advice on how to fix it, if there is any.
    pub fn help(&self) -> Option<&'static str> {
        self.code_and_help().1
    }

    fn code_and_help(&self) -> (Code, Option<&'static str>) {
        let (code, help) = match self {
            Fault::OtherProduct { .. } | Fault::OtherVersion { .. } => {
                return (Code::OtherProduct, None);
            }
            Fault::UnlistedItem { .. } => return (Code::UnlistedItem, None),
            Fault::Server { .. } => return (Code::NoSuchRole, None),
            Fault::NoProduct { .. } => (
                Code::NoSuchProduct,
                "install it, then list it in `products` of `deployment.toml`",
            ),
            Fault::NotThere { is_item, .. } => (
                match is_item {
                    true => Code::UnlistedItem,
                    false => Code::NoSuchProduct,
                },
                "correct the name, if it is misspelled",
            ),
            Fault::Unknown { kind, .. } => (
                kind.unknown(),
                "see `deployment.toml`, which lists all names, installed or not",
            ),
            Fault::NeverInstalled { .. } => (
                Code::WrongKind,
                "name the item that the procedure configures",
            ),
            Fault::WrongKind { .. } => (
                Code::WrongKind,
                "`initialize` runs procedures; `install` and `uninstall` take items",
            ),
            Fault::NotAMember { .. } => (Code::NotAMember, "list it below its own group"),
            Fault::NotRemovable { .. } => (Code::NotRemovable, "remove it from the step"),
            Fault::HoldsNotRemovable { .. } => {
                (Code::NotRemovable, "list the other items under `items`")
            }
            Fault::MissingParameters { .. } => (
                Code::MissingParameter,
                "store it under `[parameters]` in `deployment.toml`, or set it in the step's `parameters` if \
                 it is not secret",
            ),
            Fault::CopiedOver { .. } => (
                Code::CopiedOver,
                "a copy has the name without its directories, so the two files need different targets",
            ),
            Fault::SecretInManifest { .. } => (
                Code::SecretInManifest,
                "remove it, and store its place under `[parameters]` in `deployment.toml`, such as \
                 `{ env = \"NAME\" }`; or list it in `public` of the procedure if it is not secret",
            ),
            Fault::OnNoServer { .. } => (
                Code::NestedStep,
                "name it in a step above or below the `each-server` step",
            ),
        };
        (code, Some(help))
    }

    /// Returns the text at the carets, if there is one.
    pub(super) fn label(&self) -> Option<String> {
        match self {
            Fault::Server { roles, .. } => Some(format!("it holds {roles}")),
            Fault::NotAMember { of, .. } => Some(format!("it is in `{of}`")),
            _ => None,
        }
    }
}

/// Checks that a rollup is for the product and version of a deployment.
pub(super) fn of_rollup(site: &Description, rollup: &RollupDraft) -> Vec<Problem> {
    let name = match &rollup.kb {
        Some(kb) => kb.value.to_string(),
        None => "the rollup".to_owned(),
    };
    let mut problems = Vec::new();
    let mut add = |fault: Option<Fault>, span: &Span| {
        problems.extend(fault.map(|fault| Problem {
            fault,
            span: span.clone(),
            line: 0,
        }));
    };
    if let Some(product) = &rollup.product {
        add(other_product(site, &name, &product.value), &product.span);
    }
    if let Some(first) = rollup.product_versions.first() {
        let versions = rollup
            .product_versions
            .iter()
            .map(|version| version.value.as_str())
            .collect();
        add(other_version(site, &name, versions), &first.span);
    }
    problems
}

fn other_product(site: &Description, rollup: &str, wanted: &str) -> Option<Fault> {
    (!site.is_product(wanted)).then(|| Fault::OtherProduct {
        rollup: rollup.to_owned(),
        wanted: wanted.to_owned(),
        found: site.product.clone(),
    })
}

fn other_version(site: &Description, rollup: &str, wanted: Vec<&str>) -> Option<Fault> {
    let is_other = !wanted.contains(&site.product_version.as_str());
    is_other.then(|| Fault::OtherVersion {
        rollup: rollup.to_owned(),
        wanted: wanted.join(", "),
        product: site.product.clone(),
        found: site.product_version.clone(),
    })
}

impl Rollup {
    /// Returns the reason why it is not for the product or version of a deployment.
    pub fn refuted_by(&self, site: &Description) -> Option<Fault> {
        let name = self.kb.to_string();
        let versions = self.product_versions.iter().map(String::as_str).collect();
        other_product(site, &name, &self.product).or_else(|| other_version(site, &name, versions))
    }
}

/// Product on a server, as `deployment.toml` documents it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledProduct {
    /// Service pack; 0 for none.
    pub service_pack: u32,
    /// Version, if it is documented.
    pub version: Option<String>,
}

/// Products by case-folded name, with the state on each server that is online and has it.
pub(super) type InstalledProducts = BTreeMap<CaseFolded, BTreeMap<ServerId, InstalledProduct>>;

/// Returns the products that servers have.
pub(super) fn installed_products(site: &Description) -> InstalledProducts {
    let mut installed = InstalledProducts::new();
    for entry in &site.products {
        for &server in entry
            .servers
            .iter()
            .filter(|server| !site[**server].offline)
        {
            let servers = installed.entry(CaseFolded::of(&entry.name)).or_default();
            let product = InstalledProduct {
                service_pack: entry.service_pack,
                version: entry.version.clone(),
            };
            servers.insert(server, product);
        }
    }
    for entry in &site.products {
        let Some(servers) = installed.get(&CaseFolded::of(&entry.name)).cloned() else {
            continue;
        };
        for alias in &entry.aliases {
            installed.insert(CaseFolded::of(alias), servers.clone());
        }
    }
    installed
}

/// Checks that every parameter that a procedure needs is stored, or given by a step.
pub(super) fn missing_parameters(item: &Item, is_given: impl Fn(&str) -> bool) -> Option<Fault> {
    let ItemKind::Procedure {
        needs, parameters, ..
    } = &item.kind
    else {
        return None;
    };
    let is_open = |need: &&String| !parameters.contains_key(*need) && !is_given(need);
    let missing: Vec<String> = needs.iter().filter(is_open).cloned().collect();
    (!missing.is_empty()).then(|| Fault::MissingParameters {
        procedure: item.name.to_string(),
        missing,
    })
}

/// Returns the files that steps copy over each other on a server, though for different servers by
/// their keys: a server may hold several roles. Steps with the same keys have their finding already.
pub(super) fn copied_over(site: &Description, steps: &[Step]) -> Vec<Problem> {
    let mut by_name: BTreeMap<CaseFolded, Vec<_>> = BTreeMap::new();
    for step in steps {
        if let Some(CopyTarget::Servers(directory)) = &step.to {
            let directory = directory.as_ref().map(RelPath::case_folded);
            for file in &step.files {
                let copies = by_name.entry(file.text.file_name().case_folded());
                let copy = (step, directory.clone(), file);
                copies.or_default().push(copy);
            }
        }
    }
    let mut problems = Vec::new();
    for copies in by_name.into_values() {
        let files: BTreeSet<_> = copies
            .iter()
            .map(|(_, _, file)| file.text.case_folded())
            .collect();
        if files.len() > 1 {
            problems.extend(copied_to_one_path(site, steps, copies));
        }
    }
    problems
}

/// File that a step copies, with its directory below `Files`.
type FileCopy<'s> = (&'s Step, Option<CaseFolded>, &'s Name<RowId, PayloadPath>);

/// Returns the copies that replace an earlier one of another file.
fn copied_to_one_path(
    site: &Description,
    steps: &[Step],
    copies: Vec<FileCopy<'_>>,
) -> Vec<Problem> {
    let mut copied = BTreeMap::new();
    let mut problems = Vec::new();
    for (step, directory, file) in copies {
        for server in step.outer(steps).online_servers(site) {
            let place = (server, directory.clone());
            let (first, other) = *copied.entry(place).or_insert((step, &file.text));
            let is_same_file = other.case_folded() == file.text.case_folded();
            if is_same_file || first.outer(steps).servers() == step.outer(steps).servers() {
                continue;
            }
            problems.push(file.problem(Fault::CopiedOver {
                file: file.text.to_string(),
                other: other.to_string(),
                copied_by: first.reference(),
                server: Some(site[server].name.to_string()),
            }));
            break;
        }
    }
    problems
}

impl Step {
    /// Returns the platform to which it is limited.
    pub(super) fn platform(&self) -> Option<&str> {
        self.platform
            .as_ref()
            .map(|platform| platform.value.as_str())
    }

    /// Returns the servers of its role that are online and have its platform.
    fn online_servers(&self, site: &Description) -> Vec<ServerId> {
        let role = self.on.as_ref().and_then(|on| on.id);
        role.map(|role| online_servers(site, role, self.platform()))
            .unwrap_or_default()
    }
}

/// Returns the online servers of a role, narrowed by platform, in the description's order.
pub(super) fn online_servers(
    site: &Description,
    role: RoleId,
    platform: Option<&str>,
) -> Vec<ServerId> {
    let servers = site.online_servers(role);
    servers
        .filter(|server| has_platform(site, *server, platform))
        .collect()
}

pub(super) fn has_platform(site: &Description, server: ServerId, platform: Option<&str>) -> bool {
    platform.is_none_or(|platform| same_name(&site[server].platform, platform))
}

/// Rules for the names of a manifest, which were looked up; each problem is reported.
pub(super) struct Rules<'d, R> {
    site: &'d Description,
    products: InstalledProducts,
    report: R,
}

impl<'d, R: FnMut(Problem)> Rules<'d, R> {
    pub(super) fn new(site: &'d Description, report: R) -> Self {
        Self {
            site,
            products: installed_products(site),
            report,
        }
    }
}

impl<Id, T> Name<Id, T> {
    /// Returns a problem at the place of the name.
    pub(super) fn problem(&self, fault: Fault) -> Problem {
        Problem {
            fault,
            span: self.span.clone(),
            line: self.line,
        }
    }
}

impl<R: FnMut(Problem)> Rules<'_, R> {
    /// Adds a fault of a name.
    fn add<Id>(&mut self, name: &Name<Id>, fault: impl FnOnce(String) -> Fault) {
        let fault = fault(name.text.clone());
        (self.report)(name.problem(fault));
    }

    /// Adds a name that the deployment does not have.
    fn known<Id>(&mut self, kind: NameKind, name: &Name<Id>) {
        if name.id.is_none() {
            let site = brief(&self.site.name).to_owned();
            self.add(name, |name| Fault::Unknown { kind, site, name });
        }
    }

    pub(super) fn condition(&mut self, condition: &Condition, line: u32) {
        match condition {
            Condition::Site(condition) => {
                let is_required = !condition.wants_absence();
                self.site_condition(condition, line, is_required);
            }
            Condition::Any { any } => {
                for condition in any {
                    self.site_condition(condition, line, false);
                }
            }
            Condition::Confirm { .. } => {}
        }
    }

    /// Checks the names of a condition. If it is not required, an unknown one is at most misspelled.
    fn site_condition(&mut self, condition: &SiteCondition, line: u32, is_required: bool) {
        let holds = condition.wants_absence();
        let site = brief(&self.site.name).to_owned();
        match &condition.subject {
            ConditionSubject::Product { product, on } => {
                on.iter().for_each(|role| self.role(role));
                let Placed { value: name, span } = product.clone();
                if self.products.contains_key(&CaseFolded::of(&name)) {
                    return;
                }
                let fault = match is_required {
                    true => Fault::NoProduct { product: name },
                    false => Fault::NotThere {
                        site,
                        name,
                        is_item: false,
                        holds,
                    },
                };
                (self.report)(Problem { fault, span, line });
            }
            ConditionSubject::Item { item } => {
                let name = item.text.clone();
                let fault = match item.id {
                    Some(id) if self.site[id].is_procedure() => Fault::NeverInstalled { name },
                    Some(_) => return,
                    None if is_required => Fault::UnlistedItem { site, name },
                    None => Fault::NotThere {
                        site,
                        name,
                        is_item: true,
                        holds,
                    },
                };
                (self.report)(item.problem(fault));
            }
        }
    }

    pub(super) fn step(&mut self, step: &Step) {
        step.on.iter().for_each(|role| self.role(role));
        if let Some(service) = &step.service {
            self.known(NameKind::Service, service);
        }
        for GroupItems { group, names } in &step.items {
            self.known(NameKind::Group, group);
            for name in names {
                self.member(step, group, name);
            }
        }
        self.secrets(step);
        // An action that takes no groups has its finding already.
        if matches!(step.verb, Some(Verb::Uninstall | Verb::Install) | None) {
            for group in &step.groups {
                self.known(NameKind::Group, group);
                if step.verb == Some(Verb::Uninstall) {
                    self.removed_group(group);
                }
            }
        }
    }

    /// Checks that the step has no text for a parameter that is secret.
    fn secrets(&mut self, step: &Step) {
        for ProcedureParameters { procedure, values } in &step.parameters {
            let Some(item) = procedure.id.map(|id| &self.site[id]) else {
                continue;
            };
            for (parameter, value) in values {
                if item.has_secret(parameter) {
                    let fault = Fault::SecretInManifest {
                        procedure: procedure.text.clone(),
                        parameter: parameter.clone(),
                    };
                    (self.report)(Problem {
                        fault,
                        span: value.span.clone(),
                        line: procedure.line,
                    });
                }
            }
        }
    }

    fn role(&mut self, name: &Name<RoleId>) {
        let server = self.site.server(&name.text);
        let Some(server) = server.filter(|_| name.id.is_none()) else {
            return self.known(NameKind::Role, name);
        };
        let roles = &self.site[server].roles;
        let names = roles.iter().map(|role| self.site[*role].name.as_str());
        let roles = match roles.is_empty() {
            true => "no role".to_owned(),
            false => some_of(names),
        };
        self.add(name, |name| Fault::Server { name, roles });
    }

    fn member(&mut self, step: &Step, group: &Name<GroupId>, name: &Name<ItemId>) {
        let runs = step.verb == Some(Verb::Initialize);
        let Some(item) = name.id.map(|id| &self.site[id]) else {
            let kind = if runs {
                NameKind::Procedure
            } else {
                NameKind::Item
            };
            return self.known(kind, name);
        };
        let is_procedure = item.is_procedure();
        if is_procedure != runs {
            return self.add(name, |name| Fault::WrongKind { name, is_procedure });
        }
        if let Some(id) = group.id.filter(|id| *id != item.group) {
            let group = self.site[id].path.clone();
            let of = self.site[item.group].path.clone();
            self.add(name, |name| Fault::NotAMember { name, group, of });
        }
        if step.verb == Some(Verb::Uninstall) && is_fixed(item) {
            self.add(name, |name| Fault::NotRemovable { name });
        }
        if step.within.is_some() && item.on.is_none() {
            self.add(name, |name| Fault::OnNoServer { name });
        }
    }

    fn removed_group(&mut self, name: &Name<GroupId>) {
        let Some(group) = name.id else { return };
        let mut fixed = Vec::new();
        for item in self.site.items_below(group) {
            if is_fixed(&self.site[item]) {
                fixed.push(self.site[item].name.as_str());
            }
        }
        if !fixed.is_empty() {
            let items = some_of(fixed.into_iter());
            self.add(name, |group| Fault::HoldsNotRemovable { group, items });
        }
    }
}

fn is_fixed(item: &Item) -> bool {
    matches!(
        item.kind,
        ItemKind::Component {
            removable: false,
            ..
        }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Binding relies on it: a name without an id is always a reason to refuse.
    #[test]
    fn a_name_that_the_deployment_lacks_is_an_error() {
        use crate::document::Severity;
        let kinds = [
            NameKind::Group,
            NameKind::Item,
            NameKind::Procedure,
            NameKind::Role,
            NameKind::Service,
        ];
        for kind in kinds {
            let fault = Fault::Unknown {
                kind,
                site: "site".to_owned(),
                name: "name".to_owned(),
            };
            assert_eq!(fault.code().level(), Severity::Error, "{kind}");
        }
    }
}
