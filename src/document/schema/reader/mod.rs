//! Reader of a document's tables: its methods return values with their places, or report a mistake
//! and return nothing.
//!
//! [`read`] is the entry point. `values` has the methods for values, `keys` the checks of every
//! table before its values are read.

mod keys;
mod table;
mod values;

use std::collections::BTreeSet;

use toml::de::DeTable;

use self::keys::{Header, headers};
pub use self::table::{Placed, Table};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::nearest::{comparison_cost, nearest};
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
    /// True if the schema of the document is unknown.
    unknown_schema: bool,
    /// Places of the lines with syntax errors.
    broken: Vec<Span>,
    /// Keys that tables seem to lack only because they are misspelled or misplaced: the start of
    /// the table, and the message.
    strays: BTreeSet<(usize, String)>,
    search_budget: usize,
}

/// Number of comparisons of names to find similar ones, and of headers that are searched for the
/// right place of a key. A document that needs more has a different problem, and searching all
/// names for each of its keys would take too long.
const SEARCH_BUDGET: usize = 10_000_000;

/// Parses a document and walks it; `shape` is that of its top.
///
/// Returns `None` if the text cannot be parsed. After a syntax error the walk still happens, to
/// find mistakes on other lines; those that the error may have caused are not reported.
pub fn read<T>(
    source: &Source,
    shape: &'static Shape,
    findings: &mut Findings,
    walk: impl FnOnce(&mut Reader<'_>, &Table<'_>) -> T,
) -> Option<T> {
    if let Some(refusal) = syntax::check_limits(source) {
        findings.push(refusal);
        return None;
    }
    let mut own = Findings::default();
    syntax::byte_order_mark(source, &mut own);
    let prescan = syntax::prescan(source);
    if prescan.has_too_many_errors() {
        prescan.report(source, findings);
        return None;
    }
    let (mut root, errors) = DeTable::parse_recoverable(source.text());
    let recovered = syntax::recover(source, errors, findings);
    let (text, broken) = recovered.unwrap_or_default();
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
        unknown_schema: false,
        broken,
        strays,
        search_budget: SEARCH_BUDGET,
    };
    let mut top = Table::new(&root, 0..0, shape);
    reader.schema(&top);
    reader.check_keys(&mut top);
    let walked = walk(&mut reader, &top);
    reader.pass_findings(findings);
    Some(walked)
}

impl Reader<'_> {
    /// Returns whether the text has no syntax error, so that absent keys are really missing.
    pub fn is_complete(&self) -> bool {
        self.broken.is_empty()
    }

    /// Returns the most similar name, unless the search budget is used up.
    pub fn nearest<'a>(
        &mut self,
        wanted: &str,
        among: impl Iterator<Item = &'a str>,
    ) -> Option<&'a str> {
        let search_budget = &mut self.search_budget;
        let compared = among.take_while(|candidate| {
            *search_budget = search_budget.saturating_sub(comparison_cost(wanted, candidate));
            *search_budget > 0
        });
        nearest(wanted, compared)
    }

    /// Runs a search of the caller through this number of names, unless the search budget is used
    /// up.
    pub fn suggestion<T>(&mut self, among: usize, search: impl FnOnce() -> Option<T>) -> Option<T> {
        self.search_budget = self.search_budget.checked_sub(among)?;
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
            // A misplaced one is reported at its place.
            if elsewhere(self) {
                return;
            }
            // A misspelled one is reported as such.
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
                .add(Code::Schema, 0..0, "the document has no schema version")
                .help("begin it with `schema = 1`");
        } else if let Some(schema) = self.number(top, "schema")
            && let KeyKind::Only(known) = top.kind("schema")
            && schema.value != known
        {
            self.unknown_schema = true;
            let message = format!("schema {} is unknown", schema.value);
            let help = format!(
                "this version of rollup supports schema {known}; a newer one may support it"
            );
            let finding = self.findings.add(Code::Schema, schema.span, message);
            finding.label(format!("{known} is supported")).help(help);
        }
    }

    /// Passes the findings to the caller, without those that a syntax error may have caused.
    fn pass_findings(mut self, findings: &mut Findings) {
        self.findings.explain_by(Code::HiddenCharacter);
        if self.unknown_schema {
            // The keys of another schema are unknown.
            let known = |code| matches!(code, Code::Schema | Code::ByteOrderMark | Code::NewerToml);
            self.findings.retain(|finding| known(finding.code));
        }
        let strays = std::mem::take(&mut self.strays);
        self.findings.retain(|finding| {
            finding.code != Code::MissingKey
                || !strays.contains(&(finding.span.start, finding.message.clone()))
        });
        if !self.is_complete() {
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
            // After a broken header the keys are part of another table.
            let reliable = self
                .broken
                .iter()
                .find(header)
                .map_or(usize::MAX, |span| span.start);
            let source = self.source;
            self.findings.retain(|finding| {
                let own_line = !lines.contains(&source.line(finding.span.start));
                let placed = matches!(finding.code, Code::UnknownKey | Code::MisplacedKey);
                own_line && is_local(finding.code) && (!placed || finding.span.start < reliable)
            });
        }
        findings.append(self.findings);
    }
}

/// Returns whether findings of this kind are about a key or value itself, and not about a missing
/// one.
fn is_local(code: Code) -> bool {
    matches!(
        code,
        Code::ByteOrderMark
            | Code::UnknownKey
            | Code::WrongType
            | Code::MisplacedKey
            | Code::InvalidValue
            | Code::UnsafeName
            | Code::InvalidTime
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
    fn a_finding_names_the_right_place_of_a_misplaced_key() {
        let text = "schema = 1\n[rollup]\nkb = \"x\"\n\n[[prerequisites]]\ntitle = \"a\"\nname = \"b\"\nprodct = [\"c\"]\n";
        assert_eq!(
            found(text),
            [
                "6 RU0104 `title` is in [[prerequisites]] | belongs in [rollup], above line 5",
                "7 RU0104 `name` is in [[prerequisites]] | belongs above line 2",
                "8 RU0101 [[prerequisites]] has no key `prodct` | did you mean `product`?",
            ]
        );
    }

    #[test]
    fn findings_of_wrong_types_name_both_types() {
        let text = "schema = 1\n[rollup]\nkb = 952076\n[prerequisites]\n";
        assert_eq!(
            found(text),
            [
                "3 RU0102 `kb` has a whole number instead of a string | write it in quotes: `\"…\"`",
                "4 RU0102 `prerequisites` has a table instead of a list of tables | write each with two brackets: `[[…]]`",
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
            ["1 RU0008 the document has no schema version | "]
        );
        assert_eq!(
            found("schema = 2"),
            ["1 RU0008 schema 2 is unknown | 1 is supported"]
        );
        assert_eq!(
            found("schema = 1\0"),
            ["1 RU0005 the document contains a NUL byte | "]
        );
        assert!(found("\u{feff}schema = 1\n")[0].contains("RU0003"));
    }
}
