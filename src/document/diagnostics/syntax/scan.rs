//! One pass over a text by the events of the parser, without making tables: syntax errors, syntax
//! that is newer than TOML 1.0, and the parts that have to be left out so that the rest can be read.

use toml::value::{Datetime, Time};
use toml_parser::decoder::ScalarKind;
use toml_parser::parser::{Event, EventKind, RecursionGuard, ValidateWhitespace, parse_document};

use super::errors::{SyntaxError, SyntaxErrors};
use super::helps;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Finding, Findings, Span};
use crate::document::diagnostics::secrets::inside_of_quotes;
use crate::document::diagnostics::source::Source;

/// Largest depth of brackets, and largest number of dots in a key.
///
/// The limit of `toml` is 80 for each, and 80 times 80 is more than the stack of a thread can hold:
/// its tables are built and dropped by recursion.
const DEEPEST: usize = 16;

/// Largest number of tables, lists and parts of dotted keys. A parsed table takes more than a
/// kilobyte.
const MOST_TABLES: usize = 200_000;

/// Facts about a text, found by one pass.
pub(super) struct SyntaxScan<'s> {
    source: &'s Source,
    text: &'s str,
    pub(super) errors: SyntaxErrors<'s>,
    /// Syntax that TOML 1.0 does not have.
    pub(super) newer: Findings,
    /// Reason not to parse the text.
    pub(super) refusal: Option<Finding>,
    /// Parts with errors; the text without them can be read.
    pub(super) broken: Vec<Span>,
    /// True if the errors below a part that is never closed are still unknown.
    pub(super) ends_early: bool,
    /// Start of the first bracket or text of several lines that is never closed.
    unclosed: Option<usize>,
    /// First inline table that its line does not close, and the next line, in a list that begins on
    /// a line above and has errors.
    torn: Option<Span>,
    /// Starts of the brackets that are open.
    open: Vec<usize>,
    /// Number of tables, lists and parts of dotted keys.
    tables: usize,
    /// Number of dots in the key.
    dots: usize,
    /// Comma that nothing follows so far.
    comma: Option<usize>,
    /// Start of the line, and number of brackets that were open there. A text of several lines is
    /// part of one line.
    line: (usize, usize),
    /// Start of the key or header that the line is part of.
    entry: usize,
    /// True if the entry has errors on a line that opens or closes a bracket.
    is_entry_broken: bool,
    /// First such inline table of the entry, whether it has errors or not.
    torn_in_entry: Option<Span>,
}

impl<'s> SyntaxScan<'s> {
    /// Scans a text that is the beginning of a document.
    pub(super) fn of(source: &'s Source, text: &'s str) -> Self {
        let parsed = toml_parser::Source::new(text);
        let mut outside = SyntaxErrors::new(source);
        let tokens = parsed.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        let mut validated = ValidateWhitespace::new(&mut events, parsed);
        let mut guarded = RecursionGuard::new(&mut validated, DEEPEST as u32);
        parse_document(&tokens, &mut guarded, &mut outside);
        drop(tokens);
        let mut scan = Self {
            source,
            text,
            errors: SyntaxErrors::new(source),
            newer: Findings::default(),
            refusal: None,
            broken: Vec::new(),
            ends_early: false,
            unclosed: None,
            torn: None,
            open: Vec::new(),
            tables: 0,
            dots: 0,
            comma: None,
            line: (0, 0),
            entry: 0,
            is_entry_broken: false,
            torn_in_entry: None,
        };
        for event in &events {
            scan.decode(event, parsed);
        }
        // Of two errors at one place the one in a key or value explains the other.
        scan.errors.append(outside);
        for event in &events {
            scan.visit(event);
        }
        scan.end_line(text.len()..text.len());
        scan.leave_out_unclosed();
        scan
    }

    /// Leaves out a bracket or text that is never closed. Everything below became part of it, so the
    /// errors below say nothing.
    fn leave_out_unclosed(&mut self) {
        let to_next_entry = |at| at..next_entry(self.text, at);
        let Some(part) = self.torn.take().or(self.unclosed.map(to_next_entry)) else {
            return;
        };
        self.errors.forget(&(part.end..self.text.len() + 1));
        self.broken.retain(|broken| broken.end <= part.start);
        // An error in it is the likely reason.
        if !self.errors.are_in(&part) {
            let (kind, help) = match self.text.as_bytes()[part.start] {
                b'[' => ("list", "close it with `]`"),
                b'{' => ("inline table", "close it with `}`"),
                b'"' => ("text", "close it with `\"\"\"`"),
                _ => ("text", "close it with `'''`"),
            };
            self.errors.add(SyntaxError {
                span: part.start..part.start + 1,
                message: format!("this {kind} is never closed"),
                help: Some(help),
            });
        }
        let line = self.text[..part.start].rfind('\n').map_or(0, |end| end + 1);
        self.broken.push(line..part.end);
        self.ends_early = true;
    }

    /// Finds the errors in a key or a value.
    fn decode(&mut self, event: &Event, parsed: toml_parser::Source<'_>) {
        let Some(raw) = parsed.get(event) else {
            return;
        };
        let (text, span) = (raw.as_str(), event.span().start()..event.span().end());
        match event.kind() {
            EventKind::SimpleKey => raw.decode_key(&mut (), &mut self.errors),
            EventKind::Scalar => {
                let kind = raw.decode_scalar(&mut (), &mut self.errors);
                if kind == ScalarKind::DateTime {
                    self.time(text, span.clone());
                }
                self.check_end(text, span.clone());
            }
            _ => return,
        }
        if text.starts_with('"') {
            self.newer_escapes(text, span.start);
        }
    }

    /// Reports a text that its line does not close, and remembers one of several lines.
    fn check_end(&mut self, text: &str, span: Span) {
        let Some(inside) = inside_of_quotes(text).filter(|inside| inside.end == text.len()) else {
            return;
        };
        if inside.start > 1 {
            self.unclosed = Some(span.start);
        } else {
            self.errors.add(SyntaxError {
                span: span.start..span.start + 1,
                message: "this text is never closed".to_owned(),
                help: Some(helps::unclosed_text(text)),
            });
        }
    }

    fn visit(&mut self, event: &Event) {
        let span = event.span().start()..event.span().end();
        match event.kind() {
            EventKind::Whitespace | EventKind::Comment => return,
            // Of a line that contains carriage returns only the first error is known.
            EventKind::Newline if !self.text[span.clone()].ends_with('\n') => return,
            EventKind::Newline => return self.end_line(span),
            EventKind::ValueSep => {
                self.comma = Some(span.start);
                return;
            }
            EventKind::ArrayOpen | EventKind::InlineTableOpen => self.open(span.start),
            EventKind::ArrayClose | EventKind::InlineTableClose => self.close(span),
            EventKind::KeyValSep => self.dots = 0,
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                self.dots = 0;
                self.count_table(0, span.start);
            }
            EventKind::KeySep => {
                self.dots += 1;
                self.count_table(self.dots, span.start);
            }
            _ => {}
        }
        self.comma = None;
    }

    fn open(&mut self, at: usize) {
        self.open.push(at);
        self.count_table(self.open.len(), at);
    }

    fn close(&mut self, span: Span) {
        let open = self.open.pop();
        if span.is_empty() {
            // The parser closes at the end what the text does not close. The outer bracket comes
            // last.
            self.unclosed = open.or(self.unclosed);
        }
        if let Some(comma) = self.comma
            && self.text[span].starts_with('}')
        {
            let message = "a comma at the end of an inline table";
            self.newer(comma..comma + 1, message, "remove it")
                .only_rewritten("");
        }
    }

    /// Counts a table, and refuses a document with too many or with a too deep one.
    fn count_table(&mut self, depth: usize, at: usize) {
        self.tables += 1;
        let finding = if depth > DEEPEST {
            let message = format!("the document is nested more than {DEEPEST} deep");
            Finding::new(Code::TooDeep, at..at + 1, message)
                .with_help("manifests and deployments need at most four")
        } else if self.tables > MOST_TABLES {
            let message = format!("the document has more than {MOST_TABLES} tables");
            Finding::new(Code::TooLarge, at..at + 1, message)
                .with_help("no manifest and no deployment needs as many")
        } else {
            return;
        };
        self.refusal.get_or_insert(finding);
    }

    fn newer(&mut self, span: Span, message: impl Into<String>, help: &str) -> &mut Finding {
        self.newer.add(Code::NewerToml, span, message).help(help)
    }

    fn time(&mut self, text: &str, span: Span) {
        match text.parse::<Datetime>() {
            Ok(Datetime {
                time: Some(Time { second: None, .. }),
                ..
            }) => {
                let time = self.source.shown(span.clone());
                let message = format!("the time `{time}` has no seconds");
                let finding = self.newer(span, message, "TOML 1.0 requires them: `18:32:00`");
                if let Some((hours, rest)) = text.split_once(':')
                    && let Some((minutes, offset)) = rest.split_at_checked(2)
                {
                    finding.only_rewritten(format!("{hours}:{minutes}:00{offset}"));
                }
            }
            Ok(_) => {}
            Err(error) => self.errors.add(SyntaxError {
                span,
                message: error.to_string(),
                help: None,
            }),
        }
    }

    fn newer_escapes(&mut self, raw: &str, start: usize) {
        let mut bytes = raw.bytes().enumerate();
        while let Some((at, byte)) = bytes.next() {
            if byte != b'\\' {
                continue;
            }
            if let Some((_, escape @ (b'e' | b'x'))) = bytes.next() {
                let at = start + at;
                let escape = char::from(escape);
                let message = format!("the escape `\\{escape}` is newer than TOML 1.0");
                let help = "write `\\u` and four hexadecimal digits, or `\\\\` for a backslash";
                let unicode = if escape == 'e' { "\\u001B" } else { "\\u00" };
                self.newer(at..at + 2, message, help)
                    .only_rewritten(unicode);
            }
        }
    }

    /// Ends a line, and decides which part of the text is left out if it has an error.
    fn end_line(&mut self, newline: Span) {
        let (start, depth) = self.line;
        let line = start..newline.start;
        self.check_inline_table(&line, newline.end);
        let is_broken = self.errors.are_in(&line);
        if is_broken && self.open.len() == depth {
            let end = self.end_of_broken(&line);
            self.broken.push(start..end);
        } else {
            self.is_entry_broken |= is_broken;
        }
        self.line = (newline.end, self.open.len());
        if self.open.is_empty() {
            self.end_entry(newline);
        }
    }

    /// Reports an inline table that its line does not close.
    fn check_inline_table(&mut self, line: &Span, next: usize) {
        if let Some(&open) = self.open.last()
            && self.text[open..].starts_with('{')
        {
            let message = "an inline table over several lines";
            let help = "write it on one line, or as a table with a header of its own";
            self.newer(open..open + 1, message, help);
            if line.contains(&open) && line.start > self.entry {
                self.torn_in_entry.get_or_insert(open..next);
            }
        }
    }

    fn end_entry(&mut self, newline: Span) {
        let entry = self.entry..newline.start;
        if let Some(torn) = self.torn_in_entry.take()
            && self.errors.are_in(&(torn.start..entry.end))
        {
            self.torn.get_or_insert(torn);
        }
        if self.is_entry_broken {
            self.broken.push(entry);
        }
        self.is_entry_broken = false;
        self.entry = newline.end;
    }

    /// Returns the end of the part that cannot be read because of an error on a line. A table whose
    /// header is broken is left out, since its keys would be part of another one, and so are both
    /// versions of a merge conflict, which repeat keys.
    fn end_of_broken(&mut self, line: &Span) -> usize {
        let below = &self.text[line.end..];
        let text = &self.text[line.clone()];
        if text.starts_with("<<<<<<<")
            && let Some(last) = below.find("\n>>>>>>>")
        {
            let last = line.end + last + 1;
            let length = self.text[last..].find('\n');
            let end = length.map_or(self.text.len(), |length| last + length);
            self.errors.forget(&(line.end + 1..end));
            return end;
        }
        if text.trim_start().starts_with('[') && self.open.is_empty() {
            let next = below.find("\n[");
            return next.map_or(self.text.len(), |next| line.end + next);
        }
        line.end
    }
}

/// Returns the start of the next line that looks like a header or like a key with its value.
fn next_entry(text: &str, at: usize) -> usize {
    let in_key = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_entry = |line: &str| {
        line.starts_with('[')
            || line
                .trim_start_matches(in_key)
                .trim_start_matches(' ')
                .starts_with('=')
    };
    let mut starts = text[at..].match_indices('\n').map(|(end, _)| at + end + 1);
    starts
        .find(|&start| is_entry(&text[start..]))
        .unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan<T>(text: &str, read: impl FnOnce(&Source, SyntaxScan<'_>) -> T) -> T {
        let source = Source::new("x", text);
        let scan = SyntaxScan::of(&source, text);
        read(&source, scan)
    }

    #[test]
    fn tables_are_bounded_before_any_is_made() {
        let refusal = |text: &str| {
            scan(text, |_, scan| {
                scan.refusal
                    .map(|finding| (finding.code, finding.span.start))
            })
        };
        let arrays = format!("a = {}", "[".repeat(1000));
        assert_eq!(refusal(&arrays), Some((Code::TooDeep, 4 + DEEPEST)));
        assert!(refusal(&format!("a{} = 1", ".a".repeat(1000))).is_some());
        assert!(refusal(&"{a=".repeat(1000)).is_none());
        assert!(refusal(&format!("a = {}", "{a=".repeat(1000))).is_some());
        let harmless = format!(
            "a = \"{0}\"\nb = '{0}' # {0}\nc = '''\n{0}'''\nd = \"\\\"{0}\"",
            "[.".repeat(100)
        );
        assert_eq!(refusal(&harmless), None);
        let many = |count| format!("a = [{}]", "{b=1},".repeat(count));
        assert_eq!(refusal(&many(MOST_TABLES - 1)), None);
        let at = 5 + 6 * (MOST_TABLES - 1);
        assert_eq!(refusal(&many(MOST_TABLES)), Some((Code::TooLarge, at)));
    }

    #[test]
    fn syntax_of_toml_1_1_is_found() {
        let text = "a = { b = 1, }\nc = { d = [\n1\n], e.f = \"\"\"\n\"\"\" }\ng = { h = 1,\n i = 2 }\nj = 10:20\nk = \"\\\\e\\e\"\n";
        let places: Vec<_> = scan(text, |source, scan| {
            assert!(scan.errors.is_empty());
            let places = scan.newer.sorted().into_iter();
            places
                .map(|finding| source.place(finding.span.start))
                .collect()
        });
        assert_eq!(places, [(1, 12), (6, 5), (8, 5), (9, 9)]);
    }

    /// Returns the parts of a text that one scan leaves out.
    fn broken(text: &str) -> Vec<&str> {
        let broken = scan(text, |_, scan| scan.broken);
        broken.into_iter().map(|part| &text[part]).collect()
    }

    #[test]
    fn as_little_as_possible_is_left_out() {
        assert_eq!(broken("a = x y\nb = 1\n"), ["a = x y"]);
        assert_eq!(broken("a = [\n1,\n2 3,\n4\n]\n"), ["2 3,"]);
        assert_eq!(broken("a = [x y,\n1,\n]\nb = 1\n"), ["a = [x y,\n1,\n]"]);
        assert_eq!(broken("[a\nb = 1\n[c]\nd = 1\n"), ["[a\nb = 1"]);
        assert_eq!(broken("a = [\n1\nb = 1\n"), ["a = [\n1\n"]);
        assert_eq!(broken("a = \"\"\"\nx\nb = 1\n"), ["a = \"\"\"\nx\n"]);
        assert_eq!(broken("a = [\n{ b = 1,\n{ c = 1 },\n]\n"), ["{ b = 1,\n"]);
        let conflict = "<<<<<<< a\nb = 1\n=======\nb = 2\n>>>>>>> c";
        assert_eq!(broken(&format!("{conflict}\nd = 1\n")), [conflict]);
    }
}
