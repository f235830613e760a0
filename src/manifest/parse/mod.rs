//! Reading of a manifest into a draft, key by key, followed by all checks.

mod prerequisite;
mod step;
mod table;

use std::fmt;
use std::str::FromStr;

use super::draft::*;
use super::lookup::{NameSummary, look_up};
use super::shapes::MANIFEST;
use super::table as file_table;
use super::*;
use crate::deployment::description::Description;
use crate::document::{Case, Code, Findings, Reader, Rule, Source, Table, listed, read};

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
        // If the text is broken, the rows of the table are unknown.
        if !reader.is_complete() {
            return None;
        }
        file_table::check(reader, &mut draft);
        if let Some(deployment) = checks.deployment {
            look_up(&mut draft, deployment);
        }
        steps::check(reader, &mut draft, checks.deployment);
        if let Some(deployment) = checks.deployment {
            against::check(reader, &draft, deployment);
        }
        Some(draft)
    });
    let Some(draft) = draft.flatten() else {
        return ParsedManifest::Unreadable;
    };
    if findings.errors() > before {
        return ParsedManifest::Partial(draft.file_table(source));
    }
    match draft.finish(source) {
        Some(manifest) => ParsedManifest::Complete(Box::new(manifest)),
        None => ParsedManifest::Unreadable,
    }
}

/// Reads only the identity and relations of a manifest, regardless of errors elsewhere in it.
pub(super) fn rollup_of(source: &Source) -> RollupDraft {
    read(source, &MANIFEST, &mut Findings::default(), rollup).unwrap_or_default()
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
    let rollup = rollup(reader, top);
    let prerequisites = reader
        .tables(top, "prerequisites")
        .iter()
        .map(|table| prerequisite::prerequisite(reader, table))
        .collect();
    // The steps are last, since their keys may be misplaced in any other table.
    let payload = table::payload(reader, top);
    let mut steps = Vec::new();
    for table in reader.tables(top, "steps") {
        step::add(reader, &table, &mut steps);
    }
    let draft = Draft {
        rollup,
        prerequisites,
        steps,
        payload,
        names: NameSummary::default(),
    };
    prerequisite::unique(reader, &draft.prerequisites);
    unique_ids(reader, &draft);
    draft
}

fn rollup(reader: &mut Reader<'_>, top: &Table<'_>) -> RollupDraft {
    let mut rollup = RollupDraft::default();
    if let Some(table) = reader.table(top, "rollup") {
        read_rollup(reader, &table, &mut rollup);
    }
    if let Some(table) = reader.table(top, "article") {
        article(reader, &table, &mut rollup);
    }
    rollup
}

fn read_rollup(reader: &mut Reader<'_>, table: &Table<'_>, rollup: &mut RollupDraft) {
    rollup.lines = key_lines(reader, table);
    rollup.kb = identity(reader, table);
    rollup.title = reader.text(table, "title");
    rollup.product = reader.text(table, "product");
    rollup.product_versions = reader.texts_or_none(table, "product_versions");
    rollup.scope = reader.plain_text(table, "scope");
    rollup.released = reader.day(table, "released");
    rollup.includes = relation(reader, table, "includes", |kb: &Kb| *kb);
    rollup.replaces = relation(reader, table, "replaces", |kb: &Kb| *kb);
    rollup.requires = relation(reader, table, "requires", |required: &Requirement| {
        required.kb
    });
    rollup.fixes = values(reader.texts_or_none(table, "fixes"));
    rollup.notes = values(reader.texts_or_none(table, "notes"));
    rollup.computer_restart = reader
        .parse(table, "computer_restart", Code::InvalidValue, str::parse)
        .map(|restart| restart.value);
    rollup.registry_changes = reader.plain_text(table, "registry_changes");
    relations(reader, rollup);
}

/// Reads the KB number of a rollup, or its id.
fn identity(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Placed<Kb>> {
    exclude_keys(reader, table, "kb", &["id"]);
    if !table.has("kb") && !table.has("id") {
        reader.missing(table, "kb", "kb = \"KB952076\"");
    }
    let kb = reader.parse(table, "kb", Code::InvalidValue, Kb::number);
    let id = reader.parse(table, "id", Code::InvalidValue, Kb::id);
    kb.or(id)
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
    let mut entries = reader.parse_each(table, key, Code::InvalidValue, str::parse::<T>);
    let mut seen = BTreeSet::new();
    entries.retain(|entry| {
        let kb = kb_of(&entry.value);
        let is_new = seen.insert(kb);
        if !is_new {
            reader
                .report(
                    Code::DuplicateName,
                    &entry.span,
                    format!("`{key}` lists {kb} twice"),
                )
                .help("remove one");
        }
        is_new
    });
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
    rollup.lines.append(&mut key_lines(reader, table));
    rollup.revision = reader
        .parse(table, "revision", Code::InvalidValue, str::parse)
        .map(|revision| revision.value);
    rollup.reviewed = reader.day(table, "reviewed");
    reviewed_later(reader, rollup);
    let Some(Placed { value: url, span }) = reader.text(table, "url") else {
        return;
    };
    if !url.starts_with("http://") && !url.starts_with("https://") {
        let message = format!("`{url}` is not a web address");
        reader
            .report(Code::InvalidValue, &span, message)
            .help("begin it with `http://` or `https://`");
        return;
    }
    if let (Some(kb), Some(other)) = (&rollup.kb, article_of(&url))
        && kb.value != other
    {
        let kb = kb.value;
        let message = format!("`url` is the address of {other}, but the rollup is {kb}");
        reader
            .report(Code::AddressOfAnotherArticle, &span, message)
            .help("compare both numbers with the article");
    }
    rollup.url = Some(url);
}

/// Reports a review before the release. Days are written so that their texts sort by date.
fn reviewed_later(reader: &mut Reader<'_>, rollup: &RollupDraft) {
    if let (Some(released), Some(reviewed)) = (&rollup.released, &rollup.reviewed)
        && reviewed.value < released.value
    {
        let message = format!("`reviewed` is {reviewed}, before the release on {released}");
        reader
            .report(Code::DateOrder, &reviewed.span, message)
            .help("compare both days with the article");
    }
}

/// Returns the article that an address names by its number, as in `…/kb/952076/` or
/// `…/help/952076`.
fn article_of(url: &str) -> Option<Kb> {
    let is_before = |part: &&str| !["kb", "help"].contains(&part.to_ascii_lowercase().as_str());
    Kb::number(url.split('/').skip_while(is_before).nth(1)?).ok()
}

/// Reads an id. Ids are typed on the command line, so they must not need quotes there.
fn id(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Placed<String>> {
    let id = reader.text(table, "id")?;
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_only_dots = id.value.chars().all(|c| c == '.');
    if id.value.starts_with('-') || is_only_dots || !id.value.chars().all(allowed) {
        let message = format!("`{id}` is not an id");
        reader
            .report(Code::InvalidValue, &id.span, message)
            .help("use letters, digits, `-`, `_` and `.`: an id is typed on the command line");
        return None;
    }
    Some(id)
}

fn unique_ids(reader: &mut Reader<'_>, draft: &Draft) {
    let mut seen = BTreeMap::new();
    for Step { id, span, .. } in draft.steps.iter().filter(|step| !step.id.is_empty()) {
        let line = reader.source.line(span.start);
        if let Some(first) = seen.insert(CaseFolded::of(id), line) {
            let message = format!("two steps have the id `{id}`; the first is on line {first}");
            report_duplicate(reader, span, message);
        }
    }
}

/// Reports the keys that belong to other cases of a table.
fn inapplicable_keys(reader: &mut Reader<'_>, table: &Table<'_>, case: &Case, kind: &str) {
    let shape = table.shape();
    for (key, span) in table.described_keys() {
        if !shape.goes_with(case, key) {
            let takers = shape.cases().iter().filter(|case| case.keys.contains(&key));
            let takers = listed(takers.map(|case| case.name));
            let message = format!("the {kind} `{}` has no key `{key}`", case.name);
            reader
                .report(Code::InapplicableKey, &span, message)
                .help(format!("`{key}` belongs to {takers}"));
        }
    }
}

/// Reports a missing key that a rule requires.
fn require_key(reader: &mut Reader<'_>, table: &Table<'_>, rule: &Rule) {
    let is_missing = |key: &str| table.shape().takes(key) && !table.has(key);
    match *rule {
        Rule::Needs(key, line) if is_missing(key) => reader.missing(table, key, line),
        Rule::With(key, needed, line) if table.has(key) && is_missing(needed) => {
            reader.missing(table, needed, line)
        }
        _ => {}
    }
}

/// Reports a key that excludes others, if the table has one of them.
fn exclude_keys(reader: &mut Reader<'_>, table: &Table<'_>, key: &str, others: &[&str]) {
    let other = others.iter().find(|other| table.has(other));
    if let (Some(span), Some(other)) = (table.key(key), other) {
        let message = format!("`{key}` and `{other}` exclude each other");
        reader
            .report(Code::ExclusiveKeys, &span, message)
            .help("keep one of them");
    }
}

fn report_duplicate(reader: &mut Reader<'_>, span: &Span, message: String) {
    reader
        .report(Code::DuplicateName, span, message)
        .help("remove or rename one of them; case does not count");
}

/// Returns the lines of the keys that a table has.
fn key_lines(reader: &Reader<'_>, table: &Table<'_>) -> KeyLines {
    table
        .described_keys()
        .map(|(key, span)| (key, reader.source.line(span.start)))
        .collect()
}

#[cfg(test)]
mod tests;
