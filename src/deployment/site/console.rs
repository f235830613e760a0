//! Reading the console tree of `deployment.toml`: groups, items, procedures, and `[requires]`.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use super::description::{Group, GroupId, Item, ItemId, ItemKind, RoleId};
use super::parameters::{SecretSource, StoredParameter};
use super::site_reader::{SiteReader, values};
use crate::document::{Code, Hop, Placed, Span, Table, ValueOrTable, cycles, misspelling_of};
use crate::names::{CaseFolded, FileName, RelPath, same_name};

/// Longest path without a warning, in UTF-16 units. Many Windows programs cannot open longer ones
/// once a drive and the program's own directories are added.
const LONG_PATH: usize = 240;

/// Largest depth of nested groups and, as [`MOST_GROUPS`], largest number of groups, including
/// those that only a longer path mentions: each has its whole path in memory.
const DEEPEST: usize = 32;
const MOST_GROUPS: usize = 1_000_000;

/// Placeholder for the name of an installer that could not be read.
const NO_INSTALLER: &str = "-";

/// Console tree that is being read.
pub(super) struct ConsoleReader<'r, 's> {
    site: SiteReader<'r, 's>,
    /// Groups that have their own `[[groups]]`, with its line.
    described: BTreeMap<GroupId, u32>,
    /// Position of each item's name in the source.
    places: Vec<Span>,
    /// True if an item's name could not be read: a name that seems unknown may be that one.
    nameless: bool,
}

/// The keys of a group that its direct members inherit.
struct InheritedKeys {
    group: GroupId,
    on: Option<RoleId>,
    removable: bool,
}

impl<'r, 's> ConsoleReader<'r, 's> {
    pub(super) fn new(site: SiteReader<'r, 's>) -> Self {
        Self {
            site,
            described: BTreeMap::new(),
            places: Vec::new(),
            nameless: false,
        }
    }

    /// Reads all groups with their members.
    pub(super) fn read(&mut self, top: &Table<'_>) {
        let astray = self.site.reader.is_stray(top, "groups");
        self.nameless |= astray || self.site.entries_lost(top, "groups");
        for table in self.site.reader.tables(top, "groups") {
            self.group(&table);
        }
        self.overlaps();
        self.long_paths();
        self.shared_installers();
    }

    /// Reads the tables that refer to items by name, and returns the site.
    pub(super) fn finish(mut self, top: &Table<'_>) -> (SiteReader<'r, 's>, Vec<ItemId>) {
        self.requires(top);
        self.parameters(top);
        let rehearsed = match self.site.reader.table(top, "rehearsal") {
            Some(table) => self.site.reader.texts_or_none(&table, "not_installed"),
            None => Vec::new(),
        };
        let rehearsed = self.installable(rehearsed);
        (self.site, rehearsed)
    }

    fn group(&mut self, table: &Table<'_>) {
        let path = self.site.reader.text(table, "path");
        let group = path.and_then(|path| self.path(path));
        let aliases = self.site.aliases(table);
        let on = self.on(table);
        let removable = self
            .site
            .reader
            .flag(table, "removable")
            .is_none_or(|removable| removable.value);
        if let Some(group) = group {
            self.group_aliases(group, aliases);
        }
        // Members of a group without a readable path are still read, to report their own errors.
        self.nameless |= group.is_none();
        let inherited = InheritedKeys {
            group: group.unwrap_or(GroupId(usize::MAX)),
            on,
            removable,
        };
        self.members(table, &inherited);
    }

    /// Returns the group of a path. Creates it and every group above it that is new.
    fn path(&mut self, path: Placed<String>) -> Option<GroupId> {
        let path = self
            .site
            .reader
            .parsed(path, Code::UnsafeName, RelPath::parse)?;
        let excess = match path.value.parts().count() {
            deep if deep > DEEPEST => Some((
                Code::TooDeep,
                format!("the group is nested {deep} deep, more than {DEEPEST}"),
            )),
            _ if self.site.made.groups.len() > MOST_GROUPS => Some((
                Code::TooLarge,
                format!("there are more than {MOST_GROUPS} groups"),
            )),
            _ => None,
        };
        if let Some((code, message)) = excess {
            self.site
                .reader
                .findings
                .add(code, path.span, message)
                .help("no console needs as many");
            return None;
        }
        let (mut above, mut spelled) = (None, None);
        for (depth, part) in path.value.parts().enumerate() {
            let name = Placed {
                value: part.to_owned(),
                span: path.span.clone(),
            };
            let name = self.site.file_name(name)?;
            match depth {
                0 => self.site.refuse_at_root(part, &path.span),
                _ => self.site.refuse_in_directory(part, &path.span),
            }
            let node = self.node(above, &name);
            let known = self.site.made.groups[node.0].path.name();
            if spelled.is_none() && known != part {
                spelled = Some(format!("`{part}` is spelled `{known}` above"));
            }
            above = Some(node);
        }
        let group = above?;
        let line = self.site.reader.source.line(path.span.start);
        match self.described.entry(group) {
            Entry::Vacant(entry) => drop(entry.insert(line)),
            Entry::Occupied(first) => {
                let first = first.get();
                let message = format!(
                    "there are two groups with the name `{}`; the first is on line {first}",
                    path.value
                );
                let finding =
                    self.site
                        .reader
                        .findings
                        .add(Code::DuplicateName, path.span, message);
                finding.help("case does not count; move the members of both into one group");
                return Some(group);
            }
        }
        if let Some(message) = spelled {
            let finding = self
                .site
                .reader
                .findings
                .add(Code::DuplicateName, path.span, message);
            finding.help("spell the group the same everywhere; `path` cannot contain an alias");
        }
        Some(group)
    }

    /// Returns one node of a path: a known one, in any spelling, or a new one.
    fn node(&mut self, above: Option<GroupId>, name: &Placed<FileName>) -> GroupId {
        let made = &mut self.site.made;
        let key = (above, name.value.case_folded());
        if let Some(&known) = made.index.groups.get(&key) {
            return known;
        }
        let id = GroupId(made.groups.len());
        let path = match above {
            Some(above) => made.groups[above.0].path.join(name.value.as_str()),
            None => RelPath::parse(name.value.as_str()),
        };
        let path = path.expect("a checked name below a checked path");
        if let Some(above) = above {
            made.groups[above.0].groups.push(id);
        }
        made.index.groups.insert(key, id);
        made.groups.push(Group {
            path,
            aliases: Vec::new(),
            groups: Vec::new(),
            items: Vec::new(),
        });
        id
    }

    fn group_aliases(&mut self, group: GroupId, aliases: Vec<Placed<String>>) {
        let parent = self.site.made.groups[group.0].path.parent();
        let above = parent.and_then(|parent| self.site.made.group(parent.as_str()));
        for alias in aliases {
            if alias.value.contains('/') {
                let message = format!("the alias `{}` is a path", alias.value);
                let finding = self
                    .site
                    .reader
                    .findings
                    .add(Code::UnsafeName, alias.span, message);
                finding.help(
                    "an alias replaces the last part of its group's path; write only that part",
                );
                continue;
            }
            let index = &mut self.site.made.index.groups;
            if let Some(other) = index.insert((above, CaseFolded::of(&alias.value)), group) {
                let message = match other == group {
                    true => format!("the group has the name `{}` already", alias.value),
                    false => format!("there are two groups with the name `{}`", alias.value),
                };
                let finding =
                    self.site
                        .reader
                        .findings
                        .add(Code::DuplicateName, alias.span.clone(), message);
                finding
                    .note("case does not count, and aliases are names")
                    .help("remove or rename one");
            }
            self.site.made.groups[group.0].aliases.push(alias.value);
        }
    }

    fn on(&mut self, table: &Table<'_>) -> Option<RoleId> {
        let role = self.site.reader.text(table, "on")?;
        self.site.role(&role)
    }

    fn members(&mut self, table: &Table<'_>, inherited: &InheritedKeys) {
        self.nameless |= ["items", "procedures"]
            .iter()
            .any(|key| self.site.entries_lost(table, key));
        let items = self
            .site
            .reader
            .tables(table, "items")
            .into_iter()
            .map(|member| (member, true));
        let items: Vec<_> = items.collect();
        let procedures = self
            .site
            .reader
            .tables(table, "procedures")
            .into_iter()
            .map(|member| (member, false));
        let mut members: Vec<_> = items.into_iter().chain(procedures).collect();
        members.sort_by_key(|(member, _)| member.span().start);
        for (member, component) in members {
            self.member(&member, component, inherited);
        }
    }

    fn member(&mut self, table: &Table<'_>, component: bool, inherited: &InheritedKeys) {
        let name = self.site.reader.text(table, "name");
        let name = name.and_then(|name| self.site.file_name(name));
        let aliases = self.site.aliases(table);
        let on = if table.has("on") {
            self.on(table)
        } else {
            inherited.on
        };
        let kind = match component {
            true => self.component(table, name.as_ref(), inherited),
            false => self.procedure(table),
        };
        let irreversible = self.site.reader.text(table, "irreversible");
        let Some(name) = name else {
            self.nameless = true;
            return;
        };
        self.site
            .refuse_in_directory(name.value.as_str(), &name.span);
        let made = &mut self.site.made;
        let id = ItemId(made.items.len());
        let line = self.site.reader.source.line(name.span.start);
        if let Some(group) = made.groups.get_mut(inherited.group.0) {
            group.items.push(id);
        }
        self.places.push(name.span.clone());
        let own = Placed {
            value: name.value.to_string(),
            span: name.span,
        };
        for name in std::iter::once(&own).chain(&aliases) {
            let taken = self
                .site
                .made
                .index
                .items
                .insert(CaseFolded::of(&name.value), id);
            self.site.claim(name, "item", id.0, taken.map(|id| id.0));
        }
        let (aliases, group) = (values(aliases), inherited.group);
        self.site.made.items.push(Item {
            name: name.value,
            aliases,
            group,
            on,
            kind,
            requires: Vec::new(),
            irreversible: irreversible.map(|why| why.value),
            line,
        });
    }

    fn component(
        &mut self,
        table: &Table<'_>,
        name: Option<&Placed<FileName>>,
        inherited: &InheritedKeys,
    ) -> ItemKind {
        let installer = self.site.reader.text(table, "installer");
        let installer = installer.and_then(|installer| self.site.file_name(installer));
        let product = self
            .site
            .reader
            .text(table, "product")
            .and_then(|product| self.site.file_name(product));
        let removable = self.site.reader.flag(table, "removable");
        let features = self.features(table);
        let name = || name.map(|name| name.value.clone());
        // A missing name or installer is an error already, so the placeholder is never shown.
        let placeholder = || FileName::parse(NO_INSTALLER).expect("an ordinary name");
        let product = product
            .map(|product| product.value)
            .or_else(name)
            .unwrap_or_else(placeholder);
        ItemKind::Component {
            installer: installer.map_or_else(placeholder, |installer| installer.value),
            product: product.to_string(),
            features,
            removable: removable.map_or(inherited.removable, |removable| removable.value),
        }
    }

    /// Reads the features of an item, sorted.
    fn features(&mut self, table: &Table<'_>) -> Vec<String> {
        let features = self.site.reader.texts_or_none(table, "features");
        let mut seen = BTreeSet::new();
        for feature in &features {
            if !seen.insert(feature.value.clone()) {
                self.site.repeated(feature, "features", &feature.value);
            }
        }
        seen.into_iter().collect()
    }

    fn procedure(&mut self, table: &Table<'_>) -> ItemKind {
        let needs = self.parameter_names(table, "needs");
        let secret = self.parameter_names(table, "secret");
        let public = self.parameter_names(table, "public");
        for name in &public {
            if secret
                .iter()
                .any(|secret| same_name(&secret.value, &name.value))
            {
                let message = format!("`secret` and `public` both list `{}`", name.value);
                self.site
                    .reader
                    .report(Code::ExclusiveKeys, &name.span, message)
                    .help("remove it from one of them");
            }
        }
        ItemKind::Procedure {
            needs: values(needs),
            secret: values(secret),
            public: values(public),
            parameters: BTreeMap::new(),
        }
    }

    /// Reads a list of names of parameters, each of which may be in it once.
    fn parameter_names(&mut self, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
        let names = self.site.reader.texts_or_none(table, key);
        let mut seen = BTreeSet::new();
        for name in &names {
            if !seen.insert(CaseFolded::of(&name.value)) {
                self.site.repeated(name, key, &name.value);
            }
        }
        names
    }

    /// Refuses a group inside the directory of an item, which is replaced as a whole.
    fn overlaps(&mut self) {
        for (item, span) in self.site.made.items.iter().zip(&self.places) {
            let key = (Some(item.group), item.name.case_folded());
            let Some(&below) = self.site.made.index.groups.get(&key) else {
                continue;
            };
            let path = &self.site.made.groups[below.0].path;
            if CaseFolded::of(path.name()) != item.name.case_folded() {
                continue;
            }
            let message = format!(
                "the directory of `{}` is that of the group `{path}`",
                item.name
            );
            let finding =
                self.site
                    .reader
                    .findings
                    .add(Code::OverlappingDirectories, span.clone(), message);
            finding.help("rename the item or the group");
        }
    }

    fn long_paths(&mut self) {
        let length = |text: &str| text.encode_utf16().count();
        let made = &self.site.made;
        let of_server =
            |&server: &super::description::ServerId| length(made.servers[server.0].name.as_str());
        let longest: Vec<usize> = made
            .roles
            .iter()
            .map(|role| role.servers.iter().map(of_server).max().unwrap_or(0) + 1)
            .collect();
        for (item, span) in made.items.iter().zip(&self.places) {
            let Some(group) = made.groups.get(item.group.0) else {
                continue;
            };
            let server = item.on.map_or(0, |role| longest[role.0]);
            let whole = length(group.path.as_str()) + 1 + length(item.name.as_str()) + server;
            if whole > LONG_PATH {
                let message = format!(
                    "the directory of `{}` has a path of {whole} characters",
                    item.name
                );
                let finding = self
                    .site
                    .reader
                    .findings
                    .add(Code::LongPath, span.clone(), message);
                finding.help(format!("keep it below {LONG_PATH}"));
            }
        }
    }

    /// Reports items that share an installer: an installer holds one product, and an item is one
    /// product.
    fn shared_installers(&mut self) {
        let mut first: BTreeMap<CaseFolded, &str> = BTreeMap::new();
        for (item, span) in self.site.made.items.iter().zip(&self.places) {
            let ItemKind::Component { installer, .. } = &item.kind else {
                continue;
            };
            // The placeholder of an installer that could not be read.
            if installer.as_str() == NO_INSTALLER {
                continue;
            }
            // Two items with one name are reported for their name.
            if let Some(other) = first.insert(installer.case_folded(), item.name.as_str())
                && CaseFolded::of(other) != item.name.case_folded()
            {
                let message = format!(
                    "`{}` and `{other}` are both installed from `{installer}`",
                    item.name
                );
                let finding =
                    self.site
                        .reader
                        .findings
                        .add(Code::SharedInstaller, span.clone(), message);
                finding.help("give each its own `installer`");
            }
        }
    }

    /// Finds an item or procedure by name or alias, and reports a name that is not in the console.
    fn item(&mut self, wanted: &Placed<String>) -> Option<ItemId> {
        self.known(wanted, "item")
    }

    /// Finds an entry as `item` does, with `kind` in the report. For the kind "procedure" only
    /// procedures are suggested, but an item with the name is returned as well.
    fn known(&mut self, wanted: &Placed<String>, kind: &str) -> Option<ItemId> {
        let found = self.site.made.item(&wanted.value);
        if found.is_none() && !self.nameless {
            let any = kind == "item";
            let items = self.site.made.items.iter();
            let items = items.filter(|item| any || matches!(item.kind, ItemKind::Procedure { .. }));
            let names =
                items.flat_map(|item| super::description::named(item.name.as_str(), &item.aliases));
            let near = self.site.reader.nearest(&wanted.value, names);
            self.site
                .unknown(wanted, kind, near, "describe it in its group");
        }
        found
    }

    /// Returns the items with these names, each once, and reports procedures, which are never
    /// installed.
    fn installable(&mut self, names: Vec<Placed<String>>) -> Vec<ItemId> {
        let mut seen: BTreeMap<ItemId, String> = BTreeMap::new();
        for name in names {
            let Some(item) = self.item(&name) else {
                continue;
            };
            if matches!(
                self.site.made.items[item.0].kind,
                ItemKind::Procedure { .. }
            ) {
                let message = format!("`{}` is a procedure, which is never installed", name.value);
                let finding = self
                    .site
                    .reader
                    .findings
                    .add(Code::WrongKind, name.span, message);
                finding.help("remove it; a rehearsal runs no procedure before the rollup");
            } else if let Some(first) = seen.get(&item) {
                self.site.repeated(&name, "not_installed", first);
            } else {
                seen.insert(item, name.value);
            }
        }
        seen.into_keys().collect()
    }

    fn requires(&mut self, top: &Table<'_>) {
        let Some(table) = self.site.reader.table(top, "requires") else {
            return;
        };
        let mut keys: BTreeMap<ItemId, Span> = BTreeMap::new();
        for key in table.keys() {
            let wanted = self.site.reader.texts_or_none(&table, key.value);
            let key = Placed {
                value: key.value.to_owned(),
                span: key.span,
            };
            let item = self.item(&key);
            let mut seen: BTreeMap<ItemId, String> = BTreeMap::new();
            for name in wanted {
                match self.required(&name) {
                    Some(item) if seen.contains_key(&item) => {
                        self.site.repeated(&name, key.value.as_str(), &seen[&item])
                    }
                    Some(item) => drop(seen.insert(item, name.value)),
                    None => {}
                }
            }
            let Some(item) = item else { continue };
            if keys.insert(item, key.span.clone()).is_some() {
                let message = format!("there are two entries for `{}`", key.value);
                let finding =
                    self.site
                        .reader
                        .findings
                        .add(Code::DuplicateName, key.span.clone(), message);
                finding
                    .note("case does not count, and aliases are names")
                    .help("put both lists into one");
            }
            let requires = &mut self.site.made.items[item.0].requires;
            requires.extend(seen.into_keys());
            requires.sort_unstable();
            requires.dedup();
        }
        self.report_cycles(&keys);
    }

    fn required(&mut self, wanted: &Placed<String>) -> Option<ItemId> {
        let item = self.item(wanted)?;
        if matches!(
            self.site.made.items[item.0].kind,
            ItemKind::Procedure { .. }
        ) {
            let message = format!(
                "`{}` is a procedure, which cannot be required",
                wanted.value
            );
            let finding = self.site.reader.findings.add(
                Code::RequiresProcedure,
                wanted.span.clone(),
                message,
            );
            finding.help("require an item instead");
            return None;
        }
        Some(item)
    }

    /// Adds one finding for each cycle.
    fn report_cycles(&mut self, keys: &BTreeMap<ItemId, Span>) {
        let items = &self.site.made.items;
        let required = |item: usize, link: usize| Some(items[item].requires.get(link)?.0);
        for cycle in cycles(items.len(), required) {
            let name = |(item, _): &Hop| format!("`{}`", items[*item].name);
            let shown: Vec<_> = cycle.iter().take(6).map(name).collect();
            let more = if cycle.len() > 6 {
                " … requires "
            } else {
                " requires "
            };
            let message = format!("{}{more}{}", shown.join(" requires "), name(&cycle[0]));
            let span = keys.get(&ItemId(cycle[0].0)).cloned().unwrap_or_default();
            self.site
                .reader
                .findings
                .add(Code::RequirementCycle, span, message)
                .help("remove one of these requirements");
        }
    }

    /// Reports stored parameters whose names are almost those that a procedure needs. Other stored
    /// parameters are allowed.
    fn near_parameters(&mut self, item: ItemId, given: &Table<'_>) {
        let item = &self.site.made.items[item.0];
        let ItemKind::Procedure { needs, .. } = &item.kind else {
            return;
        };
        let needed: BTreeSet<&str> = needs.iter().map(String::as_str).collect();
        let open = || {
            needs
                .iter()
                .map(String::as_str)
                .filter(|need| !given.has(need))
        };
        for name in given
            .keys()
            .into_iter()
            .filter(|name| !needed.contains(name.value))
        {
            let Some(near) = self
                .site
                .reader
                .suggestion(needs.len(), || misspelling_of(name.value, open()))
            else {
                continue;
            };
            let message = format!(
                "`{}` needs `{near}`, but the deployment stores `{}`",
                item.name, name.value
            );
            let finding =
                self.site
                    .reader
                    .findings
                    .add(Code::MisspelledParameter, name.span, message);
            finding
                .did_you_mean(Some(near))
                .help("correct the name, unless the procedure takes both");
        }
    }

    /// Reads one stored parameter. Nothing of a secret is kept.
    fn stored_parameter(
        &mut self,
        given: &Table<'_>,
        name: &str,
        procedure: Option<ItemId>,
    ) -> Option<StoredParameter> {
        let text = match self.site.reader.text_or_table(given, name)? {
            ValueOrTable::Value(text) => text,
            ValueOrTable::Table(place) => {
                return self.secret_source(&place).map(StoredParameter::Secret);
            }
        };
        let procedure = procedure.map(|id| &self.site.made.items[id.0]);
        if !procedure.is_some_and(|procedure| procedure.has_secret(name)) {
            return Some(StoredParameter::Text(text.value));
        }
        if !text.value.is_empty() {
            let message = format!("the secret `{name}` is in clear text");
            self.site
                .reader
                .report(Code::SecretInClearText, &text.span, message)
                .help(
                    "write `{ env = \"NAME\" }` or `{ file = \"PATH\" }`, or list it in `public` of \
                     the procedure if it is not secret",
                );
        }
        Some(StoredParameter::Secret(SecretSource::Description))
    }

    /// Reads the place of a secret, of which a table has exactly one.
    fn secret_source(&mut self, table: &Table<'_>) -> Option<SecretSource> {
        let reader = &mut *self.site.reader;
        let (env, file) = (reader.text(table, "env"), reader.text(table, "file"));
        match (table.key("env"), table.key("file")) {
            (Some(_), Some(span)) => {
                reader
                    .report(
                        Code::ExclusiveKeys,
                        &span,
                        "`env` and `file` exclude each other",
                    )
                    .help("keep one of them");
            }
            (None, None) => reader.missing(table, "env", "env = \"NAME\""),
            _ => {}
        }
        if let Some(name) = env {
            let source = reader.parsed(name, Code::InvalidValue, SecretSource::variable)?;
            return Some(source.value);
        }
        let file = reader.parsed(file?, Code::InvalidValue, SecretSource::file)?;
        Some(file.value)
    }

    fn parameters(&mut self, top: &Table<'_>) {
        let Some(table) = self.site.reader.table(top, "parameters") else {
            return;
        };
        for key in table.keys() {
            let given = self.site.reader.table(&table, key.value);
            let key = Placed {
                value: key.value.to_owned(),
                span: key.span,
            };
            let item = self.known(&key, "procedure");
            let Some(given) = given else { continue };
            let mut stored = BTreeMap::new();
            for name in given.keys() {
                let value = self.stored_parameter(&given, name.value, item);
                stored.extend(value.map(|value| (name.value.to_owned(), value)));
            }
            let Some(item) = item else { continue };
            self.near_parameters(item, &given);
            match parameters_of(&mut self.site.made.items[item.0].kind) {
                Some(parameters) => parameters.extend(stored),
                None => {
                    let near = self
                        .site
                        .made
                        .items
                        .iter()
                        .filter(|item| matches!(item.kind, ItemKind::Procedure { .. }));
                    let near = near.map(|item| item.name.as_str());
                    let near = self.site.reader.nearest(&key.value, near);
                    self.site
                        .unknown(&key, "procedure", near, "only procedures have parameters");
                }
            }
        }
    }
}

/// Returns the stored parameters of a procedure, which are filled in once all procedures are known.
fn parameters_of(kind: &mut ItemKind) -> Option<&mut BTreeMap<String, StoredParameter>> {
    match kind {
        ItemKind::Procedure { parameters, .. } => Some(parameters),
        ItemKind::Component { .. } => None,
    }
}
