//! Characters of a name that cannot be seen, or look like a space.

/// Returns a name in which every character is escaped that is invisible or looks like a space;
/// `None` for a name without such characters.
pub(in crate::document) fn unseen(name: &str) -> Option<String> {
    let trimmed = name.trim_matches(' ');
    if trimmed.len() == name.len()
        && (name.is_ascii() && !name.bytes().any(|b| b < b' ' || b == 0x7f)
            || !name.contains(is_hidden))
    {
        return None;
    }
    let escaped = |c: char| {
        if is_hidden(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        }
    };
    // The number of spaces at the ends would be invisible.
    let end = |spaces: usize| "\\u{20}".repeat(spaces);
    let before = name.len() - name.trim_start_matches(' ').len();
    let behind = (name.len() - before).saturating_sub(trimmed.len());
    Some(format!(
        "{}{}{}",
        end(before),
        trimmed.chars().map(escaped).collect::<String>(),
        end(behind)
    ))
}

/// Returns whether a character is invisible, or cannot be distinguished from a space.
pub(super) fn is_hidden(c: char) -> bool {
    (c != ' ' && c.is_whitespace())
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_in_a_name_is_shown() {
        assert_eq!(unseen("Exchange 2007 Provider"), None);
        assert_eq!(unseen("Überblick (漢字)"), None);
        assert_eq!(
            unseen("Exchange\u{a0}2007").as_deref(),
            Some("Exchange\\u{a0}2007")
        );
        assert_eq!(
            unseen(" a b  ").as_deref(),
            Some("\\u{20}a b\\u{20}\\u{20}")
        );
        assert_eq!(unseen("a\u{200b}").as_deref(), Some("a\\u{200b}"));
        assert_eq!(unseen("  ").as_deref(), Some("\\u{20}\\u{20}"));
    }
}
