//! TOML document as its author wrote it.
//!
//! People write manifests and deployments, and want every mistake at once, each at its place and
//! with a fix. So a document is walked as spanned tables and not handed to serde, which would stop
//! at the first mistake. This module knows TOML, places and messages, and nothing about rollups
//! except the catalogue of [`Code`]s, which defines each kind of finding once. `diagnostics` has
//! the findings and their places, `cycles` finds entries that require themselves, `schema` the shapes of tables and the reader that uses them.

mod cycles;
mod diagnostics;
mod schema;

pub use self::cycles::{Hop, cycles};
pub use self::diagnostics::{
    Code, Finding, FindingRecord, Findings, MeantName, RenderOptions, Severity, Source, Span,
    UnknownCodeError, is_secret_name, misspelling_of, nearest,
};
pub(crate) use self::diagnostics::{brief, listed, some_of};
pub use self::schema::{
    Case, Cases, Form, Key, KeyKind, Keys, List, Placed, Reader, Rule, Shape, TOP, Table,
    ValueOrTable, json_schema, read,
};
