//! Syntax errors of a text as TOML, whatever its subject.
//!
//! A pass over the parser's events finds the errors of all lines, and the parts of the text that
//! have to be left out because of them (`scan`). The rest is read, so that one error hides no
//! other. An error has the words of the parser (`errors`), and a help for what is written at its
//! place (`helps`).

mod errors;
mod helps;
mod scan;

use toml::de::Error;

use self::errors::{SHOWN, SyntaxError, SyntaxErrors};
use self::scan::SyntaxScan;
use super::codes::Code;
use super::findings::{Findings, Span};
use super::source::Source;

/// Text of a document without the parts that are not TOML.
pub(in crate::document) struct ReadableText<'s> {
    /// Text in which these parts are blank, so that all offsets are those of the document.
    pub(in crate::document) text: String,
    errors: SyntaxErrors<'s>,
    newer: Findings,
}

impl<'s> ReadableText<'s> {
    /// Finds the syntax errors of a document. Returns `None` for one that must not be parsed, which
    /// is reported.
    pub(in crate::document) fn of(source: &'s Source, findings: &mut Findings) -> Option<Self> {
        if let Some(fault) = source.fault() {
            findings.push(fault.clone());
            return None;
        }
        if other_format(source, findings) {
            return None;
        }
        byte_order_mark(source, findings);
        let mut text = source.text().to_owned();
        let mut errors = SyntaxErrors::new(source);
        let mut newer = Findings::default();
        // Each scan finds an error, but for the last.
        for _ in 0..=SHOWN {
            let scan = SyntaxScan::of(source, &text);
            if let Some(refusal) = scan.refusal {
                findings.push(refusal);
                return None;
            }
            let (broken, ends_early) = (scan.broken, scan.ends_early);
            errors.append(scan.errors);
            newer = scan.newer;
            for part in broken {
                blank(&mut text, part);
            }
            if !ends_early || errors.first_hidden().is_some() {
                break;
            }
        }
        if let Some(at) = errors.first_hidden() {
            let hidden = source.line_start_of(at)..text.len();
            blank(&mut text, hidden);
        }
        Some(Self {
            text,
            errors,
            newer,
        })
    }

    /// Reports the syntax errors, including those of the parsed text, which are repeated keys.
    /// Returns whether there are none.
    pub(in crate::document) fn report(
        mut self,
        source: &Source,
        repeated: Vec<Error>,
        findings: &mut Findings,
    ) -> bool {
        const HELP: &str =
            "remove one of the two; a table has one header, with all its keys below it";
        // The parser reads in order, so others would not be shown.
        for error in repeated.into_iter().take(SHOWN + 1) {
            let span = error.span().unwrap_or_default();
            let mut message = format!("`{}` exists already", source.shown(span.clone()));
            if let Some(line) = earlier_line(source, &span) {
                message += &format!(", on line {line}");
            }
            self.errors.add(SyntaxError {
                span,
                message,
                help: Some(HELP),
            });
        }
        self.errors.report(findings);
        if self.errors.is_empty() {
            findings.append(self.newer);
        }
        self.errors.is_empty()
    }
}

/// Returns the line above a repeated key or header that begins with the same one.
fn earlier_line(source: &Source, repeated: &Span) -> Option<u32> {
    let here = source.line(repeated.start);
    let is_header = source.line_text(here).starts_with('[');
    let key = &source.text()[source.line_start_of(repeated.start)..repeated.end];
    let key = key.trim_start_matches('[');
    for line in (1..here).rev() {
        let text = source.line_text(line);
        let rest = text.trim_start_matches('[').strip_prefix(key);
        if rest.is_some_and(|rest| rest.starts_with([' ', '=', '.', ']'])) {
            return Some(line);
        }
        // A key of another table is not the same.
        if text.starts_with('[') && !is_header {
            return None;
        }
    }
    None
}

/// Reports a document that is an HTML or XML page, or JSON: no line of TOML begins like these.
fn other_format(source: &Source, findings: &mut Findings) -> bool {
    let text = source.text().trim_start_matches('\u{feff}').trim_start();
    let (format, help) = match text.chars().next() {
        Some('<') => {
            let head: String = text.chars().take(1024).collect();
            let head = head.to_ascii_lowercase();
            let is_html = head.contains("<html") || head.starts_with("<!doctype html");
            let format = if is_html { "an HTML page" } else { "XML" };
            (
                format,
                "`rollup import` drafts a manifest from the page of an article",
            )
        }
        Some('{') => ("JSON", "`rollup show` prints a saved plan"),
        _ => return false,
    };
    let start = source.text().len() - text.len();
    let message = format!("the document is {format}, not TOML");
    findings
        .add(Code::OtherFormat, start..start + 1, message)
        .help(help);
    true
}

fn byte_order_mark(source: &Source, findings: &mut Findings) {
    if source.text().starts_with('\u{feff}') {
        let message = "the document begins with a byte order mark";
        let mark = 0..'\u{feff}'.len_utf8();
        findings
            .add(Code::ByteOrderMark, mark, message)
            .only_rewritten("")
            .help("save it as UTF-8 without a byte order mark");
    }
}

/// Blanks a part of a text, except the ends of its lines.
fn blank(text: &mut String, part: Span) {
    let blanks: String = text[part.clone()]
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' })
        .collect();
    text.replace_range(part, &blanks);
}
