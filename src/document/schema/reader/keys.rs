//! Checks of the keys of a table: missing ones, and unknown ones, which are misspelled, under the
//! wrong header, or under none.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;
use super::table::{Placed, Table};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::Span;
use crate::document::diagnostics::wording::{listed, some_of};
use crate::document::schema::shape::{Key, KeyKind, Keys, Shape, TOP};

/// Header of a table in the document, such as `[rollup]`.
pub(super) struct Header<'s> {
    start: usize,
    title: String,
    pub(super) entries: &'s DeTable<'s>,
}

impl Reader<'_> {
    /// Returns whether a table lacks a key only because the key is misspelled or misplaced.
    pub fn is_stray(&self, table: &Span, title: &str, key: &str) -> bool {
        self.strays.contains(&(table.start, lacks(title, key)))
    }

    /// Reports that a table lacks a key, with an example of the line to add.
    pub fn missing(&mut self, table: &Table<'_>, key: &str, example: &str) {
        let message = lacks(table.shape.title, key);
        self.findings
            .add(Code::MissingKey, table.span(), message)
            .help(format!("add `{example}`"));
    }

    /// Reports the unknown keys of a table, and those that it lacks.
    pub(super) fn check_keys(&mut self, table: &Table<'_>) {
        if let Keys::Free(..) = table.shape.keys {
            table
                .entries
                .keys()
                .for_each(|key| self.check_hidden_characters(key.get_ref(), &key.span()));
            return;
        }
        let mut unknown = table.keys();
        unknown.retain(|key| table.shape.key(key.value).is_none());
        unknown.retain(|key| match self.right_place(table, key) {
            Some((stray, place)) => {
                self.strays
                    .extend(stray.map(|(start, title)| (start, lacks(title, key.value))));
                let message = format!("`{}` is in {}", key.value, table.shape.title);
                self.findings
                    .add(Code::MisplacedKey, key.span.clone(), message)
                    .label(place);
                false
            }
            None => true,
        });
        let below = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
            DeValue::Array(array) => array
                .first()
                .is_some_and(|first| first.get_ref().is_table()),
            value => value.is_table(),
        };
        let (tables, mut plain): (Vec<_>, Vec<_>) = unknown
            .into_iter()
            .partition(|key| table.value(key.value).is_some_and(below));
        for key in &tables {
            self.unknown_key(table, key);
        }
        self.without_header(table, &mut plain);
        for key in &plain {
            self.unknown_key(table, key);
        }
        for key in table.shape.named() {
            // The schema has its own code.
            if let Some(line) = key.required
                && !matches!(key.kind, KeyKind::Only(_))
                && !table.has(key.name)
            {
                self.missing(table, key.name, line);
            }
        }
    }

    /// Reports keys that belong in a top-level table which the document does not have: its header
    /// is missing, which is a single mistake.
    fn without_header(&mut self, table: &Table<'_>, unknown: &mut Vec<Placed<&str>>) {
        if !table.span.is_empty() && self.header_at(table.span.start).is_none() {
            return;
        }
        for absent in self.shapes[0].named() {
            let KeyKind::Table(shape) = absent.kind else {
                continue;
            };
            if self.top.contains_key(absent.name) || self.is_stray(&(0..0), TOP, absent.name) {
                continue;
            }
            let own: Vec<_> = unknown
                .extract_if(.., |key| shape.takes(key.value))
                .collect();
            let Some(first) = own.first() else {
                continue;
            };
            let message = format!(
                "{} {} in {}",
                some_of(own.iter().map(|key| key.value)),
                if own.len() == 1 { "is" } else { "are" },
                table.shape.title
            );
            self.findings
                .add(Code::MisplacedKey, first.span.clone(), message)
                .label(format!("belongs in {}, which is missing", shape.title));
            self.strays.insert((0, lacks(TOP, absent.name)));
        }
    }

    fn unknown_key(&mut self, table: &Table<'_>, key: &Placed<&str>) {
        let keys = table.shape.named().iter().map(|key| key.name);
        let message = format!("{} has no key `{}`", table.shape.title, key.value);
        let near = self.nearest(key.value, keys.clone());
        self.strays
            .extend(near.map(|near| (table.span.start, lacks(table.shape.title, near))));
        let elsewhere = self.free_table(key.value).filter(|_| near.is_none());
        let finding = self
            .findings
            .add(Code::UnknownKey, key.span.clone(), message);
        match near {
            Some(near) => finding.did_you_mean(Some(near)),
            None => {
                finding.help(elsewhere.unwrap_or_else(|| format!("its keys are {}", listed(keys))))
            }
        };
    }

    /// Returns advice for a key that is the name of a table with its own header, in which each name
    /// has one line.
    fn free_table(&self, key: &str) -> Option<String> {
        let mut keys = self
            .shapes
            .iter()
            .flat_map(|shape| shape.named())
            .filter(|known| known.name == key);
        keys.find_map(|known| match known.kind {
            KeyKind::Table(Shape {
                title,
                keys: Keys::Free(_, free),
                ..
            }) if title.starts_with('[') => {
                Some(format!("write it below {title}, as {}", sample("", free)))
            }
            _ => None,
        })
    }

    /// Returns the index of the header that begins at an offset.
    fn header_at(&self, start: usize) -> Option<usize> {
        self.headers
            .binary_search_by_key(&start, |header| header.start)
            .ok()
    }

    /// Returns the place to which a misplaced key belongs: the top, or the nearest table above that
    /// allows it and does not have it yet. Also returns the table that seems to lack the key,
    /// unless it has the key already.
    fn right_place(
        &mut self,
        table: &Table<'_>,
        key: &Placed<&str>,
    ) -> Option<(Option<(usize, &'static str)>, String)> {
        // A key inside the braces of another table was not misplaced by mistake.
        let here = self.header_at(table.span.start)?;
        let takes = |shape: &Shape| shape.takes(key.value);
        if !self.shapes.iter().any(|shape| takes(shape)) || self.search_budget < here {
            return None;
        }
        self.search_budget -= here;
        let above = |next: usize| self.source.line(self.headers[next].start);
        if takes(self.shapes[0]) {
            if self.top.contains_key(key.value) {
                return Some((None, "remove it, since the top has it already".to_owned()));
            }
            return Some((Some((0, TOP)), format!("belongs above line {}", above(0))));
        }
        for (at, header) in self.headers.iter().enumerate().take(here).rev() {
            let shape = self.shapes.iter().find(|shape| shape.title == header.title);
            // If the key is the name of a table there, its value must be a table, too.
            let plain = |shape: &&&'static Shape| {
                let kind = shape
                    .named()
                    .iter()
                    .find(|known| known.name == key.value)
                    .map(|known| known.kind);
                !matches!(kind, Some(KeyKind::Table(_)))
                    || table
                        .value(key.value)
                        .is_some_and(|v| v.get_ref().is_table())
            };
            if let Some(&shape) = shape.filter(|shape| takes(shape)).filter(plain)
                && !header.entries.contains_key(key.value)
            {
                let place = format!("belongs in {}, above line {}", header.title, above(at + 1));
                return Some((Some((header.start, shape.title)), place));
            }
        }
        None
    }
}

/// Returns all headers, in the document's order. Tables that only the path of another header
/// mentions have none.
pub(super) fn headers<'t>(text: &str, root: &'t DeTable<'t>) -> Vec<Header<'t>> {
    let mut found = Vec::new();
    let mut left: Vec<(String, &DeTable<'_>)> = vec![(String::new(), root)];
    let is_header = |span: &Span| text[span.start..].starts_with('[');
    while let Some((prefix, table)) = left.pop() {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => {
                    if is_header(&value.span()) {
                        found.push(Header {
                            start: value.span().start,
                            title: format!("[{path}]"),
                            entries: inner,
                        });
                    }
                    left.push((path + ".", inner));
                }
                DeValue::Array(array) => {
                    for element in array.iter().filter(|element| is_header(&element.span())) {
                        if let DeValue::Table(inner) = element.get_ref() {
                            let title = format!("[[{path}]]");
                            found.push(Header {
                                start: element.span().start,
                                title,
                                entries: inner,
                            });
                            left.push((format!("{path}."), inner));
                        }
                    }
                }
                _ => {}
            }
        }
    }
    found.sort_by_key(|header| header.start);
    found
}

fn lacks(title: &str, key: &str) -> String {
    format!("{title} lacks `{key}`")
}

/// Returns an example of a line with a key that the author names.
pub(super) fn sample(before: &str, free: &Key) -> String {
    let value = match free.kind {
        KeyKind::Texts(_) => "[\"…\"]",
        KeyKind::Table(_) => "{ … }",
        _ => "\"…\"",
    };
    format!("`{before}\"{}\" = {value}`", free.name)
}
