//! Checks of a document that need no knowledge of its subject.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};
use toml_parser::decoder::Encoding;
use toml_parser::parser::{Event, EventKind, EventReceiver, ValidateWhitespace};
use toml_parser::{ErrorSink, Expected};

use super::syntax_hints::{self, SyntaxHint, slip};
use super::{Code, Finding, Findings, Source, Span};

/// Largest depth of brackets, and largest number of dots in a key.
///
/// toml's own limit is 80 for each, and 80 times 80 is more than the stack of a thread holds: its
/// tables are built and dropped by recursion.
const DEEPEST: usize = 16;

/// Largest number of lines and values in a document, a table counted as [`TABLE`] of them. A
/// hundred thousand files with their pins, or as many items, need a third of it.
///
/// To the parser a table of one entry is more than a kilobyte: 4 MiB of `{a=1},` would be one
/// gigabyte.
const MOST: usize = 1_000_000;

/// Number of values that a table, a list or a part of a dotted key counts as.
const TABLE: usize = 3;

/// Refuses a document that must not even be parsed.
pub(super) fn refuse(source: &Source) -> Option<Finding> {
    if let Some(fault) = source.fault() {
        return Some(fault.clone());
    }
    let (at, why) = unbearable(source.text())?;
    if why == Unbearable::Amount {
        let message = format!(
            "the document has more than {} tables, or {MOST} lines and values",
            MOST / TABLE
        );
        return Some(
            Finding::new(Code::TooLarge, at..at + 1, message)
                .with_help("nothing that is run needs as many"),
        );
    }
    let message = format!("nested more than {DEEPEST} deep");
    Some(
        Finding::new(Code::TooDeep, at..at + 1, message)
            .with_help("nothing in this language needs more than four"),
    )
}

/// Reports a byte order mark, which is skipped.
pub(super) fn byte_order_mark(source: &Source, findings: &mut Findings) {
    if source.text().starts_with('\u{feff}') {
        let finding = findings.add(
            Code::ByteOrderMark,
            0..0,
            "the document begins with a byte order mark",
        );
        finding.help("save it as UTF-8 without one");
    }
}

/// Number of times that a text is read again without the lines that were broken.
const ROUNDS: usize = 8;

/// Number of syntax errors that are shown; a text with more is not TOML at all.
const SHOWN: usize = 20;

/// Number of errors that the parser may report for one text, many of them for one fault. Beyond it
/// the text is not read: each of them takes more memory than the byte that it is about.
const MOST_ERRORS: usize = 10_000;

/// Syntax errors that are found before any table is made, and so in little memory.
pub(super) struct Survey {
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
pub(super) fn survey(source: &Source) -> Survey {
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
    pub(super) fn is_hopeless(&self) -> bool {
        self.gave_up.is_some()
    }

    /// Reports the first errors of a hopeless text, and that reading stopped.
    pub(super) fn report(&self, source: &Source, findings: &mut Findings) {
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

/// Reports the first syntax errors, and the number of other broken lines. Returns the text with the
/// broken lines blanked, and the places of these lines, if there are any.
///
/// After some errors the parser leaves out everything below them. Reading again without those lines
/// finds the rest, and blanks keep every offset as it was.
pub(super) fn mend(
    source: &Source,
    errors: Vec<Error>,
    findings: &mut Findings,
) -> Option<(String, Vec<Span>)> {
    if errors.is_empty() {
        return None;
    }
    let mut own = Findings::default();
    let mended = read_again(source, errors, &mut own);
    let all = own.sorted();
    // Beyond the first errors only places are known, of one line each.
    let more = mended.1.len().max(all.len()) - all.len().min(SHOWN);
    for finding in all.iter().take(SHOWN) {
        findings.push((*finding).clone());
    }
    if let Some(next) = all.get(SHOWN) {
        let lines = if more == 1 {
            "one more line is".to_owned()
        } else {
            format!("{more} more lines are")
        };
        let finding = findings.add(
            Code::Syntax,
            next.span.clone(),
            format!("{lines} not TOML, from here on"),
        );
        finding.help(format!(
            "only the first {SHOWN} are shown; is this a TOML file?"
        ));
    }
    Some(mended)
}

fn read_again(
    source: &Source,
    mut errors: Vec<Error>,
    findings: &mut Findings,
) -> (String, Vec<Span>) {
    let mut text = source.text().to_owned();
    let mut broken = conflicts(source, &mut text, &errors, findings);
    if !broken.is_empty() {
        errors = DeTable::parse_recoverable(&text).1;
    }
    for _ in 0..ROUNDS {
        let lossy = errors
            .iter()
            .any(|error| error.message() != "duplicate key");
        let new = one_round(source, &mut text, errors, &broken, findings);
        let done = new.is_empty() || !lossy || new.len() > SHOWN;
        broken.extend(new);
        if done {
            break;
        }
        errors = DeTable::parse_recoverable(&text).1;
    }
    (text, broken)
}

/// Reports the merge conflicts, each once, and blanks one side of each: together both sides repeat
/// keys.
fn conflicts(
    source: &Source,
    text: &mut String,
    errors: &[Error],
    findings: &mut Findings,
) -> Vec<Span> {
    let [begin, .., end] = syntax_hints::MARKERS;
    let begins = |error: &Error| {
        source
            .line_text(source.line(span_of(error, source).start))
            .starts_with(begin)
    };
    let mut told = Vec::new();
    let Some(mut at) = errors
        .iter()
        .filter(|error| begins(error))
        .map(|error| span_of(error, source).start)
        .min()
    else {
        return told;
    };
    at = source.line_span(source.line(at)).start;
    // A text of several lines may have such lines; then the parser finds no fault in them.
    while let Some(last) = source.text()[at..]
        .find(&format!("\n{end}"))
        .map(|last| at + last + 1)
    {
        findings
            .add(Code::Syntax, at..at + begin.len(), syntax_hints::CONFLICT)
            .help(syntax_hints::SOLVE);
        told.push(at..at + begin.len());
        let ours = source.line_span(source.line(at)).end;
        blank(text, at..ours);
        let middle = |marker: &&str| source.text()[ours..last].find(&format!("\n{marker}"));
        let theirs = syntax_hints::MARKERS[1..3]
            .iter()
            .filter_map(middle)
            .min()
            .map_or(last, |middle| ours + middle + 1);
        let behind = source.line_span(source.line(last)).end;
        blank(text, theirs..behind);
        match source.text()[behind..].find(&format!("\n{begin}")) {
            Some(next) if told.len() <= SHOWN => at = behind + next + 1,
            _ => break,
        }
    }
    told
}

/// Reports the errors of one reading that are not known yet, and blanks their lines.
fn one_round(
    source: &Source,
    text: &mut String,
    errors: Vec<Error>,
    known: &[Span],
    findings: &mut Findings,
) -> Vec<Span> {
    const UNCLOSED: [&str; 3] = [
        "unclosed array,",
        "unclosed inline table",
        "invalid multi-line",
    ];
    let unclosed = |error: &Error| {
        UNCLOSED
            .iter()
            .any(|start| error.message().starts_with(start))
    };
    let culprit = errors
        .iter()
        .any(unclosed)
        .then(|| never_closed(text))
        .flatten();
    let before = culprit.map_or(usize::MAX, |unclosed| {
        source.line_span(source.line(unclosed.at)).start
    });
    let mut new = new_errors(source, errors, before, known, findings);
    for span in &new {
        blank(text, source.line_span(source.line(span.start)));
    }
    if let Some(Unclosed {
        torn: Some(text_at),
        ..
    }) = culprit
    {
        let slip = slip(source, "invalid basic string", &(text_at..text_at));
        findings
            .add(Code::Syntax, slip.span, slip.message)
            .help(slip.help);
        blank(text, before..source.line_span(source.line(text_at)).end);
        new.push(text_at..text_at + 1);
    } else if let Some(Unclosed { at, .. }) = culprit {
        let (what, close, until) = match text.as_bytes()[at] {
            b'[' => ("list", "]", next_header(text, at)),
            b'{' => ("inline table", "}", source.line_span(source.line(at)).end),
            _ => ("text", &source.text()[at..at + 3], next_entry(text, at)),
        };
        let finding = findings.add(
            Code::Syntax,
            at..at + close.len(),
            format!("this {what} is never closed"),
        );
        finding.help(format!("close it with `{close}`"));
        blank(text, before..until);
        new.push(at..at + 1);
    }
    new
}

/// Blanks a part of the text, except the ends of its lines.
fn blank(text: &mut String, part: Span) {
    let blanks = text[part.clone()]
        .bytes()
        .map(|byte| if byte == b'\n' { '\n' } else { ' ' });
    let blanks: String = blanks.collect();
    text.replace_range(part, &blanks);
}

/// Returns the first bracket that is never closed, or closed by one of the other kind, or the
/// quotes of several lines that are never closed.
///
/// An unclosed bracket or quote swallows the lines below it, and to the parser each of them is an
/// error of its own.
fn never_closed(text: &str) -> Option<Unclosed> {
    let bytes = text.as_bytes();
    let mut open: Vec<usize> = Vec::new();
    let mut torn: Vec<usize> = Vec::new();
    let unclosed = |at: usize, torn: &[usize]| Unclosed {
        at,
        torn: torn.iter().copied().find(|&text| text > at),
    };
    let (mut at, mut blank, mut in_header) = (0, true, false);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at += bytes[at..].iter().take_while(|&&b| b != b'\n').count();
                continue;
            }
            b'"' | b'\'' => {
                at = match string_end(bytes, at) {
                    Ok(end) => end,
                    Err(_) if bytes[at..].starts_with(&[byte; 3]) => {
                        return Some(Unclosed { at, torn: None });
                    }
                    Err(end) => {
                        let closes = bytes[at..end.min(bytes.len())]
                            .iter()
                            .any(|b| matches!(b, b']' | b'}'));
                        torn.extend(closes.then_some(at));
                        end
                    }
                };
                blank = false;
                continue;
            }
            b'[' | b'{' => {
                in_header = if open.is_empty() { blank } else { in_header };
                open.push(at);
            }
            // A header ends with its line; the parser reports its errors.
            b'\n' if in_header => open.clear(),
            b']' | b'}' => match open.pop() {
                // In ASCII the code of a closing bracket is two more than that of its opening one.
                Some(opening) if bytes[opening] + 2 != byte => {
                    return Some(unclosed(opening, &torn));
                }
                _ => {}
            },
            _ => {}
        }
        blank = byte == b'\n' || blank && byte.is_ascii_whitespace();
        at += 1;
    }
    open.first().map(|&at| unclosed(at, &torn))
}

/// A bracket or quotes that are never closed.
#[derive(Clone, Copy)]
struct Unclosed {
    /// Offset at which it was opened.
    at: usize,
    /// Offset of a text behind it that its line does not close, and that swallowed the closing
    /// bracket.
    torn: Option<usize>,
}

/// Returns the start of the next line that looks like a header.
fn next_header(text: &str, at: usize) -> usize {
    text[at..]
        .find("\n[")
        .map_or(text.len(), |line| at + line + 1)
}

/// Returns the start of the next line that looks like a header or like a key with its value.
fn next_entry(text: &str, at: usize) -> usize {
    let word = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let entry = |line: &str| {
        let behind = &line[line.bytes().take_while(|b| word(b)).count()..];
        line.starts_with('[')
            || (behind.len() < line.len() && behind.trim_start_matches(' ').starts_with('='))
    };
    let mut lines = text[at..].split_inclusive('\n');
    let mut start = at + lines.next().map_or(0, str::len);
    for line in lines {
        if entry(line) {
            break;
        }
        start += line.len();
    }
    start
}

/// Turns the parser's errors before an offset into findings, one a line.
fn new_errors(
    source: &Source,
    mut errors: Vec<Error>,
    before: usize,
    known: &[Span],
    findings: &mut Findings,
) -> Vec<Span> {
    errors.retain(|error| span_of(error, source).start < before);
    errors.sort_by_key(|error| span_of(error, source).start);
    let mut lines: BTreeSet<u32> = known.iter().map(|span| source.line(span.start)).collect();
    let mut spans = Vec::new();
    let repeated = OnceCell::new();
    for error in &errors {
        let span = span_of(error, source);
        let line = source.line(span.start);
        if !lines.insert(line) {
            continue;
        }
        // One more than is shown, so that the place of the next one is known.
        if spans.len() <= SHOWN {
            let slip = match error.message() {
                "duplicate key" => {
                    let first = repeated
                        .get_or_init(|| syntax_hints::repeated(source))
                        .get(&line);
                    twice(source.line_text(line).trim(), span.clone(), first.copied())
                }
                message => slip(source, message, &span),
            };
            findings
                .add(Code::Syntax, slip.span, slip.message)
                .help(slip.help);
        }
        spans.push(span);
    }
    spans
}

/// Returns the mistake of a key or a header that exists already.
fn twice(line: &str, span: Span, first: Option<u32>) -> SyntaxHint {
    let header = line.starts_with('[');
    let what = if header { "table" } else { "key" };
    let place = first.map_or(String::new(), |first| format!(", on line {first}"));
    let help = match header {
        true => "a table has one header, and all its keys stand below it",
        false => "remove one of the two",
    };
    SyntaxHint {
        span,
        message: format!("this {what} is here already{place}"),
        help: help.to_owned(),
    }
}

fn span_of(error: &Error, source: &Source) -> Span {
    error
        .span()
        .unwrap_or(source.text().len()..source.text().len())
}

/// Reason why a text is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unbearable {
    /// Brackets or the dots of a key go deeper than allowed.
    Depth,
    /// There are more of them than allowed.
    Amount,
}

/// Returns the first place at which brackets and dots are too deep or too many.
fn unbearable(text: &str) -> Option<(usize, Unbearable)> {
    let bytes = text.as_bytes();
    let (mut brackets, mut dots, mut all, mut at) = (0_usize, 0_usize, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'#' => {
                at += bytes[at..].iter().take_while(|&&b| b != b'\n').count();
                continue;
            }
            b'"' | b'\'' => {
                at = string_end(bytes, at).unwrap_or_else(|end| end);
                continue;
            }
            b'[' | b'{' => (brackets, dots) = (brackets + 1, 0),
            b']' | b'}' => (brackets, dots) = (brackets.saturating_sub(1), 0),
            b'.' => dots += 1,
            b',' | b'=' | b'\n' => dots = 0,
            _ => {}
        }
        if brackets > DEEPEST || dots > DEEPEST {
            return Some((at, Unbearable::Depth));
        }
        all += match byte {
            b'[' | b'{' | b'.' => TABLE,
            b'\n' | b',' => 1,
            _ => 0,
        };
        if all > MOST {
            return Some((at, Unbearable::Amount));
        }
        at += 1;
    }
    None
}

/// Returns the offset behind a string that begins at `at`; an unclosed one is an error, and ends
/// with its line or the text.
pub(super) fn string_end(bytes: &[u8], at: usize) -> Result<usize, usize> {
    let quote = bytes[at];
    let long = bytes[at..].starts_with(&[quote; 3]);
    let mut at = at + if long { 3 } else { 1 };
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'\\'
                if quote == b'"'
                    && bytes.get(at + 1).is_some_and(|&next| long || next != b'\n') =>
            {
                at += 1
            }
            b'\n' if !long => return Err(at),
            _ if byte == quote && !long => return Ok(at + 1),
            _ if byte == quote && bytes[at..].starts_with(&[quote; 3]) => return Ok(at + 3),
            _ => {}
        }
        at += 1;
    }
    Err(at)
}

/// Reports syntax that TOML 1.0 does not have.
pub(super) fn newer_than_1_0(source: &Source, root: &DeTable<'_>, findings: &mut Findings) {
    let text = source.text();
    let mut tables = vec![root];
    let mut values: Vec<&Spanned<DeValue<'_>>> = Vec::new();
    loop {
        while let Some(value) = values.pop() {
            let raw = text.get(value.span()).unwrap_or_default();
            match value.get_ref() {
                DeValue::String(_) => newer_escapes(raw, value.span().start, findings),
                DeValue::Datetime(time) if time.time.is_some_and(|time| time.second.is_none()) => {
                    let finding = findings.add(
                        Code::NewerToml,
                        value.span(),
                        format!("the time `{raw}` has no seconds"),
                    );
                    finding.help("TOML 1.0 wants them: `18:32:00`");
                }
                DeValue::Array(array) => values.extend(array.iter()),
                DeValue::Table(table) => {
                    if raw.starts_with('{') {
                        newer_inline_table(text, value.span(), table, findings);
                    }
                    tables.push(table);
                }
                _ => {}
            }
        }
        let Some(table) = tables.pop() else { return };
        for (key, value) in table {
            newer_escapes(
                text.get(key.span()).unwrap_or_default(),
                key.span().start,
                findings,
            );
            values.push(value);
        }
    }
}

fn newer_escapes(raw: &str, start: usize, findings: &mut Findings) {
    if !raw.starts_with('"') {
        return;
    }
    let mut bytes = raw.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        if byte != b'\\' {
            continue;
        }
        if let Some((_, escape @ (b'e' | b'x'))) = bytes.next() {
            let at = start + at;
            let message = format!(
                "the escape `\\{}` is newer than TOML 1.0",
                char::from(escape)
            );
            findings
                .add(Code::NewerToml, at..at + 2, message)
                .help("write `\\u` and four hexadecimal digits, or `\\\\` for a backslash");
        }
    }
}

fn newer_inline_table(text: &str, span: Span, table: &DeTable<'_>, findings: &mut Findings) {
    let mut from = span.start;
    let mut leaves = leaves(text, table);
    leaves.sort_by_key(|leaf| leaf.start);
    for leaf in &leaves {
        if let Some(at) = text.get(from..leaf.start).and_then(|gap| gap.find('\n')) {
            return over_lines(span.start..from + at, findings);
        }
        from = leaf.end;
    }
    let rest = text.get(from..span.end).unwrap_or_default();
    if let Some(at) = rest.find('\n') {
        return over_lines(span.start..from + at, findings);
    }
    if let Some(comma) = rest.find(',') {
        let at = from + comma;
        findings
            .add(
                Code::NewerToml,
                at..at + 1,
                "a comma at the end of an inline table",
            )
            .help("remove it");
    }
}

fn over_lines(span: Span, findings: &mut Findings) {
    let finding = findings.add(Code::NewerToml, span, "an inline table over several lines");
    finding.help("write it on one line, or as a table with a header of its own");
}

/// Returns the places of the values of an inline table, including those of dotted keys.
fn leaves(text: &str, table: &DeTable<'_>) -> Vec<Span> {
    let mut found = Vec::new();
    let mut left = vec![table];
    while let Some(table) = left.pop() {
        for (_, value) in table {
            match value.get_ref() {
                DeValue::Table(inner) if !text[value.span().start..].starts_with('{') => {
                    left.push(inner)
                }
                _ => found.push(value.span()),
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_before_anything_recurses() {
        assert_eq!(
            unbearable(&format!("a = {}", "[".repeat(1000))),
            Some((4 + DEEPEST, Unbearable::Depth))
        );
        assert!(unbearable(&format!("a{} = 1", ".a".repeat(1000))).is_some());
        assert!(unbearable(&"{a=".repeat(1000)).is_some());
        let harmless = format!(
            "a = \"{0}\"\nb = '{0}' # {0}\nc = '''\n{0}'''\nd = \"\\\"{0}\"",
            "[.".repeat(100)
        );
        assert_eq!(unbearable(&harmless), None);
        let many = |count| format!("a = [{}]", "{b=1},".repeat(count));
        let most = (MOST - TABLE) / (TABLE + 1);
        assert_eq!(unbearable(&many(most)), None);
        assert_eq!(
            unbearable(&many(most + 1)),
            Some((5 + 6 * most, Unbearable::Amount))
        );
        assert!(matches!(
            unbearable(&"\n".repeat(MOST + 1)),
            Some((_, Unbearable::Amount))
        ));
    }

    /// Examining the line of the bracket again for each of these lines would take hours.
    #[test]
    fn the_line_of_an_unclosed_bracket_is_looked_at_once() {
        let text = format!("\"{}\" = [\n{}", "k".repeat(2 << 20), "\n".repeat(2 << 20));
        assert_eq!(
            never_closed(&text).map(|unclosed| unclosed.at),
            Some((2 << 20) + 5)
        );
    }

    #[test]
    fn what_only_toml_1_1_has_is_found() {
        let text = "a = { b = 1, }\nc = { d = [\n1\n], e.f = \"\"\"\n\"\"\" }\ng = { h = 1,\n i = 2 }\nj = 10:20\nk = \"\\\\e\\e\"\n";
        let source = Source::new("x", text);
        let (root, errors) = DeTable::parse_recoverable(text);
        assert!(errors.is_empty());
        let mut findings = Findings::default();
        newer_than_1_0(&source, root.get_ref(), &mut findings);
        let places: Vec<_> = findings
            .sorted()
            .iter()
            .map(|finding| source.place(finding.span.start))
            .collect();
        assert_eq!(places, [(1, 12), (6, 5), (8, 5), (9, 9)]);
    }
}
