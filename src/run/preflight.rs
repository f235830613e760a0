//! Checks before anything is written: can every object be renamed into `.rollup`?

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Access, AtFlags, Statx, StatxAttributes, StatxFlags};

use crate::deployment::tree::{DiskError, FileKind, Tree, path};
use crate::names::{Escaped, RelPath};
use crate::plan::{Plan, Reason, ReasonKind, What};

/// Crash safety of a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// A crash of the process and a power cut are both covered.
    None,
    /// Nothing on the file system survives a power cut.
    Memory,
    /// Only a crash of the process is covered.
    ProcessOnly(&'static str),
    /// The file system is untested.
    Unknown,
}

/// Checks every directory that the plan touches: same mount and device, writable, no mount below.
pub fn preflight(tree: &Tree, plan: &Plan) -> Result<Vec<Reason>, DiskError> {
    let home = mount_of(&look_at_directory(tree, None)?);
    let mut reasons = Vec::new();
    // `.rollup` itself must be on the same mount, if it exists.
    let mut directories: BTreeSet<Option<RelPath>> = BTreeSet::from([None, Some(path(".rollup"))]);
    for swap in &plan.swaps {
        directories.insert(swap.live.parent());
        directories.extend(swap.live.ancestors().map(Some));
        let inside = swap
            .old
            .iter()
            .filter(|entry| entry.what == What::Directory);
        directories.extend(inside.map(|entry| Some(entry.path.clone())));
    }
    for directory in directories {
        if let Some(at) = &directory
            && tree
                .metadata(at)?
                .is_none_or(|metadata| metadata.kind != FileKind::Directory)
        {
            continue;
        }
        let shown = tree.shown(directory.as_ref());
        let found = look_at_directory(tree, directory.as_ref())?;
        if mount_of(&found) != home {
            reasons.push(another_mount(&shown));
        } else if let Some(why) = not_writable(tree, directory.as_ref())? {
            let message = format!("`{}` cannot be written to: {why}", Escaped(&shown));
            reasons.push(
                Reason::new(ReasonKind::NotReady, message)
                    .help("give the user who runs rollup the right to"),
            );
        } else if is_fixed(&found) {
            reasons.push(fixed(&shown));
        }
    }
    let mut files: BTreeMap<&RelPath, bool> = BTreeMap::new();
    for swap in &plan.swaps {
        for entry in swap
            .old
            .iter()
            .filter(|entry| entry.what != What::Directory)
        {
            // The others move together with their directory.
            *files.entry(&entry.path).or_default() |=
                entry.path == swap.live || entry.what == What::Unmanaged;
        }
    }
    for (file, is_renamed) in files {
        // Files that an earlier swap of this run installs do not exist yet.
        if tree.metadata(file)?.is_none() {
            continue;
        }
        let found = look_at_file(tree, file)?;
        let shown = tree.shown(Some(file));
        // A single file can be a mount point, too.
        if mount_of(&found) != home {
            reasons.push(another_mount(&shown));
        } else if is_renamed && is_fixed(&found) {
            reasons.push(fixed(&shown));
        }
    }
    Ok(reasons)
}

fn another_mount(shown: &str) -> Reason {
    let message = format!(
        "`{}` lies on another mount than the deployment",
        Escaped(shown)
    );
    let help = "rollup moves objects by renaming, which cannot cross mounts; unmount it, or mount the whole deployment";
    Reason::new(ReasonKind::NotReady, message).help(help)
}

fn fixed(shown: &str) -> Reason {
    let message = format!("`{}` is marked immutable or append-only", Escaped(shown));
    Reason::new(ReasonKind::NotReady, message).help("`chattr -i -a` takes the mark away")
}

fn look_at_directory(tree: &Tree, path: Option<&RelPath>) -> Result<Statx, DiskError> {
    let directory = tree.directory(path)?;
    look_at(directory.as_fd(), "", AtFlags::EMPTY_PATH)
        .map_err(|e| DiskError::new("look at", tree.shown(path), e))
}

fn look_at_file(tree: &Tree, path: &RelPath) -> Result<Statx, DiskError> {
    let directory = tree.directory(path.parent().as_ref())?;
    look_at(directory.as_fd(), path.name(), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| DiskError::new("look at", tree.shown(Some(path)), e))
}

fn look_at(directory: BorrowedFd<'_>, name: &str, how: AtFlags) -> rustix::io::Result<Statx> {
    rustix::fs::statx(
        directory,
        name,
        how,
        StatxFlags::BASIC_STATS | StatxFlags::MNT_ID,
    )
}

/// Returns mount and device: renames stay within one.
fn mount_of(found: &Statx) -> (u64, u32, u32) {
    (found.stx_mnt_id, found.stx_dev_major, found.stx_dev_minor)
}

/// Returns whether the system forbids renaming the object.
fn is_fixed(found: &Statx) -> bool {
    found
        .stx_attributes
        .intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND)
}

fn not_writable(tree: &Tree, path: Option<&RelPath>) -> Result<Option<String>, DiskError> {
    let directory = tree.directory(path)?;
    let asked = Access::WRITE_OK | Access::EXEC_OK;
    match rustix::fs::accessat(directory.as_fd(), c".", asked, AtFlags::EACCESS) {
        Ok(()) => Ok(None),
        Err(errno) => Ok(Some(std::io::Error::from(errno).to_string())),
    }
}

/// Returns what the file system of a deployment keeps across a crash.
pub fn risk(tree: &Tree) -> Risk {
    let Ok(found) = rustix::fs::fstatfs(tree.root()) else {
        return Risk::Unknown;
    };
    match found.f_type as u64 & 0xffff_ffff {
        // ext2, ext3 and ext4 share a number.
        0xEF53 | 0x5846_5342 | 0x9123_683E => Risk::None,
        0x0102_1994 | 0x8584_58f6 => Risk::Memory,
        0x6969 => Risk::ProcessOnly("NFS"),
        0xFF53_4D42 | 0xFE53_4D42 | 0x517B => Risk::ProcessOnly("SMB"),
        0x6573_5546 => Risk::ProcessOnly("FUSE"),
        0x4d44 | 0x2011_BAB0 => Risk::ProcessOnly("FAT"),
        _ => Risk::Unknown,
    }
}
