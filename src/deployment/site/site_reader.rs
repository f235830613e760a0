//! Reader of a `deployment.toml`, with the checks that all parts of the description share.
//!
//! It looks names up, refuses those that are taken or reserved, and reports unknown and repeated
//! names. [`describe`](super::describe) and [`console`](super::console) read the parts with it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::applied::APPLIED;
use super::description::{Description, NameIndex, RoleId, ServerId, named};
use super::item_dir::ItemDir;
use crate::deployment::disk::run_dir::RollupDir;
use crate::document::{Code, MeantName, Placed, Reader, Span, Table};
use crate::names::{CaseFolded, FileName};

/// Names that are reserved at the root of a deployment: those used there or in the directory of an
/// item.
pub(super) const AT_THE_ROOT: &[&str] = &[
    RollupDir::NAME,
    "Servers",
    ItemDir::FILES,
    "deployment.toml",
    APPLIED,
    ItemDir::RECORD,
];

/// Names that are reserved in the directory of an item.
const IN_A_DIRECTORY: &[&str] = &[RollupDir::NAME, ItemDir::FILES, ItemDir::RECORD];

/// Reader of a description, with the part that is already read.
pub(super) struct SiteReader<'r, 's> {
    pub(super) reader: &'r mut Reader<'s>,
    pub(super) made: Description,
    pub(super) nameless: NamelessEntries,
    /// Line on which each name was given first, by kind.
    lines: BTreeMap<(&'static str, CaseFolded), u32>,
}

/// Kinds of entries of which at least one has no readable name. A name that seems unknown may be
/// the missing one, so it is not reported.
#[derive(Default)]
pub(super) struct NamelessEntries {
    pub(super) roles: bool,
    pub(super) servers: bool,
}

impl<'r, 's> SiteReader<'r, 's> {
    pub(super) fn new(reader: &'r mut Reader<'s>) -> Self {
        let share = FileName::parse("MSIShare").expect("an ordinary name");
        let made = Description {
            name: String::new(),
            product: String::new(),
            product_aliases: Vec::new(),
            product_version: String::new(),
            share,
            applied: Vec::new(),
            roles: Vec::new(),
            servers: Vec::new(),
            products: Vec::new(),
            services: Vec::new(),
            groups: Vec::new(),
            items: Vec::new(),
            approval: None,
            rehearsal_not_installed: Vec::new(),
            index: NameIndex::default(),
        };
        Self {
            reader,
            made,
            nameless: NamelessEntries::default(),
            lines: BTreeMap::new(),
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
            let near = self.reader.nearest(&wanted.value, names);
            self.unknown(wanted, "role", near, "add it to `roles`");
        }
        found
    }

    /// Finds a server by name, and reports one that is not described.
    pub(super) fn server(&mut self, wanted: &Placed<String>) -> Option<ServerId> {
        let found = self.made.server(&wanted.value);
        if found.is_none() && !self.nameless.servers {
            let names = self.made.servers.iter().map(|server| server.name.as_str());
            let near = self.reader.nearest(&wanted.value, names);
            self.unknown(wanted, "server", near, "add it to `servers`");
        }
        found
    }

    /// Reports that a name is unknown.
    pub(super) fn unknown(
        &mut self,
        wanted: &Placed<String>,
        kind: &str,
        near: Option<MeantName>,
        help: &str,
    ) {
        let message = format!("there is no {kind} `{}`", wanted.value);
        let finding = self
            .reader
            .findings
            .add(Code::UnknownName, wanted.span.clone(), message);
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
        self.reader.parsed(text, Code::UnsafeName, FileName::parse)
    }

    /// Refuses a name that is reserved at the root of a deployment.
    pub(super) fn refuse_at_root(&mut self, name: &str, span: &Span) {
        self.refuse_reserved(name, span, AT_THE_ROOT);
        if CaseFolded::of(name) == self.made.share.case_folded() {
            let finding = self.reader.findings.add(
                Code::ReservedName,
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

    /// Refuses a name that is one of `reserved`.
    pub(super) fn refuse_reserved(&mut self, name: &str, span: &Span, reserved: &[&str]) {
        let case_folded = CaseFolded::of(name);
        if reserved
            .iter()
            .any(|reserved| CaseFolded::of(reserved) == case_folded)
        {
            let message = format!("`{name}` is a name that rollup reserves");
            self.reader
                .findings
                .add(Code::ReservedName, span.clone(), message)
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
                "`{key}` lists `{first}` and `{}`, which are the same",
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
