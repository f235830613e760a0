//! Reading `deployment.toml`: the site, its roles, servers, products and services. The console tree
//! is the larger half and has its own file.

use std::collections::{BTreeMap, BTreeSet};

use super::console::ConsoleReader;
use super::description::{
    ApprovalRules, DEFAULT_PLATFORM, Description, Product, RequiredApprovals, Role, RoleId, Server,
    ServerId, Service, ServiceId,
};
use super::platforms;
use super::shapes::DEPLOYMENT;
use super::site_reader::{AT_THE_ROOT, SiteReader, values};
use crate::document::{Code, Findings, Placed, Source, Table, read};
use crate::names::{CaseFolded, FileName, Kb, RelPath};

/// Reads and checks a `deployment.toml`. Returns `None` if there was an error.
pub fn parse(source: &Source, findings: &mut Findings) -> Option<Description> {
    let before = findings.errors();
    let described = read(source, &DEPLOYMENT, findings, |reader, top| {
        SiteReader::new(reader).describe(top)
    })?;
    described.filter(|_| findings.errors() == before)
}

impl SiteReader<'_, '_> {
    fn describe(mut self, top: &Table<'_>) -> Option<Description> {
        self.nameless.roles = self.reader.is_stray(top, "roles");
        self.nameless.servers = self.reader.is_stray(top, "servers");
        let name = self.reader.text(top, "name");
        let product = self.reader.text(top, "product");
        let aliases = self.reader.texts_or_none(top, "product_aliases");
        self.product_aliases(product.as_ref(), aliases);
        let version = self.reader.text(top, "product_version");
        let share = self.share(top);
        self.applied(top);
        self.roles(top);
        self.servers(top);
        self.products(top);
        self.services(top);
        self.approval(top);
        let mut console = ConsoleReader::new(self);
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

    /// Reads the other names of the product.
    fn product_aliases(&mut self, product: Option<&Placed<String>>, aliases: Vec<Placed<String>>) {
        let mut seen = BTreeSet::new();
        for name in product.into_iter().chain(&aliases) {
            let is_repeated = !seen.insert(CaseFolded::of(&name.value));
            self.claim(name, "deployment's product", 0, is_repeated.then_some(0));
        }
        self.made.product_aliases = values(aliases);
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
            let Some(kb) = self
                .reader
                .parsed(text, Code::InvalidValue, str::parse::<Kb>)
            else {
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

    /// Reads the signatures that a run needs.
    fn approval(&mut self, top: &Table<'_>) {
        let Some(table) = self.reader.table(top, "approval") else {
            return;
        };
        let required = self.reader.number(&table, "required");
        let signers = self.signers_file(&table, "signers");
        let manifest_signers = self.signers_file(&table, "manifest_signers");
        for (key, other, example) in [
            ("required", "signers", "signers = \"allowed_signers\""),
            ("signers", "required", "required = 1"),
        ] {
            if table.has(key) && !table.has(other) && !self.reader.is_stray(&table, other) {
                self.reader.missing(&table, other, example);
            }
        }
        if table.keys().is_empty() {
            self.reader.missing(&table, "required", "required = 1");
        }
        if let Some(number) = required.as_ref().filter(|number| number.value == 0) {
            let message = "`required` is 0, but must be at least 1";
            self.reader
                .report(Code::OutOfRange, &number.span, message)
                .help("without `required` and `signers` no plan needs an approval");
        }
        let plans = required
            .zip(signers)
            .map(|(required, signers)| RequiredApprovals {
                // The key has at most two digits.
                required: required.value as usize,
                signers,
            });
        self.made.approval = Some(ApprovalRules {
            plans,
            manifest_signers,
        });
    }

    fn signers_file(&mut self, table: &Table<'_>, key: &str) -> Option<RelPath> {
        let path = self.reader.text(table, key)?;
        let path = self
            .reader
            .parsed(path, Code::InvalidValue, RelPath::parse)?;
        Some(path.value)
    }

    fn roles(&mut self, top: &Table<'_>) {
        let lost = self.entries_lost(top, "roles");
        self.nameless.roles |= lost;
        for table in self.reader.tables(top, "roles") {
            let Some(name) = self.reader.text(&table, "name") else {
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
            let name = self.reader.text(&table, "name");
            let roles = self.reader.texts_or_none(&table, "roles");
            let platform = self.reader.text(&table, "platform");
            let offline = self.reader.flag(&table, "offline");
            let Some(name) = name.and_then(|name| self.file_name(name)) else {
                self.nameless.servers = true;
                continue;
            };
            self.refuse_in_directory(name.value.as_str(), &name.span);
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
                offline: offline.is_some_and(|offline| offline.value),
            });
        }
    }

    fn products(&mut self, top: &Table<'_>) {
        let mut listed: BTreeSet<(CaseFolded, ServerId)> = BTreeSet::new();
        // The first entry that has each name, of those with the same name.
        let mut names: BTreeMap<CaseFolded, CaseFolded> = BTreeMap::new();
        for table in self.reader.tables(top, "products") {
            let name = self.reader.text(&table, "name");
            let aliases = self.aliases(&table);
            let service_pack = self.reader.number(&table, "service_pack");
            let version = self.reader.text(&table, "version");
            let servers = self.reader.texts_or_none(&table, "servers");
            let servers: Vec<ServerId> = self.each_once(servers, "servers", Self::server);
            let Some(name) = name else { continue };
            let case_folded = CaseFolded::of(&name.value);
            let repeated = servers
                .iter()
                .find(|server| !listed.insert((case_folded.clone(), **server)));
            if let Some(&server) = repeated {
                let message = format!(
                    "`{}` is on `{}` twice",
                    name.value, self.made.servers[server.0].name
                );
                let finding =
                    self.reader
                        .findings
                        .add(Code::DuplicateName, name.span.clone(), message);
                finding.help("a server has a product once; remove it from one of the entries");
            }
            self.product_names(&mut names, &name, &aliases);
            // The key has at most nine digits.
            let service_pack = service_pack.map_or(0, |pack| pack.value as u32);
            self.made.products.push(Product {
                name: name.value,
                aliases: values(aliases),
                service_pack,
                version: version.map(|version| version.value),
                servers,
            });
        }
    }

    /// Adds the names of a product to those of all products, by the first name of their entry. Only
    /// entries with the same name may share an alias.
    fn product_names(
        &mut self,
        names: &mut BTreeMap<CaseFolded, CaseFolded>,
        name: &Placed<String>,
        aliases: &[Placed<String>],
    ) {
        let own = CaseFolded::of(&name.value);
        let mut seen = BTreeSet::new();
        for other in std::iter::once(name).chain(aliases) {
            let folded = CaseFolded::of(&other.value);
            let owner = names.entry(folded.clone()).or_insert_with(|| own.clone());
            if *owner != own {
                self.claim(other, "product", 0, Some(1));
            } else if !seen.insert(folded) {
                self.claim(other, "product", 0, Some(0));
            }
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::description::ItemKind;

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
            .expect("an item");
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
        } = &description.items[description.item("MPF Engine").expect("an item").0].kind
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
    fn an_alias_may_replace_any_part_of_a_path() {
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
    fn reserved_names_and_repeated_names_are_refused() {
        let text = "[[groups]]\npath = \"servers/x\"\n[[groups]]\npath = \"SHARE\"\n[[groups]]\npath = \"G\"\naliases = [\"servers\"]\n\
                    items = [{ name = \"X\", installer = \"x.msi\" }, { name = \"x\", installer = \"a/b\" }, { name = \"files\", installer = \"f.msi\" }]\n\
                    [[groups]]\npath = \"G/X\"\n[[groups]]\npath = \"g\"\n";
        assert_eq!(
            site(text),
            [
                "9 RU0501 `servers/x` is a name that rollup reserves",
                "11 RU0501 `SHARE` is the installer share",
                "14 RU0108 there are two groups with the name `servers`",
                "15 RU0502 the directory of `X` is that of the group `G/X`",
                "15 RU0108 there are two items with the name `x`; the first is on line 15",
                "15 RU0502 the directory of `x` is that of the group `G/X`",
                "15 RU0107 `a/b` cannot be used: a name cannot contain the path separator `/`",
                "15 RU0501 `files` is a name that rollup reserves",
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
                "15 RU0504 `P` is a procedure, which cannot be required",
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
