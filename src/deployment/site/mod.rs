//! Site of a deployment: `deployment.toml` as people wrote it, the records of installed items, and
//! the snapshot from which a plan is made.
//!
//! These modules only read. [`describe`] reads `deployment.toml` into a
//! [`description::Description`]; its keys are in [`shapes`], and rollup's own files are in
//! [`records`] and [`applied`].

pub mod applied;
mod console;
pub mod describe;
pub mod description;
pub mod enclosing;
pub mod item_dir;
pub mod parameters;
pub mod platforms;
pub mod records;
pub mod shapes;
mod site_reader;
pub mod snapshot;
