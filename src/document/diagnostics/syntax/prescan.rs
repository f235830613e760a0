//! First pass over a text: counts its syntax errors without making tables, and so in little memory.

use toml_parser::decoder::Encoding;
use toml_parser::parser::{Event, EventKind, EventReceiver, ValidateWhitespace};
use toml_parser::{ErrorSink, Expected};

use super::hints::syntax_hint;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::source::Source;

/// Number of syntax errors that are shown; a text with more is probably not TOML.
pub(super) const SHOWN: usize = 20;

/// Number of errors that the parser may report for one text, many of them for one mistake. A text
/// with more is not read: an error takes more memory than the byte that causes it.
const MOST_ERRORS: usize = 10_000;

/// Syntax errors found by the first pass.
pub(in crate::document) struct Prescan {
    /// First error of each line, for the first lines that have one.
    first: Vec<SyntaxFault>,
    /// Offset at which the pass stopped, if there are too many errors.
    stopped_at: Option<usize>,
}

/// An error of the parser.
struct SyntaxFault {
    message: String,
    span: Span,
}

impl SyntaxFault {
    fn new(error: &toml_parser::ParseError, end: usize) -> Self {
        let mut message = error.description().to_owned();
        if let Some(expected) = error.expected() {
            // Same wording as the errors of `toml`, which the hints recognize.
            let words = expected.iter().map(|expected| match expected {
                Expected::Literal("\n") => "newline".to_owned(),
                Expected::Literal(literal) => format!("`{literal}`"),
                Expected::Description(words) => (*words).to_owned(),
                _ => "etc".to_owned(),
            });
            let words = words.collect::<Vec<_>>().join(", ");
            message = format!(
                "{message}, expected {}",
                if words.is_empty() { "nothing" } else { &words }
            );
        }
        Self {
            message,
            span: error
                .unexpected()
                .map_or(end..end, |span| span.start()..span.end()),
        }
    }
}

/// Decoder of keys and values, which finds the errors inside them and keeps nothing.
struct Decoder<'s>(toml_parser::Source<'s>);

impl EventReceiver for Decoder<'_> {
    fn simple_key(
        &mut self,
        span: toml_parser::Span,
        encoding: Option<Encoding>,
        error: &mut dyn ErrorSink,
    ) {
        if let Some(raw) = self
            .0
            .get(Event::new_unchecked(EventKind::SimpleKey, encoding, span))
        {
            raw.decode_key(&mut (), error);
        }
    }

    fn scalar(
        &mut self,
        span: toml_parser::Span,
        encoding: Option<Encoding>,
        error: &mut dyn ErrorSink,
    ) {
        if let Some(raw) = self
            .0
            .get(Event::new_unchecked(EventKind::Scalar, encoding, span))
        {
            let _ = raw.decode_scalar(&mut (), error);
        }
    }
}

/// Collects syntax errors without making tables.
pub(in crate::document) fn prescan(source: &Source) -> Prescan {
    let text = toml_parser::Source::new(source.text());
    let (mut first, mut count, mut stopped_at, mut line) = (Vec::new(), 0_usize, None, 0);
    let mut sink = |error: toml_parser::ParseError| {
        count += 1;
        let at = error
            .unexpected()
            .map_or(source.text().len(), |span| span.start());
        if first.len() < SHOWN && source.line(at) != line {
            line = source.line(at);
            first.push(SyntaxFault::new(&error, source.text().len()));
        }
        if count == MOST_ERRORS {
            stopped_at = Some(at);
        }
    };
    let mut decoder = Decoder(text);
    let mut receiver = ValidateWhitespace::new(&mut decoder, text);
    toml_parser::parser::parse_document(&text.lex().into_vec(), &mut receiver, &mut sink);
    Prescan { first, stopped_at }
}

impl Prescan {
    /// Returns whether the text has so many errors that it is not read.
    pub(in crate::document) fn has_too_many_errors(&self) -> bool {
        self.stopped_at.is_some()
    }

    /// Reports the first errors of a text with too many, and the position at which reading stopped.
    pub(in crate::document) fn report(&self, source: &Source, findings: &mut Findings) {
        for fault in &self.first {
            let hint = syntax_hint(source, &fault.message, &fault.span);
            findings
                .add(Code::Syntax, hint.span, hint.message)
                .help(hint.help);
        }
        if let Some(at) = self.stopped_at {
            let finding = findings.add(
                Code::Syntax,
                at..at,
                format!("reading stopped here, after {MOST_ERRORS} errors"),
            );
            finding.help("only the first of them are shown; is this a TOML file?");
        }
    }
}
