//! Decisions that a document leaves open: values and comments with the word `TODO`.

use std::collections::{BTreeSet, HashSet};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::Span;

const TODO: &str = "TODO";

impl Reader<'_> {
    /// Reports every line with a `TODO`: one in a key or a value is an error, and one in a comment
    /// a warning. What else was found in such a key or value says nothing, and is removed.
    pub(super) fn report_open(&mut self) {
        let text = self.source.text();
        if !text.contains(TODO) {
            return;
        }
        let mut values = Vec::new();
        open_values(self.top, &mut values);
        let open: HashSet<&Span> = values.iter().collect();
        self.findings
            .retain(|finding| !open.contains(&finding.span));
        let mut lines = BTreeSet::new();
        for span in values {
            if lines.insert(self.source.line(span.start)) {
                self.report(Code::OpenValue, &span, "a value is still a `TODO`")
                    .help("replace it with a value that you know, or remove the key");
            }
        }
        for (at, _) in text.match_indices(TODO) {
            let line = self.source.line(at);
            let span = at..at + TODO.len();
            let before = &text[self.source.line_span(line).start..at];
            let is_word = !before.ends_with(char::is_alphanumeric) && is_open(&text[at..]);
            if is_word && before.contains('#') && lines.insert(line) {
                self.report(Code::OpenComment, &span, "a comment says `TODO`")
                    .help("decide it, and then remove the comment");
            }
        }
    }
}

/// Adds the spans of all keys and texts that are open.
fn open_values(table: &DeTable<'_>, found: &mut Vec<Span>) {
    for (key, value) in table {
        if is_open(key.get_ref()) {
            found.push(key.span());
        }
        open_value(value, found);
    }
}

fn open_value(value: &Spanned<DeValue<'_>>, found: &mut Vec<Span>) {
    match value.get_ref() {
        DeValue::String(text) if is_open(text) => found.push(value.span()),
        DeValue::Array(entries) => entries.iter().for_each(|entry| open_value(entry, found)),
        DeValue::Table(entries) => open_values(entries, found),
        _ => {}
    }
}

/// Returns whether a text begins with the word: a sentence may mention it.
fn is_open(text: &str) -> bool {
    let rest = text.strip_prefix(TODO);
    rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
}
