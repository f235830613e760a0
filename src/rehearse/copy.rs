//! Copying a deployment whole: names, bytes, permissions, owners and times.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, lchown, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, utimensat};
use walkdir::{DirEntry, WalkDir};

use super::{LabError, disk};

/// Every entry of a deployment but what rollup keeps in it, a folder before what is in it.
pub(super) fn entries(deployment: &Path) -> impl Iterator<Item = Result<DirEntry, LabError>> {
    let ours = |entry: &DirEntry| entry.depth() == 1 && entry.file_name() == ".rollup";
    let entries = WalkDir::new(deployment).into_iter().filter_entry(move |entry| !ours(entry));
    entries.map(|entry| entry.map_err(not_listed))
}

/// Copies a deployment without its runs, which stay where they were made.
pub(super) fn copy_tree(from: &Path, to: &Path) -> Result<(), LabError> {
    copy(entries(from), from, to)
}

/// Copies a lab's deployment with the run that a dead process left there.
pub(super) fn copy_with_run(from: &Path, to: &Path) -> Result<(), LabError> {
    copy(WalkDir::new(from).into_iter().map(|entry| entry.map_err(not_listed)), from, to)
}

fn copy(entries: impl Iterator<Item = Result<DirEntry, LabError>>, from: &Path, to: &Path) -> Result<(), LabError> {
    let mut folders: Vec<(PathBuf, Metadata)> = Vec::new();
    for entry in entries {
        let entry = entry?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let target = if below.as_os_str().is_empty() { to.to_owned() } else { to.join(below) };
        let fail = || disk("copy", entry.path());
        let metadata = entry.metadata().map_err(|error| fail()(error.into()))?;
        if metadata.is_dir() {
            fs::create_dir_all(&target).map_err(fail())?;
            folders.push((target, metadata));
        } else {
            copy_entry(entry.path(), &target, &metadata).map_err(fail())?;
        }
    }
    // The innermost first, when they are full: nothing can be put into a folder that nobody may write to.
    for (folder, was) in folders.iter().rev() {
        take_over(folder, was).map_err(disk("set the permissions of", folder))?;
    }
    Ok(())
}

fn copy_entry(from: &Path, to: &Path, was: &Metadata) -> io::Result<()> {
    if was.is_symlink() {
        symlink(fs::read_link(from)?, to)?;
    } else if was.is_file() {
        fs::copy(from, to)?;
    } else {
        // A FIFO or a socket holds nothing that could be copied.
        return Ok(());
    }
    take_over(to, was)
}

/// Gives a copy the owner, the permissions and the time of the original.
fn take_over(to: &Path, was: &Metadata) -> io::Result<()> {
    match lchown(to, Some(was.uid()), Some(was.gid())) {
        // Only root can give files away; everybody else rehearses as himself.
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => return Err(error),
        _ => {}
    }
    if !was.is_symlink() {
        fs::set_permissions(to, was.permissions())?;
    }
    let time = Timespec { tv_sec: was.mtime(), tv_nsec: was.mtime_nsec() };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(utimensat(CWD, to, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

fn not_listed(error: walkdir::Error) -> LabError {
    let path = error.path().map(Path::to_owned).unwrap_or_default();
    LabError::Disk { action: "list", path, source: error.into() }
}
