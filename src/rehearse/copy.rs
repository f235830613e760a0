//! Copies of a whole deployment: names, bytes, permissions, owners and times.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, futimens, openat, utimensat};
use walkdir::{DirEntry, WalkDir};

use super::making::Making;
use super::{LabError, disk};

/// Lists every entry of a deployment but what rollup keeps in it, a directory before its contents.
pub(super) fn entries(deployment: &Path) -> impl Iterator<Item = Result<DirEntry, LabError>> {
    let ours = |entry: &DirEntry| entry.depth() == 1 && entry.file_name() == ".rollup";
    let entries = WalkDir::new(deployment)
        .into_iter()
        .filter_entry(move |entry| !ours(entry));
    entries.map(|entry| entry.map_err(not_listed))
}

/// Copies a deployment without its runs, which stay where they were made.
pub(super) fn copy_tree(from: &Path, making: &Making<'_>, to: &Path) -> Result<(), LabError> {
    copy(entries(from), from, making, to)
}

/// Copies a lab's deployment with the run that a dead process left there.
pub(super) fn copy_with_run(from: &Path, making: &Making<'_>, to: &Path) -> Result<(), LabError> {
    copy(
        WalkDir::new(from)
            .into_iter()
            .map(|entry| entry.map_err(not_listed)),
        from,
        making,
        to,
    )
}

fn copy(
    entries: impl Iterator<Item = Result<DirEntry, LabError>>,
    from: &Path,
    making: &Making<'_>,
    to: &Path,
) -> Result<(), LabError> {
    let mut directories: Vec<(PathBuf, Metadata)> = Vec::new();
    for entry in entries {
        let entry = entry?;
        let below = entry.path().strip_prefix(from).unwrap_or(entry.path());
        let target = if below.as_os_str().is_empty() {
            to.to_owned()
        } else {
            to.join(below)
        };
        let metadata = entry
            .metadata()
            .map_err(|error| disk("copy", entry.path())(error.into()))?;
        if metadata.is_dir() {
            making.directory(&target)?;
            directories.push((target, metadata));
        } else if metadata.is_symlink() {
            copy_link(entry.path(), making, &target, &metadata)?;
        } else if metadata.is_file() {
            let source = open(entry.path()).map_err(disk("copy", entry.path()))?;
            making.file(&target, |mut file| {
                io::copy(&mut &source, &mut file)?;
                take_over(&file, &metadata)
            })?;
        }
        // A FIFO or a socket contains nothing that could be copied.
    }
    // The innermost first, when they are full: nothing can be added to a read-only directory.
    for (directory, before) in directories.iter().rev() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        making.change(directory, |parent, name| {
            take_over(&openat(parent, name, flags, Mode::empty())?.into(), before)
        })?;
    }
    Ok(())
}

/// Opens a file, and refuses what took its place since it was listed.
fn open(file: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(file)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is not a file any more")),
    }
}

fn copy_link(
    from: &Path,
    making: &Making<'_>,
    to: &Path,
    before: &Metadata,
) -> Result<(), LabError> {
    let target = fs::read_link(from).map_err(disk("copy", from))?;
    making.link(to, &target)?;
    making.change(to, |parent, name| {
        let owner = (
            rustix::fs::Uid::from_raw(before.uid()),
            rustix::fs::Gid::from_raw(before.gid()),
        );
        let given = rustix::fs::chownat(
            parent,
            name,
            Some(owner.0),
            Some(owner.1),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        unless_denied(given.map_err(io::Error::from))?;
        Ok(utimensat(
            parent,
            name,
            &times(before),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    })
}

/// Gives a copy the owner, the permissions and the time of the original.
fn take_over(to: &File, before: &Metadata) -> io::Result<()> {
    unless_denied(fchown(to, Some(before.uid()), Some(before.gid())))?;
    to.set_permissions(before.permissions())?;
    Ok(futimens(to, &times(before))?)
}

/// Ignores a denied change of owner: only root can give files to others, so for other users a copy
/// is their own.
fn unless_denied(given: io::Result<()>) -> io::Result<()> {
    match given {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

fn times(before: &Metadata) -> Timestamps {
    let time = Timespec {
        tv_sec: before.mtime(),
        tv_nsec: before.mtime_nsec(),
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}

fn not_listed(error: walkdir::Error) -> LabError {
    let path = error.path().map(Path::to_owned).unwrap_or_default();
    LabError::Disk {
        action: "list",
        path,
        source: error.into(),
    }
}
