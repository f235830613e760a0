//! Page of text that a plan and a report fill line by line.

use std::fmt::Display;

use anstyle::Style;

use crate::cli::terminal::out::{self, BOLD, styled, wrapped};
use crate::names::Escaped;

/// Page of text, no wider than the screen as far as words allow it.
pub(super) struct TextPage {
    pub(super) width: usize,
    lines: Vec<String>,
}

impl TextPage {
    pub(super) fn new() -> Self {
        Self {
            width: out::width(),
            lines: Vec::new(),
        }
    }

    /// Adds lines that keep their layout.
    pub(super) fn add(&mut self, lines: impl Display) {
        self.lines.push(lines.to_string());
    }

    /// Adds an empty line, unless there is one already.
    pub(super) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }

    /// Adds a text in a style; its further lines are indented.
    pub(super) fn styled(&mut self, style: Style, text: &str, indent: usize) {
        let text = self.wrapped(text, indent);
        self.add(styled(style, text));
    }

    pub(super) fn heading(&mut self, text: &str, indent: usize) {
        self.styled(BOLD, text, indent);
    }

    /// Adds a text that is escaped, behind one that is not; its further lines are indented.
    pub(super) fn wrap(&mut self, before: &str, text: &str, indent: usize) {
        let text = self.wrapped(text, indent);
        self.add(format_args!("{before}{text}"));
    }

    /// Adds a text after a label in a style.
    pub(super) fn labelled(&mut self, style: Style, label: &str, text: &str) {
        let line = self.wrapped(&format!("{label}: {text}"), 2);
        self.add(line.replacen(label, &styled(style, label), 1));
    }

    /// Escapes a text and breaks it into lines, each after the first with an indent before it.
    pub(super) fn wrapped(&self, text: &str, indent: usize) -> String {
        wrapped(&Escaped(text).to_string(), self.width, &" ".repeat(indent))
    }

    pub(super) fn text(self) -> String {
        self.lines.join("\n")
    }
}
