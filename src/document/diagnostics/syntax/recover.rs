//! Recovery from syntax errors: broken lines are blanked until the rest can be read.

use std::cell::OnceCell;
use std::collections::BTreeSet;

use toml::de::{DeTable, Error};

use super::hints::{self, SyntaxHint, syntax_hint};
use super::prescan::SHOWN;
use super::repetitions::repeated;
use super::unclosed::{Unclosed, never_closed, next_entry, next_header};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::{Findings, Span};
use crate::document::diagnostics::source::Source;

/// Largest number of times that a text is read again without its broken lines.
const ROUNDS: usize = 8;

/// Reports the first syntax errors, and the number of other broken lines. Returns the text with the
/// broken lines blanked, and the places of these lines, if there are any.
///
/// After some errors the parser skips everything below them. Reading the text again without those
/// lines finds the rest, and replacing them by blanks changes no offset.
pub(in crate::document) fn recover(
    source: &Source,
    errors: Vec<Error>,
    findings: &mut Findings,
) -> Option<(String, Vec<Span>)> {
    if errors.is_empty() {
        return None;
    }
    let mut own = Findings::default();
    let recovered = read_again(source, errors, &mut own);
    let all = own.sorted();
    // Of errors beyond the first ones only the places are known, one for each line.
    let more = recovered.1.len().max(all.len()) - all.len().min(SHOWN);
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
            format!("{lines} not TOML, starting here"),
        );
        finding.help(format!(
            "only the first {SHOWN} are shown; is this a TOML file?"
        ));
    }
    Some(recovered)
}

fn read_again(
    source: &Source,
    mut errors: Vec<Error>,
    findings: &mut Findings,
) -> (String, Vec<Span>) {
    let mut text = source.text().to_owned();
    let mut broken = merge_conflicts(source, &mut text, &errors, findings);
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

/// Reports each merge conflict once, and blanks one of its two versions, since both together repeat
/// keys.
fn merge_conflicts(
    source: &Source,
    text: &mut String,
    errors: &[Error],
    findings: &mut Findings,
) -> Vec<Span> {
    let [begin, .., end] = hints::MARKERS;
    let begins = |error: &Error| {
        source
            .line_text(source.line(span_of(error, source).start))
            .starts_with(begin)
    };
    let mut places = Vec::new();
    let Some(mut at) = errors
        .iter()
        .filter(|error| begins(error))
        .map(|error| span_of(error, source).start)
        .min()
    else {
        return places;
    };
    at = source.line_span(source.line(at)).start;
    // A text of several lines may contain such lines; then the parser reports no error for them.
    while let Some(last) = source.text()[at..]
        .find(&format!("\n{end}"))
        .map(|last| at + last + 1)
    {
        findings
            .add(Code::Syntax, at..at + begin.len(), hints::CONFLICT)
            .help(hints::SOLVE);
        places.push(at..at + begin.len());
        let first_version = source.line_span(source.line(at)).end;
        blank(text, at..first_version);
        let middle =
            |marker: &&str| source.text()[first_version..last].find(&format!("\n{marker}"));
        let second_version = hints::MARKERS[1..3]
            .iter()
            .filter_map(middle)
            .min()
            .map_or(last, |middle| first_version + middle + 1);
        let conflict_end = source.line_span(source.line(last)).end;
        blank(text, second_version..conflict_end);
        match source.text()[conflict_end..].find(&format!("\n{begin}")) {
            Some(next) if places.len() <= SHOWN => at = conflict_end + next + 1,
            _ => break,
        }
    }
    places
}

/// Reports the new errors of one reading, and blanks their lines.
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
    let first_unclosed = errors
        .iter()
        .any(unclosed)
        .then(|| never_closed(text))
        .flatten();
    let before = first_unclosed.map_or(usize::MAX, |unclosed| {
        source.line_span(source.line(unclosed.at)).start
    });
    let mut new = new_errors(source, errors, before, known, findings);
    for span in &new {
        blank(text, source.line_span(source.line(span.start)));
    }
    if let Some(Unclosed {
        unclosed_text: Some(text_at),
        ..
    }) = first_unclosed
    {
        let hint = syntax_hint(source, "invalid basic string", &(text_at..text_at));
        findings
            .add(Code::Syntax, hint.span, hint.message)
            .help(hint.help);
        blank(text, before..source.line_span(source.line(text_at)).end);
        new.push(text_at..text_at + 1);
    } else if let Some(Unclosed { at, .. }) = first_unclosed {
        let (kind, close, until) = match text.as_bytes()[at] {
            b'[' => ("list", "]", next_header(text, at)),
            b'{' => ("inline table", "}", source.line_span(source.line(at)).end),
            _ => ("text", &source.text()[at..at + 3], next_entry(text, at)),
        };
        let finding = findings.add(
            Code::Syntax,
            at..at + close.len(),
            format!("this {kind} is never closed"),
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

/// Turns the parser's errors before an offset into findings, at most one for each line.
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
    let repetitions = OnceCell::new();
    for error in &errors {
        let span = span_of(error, source);
        let line = source.line(span.start);
        if !lines.insert(line) {
            continue;
        }
        // One more than is shown, because the place of the first hidden one is reported.
        if spans.len() <= SHOWN {
            let hint = match error.message() {
                "duplicate key" => {
                    let first = repetitions.get_or_init(|| repeated(source)).get(&line);
                    repetition_hint(source.line_text(line).trim(), span.clone(), first.copied())
                }
                message => syntax_hint(source, message, &span),
            };
            findings
                .add(Code::Syntax, hint.span, hint.message)
                .help(hint.help);
        }
        spans.push(span);
    }
    spans
}

/// Returns the hint for a repeated key or header.
fn repetition_hint(line: &str, span: Span, first: Option<u32>) -> SyntaxHint {
    let header = line.starts_with('[');
    let kind = if header { "table" } else { "key" };
    let place = first.map_or(String::new(), |first| format!(", on line {first}"));
    let help = match header {
        true => "a table has one header; move all its keys below it",
        false => "remove one of the two",
    };
    SyntaxHint {
        span,
        message: format!("this {kind} exists already{place}"),
        help: help.to_owned(),
    }
}

fn span_of(error: &Error, source: &Source) -> Span {
    error
        .span()
        .unwrap_or(source.text().len()..source.text().len())
}
