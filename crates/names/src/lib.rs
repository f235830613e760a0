//! Basic types that all modules share: names, paths, digests, and the identity of a rollup.
//!
//! Each is made by parsing only, so that the stages after it need not check again. Nothing here
//! reads or writes a file.

mod case_folded;
mod digest;
mod display;
mod file_name;
mod kb;
mod payload_path;
mod rel_path;
mod requirement;
mod service_verb;

pub use case_folded::{CaseFolded, same_name};
pub use digest::{Digest, DigestError, Hasher};
pub use display::{
    Escaped, STYLE_MARK, columns, error_chain, escaped_path, grouped, is_hidden, padded, wrapped,
};
pub use file_name::{FileName, FileNameError};
pub use kb::{IdError, Kb, KbError, Version, VersionError};
pub use payload_path::{PayloadPath, PayloadPathError};
pub use rel_path::{RelPath, RelPathError};
pub use requirement::{Requirement, RequirementError};
pub use service_verb::ServiceVerb;
