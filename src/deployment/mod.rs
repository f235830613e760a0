//! Tree on disk, and the only module that changes it.

mod console;
pub mod deletion;
pub mod describe;
pub mod description;
pub mod enclosing;
pub mod fault_injection;
pub mod lock;
pub mod locked;
pub mod own_file;
pub mod platforms;
pub mod records;
pub mod shapes;
pub mod snapshot;
pub mod tree;
