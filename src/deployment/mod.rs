//! The tree on disk, and the one folder that changes it.

mod console;
mod describe;
pub mod description;
