//! What is said about a document: findings with their places, and how they are shown.
//!
//! The catalogue of [`Code`]s names each kind of finding exactly once. [`Findings`] collects
//! them until all are known, and draws them in their [`Source`]. The faults that a text has as TOML
//! are found here as well, since they need no knowledge of its subject.

pub(super) mod codes;
pub(super) mod findings;
pub(super) mod hidden_characters;
pub(super) mod nearest;
mod render;
mod severity;
pub(super) mod source;
pub(super) mod syntax;
pub(super) mod wording;

pub use self::codes::{Code, UnknownCodeError};
pub(crate) use self::findings::brief;
pub use self::findings::{Finding, Findings, Span};
pub use self::nearest::{nearest, slip};
pub use self::render::{FindingRecord, RenderOptions};
pub use self::severity::Severity;
pub use self::source::Source;
pub(crate) use self::wording::{listed, some_of};
