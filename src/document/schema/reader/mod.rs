//! Reader of a document's tables: its methods return values with their places, or report a mistake
//! and return nothing.
//!
//! [`read`] is the entry point. `values` has the methods for values, `keys` the checks of every
//! table before its values are read.

mod keys;
mod open;
mod table;
mod values;

use std::collections::BTreeSet;

use toml::de::DeTable;

use self::keys::{Header, headers};
pub use self::table::{Placed, Table, ValueOrTable};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Finding, Findings, Span};
use crate::document::diagnostics::nearest::{MeantName, comparison_cost, meant_name};
use crate::document::diagnostics::source::Source;
use crate::document::diagnostics::syntax::ReadableText;
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
    /// False if parts of the text were left out because of syntax errors.
    is_complete: bool,
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
    let mut readable = ReadableText::of(source, findings)?;
    let mut own = Findings::default();
    let text = std::mem::take(&mut readable.text);
    let (root, errors) = DeTable::parse_recoverable(&text);
    let root = root.into_inner();
    let is_complete = readable.report(source, errors, &mut own);
    let mut reader = Reader {
        source,
        findings: own,
        shapes: shape.all(),
        headers: headers(source.text(), &root),
        top: &root,
        is_complete,
        strays: BTreeSet::new(),
        search_budget: SEARCH_BUDGET,
    };
    let top = Table::new(&root, 0..0, shape);
    // The keys of another schema are unknown.
    let walked = reader.has_known_schema(&top).then(|| {
        reader.check_keys(&top);
        reader.require_schema(&top);
        walk(&mut reader, &top)
    });
    reader.report_open();
    reader.pass_findings(findings);
    walked
}

impl Reader<'_> {
    /// Returns whether the text has no syntax error, so that absent keys are really missing.
    pub fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// Adds a finding, which the caller completes.
    pub fn report(&mut self, code: Code, span: &Span, message: impl Into<String>) -> &mut Finding {
        self.findings.add(code, span.clone(), message)
    }

    /// Returns the most similar name, unless the search budget is used up.
    pub fn nearest<'a>(
        &mut self,
        wanted: &str,
        among: impl Iterator<Item = &'a str>,
    ) -> Option<MeantName> {
        let search_budget = &mut self.search_budget;
        let compared = among.take_while(|candidate| {
            *search_budget = search_budget.saturating_sub(comparison_cost(wanted, candidate));
            *search_budget > 0
        });
        meant_name(wanted, compared)
    }

    /// Runs a search of the caller through this number of names, unless the search budget is used
    /// up.
    pub fn suggestion<T>(&mut self, among: usize, search: impl FnOnce() -> Option<T>) -> Option<T> {
        self.search_budget = self.search_budget.checked_sub(among)?;
        search()
    }

    /// Reports a schema version that is unknown.
    fn has_known_schema(&mut self, top: &Table<'_>) -> bool {
        let KeyKind::Only(known) = top.kind("schema") else {
            unreachable!("`schema` is described as one number")
        };
        let schema = self.number(top, "schema");
        let Some(schema) = schema.filter(|schema| schema.value != known) else {
            return true;
        };
        let message = format!("schema {schema} is unknown");
        let help =
            format!("this version of rollup supports schema {known}; a newer one may support it");
        self.report(Code::Schema, &schema.span, message)
            .label(format!("{known} is supported"))
            .help(help);
        false
    }

    /// Reports that the schema version is missing, and not only misspelled or misplaced.
    fn require_schema(&mut self, top: &Table<'_>) {
        if !top.has("schema") && !self.is_stray(top, "schema") {
            let end = if self.source.text().contains("\r\n") {
                "\r\n"
            } else {
                "\n"
            };
            self.report(Code::Schema, &(0..0), "the document has no schema version")
                .only_rewritten(format!("schema = 1{end}"))
                .help("begin it with `schema = 1`");
        }
    }

    /// Passes the findings to the caller, without those that another mistake caused: a key that is
    /// only misspelled or misplaced is not missing, and nothing is after a syntax error.
    fn pass_findings(mut self, findings: &mut Findings) {
        self.findings.explain_by(Code::HiddenCharacter);
        let (strays, is_complete) = (self.strays, self.is_complete);
        self.findings.retain(|finding| {
            let missing = (finding.span.start, finding.message.clone());
            let is_stray = finding.code == Code::MissingKey && strays.contains(&missing);
            !is_stray && (is_complete || is_local(finding.code))
        });
        findings.append(self.findings);
    }
}

/// Returns whether findings of this kind are about a key or value itself, and not about a missing
/// one.
fn is_local(code: Code) -> bool {
    matches!(
        code,
        Code::Syntax
            | Code::ByteOrderMark
            | Code::UnknownKey
            | Code::WrongType
            | Code::MisplacedKey
            | Code::InvalidValue
            | Code::UnsafeName
            | Code::InvalidTime
            | Code::OutOfRange
            | Code::DuplicateName
            | Code::OpenValue
            | Code::OpenComment
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
                reader.texts_or_none(&prerequisite, "product");
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
                "6 RU0001 unclosed array, expected `]` | ",
            ]
        );
        assert_eq!(
            found("[rollup\nkb = 1\n"),
            ["1 RU0001 unclosed table, expected `]` | "]
        );
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
