//! Deployment: its directory on disk, and the description of its site.
//!
//! `disk` reads and changes directories and files, and holds the lock; it knows nothing about
//! sites. `site` reads `deployment.toml` and the records, and changes nothing.

mod disk;
mod site;

pub use self::disk::{
    attributes, deletion, fault_injection, free_space, lock, locked, newer, open_file, run_dir,
    tree,
};
pub use self::site::{
    applied, describe, description, enclosing, item_dir, parameters, platforms, records, shapes,
    snapshot,
};
