//! Tree on disk, and the only module that changes it.
//!
//! Every access goes by directory handles and follows no link. Who wants to change something has to
//! hold a [`locked::LockedDeployment`], and every change of it is announced to
//! [`fault_injection`] before it is made.

pub mod deletion;
pub mod fault_injection;
pub mod free_space;
pub mod lock;
pub mod locked;
pub mod own_file;
pub mod tree;
