//! Tree on disk; the only module that changes it.
//!
//! Every access goes through directory handles and follows no link. Changes are methods of
//! [`locked::LockedDeployment`], and each one is announced to [`fault_injection`] before it is
//! made.

mod acl;
pub mod attributes;
pub mod deletion;
pub mod fault_injection;
pub mod free_space;
pub mod lock;
pub mod locked;
pub mod newer;
pub mod open_file;
pub mod run_dir;
pub mod tree;
mod trust;
