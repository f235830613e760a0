//! A TOML file as its author wrote it.
//!
//! People write manifests and deployments, and a person wants every mistake at once, each at its
//! place and with a fix. So a document is walked as spanned tables and not handed to serde, which
//! would stop at the first fault. This module knows TOML, places and messages, and nothing about
//! rollups but the catalogue of [`Code`]s, which names each finding exactly once. `diagnostics` has
//! the findings and where they are, `schema` the shapes of tables and the reader that walks by them.

mod diagnostics;
mod schema;

pub use self::diagnostics::{
    Code, Finding, FindingRecord, Findings, RenderOptions, Severity, Source, Span,
    UnknownCodeError, nearest, slip,
};
pub(crate) use self::diagnostics::{brief, listed, some_of};
pub use self::schema::{
    Case, Cases, Form, Key, KeyKind, Keys, List, Placed, Reader, Rule, Shape, TOP, Table,
    json_schema, read,
};
