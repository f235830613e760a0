//! The one writer of files that people name: `-o`, `--save`, drafts and pins.
//!
//! A file is written atomically: under a random name in its directory, synced, then renamed. No
//! file of a deployment or of the payload in use is replaced, and no file that the command reads. A
//! file that is replaced keeps its mode, owner and attributes, and a link stays a link.

use std::ffi::OsString;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use xattr::FileExt;

use super::exit::Exit;
use super::failure::Failure;
use super::state_now;
use crate::cli::terminal::out::{self, shell_quoted};
use crate::cli::terminal::safe;
use crate::deployment::enclosing::enclosing_deployment;

/// Largest number of links that are followed, as in Linux.
const MAX_LINKS: usize = 40;
/// Permission bits that a file may keep with new contents: not those that lend the owner's rights.
const KEPT_MODE: u32 = 0o1777;

/// Choice between replacing a file that exists and refusing the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IfExists {
    /// For reports and plans, which can be made again.
    Replace,
    /// For drafts, which people edit.
    Refuse,
}

/// File that a command may write.
#[derive(Debug)]
pub(super) struct OutputFile {
    /// Path as it was typed.
    path: PathBuf,
    target: OutputTarget,
    if_exists: IfExists,
}

/// Destination of the bytes.
#[derive(Debug)]
enum OutputTarget {
    /// Regular file, by its path without links.
    File(PathBuf),
    /// Device, pipe, or open file of this process, which is written in place.
    Stream,
}

impl OutputFile {
    /// Checks the path of a document, before the command begins. `None` and `-` are standard
    /// output.
    ///
    /// # Errors
    ///
    /// The path is in a deployment, in one of the directories that the command reads, or one of the
    /// files that it reads: 64.
    pub(super) fn of(output: Option<&Path>, reads: &[&Path]) -> Result<Option<Self>, Failure> {
        let path = output.filter(|path| *path != Path::new("-"));
        path.map(|path| Self::new(path, reads, IfExists::Replace))
            .transpose()
    }

    /// Checks the path of a file, before the command begins.
    ///
    /// # Errors
    ///
    /// As for [`OutputFile::of`], or the file exists and must not be replaced.
    pub(super) fn new(path: &Path, reads: &[&Path], if_exists: IfExists) -> Result<Self, Failure> {
        let target = resolve(path).map_err(|error| write_failure(path, &error))?;
        match &target {
            OutputTarget::File(at) => {
                refuse_path(path, at, reads)?;
                if if_exists == IfExists::Refuse && at.symlink_metadata().is_ok() {
                    let exists = format!("`{}` exists already", path.display());
                    return Err(Failure::usage(exists)
                        .next("`--force` replaces it, with all its edits; or name another file"));
                }
            }
            OutputTarget::Stream => refuse_read(path, path, reads)?,
        }
        Ok(Self {
            path: path.to_owned(),
            target,
            if_exists,
        })
    }

    /// Checks the path of a file whose contents are replaced, before the command begins.
    ///
    /// # Errors
    ///
    /// It is in a deployment, or it is not a file.
    pub(super) fn in_place(path: &Path) -> Result<Self, Failure> {
        let output = Self::new(path, &[], IfExists::Replace).map_err(|mut failure| {
            if failure.exit == Exit::Usage {
                failure.next = vec!["change a copy of it elsewhere, and replace it by hand".into()];
            }
            failure
        })?;
        match output.target {
            OutputTarget::File(_) => Ok(output),
            OutputTarget::Stream => Err(Failure::usage(format_args!(
                "`{}` is not a file that can be replaced",
                path.display()
            ))
            .next("name the file itself")),
        }
    }

    /// Returns whether two outputs of one command are the same file.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (&self.target, &other.target) {
            (OutputTarget::File(one), OutputTarget::File(other)) => one == other,
            _ => false,
        }
    }

    /// Writes a text without changes.
    ///
    /// # Errors
    ///
    /// The system refuses to write: 74. A regular file then has its old contents.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        match &self.target {
            // Appended, so that a log keeps its contents.
            OutputTarget::Stream => File::options()
                .append(true)
                .open(&self.path)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|error| write_failure(&self.path, &error)),
            OutputTarget::File(at) => {
                let directory = replace(at, text.as_bytes(), self.if_exists)
                    .map_err(|error| write_failure(&self.path, &error))?;
                state_now::wrote(&self.path);
                directory.sync_all().map_err(|error| {
                    let reason = format!("`{}` may not be on disk: {error}", self.path.display());
                    Failure::io(reason)
                })
            }
        }
    }
}

/// Prints a document to standard output, or writes it to its file.
pub(super) fn document(text: &str, output: Option<&OutputFile>) -> Result<(), Failure> {
    let Some(output) = output else {
        out::document(text.trim_end());
        return Ok(());
    };
    let text = anstream::adapter::strip_str(&safe::document(text)).to_string();
    output.write(&format!("{}\n", text.trim_end()))?;
    out::mark_document();
    out::message(format_args!("written to {}", shell_quoted(&output.path)));
    Ok(())
}

/// Follows links to their target, which may not exist yet.
fn resolve(path: &Path) -> io::Result<OutputTarget> {
    let mut at = path.to_owned();
    for _ in 0..MAX_LINKS {
        let name = at
            .file_name()
            .ok_or(io::ErrorKind::IsADirectory)?
            .to_owned();
        let parent = at
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."))
            .canonicalize()?;
        at = parent.join(name);
        // Entries there are open files of processes; no file can be created there.
        if parent.starts_with("/proc") {
            return Ok(OutputTarget::Stream);
        }
        let metadata = match at.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(OutputTarget::File(at));
            }
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_symlink() {
            return Ok(if metadata.is_file() {
                OutputTarget::File(at)
            } else {
                OutputTarget::Stream
            });
        }
        refuse_foreign_link(&metadata, &parent)?;
        at = parent.join(at.read_link()?);
    }
    Err(io::Error::other("too many links"))
}

/// Refuses a link of another user in a directory that every user may write, such as `/tmp`, as
/// Linux does when it follows links itself (`fs.protected_symlinks`).
fn refuse_foreign_link(link: &Metadata, parent: &Path) -> io::Result<()> {
    let directory = parent.metadata()?;
    let is_shared = directory.mode() & 0o1002 == 0o1002;
    let user = rustix::process::geteuid().as_raw();
    if is_shared && link.uid() != user && link.uid() != directory.uid() {
        return Err(io::Error::other("it is a link of another user"));
    }
    Ok(())
}

/// Refuses to write into a deployment, or over anything that the command reads. `at` is the path
/// without links; `reads` are files, and directories of payloads.
///
/// # Errors
///
/// The path is in a deployment or is read: 64.
pub(super) fn refuse_path(path: &Path, at: &Path, reads: &[&Path]) -> Result<(), Failure> {
    if let Some(deployment) = at.parent().and_then(enclosing_deployment) {
        return Err(refused(path, "is in the deployment", deployment));
    }
    refuse_read(path, at, reads)
}

/// Refuses to write over a file that the command reads, or into a directory that it reads.
fn refuse_read(path: &Path, at: &Path, reads: &[&Path]) -> Result<(), Failure> {
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let own = at.metadata().ok().map(identity);
    for read in reads {
        let Ok(metadata) = read.metadata() else {
            continue;
        };
        if metadata.is_dir() && read.canonicalize().is_ok_and(|read| at.starts_with(read)) {
            let relation = if read.join("deployment.toml").exists() {
                "is in the deployment"
            } else {
                "is in the payload"
            };
            return Err(refused(path, relation, read));
        }
        if own == Some(identity(metadata)) {
            return Err(refused(path, "is an input of this command:", read));
        }
    }
    Ok(())
}

fn refused(path: &Path, relation: &str, other: &Path) -> Failure {
    Failure::usage(format_args!(
        "`{}` {relation} `{}`",
        path.display(),
        other.display()
    ))
    .next("name a path somewhere else")
}

/// Replaces a file, or creates it, and returns its directory, which is not synced yet.
fn replace(at: &Path, bytes: &[u8], if_exists: IfExists) -> io::Result<File> {
    let directory = at.parent().unwrap_or(Path::new("/"));
    let opened = File::open(directory)?;
    let old = match at.symlink_metadata() {
        Ok(old) if !old.is_file() => {
            return Err(io::Error::other("it is not a regular file any more"));
        }
        Ok(old) => {
            // A rename would replace a read-only file despite its protection.
            accessat(CWD, at, Access::WRITE_OK, AtFlags::EACCESS)?;
            Some(old)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Until it has the mode of the old file, only this user can open it.
    let mode = if old.is_some() { 0o600 } else { 0o666 };
    let mut new = tempfile::Builder::new()
        .prefix(".rollup-")
        .permissions(Permissions::from_mode(mode))
        .tempfile_in(directory)?;
    new.write_all(bytes)?;
    if let Some(old) = &old {
        keep_attributes(at, old, new.as_file())?;
    }
    new.as_file().sync_all()?;
    match (if_exists, &old) {
        (IfExists::Refuse, _) => new.persist_noclobber(at)?,
        (IfExists::Replace, Some(old)) if !is_unchanged(at, old)? => {
            return Err(io::Error::other(
                "it was changed while it was being replaced",
            ));
        }
        (IfExists::Replace, _) => new.persist(at)?,
    };
    Ok(opened)
}

/// Returns whether a file is the one that was seen, with the same contents.
fn is_unchanged(at: &Path, seen: &Metadata) -> io::Result<bool> {
    let now = at.symlink_metadata()?;
    let contents = |file: &Metadata| {
        (
            file.dev(),
            file.ino(),
            file.len(),
            file.mtime(),
            file.mtime_nsec(),
        )
    };
    Ok(contents(&now) == contents(seen))
}

/// Gives a new file the owner, the extended attributes and the mode of the one that it replaces.
fn keep_attributes(at: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    let now = new.metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid())).map_err(|error| {
            io::Error::new(error.kind(), format!("its owner cannot be kept: {error}"))
        })?;
    }
    let kept = kept_attributes(xattr::list(at))?;
    // The directory may give new files a default ACL, which the old file did not have.
    for name in kept_attributes(new.list_xattr())?
        .iter()
        .filter(|name| !kept.contains(name))
    {
        new.remove_xattr(name)?;
    }
    for name in kept {
        if let Some(value) = xattr::get(at, &name)? {
            new.set_xattr(&name, &value)?;
        }
    }
    new.set_permissions(Permissions::from_mode(old.mode() & KEPT_MODE))
}

/// Returns the extended attributes that a file keeps with new contents: not those that grant rights
/// to the old contents, such as capabilities. A file system may support none at all.
fn kept_attributes(listed: io::Result<xattr::XAttrs>) -> io::Result<Vec<OsString>> {
    let is_kept = |name: &OsString| {
        name.to_str()
            .is_some_and(|name| name.starts_with("user.") || name == "system.posix_acl_access")
    };
    match listed {
        Ok(names) => Ok(names.filter(is_kept).collect()),
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn write_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format_args!("cannot write `{}`: {error}", path.display()))
        .next("name a file in a directory that exists and that you may write to")
}
