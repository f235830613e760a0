//! Contents of a run directory after a crash during staging.
//!
//! Such a directory is removed without a prompt, so it must hold nothing else: a directory that
//! only has the name of a run may have been made by the user.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::deployment::deletion::list;
use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::names::RelPath;

/// Returns whether staging makes an object of this kind at a path below the directory of its run.
pub fn is_made_by_staging(below: &Path, kind: FileKind) -> bool {
    let parts: Vec<&str> = below
        .iter()
        .map(|part| part.to_str().unwrap_or_default())
        .collect();
    let is_number = |part: &str| part.parse::<u32>().is_ok();
    match (parts.as_slice(), kind) {
        (
            ["journal" | "reserve" | "manifest.toml" | "plan.json" | "events.ndjson"],
            FileKind::File,
        ) => true,
        (["slots" | "sources"], FileKind::Directory) => true,
        (["sources", source], FileKind::File) => is_number(source),
        (["slots", slot], FileKind::Directory) => is_number(slot),
        (["slots", slot, "new", ..], FileKind::File | FileKind::Directory) => is_number(slot),
        _ => false,
    }
}

/// Returns the paths in the directory of a run that staging does not make, sorted.
///
/// # Errors
///
/// A directory that cannot be read.
pub(super) fn unknown_objects(tree: &Tree, run: &RelPath) -> Result<Vec<PathBuf>, DiskError> {
    let directory = PathBuf::from(tree.shown(Some(run)));
    let found = RefCell::new(Vec::new());
    list(tree, run, &|shown, kind, _| {
        let below = shown.strip_prefix(&directory).unwrap_or(shown);
        if !is_made_by_staging(below, FileKind::from(kind)) {
            found.borrow_mut().push(shown.to_owned());
        }
    })?;
    let mut found = found.into_inner();
    found.sort();
    Ok(found)
}
