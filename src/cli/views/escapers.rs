//! Escapers of the values in templates, which `askama.toml` chooses by the template's extension.

use std::fmt;

use askama::filters::{Escaper, Html};

use super::markdown;
use crate::names::Escaped;

/// Escaper of HTML pages, which keeps line breaks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct HtmlEscaper;

impl Escaper for HtmlEscaper {
    fn write_escaped_str<W: fmt::Write>(&self, mut page: W, text: &str) -> fmt::Result {
        for line in text.split_inclusive('\n') {
            let (line, end) = match line.strip_suffix('\n') {
                Some(line) => (line, "\n"),
                None => (line, ""),
            };
            Html.write_escaped_str(&mut page, &Escaped(line).to_string())?;
            page.write_str(end)?;
        }
        Ok(())
    }
}

/// Escaper of Markdown pages, which joins lines.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MarkdownEscaper;

impl Escaper for MarkdownEscaper {
    fn write_escaped_str<W: fmt::Write>(&self, mut page: W, text: &str) -> fmt::Result {
        page.write_str(&markdown::escape(text))
    }
}

/// Returns a text as HTML, with the parts between backticks as code.
pub(crate) fn with_code(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let mut html = String::with_capacity(text.len());
    for (at, part) in parts.iter().enumerate() {
        // A backtick that has no other is text.
        let is_code = at % 2 == 1 && at + 1 < parts.len();
        let (begin, end) = match (is_code, at % 2) {
            (true, _) => ("<code>", "</code>"),
            (false, 1) => ("`", ""),
            (false, _) => ("", ""),
        };
        html.push_str(begin);
        HtmlEscaper
            .write_escaped_str(&mut html, part)
            .expect("a text can always be written");
        html.push_str(end);
    }
    html
}

/// Begins a text with a capital letter.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .chain(letters)
        .collect()
}

/// Formats a text as a string of a style sheet, in quotes: no text can end the string or the sheet.
pub(crate) fn css_string(text: &str) -> String {
    let mut string = "\"".to_owned();
    for c in Escaped(text).to_string().chars() {
        match c {
            c if c.is_alphanumeric() || c == ' ' => string.push(c),
            c => string.push_str(&format!("\\{:x} ", u32::from(c))),
        }
    }
    string + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_ends_neither_its_string_nor_the_style_sheet() {
        assert_eq!(
            css_string("a\"}</style>"),
            "\"a\\22 \\7d \\3c \\2f style\\3e \""
        );
    }

    #[test]
    fn the_parts_between_backticks_are_code() {
        assert_eq!(
            with_code("`a <b>` and `c"),
            "<code>a &#60;b&#62;</code> and `c"
        );
        assert_eq!(with_code("no code"), "no code");
    }

    #[test]
    fn a_sentence_begins_with_a_capital_letter() {
        assert_eq!(sentence("the Engine"), "The Engine");
        assert_eq!(sentence(""), "");
    }

    #[test]
    fn control_characters_and_markup_are_escaped_and_line_breaks_are_kept() {
        let mut page = String::new();
        let written = HtmlEscaper.write_escaped_str(&mut page, "<b>\u{1b}\n&\n");
        assert_eq!(
            (page.as_str(), written),
            ("&#60;b&#62;\\u{1b}\n&#38;\n", Ok(()))
        );
    }
}
