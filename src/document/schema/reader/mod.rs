//! Walk through a document's tables: every helper returns a value with its place, or reports what
//! is wrong with it and returns nothing.

mod keys;

use std::borrow::Cow;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use self::keys::{Header, headers};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span, brief};
use crate::document::diagnostics::hidden_characters::unseen;
use crate::document::diagnostics::nearest::{nearest, trouble};
use crate::document::diagnostics::source::Source;
use crate::document::diagnostics::syntax;
use crate::document::schema::shape::{Form, Key, Keys, Kind, Rule, Shape};

/// A value with its place.
#[derive(Debug, Clone)]
pub struct Placed<T> {
    /// The value.
    pub value: T,
    /// Place of the value.
    pub span: Span,
}

/// Kind of value that a key should have, and advice on how to write it.
struct Wanted {
    what: &'static str,
    like: Cow<'static, str>,
}

impl Wanted {
    const fn new(what: &'static str, like: &'static str) -> Self {
        Self {
            what,
            like: Cow::Borrowed(like),
        }
    }
}

const TEXT: Wanted = Wanted::new("a string", "write it in quotes: `\"…\"`");
const TEXTS: Wanted = Wanted::new("a list of strings", "write a list, also of one: `[\"…\"]`");
const FLAG: Wanted = Wanted::new("true or false", "write `true` or `false`, without quotes");
const NUMBER: Wanted = Wanted::new("a whole number", "write only digits, without quotes");
const DAY: Wanted = Wanted::new("a day", "write it like `2008-04-29`, without quotes");
const TIME: Wanted = Wanted::new(
    "a time",
    "write it like `2008-03-31T18:32:00Z`, without quotes",
);
const TABLE: Wanted = Wanted::new("a table", "write `{ … }`, or a header");
const ROW: Wanted = Wanted::new("a table", "write `{ name = \"…\" }`");
const TABLES: Wanted = Wanted::new("a list of tables", "write `[{ … }]`, also for one");
const HEADERS: Wanted = Wanted::new("a list of tables", "write each with two brackets: `[[…]]`");

/// A table of the document, with the shape that it should have.
#[derive(Debug, Clone)]
pub struct Table<'t> {
    entries: &'t DeTable<'t>,
    span: Span,
    shape: &'static Shape,
    /// Tables below that have a misspelled name, by the name that was meant.
    meant: Vec<(&'static str, &'t Spanned<DeValue<'t>>)>,
    /// Tables below that have no header, so that their keys are in this table.
    headless: Vec<(&'static str, Span)>,
}

/// Reader of a document, with the findings so far.
pub struct Reader<'s> {
    /// The document.
    pub source: &'s Source,
    /// Findings so far.
    pub findings: Findings,
    shapes: Vec<&'static Shape>,
    headers: Vec<Header<'s>>,
    top: &'s DeTable<'s>,
    /// Tables at the top that exist under a misspelled name.
    spelled: Vec<&'static str>,
    /// True if the document has a schema that is unknown here.
    foreign: bool,
    broken: Vec<Span>,
    /// Keys that tables seem to lack only because they are misspelled or elsewhere: the start of
    /// the table, and the message.
    strays: BTreeSet<(usize, String)>,
    patience: usize,
}

/// Number of names that are compared to find near spellings, and of headers that are searched to
/// find where a key belongs. A document that needs more is wrong in another way, and looking
/// through all names for each would take forever.
const PATIENCE: usize = 10_000_000;

/// Parses a document and walks it; `shape` is that of its top.
///
/// Returns nothing if the text cannot be a document at all. After a syntax error the walk still
/// happens, for the faults on lines of their own; faults that the error may have caused are not
/// reported.
pub fn read<T>(
    source: &Source,
    shape: &'static Shape,
    findings: &mut Findings,
    walk: impl FnOnce(&mut Reader<'_>, &Table<'_>) -> T,
) -> Option<T> {
    if let Some(refusal) = syntax::refuse(source) {
        findings.push(refusal);
        return None;
    }
    let mut own = Findings::default();
    syntax::byte_order_mark(source, &mut own);
    let survey = syntax::survey(source);
    if survey.is_hopeless() {
        survey.report(source, findings);
        return None;
    }
    let (mut root, errors) = DeTable::parse_recoverable(source.text());
    let mended = syntax::mend(source, errors, findings);
    let (text, broken) = mended.unwrap_or_default();
    if !broken.is_empty() {
        root = DeTable::parse_recoverable(&text).0;
    }
    let root = root.into_inner();
    if broken.is_empty() {
        syntax::newer_than_1_0(source, &root, &mut own);
    }
    let headers = headers(source.text(), &root);
    let (shapes, strays) = (shape.all(), BTreeSet::new());
    let mut reader = Reader {
        source,
        findings: own,
        shapes,
        headers,
        top: &root,
        spelled: Vec::new(),
        foreign: false,
        broken,
        strays,
        patience: PATIENCE,
    };
    let mut top = Table::new(&root, 0..0, shape);
    reader.schema(&top);
    reader.check_keys(&mut top);
    let walked = walk(&mut reader, &top);
    reader.hand_over(findings);
    Some(walked)
}

impl<'t> Table<'t> {
    fn new(entries: &'t DeTable<'t>, span: Span, shape: &'static Shape) -> Self {
        Self {
            entries,
            span,
            shape,
            meant: Vec::new(),
            headless: Vec::new(),
        }
    }

    /// Returns the place of the table: its header, or the whole of an inline table.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Returns the place of a key.
    pub fn key(&self, key: &str) -> Option<Span> {
        self.entries.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Returns whether the table has a key.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Returns the text under a misspelling of a key, which was reported before: the text that the
    /// author most likely gave.
    pub fn misspelled(&self, key: &str) -> Option<Placed<String>> {
        let known = || self.shape.named().iter().map(|key| key.name);
        let unknown = self
            .entries
            .iter()
            .filter(|(other, _)| self.shape.key(other.get_ref()).is_none())
            .take(20);
        let mut meant = unknown.filter(|(other, _)| nearest(other.get_ref(), known()) == Some(key));
        let (_, value) = meant.next()?;
        let text = value
            .get_ref()
            .as_str()
            .filter(|text| !text.trim().is_empty())?;
        Some(Placed {
            value: text.to_owned(),
            span: value.span(),
        })
    }

    /// Returns the number of tables in a list; `None` if there is no list.
    pub fn tables_in(&self, key: &str) -> Option<usize> {
        let list = self.value(key)?.get_ref().as_array()?;
        Some(
            list.iter()
                .filter(|value| value.get_ref().is_table())
                .count(),
        )
    }

    /// Returns the keys that the table has, in the document's order.
    pub fn keys(&self) -> Vec<Placed<&'t str>> {
        let mut keys: Vec<_> = self
            .entries
            .keys()
            .map(|key| Placed {
                value: key.get_ref().as_ref(),
                span: key.span(),
            })
            .collect();
        keys.sort_by_key(|key| key.span.start);
        keys
    }

    fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.get(key)
    }

    /// Returns the value of a key, even if the key is misspelled.
    fn meant(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        let meant = || {
            self.meant
                .iter()
                .find(|(name, _)| *name == key)
                .map(|(_, value)| *value)
        };
        self.value(key).or_else(meant)
    }

    /// Returns whether a key is required, always or in one of the cases of the table.
    fn needs(&self, key: &str) -> bool {
        let rules = || self.shape.cases().iter().flat_map(|case| case.rules);
        self.shape
            .key(key)
            .is_some_and(|key| key.required.is_some())
            || rules().any(|rule| matches!(rule, Rule::Needs(needed, _) if *needed == key))
    }

    /// Returns the kind that the shape gives a key. Only keys of the shape can be asked for, so
    /// that nothing is read that the schema does not describe.
    fn kind(&self, key: &str) -> Kind {
        self.shape
            .key(key)
            .expect("a key is asked for that its shape describes")
            .kind
    }
}

impl Reader<'_> {
    /// Returns whether the text had no syntax error, so that what is absent is truly missing.
    pub fn whole(&self) -> bool {
        self.broken.is_empty()
    }

    /// Reads a text that is not empty.
    pub fn text(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        debug_assert!(
            matches!(table.kind(key), Kind::Text(_)),
            "`{key}` is described as a text"
        );
        let value = table.value(key)?;
        let text = self.typed(key, value, TEXT, |value| value.as_str().map(str::to_owned))?;
        if !matches!(table.kind(key), Kind::Text(Form::Prose)) {
            self.seen(&text.value, &text.span);
        }
        let help = if table.needs(key) {
            "fill it"
        } else {
            "fill it, or remove the key"
        };
        self.filled(text, key, help)
    }

    /// Reads a text, empty or not.
    pub fn any_text(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        debug_assert!(
            matches!(table.kind(key), Kind::AnyText),
            "`{key}` is described as any text"
        );
        let value = table.value(key)?;
        self.typed(key, value, TEXT, |value| value.as_str().map(str::to_owned))
    }

    /// Reads a boolean.
    pub fn flag(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<bool>> {
        debug_assert!(
            matches!(table.kind(key), Kind::Flag | Kind::Yes),
            "`{key}` is described as a flag"
        );
        let value = table.value(key)?;
        self.typed(key, value, FLAG, DeValue::as_bool)
    }

    /// Reads a whole number, from zero up to the largest that the key may have.
    pub fn number(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<u64>> {
        let most = match table.kind(key) {
            Kind::Number(most) => most,
            // The caller compares it with the one number, and reports in words of its own.
            Kind::Only(_) => i64::MAX as u64,
            _ => unreachable!("`{key}` is described as a number"),
        };
        let value = table.value(key)?;
        let raw = self.typed(key, value, NUMBER, |value| value.as_integer().cloned())?;
        // A sign is not a digit, so a negative number fails here too.
        match u64::from_str_radix(raw.value.as_str(), raw.value.radix()) {
            Ok(number) if number <= most => Some(Placed {
                value: number,
                span: raw.span,
            }),
            _ => {
                let message = format!("`{key}` is {}, which is not from 0 to {most}", raw.value);
                let finding = self.findings.add(Code::OutOfRange, raw.span, message);
                finding.help("write the number in plain digits, as it is documented");
                None
            }
        }
    }

    /// Reads a day without a time, as `YYYY-MM-DD`.
    pub fn day(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<String>> {
        debug_assert!(
            matches!(table.kind(key), Kind::Day),
            "`{key}` is described as a day"
        );
        let value = table.value(key)?;
        let day = |value: &DeValue<'_>| match value.as_datetime() {
            Some(Datetime {
                date: Some(date),
                time: None,
                offset: None,
            }) => Some(date.to_string()),
            _ => None,
        };
        self.typed(key, value, DAY, day)
    }

    /// Reads a date, a time or both.
    pub fn datetime(&mut self, table: &Table<'_>, key: &str) -> Option<Placed<Datetime>> {
        debug_assert!(
            matches!(table.kind(key), Kind::Time),
            "`{key}` is described as a time"
        );
        let value = table.value(key)?;
        self.typed(key, value, TIME, |value| value.as_datetime().copied())
    }

    /// Reads a list of texts, none of them empty; the shape decides whether the list may be empty.
    pub fn texts(&mut self, table: &Table<'_>, key: &str) -> Option<Vec<Placed<String>>> {
        let Kind::Texts(described) = table.kind(key) else {
            unreachable!("`{key}` is described as a list of texts")
        };
        let list = self.list(table, key, TEXTS)?;
        if described.filled && list.is_empty() {
            let message = format!("`{key}` lists nothing");
            let span = table.key(key).unwrap_or_default();
            self.findings
                .add(Code::Empty, span, message)
                .help(match table.needs(key) {
                    true => "fill it",
                    false => "fill it, or remove the key",
                });
        }
        let mut texts = Vec::with_capacity(list.len());
        for value in list {
            let text = self.typed(key, value, TEXT, |value| value.as_str().map(str::to_owned));
            if let Some(text) = text.as_ref().filter(|_| described.form != Form::Prose) {
                self.seen(&text.value, &text.span);
            }
            texts.extend(text.and_then(|text| self.filled(text, key, "fill it, or remove it")));
        }
        Some(texts)
    }

    /// Reads a list of texts like [`Reader::texts`], with an empty one if there is no list.
    pub fn texts_or_none(&mut self, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
        self.texts(table, key).unwrap_or_default()
    }

    /// Returns the number of entries in a list, whatever they are; `None` if there is no list.
    pub fn list_length(&self, table: &Table<'_>, key: &str) -> Option<usize> {
        table
            .value(key)?
            .get_ref()
            .as_array()
            .map(|array| array.len())
    }

    /// Reads the table below a key.
    pub fn table<'t>(&mut self, table: &Table<'t>, key: &str) -> Option<Table<'t>> {
        let Kind::Table(shape) = table.kind(key) else {
            unreachable!("`{key}` is described as a table")
        };
        let Some(value) = table.meant(key) else {
            // Its keys are among the keys of this table, which has been reported already.
            let (_, span) = table.headless.iter().find(|(name, _)| *name == key)?;
            let inner = Table::new(table.entries, span.clone(), shape);
            self.check_lacking(&inner);
            return Some(inner);
        };
        let DeValue::Table(entries) = value.get_ref() else {
            let like = table_like(brief(key), &self.source.text()[value.span()], shape)
                .map_or(TABLE.like, Cow::Owned);
            self.wrong_type(key, value, &Wanted { like, ..TABLE });
            return None;
        };
        let mut inner = Table::new(entries, value.span(), shape);
        self.check_keys(&mut inner);
        Some(inner)
    }

    /// Reads a list of tables, inline or each with a header of its own.
    pub fn tables<'t>(&mut self, table: &Table<'t>, key: &str) -> Vec<Table<'t>> {
        let (shape, wanted) = match table.kind(key) {
            Kind::Headers(shape) => (shape, HEADERS),
            Kind::Tables(shape) => (shape, TABLES),
            _ => unreachable!("`{key}` is described as a list of tables"),
        };
        let mut list: Vec<_> = self
            .list(table, key, wanted)
            .into_iter()
            .flatten()
            .collect();
        let meant = table.meant.iter().filter(|(name, _)| *name == key);
        list.extend(
            meant
                .filter_map(|(_, value)| value.get_ref().as_array())
                .flat_map(|array| array.iter()),
        );
        list.sort_by_key(|value| value.span().start);
        let mut tables = Vec::with_capacity(list.len());
        for value in list {
            let DeValue::Table(entries) = value.get_ref() else {
                self.wrong_type(key, value, &ROW);
                continue;
            };
            let mut inner = Table::new(entries, value.span(), shape);
            self.check_keys(&mut inner);
            tables.push(inner);
        }
        tables
    }

    /// Returns whether a table lacks a key only because the key is misspelled or elsewhere.
    pub fn is_stray(&self, table: &Span, title: &str, key: &str) -> bool {
        self.strays.contains(&(table.start, lacks(title, key)))
    }

    /// Reports that a table lacks a key, with an example of the line that would add it.
    pub fn missing(&mut self, table: &Table<'_>, key: &str, example: &str) {
        let message = lacks(table.shape.title, key);
        self.findings
            .add(Code::MissingKey, table.span(), message)
            .help(format!("add `{example}`"));
    }

    /// Parses a text further, and reports a failure in the parser's own words.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        text: Placed<String>,
        code: Code,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Placed<T>> {
        match parse(&text.value) {
            Ok(value) => Some(Placed {
                value,
                span: text.span,
            }),
            Err(error) => {
                let mut message = error.to_string();
                if !message.contains(&text.value) {
                    message = format!("`{}` cannot be used: {message}", text.value);
                }
                let finding = self.findings.add(code, text.span, message);
                if code == Code::BadName {
                    let slashes =
                        text.value.split('/').any(str::is_empty) && text.value.contains('/');
                    finding.help(match slashes {
                        true => "write one `/` between two parts, and none before the first or behind the last",
                        false => "take a plain name that Windows, too, can have on its disk",
                    });
                }
                None
            }
        }
    }

    /// Returns the spelling that may have been meant.
    pub fn nearest<'a>(
        &mut self,
        wanted: &str,
        among: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let patience = &mut self.patience;
        let looked_at = among.take_while(|candidate| {
            *patience = patience.saturating_sub(trouble(wanted, candidate));
            *patience > 0
        });
        nearest(wanted, looked_at)
    }

    /// Runs a search of the caller's own through so many names, unless the patience is used up.
    pub fn suggestion<T>(&mut self, among: usize, search: impl FnOnce() -> Option<T>) -> Option<T> {
        self.patience = self.patience.checked_sub(among)?;
        search()
    }

    /// Reports a name that looks like another one; prose may have any character.
    fn seen(&mut self, name: &str, span: &Span) {
        if let Some(shown) = unseen(name) {
            let message = format!("`{shown}` has a character that cannot be seen");
            let finding = self
                .findings
                .add(Code::HiddenCharacter, span.clone(), message);
            finding.help("type the name anew, with ordinary spaces, and none at its ends");
        }
    }

    fn filled(&mut self, text: Placed<String>, key: &str, help: &str) -> Option<Placed<String>> {
        if text.value.trim().is_empty() {
            let message = format!("`{}` has an empty text", brief(key));
            self.findings
                .add(Code::Empty, text.span, message)
                .help(help);
            return None;
        }
        Some(text)
    }

    fn list<'t>(
        &mut self,
        table: &Table<'t>,
        key: &str,
        wanted: Wanted,
    ) -> Option<&'t [Spanned<DeValue<'t>>]> {
        let value = table.value(key)?;
        self.typed(key, value, wanted, |value| value.is_array().then_some(()))?;
        value.get_ref().as_array().map(|array| &**array)
    }

    fn typed<'t, T>(
        &mut self,
        key: &str,
        value: &'t Spanned<DeValue<'t>>,
        wanted: Wanted,
        take: impl FnOnce(&'t DeValue<'t>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let taken = take(value.get_ref());
        if taken.is_none() {
            self.wrong_type(key, value, &wanted);
        }
        taken.map(|taken| Placed {
            value: taken,
            span: value.span(),
        })
    }

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, wanted: &Wanted) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) => "a whole number",
            DeValue::Float(_) => "a number with a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date or time",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        let like = match value.get_ref() {
            DeValue::Array(_) | DeValue::Table(_) if wanted.what == TEXT.what => {
                "it takes one text: `\"…\"`".into()
            }
            DeValue::Datetime(Datetime {
                date: Some(date), ..
            }) if wanted.what == DAY.what => format!("write the day alone: `{date}`").into(),
            _ => wanted.like.clone(),
        };
        let message = format!("`{}` has {found} where {} belongs", brief(key), wanted.what);
        self.findings
            .add(Code::WrongType, value.span(), message)
            .label(like);
    }

    fn schema(&mut self, top: &Table<'_>) {
        let elsewhere = |reader: &Self| {
            reader
                .headers
                .iter()
                .any(|header| header.entries.contains_key("schema"))
        };
        if !top.has("schema") {
            // One that landed in another table is reported there.
            if elsewhere(self) {
                return;
            }
            // One that is misspelled is reported as such.
            let named = || top.shape.named().iter().map(|key| key.name);
            let unknown = top
                .keys()
                .into_iter()
                .filter(|key| !top.shape.takes(key.value));
            if unknown
                .into_iter()
                .any(|key| self.nearest(key.value, named()) == Some("schema"))
            {
                return;
            }
            self.findings
                .add(Code::Schema, 0..0, "the document does not say its schema")
                .help("begin it with `schema = 1`");
        } else if let Some(schema) = self.number(top, "schema")
            && let Kind::Only(known) = top.kind("schema")
            && schema.value != known
        {
            self.foreign = true;
            let message = format!("schema {} is unknown", schema.value);
            let help = format!(
                "this version of rollup understands schema {known}; a newer one may understand it"
            );
            let finding = self.findings.add(Code::Schema, schema.span, message);
            finding.label(format!("{known} is understood")).help(help);
        }
    }

    /// Hands the findings to the caller, without those that a syntax error may have caused.
    fn hand_over(mut self, findings: &mut Findings) {
        self.findings.explain_by(Code::HiddenCharacter);
        if self.foreign {
            // The meaning of keys in another schema is unknown here.
            let known = |code| matches!(code, Code::Schema | Code::ByteOrderMark | Code::NewerToml);
            self.findings.retain(|finding| known(finding.code));
        }
        let strays = std::mem::take(&mut self.strays);
        self.findings.retain(|finding| {
            finding.code != Code::MissingKey
                || !strays.contains(&(finding.span.start, finding.message.clone()))
        });
        if !self.whole() {
            let lines: BTreeSet<u32> = self
                .broken
                .iter()
                .map(|span| self.source.line(span.start))
                .collect();
            let text = self.source.text();
            let header = |span: &&Span| {
                let line = self.source.line_span(self.source.line(span.start));
                text[line].trim_start().starts_with('[')
            };
            // Behind a broken header the keys landed in another table.
            let reliable = self
                .broken
                .iter()
                .find(header)
                .map_or(usize::MAX, |span| span.start);
            let source = self.source;
            self.findings.retain(|finding| {
                let own_line = !lines.contains(&source.line(finding.span.start));
                let placed = matches!(finding.code, Code::UnknownKey | Code::MisplacedKey);
                own_line && stands_alone(finding.code) && (!placed || finding.span.start < reliable)
            });
        }
        findings.append(self.findings);
    }
}

fn lacks(title: &str, key: &str) -> String {
    format!("{title} lacks `{key}`")
}

/// Returns advice on how to write a table that is in the place of another value.
fn table_like(key: &str, raw: &str, shape: &Shape) -> Option<String> {
    let headed = shape.title.starts_with('[');
    if headed && raw.starts_with("[[") {
        return Some(format!("write one bracket on each side: `{}`", shape.title));
    }
    match &shape.keys {
        Keys::Free(_, free) if !headed => {
            let whole =
                matches!(free.kind, Kind::Texts(_)) && raw.starts_with('[') && raw.len() < 60;
            let bare = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let key = if key.chars().all(bare) {
                format!("{key}.")
            } else {
                format!("\"{key}\".")
            };
            match whole && !raw.contains('\n') {
                true => Some(format!("write `{key}\"{}\" = {raw}`", free.name)),
                false => Some(format!("write {}", sample(&key, free))),
            }
        }
        _ => headed.then(|| format!("write it below a header: `{}`", shape.title)),
    }
}

/// Returns a line with a key that the author names.
fn sample(before: &str, free: &Key) -> String {
    let value = match free.kind {
        Kind::Texts(_) => "[\"…\"]",
        Kind::Table(_) => "{ … }",
        _ => "\"…\"",
    };
    format!("`{before}\"{}\" = {value}`", free.name)
}

/// Returns whether a finding of this kind is about something present, and not about something
/// missing.
fn stands_alone(code: Code) -> bool {
    matches!(
        code,
        Code::ByteOrderMark
            | Code::UnknownKey
            | Code::WrongType
            | Code::MisplacedKey
            | Code::BadValue
            | Code::BadName
            | Code::BadTime
            | Code::OutOfRange
            | Code::DuplicateName
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Finding;
    use crate::document::schema::shape::TOP;

    const TEXT: Kind = Kind::Text(Form::Words);

    static DOCUMENT: Shape = Shape::new(
        TOP,
        "",
        &[
            Key::required("schema", Kind::Only(1), "schema = 1", ""),
            Key::new("rollup", Kind::Table(&ROLLUP), ""),
            Key::new("prerequisites", Kind::Headers(&PREREQUISITE), ""),
            Key::new("name", TEXT, ""),
        ],
    );
    static ROLLUP: Shape = Shape::new(
        "[rollup]",
        "",
        &[
            Key::required("kb", TEXT, "kb = \"KB952076\"", ""),
            Key::new("title", TEXT, ""),
        ],
    );
    static PREREQUISITE: Shape = Shape::new(
        "[[prerequisites]]",
        "",
        &[Key::new("product", Kind::texts(Form::Words), "")],
    );

    fn found(text: &str) -> Vec<String> {
        let source = Source::new("x", text);
        let mut findings = Findings::default();
        read(&source, &DOCUMENT, &mut findings, |reader, top| {
            if let Some(rollup) = reader.table(top, "rollup") {
                reader.text(&rollup, "kb");
            }
            for prerequisite in reader.tables(top, "prerequisites") {
                reader.texts(&prerequisite, "product");
            }
        });
        let line = |finding: &&Finding| {
            let (line, _) = source.place(finding.span.start);
            format!(
                "{line} {} {} | {}",
                finding.code,
                finding.message,
                finding.label.as_deref().unwrap_or("")
            )
        };
        findings.sorted().iter().map(line).collect()
    }

    #[test]
    fn a_key_in_the_wrong_table_is_told_where_it_belongs() {
        let text = "schema = 1\n[rollup]\nkb = \"x\"\n\n[[prerequisites]]\ntitle = \"a\"\nname = \"b\"\nprodct = [\"c\"]\n";
        assert_eq!(
            found(text),
            [
                "6 RU0104 `title` landed in [[prerequisites]] | belongs in [rollup], above line 5",
                "7 RU0104 `name` landed in [[prerequisites]] | belongs above line 2",
                "8 RU0101 [[prerequisites]] has no key `prodct` | did you mean `product`?",
            ]
        );
    }

    #[test]
    fn wrong_types_name_what_was_found_and_what_is_wanted() {
        let text = "schema = 1\n[rollup]\nkb = 952076\n[prerequisites]\n";
        assert_eq!(
            found(text),
            [
                "3 RU0102 `kb` has a whole number where a string belongs | write it in quotes: `\"…\"`",
                "4 RU0102 `prerequisites` has a table where a list of tables belongs | write each with two brackets: `[[…]]`",
            ]
        );
    }

    #[test]
    fn a_syntax_error_hides_no_other_fault_and_causes_none() {
        let text = "schema = 1\n[rollup]\nkb \"KB952076\"\ntitel = \"x\"\n[[prerequisites]]\nproduct = [1,\n";
        assert_eq!(
            found(text),
            [
                "3 RU0001 key with no value, expected `=` | ",
                "4 RU0101 [rollup] has no key `titel` | did you mean `title`?",
                "6 RU0001 this list is never closed | ",
            ]
        );
        assert_eq!(found("[rollup\nkb = \"a\"\nkb = \"b\"\n").len(), 2);
    }

    #[test]
    fn the_schema_must_be_known() {
        assert_eq!(
            found(""),
            ["1 RU0008 the document does not say its schema | "]
        );
        assert_eq!(
            found("schema = 2"),
            ["1 RU0008 schema 2 is unknown | 1 is understood"]
        );
        assert_eq!(
            found("schema = 1\0"),
            ["1 RU0005 a NUL byte, which no text contains | "]
        );
        assert!(found("\u{feff}schema = 1\n")[0].contains("RU0003"));
    }
}
