//! Walk through a document's tables: every helper returns a value with its place, or reports what
//! is wrong with it and returns nothing.
//!
//! [`read`] is the way in. `values` has the helpers, `keys` the checks that every table passes before
//! its values are read.

mod keys;
mod table;
mod values;

use std::collections::BTreeSet;

use toml::de::DeTable;

use self::keys::{Header, headers};
pub use self::table::{Placed, Table};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::nearest::{nearest, trouble};
use crate::document::diagnostics::source::Source;
use crate::document::diagnostics::syntax;
use crate::document::schema::shape::{KeyKind, Shape};

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

impl Reader<'_> {
    /// Returns whether the text had no syntax error, so that what is absent is truly missing.
    pub fn whole(&self) -> bool {
        self.broken.is_empty()
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
            && let KeyKind::Only(known) = top.kind("schema")
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
    use crate::document::schema::shape::{Form, Key, TOP};

    const TEXT: KeyKind = KeyKind::Text(Form::Words);

    static DOCUMENT: Shape = Shape::new(
        TOP,
        "",
        &[
            Key::required("schema", KeyKind::Only(1), "schema = 1", ""),
            Key::new("rollup", KeyKind::Table(&ROLLUP), ""),
            Key::new("prerequisites", KeyKind::Headers(&PREREQUISITE), ""),
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
        &[Key::new("product", KeyKind::texts(Form::Words), "")],
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
