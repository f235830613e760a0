//! Basic types that all modules share: names, paths, digests, and the identity of a rollup.
//!
//! Each is made by parsing only, so that the stages after it need not check again.

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
