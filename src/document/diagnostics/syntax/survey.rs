//! The syntax errors of a text, found before any table is made, and so in little memory.

use toml_parser::decoder::Encoding;
use toml_parser::parser::{Event, EventKind, EventReceiver, ValidateWhitespace};
use toml_parser::{ErrorSink, Expected};

use super::hints::slip;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::source::Source;

/// Number of syntax errors that are shown; a text with more is not TOML at all.
pub(super) const SHOWN: usize = 20;

/// Number of errors that the parser may report for one text, many of them for one fault. Beyond it
/// the text is not read: each of them takes more memory than the byte that it is about.
const MOST_ERRORS: usize = 10_000;

/// Syntax errors that are found before any table is made, and so in little memory.
pub(in crate::document) struct Survey {
    /// First error on each of the first lines that have one.
    first: Vec<Fault>,
    /// Offset at which the parser gave up, if there are too many errors.
    gave_up: Option<usize>,
}

/// An error of the parser.
struct Fault {
    message: String,
    span: Span,
}

impl Fault {
    fn new(error: &toml_parser::ParseError, end: usize) -> Self {
        let mut message = error.description().to_owned();
        if let Some(expected) = error.expected() {
            // In the words of `toml`, whose errors are the same.
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

/// Decoder of keys and values, which finds the faults inside of them and keeps nothing.
struct Decode<'s>(toml_parser::Source<'s>);

impl EventReceiver for Decode<'_> {
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
pub(in crate::document) fn survey(source: &Source) -> Survey {
    let text = toml_parser::Source::new(source.text());
    let (mut first, mut count, mut gave_up, mut line) = (Vec::new(), 0_usize, None, 0);
    let mut sink = |error: toml_parser::ParseError| {
        count += 1;
        let at = error
            .unexpected()
            .map_or(source.text().len(), |span| span.start());
        if first.len() < SHOWN && source.line(at) != line {
            line = source.line(at);
            first.push(Fault::new(&error, source.text().len()));
        }
        if count == MOST_ERRORS {
            gave_up = Some(at);
        }
    };
    let mut decode = Decode(text);
    let mut receiver = ValidateWhitespace::new(&mut decode, text);
    toml_parser::parser::parse_document(&text.lex().into_vec(), &mut receiver, &mut sink);
    Survey { first, gave_up }
}

impl Survey {
    /// Returns whether the text has so many errors that nothing else in it can be read.
    pub(in crate::document) fn is_hopeless(&self) -> bool {
        self.gave_up.is_some()
    }

    /// Reports the first errors of a hopeless text, and that reading stopped.
    pub(in crate::document) fn report(&self, source: &Source, findings: &mut Findings) {
        for fault in &self.first {
            let slip = slip(source, &fault.message, &fault.span);
            findings
                .add(Code::Syntax, slip.span, slip.message)
                .help(slip.help);
        }
        if let Some(at) = self.gave_up {
            let finding = findings.add(
                Code::Syntax,
                at..at,
                format!("reading stopped here, after {MOST_ERRORS} errors"),
            );
            finding.help("only the first of them are shown; is this a TOML file?");
        }
    }
}
