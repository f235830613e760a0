//! A TOML file as its author wrote it.
//!
//! People write manifests and deployments, and a person wants every mistake at once, each at its
//! place and with a fix. So a document is walked as spanned tables and not handed to serde, which
//! would stop at the first fault. This module knows TOML, places and messages, and nothing about
//! rollups but the catalogue of [`Code`]s, which names each finding exactly once.

mod codes;
mod findings;
mod nearest;
mod reader;
mod render;
mod schema;
mod severity;
mod shape;
mod source;
mod syntax;
mod syntax_hints;

pub use codes::{Code, UnknownCodeError};
pub(crate) use findings::brief;
pub use findings::{Finding, Findings, Span};
pub use nearest::{nearest, slip};
pub use reader::{Placed, Reader, Table, read};
pub(crate) use reader::{listed, some_of};
pub use render::{FindingRecord, RenderOptions};
pub use schema::json_schema;
pub use severity::Severity;
pub use shape::{Case, Cases, Form, Key, Keys, Kind, List, Rule, Shape, TOP};
pub use source::Source;
