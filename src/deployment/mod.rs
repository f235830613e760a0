//! The tree on disk, and the one folder that changes it.

pub mod description;
