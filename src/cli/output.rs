//! The one writer of files that people name: `-o`, `--save`, drafts and pins.
//!
//! A file is there completely or not at all: it is written under a random name beside its place,
//! brought to disk and renamed. It replaces nothing that matters: no file of a deployment or of the
//! payload in use, and nothing that the command reads. Of a file that it replaces it keeps mode,
//! owner and attributes, and a link stays a link.

use std::ffi::OsString;
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use xattr::FileExt;

use super::exit::{Exit, Failure};
use crate::cli::terminal::out::{self, typed};
use crate::deployment::enclosing::enclosing_deployment;

/// The most links that are followed to the file that they stand for, as Linux has it.
const MOST_LINKS: usize = 40;
/// Permission bits that a file may keep with other contents: not those that lend the owner's
/// rights.
const KEPT_MODE: u32 = 0o1777;

/// What happens to a file that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// It is replaced: a report or a plan can be made again.
    Replaced,
    /// It stays, and the command is refused: people edit such files.
    Kept,
}

/// A file that a command may write.
#[derive(Debug)]
pub(super) struct OutputFile {
    /// As it was typed.
    typed: PathBuf,
    place: Place,
    existing: Existing,
}

/// Where the bytes go.
#[derive(Debug)]
enum Place {
    /// A regular file, by its path without links.
    File(PathBuf),
    /// A device, a pipe, or an open file of this process: written to as it is.
    Stream,
}

impl OutputFile {
    /// Checks the place of a document, before the command begins. `None` and `-` are standard
    /// output.
    ///
    /// # Errors
    ///
    /// A place in a deployment, in one of the directories that the command reads, or one of the
    /// files that it reads: 64.
    pub(super) fn of(output: Option<&Path>, reads: &[&Path]) -> Result<Option<Self>, Failure> {
        let path = output.filter(|path| *path != Path::new("-"));
        path.map(|path| Self::new(path, reads, Existing::Replaced))
            .transpose()
    }

    /// Checks the place of a file, before the command begins.
    ///
    /// # Errors
    ///
    /// As [`OutputFile::of`]; and a file that exists and is to be kept.
    pub(super) fn new(path: &Path, reads: &[&Path], existing: Existing) -> Result<Self, Failure> {
        let place = resolve(path).map_err(|error| not_written(path, &error))?;
        match &place {
            Place::File(at) => {
                refuse_place(path, at, reads)?;
                if existing == Existing::Kept && at.symlink_metadata().is_ok() {
                    let exists = format_args!("`{}` exists already", path.display());
                    return Err(Failure::new(Exit::Usage, exists)
                        .now("nothing was written")
                        .next("`--force` replaces it, with what was edited there; or name another file"));
                }
            }
            Place::Stream => refuse_read(path, path, reads)?,
        }
        Ok(Self {
            typed: path.to_owned(),
            place,
            existing,
        })
    }

    /// Whether two outputs of one command are the same file.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        matches!((&self.place, &other.place), (Place::File(one), Place::File(other)) if one == other)
    }

    /// Writes a text as it is.
    ///
    /// # Errors
    ///
    /// What the system refuses: 74. A regular file is as it was then.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        match &self.place {
            // Appended, so that a log keeps what it has.
            Place::Stream => File::options()
                .append(true)
                .open(&self.typed)
                .and_then(|mut file| file.write_all(text.as_bytes()))
                .map_err(|error| not_written(&self.typed, &error)),
            Place::File(at) => {
                let directory = replace(at, text.as_bytes(), self.existing)
                    .map_err(|error| not_written(&self.typed, &error))?;
                directory.sync_all().map_err(|error| {
                    let what = format!("`{}` may not be on disk: {error}", self.typed.display());
                    Failure::new(Exit::Io, what)
                        .now("the file has its new contents, which a power cut may take away")
                })
            }
        }
    }
}

/// Prints a document to standard output, or writes it to its file.
pub(super) fn document(text: &str, output: Option<&OutputFile>) -> Result<(), Failure> {
    let Some(output) = output else {
        out::line(text.trim_end());
        return Ok(());
    };
    let text = anstream::adapter::strip_str(text).to_string();
    output.write(&format!("{}\n", text.trim_end()))?;
    out::say(format_args!("written to {}", typed(&output.typed)));
    Ok(())
}

/// Follows links to the file that they stand for, which may not exist yet.
fn resolve(path: &Path) -> io::Result<Place> {
    let mut at = path.to_owned();
    for _ in 0..MOST_LINKS {
        let name = at
            .file_name()
            .ok_or(io::ErrorKind::IsADirectory)?
            .to_owned();
        let parent = at
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let parent = parent.canonicalize()?;
        at = parent.join(name);
        // What is there are open files of processes, and no file has its place there.
        if parent.starts_with("/proc") {
            return Ok(Place::Stream);
        }
        let metadata = match at.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Place::File(at)),
            Err(error) => return Err(error),
        };
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        if !metadata.is_symlink() {
            return Ok(if metadata.is_file() {
                Place::File(at)
            } else {
                Place::Stream
            });
        }
        refuse_planted(&metadata, &parent)?;
        at = parent.join(at.read_link()?);
    }
    Err(io::Error::other("too many links"))
}

/// Refuses a link that another user left in a directory for everybody, such as `/tmp`, as Linux
/// does when it follows links itself (`fs.protected_symlinks`).
fn refuse_planted(link: &Metadata, parent: &Path) -> io::Result<()> {
    let directory = parent.metadata()?;
    let is_shared = directory.mode() & 0o1002 == 0o1002;
    let user = rustix::process::geteuid().as_raw();
    match is_shared && link.uid() != user && link.uid() != directory.uid() {
        true => Err(io::Error::other("it is a link that another user made")),
        false => Ok(()),
    }
}

/// Refuses to write where a deployment is, or what the command reads. `at` is the path without
/// links, and `reads` are files, and directories of payloads.
///
/// # Errors
///
/// Such a place: 64.
pub(super) fn refuse_place(path: &Path, at: &Path, reads: &[&Path]) -> Result<(), Failure> {
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
            let what = match read.join("deployment.toml").exists() {
                true => "is in the deployment",
                false => "is in the payload",
            };
            return Err(refused(path, what, read));
        }
        if own == Some(identity(metadata)) {
            return Err(refused(path, "is what the command reads:", read));
        }
    }
    Ok(())
}

fn refused(path: &Path, what: &str, other: &Path) -> Failure {
    Failure::new(
        Exit::Usage,
        format_args!("`{}` {what} `{}`", path.display(), other.display()),
    )
    .now("nothing was written")
    .next("name a place that is somewhere else")
}

/// Replaces a file, or makes it, and returns its directory, which is not synced yet.
fn replace(at: &Path, bytes: &[u8], existing: Existing) -> io::Result<File> {
    let directory = at.parent().unwrap_or(Path::new("/"));
    let opened = File::open(directory)?;
    let old = match at.symlink_metadata() {
        Ok(old) if !old.is_file() => {
            return Err(io::Error::other("it is not a regular file any more"));
        }
        Ok(old) => {
            // A rename would pass by the protection of a file that is read-only.
            accessat(CWD, at, Access::WRITE_OK, AtFlags::EACCESS)?;
            Some(old)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    // Until it has the mode of the old file, it is closed to others.
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
    match (existing, &old) {
        (Existing::Kept, _) => new.persist_noclobber(at)?,
        (Existing::Replaced, Some(old)) if !is_unchanged(at, old)? => {
            return Err(io::Error::other(
                "it was changed while it was being replaced",
            ));
        }
        (Existing::Replaced, _) => new.persist(at)?,
    };
    Ok(opened)
}

/// Returns whether a file is the one that was seen, with the contents that it had then.
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
    // The directory may give new files an ACL of its own, which the old file did not have.
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

/// Returns the extended attributes that a file keeps with other contents: not those that give
/// rights to a program for what it was, such as capabilities. A file system may have none at all.
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

fn not_written(path: &Path, error: &io::Error) -> Failure {
    Failure::new(
        Exit::Io,
        format_args!("cannot write `{}`: {error}", path.display()),
    )
    .now("nothing was written")
    .next("name a file in a directory that exists and that you may write to")
}
