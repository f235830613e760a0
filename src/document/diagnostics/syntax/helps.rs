//! Helps for syntax errors, by what is written at their places: the mistakes that authors of
//! manifests make, since the parser only says what it expected.

use crate::document::diagnostics::findings::Span;
use crate::document::diagnostics::source::Source;
use crate::names::is_hidden;

/// Beginnings of what is written at the place of an error, with the help.
const WRITTEN_THERE: &[(&[&str], &str)] = &[
    (
        &["<<<<<<<", "|||||||", "=======", ">>>>>>>"],
        "an unresolved merge conflict: keep one of the two versions, and remove the lines with `<<<<<<<`, `=======` and `>>>>>>>`",
    ),
    (&CURLY_QUOTES, QUOTES),
    (&["//", "/*", ";", "--"], "a comment begins with `#`"),
    (&[":"], "TOML uses `=`: write `key = value`"),
];

const CURLY_QUOTES: [&str; 11] = ["“", "”", "„", "‟", "‘", "’", "‚", "«", "»", "´", "`"];

const QUOTES: &str = "only `\"` and `'` are quotes in TOML: write `\"`";

const BACKSLASHES: &str = r"double each backslash, or put the text in single quotes: `'C:\…'`";

const UNCLOSED: &str =
    "close the text on its line, or put a text of several lines between `\"\"\"` and `\"\"\"`";

const QUOTE_IN_TEXT: &str = "the text ends before it; write a quote inside a text as `\\\"`, and put a text with an apostrophe in `\"…\"`";

const NUMBERS: &str = "write a number in plain digits, a day like `2008-04-29`, a time like `2008-03-31T18:32:00Z`, and a text in quotes";

/// Returns the help for an error at a place.
pub(super) fn help(source: &Source, place: &Span) -> Option<&'static str> {
    let line = source.line_span(source.line(place.start));
    let (before, rest) = source.text()[line.clone()].split_at_checked(place.start - line.start)?;
    let written = WRITTEN_THERE
        .iter()
        .find(|(starts, _)| starts.iter().any(|start| rest.starts_with(start)));
    if let Some((_, help)) = written {
        return Some(help);
    }
    if before.ends_with('\r') || rest.starts_with('\r') {
        return Some("save the file with the line ends of Windows (CR LF) or of Unix (LF)");
    }
    if rest.starts_with(|c| c != '\t' && is_hidden(c)) {
        return Some("an invisible character: remove it, or replace it by an ordinary space");
    }
    let value = source.text().get(place.clone()).unwrap_or_default().trim();
    if value.ends_with(';') {
        return Some("remove the `;`");
    }
    let is_escape = |(_, escape): (&str, &str)| {
        escape == "\"" || escape.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    if before.rsplit_once('\\').is_some_and(is_escape) {
        return Some(BACKSLASHES);
    }
    let is_open = |quote: char| before.matches(quote).count() % 2 == 1;
    if is_open('"') || is_open('\'') {
        return Some(unclosed_text(before));
    }
    help_outside_of_text(before.trim(), rest, value)
}

/// Returns the help for a text that its line does not close.
pub(super) fn unclosed_text(text: &str) -> &'static str {
    if CURLY_QUOTES.iter().any(|quote| text.contains(quote)) {
        QUOTES
    } else {
        UNCLOSED
    }
}

/// Returns the help for an error that is neither in a text nor at its end.
fn help_outside_of_text(before: &str, rest: &str, value: &str) -> Option<&'static str> {
    if before.starts_with('[') && before.ends_with(']') && !rest.is_empty() {
        return Some("only a comment, which begins with `#`, may follow a header");
    }
    let goes_on = rest.starts_with(char::is_alphanumeric) && !rest.contains('=');
    if before.ends_with(['"', '\'']) && goes_on {
        return Some(QUOTE_IN_TEXT);
    }
    let mut flags = ["true", "false", "yes", "no", "on", "off"].iter();
    if flags.any(|flag| value.eq_ignore_ascii_case(flag)) {
        return Some("write `true` or `false`, or put it in quotes if it is a text");
    }
    let is_bracket = |c: char| "[]{}".contains(c);
    if !before.contains('=') && !before.starts_with(is_bracket) && !rest.starts_with(is_bracket) {
        return Some("write `key = value`; put a key with other characters in quotes");
    }
    if rest.starts_with(|c: char| c.is_ascii_digit() || "+-._".contains(c)) {
        return Some(NUMBERS);
    }
    match value {
        "" if before.ends_with('=') => Some("write a value, or remove the key"),
        "" => None,
        path if path.contains('\\') => Some(r"put it in single quotes: `'C:\…'`"),
        _ if before.ends_with(['=', ',', '[']) => Some("put a text in quotes: `\"…\"`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_begins_like_a_flag_needs_quotes() {
        let for_value = |value| help_outside_of_text("on =", value, value);
        let is_flag = |value| for_value(value).is_some_and(|help| help.contains("`true`"));
        assert!(is_flag("True") && is_flag("no"));
        assert!(!is_flag("north") && for_value("north").is_some());
    }

    #[test]
    fn any_place_has_a_help_or_none() {
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
            for start in 0..=text.len() {
                for end in start..=text.len() + 1 {
                    help(&Source::new("x", text), &(start..end));
                }
            }
        }
    }
}
