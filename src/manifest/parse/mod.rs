//! Reading of a manifest into a draft, key by key, and then through all checks.

mod step;
mod table;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::*;
use super::known::AllKnown;
use super::lookup::look_up;
use super::shapes::{ARTICLE, MANIFEST, PREREQUISITE, ROLLUP};
use super::table as file_table;
use super::{FileTable, Manifest, against, steps};
use crate::deployment::description::Description;
use crate::document::{
    Case, Code, Findings, Placed, Reader, Rule, Shape, Source, Span, Table, read,
};
use crate::names::{CaseFolded, Kb, Version};

/// Checks beyond the language itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checks<'d> {
    /// The deployment whose names the manifest should use.
    pub deployment: Option<&'d Description>,
}

/// Reads and checks a manifest by itself. Returns `None` if there was an error.
pub fn parse(source: &Source, findings: &mut Findings) -> Option<Manifest> {
    parse_with(source, &Checks::default(), findings)
}

/// Reads a manifest and checks it as far as the caller can. Returns `None` if there was an error.
pub fn parse_with(
    source: &Source,
    checks: &Checks<'_>,
    findings: &mut Findings,
) -> Option<Manifest> {
    match check(source, checks, findings) {
        Read::Whole(manifest) => Some(*manifest),
        Read::Part(_) | Read::Nothing => None,
    }
}

/// Part of a manifest that can be used.
#[derive(Debug)]
pub enum Read {
    /// All of it: it has no errors.
    Whole(Box<Manifest>),
    /// It has errors; a payload can still be compared with what could be read of its file table.
    Part(FileTable<'static>),
    /// The text cannot be a document.
    Nothing,
}

/// Reads a manifest and checks it as far as the caller can; returns what could be read in any case.
pub fn check(source: &Source, checks: &Checks<'_>, findings: &mut Findings) -> Read {
    let before = findings.errors();
    let draft = read(source, &MANIFEST, findings, |reader, top| {
        let mut draft = draft(reader, top);
        if reader.whole() {
            file_table::check(reader, &mut draft);
            look_up(&mut draft, checks.deployment);
            steps::check(reader, &mut draft, checks.deployment);
        }
        if let Some(deployment) = checks.deployment.filter(|_| reader.whole()) {
            against::check(reader, &draft, deployment);
        }
        (draft, reader.whole())
    });
    let Some((draft, whole)) = draft else {
        return Read::Nothing;
    };
    if findings.errors() == before {
        return draft
            .finish(source)
            .map_or(Read::Nothing, |manifest| Read::Whole(Box::new(manifest)));
    }
    // If the text is broken, it is unknown which rows are there.
    if whole {
        Read::Part(draft.file_table(source))
    } else {
        Read::Nothing
    }
}

/// Reads only the identity and relations of a manifest, whatever else is wrong with it.
pub(super) fn rollup_of(source: &Source) -> RollupDraft {
    let rollup = read(
        source,
        &MANIFEST,
        &mut Findings::default(),
        |reader, top| {
            let mut rollup = RollupDraft::default();
            if let Some(table) = reader.table(top, "rollup") {
                read_rollup(reader, &table, &mut rollup);
            }
            if let Some(table) = reader.table(top, "article") {
                article(reader, &table, &mut rollup);
            }
            rollup
        },
    );
    rollup.unwrap_or_default()
}

fn draft(reader: &mut Reader<'_>, top: &Table<'_>) -> Draft {
    let mut rollup = RollupDraft::default();
    if let Some(table) = reader.table(top, "rollup") {
        read_rollup(reader, &table, &mut rollup);
    }
    if let Some(table) = reader.table(top, "article") {
        article(reader, &table, &mut rollup);
    }
    let tables = reader.tables(top, "prerequisites");
    let prerequisites = tables
        .iter()
        .map(|table| prerequisite(reader, table))
        .collect();
    let tables = reader.tables(top, "steps");
    let steps = tables
        .iter()
        .map(|table| step::step(reader, table))
        .collect();
    let (payload, known) = (table::payload(reader, top), AllKnown::default());
    let mut draft = Draft {
        rollup,
        prerequisites,
        steps,
        payload,
        known,
    };
    draft
        .steps
        .iter_mut()
        .for_each(|step| step::strays(reader, step));
    unique_ids(reader, &draft);
    draft
}

fn read_rollup(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    rollup.keys.extend(key_spans(table, &ROLLUP));
    let kb = reader.text(table, "kb");
    rollup.kb = kb.and_then(|kb| reader.parsed(kb, Code::BadValue, str::parse));
    rollup.title = reader.text(table, "title");
    rollup.product = reader.text(table, "product");
    rollup.product_versions = reader.texts_or_none(table, "product_versions");
    rollup.scope = reader.text(table, "scope").map(|scope| scope.value);
    rollup.released = reader.day(table, "released");
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
        let Some(kb) = reader.parsed(text, Code::BadValue, str::parse::<Kb>) else {
            continue;
        };
        match seen.insert(kb.value) {
            true => numbers.push(kb),
            false => {
                let message = format!("`{key}` lists {} twice", kb.value);
                reader
                    .findings
                    .add(Code::DuplicateName, kb.span, message)
                    .help("remove one");
            }
        }
    }
    numbers
}

fn relations(reader: &mut Reader<'_>, rollup: &RollupDraft) {
    let own = rollup.kb.as_ref().map(|kb| kb.value);
    let lists = [
        ("includes", &rollup.includes),
        ("replaces", &rollup.replaces),
        ("requires", &rollup.requires),
    ];
    for (key, list) in lists {
        for kb in list.iter().filter(|kb| Some(kb.value) == own) {
            let message = format!(
                "{} is this rollup itself, so it cannot stand in `{key}`",
                kb.value
            );
            reader
                .findings
                .add(Code::SelfRelation, kb.span.clone(), message)
                .help("name the other rollup, or remove it");
        }
    }
    let replaced: BTreeSet<Kb> = rollup.replaces.iter().map(|kb| kb.value).collect();
    for kb in rollup
        .requires
        .iter()
        .filter(|kb| replaced.contains(&kb.value) && Some(kb.value) != own)
    {
        let message = format!("{} is required to be in force and replaced", kb.value);
        reader
            .findings
            .add(Code::Opposed, kb.span.clone(), message)
            .help("remove it from `requires` or `replaces`");
    }
}

fn article(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    rollup.keys.extend(key_spans(table, &ARTICLE));
    let revision = reader.text(table, "revision");
    rollup.revision = revision
        .and_then(|text| reader.parsed(text, Code::BadValue, str::parse::<Version>))
        .map(|revision| revision.value);
    rollup.reviewed = reader.day(table, "reviewed");
    reviewed_later(reader, rollup);
    let Some(url) = reader.text(table, "url") else {
        return;
    };
    if !url.value.starts_with("http://") && !url.value.starts_with("https://") {
        let finding = reader.findings.add(
            Code::BadValue,
            url.span,
            format!("`{}` is no web address", url.value),
        );
        finding.help("it begins with `http://` or `https://`");
        return;
    }
    if let Some(kb) = rollup.kb.as_ref().map(|kb| kb.value)
        && let Some(other) = article_of(&url.value).filter(|other| *other != kb)
    {
        let message = format!("the address is that of {other}, and the rollup is {kb}");
        reader
            .findings
            .add(Code::OtherArticle, url.span, message)
            .help("compare both numbers with the article");
    }
    rollup.url = Some(url.value);
}

/// Reports a review before the release. Days are written so that their texts sort as they do.
fn reviewed_later(reader: &mut Reader<'_>, rollup: &RollupDraft) {
    if let (Some(released), Some(reviewed)) = (&rollup.released, &rollup.reviewed)
        && reviewed.value < released.value
    {
        let message = format!(
            "reviewed on {} and released only on {}",
            reviewed.value, released.value
        );
        let finding = reader
            .findings
            .add(Code::DatesBackwards, reviewed.span.clone(), message);
        finding.help("compare both days with the article");
    }
}

/// Returns the article that an address names by its number, as in `…/kb/952076/` or
/// `…/help/952076`.
fn article_of(url: &str) -> Option<Kb> {
    let mut parts = url
        .split('/')
        .skip_while(|part| !["kb", "help"].contains(&part.to_ascii_lowercase().as_str()));
    parts.nth(1)?.parse().ok()
}

fn prerequisite(reader: &mut Reader<'_>, table: &Table<'_>) -> PrerequisiteDraft {
    let kinds: Vec<&Case> = PREREQUISITE
        .cases()
        .iter()
        .filter(|case| table.has(case.name))
        .collect();
    let condition = match kinds[..] {
        [kind] => condition(reader, table, kind),
        [] => {
            reader.missing(table, "product`, `item` or `confirm", "product = \"…\"");
            None
        }
        [first, second, ..] => {
            let span = table.key(second.name).unwrap_or_default();
            let message = format!(
                "one prerequisite cannot ask for `{}` and `{}`",
                first.name, second.name
            );
            reader
                .findings
                .add(Code::Contradiction, span, message)
                .help("write two, each with its `[[prerequisites]]`");
            None
        }
    };
    PrerequisiteDraft {
        span: table.span(),
        condition,
    }
}

fn condition(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    case: &'static Case,
) -> Option<ConditionDraft> {
    let kind = case.name;
    for key in table.keys() {
        if PREREQUISITE.takes(key.value) && !PREREQUISITE.goes_with(case, key.value) {
            let message = format!("`{}` does not go with `{kind}`", key.value);
            reader
                .findings
                .add(Code::Unfitting, key.span, message)
                .help("remove it");
        }
    }
    case.rules
        .iter()
        .for_each(|rule| needs(reader, table, rule));
    let subject = reader.text(table, kind);
    match kind {
        "product" => {
            let service_pack = reader.number(table, "service_pack");
            let on = reader.text(table, "on");
            // At most nine digits, so it fits.
            let service_pack = service_pack.map_or(0, |pack| pack.value as u32);
            Some(ConditionDraft::Product {
                product: subject?,
                service_pack,
                on,
            })
        }
        "item" => Some(ConditionDraft::Item { item: subject? }),
        _ => {
            let id = reader.text(table, "id");
            let id = id.and_then(|id| checked_id(reader, id));
            Some(ConditionDraft::Confirm {
                id: id?,
                question: subject?.value,
            })
        }
    }
}

/// Checks an id. Ids are typed on the command line, so they must need no quotes there.
fn checked_id(reader: &mut Reader<'_>, id: Placed<String>) -> Option<Placed<String>> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.value.starts_with('-') || !id.value.chars().all(plain) {
        let message = format!("`{}` is no id", id.value);
        let finding = reader.findings.add(Code::BadValue, id.span, message);
        finding.help(
            "an id has letters, digits, `-`, `_` and `.`, since it is typed on the command line",
        );
        return None;
    }
    Some(id)
}

fn unique_ids(reader: &mut Reader<'_>, draft: &Draft) {
    let mut seen = BTreeMap::new();
    for id in draft.steps.iter().filter_map(|step| step.id.as_ref()) {
        if let Some(line) =
            seen.insert(CaseFolded::of(&id.value), reader.source.line(id.span.start))
        {
            let message = format!("there are two steps with the id `{}`", id.value);
            duplicate(
                reader,
                id.span.clone(),
                format!("{message}; the first is on line {line}"),
            );
        }
    }
    let mut seen = BTreeSet::new();
    for condition in draft
        .prerequisites
        .iter()
        .filter_map(|prerequisite| prerequisite.condition.as_ref())
    {
        asked_once(reader, condition, &mut seen);
    }
}

/// Subject of a prerequisite: a product on a role, an item, or a question that a person answers.
type Asked = (&'static str, CaseFolded, Option<CaseFolded>);

fn asked_once(reader: &mut Reader<'_>, condition: &ConditionDraft, seen: &mut BTreeSet<Asked>) {
    let (asked, name) = match condition {
        ConditionDraft::Product { product, on, .. } => {
            let on = on.as_ref().map(|on| CaseFolded::of(&on.value));
            (("product", CaseFolded::of(&product.value), on), product)
        }
        ConditionDraft::Item { item } => (("item", CaseFolded::of(&item.value), None), item),
        ConditionDraft::Confirm { id, .. } => (("id", CaseFolded::of(&id.value), None), id),
    };
    let kind = asked.0;
    if seen.insert(asked) {
        return;
    }
    if kind == "id" {
        duplicate(
            reader,
            name.span.clone(),
            format!("there are two prerequisites with the id `{}`", name.value),
        );
        return;
    }
    let message = format!("two prerequisites ask for the {kind} `{}`", name.value);
    reader
        .findings
        .add(Code::AskedTwice, name.span.clone(), message)
        .help("keep the stricter one");
}

/// Reports a key that the others require and that is missing.
fn needs(reader: &mut Reader<'_>, table: &Table<'_>, rule: &Rule) {
    match *rule {
        Rule::Needs(key, line) if !table.has(key) => reader.missing(table, key, line),
        Rule::With(key, needed, line) if table.has(key) && !table.has(needed) => {
            reader.missing(table, needed, line)
        }
        _ => {}
    }
}

fn duplicate(reader: &mut Reader<'_>, span: Span, message: String) {
    reader
        .findings
        .add(Code::DuplicateName, span, message)
        .help("case does not count; remove or rename one");
}

/// Returns the places of the keys that a table has.
fn key_spans(
    table: &Table<'_>,
    shape: &'static Shape,
) -> impl Iterator<Item = (&'static str, Span)> {
    shape
        .named()
        .iter()
        .filter_map(|key| Some((key.name, table.key(key.name)?)))
}

fn plain(texts: Vec<Placed<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

#[cfg(test)]
mod tests;
