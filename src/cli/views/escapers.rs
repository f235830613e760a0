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

#[cfg(test)]
mod tests {
    use super::*;

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
