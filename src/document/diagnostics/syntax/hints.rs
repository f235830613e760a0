//! Mistakes of an author at the place where the text stops being TOML, in the author's words and
//! not in the parser's.
//!
//! The parser reports what it expected at one offset. That seldom shows the fix: behind a curly
//! quote it expects quotes, which the author sees there. So the line is examined again.

use super::strings::string_end;
use crate::document::diagnostics::findings::{Span, brief};
use crate::document::diagnostics::hidden_characters::is_hidden;
use crate::document::diagnostics::source::Source;

/// A syntax error with its fix.
#[derive(Debug)]
pub(super) struct SyntaxHint {
    /// Position: within its line during the search, within the document once it is returned.
    pub(super) span: Span,
    pub(super) message: String,
    /// Advice on what to write instead.
    pub(super) help: String,
}

impl SyntaxHint {
    fn new(span: Span, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            help: help.into(),
        }
    }
}

/// Parser's message about a line.
struct ParserMessage<'l> {
    message: &'l str,
    line: &'l str,
    span: Span,
}

impl ParserMessage<'_> {
    fn is(&self, starts: &[&str]) -> bool {
        starts.iter().any(|start| self.message.starts_with(start))
    }

    /// Returns the text at the error's place.
    fn raw(&self) -> &str {
        self.line.get(self.span.clone()).unwrap_or_default().trim()
    }

    /// Returns the rest of the line from the error on.
    fn rest(&self) -> &str {
        self.line.get(self.span.start..).unwrap_or_default()
    }

    /// Returns the part of the line before the error.
    fn before(&self) -> &str {
        self.line.get(..self.span.start).unwrap_or_default()
    }
}

/// Returns the mistake on the line of an error, as far as it can be recognized.
pub(super) fn slip(source: &Source, message: &str, span: &Span) -> SyntaxHint {
    let line = source.line_span(source.line(span.start));
    let inside = |at: usize| at.clamp(line.start, line.end) - line.start;
    let said = ParserMessage {
        message,
        line: &source.text()[line.clone()],
        span: inside(span.start)..inside(span.end.max(span.start)),
    };
    let looks = [
        lone_return,
        escape,
        marker,
        unexpected,
        never_closed,
        unseen_in_text,
        comment,
        value,
        key,
        header,
    ];
    let found = looks.iter().find_map(|look| look(&said));
    let found = found.unwrap_or_else(|| {
        let words = message
            .strip_suffix(", expected nothing")
            .unwrap_or(message);
        SyntaxHint::new(said.span.clone(), words, way_out(&said))
    });
    SyntaxHint {
        span: line.start + found.span.start..line.start + found.span.end,
        ..found
    }
}

fn way_out(said: &ParserMessage<'_>) -> &'static str {
    match said.message {
        message if message.contains("expected `=`") => "write `key = value`",
        message if message.contains("newline") && said.before().trim_start().starts_with('[') => {
            "behind a header stands nothing but a comment, which begins with `#`"
        }
        message
            if message.contains("newline") && said.before().trim_end().ends_with(['"', '\'']) =>
        {
            "the text ends before it; a quote inside of a text is written `\\\"`, and an apostrophe stands in `\"…\"`"
        }
        message if message.contains("newline") => {
            "one key stands on one line, and behind its value nothing but a comment, which begins with `#`"
        }
        _ => "the rules are those of TOML 1.0: https://toml.io/en/v1.0.0",
    }
}

/// Recognizes the line ends of very old systems.
fn lone_return(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let at = said
        .line
        .find('\r')
        .or_else(|| said.is(&["carriage return"]).then_some(said.line.len()))?;
    let help = "save the file with the line ends of Windows (CR LF) or of Unix (LF)";
    Some(SyntaxHint::new(
        at..at + 1,
        "a line ends with a carriage return alone, which ends no line of TOML",
        help,
    ))
}

/// Recognizes a backslash that begins none of the escapes, mostly that of a path.
fn escape(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let no_character = said.is(&["invalid value, expected unicode"]);
    if !no_character && !said.is(&["missing escaped value", "too few unicode value digits"]) {
        return None;
    }
    let at = said.before().rfind('\\')?;
    let letter = said.line[at + 1..].chars().next()?;
    let message = match letter {
        _ if no_character => "this is the number of no character".to_owned(),
        // It closes nothing, and the text goes on.
        '"' => return None,
        'u' => "`\\u` is followed by four hexadecimal digits".to_owned(),
        'U' => "`\\U` is followed by eight hexadecimal digits".to_owned(),
        _ => format!("`\\{letter}` is no escape of TOML"),
    };
    let escapes =
        r#"the escapes are `\"`, `\\`, `\b`, `\t`, `\n`, `\f`, `\r`, `\uXXXX` and `\UXXXXXXXX`"#;
    let help = format!("{BACKSLASHES}; {escapes}");
    Some(SyntaxHint::new(
        at..at + 1 + letter.len_utf8(),
        message,
        help,
    ))
}

const BACKSLASHES: &str = r"double each backslash, or put the text in single quotes: `'C:\…'`";

/// Recognizes lines that a version control system wrote into the document.
fn marker(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let found = MARKERS
        .iter()
        .find(|marker| said.line.starts_with(*marker))?;
    Some(SyntaxHint::new(0..found.len(), CONFLICT, SOLVE))
}

/// Beginnings of the lines of an unresolved merge conflict.
pub(super) const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
/// Message for such a line.
pub(super) const CONFLICT: &str = "an unresolved merge conflict";
/// Advice for such a line.
pub(super) const SOLVE: &str =
    "keep what should stand there, and remove the lines of `<<<<<<<`, `=======` and `>>>>>>>`";

/// Recognizes quotes that a word processor wrote, and blanks that TOML does not accept as such.
fn unexpected(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let (at, c) = match scan(said.line) {
        (Some((at, c)), _) if (said.span.start..=said.span.end).contains(&at) => (at, c),
        // An ordinary quote opened the text, and another one was meant to close it.
        (_, Some(open)) if said.is(&TEXTS) => {
            let (at, c) = said.line[open..]
                .char_indices()
                .rfind(|(_, c)| is_curly(*c))?;
            let behind = said.line[open + at + c.len_utf8()..].trim_start();
            if !behind.is_empty() && !behind.starts_with(['#', ',', ']', '}']) {
                return None;
            }
            (open + at, c)
        }
        _ => return None,
    };
    let span = at..at + c.len_utf8();
    if c == '`' {
        return Some(SyntaxHint::new(
            span,
            "a backtick is no quote of TOML",
            "write `\"`",
        ));
    }
    if is_curly(c) {
        return Some(SyntaxHint::new(
            span,
            format!("`{c}` is no quote of TOML"),
            "write `\"`",
        ));
    }
    let escaped = c.escape_unicode();
    let blank = c.is_whitespace() && !c.is_control();
    let help = if blank {
        "replace it by an ordinary space"
    } else {
        "remove it"
    };
    let message = match c {
        '\u{a0}' => format!("`{escaped}`, a non-breaking space, is no space of TOML"),
        '\u{2028}' | '\u{2029}' => format!("`{escaped}` is no line end of TOML"),
        _ if blank => format!("`{escaped}`, a space of another kind, is no space of TOML"),
        _ => format!("`{escaped}`, a character that cannot be seen, stands between the words"),
    };
    Some(SyntaxHint::new(span, message, help))
}

/// Beginnings of the parser's messages about a wrong text of one line.
const TEXTS: [&str; 2] = ["invalid basic string", "invalid literal string"];

fn is_curly(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '«' | '»' | '´' | '`')
}

/// Returns the first character outside of texts and comments that only looks like one of TOML, and
/// the quote of a text that its line does not close.
fn scan(line: &str) -> (Option<(usize, char)>, Option<usize>) {
    let mut at = 0;
    let mut found = None;
    while let Some(c) = line[at..].chars().next() {
        match c {
            '#' => break,
            '"' | '\'' => match string_end(line.as_bytes(), at) {
                Ok(end) => at = end,
                Err(_) if line[at..].starts_with("\"\"\"") || line[at..].starts_with("'''") => {
                    break;
                }
                Err(_) => return (found, Some(at)),
            },
            _ => {
                let strange = is_curly(c) || (c != '\t' && is_hidden(c));
                found = found.or(strange.then_some((at, c)));
                at += c.len_utf8();
            }
        }
    }
    (found, None)
}

fn never_closed(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let open = scan(said.line)
        .1
        .filter(|_| said.is(&TEXTS) || said.is(&["missing escaped value"]))?;
    let text = &said.line[open..];
    let quote = &text[..1];
    let help = match text.ends_with("\\\"") {
        true => format!("`\\\"` closes nothing; {BACKSLASHES}"),
        false => format!(
            "close it with `{quote}` on the same line; one of several lines stands between `{0}` and `{0}`",
            quote.repeat(3)
        ),
    };
    Some(SyntaxHint::new(
        open..open + 1,
        "this text is never closed",
        help,
    ))
}

fn unseen_in_text(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    if !said.is(&["invalid comment", "invalid multi-line"]) && !said.is(&TEXTS) {
        return None;
    }
    let c = said.rest().chars().next().filter(|c| c.is_control())?;
    let escaped = c.escape_unicode();
    let span = said.span.start..said.span.start + c.len_utf8();
    let place = if said.is(&["invalid comment"]) {
        "comment"
    } else {
        "text"
    };
    Some(SyntaxHint::new(
        span,
        format!("`{escaped}` cannot stand in a {place}"),
        "remove it",
    ))
}

/// Recognizes comments as other languages have them.
fn comment(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let help = "a comment begins with `#`";
    let begins = |rest: &str| {
        ["//", "/*", ";", "--"]
            .into_iter()
            .find(|start| rest.starts_with(*start))
    };
    let (indented, whole) = (
        said.line.len() - said.line.trim_start().len(),
        said.line.trim_start(),
    );
    if let Some(start) = begins(whole).filter(|_| said.is(&["key with no value"])) {
        return Some(SyntaxHint::new(
            indented..indented + start.len(),
            format!("`{start}` means nothing here"),
            help,
        ));
    }
    if let Some(start) = begins(said.rest()) {
        let span = said.span.start..said.span.start + start.len();
        return Some(SyntaxHint::new(
            span,
            format!("`{start}` means nothing here"),
            help,
        ));
    }
    let raw = said.raw();
    let at = raw
        .find(" //")
        .map(|at| at + 1)
        .or_else(|| raw.find("; "))
        .or_else(|| raw.strip_suffix(';').map(str::len))?;
    let start = begins(&raw[at..])?;
    let at = said.span.start + at;
    Some(SyntaxHint::new(
        at..at + start.len(),
        format!("`{start}` means nothing here"),
        format!("remove it; {help}"),
    ))
}

/// Recognizes a text in the place of a value that is not one.
fn value(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let with = |message: &str, help: &str| Some(SyntaxHint::new(said.span.clone(), message, help));
    let raw = said.raw();
    let quote = || {
        let quoted = if raw.contains('\\') {
            "put it in single quotes: `'…'`"
        } else {
            "put it in quotes: `\"…\"`"
        };
        with("a text needs quotes", quoted)
    };
    let meant = match raw.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    };
    if said.is(&[
        "string values must be quoted",
        "invalid boolean",
        "missing opening quote",
    ]) {
        if let Some(meant) = meant {
            let help = format!("write `{meant}`, or put it in quotes if it is a text");
            return with(&format!("`{raw}` is no value of TOML"), &help);
        }
        if raw.is_empty() {
            let key = said
                .before()
                .trim_end()
                .strip_suffix('=')
                .unwrap_or_default();
            let key = key.rsplit(['{', ',']).next().unwrap_or_default().trim();
            let message = if key.is_empty() {
                "a value is missing here".to_owned()
            } else {
                format!("`{}` has no value", brief(key))
            };
            return with(&message, "write one behind the `=`, or remove the key");
        }
        if raw.split_whitespace().count() > 1
            && raw
                .bytes()
                .all(|b| b.is_ascii_digit() || b == b' ' || b == b'_')
        {
            return with(NO_COMMA, COMMA);
        }
        return quote();
    }
    if said.is(&["missing comma", "extra assignment"]) {
        return with(NO_COMMA, COMMA);
    }
    if said.is(&["extra comma"]) {
        return with("a comma with nothing before it", "remove it");
    }
    if said.is(&["invalid date", "invalid time"]) {
        let help = "write a day like `2008-04-29` and a time like `2008-03-31T18:32:00Z`; a text needs quotes";
        return with(said.message, help);
    }
    if said.is(&["unexpected leading zero"]) {
        return with(
            "a number begins with no zero",
            "write it without the zero, or in quotes if it is a text",
        );
    }
    let number = [
        "invalid float",
        "invalid mantissa",
        "invalid exponent",
        "redundant numeric sign",
        "`_` may only",
    ];
    if said.is(&number)
        || said.is(&[
            "invalid integer",
            "unexpected sign",
            "radix",
            "integers with",
            "invalid decimal",
        ])
    {
        let around =
            |c: char| c.is_whitespace() || matches!(c, '=' | ',' | '[' | ']' | '{' | '}' | '#');
        let from = said.before().rfind(around).map_or(0, |at| at + 1);
        let until = said.span.start + said.rest().find(around).unwrap_or(said.rest().len());
        let message = format!("`{}` is no number", brief(said.line.get(from..until)?));
        let help = "put it in quotes if it is a text, or write the number in plain digits";
        return Some(SyntaxHint::new(from..until, message, help));
    }
    None
}

const NO_COMMA: &str = "a comma is missing between two values";
const COMMA: &str = "write `,` between them";

fn key(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    if said.is(&["unquoted keys cannot be empty"]) {
        let help = if said.before().trim_start().starts_with('[') {
            "write `[name]`"
        } else {
            "write `key = value`"
        };
        return Some(SyntaxHint::new(
            said.span.clone(),
            "a name is missing here",
            help,
        ));
    }
    if said.is(&["key with no value"]) && said.before().trim_end().ends_with(':') {
        let at = said.before().trim_end().len() - 1;
        return Some(SyntaxHint::new(
            at..at + 1,
            "`:` stands where `=` belongs",
            "write `key = value`",
        ));
    }
    if !said.is(&["invalid unquoted key"]) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let (at, wrong) = said.rest().char_indices().find(|(_, c)| !plain(*c))?;
    let at = said.span.start + at;
    if wrong == ':' {
        return Some(SyntaxHint::new(
            at..at + 1,
            "`:` stands where `=` belongs",
            "write `key = value`",
        ));
    }
    let help =
        "a name has letters from A to Z, digits, `-` and `_`; put any other in quotes: `\"…\"`";
    Some(SyntaxHint::new(
        at..at + wrong.len_utf8(),
        format!("`{wrong}` cannot stand in a name without quotes"),
        help,
    ))
}

fn header(said: &ParserMessage<'_>) -> Option<SyntaxHint> {
    let bracket = match said.message {
        message if message.starts_with("unclosed array table") => "]]",
        message if message.starts_with("unclosed table") => "]",
        _ => return None,
    };
    Some(SyntaxHint::new(
        said.span.clone(),
        "this header is never closed",
        format!("close it with `{bracket}`"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_once_more_without_falling() {
        for text in [
            "",
            "\\",
            "\"",
            "'\u{201d}",
            "“",
            "x = \"\\",
            "\u{a0}",
            ";",
            "= ",
            "[\"é",
        ] {
            for at in 0..=text.len() {
                for message in [
                    "invalid basic string",
                    "missing escaped value",
                    "invalid unquoted key",
                    "unexpected",
                ] {
                    slip(&Source::new("x", text), message, &(at..at + 1));
                }
            }
        }
    }
}
