//! Copies of a whole deployment: names, bytes, permissions, owners and times.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, Timespec, Timestamps, futimens, openat, utimensat};
use walkdir::{DirEntry, WalkDir};

use super::lab_writer::LabWriter;
use super::secrets::SecretFiles;
use super::{LabError, disk};
use crate::deployment::run_dir::RollupDir;

/// Lists every entry of a deployment except `.rollup`, a directory before its contents.
pub(super) fn entries(deployment: &Path) -> impl Iterator<Item = Result<DirEntry, LabError>> {
    let is_rollup_directory =
        |entry: &DirEntry| entry.depth() == 1 && entry.file_name() == RollupDir::NAME;
    let entries = WalkDir::new(deployment)
        .into_iter()
        .filter_entry(move |entry| !is_rollup_directory(entry));
    entries.map(|entry| entry.map_err(not_listed))
}

/// Copies a deployment without its `.rollup`, since its runs belong to the original, and without
/// its secrets if it may have some.
pub(super) fn copy_tree(
    from: &Path,
    secrets: Option<&SecretFiles<'_>>,
    writer: &LabWriter<'_>,
    to: &Path,
) -> Result<(), LabError> {
    copy(entries(from), from, secrets, writer, to)
}

/// Copies a lab's deployment with the run that a killed process left there.
pub(super) fn copy_with_run(
    from: &Path,
    writer: &LabWriter<'_>,
    to: &Path,
) -> Result<(), LabError> {
    copy(
        WalkDir::new(from)
            .into_iter()
            .map(|entry| entry.map_err(not_listed)),
        from,
        None,
        writer,
        to,
    )
}

fn copy(
    entries: impl Iterator<Item = Result<DirEntry, LabError>>,
    from: &Path,
    secrets: Option<&SecretFiles<'_>>,
    writer: &LabWriter<'_>,
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
            writer.directory(&target)?;
            directories.push((target, metadata));
        } else if metadata.is_symlink() {
            copy_link(entry.path(), writer, &target, &metadata)?;
        } else if metadata.is_file() && !secrets.is_some_and(|secrets| secrets.is_place(&metadata))
        {
            let source = open(entry.path()).map_err(disk("copy", entry.path()))?;
            let rewritten = match secrets {
                Some(secrets) => secrets.rewritten(below, &source),
                None => Ok(None),
            };
            let rewritten = rewritten.map_err(disk("copy", entry.path()))?;
            writer.file(&target, |mut file| {
                match &rewritten {
                    Some(text) => file.write_all(text.as_bytes())?,
                    None => drop(io::copy(&mut &source, &mut file)?),
                }
                copy_attributes(&file, &metadata)
            })?;
        }
        // A FIFO or a socket contains nothing that could be copied.
    }
    // The innermost first, and only once they are complete: nothing can be added to a read-only
    // directory.
    for (directory, original) in directories.iter().rev() {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        writer.change(directory, |parent, name| {
            copy_attributes(
                &openat(parent, name, flags, Mode::empty())?.into(),
                original,
            )
        })?;
    }
    Ok(())
}

/// Opens a file, and refuses anything else that has replaced it since it was listed.
fn open(file: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags)
        .open(file)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no longer a file")),
    }
}

fn copy_link(
    from: &Path,
    writer: &LabWriter<'_>,
    to: &Path,
    original: &Metadata,
) -> Result<(), LabError> {
    let target = fs::read_link(from).map_err(disk("copy", from))?;
    writer.link(to, &target)?;
    writer.change(to, |parent, name| {
        let owner = (
            rustix::fs::Uid::from_raw(original.uid()),
            rustix::fs::Gid::from_raw(original.gid()),
        );
        let changed = rustix::fs::chownat(
            parent,
            name,
            Some(owner.0),
            Some(owner.1),
            AtFlags::SYMLINK_NOFOLLOW,
        );
        ignore_denied(changed.map_err(io::Error::from))?;
        Ok(utimensat(
            parent,
            name,
            &times(original),
            AtFlags::SYMLINK_NOFOLLOW,
        )?)
    })
}

/// Gives a copy the owner, the permissions and the time of the original.
fn copy_attributes(to: &File, original: &Metadata) -> io::Result<()> {
    ignore_denied(fchown(to, Some(original.uid()), Some(original.gid())))?;
    to.set_permissions(original.permissions())?;
    Ok(futimens(to, &times(original))?)
}

/// Ignores a denied change of owner: only root can give files to others, so for other users a copy
/// is their own.
fn ignore_denied(changed: io::Result<()>) -> io::Result<()> {
    match changed {
        Err(error) if error.kind() != io::ErrorKind::PermissionDenied => Err(error),
        _ => Ok(()),
    }
}

fn times(original: &Metadata) -> Timestamps {
    let time = Timespec {
        tv_sec: original.mtime(),
        tv_nsec: original.mtime_nsec(),
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
