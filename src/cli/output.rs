//! The only writer of files that people name: `-o`, `--save`, drafts and pins.
//!
//! Writing is atomic: a file is written under a random name in the same directory, synced to disk
//! and renamed. It replaces nothing that matters: no file of a deployment or of the payload in use,
//! and nothing that the command reads. It keeps mode, owner and attributes of a file that it
//! replaces, and a link stays a link.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};
use xattr::FileExt;

use super::exit::{Exit, Failure};
use super::out::{self, typed};
use crate::deployment::enclosing::enclosing_deployment;

/// Largest number of links that are followed to their target, as on Linux.
const MOST_LINKS: usize = 40;
/// Permission bits that a file may keep with other contents: not those that grant the owner's
/// rights.
const KEPT_MODE: u32 = 0o1777;

/// Treatment of a file that exists already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Existing {
    /// The file is replaced: a report or a plan can be made again.
    Replaced,
    /// The file stays, and the command is refused: people edit such files.
    Kept,
}

/// File that a command may write.
#[derive(Debug)]
pub(super) struct OutputFile {
    /// Path as it was typed.
    typed: PathBuf,
    place: Place,
    existing: Existing,
}

/// Target of the bytes.
#[derive(Debug)]
enum Place {
    /// Regular file, by its path without links.
    File(PathBuf),
    /// Device, pipe, or open file of this process: written to as it is.
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
        if let Place::File(at) = &place {
            refuse_place(path, at, reads)?;
            if existing == Existing::Kept && at.symlink_metadata().is_ok() {
                return Err(Failure::new(
                    Exit::Usage,
                    format_args!("`{}` exists already", path.display()),
                )
                .now("nothing was written")
                .next("`--force` replaces it, with what was edited there; or name another file"));
            }
        }
        Ok(Self {
            typed: path.to_owned(),
            place,
            existing,
        })
    }

    /// Returns whether two outputs of one command are the same file.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        matches!((&self.place, &other.place), (Place::File(one), Place::File(other)) if one == other)
    }

    /// Writes a text and its last newline.
    ///
    /// # Errors
    ///
    /// The system refuses the write: 74. A regular file is then unchanged.
    pub(super) fn write(&self, text: &str) -> Result<(), Failure> {
        let text = format!("{}\n", text.trim_end());
        let written = match &self.place {
            // Appended, so that a log keeps what it has.
            Place::Stream => File::options()
                .append(true)
                .open(&self.typed)
                .and_then(|mut file| file.write_all(text.as_bytes())),
            Place::File(at) => replace(at, text.as_bytes(), self.existing),
        };
        written.map_err(|error| not_written(&self.typed, &error))
    }
}

/// Prints a document to standard output, or writes it to its file.
pub(super) fn document(text: &str, output: Option<&OutputFile>) -> Result<(), Failure> {
    let Some(output) = output else {
        out::line(text.trim_end());
        return Ok(());
    };
    output.write(&anstream::adapter::strip_str(text).to_string())?;
    out::say(format_args!("written to {}", typed(&output.typed)));
    Ok(())
}

/// Follows links to their target, which may not exist yet.
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
        // Below `/proc` are open files of processes, and a regular file cannot be created there.
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
    let identity = |metadata: Metadata| (metadata.dev(), metadata.ino());
    let own = at.metadata().ok().map(identity);
    for read in reads {
        let Ok(metadata) = read.metadata() else {
            continue;
        };
        if metadata.is_dir() && read.canonicalize().is_ok_and(|read| at.starts_with(read)) {
            return Err(refused(path, "is in the payload", read));
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

fn replace(at: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    let directory = at.parent().unwrap_or(Path::new("/"));
    let old = match at.symlink_metadata() {
        Ok(old) if !old.is_file() => {
            return Err(io::Error::other("it is not a regular file any more"));
        }
        Ok(old) => {
            // A rename would bypass the protection of a read-only file.
            accessat(CWD, at, Access::WRITE_OK, AtFlags::EACCESS)?;
            Some(old)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    let prefix = format!(
        ".{}.",
        at.file_name()
            .unwrap_or(OsStr::new("output"))
            .to_string_lossy()
    );
    let mut new = tempfile::Builder::new()
        .prefix(&prefix)
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(directory)?;
    new.write_all(bytes)?;
    if let Some(old) = &old {
        keep_attributes(at, old, new.as_file())?;
    }
    new.as_file().sync_all()?;
    match (existing, &old) {
        (Existing::Kept, None) => new.persist_noclobber(at)?,
        _ => new.persist(at)?,
    };
    File::open(directory)?.sync_all()
}

/// Gives a new file the owner, the extended attributes and the mode of the one that it replaces.
fn keep_attributes(at: &Path, old: &Metadata, new: &File) -> io::Result<()> {
    let now = new.metadata()?;
    if (now.uid(), now.gid()) != (old.uid(), old.gid()) {
        fchown(new, Some(old.uid()), Some(old.gid())).map_err(|error| {
            io::Error::new(error.kind(), format!("its owner cannot be kept: {error}"))
        })?;
    }
    // Not those that grant rights to a program because of its old contents, such as capabilities.
    let is_kept = |name: &OsString| {
        name.to_str()
            .is_some_and(|name| name.starts_with("user.") || name == "system.posix_acl_access")
    };
    for name in attribute_names(at)?.iter().filter(|name| is_kept(name)) {
        if let Some(value) = xattr::get(at, name)? {
            new.set_xattr(name, &value)?;
        }
    }
    new.set_permissions(Permissions::from_mode(old.mode() & KEPT_MODE))
}

/// Returns the names of a file's extended attributes; none if the file system does not support
/// them.
fn attribute_names(at: &Path) -> io::Result<Vec<OsString>> {
    match xattr::list(at) {
        Ok(names) => Ok(names.collect()),
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
