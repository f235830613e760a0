//! Display of texts from outside, such as names.

use std::fmt;
use std::path::Path;

use unicode_width::UnicodeWidthStr;

/// Text from a vendor or an operator, made safe for a terminal: control characters, marks that
/// change the direction of writing, invisible characters and whitespace other than a space are
/// written as escapes.
pub struct Escaped<'a>(pub &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if is_hidden(c) {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

/// Mark before the sequence of a style in a text for the terminal. What writes the text removes it, and
/// escapes every sequence without it: that one is from a name.
pub const STYLE_MARK: char = '\u{10fffe}';

/// Returns whether a character is invisible, changes the direction of writing, or cannot be
/// distinguished from a space.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || (c != ' ' && c.is_whitespace())
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Returns a path as text in which bytes that are not UTF-8 are escapes such as `\xFF`, so that two
/// different names stay different.
pub fn escaped_path(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_encoded_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        chunk
            .invalid()
            .iter()
            .for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    text
}

/// Formats a number with a separator between the thousands: `,` for people, `_` in TOML.
pub fn grouped(number: u64, between: char) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(between);
        }
        text.push(digit);
    }
    text
}

/// Returns the number of columns that a text takes on a terminal: two for each wide character, such as
/// that of a Chinese name.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Appends spaces to a text up to a number of columns.
pub fn padded(text: &str, width: usize) -> String {
    let spaces = width.saturating_sub(columns(text));
    format!("{text}{:spaces$}", "")
}

/// Breaks a text into lines of at most `width` columns, each after the first with `indent` before
/// it.
pub fn wrapped(text: &str, width: usize, indent: &str) -> String {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().expect("there is always a line");
        let used = columns(last) + usize::from(!last.is_empty());
        if !last.is_empty() && used + columns(word) + indent.len() > width {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines.join(&format!("\n{indent}"))
}

/// Returns an error and its causes, in one line.
pub fn error_chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_the_terminal() {
        assert_eq!(
            Escaped("a\u{1b}[31mb\u{202e}c").to_string(),
            "a\\u{1b}[31mb\\u{202e}c"
        );
        assert_eq!(Escaped("Grüße 漢字").to_string(), "Grüße 漢字");
    }

    #[cfg(unix)]
    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        use std::os::unix::ffi::OsStrExt;
        let path = |bytes| Path::new(std::ffi::OsStr::from_bytes(bytes));
        assert_eq!(escaped_path(path(b"m/\xff\xc3.toml")), "m/\\xFF\\xC3.toml");
        assert_eq!(escaped_path(path("m/ü.toml".as_bytes())), "m/ü.toml");
    }

    #[test]
    fn long_texts_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 8, "  "), "one\n  two\n  three");
        assert_eq!(wrapped("short", 80, ""), "short");
    }

    #[test]
    fn a_wide_character_counts_as_two_columns() {
        assert_eq!((columns("漢字"), columns("👍"), columns("ü")), (4, 2, 1));
        assert_eq!(padded("漢字", 6), "漢字  ");
        assert_eq!(wrapped("漢字 漢字", 8, ""), "漢字\n漢字");
    }
}
