//! Markdown, for the tickets in which changes are approved and closed.

use std::borrow::Borrow;
use std::fmt;

use askama::filters::Escaper;

use crate::names::Escaped;

/// Escaper of the Markdown templates; `askama.toml` names it.
#[derive(Clone, Copy)]
pub(crate) struct MarkdownEscaper;

impl Escaper for MarkdownEscaper {
    fn write_escaped_str<W: fmt::Write>(&self, mut page: W, text: &str) -> fmt::Result {
        page.write_str(&escape(text))
    }
}

/// Page of Markdown.
#[derive(Default)]
pub(crate) struct MarkdownPage {
    text: String,
}

impl MarkdownPage {
    /// Adds a line, and an empty one after it.
    pub(crate) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push_str("\n\n");
    }

    /// Adds a table; its cells are Markdown already.
    pub(crate) fn table(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        self.row(head);
        self.row(&vec!["---"; head.len()]);
        for cells in rows {
            self.row(&cells);
        }
        self.text.push('\n');
    }

    fn row<T: Borrow<str>>(&mut self, cells: &[T]) {
        self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
    }

    /// Adds a list; its lines are Markdown already.
    pub(crate) fn list(&mut self, lines: impl IntoIterator<Item = String>) {
        lines
            .into_iter()
            .for_each(|line| self.text.push_str(&format!("- {line}\n")));
        self.text.push('\n');
    }

    /// Returns the whole text.
    pub(crate) fn into_text(self) -> String {
        format!("{}\n", self.text.trim_end())
    }
}

/// Formats a text line by line as its author wrote it, in a fence that it cannot close.
pub(crate) fn fenced(text: &str) -> String {
    let backquotes = text.split(|c| c != '`').map(str::len);
    let longest = backquotes.max().unwrap_or_default();
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
