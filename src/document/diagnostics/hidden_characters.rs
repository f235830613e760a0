//! Characters of a name that are invisible or look like a space.

use crate::names::is_hidden;

/// Returns a name in which every character is escaped that is invisible or looks like a space;
/// `None` for a name without such characters.
pub(in crate::document) fn escaped_if_hidden(name: &str) -> Option<String> {
    // Spaces at the ends are invisible, too.
    let start = name.len() - name.trim_start_matches(' ').len();
    let end = name.trim_end_matches(' ').len();
    let mut escaped = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        if is_hidden(c) || at < start || at >= end {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    (escaped != name).then_some(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_of_a_name_are_escaped() {
        assert_eq!(escaped_if_hidden("Exchange 2007 Provider"), None);
        assert_eq!(escaped_if_hidden("Überblick (漢字)"), None);
        assert_eq!(
            escaped_if_hidden("Exchange\u{a0}2007").as_deref(),
            Some("Exchange\\u{a0}2007")
        );
        assert_eq!(
            escaped_if_hidden(" a b  ").as_deref(),
            Some("\\u{20}a b\\u{20}\\u{20}")
        );
        assert_eq!(
            escaped_if_hidden("a\u{200b}").as_deref(),
            Some("a\\u{200b}")
        );
        assert_eq!(escaped_if_hidden("  ").as_deref(), Some("\\u{20}\\u{20}"));
    }
}
