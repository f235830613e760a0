//! Removal of a directory with everything in it: the only code that deletes more than one name at a
//! time.
//!
//! Every access goes through handles, without following links. A mount anywhere below is found
//! before anything is removed: mounted files do not belong to the tree, and a bind mount of the
//! same device looks like any other directory. Only one directory is open at a time, so that
//! neither a deep tree nor a path that is too long for the system makes the removal fail: the walk
//! returns through `..`, and checks that this is the directory from which it descended.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use cap_std::fs::Dir;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, StatxFlags, openat, statx, unlinkat};

use super::tree::{DiskError, Tree, entries_in};
use crate::names::RelPath;

/// Function that is called before every single removal, and prevents it by an error.
pub type BeforeEach<'a> = &'a dyn Fn() -> io::Result<()>;

/// Function that receives the path of an entry as shown to people, its kind, and the size of a
/// file.
pub type ForEachEntry<'a> = &'a dyn Fn(&Path, FileType, u64);

/// Error: a file system is mounted at a path that would be removed.
#[derive(Debug, thiserror::Error)]
#[error("a file system is mounted there")]
pub struct MountPointError;

/// Removes a directory with everything in it.
///
/// # Errors
///
/// A mount at the directory or below it: then nothing was removed.
pub fn remove_tree(
    parent: &Dir,
    name: &OsStr,
    shown: &Path,
    before_each: BeforeEach<'_>,
) -> Result<(), DiskError> {
    let Some(directory) = open_below(parent, name, shown)? else {
        return Ok(());
    };
    walk(&directory, shown, WalkPurpose::Check)?;
    walk(&directory, shown, WalkPurpose::Remove(before_each))?;
    let removed = before_each().and_then(|()| Ok(unlinkat(parent, name, AtFlags::REMOVEDIR)?));
    removed.map_err(|e| failed("remove", shown, e))
}

/// Removes a directory of the machine, by its path; does nothing if it does not exist.
///
/// # Errors
///
/// As [`remove_tree`].
pub fn remove_path(path: &Path) -> Result<(), DiskError> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(
            "remove",
            path,
            io::Error::other("it has no parent directory"),
        ));
    };
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    match Dir::open_ambient_dir(parent, cap_std::ambient_authority()) {
        Ok(parent) => remove_tree(&parent, name, path, &|| Ok(())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed("open the directory", parent, error)),
    }
}

/// Refuses a directory with a mount at it or below it; one that does not exist has none.
///
/// # Errors
///
/// The first mount point, by name, or an entry that cannot be read.
pub fn refuse_mounts(tree: &Tree, at: &RelPath) -> Result<(), DiskError> {
    below(tree, at, WalkPurpose::Check)
}

/// Passes everything that would be removed with a directory to `for_each`. Mounts are left out.
///
/// # Errors
///
/// An entry that cannot be read.
pub fn list(tree: &Tree, at: &RelPath, for_each: ForEachEntry<'_>) -> Result<(), DiskError> {
    below(tree, at, WalkPurpose::List(for_each))
}

/// Refuses mounts below a directory that is open already.
///
/// # Errors
///
/// As [`refuse_mounts`].
pub fn refuse_mounts_in(directory: &Dir, shown: &Path) -> Result<(), DiskError> {
    walk(
        &open(directory, OsStr::new("."), shown)?,
        shown,
        WalkPurpose::Check,
    )
}

/// Passes everything below a directory that is open already to `for_each`.
///
/// # Errors
///
/// As [`list`].
pub fn list_in(directory: &Dir, shown: &Path, for_each: ForEachEntry<'_>) -> Result<(), DiskError> {
    walk(
        &open(directory, OsStr::new("."), shown)?,
        shown,
        WalkPurpose::List(for_each),
    )
}

/// Returns whether a removal was refused because of a mount.
pub fn is_mount_point(error: &io::Error) -> bool {
    error
        .get_ref()
        .is_some_and(|inner| inner.is::<MountPointError>())
}

/// Purpose of a walk.
#[derive(Clone, Copy)]
enum WalkPurpose<'a> {
    /// Search for mounts.
    Check,
    /// Listing of everything below.
    List(ForEachEntry<'a>),
    /// Removal of everything below.
    Remove(BeforeEach<'a>),
}

/// Directory on the path from the top to the current directory of a walk.
struct OpenDirectory {
    /// Its name in its parent directory; empty for the first one.
    name: OsString,
    identity: EntryIdentity,
    /// Subdirectories that are still to be entered.
    left: Vec<OsString>,
}

/// Identity of an entry: its mount, if the kernel reports it, its device and its inode.
#[derive(Clone, Copy, PartialEq, Eq)]
struct EntryIdentity {
    mount: Option<u64>,
    device: (u32, u32),
    inode: u64,
}

/// Metadata of an entry.
struct EntryMetadata {
    identity: EntryIdentity,
    kind: FileType,
    size: u64,
}

/// Walks through everything below a directory.
fn walk(top: &OwnedFd, shown: &Path, purpose: WalkPurpose<'_>) -> Result<(), DiskError> {
    let mut here = open(top, OsStr::new("."), shown)?;
    let mut shown = shown.to_owned();
    let mut above: Vec<OpenDirectory> = Vec::new();
    let mut level = enter(&here, OsString::new(), &shown, purpose)?;
    loop {
        if let Some(name) = level.left.pop() {
            shown.push(&name);
            here = open(&here, &name, &shown)?;
            let below = enter(&here, name, &shown, purpose)?;
            refuse_other(level.identity, below.identity, true, &shown)?;
            above.push(std::mem::replace(&mut level, below));
            continue;
        }
        let Some(parent) = above.pop() else {
            return Ok(());
        };
        here = open(&here, OsStr::new(".."), &shown)?;
        if metadata(&here, OsStr::new(""), &shown)?.identity != parent.identity {
            return Err(failed(
                "remove",
                &shown,
                io::Error::other("another process moved it"),
            ));
        }
        if let WalkPurpose::Remove(before_each) = purpose {
            let removed =
                before_each().and_then(|()| Ok(unlinkat(&here, &level.name, AtFlags::REMOVEDIR)?));
            removed.map_err(|e| failed("remove", &shown, e))?;
        }
        shown.pop();
        level = parent;
    }
}

fn below(tree: &Tree, at: &RelPath, purpose: WalkPurpose<'_>) -> Result<(), DiskError> {
    let shown = PathBuf::from(tree.shown(Some(at)));
    let parent = match tree.directory(at.parent().as_ref()) {
        Err(error) if error.is_missing() => return Ok(()),
        parent => parent?,
    };
    match (open_below(&parent, at.name().as_ref(), &shown), purpose) {
        (Err(error), WalkPurpose::List(_)) if is_mount_point(&error.source) => Ok(()),
        (directory, _) => match directory? {
            Some(directory) => walk(&directory, &shown, purpose),
            None => Ok(()),
        },
    }
}

/// Lists a directory and handles its entries as the purpose requires. Its subdirectories are not
/// removed yet, but returned as still to be entered.
fn enter(
    here: &OwnedFd,
    name: OsString,
    shown: &Path,
    purpose: WalkPurpose<'_>,
) -> Result<OpenDirectory, DiskError> {
    let identity = metadata(here, OsStr::new(""), shown)?.identity;
    let mut left = Vec::new();
    for name in names(here).map_err(|e| failed("list", shown, e))? {
        let shown = shown.join(&name);
        let found = match metadata(here, &name, &shown) {
            Err(error) if error.is_missing() => continue,
            found => found?,
        };
        let is_directory = found.kind == FileType::Directory;
        // Checked before the directory is opened, which could trigger an automount.
        match (
            refuse_other(identity, found.identity, is_directory, &shown),
            purpose,
        ) {
            (Err(_), WalkPurpose::List(_)) => continue,
            (refused, _) => refused?,
        }
        match purpose {
            WalkPurpose::Check => {}
            WalkPurpose::List(for_each) => for_each(&shown, found.kind, found.size),
            WalkPurpose::Remove(_) if is_directory => {}
            WalkPurpose::Remove(before_each) => {
                let removed =
                    before_each().and_then(|()| Ok(unlinkat(here, &name, AtFlags::empty())?));
                removed.map_err(|e| failed("remove", &shown, e))?;
            }
        }
        if is_directory {
            left.push(name);
        }
    }
    Ok(OpenDirectory {
        name,
        identity,
        left,
    })
}

/// Returns all names in a directory. They are read before any removal, because listing a directory
/// that changes may miss some.
fn names(here: &OwnedFd) -> io::Result<Vec<OsString>> {
    let entries = entries_in(here)?.into_iter();
    Ok(entries.map(|(name, _)| name).collect())
}

/// Opens a directory below another one, in the same mount; `None` if it does not exist.
fn open_below(parent: &Dir, name: &OsStr, shown: &Path) -> Result<Option<OwnedFd>, DiskError> {
    let found = match metadata(parent, name, shown) {
        Err(error) if error.is_missing() => return Ok(None),
        found => found?,
    };
    let outside = metadata(parent, OsStr::new(""), shown)?;
    refuse_other(outside.identity, found.identity, true, shown)?;
    open(parent, name, shown).map(Some)
}

fn open(parent: impl AsFd, name: &OsStr, shown: &Path) -> Result<OwnedFd, DiskError> {
    let flags =
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
        .map_err(|e| failed("open the directory", shown, e.into()))
}

/// Reads the metadata of an entry of a directory, or of the directory itself if the name is empty.
fn metadata(directory: impl AsFd, name: &OsStr, shown: &Path) -> Result<EntryMetadata, DiskError> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT | AtFlags::EMPTY_PATH;
    let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::SIZE | StatxFlags::MNT_ID;
    let found =
        statx(&directory, name, flags, wanted).map_err(|e| failed("look at", shown, e.into()))?;
    // Linux before 5.8 does not report the mount; the device has to be enough.
    let mount = (found.stx_mask & StatxFlags::MNT_ID.bits() != 0).then_some(found.stx_mnt_id);
    let identity = EntryIdentity {
        mount,
        device: (found.stx_dev_major, found.stx_dev_minor),
        inode: found.stx_ino,
    };
    Ok(EntryMetadata {
        identity,
        kind: FileType::from_raw_mode(found.stx_mode.into()),
        size: found.stx_size,
    })
}

/// Refuses an entry on another mount than its directory.
///
/// Without a mount, a file may have another device than its directory (overlayfs); a directory
/// cannot.
fn refuse_other(
    outside: EntryIdentity,
    inside: EntryIdentity,
    is_directory: bool,
    shown: &Path,
) -> Result<(), DiskError> {
    let is_other_device =
        outside.device != inside.device && (is_directory || inside.mount.is_none());
    match outside.mount != inside.mount || is_other_device {
        true => Err(failed(
            "remove",
            shown,
            io::Error::new(io::ErrorKind::ResourceBusy, MountPointError),
        )),
        false => Ok(()),
    }
}

fn failed(action: &'static str, shown: &Path, error: io::Error) -> DiskError {
    DiskError::new(action, shown.display().to_string(), error)
}
