//! Reading of a manifest into a draft, key by key, followed by all checks.

mod step;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use super::draft::*;
use super::known::ResolutionSummary;
use super::lookup::look_up;
use super::shapes::{ARTICLE, MANIFEST, PREREQUISITE, ROLLUP};
use super::table as file_table;
use super::{FileTable, Manifest, against, steps};
use crate::deployment::description::Description;
use crate::document::{
    Case, Code, Findings, Placed, Reader, Rule, Shape, Source, Span, Table, read,
};
use crate::names::{CaseFolded, Kb, Requirement, Version};

/// Checks beyond the language itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Checks<'d> {
    /// The deployment whose names the manifest should use.
    pub deployment: Option<&'d Description>,
}

/// Reads and checks a manifest by itself. Returns `None` if it has an error.
pub fn parse(source: &Source, findings: &mut Findings) -> Option<Manifest> {
    parse_with(source, &Checks::default(), findings)
}

/// Reads a manifest and checks it with the data that the caller has. Returns `None` if it has an
/// error.
pub fn parse_with(
    source: &Source,
    checks: &Checks<'_>,
    findings: &mut Findings,
) -> Option<Manifest> {
    match check(source, checks, findings) {
        ParsedManifest::Complete(manifest) => Some(*manifest),
        ParsedManifest::Partial(_) | ParsedManifest::Unreadable => None,
    }
}

/// Usable part of a manifest.
#[derive(Debug)]
pub enum ParsedManifest {
    /// Manifest without errors.
    Complete(Box<Manifest>),
    /// File table of a manifest with errors, as far as it could be read; a payload can still be
    /// compared with it.
    Partial(FileTable<'static>),
    /// Text that is not a document.
    Unreadable,
}

/// Reads a manifest and checks it with the data that the caller has; returns the usable part in any
/// case.
pub fn check(source: &Source, checks: &Checks<'_>, findings: &mut Findings) -> ParsedManifest {
    let before = findings.errors();
    let draft = read(source, &MANIFEST, findings, |reader, top| {
        let mut draft = draft(reader, top);
        if reader.is_complete() {
            file_table::check(reader, &mut draft);
            look_up(&mut draft, checks.deployment);
            steps::check(reader, &mut draft, checks.deployment);
        }
        if let Some(deployment) = checks.deployment.filter(|_| reader.is_complete()) {
            against::check(reader, &draft, deployment);
        }
        (draft, reader.is_complete())
    });
    let Some((draft, whole)) = draft else {
        return ParsedManifest::Unreadable;
    };
    if findings.errors() == before {
        return draft
            .finish(source)
            .map_or(ParsedManifest::Unreadable, |manifest| {
                ParsedManifest::Complete(Box::new(manifest))
            });
    }
    // If the text is broken, the rows of the table are unknown.
    if whole {
        ParsedManifest::Partial(draft.file_table(source))
    } else {
        ParsedManifest::Unreadable
    }
}

/// Reads only the identity and relations of a manifest, regardless of errors elsewhere in it.
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

/// Reads only the names in the file table of a manifest and their use by the steps, regardless of
/// errors elsewhere in it. Returns `None` if an error may hide a row.
pub(super) fn file_names_of(source: &Source) -> Option<FileNames> {
    let names = read(
        source,
        &MANIFEST,
        &mut Findings::default(),
        |reader, top| {
            let mut draft = draft(reader, top);
            let payload = &draft.payload;
            let hides_table = payload.rows.is_empty() && reader.findings.errors() > 0;
            if !reader.is_complete() || payload.has_nameless_row || hides_table {
                return None;
            }
            file_table::check(reader, &mut draft);
            Some(draft.file_names(reader.source))
        },
    );
    names.flatten()
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
    let (payload, resolved) = (table::payload(reader, top), ResolutionSummary::default());
    let mut draft = Draft {
        rollup,
        prerequisites,
        steps,
        payload,
        resolved,
    };
    draft
        .steps
        .iter_mut()
        .for_each(|step| step::mark_strays(reader, step));
    unique_ids(reader, &draft);
    draft
}

fn read_rollup(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    rollup.keys.extend(key_spans(table, &ROLLUP));
    let kb = reader.text(table, "kb");
    rollup.kb = kb.and_then(|kb| reader.parsed(kb, Code::InvalidValue, str::parse));
    rollup.title = reader.text(table, "title");
    rollup.product = reader.text(table, "product");
    rollup.product_versions = reader.texts_or_none(table, "product_versions");
    rollup.scope = reader.text(table, "scope").map(|scope| scope.value);
    rollup.released = reader.day(table, "released");
    rollup.includes = relation(reader, table, "includes", |kb: &Kb| *kb);
    rollup.replaces = relation(reader, table, "replaces", |kb: &Kb| *kb);
    rollup.requires = relation(reader, table, "requires", |required: &Requirement| {
        required.kb
    });
    rollup.fixes = plain_texts(reader.texts_or_none(table, "fixes"));
    rollup.notes = plain_texts(reader.texts_or_none(table, "notes"));
    relations(reader, rollup);
}

/// Reads a list of rollups, each at most once whatever else its entry says.
fn relation<T>(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    key: &str,
    kb_of: impl Fn(&T) -> Kb,
) -> Vec<Placed<T>>
where
    T: FromStr,
    T::Err: fmt::Display,
{
    let texts = reader.texts_or_none(table, key);
    let mut seen = BTreeSet::new();
    let mut entries = Vec::new();
    for text in texts {
        let Some(entry) = reader.parsed(text, Code::InvalidValue, str::parse::<T>) else {
            continue;
        };
        let kb = kb_of(&entry.value);
        if seen.insert(kb) {
            entries.push(entry);
            continue;
        }
        let message = format!("`{key}` lists {kb} twice");
        reader
            .report(Code::DuplicateName, &entry.span, message)
            .help("remove one");
    }
    entries
}

fn relations(reader: &mut Reader<'_>, rollup: &RollupDraft) {
    let own = rollup.kb.as_ref().map(|kb| kb.value);
    for RelationEntry { key, kb, span } in rollup.relations() {
        if Some(kb) == own {
            let message = format!("`{key}` lists {kb}, which is this rollup itself");
            reader
                .report(Code::SelfRelation, span, message)
                .help("name another rollup, or remove it");
        }
    }
    let replaced: BTreeSet<Kb> = rollup.replaces.iter().map(|kb| kb.value).collect();
    for required in &rollup.requires {
        let kb = required.value.kb;
        if replaced.contains(&kb) && Some(kb) != own {
            let message = format!("{kb} is both required and replaced");
            reader
                .report(Code::RequiredAndReplaced, &required.span, message)
                .help("remove it from `requires` or `replaces`");
        }
    }
}

fn article(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    rollup.keys.extend(key_spans(table, &ARTICLE));
    let revision = reader.text(table, "revision");
    rollup.revision = revision
        .and_then(|text| reader.parsed(text, Code::InvalidValue, str::parse::<Version>))
        .map(|revision| revision.value);
    rollup.reviewed = reader.day(table, "reviewed");
    reviewed_later(reader, rollup);
    let Some(url) = reader.text(table, "url") else {
        return;
    };
    if !url.value.starts_with("http://") && !url.value.starts_with("https://") {
        reader
            .report(
                Code::InvalidValue,
                &url.span,
                format!("`{}` is not a web address", url.value),
            )
            .help("begin it with `http://` or `https://`");
        return;
    }
    if let Some(kb) = rollup.kb.as_ref().map(|kb| kb.value)
        && let Some(other) = article_of(&url.value).filter(|other| *other != kb)
    {
        let message = format!("`url` is the address of {other}, but the rollup is {kb}");
        reader
            .report(Code::AddressOfAnotherArticle, &url.span, message)
            .help("compare both numbers with the article");
    }
    rollup.url = Some(url.value);
}

/// Reports a review before the release. Days are written so that their texts sort by date.
fn reviewed_later(reader: &mut Reader<'_>, rollup: &RollupDraft) {
    if let (Some(released), Some(reviewed)) = (&rollup.released, &rollup.reviewed)
        && reviewed.value < released.value
    {
        let message = format!(
            "`reviewed` is {}, before the release on {}",
            reviewed.value, released.value
        );
        reader
            .report(Code::DateOrder, &reviewed.span, message)
            .help("compare both days with the article");
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
                "a prerequisite cannot ask for both `{}` and `{}`",
                first.name, second.name
            );
            reader
                .report(Code::ExclusiveKeys, &span, message)
                .help("write two prerequisites, each below its own `[[prerequisites]]`");
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
                .report(Code::InapplicableKey, &key.span, message)
                .help("remove it");
        }
    }
    case.rules
        .iter()
        .for_each(|rule| require_key(reader, table, rule));
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

/// Checks an id. Ids are typed on the command line, so they must not need quotes there.
fn checked_id(reader: &mut Reader<'_>, id: Placed<String>) -> Option<Placed<String>> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    if id.value.starts_with('-') || !id.value.chars().all(allowed) {
        let message = format!("`{}` is not an id", id.value);
        reader
            .report(Code::InvalidValue, &id.span, message)
            .help("use letters, digits, `-`, `_` and `.`: an id is typed on the command line");
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
            let message = format!("two steps have the id `{}`", id.value);
            report_duplicate(
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
        report_repeated_prerequisite(reader, condition, &mut seen);
    }
}

/// Subject of a prerequisite: a product on a role, an item, or a question for a person.
type PrerequisiteSubject = (&'static str, CaseFolded, Option<CaseFolded>);

fn report_repeated_prerequisite(
    reader: &mut Reader<'_>,
    condition: &ConditionDraft,
    seen: &mut BTreeSet<PrerequisiteSubject>,
) {
    let (subject_key, name) = match condition {
        ConditionDraft::Product { product, on, .. } => {
            let on = on.as_ref().map(|on| CaseFolded::of(&on.value));
            (("product", CaseFolded::of(&product.value), on), product)
        }
        ConditionDraft::Item { item } => (("item", CaseFolded::of(&item.value), None), item),
        ConditionDraft::Confirm { id, .. } => (("id", CaseFolded::of(&id.value), None), id),
    };
    let kind = subject_key.0;
    if seen.insert(subject_key) {
        return;
    }
    if kind == "id" {
        report_duplicate(
            reader,
            name.span.clone(),
            format!("two prerequisites have the id `{}`", name.value),
        );
        return;
    }
    let message = format!("two prerequisites ask for the {kind} `{}`", name.value);
    reader
        .report(Code::DuplicatePrerequisite, &name.span, message)
        .help("keep the stricter prerequisite");
}

/// Reports a missing key that a rule requires.
fn require_key(reader: &mut Reader<'_>, table: &Table<'_>, rule: &Rule) {
    match *rule {
        Rule::Needs(key, line) if !table.has(key) => reader.missing(table, key, line),
        Rule::With(key, needed, line) if table.has(key) && !table.has(needed) => {
            reader.missing(table, needed, line)
        }
        _ => {}
    }
}

fn report_duplicate(reader: &mut Reader<'_>, span: Span, message: String) {
    reader
        .report(Code::DuplicateName, &span, message)
        .help("remove or rename one of them; case does not count");
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

fn plain_texts(texts: Vec<Placed<String>>) -> Vec<String> {
    texts.into_iter().map(|text| text.value).collect()
}

#[cfg(test)]
mod tests;
