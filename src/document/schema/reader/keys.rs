//! Checks of the keys of a table: missing ones, and unknown ones, which are misspelled, under the
//! wrong header, or under none.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Reader;
use super::table::{Placed, Table};
use crate::document::diagnostics::codes::Code;
use crate::document::diagnostics::findings::Finding;
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
    pub fn is_stray(&self, table: &Table<'_>, key: &str) -> bool {
        let stray = (table.span.start, lacks(table.shape.title, key));
        self.strays.contains(&stray)
    }

    /// Returns whether the document lacks a key of its top only because of such a mistake.
    pub fn is_stray_of_top(&self, key: &str) -> bool {
        self.strays.contains(&(0, lacks(TOP, key)))
    }

    /// Reports that a table lacks a key, with an example of the line to add.
    pub fn missing(&mut self, table: &Table<'_>, key: &str, example: &str) {
        let message = lacks(table.shape.title, key);
        self.report(Code::MissingKey, &table.span(), message)
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
        let mut plain = Vec::new();
        for key in table.keys() {
            if table.shape.takes(key.value)
                || self.is_absent(table, &key)
                || self.is_misplaced(table, &key)
            {
                continue;
            }
            let is_below = match table.value(key.value).map(Spanned::get_ref) {
                Some(DeValue::Array(array)) => array.first().is_some_and(is_table),
                value => matches!(value, Some(DeValue::Table(_))),
            };
            match is_below {
                true => self.unknown_key(table, &key),
                false => plain.push(key),
            }
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

    /// Reports a key that authors may expect, and the table does not have.
    fn is_absent(&mut self, table: &Table<'_>, key: &Placed<&str>) -> bool {
        let Some((_, advice)) = table
            .shape
            .absent
            .iter()
            .find(|(name, _)| *name == key.value)
        else {
            return false;
        };
        self.report_unknown(table, key).help(*advice);
        true
    }

    fn report_unknown(&mut self, table: &Table<'_>, key: &Placed<&str>) -> &mut Finding {
        let message = format!("{} has no key `{key}`", table.shape.title);
        self.report(Code::UnknownKey, &key.span, message)
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
            if self.top.contains_key(absent.name) || self.is_stray_of_top(absent.name) {
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
            self.report(Code::MisplacedKey, &first.span, message)
                .label(format!("belongs in {}, which is missing", shape.title));
            self.strays.insert((0, lacks(TOP, absent.name)));
        }
    }

    fn unknown_key(&mut self, table: &Table<'_>, key: &Placed<&str>) {
        let keys = table.shape.named().iter().map(|key| key.name);
        if let Some(mut near) = self.nearest(key.value, keys.clone()) {
            near.is_certain &= self.is_free(table, &near.name, key.value);
            let lacking = lacks(table.shape.title, &near.name);
            self.strays.insert((table.span.start, lacking));
            self.report_unknown(table, key).did_you_mean(Some(near));
            return;
        }
        let help = self
            .free_table(key.value)
            .unwrap_or_else(|| format!("its keys are {}", listed(keys)));
        self.report_unknown(table, key).help(help);
    }

    /// Returns whether a table neither has a key nor another one that may be a misspelling of it.
    fn is_free(&mut self, table: &Table<'_>, name: &str, misspelled: &str) -> bool {
        let is_rival = |key: Placed<&str>| {
            !table.shape.takes(key.value)
                && key.value != misspelled
                && self.nearest(key.value, std::iter::once(name)).is_some()
        };
        !table.has(name) && !table.keys().into_iter().any(is_rival)
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

    /// Reports a key that belongs in another table.
    fn is_misplaced(&mut self, table: &Table<'_>, key: &Placed<&str>) -> bool {
        let Some(place) = self.right_place(table, key) else {
            return false;
        };
        let message = format!("`{key}` is in {}", table.shape.title);
        self.report(Code::MisplacedKey, &key.span, message)
            .label(place);
        true
    }

    /// Returns the place to which a misplaced key belongs: the top, or the nearest table above that
    /// allows it and does not have it yet, and which seems to lack it.
    fn right_place(&mut self, table: &Table<'_>, key: &Placed<&str>) -> Option<String> {
        // A key inside the braces of another table was not misplaced by mistake.
        let here = self.header_at(table.span.start)?;
        if !self.shapes.iter().any(|shape| shape.takes(key.value)) {
            return None;
        }
        self.search_budget = self.search_budget.checked_sub(here)?;
        let above = |next: usize| self.source.line(self.headers[next].start);
        if self.shapes[0].takes(key.value) {
            if self.top.contains_key(key.value) {
                return Some("remove it, since the top has it already".to_owned());
            }
            self.strays.insert((0, lacks(TOP, key.value)));
            return Some(format!("belongs above line {}", above(0)));
        }
        let is_table = is_table(table.value(key.value)?);
        for (at, header) in self.headers[..here].iter().enumerate().rev() {
            let shape = self.shapes.iter().find(|shape| shape.title == header.title);
            let mut keys = shape.map_or(&[][..], |shape| shape.named()).iter();
            // If the key is the name of a table there, its value must be a table, too.
            if let Some(known) = keys.find(|known| known.name == key.value)
                && (is_table || !matches!(known.kind, KeyKind::Table(_)))
                && !header.entries.contains_key(key.value)
            {
                let place = format!("belongs in {}, above line {}", header.title, above(at + 1));
                let stray = (header.start, lacks(&header.title, key.value));
                self.strays.insert(stray);
                return Some(place);
            }
        }
        None
    }
}

fn is_table(value: &Spanned<DeValue<'_>>) -> bool {
    value.get_ref().is_table()
}

/// Returns all headers, in the document's order. Tables that only the path of another header
/// mentions have none.
pub(super) fn headers<'t>(text: &str, root: &'t DeTable<'t>) -> Vec<Header<'t>> {
    let mut found = Vec::new();
    let mut left: Vec<(String, &DeTable<'_>)> = vec![(String::new(), root)];
    while let Some((prefix, table)) = left.pop() {
        for (key, value) in table {
            let path = format!("{prefix}{}", key.get_ref());
            let (title, tables) = match value.get_ref() {
                DeValue::Array(array) => (format!("[[{path}]]"), &array[..]),
                _ => (format!("[{path}]"), std::slice::from_ref(value)),
            };
            for value in tables {
                let DeValue::Table(entries) = value.get_ref() else {
                    continue;
                };
                let start = value.span().start;
                if text[start..].starts_with('[') {
                    let title = title.clone();
                    found.push(Header {
                        start,
                        title,
                        entries,
                    });
                }
                left.push((format!("{path}."), entries));
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
