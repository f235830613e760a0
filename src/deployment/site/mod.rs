//! What a deployment has: `deployment.toml` as people wrote it, the records of what is installed,
//! and the snapshot that a plan is made from.
//!
//! Nothing here writes. `deployment.toml` is read by [`describe`] into a
//! [`description::Description`], whose shape is in [`shapes`]; rollup's own files are in
//! [`records`].

mod console;
pub mod describe;
pub mod description;
pub mod enclosing;
pub mod platforms;
pub mod records;
pub mod shapes;
mod site_reader;
pub mod snapshot;
