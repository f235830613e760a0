//! Corrections of documents: what has exactly one answer, such as a misspelled key.
//!
//! The corrections are the replacements that the findings show, and everything else in the text
//! stays as it is. A correction may uncover another mistake, so the document is checked again until
//! nothing is left to correct.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Document, DocumentKind, LintLevels, Validation, ValidationContext};
use crate::document::{Code, Finding, Source, Span};
use crate::names::Escaped;

/// Number of checks of a document of any usual size. Each uncovers mistakes that could not be read
/// before, or finds out which of several corrections is wrong.
const MOST_CHECKS: usize = 60;

/// Fewest checks, of the largest documents.
const FEWEST_CHECKS: usize = 8;

/// Findings that a wrong correction causes: one name means two things.
const REPEATED: [Code; 8] = [
    Code::Syntax,
    Code::DuplicateName,
    Code::DuplicatePrerequisite,
    Code::CopiedTwice,
    Code::RemovedTwice,
    Code::ReinstalledTwice,
    Code::CopiedOver,
    Code::NamedTwice,
];

/// Correction of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Correction {
    /// The document's name.
    pub file: String,
    /// Line of the corrected part, from 1, in the document as it was.
    pub line: u32,
    /// Column of the corrected part, in characters from 1.
    pub column: u32,
    /// Number of the code of the finding, such as `RU0101`.
    pub code: &'static str,
    /// Text that was there; invisible characters are escaped.
    pub old: String,
    /// Text that is there now.
    pub new: String,
}

/// Document with its corrections, in the order in which they were made.
pub struct Corrected {
    pub source: Source,
    pub corrections: Vec<Correction>,
}

/// Text in place of a part of a document.
struct Edit {
    span: Span,
    text: String,
    correction: Correction,
}

/// Corrects everything in a document that has exactly one answer, unless a comment or `levels` allow
/// the finding.
pub fn corrected(
    source: &Source,
    kind: DocumentKind,
    against: &ValidationContext<'_>,
    levels: &LintLevels,
) -> Corrected {
    let mut checker = Checker {
        kind,
        against,
        levels,
        checks_left: (Source::LARGEST / source.text().len().max(1))
            .clamp(FEWEST_CHECKS, MOST_CHECKS),
    };
    let mut document = checker.check(source.clone());
    let mut corrections = Vec::new();
    while checker.checks_left > 0 {
        let mut edits = edits(&document);
        if edits.is_empty() {
            break;
        }
        let mut next = checker.check(edited(&document.source, &edits));
        if repeated(&next) > repeated(&document) {
            edits.retain(|edit| checker.is_harmless(&document, edit));
            next = checker.check(edited(&document.source, &edits));
        }
        if edits.is_empty() || repeated(&next) > repeated(&document) {
            break;
        }
        corrections.extend(edits.into_iter().map(|edit| edit.correction));
        document = next;
    }
    Corrected {
        source: document.source,
        corrections,
    }
}

/// Checks of a document, of which there are not too many.
struct Checker<'a> {
    kind: DocumentKind,
    against: &'a ValidationContext<'a>,
    levels: &'a LintLevels,
    checks_left: usize,
}

impl Checker<'_> {
    fn check(&mut self, source: Source) -> Document {
        self.checks_left = self.checks_left.saturating_sub(1);
        let mut validation = Validation::of(vec![(source, self.kind)], self.against);
        validation.apply_levels(self.levels);
        validation.documents.remove(0)
    }

    /// Returns whether an edit alone makes no name mean two things.
    fn is_harmless(&mut self, document: &Document, edit: &Edit) -> bool {
        if self.checks_left == 0 {
            return false;
        }
        let tried = self.check(edited(&document.source, std::slice::from_ref(edit)));
        repeated(&tried) <= repeated(document)
    }
}

/// Returns the number of findings about names that mean two things.
fn repeated(document: &Document) -> usize {
    document
        .findings
        .sorted_with_allowed()
        .iter()
        .filter(|finding| REPEATED.contains(&finding.code))
        .count()
}

/// Returns the edits of a document, in the order of their places; none of two that differ at one
/// place.
fn edits(document: &Document) -> Vec<Edit> {
    let source = &document.source;
    let mut edits: Vec<Edit> = Vec::new();
    let mut disputed: Vec<Span> = Vec::new();
    for finding in document.findings.sorted() {
        let Some(edit) = edit(finding, source) else {
            continue;
        };
        match edits.last() {
            Some(last) if last.span == edit.span && last.text == edit.text => {}
            Some(last) if edit.span.start < last.span.end || last.span == edit.span => {
                disputed.push(edit.span);
            }
            _ => edits.push(edit),
        }
    }
    let overlaps = |one: &Span, other: &Span| one.start < other.end && other.start < one.end;
    edits.retain(|edit| {
        !disputed
            .iter()
            .any(|span| *span == edit.span || overlaps(span, &edit.span))
    });
    edits
}

fn edit(finding: &Finding, source: &Source) -> Option<Edit> {
    let text = finding.only_replacement(source)?;
    let old = source.shown(finding.span.clone());
    if old == text {
        return None;
    }
    let (line, column) = source.place(finding.span.start);
    let correction = Correction {
        file: source.name().to_owned(),
        line,
        column,
        code: finding.code.number(),
        old: Escaped(&old).to_string(),
        new: Escaped(text.trim_end()).to_string(),
    };
    Some(Edit {
        span: finding.span.clone(),
        text,
        correction,
    })
}

fn edited(source: &Source, edits: &[Edit]) -> Source {
    let mut text = String::with_capacity(source.text().len());
    let mut from = 0;
    for edit in edits {
        text.push_str(&source.text()[from..edit.span.start]);
        text.push_str(&edit.text);
        from = edit.span.end;
    }
    text.push_str(&source.text()[from..]);
    Source::new(source.name(), text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "schema = 1\n[rollup]\nkb = \"KB1\"\nproduct = \"P\"\nproduct_versions = [\"1.0\"]\n";

    fn fixed(text: &str) -> (String, usize) {
        let source = Source::new("m.toml", text);
        let context = ValidationContext::default();
        let corrected = corrected(
            &source,
            DocumentKind::Manifest,
            &context,
            &LintLevels::default(),
        );
        let (text, count) = (corrected.source.text(), corrected.corrections.len());
        (text.to_owned(), count)
    }

    #[track_caller]
    fn assert_fixed(before: &str, after: &str, count: usize) {
        let (text, made) = fixed(&format!("{HEAD}{before}"));
        assert_eq!((text.as_str(), made), (&*format!("{HEAD}{after}"), count));
        assert_eq!(fixed(&text), (text.clone(), 0), "it is idempotent");
    }

    #[track_caller]
    fn assert_kept(text: &str) {
        assert_fixed(text, text, 0);
    }

    #[test]
    fn only_the_wrong_words_change() {
        assert_fixed(
            "titel =   'x' # why\r\n\r\n[[steps]]\nid='a'\naction = 'restrat'\nservice='IIS'\n",
            "title =   'x' # why\r\n\r\n[[steps]]\nid='a'\naction = \"restart\"\nservice='IIS'\n",
            2,
        );
        assert_fixed(
            "title = \"x\"\nfixes = \"a fault\"\n",
            "title = \"x\"\nfixes = [\"a fault\"]\n",
            1,
        );
    }

    #[test]
    fn a_correction_may_uncover_another_one() {
        assert_fixed(
            "title = \"x\"\n[[stepps]]\nid = \"a\"\nacton = \"restrat\"\nservice = \"IIS\"\n",
            "title = \"x\"\n[[steps]]\nid = \"a\"\naction = \"restart\"\nservice = \"IIS\"\n",
            3,
        );
    }

    #[test]
    fn syntax_of_toml_1_1_and_a_byte_order_mark_are_replaced() {
        let (text, count) = fixed(
            "\u{feff}[rollup]\nkb = 952076\ntitle = \"\\e\\x41\"\n[payload]\nfiles = [{ name = \"a\", modified = 2008-03-31T18:32Z, }]\n",
        );
        assert_eq!(
            (text.as_str(), count),
            (
                "schema = 1\n[rollup]\nkb = \"952076\"\ntitle = \"\\u001B\\u0041\"\n[payload]\nfiles = [{ name = \"a\", modified = 2008-03-31T18:32:00Z }]\n",
                7
            )
        );
    }

    #[test]
    fn what_may_mean_two_things_is_kept() {
        // Both may be the title, and one exists already.
        assert_kept("titel = \"x\"\ntitl = \"y\"\n");
        assert_kept("title = \"x\"\ntitel = \"y\"\n");
        // The file is used already, so the other one is probably another file.
        assert_kept(
            "title = \"x\"\n[[steps]]\nid = \"a\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"Tool.txt\", \"Toll.txt\"]\n[payload]\nfiles = [{ name = \"Tool.txt\" }]\n",
        );
        // A platform is free text.
        assert_kept(
            "title = \"x\"\n[[steps]]\nid = \"a\"\naction = \"restart\"\nservice = \"IIS\"\non = \"web\"\nplatform = \"x46\"\n",
        );
    }

    #[test]
    fn an_allowed_finding_is_not_corrected() {
        let text = format!("\u{feff}# rollup: allow RU0003\n{HEAD}title = \"x\"\n");
        // The comment is about the next line, and its own.
        assert_eq!(fixed(&text), (text.clone(), 0));
    }
}
