//! Escapes texts in the HTML templates; `askama.toml` names the escaper.

use std::fmt;

use askama::filters::{Escaper, Html};

use crate::names::Escaped;

/// Escaper that makes control characters visible, and takes its meaning from markup.
#[derive(Clone, Copy)]
pub(crate) struct HtmlEscaper;

impl Escaper for HtmlEscaper {
    fn write_escaped_str<W: fmt::Write>(&self, page: W, text: &str) -> fmt::Result {
        Html.write_escaped_str(page, &Escaped(text).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        let mut page = String::new();
        HtmlEscaper
            .write_escaped_str(&mut page, "<b>\u{1b}[31m\u{202e}")
            .expect("written");
        assert_eq!(page, "&#60;b&#62;\\u{1b}[31m\\u{202e}");
    }
}
