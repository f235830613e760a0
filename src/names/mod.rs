//! The words everyone shares: names, paths, digests, and what identifies a rollup.
//!
//! Each is made by parsing only, so that the stages after it need not ask again.

mod digest;
mod file_name;
mod fold;
mod kb;
mod rel_path;
mod shown;

pub use digest::{Digest, Hasher, NotADigest};
pub use file_name::{FileName, NameFault};
pub use fold::{Folded, same_name};
pub use kb::{Kb, NotAKb, NotAVersion, Version};
pub use rel_path::{PathFault, RelPath};
pub use shown::{Shown, chain, escaped, grouped, wrapped};
