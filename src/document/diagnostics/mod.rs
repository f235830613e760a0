//! Findings about a document: their kinds, their places, and how they are shown.
//!
//! The catalogue of [`Code`]s defines each kind of finding once. [`Findings`] collects them until
//! all are known, and draws them in their [`Source`]. Syntax errors are found here as well, since
//! they need no knowledge of the subject of a document.

mod allow;
pub(super) mod codes;
pub(super) mod findings;
pub(super) mod hidden_characters;
pub(super) mod nearest;
mod render;
mod secrets;
mod severity;
pub(super) mod source;
pub(super) mod syntax;
pub(super) mod wording;

pub use self::codes::{Code, UnknownCodeError};
pub(crate) use self::findings::brief;
pub use self::findings::{Finding, Findings, Span};
pub use self::nearest::{MeantName, misspelling_of, nearest};
pub use self::render::{FindingRecord, RenderOptions};
pub use self::secrets::is_secret_name;
pub use self::severity::Severity;
pub use self::source::Source;
pub(crate) use self::wording::{listed, some_of};
