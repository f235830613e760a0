//! Table of a document, with its shape.

use std::fmt;

use serde::Serialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::document::diagnostics::findings::Span;
use crate::document::schema::shape::{KeyKind, Rule, Shape};

/// Value with its place in the document. It is serialized without the place.
#[derive(Debug, Clone, Serialize)]
#[serde(transparent)]
pub struct Placed<T> {
    pub value: T,
    /// Place of the value.
    #[serde(skip)]
    pub span: Span,
}

impl<T: fmt::Display> fmt::Display for Placed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

impl Placed<&str> {
    /// Returns the text as an own value, at the same place.
    pub fn to_owned(&self) -> Placed<String> {
        Placed {
            value: self.value.to_owned(),
            span: self.span.clone(),
        }
    }
}

/// Table of the document, with the shape that it should have.
#[derive(Debug, Clone)]
pub struct Table<'t> {
    pub(super) entries: &'t DeTable<'t>,
    pub(super) span: Span,
    pub(super) shape: &'static Shape,
}

/// Value, or a table in place of it.
#[derive(Debug, Clone)]
pub enum ValueOrTable<'t, T> {
    Value(Placed<T>),
    Table(Table<'t>),
}

impl<'t> Table<'t> {
    pub(super) fn new(entries: &'t DeTable<'t>, span: Span, shape: &'static Shape) -> Self {
        Self {
            entries,
            span,
            shape,
        }
    }

    /// Returns the shape that the table should have.
    pub fn shape(&self) -> &'static Shape {
        self.shape
    }

    /// Returns the place of the table: its header, or the whole of an inline table.
    pub fn span(&self) -> Span {
        self.span.clone()
    }

    /// Returns the place of a key.
    pub fn key(&self, key: &str) -> Option<Span> {
        self.entries.get_key_value(key).map(|(key, _)| key.span())
    }

    /// Returns whether the table has a key.
    pub fn has(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// Returns whether the value of a key is a table.
    pub(super) fn has_table(&self, key: &str) -> bool {
        self.value(key)
            .is_some_and(|value| value.get_ref().is_table())
    }

    /// Returns the number of tables in a list; `None` if there is no list.
    pub fn tables_in(&self, key: &str) -> Option<usize> {
        let list = self.value(key)?.get_ref().as_array()?;
        Some(
            list.iter()
                .filter(|value| value.get_ref().is_table())
                .count(),
        )
    }

    /// Returns the keys that the table has, in the document's order.
    pub fn keys(&self) -> Vec<Placed<&'t str>> {
        let mut keys: Vec<_> = self
            .entries
            .keys()
            .map(|key| Placed {
                value: key.get_ref().as_ref(),
                span: key.span(),
            })
            .collect();
        keys.sort_by_key(|key| key.span.start);
        keys
    }

    /// Returns the keys of its shape that the table has, with their places.
    pub fn described_keys(&self) -> impl Iterator<Item = (&'static str, Span)> {
        self.shape
            .named()
            .iter()
            .filter_map(|key| Some((key.name, self.key(key.name)?)))
    }

    pub(super) fn value(&self, key: &str) -> Option<&'t Spanned<DeValue<'t>>> {
        self.entries.get(key)
    }

    /// Returns the help for an empty value: the key cannot be removed if it is required, always or
    /// in one of the cases of the table.
    pub(super) fn help_if_empty(&self, key: &str) -> &'static str {
        let mut rules = self.shape.cases().iter().flat_map(|case| case.rules);
        if self
            .shape
            .key(key)
            .is_some_and(|key| key.required.is_some())
            || rules.any(|rule| matches!(rule, Rule::Needs(needed, _) if *needed == key))
        {
            "fill it"
        } else {
            "fill it, or remove the key"
        }
    }

    /// Returns the kind of a key. Only keys of the shape can be read, so that the schema describes
    /// everything that is read.
    pub(super) fn kind(&self, key: &str) -> KeyKind {
        self.shape
            .key(key)
            .expect("a key that the shape describes")
            .kind
    }
}
