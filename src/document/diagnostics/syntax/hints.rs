//! Recognition of common mistakes at the position of a syntax error, so that the message is in the
//! author's terms and not in the parser's.
//!
//! The parser reports the token that it expected at one offset, which seldom shows the fix: behind
//! a curly quote it expects quotes, although the author sees quotes there. So the line is examined
//! again.

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

/// Error of the parser, with its line.
struct ParserError<'l> {
    message: &'l str,
    line: &'l str,
    span: Span,
}

impl ParserError<'_> {
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

/// Returns the mistake on the line of an error, or the parser's message if no mistake is
/// recognized.
pub(super) fn syntax_hint(source: &Source, message: &str, span: &Span) -> SyntaxHint {
    let line = source.line_span(source.line(span.start));
    let inside = |at: usize| at.clamp(line.start, line.end) - line.start;
    let error = ParserError {
        message,
        line: &source.text()[line.clone()],
        span: inside(span.start)..inside(span.end.max(span.start)),
    };
    let recognizers = [
        lone_return,
        escape,
        marker,
        unexpected,
        never_closed,
        control_character,
        comment,
        value,
        key,
        header,
    ];
    let found = recognizers.iter().find_map(|recognizer| recognizer(&error));
    let found = found.unwrap_or_else(|| {
        let words = message
            .strip_suffix(", expected nothing")
            .unwrap_or(message);
        SyntaxHint::new(error.span.clone(), words, fallback_help(&error))
    });
    SyntaxHint {
        span: line.start + found.span.start..line.start + found.span.end,
        ..found
    }
}

fn fallback_help(error: &ParserError<'_>) -> &'static str {
    match error.message {
        message if message.contains("expected `=`") => "write `key = value`",
        message if message.contains("newline") && error.before().trim_start().starts_with('[') => {
            "only a comment, which begins with `#`, may follow a header"
        }
        message
            if message.contains("newline") && error.before().trim_end().ends_with(['"', '\'']) =>
        {
            "the text ends before it; write a quote inside a text as `\\\"`, and put a text with an apostrophe in `\"…\"`"
        }
        message if message.contains("newline") => {
            "write one key a line; only a comment, which begins with `#`, may follow its value"
        }
        _ => "see the rules of TOML 1.0: https://toml.io/en/v1.0.0",
    }
}

/// Recognizes the line ends of very old systems.
fn lone_return(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let at = error
        .line
        .find('\r')
        .or_else(|| error.is(&["carriage return"]).then_some(error.line.len()))?;
    let help = "save the file with the line ends of Windows (CR LF) or of Unix (LF)";
    Some(SyntaxHint::new(
        at..at + 1,
        "a line ends with a carriage return alone, which is not a line end in TOML",
        help,
    ))
}

/// Recognizes a backslash that begins no valid escape, usually in a path.
fn escape(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let no_character = error.is(&["invalid value, expected unicode"]);
    if !no_character && !error.is(&["missing escaped value", "too few unicode value digits"]) {
        return None;
    }
    let at = error.before().rfind('\\')?;
    let letter = error.line[at + 1..].chars().next()?;
    let message = match letter {
        _ if no_character => "there is no character with this number".to_owned(),
        // An escaped quote does not close the text.
        '"' => return None,
        'u' => "`\\u` needs four hexadecimal digits".to_owned(),
        'U' => "`\\U` needs eight hexadecimal digits".to_owned(),
        _ => format!("`\\{letter}` is not an escape in TOML"),
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
fn marker(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let found = MARKERS
        .iter()
        .find(|marker| error.line.starts_with(*marker))?;
    Some(SyntaxHint::new(0..found.len(), CONFLICT, SOLVE))
}

/// Beginnings of the lines of an unresolved merge conflict.
pub(super) const MARKERS: [&str; 4] = ["<<<<<<<", "|||||||", "=======", ">>>>>>>"];
/// Message for such a line.
pub(super) const CONFLICT: &str = "an unresolved merge conflict";
/// Advice for such a line.
pub(super) const SOLVE: &str =
    "keep one of the two versions, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`";

/// Recognizes typographic quotes, and blanks that TOML does not accept.
fn unexpected(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let (at, c) = match scan(error.line) {
        (Some((at, c)), _) if (error.span.start..=error.span.end).contains(&at) => (at, c),
        // An ordinary quote opened the text, and another one was meant to close it.
        (_, Some(open)) if error.is(&TEXTS) => {
            let (at, c) = error.line[open..]
                .char_indices()
                .rfind(|(_, c)| is_curly(*c))?;
            let behind = error.line[open + at + c.len_utf8()..].trim_start();
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
            "a backtick is not a quote in TOML",
            "write `\"`",
        ));
    }
    if is_curly(c) {
        return Some(SyntaxHint::new(
            span,
            format!("`{c}` is not a quote in TOML"),
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
        '\u{a0}' => format!("`{escaped}`, a non-breaking space, is not a space in TOML"),
        '\u{2028}' | '\u{2029}' => format!("`{escaped}` is not a line end in TOML"),
        _ if blank => format!("`{escaped}`, a special space, is not a space in TOML"),
        _ => format!("`{escaped}` is an invisible character"),
    };
    Some(SyntaxHint::new(span, message, help))
}

/// Beginnings of the parser's messages about an invalid text of one line.
const TEXTS: [&str; 2] = ["invalid basic string", "invalid literal string"];

fn is_curly(c: char) -> bool {
    matches!(c, '\u{2018}'..='\u{201f}' | '«' | '»' | '´' | '`')
}

/// Returns the first character outside texts and comments that only looks like a quote or a space,
/// and the quote of a text that its line does not close.
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

fn never_closed(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let open = scan(error.line)
        .1
        .filter(|_| error.is(&TEXTS) || error.is(&["missing escaped value"]))?;
    let text = &error.line[open..];
    let quote = &text[..1];
    let help = match text.ends_with("\\\"") {
        true => format!("`\\\"` closes nothing; {BACKSLASHES}"),
        false => format!(
            "close it with `{quote}` on the same line, or put a text of several lines between `{0}` and `{0}`",
            quote.repeat(3)
        ),
    };
    Some(SyntaxHint::new(
        open..open + 1,
        "this text is never closed",
        help,
    ))
}

fn control_character(error: &ParserError<'_>) -> Option<SyntaxHint> {
    if !error.is(&["invalid comment", "invalid multi-line"]) && !error.is(&TEXTS) {
        return None;
    }
    let c = error.rest().chars().next().filter(|c| c.is_control())?;
    let escaped = c.escape_unicode();
    let span = error.span.start..error.span.start + c.len_utf8();
    let place = if error.is(&["invalid comment"]) {
        "comment"
    } else {
        "text"
    };
    Some(SyntaxHint::new(
        span,
        format!("`{escaped}` is not allowed in a {place}"),
        "remove it",
    ))
}

/// Recognizes comments in the syntax of other languages.
fn comment(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let help = "a comment begins with `#`";
    let begins = |rest: &str| {
        ["//", "/*", ";", "--"]
            .into_iter()
            .find(|start| rest.starts_with(*start))
    };
    let (indented, whole) = (
        error.line.len() - error.line.trim_start().len(),
        error.line.trim_start(),
    );
    if let Some(start) = begins(whole).filter(|_| error.is(&["key with no value"])) {
        return Some(SyntaxHint::new(
            indented..indented + start.len(),
            format!("`{start}` is not allowed here"),
            help,
        ));
    }
    if let Some(start) = begins(error.rest()) {
        let span = error.span.start..error.span.start + start.len();
        return Some(SyntaxHint::new(
            span,
            format!("`{start}` is not allowed here"),
            help,
        ));
    }
    let raw = error.raw();
    let at = raw
        .find(" //")
        .map(|at| at + 1)
        .or_else(|| raw.find("; "))
        .or_else(|| raw.strip_suffix(';').map(str::len))?;
    let start = begins(&raw[at..])?;
    let at = error.span.start + at;
    Some(SyntaxHint::new(
        at..at + start.len(),
        format!("`{start}` is not allowed here"),
        format!("remove it; {help}"),
    ))
}

/// Recognizes invalid values.
fn value(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let with = |message: &str, help: &str| Some(SyntaxHint::new(error.span.clone(), message, help));
    let raw = error.raw();
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
    if error.is(&[
        "string values must be quoted",
        "invalid boolean",
        "missing opening quote",
    ]) {
        if let Some(meant) = meant {
            let help = format!("write `{meant}`, or put it in quotes if it is a text");
            return with(&format!("`{raw}` is not a value in TOML"), &help);
        }
        if raw.is_empty() {
            let key = error
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
            return with(&message, "write a value after the `=`, or remove the key");
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
    if error.is(&["missing comma", "extra assignment"]) {
        return with(NO_COMMA, COMMA);
    }
    if error.is(&["extra comma"]) {
        return with("a comma without a value before it", "remove it");
    }
    if error.is(&["invalid date", "invalid time"]) {
        let help = "write a day like `2008-04-29` and a time like `2008-03-31T18:32:00Z`; a text needs quotes";
        return with(error.message, help);
    }
    if error.is(&["unexpected leading zero"]) {
        return with(
            "a number must not begin with a zero",
            "remove the zero, or put it in quotes if it is a text",
        );
    }
    let number = [
        "invalid float",
        "invalid mantissa",
        "invalid exponent",
        "redundant numeric sign",
        "`_` may only",
    ];
    if error.is(&number)
        || error.is(&[
            "invalid integer",
            "unexpected sign",
            "radix",
            "integers with",
            "invalid decimal",
        ])
    {
        let around =
            |c: char| c.is_whitespace() || matches!(c, '=' | ',' | '[' | ']' | '{' | '}' | '#');
        let from = error.before().rfind(around).map_or(0, |at| at + 1);
        let until = error.span.start + error.rest().find(around).unwrap_or(error.rest().len());
        let message = format!("`{}` is not a number", brief(error.line.get(from..until)?));
        let help = "put it in quotes if it is a text, or write the number in plain digits";
        return Some(SyntaxHint::new(from..until, message, help));
    }
    None
}

const NO_COMMA: &str = "a comma is missing between two values";
const COMMA: &str = "write `,` between them";
const COLON: &str = "`:` is not allowed here; TOML uses `=`";

fn key(error: &ParserError<'_>) -> Option<SyntaxHint> {
    if error.is(&["unquoted keys cannot be empty"]) {
        let help = if error.before().trim_start().starts_with('[') {
            "write `[name]`"
        } else {
            "write `key = value`"
        };
        return Some(SyntaxHint::new(
            error.span.clone(),
            "a name is missing here",
            help,
        ));
    }
    if error.is(&["key with no value"]) && error.before().trim_end().ends_with(':') {
        let at = error.before().trim_end().len() - 1;
        return Some(SyntaxHint::new(at..at + 1, COLON, "write `key = value`"));
    }
    if !error.is(&["invalid unquoted key"]) {
        return None;
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    let (at, wrong) = error.rest().char_indices().find(|(_, c)| !plain(*c))?;
    let at = error.span.start + at;
    if wrong == ':' {
        return Some(SyntaxHint::new(at..at + 1, COLON, "write `key = value`"));
    }
    let help = "a name has letters from A to Z, digits, `-` and `_`; put any other name in quotes: `\"…\"`";
    Some(SyntaxHint::new(
        at..at + wrong.len_utf8(),
        format!("`{wrong}` is not allowed in a name without quotes"),
        help,
    ))
}

fn header(error: &ParserError<'_>) -> Option<SyntaxHint> {
    let bracket = match error.message {
        message if message.starts_with("unclosed array table") => "]]",
        message if message.starts_with("unclosed table") => "]",
        _ => return None,
    };
    Some(SyntaxHint::new(
        error.span.clone(),
        "this header is never closed",
        format!("close it with `{bracket}`"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examining_any_line_does_not_panic() {
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
                    syntax_hint(&Source::new("x", text), message, &(at..at + 1));
                }
            }
        }
    }
}
