//! Contents of a run directory after a crash during staging.
//!
//! Such a directory is removed without a prompt, so it must hold nothing else: a directory that
//! only has the name of a run may have been made by the user.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use crate::deployment::deletion::list;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::{DiskError, FileKind, Tree};

/// Returns whether staging makes an object of this kind at a path below the directory of its run,
/// given by its parts.
pub fn is_made_by_staging(parts: &[&str], kind: FileKind) -> bool {
    let is_number = |part: &str| part.parse::<u32>().is_ok();
    match (parts, kind) {
        ([name], FileKind::File) => RunDir::FILES.contains(name),
        ([name], FileKind::Directory) => RunDir::DIRECTORIES.contains(name),
        ([RunDir::SOURCES, source], FileKind::File) => is_number(source),
        ([RunDir::APPROVALS, approval], FileKind::File) => {
            is_number(approval.strip_suffix(".sig").unwrap_or(approval))
        }
        ([RunDir::MANUAL, _, ..], FileKind::Directory)
        | ([RunDir::MANUAL, _, _, ..], FileKind::File) => true,
        ([RunDir::SLOTS_STAGING, slot], FileKind::Directory) => is_number(slot),
        ([RunDir::SLOTS_STAGING, slot, RunDir::NEW, ..], FileKind::File | FileKind::Directory) => {
            is_number(slot)
        }
        _ => false,
    }
}

/// Returns the parts of a path; a part that is not UTF-8 becomes empty.
pub fn path_parts(path: &Path) -> Vec<&str> {
    path.iter()
        .map(|part| part.to_str().unwrap_or_default())
        .collect()
}

/// Returns the paths in the directory of a run that staging does not make, sorted.
///
/// # Errors
///
/// A directory that cannot be read.
pub(super) fn unknown_objects(tree: &Tree, run: &RunDir) -> Result<Vec<PathBuf>, DiskError> {
    let directory = PathBuf::from(tree.shown(Some(run)));
    let found = RefCell::new(Vec::new());
    list(tree, run, &|shown, kind, _| {
        let below = shown.strip_prefix(&directory).unwrap_or(shown);
        if !is_made_by_staging(&path_parts(below), FileKind::from(kind)) {
            found.borrow_mut().push(shown.to_owned());
        }
    })?;
    let mut found = found.into_inner();
    found.sort();
    Ok(found)
}
