//! Reading `deployment.toml`: the site, its roles, servers, products and services. The console tree
//! is the larger half and has its own file.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::console::Console;
use super::description::{
    DEFAULT_PLATFORM, Description, Index, ItemKind, Product, Role, RoleId, Server, ServerId,
    Service, ServiceId, named,
};
use super::platforms;
use super::shapes::DEPLOYMENT;
use crate::document::{Code, Findings, Placed, Reader, Source, Span, Table, read};
use crate::names::{CaseFolded, FileName, Kb};

/// Names that are reserved at the root of a deployment: those in use there or in the directory of
/// an item.
const AT_THE_ROOT: &[&str] = &[
    ".rollup",
    "Servers",
    "files",
    "deployment.toml",
    "applied.toml",
    "state.toml",
];

/// Names that are reserved in the directory of an item.
const IN_A_DIRECTORY: &[&str] = &[".rollup", "files", "state.toml"];

/// Reads and checks a `deployment.toml`. Returns `None` if there was an error.
pub fn parse(source: &Source, findings: &mut Findings) -> Option<Description> {
    let before = findings.errors();
    let described = read(source, &DEPLOYMENT, findings, |reader, top| {
        Site::new(reader).describe(top)
    })?;
    described.filter(|_| findings.errors() == before)
}

/// Description that is being read. `nameless` records that an entry's name could not be read: a
/// name that seems unknown may be that one.
pub(super) struct Site<'r, 's> {
    pub(super) reader: &'r mut Reader<'s>,
    pub(super) made: Description,
    nameless: Nameless,
    /// Line on which each name was given first, by kind.
    lines: BTreeMap<(&'static str, CaseFolded), u32>,
}

#[derive(Default)]
struct Nameless {
    roles: bool,
    servers: bool,
}

impl<'r, 's> Site<'r, 's> {
    fn new(reader: &'r mut Reader<'s>) -> Self {
        let share = FileName::parse("MSIShare").expect("an ordinary name");
        let made = Description {
            name: String::new(),
            product: String::new(),
            product_version: String::new(),
            share,
            applied: Vec::new(),
            roles: Vec::new(),
            servers: Vec::new(),
            products: Vec::new(),
            services: Vec::new(),
            groups: Vec::new(),
            items: Vec::new(),
            rehearsal_not_installed: Vec::new(),
            index: Index::default(),
        };
        Self {
            reader,
            made,
            nameless: Nameless::default(),
            lines: BTreeMap::new(),
        }
    }

    fn describe(mut self, top: &Table<'_>) -> Option<Description> {
        let astray =
            |reader: &Reader<'_>, key: &str| reader.is_stray(&top.span(), DEPLOYMENT.title, key);
        self.nameless.roles = astray(self.reader, "roles");
        self.nameless.servers = astray(self.reader, "servers");
        let name = self.reader.text(top, "name");
        let product = self.reader.text(top, "product");
        let version = self.reader.text(top, "product_version");
        let share = self.share(top);
        self.applied(top);
        self.roles(top);
        self.servers(top);
        self.products(top);
        self.services(top);
        let mut console = Console::new(self);
        console.read(top);
        let (mut site, rehearsed) = console.finish(top);
        site.made.rehearsal_not_installed = rehearsed;
        let names = Description {
            name: name?.value,
            product: product?.value,
            share: share?,
            ..site.made
        };
        Some(Description {
            product_version: version?.value,
            ..names
        })
    }

    fn share(&mut self, top: &Table<'_>) -> Option<FileName> {
        let share = self.reader.text(top, "share")?;
        let share = self.file_name(share)?;
        self.refuse_reserved(share.value.as_str(), &share.span, AT_THE_ROOT);
        self.made.share = share.value.clone();
        Some(share.value)
    }

    fn applied(&mut self, top: &Table<'_>) {
        for text in self.reader.texts_or_none(top, "applied") {
            let Some(kb) = self.reader.parsed(text, Code::BadValue, str::parse::<Kb>) else {
                continue;
            };
            match self.made.applied.contains(&kb.value) {
                true => {
                    let message = format!("`applied` lists {} twice", kb.value);
                    self.reader
                        .findings
                        .add(Code::DuplicateName, kb.span, message)
                        .help("remove one");
                }
                false => self.made.applied.push(kb.value),
            }
        }
    }

    fn roles(&mut self, top: &Table<'_>) {
        let lost = self.entries_lost(top, "roles");
        self.nameless.roles |= lost;
        for table in self.reader.tables(top, "roles") {
            let Some(name) = self
                .reader
                .text(&table, "name")
                .or_else(|| table.misspelled("name"))
            else {
                self.nameless.roles = true;
                continue;
            };
            let id = RoleId(self.made.roles.len());
            let aliases = self.aliases(&table);
            for name in std::iter::once(&name).chain(&aliases) {
                let taken = self
                    .made
                    .index
                    .roles
                    .insert(CaseFolded::of(&name.value), id);
                self.claim(name, "role", id.0, taken.map(|id| id.0));
            }
            self.made.roles.push(Role {
                name: name.value,
                aliases: values(aliases),
                servers: Vec::new(),
            });
        }
    }

    fn servers(&mut self, top: &Table<'_>) {
        let lost = self.entries_lost(top, "servers");
        self.nameless.servers |= lost;
        for table in self.reader.tables(top, "servers") {
            let name = self
                .reader
                .text(&table, "name")
                .or_else(|| table.misspelled("name"));
            let roles = self.reader.texts_or_none(&table, "roles");
            let platform = self.reader.text(&table, "platform");
            let Some(name) = name.and_then(|name| self.file_name(name)) else {
                self.nameless.servers = true;
                continue;
            };
            self.refuse_reserved(name.value.as_str(), &name.span, IN_A_DIRECTORY);
            let id = ServerId(self.made.servers.len());
            let taken = self.made.index.servers.insert(name.value.case_folded(), id);
            self.claim(&name, "server", id.0, taken.map(|id| id.0));
            let mut held = self.each_once(roles, "roles", Self::role);
            held.sort_unstable();
            held.iter()
                .for_each(|role| self.made.roles[role.0].servers.push(id));
            platform
                .iter()
                .for_each(|platform| platforms::check(self.reader, platform, &platforms::COMMON));
            let platform =
                platform.map_or_else(|| DEFAULT_PLATFORM.to_owned(), |platform| platform.value);
            self.made.servers.push(Server {
                name: name.value,
                roles: held,
                platform,
            });
        }
    }

    fn products(&mut self, top: &Table<'_>) {
        let mut stands: BTreeSet<(CaseFolded, ServerId)> = BTreeSet::new();
        for table in self.reader.tables(top, "products") {
            let name = self.reader.text(&table, "name");
            let service_pack = self.reader.number(&table, "service_pack");
            let servers = self.reader.texts_or_none(&table, "servers");
            let servers: Vec<ServerId> = self.each_once(servers, "servers", Self::server);
            let Some(name) = name else { continue };
            let case_folded = CaseFolded::of(&name.value);
            let again = servers
                .iter()
                .find(|server| !stands.insert((case_folded.clone(), **server)));
            if let Some(&server) = again {
                let message = format!(
                    "`{}` stands on `{}` twice",
                    name.value, self.made.servers[server.0].name
                );
                let finding =
                    self.reader
                        .findings
                        .add(Code::DuplicateName, name.span.clone(), message);
                finding.help("a server has a product once; remove it from one of the entries");
            }
            // At most nine digits, so it fits.
            let service_pack = service_pack.map_or(0, |pack| pack.value as u32);
            self.made.products.push(Product {
                name: name.value,
                service_pack,
                servers,
            });
        }
    }

    fn services(&mut self, top: &Table<'_>) {
        for table in self.reader.tables(top, "services") {
            let name = self.reader.text(&table, "name");
            let name = name.and_then(|name| self.file_name(name));
            let aliases = self.aliases(&table);
            let on = self.reader.text(&table, "on");
            let on = on.and_then(|role| self.role(&role));
            let (Some(name), Some(on)) = (name, on) else {
                continue;
            };
            let id = ServiceId(self.made.services.len());
            let own = Placed {
                value: name.value.to_string(),
                span: name.span,
            };
            for name in std::iter::once(&own).chain(&aliases) {
                let taken = self
                    .made
                    .index
                    .services
                    .insert(CaseFolded::of(&name.value), id);
                self.claim(name, "service", id.0, taken.map(|id| id.0));
            }
            self.made.services.push(Service {
                name: name.value,
                aliases: values(aliases),
                on,
            });
        }
    }

    /// Finds a role by name or alias, and reports one that is not described.
    pub(super) fn role(&mut self, wanted: &Placed<String>) -> Option<RoleId> {
        let found = self.made.role(&wanted.value);
        if found.is_none() && !self.nameless.roles {
            let names = self
                .made
                .roles
                .iter()
                .flat_map(|role| named(&role.name, &role.aliases));
            let near = self.reader.nearest(&wanted.value, names).map(str::to_owned);
            self.unknown(wanted, "role", near.as_deref(), "add it to `roles`");
        }
        found
    }

    fn server(&mut self, wanted: &Placed<String>) -> Option<ServerId> {
        let found = self.made.server(&wanted.value);
        if found.is_none() && !self.nameless.servers {
            let names = self.made.servers.iter().map(|server| server.name.as_str());
            let near = self.reader.nearest(&wanted.value, names).map(str::to_owned);
            self.unknown(wanted, "server", near.as_deref(), "add it to `servers`");
        }
        found
    }

    /// Reports that a name is unknown.
    pub(super) fn unknown(
        &mut self,
        wanted: &Placed<String>,
        kind: &str,
        near: Option<&str>,
        help: &str,
    ) {
        let message = format!("there is no {kind} `{}`", wanted.value);
        let finding = self
            .reader
            .findings
            .add(Code::UnknownHere, wanted.span.clone(), message);
        match near {
            Some(near) => finding.did_you_mean(Some(near)),
            None => finding.help(help),
        };
    }

    /// Reads the aliases, in the document's order.
    pub(super) fn aliases(&mut self, table: &Table<'_>) -> Vec<Placed<String>> {
        self.reader.texts_or_none(table, "aliases")
    }

    /// Parses a name that is safe on disk, or adds a finding.
    pub(super) fn file_name(&mut self, text: Placed<String>) -> Option<Placed<FileName>> {
        self.reader.parsed(text, Code::BadName, FileName::parse)
    }

    /// Refuses a name that is reserved at the root of a deployment.
    pub(super) fn refuse_at_root(&mut self, name: &str, span: &Span) {
        self.refuse_reserved(name, span, AT_THE_ROOT);
        if CaseFolded::of(name) == self.made.share.case_folded() {
            let finding = self.reader.findings.add(
                Code::Reserved,
                span.clone(),
                format!("`{name}` is the installer share"),
            );
            finding.help("give the group another name");
        }
    }

    /// Refuses a name that is reserved in the directory of an item.
    pub(super) fn refuse_in_directory(&mut self, name: &str, span: &Span) {
        self.refuse_reserved(name, span, IN_A_DIRECTORY);
    }

    fn refuse_reserved(&mut self, name: &str, span: &Span, reserved: &[&str]) {
        let case_folded = CaseFolded::of(name);
        if reserved
            .iter()
            .any(|reserved| CaseFolded::of(reserved) == case_folded)
        {
            let message = format!("`{name}` is a name that rollup keeps for itself");
            self.reader
                .findings
                .add(Code::Reserved, span.clone(), message)
                .help("choose another name");
        }
    }

    /// Records that a name belongs to the entry with this number, and reports it if this entry or
    /// another one already has the name.
    pub(super) fn claim(
        &mut self,
        name: &Placed<impl ToString>,
        kind: &'static str,
        id: usize,
        taken: Option<usize>,
    ) {
        let text = name.value.to_string();
        let line = self.reader.source.line(name.span.start);
        let Some(other) = taken else {
            self.lines.insert((kind, CaseFolded::of(&text)), line);
            return;
        };
        if other == id {
            let message = format!("the {kind} has the name `{text}` already");
            let finding = self
                .reader
                .findings
                .add(Code::DuplicateName, name.span.clone(), message);
            finding.help("case does not count; remove the alias");
            return;
        }
        let message = match self.lines.get(&(kind, CaseFolded::of(&text))) {
            Some(line) => {
                format!("there are two {kind}s with the name `{text}`; the first is on line {line}")
            }
            None => format!("there are two {kind}s with the name `{text}`"),
        };
        let finding = self
            .reader
            .findings
            .add(Code::DuplicateName, name.span.clone(), message);
        finding
            .note("case does not count, and aliases are names")
            .help("remove or rename one");
    }

    /// Resolves the names of a list, each entry once, and reports repetitions.
    pub(super) fn each_once<T: Copy + Ord>(
        &mut self,
        names: Vec<Placed<String>>,
        key: &str,
        known: impl Fn(&mut Self, &Placed<String>) -> Option<T>,
    ) -> Vec<T> {
        let mut seen = BTreeMap::new();
        let mut found = Vec::new();
        for name in names {
            let Some(one) = known(self, &name) else {
                continue;
            };
            match seen.entry(one) {
                Entry::Vacant(entry) => {
                    entry.insert(name.value);
                    found.push(one);
                }
                Entry::Occupied(first) => self.repeated(&name, key, first.get()),
            }
        }
        found
    }

    /// Reports that a list has something twice.
    pub(super) fn repeated(&mut self, name: &Placed<String>, key: &str, first: &str) {
        let message = match CaseFolded::of(first) == CaseFolded::of(&name.value) {
            true => format!("`{key}` lists `{}` twice", name.value),
            false => format!(
                "`{key}` lists `{first}` and `{}`, which are one",
                name.value
            ),
        };
        self.reader
            .findings
            .add(Code::DuplicateName, name.span.clone(), message)
            .help("remove one");
    }

    /// Returns whether a list has entries that are not tables, so that their names are unknown.
    pub(super) fn entries_lost(&self, top: &Table<'_>, key: &str) -> bool {
        top.has(key) && self.reader.list_length(top, key) != top.tables_in(key)
    }
}

/// Returns the values without their positions.
pub(super) fn values(placed: Vec<Placed<String>>) -> Vec<String> {
    placed.into_iter().map(|placed| placed.value).collect()
}

/// Returns the stored answers of a procedure, to be filled in once all procedures are known.
pub(super) fn answers(kind: &mut ItemKind) -> Option<&mut BTreeMap<String, String>> {
    match kind {
        ItemKind::Procedure { parameters, .. } => Some(parameters),
        ItemKind::Component { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = include_str!("../../../fixtures/hmc40/deployment.toml");

    fn found(text: &str) -> Vec<String> {
        let source = Source::new("deployment.toml", text);
        let mut findings = Findings::default();
        let parsed = parse(&source, &mut findings);
        assert_eq!(parsed.is_some(), findings.errors() == 0);
        let shown = |finding: &&crate::document::Finding| {
            let (line, _) = source.place(finding.span.start);
            format!("{line} {} {}", finding.code, finding.message)
        };
        findings.sorted().iter().map(shown).collect()
    }

    /// Returns the findings of a small site with `rest` below it; `rest` begins on line 8.
    fn site(rest: &str) -> Vec<String> {
        found(&format!(
            "schema = 1\nname = \"a\"\nproduct = \"b\"\nproduct_version = \"1\"\nshare = \"Share\"\n\
             roles = [{{ name = \"r\", aliases = [\"rr\"] }}]\nservers = [{{ name = \"S1\", roles = [\"R\"] }}]\n{rest}"
        ))
    }

    #[test]
    fn the_sample_has_no_findings_and_is_found_by_all_its_names() {
        assert_eq!(found(SAMPLE), [""; 0]);
        let description =
            parse(&Source::new("x", SAMPLE), &mut Findings::default()).expect("no errors");
        let group = description.group("mps web service").expect("by alias");
        assert_eq!(
            description.groups[group.0].path.as_str(),
            "MPS Web Services"
        );
        assert_eq!(description.items_below(group).len(), 9);
        assert_eq!(
            description
                .items_below(description.group("Hosted Exchange").expect("a prefix"))
                .len(),
            16
        );
        let item = description.item("hosted email 2007").expect("by alias");
        assert_eq!(
            description.items[item.0].name.as_str(),
            "Exchange 2007 Hosted Email"
        );
        assert_eq!(description.items[item.0].requires.len(), 4);
        let service = description
            .item("Hosted Email 2007 Web Service")
            .expect("there");
        let directories: Vec<_> = description
            .instances(service)
            .into_iter()
            .map(|instance| description.directory(instance).to_string())
            .collect();
        assert_eq!(
            directories[1],
            "MPS Web Services/Hosted Email 2007 Web Service/PROV02"
        );
        let ItemKind::Component {
            removable, product, ..
        } = &description.items[description.item("MPF Engine").expect("there").0].kind
        else {
            panic!("a component")
        };
        assert_eq!((*removable, product.as_str()), (false, "MPF Engine"));
        assert_eq!(description.rehearsal_not_installed.len(), 2);
        assert_eq!(
            description.nearest_group("Exchange Provisioning"),
            Some("Hosted Exchange/Exchange Provisioning")
        );
    }

    #[test]
    fn an_alias_stands_in_the_middle_of_a_path_too() {
        let text = SAMPLE.replace(
            "[requires]",
            "[[groups]]\npath = \"MPS Web Services/More\"\naliases = [\"M\"]\n[requires]",
        );
        let description =
            parse(&Source::new("x", text), &mut Findings::default()).expect("no errors");
        let group = description
            .group("Web Services/m")
            .expect("by both aliases");
        assert_eq!(
            description.groups[group.0].path.as_str(),
            "MPS Web Services/More"
        );
    }

    #[test]
    fn names_that_collide_with_ours_or_each_other_are_refused() {
        let text = "[[groups]]\npath = \"servers/x\"\n[[groups]]\npath = \"SHARE\"\n[[groups]]\npath = \"G\"\naliases = [\"servers\"]\n\
                    items = [{ name = \"X\", installer = \"x.msi\" }, { name = \"x\", installer = \"a/b\" }, { name = \"files\", installer = \"f.msi\" }]\n\
                    [[groups]]\npath = \"G/X\"\n[[groups]]\npath = \"g\"\n";
        assert_eq!(
            site(text),
            [
                "9 RU0501 `servers/x` is a name that rollup keeps for itself",
                "11 RU0501 `SHARE` is the installer share",
                "14 RU0108 there are two groups with the name `servers`",
                "15 RU0502 the directory of `X` is that of the group `G/X`",
                "15 RU0108 there are two items with the name `x`; the first is on line 15",
                "15 RU0502 the directory of `x` is that of the group `G/X`",
                "15 RU0107 `a/b` cannot be used: a name cannot contain the path separator `/`",
                "15 RU0501 `files` is a name that rollup keeps for itself",
                "19 RU0108 there are two groups with the name `g`; the first is on line 13",
            ]
            .map(|line| line.replace("`servers/x` is a", "`servers` is a"))
        );
    }

    #[test]
    fn requirements_are_checked() {
        let text = "[[groups]]\npath = \"G\"\nitems = [{ name = \"A\", installer = \"a.msi\" }, { name = \"B\", installer = \"b.msi\" }]\n\
                    procedures = [{ name = \"P\" }]\n[requires]\nA = [\"B\"]\nB = [\"a\"]\nP = [\"A\", \"Q\"]\nC = [\"A\"]\n[parameters]\nA = { x = \"1\" }\n";
        let text = text.replace("P = [\"A\", \"Q\"]", "P = [\"A\", \"P\"]");
        assert_eq!(
            site(&text),
            [
                "13 RU0503 `A` requires `B` requires `A`",
                "15 RU0504 `P` is a procedure, which nothing can require",
                "16 RU0505 there is no item `C`",
                "18 RU0505 there is no procedure `A`",
            ]
        );
    }

    #[test]
    fn one_fault_does_not_cause_others() {
        let broken = SAMPLE.replace("{ name = \"sql\" }", "{ nam = \"sql\" }");
        assert_eq!(found(&broken).len(), 1, "{:?}", found(&broken));
        let broken = SAMPLE.replace("name = \"MPF Engine\", ", "name = \"MPF Engine.\", ");
        assert_eq!(found(&broken).len(), 1, "{:?}", found(&broken));
        let broken = SAMPLE.replace("roles = [\"sql\"]", "roles = [\"sqll\"]");
        assert_eq!(found(&broken), ["31 RU0505 there is no role `sqll`"]);
    }

    #[test]
    fn paths_that_windows_cannot_open_are_a_warning() {
        let long = "x".repeat(120);
        let text = format!(
            "[[groups]]\npath = \"{long}\"\nitems = [{{ name = \"{long}\", installer = \"x.msi\" }}]\n"
        );
        assert_eq!(site(&text)[0][..9], *"10 RU0109");
    }
}
