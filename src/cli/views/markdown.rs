//! Builds Markdown piece by piece, for the tickets in which changes are approved and closed.

use crate::names::Escaped;

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

    /// Adds a text line by line as its author wrote it, in a fence that it cannot close.
    pub(crate) fn verbatim(&mut self, text: &str) {
        let longest = text
            .split(|c| c != '`')
            .map(str::len)
            .max()
            .unwrap_or_default();
        let fence = "`".repeat(longest.max(2) + 1);
        let lines: Vec<String> = text
            .trim_end()
            .lines()
            .map(|line| Escaped(line).to_string())
            .collect();
        self.line(&format!("{fence}text\n{}\n{fence}", lines.join("\n")));
    }

    /// Adds a table; its cells are Markdown already.
    pub(crate) fn table(&mut self, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut row = |cells: &[String]| {
            self.text.push_str(&format!("| {} |\n", cells.join(" | ")));
        };
        row(&head
            .iter()
            .map(|cell| (*cell).to_owned())
            .collect::<Vec<_>>());
        row(&head.iter().map(|_| "---".to_owned()).collect::<Vec<_>>());
        rows.into_iter().for_each(|cells| row(&cells));
        self.text.push('\n');
    }

    /// Adds a list; its lines are Markdown already.
    pub(crate) fn list(&mut self, lines: impl IntoIterator<Item = String>) {
        lines
            .into_iter()
            .for_each(|line| self.text.push_str(&format!("- {line}\n")));
        self.text.push('\n');
    }

    /// Adds a list under a title, if there is something to list.
    pub(crate) fn section(&mut self, title: &str, lines: impl IntoIterator<Item = String>) {
        let lines: Vec<String> = lines.into_iter().collect();
        if !lines.is_empty() {
            self.line(&format!("## {title}"));
            self.list(lines);
        }
    }

    /// Returns the whole text.
    pub(crate) fn into_text(self) -> String {
        format!("{}\n", self.text.trim_end())
    }
}

/// Joins a text to one line and escapes everything that is markup in Markdown.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .chars()
    {
        // A sign that begins a list is markup only at the beginning.
        let begins_list = escaped.is_empty() && matches!(c, '-' | '+' | '>' | '~' | '=');
        if begins_list
            || matches!(
                c,
                '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '|' | '#' | '&'
            )
        {
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
    fn markup_in_a_text_is_escaped() {
        assert_eq!(escape("a|b\n`c` <d>"), "a\\|b \\`c\\` \\<d>");
        assert_eq!(escape("Exchange 2007 Provider"), "Exchange 2007 Provider");
    }
}
