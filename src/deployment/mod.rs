//! A deployment: what its site has, and the directory that it lives in.
//!
//! `disk` knows directories, files and the lock, and nothing about sites; `site` knows what
//! `deployment.toml` and the records say, and changes nothing.

mod disk;
mod site;

pub use self::disk::{deletion, fault_injection, free_space, lock, locked, own_file, tree};
pub use self::site::{describe, description, enclosing, platforms, records, shapes, snapshot};
