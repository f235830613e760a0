//! Reading a manifest into a draft, key by key, and then through all checks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use toml::value::{Datetime, Offset};

use super::draft::*;
use super::{Manifest, ServiceVerb, against, steps, table};
use crate::deployment::description::Description;
use crate::document::{Code, Findings, Placed, Reader, Shape, Source, Span, TOP, Table, read};
use crate::names::{Digest, FileName, Folded, Kb, RelPath, Version};

const ROLLUP: &str = "[rollup]";
const ARTICLE: &str = "[article]";
const PREREQUISITE: &str = "[[prerequisites]]";
const STEP: &str = "[[steps]]";
const PAYLOAD: &str = "[payload]";
const ROW: &str = "a row of the file table";
const PINS: &str = "[payload.sha256]";
const ITEMS: &str = "`items`";
const PARAMETERS: &str = "`parameters`";
const GIVEN: &str = "an entry of `parameters`";

/// Every table of the language.
const SHAPES: &[Shape] = &[
    Shape { title: TOP, keys: &["schema", "rollup", "article", "prerequisites", "steps", "payload"] },
    Shape {
        title: ROLLUP,
        keys: &[
            "kb",
            "title",
            "product",
            "product_versions",
            "scope",
            "released",
            "includes",
            "replaces",
            "requires",
            "fixes",
            "notes",
        ],
    },
    Shape { title: ARTICLE, keys: &["url", "revision", "reviewed"] },
    Shape { title: PREREQUISITE, keys: &["product", "service_pack", "on", "item", "confirm", "id"] },
    Shape {
        title: STEP,
        keys: &[
            "id",
            "title",
            "action",
            "items",
            "groups",
            "removed_by",
            "files",
            "others",
            "to",
            "parameters",
            "service",
            "on",
            "platform",
            "instructions",
            "undo",
            "optional",
        ],
    },
    Shape { title: PAYLOAD, keys: &["files", "sha256"] },
    Shape { title: ROW, keys: &["name", "size", "modified", "platform", "version", "unused"] },
    Shape { title: PINS, keys: &[] },
    Shape { title: ITEMS, keys: &[] },
    Shape { title: PARAMETERS, keys: &[] },
    Shape { title: GIVEN, keys: &[] },
];

/// Every action, and the keys that it has beside `id`, `title` and `action`.
const ACTIONS: &[(&str, Verb, &[&str])] = &[
    ("uninstall", Verb::Uninstall, &["items", "groups", "on", "platform"]),
    ("install", Verb::Install, &["items", "groups", "removed_by", "on", "platform"]),
    ("copy", Verb::Copy, &["files", "others", "to", "on", "platform"]),
    ("run", Verb::Run, &["files", "on", "platform"]),
    ("initialize", Verb::Initialize, &["items", "parameters", "on", "platform"]),
    ("start", Verb::Service(ServiceVerb::Start), &["service", "on", "platform"]),
    ("stop", Verb::Service(ServiceVerb::Stop), &["service", "on", "platform"]),
    ("restart", Verb::Service(ServiceVerb::Restart), &["service", "on", "platform"]),
    ("enable", Verb::Service(ServiceVerb::Enable), &["service", "on", "platform"]),
    ("disable", Verb::Service(ServiceVerb::Disable), &["service", "on", "platform"]),
    ("manual", Verb::Manual, &["instructions", "undo", "optional", "on", "platform"]),
];

/// What is checked beyond the language itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checks<'d> {
    /// Whether a file without a pinned hash is an error.
    pub require_hashes: bool,
    /// The deployment whose names the manifest should use.
    pub deployment: Option<&'d Description>,
}

/// Reads and checks a manifest by itself. Nothing comes back if there was an error.
pub fn parse(source: &Source, findings: &mut Findings) -> Option<Manifest> {
    parse_with(source, &Checks::default(), findings)
}

/// Reads a manifest and checks it as far as the caller can. Nothing comes back if there was an error.
pub fn parse_with(source: &Source, checks: &Checks<'_>, findings: &mut Findings) -> Option<Manifest> {
    let before = findings.errors();
    let draft = read(source, SHAPES, findings, |reader, top| {
        let mut draft = draft(reader, top);
        if reader.whole() {
            table::check(reader, &mut draft, checks.require_hashes);
            steps::check(reader, &draft, checks.deployment);
        }
        if let Some(deployment) = checks.deployment.filter(|_| reader.whole()) {
            against::check(reader, &draft, deployment);
        }
        draft
    })?;
    if findings.errors() > before { None } else { draft.finish(source) }
}

/// Checks only whether a manifest fits a deployment; other faults are left to [`parse`].
pub fn check_against(source: &Source, deployment: &Description, findings: &mut Findings) {
    let mut own = Findings::default();
    let checked = read(source, SHAPES, &mut own, |reader, top| {
        let draft = draft(reader, top);
        let mut found = Findings::default();
        std::mem::swap(&mut found, &mut reader.findings);
        steps::check_flow(reader, &draft, Some(deployment));
        against::check(reader, &draft, deployment);
        std::mem::swap(&mut found, &mut reader.findings);
        found
    });
    for finding in checked.into_iter().flat_map(Findings::into_list) {
        findings.push(finding);
    }
}

/// Only the identity and relations of a manifest, whatever else is wrong with it.
pub(super) fn rollup_of(source: &Source) -> RollupDraft {
    let rollup = read(source, SHAPES, &mut Findings::default(), |reader, top| {
        let mut rollup = RollupDraft::default();
        if let Some(table) = reader.table(top, "rollup", ROLLUP) {
            read_rollup(reader, &table, &mut rollup);
        }
        rollup
    });
    rollup.unwrap_or_default()
}

fn draft(reader: &mut Reader<'_>, top: &Table<'_>) -> Draft {
    let mut rollup = RollupDraft::default();
    match reader.table(top, "rollup", ROLLUP) {
        Some(table) => read_rollup(reader, &table, &mut rollup),
        None if !top.has("rollup") => reader.missing(top, "rollup", ROLLUP),
        None => {}
    }
    if let Some(table) = reader.table(top, "article", ARTICLE) {
        article(reader, &table, &mut rollup);
    }
    let tables = reader.tables(top, "prerequisites", PREREQUISITE);
    let prerequisites = tables.iter().map(|table| prerequisite(reader, table)).collect();
    if !top.has("steps") {
        reader.missing(top, "steps", STEP);
    }
    let tables = reader.tables(top, "steps", STEP);
    let steps = tables.iter().map(|table| step(reader, table)).collect();
    let draft = Draft { rollup, prerequisites, steps, payload: payload(reader, top) };
    unique_ids(reader, &draft);
    draft
}

fn read_rollup(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    let kb = reader.required_text(table, "kb", "kb = \"KB952076\"");
    rollup.kb = kb.and_then(|kb| reader.parsed(kb, Code::BadValue, str::parse));
    rollup.title = reader.required_text(table, "title", "title = \"…\"");
    rollup.product = reader.required_text(table, "product", "product = \"…\"");
    rollup.product_versions = match reader.texts(table, "product_versions") {
        Some(versions) => {
            refuse_empty(reader, table, "product_versions");
            plain(versions)
        }
        None if !table.has("product_versions") => {
            reader.missing(table, "product_versions", "product_versions = [\"4.0\"]");
            Vec::new()
        }
        None => Vec::new(),
    };
    rollup.scope = reader.text(table, "scope").map(|scope| scope.value);
    rollup.released = reader.day(table, "released").map(|day| day.value);
    rollup.includes = relation(reader, table, "includes");
    rollup.replaces = relation(reader, table, "replaces");
    rollup.requires = relation(reader, table, "requires");
    rollup.fixes = plain(reader.texts_or_none(table, "fixes"));
    rollup.notes = plain(reader.texts_or_none(table, "notes"));
    relations(reader, rollup);
}

fn relation(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) -> Vec<Placed<Kb>> {
    let texts = reader.texts_or_none(table, key);
    let mut seen = BTreeSet::new();
    let mut numbers = Vec::new();
    for text in texts {
        let Some(kb) = reader.parsed(text, Code::BadValue, str::parse::<Kb>) else { continue };
        match seen.insert(kb.value) {
            true => numbers.push(kb),
            false => {
                let message = format!("`{key}` lists {} twice", kb.value);
                reader.findings.add(Code::DuplicateName, kb.span, message).help("remove one");
            }
        }
    }
    numbers
}

fn relations(reader: &mut Reader<'_>, rollup: &RollupDraft) {
    let own = rollup.kb.as_ref().map(|kb| kb.value);
    let lists = [("includes", &rollup.includes), ("replaces", &rollup.replaces), ("requires", &rollup.requires)];
    for (key, list) in lists {
        for kb in list.iter().filter(|kb| Some(kb.value) == own) {
            let message = format!("{} is this rollup itself, so it cannot stand in `{key}`", kb.value);
            reader
                .findings
                .add(Code::SelfRelation, kb.span.clone(), message)
                .help("name the other rollup, or remove it");
        }
    }
    let replaced: BTreeSet<Kb> = rollup.replaces.iter().map(|kb| kb.value).collect();
    for kb in rollup.requires.iter().filter(|kb| replaced.contains(&kb.value) && Some(kb.value) != own) {
        let message = format!("{} is required to be in force and replaced", kb.value);
        reader.findings.add(Code::Opposed, kb.span.clone(), message).help("remove it from `requires` or `replaces`");
    }
}

fn article(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    let revision = reader.text(table, "revision");
    rollup.revision = revision
        .and_then(|text| reader.parsed(text, Code::BadValue, str::parse::<Version>))
        .map(|revision| revision.value);
    rollup.reviewed = reader.day(table, "reviewed").map(|day| day.value);
    let Some(url) = reader.text(table, "url") else { return };
    if !url.value.starts_with("http://") && !url.value.starts_with("https://") {
        let finding = reader.findings.add(Code::BadValue, url.span, format!("`{}` is no web address", url.value));
        finding.help("it begins with `http://` or `https://`");
        return;
    }
    rollup.url = Some(url.value);
}

fn prerequisite(reader: &mut Reader<'_>, table: &Table<'_>) -> PrerequisiteDraft {
    let kinds: Vec<&str> = ["product", "item", "confirm"].into_iter().filter(|key| table.has(key)).collect();
    let condition = match kinds[..] {
        [kind] => condition(reader, table, kind),
        [] => {
            reader.missing(table, "product`, `item` or `confirm", "product = \"…\"");
            None
        }
        [first, second, ..] => {
            let span = table.key(second).unwrap_or_default();
            let message = format!("one prerequisite cannot ask for `{first}` and `{second}`");
            reader
                .findings
                .add(Code::Contradiction, span, message)
                .help("write two, each with its `[[prerequisites]]`");
            None
        }
    };
    PrerequisiteDraft { span: table.span(), condition }
}

fn condition(reader: &mut Reader<'_>, table: &Table<'_>, kind: &str) -> Option<ConditionDraft> {
    let keys: &[&str] = match kind {
        "product" => &["product", "service_pack", "on"],
        "item" => &["item"],
        _ => &["confirm", "id"],
    };
    for key in table.keys() {
        if !keys.contains(&key.value) && ["service_pack", "on", "id"].contains(&key.value) {
            let message = format!("`{}` does not go with `{kind}`", key.value);
            reader.findings.add(Code::Unfitting, key.span, message).help("remove it");
        }
    }
    let subject = reader.text(table, kind);
    match kind {
        "product" => {
            let service_pack = reader.number(table, "service_pack", 999_999_999);
            let on = reader.text(table, "on");
            // At most nine digits, so it fits.
            let service_pack = service_pack.map_or(0, |pack| pack.value as u32);
            Some(ConditionDraft::Product { product: subject?, service_pack, on })
        }
        "item" => Some(ConditionDraft::Item { item: subject? }),
        _ => {
            let id = reader.required_text(table, "id", "id = \"backup-made\"");
            let id = id.and_then(|id| checked_id(reader, id));
            Some(ConditionDraft::Confirm { id: id?, question: subject?.value })
        }
    }
}

/// Ids are typed on the command line, so they need no quotes there.
fn checked_id(reader: &mut Reader<'_>, id: Placed<String>) -> Option<Placed<String>> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.value.starts_with('-') || !id.value.chars().all(plain) {
        let message = format!("`{}` is no id", id.value);
        let finding = reader.findings.add(Code::BadValue, id.span, message);
        finding.help("an id has letters, digits, `-`, `_` and `.`, since it is typed on the command line");
        return None;
    }
    Some(id)
}

fn unique_ids(reader: &mut Reader<'_>, draft: &Draft) {
    let mut seen = BTreeMap::new();
    for id in draft.steps.iter().filter_map(|step| step.id.as_ref()) {
        if let Some(line) = seen.insert(Folded::of(&id.value), reader.source.line(id.span.start)) {
            let message = format!("there are two steps with the id `{}`", id.value);
            duplicate(reader, id.span.clone(), format!("{message}; the first is on line {line}"));
        }
    }
    let mut seen = BTreeSet::new();
    for prerequisite in &draft.prerequisites {
        if let Some(ConditionDraft::Confirm { id, .. }) = &prerequisite.condition
            && !seen.insert(Folded::of(&id.value))
        {
            duplicate(reader, id.span.clone(), format!("there are two prerequisites with the id `{}`", id.value));
        }
    }
}

fn step(reader: &mut Reader<'_>, table: &Table<'_>) -> StepDraft {
    let before = reader.findings.errors();
    let id = reader.required_text(table, "id", "id = \"copy\"");
    let id = id.and_then(|id| checked_id(reader, id));
    let title = reader.text(table, "title").map(|title| title.value);
    let verb = verb(reader, table);
    let on = reader.text(table, "on");
    let mut draft = StepDraft {
        header: table.span(),
        id,
        title,
        verb,
        items: items(reader, table),
        groups: groups(reader, table),
        removed_by: reader.text(table, "removed_by"),
        files: files(reader, table),
        others: others(reader, table),
        other_names: Vec::new(),
        to: None,
        parameters: parameters(reader, table),
        service: reader.text(table, "service"),
        platform: reader.text(table, "platform").map(|platform| platform.value),
        on,
        instructions: reader.text(table, "instructions").map(|text| text.value),
        undo: reader.text(table, "undo").map(|text| text.value),
        optional: reader.flag(table, "optional").is_some_and(|optional| optional.value),
        torn_files: false,
        torn: false,
    };
    draft.torn_files = match table.has("files") {
        true => reader.list_length(table, "files") != Some(draft.files.len()),
        false => !table.is_clean(),
    };
    draft.to = to(reader, table, &draft);
    draft.torn = reader.findings.errors() > before || !table.is_clean();
    if let Some(verb) = verb {
        targets(reader, table, &draft, verb);
    }
    draft
}

/// The action, and a finding for each key that it does not have.
fn verb(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Verb> {
    let action = reader.required_text(table, "action", "action = \"copy\"")?;
    let Some((name, verb, keys)) = ACTIONS.iter().find(|(name, ..)| *name == action.value) else {
        let near = reader.nearest(&action.value, ACTIONS.iter().map(|(name, ..)| *name)).map(str::to_owned);
        let message = format!("there is no action `{}`", action.value);
        let finding = reader.findings.add(Code::BadValue, action.span, message);
        let names = crate::document::listed(ACTIONS.iter().map(|(name, ..)| *name));
        finding.did_you_mean(near.as_deref()).help(format!("the actions are {names}"));
        return None;
    };
    let shape = &SHAPES[4];
    for key in table.keys().into_iter().filter(|key| shape.keys.contains(&key.value)) {
        if !keys.contains(&key.value) && !["id", "title", "action"].contains(&key.value) {
            let takers = ACTIONS.iter().filter(|(_, _, keys)| keys.contains(&key.value)).map(|(name, ..)| *name);
            let message = format!("a step that does `{name}` has no `{}`", key.value);
            let help = format!("`{}` belongs to {}", key.value, crate::document::listed(takers));
            reader.findings.add(Code::Unfitting, key.span, message).help(help);
        }
    }
    Some(*verb)
}

/// What an action cannot do without, and what it cannot have together.
fn targets(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, verb: Verb) {
    match verb {
        Verb::Uninstall => one_of(reader, table, draft, &["items", "groups"]),
        Verb::Install => {
            one_of(reader, table, draft, &["items", "groups", "removed_by"]);
            if table.has("items") {
                exclusive(reader, table, "removed_by", "items");
            } else {
                exclusive(reader, table, "removed_by", "groups");
            }
        }
        Verb::Copy => {
            one_of(reader, table, draft, &["files", "others"]);
            exclusive(reader, table, "others", "files");
            if !table.has("to") {
                reader.missing(table, "to", "to = \"share\"");
            }
        }
        Verb::Run => {
            one_of(reader, table, draft, &["files"]);
            needs(reader, table, "on", "on = \"ROLE\"");
            packages_only(reader, draft);
        }
        Verb::Initialize => one_of(reader, table, draft, &["items"]),
        Verb::Service(_) => one_of(reader, table, draft, &["service"]),
        Verb::Manual => {
            needs(reader, table, "instructions", "instructions = \"…\"");
            if table.has("platform") {
                needs(reader, table, "on", "on = \"ROLE\"");
            }
        }
    }
}

fn one_of(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, keys: &[&str]) {
    let present = keys.iter().filter(|key| table.has(key)).count();
    let chosen = !draft.items.is_empty() || !draft.groups.is_empty() || !draft.files.is_empty();
    let other = draft.removed_by.is_some() || draft.others.is_some() || draft.service.is_some();
    // A target that could not be read has its finding already.
    if chosen || other || (present > 0 && draft.torn) || !table.is_clean() {
        return;
    }
    let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
    let message = format!("the step `{}` has no targets", draft.name());
    reader.findings.add(Code::NoTargets, draft.place(), message).help(format!("give it {keys}"));
}

fn exclusive(reader: &mut Reader<'_>, table: &Table<'_>, one: &str, other: &str) {
    if let (Some(span), true) = (table.key(one), table.has(other)) {
        let message = format!("`{one}` and `{other}` exclude each other");
        reader.findings.add(Code::Contradiction, span, message).help("keep one of them");
    }
}

fn needs(reader: &mut Reader<'_>, table: &Table<'_>, key: &str, example: &str) {
    if !table.has(key) {
        reader.missing(table, key, example);
    }
}

fn packages_only(reader: &mut Reader<'_>, draft: &StepDraft) {
    for file in draft.files.iter().filter(|file| !file.value.is_msi()) {
        let message = format!("`{}` is no installer package, and nothing else is ever run", file.value);
        let finding = reader.findings.add(Code::NotAPackage, file.span.clone(), message);
        finding.help("describe it in a `manual` step");
    }
}

fn items(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<(Placed<String>, Vec<Placed<String>>)> {
    let Some(groups) = reader.table(table, "items", ITEMS) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for key in groups.keys() {
        let names = unique_texts(reader, &groups, key.value);
        let group = Placed { value: key.value.to_owned(), span: key.span };
        let Some(path) = reader.parsed(group.clone(), Code::BadName, RelPath::parse) else { continue };
        if !seen.insert(path.value.folded()) {
            duplicate(reader, group.span.clone(), format!("`items` has the group `{}` twice", group.value));
        }
        found.push((group, names));
    }
    found.retain(|(_, names)| !names.is_empty());
    found
}

/// Whole groups, by paths that can be walked.
fn groups(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Placed<String>> {
    let mut groups = unique_texts(reader, table, "groups");
    groups.retain(|group| reader.parsed(group.clone(), Code::BadName, RelPath::parse).is_some());
    groups
}

/// A list without repetitions, with a finding if it is empty.
fn unique_texts(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
    let Some(texts) = reader.texts(table, key) else { return Vec::new() };
    refuse_empty(reader, table, key);
    let mut seen = BTreeSet::new();
    for text in &texts {
        if !seen.insert(Folded::of(&text.value)) {
            duplicate(reader, text.span.clone(), format!("`{key}` lists `{}` twice", text.value));
        }
    }
    texts
}

fn files(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Placed<FileName>> {
    let texts = unique_texts(reader, table, "files");
    texts.into_iter().filter_map(|text| reader.parsed(text, Code::BadName, FileName::parse)).collect()
}

fn others(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Span> {
    let others = reader.flag(table, "others")?;
    if !others.value {
        let finding = reader.findings.add(Code::BadValue, others.span, "`others = false` says nothing");
        finding.help("remove the key");
        return None;
    }
    Some(others.span)
}

fn to(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft) -> Option<To> {
    let to = reader.text(table, "to")?;
    if draft.verb.is_some_and(|verb| verb != Verb::Copy) {
        return None;
    }
    let on_servers = table.has("on");
    if to.value == "share" {
        if let Some(span) = table.key("on").or_else(|| table.key("platform")) {
            let finding = reader.findings.add(Code::Contradiction, span, "the share is on no server of a role");
            finding.help("remove the key, or let `to` be a folder below the server's `Files`");
        }
        return Some(To::Share);
    }
    if !on_servers {
        let message = format!("`{}` is a folder on servers, and the step does not say on which", to.value);
        let finding = reader.findings.add(Code::MissingKey, to.span.clone(), message);
        let near = crate::document::nearest(&to.value, std::iter::once("share"));
        finding.did_you_mean(near).help("add `on = \"ROLE\"`, or copy to the share with `to = \"share\"`");
    }
    if to.value == "." {
        return Some(To::Files);
    }
    let span = to.span.clone();
    let folder = reader.parsed(to, Code::BadName, RelPath::parse)?;
    for part in folder.value.parts() {
        reader.parsed(Placed { value: part.to_owned(), span: span.clone() }, Code::BadName, FileName::parse)?;
    }
    Some(To::Folder(folder.value))
}

fn parameters(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<(Placed<String>, BTreeMap<String, String>)> {
    let Some(procedures) = reader.table(table, "parameters", PARAMETERS) else { return Vec::new() };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for key in procedures.keys() {
        if !seen.insert(Folded::of(key.value)) {
            duplicate(reader, key.span.clone(), format!("`parameters` has `{}` twice", key.value));
        }
        let Some(given) = reader.table(&procedures, key.value, GIVEN) else { continue };
        let mut values = BTreeMap::new();
        for name in given.keys() {
            let value = reader.any_text(&given, name.value);
            values.extend(value.map(|value| (name.value.to_owned(), value.value)));
        }
        found.push((Placed { value: key.value.to_owned(), span: key.span }, values));
    }
    found
}

fn payload(reader: &mut Reader<'_>, top: &Table<'_>) -> TableDraft {
    let mut draft = TableDraft::default();
    let Some(payload) = reader.table(top, "payload", PAYLOAD) else { return draft };
    draft.header = Some(payload.span());
    for table in reader.tables(&payload, "files", ROW) {
        match row(reader, &table) {
            Some(row) => draft.rows.push(row),
            None => draft.nameless = true,
        }
    }
    if let Some(pins) = reader.table(&payload, "sha256", PINS) {
        draft.pins_header = Some(pins.span());
        for key in pins.keys() {
            let digest = reader.text(&pins, key.value);
            let digest = digest.and_then(|text| reader.parsed(text, Code::BadValue, str::parse::<Digest>));
            let name = Placed { value: key.value.to_owned(), span: key.span };
            let name = reader.parsed(name, Code::BadName, FileName::parse);
            draft.pins.extend(name.map(|name| (name, digest.map(|digest| digest.value))));
        }
    }
    draft
}

fn row(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<RowDraft> {
    let before = reader.findings.errors();
    let name = reader.required_text(table, "name", "name = \"….msi\"");
    let name = name.and_then(|name| reader.parsed(name, Code::BadName, FileName::parse));
    let size = reader.number(table, "size", i64::MAX as u64);
    let modified = reader.datetime(table, "modified").and_then(|time| moment(reader, &time));
    let platform = reader.text(table, "platform").map(|platform| platform.value);
    let version = reader.text(table, "version").map(|version| version.value);
    let unused = reader.text(table, "unused");
    let torn = reader.findings.errors() > before;
    Some(RowDraft { name: name?, size, modified, platform, version, unused, torn })
}

/// A moment in UTC, to the minute, in seconds since 1970.
fn moment(reader: &mut Reader<'_>, time: &Placed<Datetime>) -> Option<Placed<i64>> {
    let wrong = match (time.value.date, time.value.time, time.value.offset) {
        (Some(date), Some(clock), Some(Offset::Z)) => {
            if clock.second.unwrap_or(0) != 0 || clock.nanosecond.unwrap_or(0) != 0 {
                "articles document times to the minute, so the seconds are 00"
            } else {
                let (year, month, day) = (date.year as i16, date.month as i8, date.day as i8);
                let civil = DateTime::new(year, month, day, clock.hour as i8, clock.minute as i8, 0, 0);
                match civil.and_then(|civil| civil.to_zoned(TimeZone::UTC)) {
                    Ok(moment) => {
                        return Some(Placed { value: moment.timestamp().as_second(), span: time.span.clone() });
                    }
                    Err(_) => "there is no such time",
                }
            }
        }
        (Some(_), Some(_), _) => "a `Z` at the end says that it is UTC",
        _ => "a date and a time are wanted, such as 2008-03-31T18:32:00Z",
    };
    let message = format!("`modified` is {}, which is not UTC to the minute", time.value);
    reader.findings.add(Code::BadTime, time.span.clone(), message).help(wrong);
    None
}

fn refuse_empty(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) {
    if reader.list_length(table, key) == Some(0) {
        let span = table.key(key).unwrap_or_default();
        let message = format!("`{key}` lists nothing");
        reader.findings.add(Code::Empty, span, message).help("fill it, or remove the key");
    }
}

fn duplicate(reader: &mut Reader<'_>, span: Span, message: String) {
    reader.findings.add(Code::DuplicateName, span, message).help("case does not count; remove or rename one");
}

fn plain(texts: Vec<Placed<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deployment::description;
    use crate::document::Level;
    use crate::manifest::{Action, CopyFiles, CopyTarget, InstallTargets, seal};

    const KB952076: &str = include_str!("../../manifests/kb952076.toml");
    const HMC40: &str = include_str!("../../fixtures/hmc40/deployment.toml");

    fn deployment() -> Description {
        description::parse(&Source::new("deployment.toml", HMC40), &mut Findings::default()).expect("no errors")
    }

    fn shown(source: &Source, findings: &Findings) -> Vec<String> {
        let line = |finding: &&crate::document::Finding| {
            let (line, _) = source.place(finding.span.start);
            format!("{line} {} {} {}", finding.level, finding.code, finding.message)
        };
        findings.sorted().iter().map(line).collect()
    }

    fn found(text: &str, checks: &Checks<'_>) -> Vec<String> {
        let source = Source::new("m.toml", text);
        let mut findings = Findings::default();
        let parsed = parse_with(&source, checks, &mut findings);
        assert_eq!(parsed.is_some(), findings.errors() == 0, "{:?}", shown(&source, &findings));
        shown(&source, &findings)
    }

    fn codes(found: &[String], without: &str) -> Vec<String> {
        let code = |line: &String| line.split(' ').nth(2).map(str::to_owned);
        found.iter().filter_map(code).filter(|code| code != without).collect()
    }

    fn sealed() -> String {
        let manifest = parse(&Source::new("m.toml", KB952076), &mut Findings::default()).expect("no errors");
        let pins: Vec<_> =
            manifest.files.iter().map(|row| (row.name.clone(), Digest::of(row.name.as_str().as_bytes()))).collect();
        seal(KB952076, &pins).expect("sealed")
    }

    #[test]
    fn kb952076_has_exactly_its_known_oddities() {
        let found = found(&sealed(), &Checks { require_hashes: true, deployment: None });
        assert_eq!(found.iter().filter(|line| line.contains("RU0205")).count(), 18);
        assert_eq!(codes(&found, "RU0205"), ["RU0202", "RU0203", "RU0202", "RU0202"], "{found:#?}");
    }

    #[test]
    fn kb952076_on_the_sample_site_adds_what_the_article_does_not_see() {
        let deployment = deployment();
        let found = found(&sealed(), &Checks { require_hashes: true, deployment: Some(&deployment) });
        let expected = ["RU0609", "RU0608", "RU0608", "RU0610", "RU0202", "RU0203", "RU0202", "RU0202"];
        assert_eq!(codes(&found, "RU0205"), expected, "{found:#?}");
        let mut findings = Findings::default();
        let source = Source::new("m.toml", sealed());
        check_against(&source, &deployment, &mut findings);
        assert_eq!(codes(&shown(&source, &findings), ""), expected[..4], "{:#?}", shown(&source, &findings));
    }

    #[test]
    fn missing_pins_are_one_warning_and_an_error_where_hashes_are_required() {
        let count = |level: &str, checks: &Checks<'_>| {
            let code = format!("{level} RU0207");
            found(KB952076, checks).iter().filter(|line| line.contains(&code)).count()
        };
        assert_eq!(count("warning", &Checks::default()), 1);
        assert_eq!(count("error", &Checks { require_hashes: true, deployment: None }), 1);
    }

    #[test]
    fn kb952076_is_read_as_it_was_written() {
        let manifest = parse(&Source::new("m.toml", sealed()), &mut Findings::default()).expect("no errors");
        assert_eq!(manifest.rollup.kb.to_string(), "KB952076");
        assert_eq!((manifest.steps.len(), manifest.files.len()), (5, 21));
        assert_eq!(manifest.files[0].modified, Some(1_206_988_320));
        assert_eq!(manifest.files.iter().filter_map(|row| row.size).sum::<u64>(), 7_664_808);
        let Action::Uninstall(selection) = &manifest.steps[0].action else { panic!("an uninstall step") };
        assert_eq!(selection.items.iter().map(|group| group.names.len()).collect::<Vec<_>>(), [11, 7]);
        assert!(manifest.files.iter().all(|row| row.sha256.is_some()));
    }

    /// A manifest with nothing to say about it, and more below; lines of `rest` count from 8.
    fn with(rest: &str) -> Vec<String> {
        let text = format!(
            "schema = 1\n[rollup]\nkb = \"952076\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n\n{rest}"
        );
        found(&text, &Checks::default())
    }

    const PAYLOAD: &str = "[payload]\nfiles = [{ name = \"a.msi\", size = 512 }, { name = \"b.msi\", size = 1024 }]\n";

    #[test]
    fn every_action_is_read() {
        let text = format!(
            "schema = 1\n[rollup]\nkb = \"kb1\"\ntitle = \"t\"\nproduct = \"p\"\nproduct_versions = [\"1\"]\n\
             [[prerequisites]]\nitem = \"X\"\n[[prerequisites]]\nconfirm = \"Sure?\"\nid = \"sure\"\n\
             [[steps]]\nid = \"d\"\naction = \"disable\"\nservice = \"S\"\nplatform = \"x64\"\n\
             [[steps]]\nid = \"U\"\naction = \"uninstall\"\ngroups = [\"G\"]\non = \"r\"\n\
             [[steps]]\nid = \"r\"\naction = \"run\"\nfiles = [\"a.msi\"]\non = \"r\"\nplatform = \"x64\"\n\
             [[steps]]\nid = \"c\"\naction = \"copy\"\nothers = true\nto = \"x/y\"\non = \"r\"\n\
             [[steps]]\nid = \"i\"\naction = \"install\"\nremoved_by = \"u\"\n\
             [[steps]]\nid = \"p\"\naction = \"initialize\"\nitems.\"G/H\" = [\"P\"]\nparameters.P = {{ a = \"\", b = \"1\" }}\n\
             [[steps]]\nid = \"e\"\naction = \"enable\"\nservice = \"s\"\n\
             [[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"do\"\nundo = \"undo\"\noptional = true\non = \"r\"\n{PAYLOAD}"
        );
        let mut findings = Findings::default();
        let source = Source::new("m.toml", text);
        let manifest = parse(&source, &mut findings);
        assert_eq!(codes(&shown(&source, &findings), "RU0207"), [""; 0], "{:#?}", shown(&source, &findings));
        let steps = manifest.expect("no errors").steps;
        assert!(
            matches!(&steps[3].action, Action::Copy { files: CopyFiles::Others { names, .. }, to: CopyTarget::Servers { .. } } if names.len() == 1)
        );
        assert!(matches!(&steps[4].action, Action::Install(InstallTargets::RemovedBy { step, .. }) if step == "U"));
    }

    #[test]
    fn a_file_that_is_used_but_not_listed_is_told_once() {
        let step = "[[steps]]\nid = \"c\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"a.msi\", \"bb.msi\"]\n";
        let found = with(&format!("{step}{PAYLOAD}"));
        assert_eq!(codes(&found, "RU0207"), ["RU0201"], "{found:#?}");
    }

    #[test]
    fn what_goes_should_come_back() {
        let remove = "[[steps]]\nid = \"u\"\naction = \"uninstall\"\nitems.\"G/H\" = [\"A\", \"B\"]\n";
        let install = |what: &str| with(&format!("{remove}[[steps]]\nid = \"i\"\naction = \"install\"\n{what}\n"));
        assert_eq!(codes(&with(remove), ""), ["RU0303"]);
        assert_eq!(codes(&install("groups = [\"g\"]"), ""), [""; 0]);
        assert_eq!(codes(&install("removed_by = \"U\""), ""), [""; 0]);
        assert_eq!(codes(&install("items.\"G/H\" = [\"A\"]"), ""), ["RU0303"]);
        assert_eq!(codes(&install("items.\"G/H\" = [\"A\", \"B\", \"C\"]"), ""), ["RU0304"]);
        assert_eq!(codes(&install("groups = [\"alias of G\"]"), ""), [""; 0]);
        assert_eq!(codes(&install("removed_by = \"x\""), "RU0303"), ["RU0305"]);
        assert_eq!(codes(&with("[[steps]]\nid = \"s\"\naction = \"stop\"\nservice = \"S\"\n"), ""), ["RU0306"]);
    }

    #[test]
    fn keys_that_do_not_fit_are_told() {
        let found = with(&format!(
            "[[prerequisites]]\nproduct = \"X\"\nitem = \"Y\"\n[[prerequisites]]\nitem = \"Y\"\nservice_pack = 1\n\
             [[steps]]\nid = \"a b\"\naction = \"copi\"\n[[steps]]\nid = \"c\"\naction = \"copy\"\nto = \"Share\"\n\
             files = [\"a.msi\", \"A.MSI\"]\nothers = true\nservice = \"S\"\n[[steps]]\nid = \"C\"\naction = \"uninstall\"\n{PAYLOAD}"
        ));
        assert_eq!(
            codes(&found, "RU0207"),
            ["RU0113", "RU0112", "RU0105", "RU0105", "RU0103", "RU0108", "RU0113", "RU0112", "RU0108", "RU0301"],
            "{found:#?}"
        );
    }

    #[test]
    fn a_row_says_what_is_wrong_with_it() {
        let rows = "{ name = \"a.msi\", size = 500, unused = \"x\" }, { name = \"A.msi\", unused = \"x\" }, { name = \"c\", size = -1, unused = \"x\" }, \
                    { name = \"d/e\" }, { name = \"f\", modified = 2008-03-31T18:32:00, unused = \"x\", size = 1 }, \
                    { name = \"g\", modified = 2008-03-31T18:32:01Z, unused = \"x\", size = 1 }, { name = \"h\", unused = \"x\", size = 1 }";
        let found = with(&format!(
            "[[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"x\"\n[payload]\nfiles = [{rows}]\n"
        ));
        assert_eq!(
            codes(&found, "RU0207"),
            ["RU0204", "RU0108", "RU0206", "RU0111", "RU0107", "RU0110", "RU0110"],
            "{found:#?}"
        );
    }

    #[test]
    fn names_of_the_deployment_are_checked() {
        let deployment = deployment();
        let text = KB952076
            .replace("\"Exchange 2007 Hosted Email\",", "\"Exchange 2007 Hosted Mail\",")
            .replace("items.\"MPS Web Services\" = [ ", "items.\"MPS Web Services\" = [ \"MPF Engine\", ")
            .replace("on = \"mps-engine\"", "on = \"mps-engin\"")
            .replace("service = \"Provisioning Engine\"", "service = \"Provisioning\"")
            .replace("\"Initialize Managed Email 2007\",", "\"Managed Email 2007\",")
            .replace("\"Hosted Exchange\", ", "\"Hosted Exchang\", ")
            .replace("product = \"Exchange Server 2007\"", "product = \"Exchange 2007\"");
        let found = found(&text, &Checks { require_hashes: false, deployment: Some(&deployment) });
        let found: Vec<_> = codes(&found, "RU0205").into_iter().filter(|code| code.starts_with("RU06")).collect();
        assert_eq!(found, ["RU0611", "RU0602", "RU0605", "RU0607", "RU0601", "RU0610", "RU0606", "RU0604", "RU0603"]);
    }

    #[test]
    fn twins_are_a_warning_until_they_are_pinned() {
        let level = |text: &str| {
            let source = Source::new("m.toml", text);
            let mut findings = Findings::default();
            parse(&source, &mut findings);
            findings.sorted().iter().find(|finding| finding.code == Code::Twins).map(|finding| finding.level)
        };
        assert_eq!((level(KB952076), level(&sealed())), (Some(Level::Warning), Some(Level::Note)));
    }
}
