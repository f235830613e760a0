//! Syntax errors in the words of the parser, each with its place and a help.

use std::collections::BTreeMap;

use toml_parser::{ErrorSink, Expected, ParseError};

use super::helps::help;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::source::Source;

/// Number of syntax errors that are shown; a text with more is probably not TOML.
pub(super) const SHOWN: usize = 20;

/// The first syntax errors of a document: at most one for each line, since the parser may report
/// many for one mistake, and at most one more than are shown.
pub(super) struct SyntaxErrors<'s> {
    source: &'s Source,
    by_line: BTreeMap<u32, SyntaxError>,
}

/// One error of the parser.
pub(super) struct SyntaxError {
    pub(super) span: Span,
    pub(super) message: String,
    /// Help, if it is not the one for what is written there.
    pub(super) help: Option<&'static str>,
}

impl<'s> SyntaxErrors<'s> {
    pub(super) fn new(source: &'s Source) -> Self {
        Self {
            source,
            by_line: BTreeMap::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_line.is_empty()
    }

    /// Adds an error; of several on one line the first remains.
    pub(super) fn add(&mut self, error: SyntaxError) {
        let line = self.source.line(error.span.start);
        let known = self.by_line.get(&line);
        if known.is_none_or(|known| error.span.start < known.span.start) {
            self.by_line.insert(line, error);
        }
        if self.by_line.len() > SHOWN + 1 {
            self.by_line.pop_last();
        }
    }

    /// Adds the errors of another pass.
    pub(super) fn append(&mut self, others: SyntaxErrors<'_>) {
        others
            .by_line
            .into_values()
            .for_each(|error| self.add(error));
    }

    /// Returns whether a part of the text, or its end, has an error.
    pub(super) fn are_in(&self, part: &Span) -> bool {
        let mut starts = self.by_line.values().map(|error| error.span.start);
        starts.any(|start| (part.start..=part.end).contains(&start))
    }

    /// Removes the errors in a part of the text.
    pub(super) fn forget(&mut self, part: &Span) {
        self.by_line
            .retain(|_, error| !part.contains(&error.span.start));
    }

    /// Returns the start of the first error that is not shown.
    pub(super) fn first_hidden(&self) -> Option<usize> {
        self.by_line
            .values()
            .nth(SHOWN)
            .map(|error| error.span.start)
    }

    /// Reports the errors.
    pub(super) fn report(&self, findings: &mut Findings) {
        for error in self.by_line.values().take(SHOWN) {
            let finding = findings.add(Code::Syntax, error.span.clone(), &*error.message);
            if let Some(help) = error.help.or_else(|| help(self.source, &error.span)) {
                finding.help(help);
            }
        }
        if let Some(at) = self.first_hidden() {
            let message = "more lines are not TOML, starting here";
            let help = format!("only the first {SHOWN} are shown; is this a TOML file?");
            findings.add(Code::Syntax, at..at, message).help(help);
        }
    }
}

impl ErrorSink for SyntaxErrors<'_> {
    fn report_error(&mut self, error: ParseError) {
        let end = self.source.text().len();
        let span = error
            .unexpected()
            .map_or(end..end, |span| span.start()..span.end());
        // A document may have as many errors as bytes.
        if self.first_hidden().is_none_or(|hidden| span.start < hidden) {
            self.add(SyntaxError {
                span,
                message: message(&error),
                help: None,
            });
        }
    }
}

/// Returns the words of the parser, as the errors of `toml` print them.
fn message(error: &ParseError) -> String {
    let expected = error.expected().unwrap_or_default().iter();
    let expected: Vec<String> = expected
        .map(|expected| match expected {
            Expected::Literal("\n") => "newline".to_owned(),
            Expected::Literal(literal) => format!("`{literal}`"),
            Expected::Description(words) => (*words).to_owned(),
            _ => "etc".to_owned(),
        })
        .collect();
    match &expected[..] {
        [] => error.description().to_owned(),
        all => format!("{}, expected {}", error.description(), all.join(", ")),
    }
}
