//! Basic types that all modules share: names, paths, digests, and the identity of a rollup.
//!
//! Each is made by parsing only, so that the stages after it need not check again.

mod case_folded;
mod digest;
mod display;
mod file_name;
mod kb;
mod rel_path;
mod requirement;

pub use case_folded::{CaseFolded, same_name};
pub use digest::{Digest, DigestError, Hasher};
pub(crate) use display::is_hidden;
pub use display::{Escaped, error_chain, escaped_path, grouped, wrapped};
pub use file_name::{FileName, FileNameError};
pub use kb::{Kb, KbError, Version, VersionError};
pub use rel_path::{RelPath, RelPathError};
pub use requirement::{Requirement, RequirementError};
