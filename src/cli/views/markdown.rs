//! Markdown, for the tickets in which changes are approved and closed.

use crate::names::Escaped;

/// Formats a text line by line as its author wrote it, in a fence that it cannot close.
pub(crate) fn fenced(text: &str) -> String {
    let longest = text
        .split(|c| c != '`')
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(longest.max(2) + 1);
    let mut fenced = format!("{fence}text\n");
    for line in text.trim_end().lines() {
        fenced.push_str(&format!("{}\n", Escaped(line)));
    }
    fenced + &fence
}

/// Joins a text to one line and escapes everything that is markup in Markdown.
pub(crate) fn escape(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut escaped = String::with_capacity(text.len());
    for c in words.join(" ").chars() {
        let is_markup = "\\`*_[]<|#&".contains(c);
        // A sign that begins a list is markup only at the beginning.
        let begins_list = escaped.is_empty() && "-+>~=".contains(c);
        if is_markup || begins_list {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    Escaped(&escaped).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_cannot_close_its_fence() {
        assert_eq!(
            fenced("run\u{1b}\n```\nend\n"),
            "````text\nrun\\u{1b}\n```\nend\n````"
        );
    }

    #[test]
    fn markup_in_a_text_is_escaped() {
        assert_eq!(escape("a|b\n`c` <d>"), "a\\|b \\`c\\` \\<d>");
        assert_eq!(escape("Exchange 2007 Provider"), "Exchange 2007 Provider");
    }
}
