//! Showing names that somebody else chose.

use std::fmt;

/// A text from a vendor or an operator, safe for a terminal: control characters and the marks
/// that turn the direction of writing are shown as escapes.
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            let hidden = c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
            match hidden {
                true => write!(f, "{}", c.escape_unicode())?,
                false => fmt::Write::write_char(f, c)?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_escape_sequence_does_not_reach_the_terminal() {
        assert_eq!(Shown("a\u{1b}[31mb\u{202e}c").to_string(), "a\\u{1b}[31mb\\u{202e}c");
        assert_eq!(Shown("Grüße 漢字").to_string(), "Grüße 漢字");
    }
}
