//! Checks, before anything is written, that every object can be renamed into `.rollup`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Access, AtFlags, Statx, StatxAttributes, StatxFlags};

use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::names::{Escaped, RelPath};
use crate::plan::{EntryKind, Plan, Reason, ReasonKind};

/// Risk of losing a run on a file system in a crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// No known risk: a crash of the process and a power cut are both covered.
    None,
    /// File system in memory, of which nothing survives a power cut.
    Memory,
    /// File system of this name, on which only a crash of the process is covered.
    ProcessOnly(&'static str),
    /// Untested file system.
    Unknown,
}

/// Checks every directory that the plan touches: same mount and device, writable, no mount below.
pub fn preflight(tree: &Tree, plan: &Plan) -> Result<Vec<Reason>, DiskError> {
    let root_mount = mount_of(&statx_directory(tree, None)?);
    let mut reasons = Vec::new();
    // `.rollup` itself must be on the same mount, if it exists.
    let mut directories: BTreeSet<Option<RelPath>> =
        BTreeSet::from([None, Some(RelPath::clone(&ROLLUP_DIR))]);
    for swap in &plan.swaps {
        directories.insert(swap.live.parent());
        directories.extend(swap.live.ancestors().map(Some));
        let inside = swap
            .old
            .iter()
            .filter(|entry| entry.kind == EntryKind::Directory);
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
        let found = statx_directory(tree, directory.as_ref())?;
        if mount_of(&found) != root_mount {
            reasons.push(other_mount_reason(&shown));
        } else if let Some(why) = write_error(tree, directory.as_ref())? {
            let message = format!("`{}` cannot be written to: {why}", Escaped(&shown));
            reasons.push(
                Reason::new(ReasonKind::NotReady, message)
                    .help("give the user who runs rollup write permission"),
            );
        } else if is_immutable(&found) {
            reasons.push(immutable_reason(&shown));
        }
    }
    let mut files: BTreeMap<&RelPath, bool> = BTreeMap::new();
    for swap in &plan.swaps {
        for entry in swap
            .old
            .iter()
            .filter(|entry| entry.kind != EntryKind::Directory)
        {
            // The other files move together with their directory.
            *files.entry(&entry.path).or_default() |=
                entry.path == swap.live || entry.kind == EntryKind::Unmanaged;
        }
    }
    for (file, is_renamed) in files {
        // Files that an earlier swap of this run installs do not exist yet.
        if tree.metadata(file)?.is_none() {
            continue;
        }
        let found = statx_file(tree, file)?;
        let shown = tree.shown(Some(file));
        // A single file can be a mount point, too.
        if mount_of(&found) != root_mount {
            reasons.push(other_mount_reason(&shown));
        } else if is_renamed && is_immutable(&found) {
            reasons.push(immutable_reason(&shown));
        }
    }
    Ok(reasons)
}

fn other_mount_reason(shown: &str) -> Reason {
    let message = format!(
        "`{}` is on another mount than the deployment",
        Escaped(shown)
    );
    let help = "rollup moves objects by renaming, which cannot cross mounts; unmount it, or mount the whole deployment as one";
    Reason::new(ReasonKind::NotReady, message).help(help)
}

fn immutable_reason(shown: &str) -> Reason {
    let message = format!("`{}` is marked immutable or append-only", Escaped(shown));
    Reason::new(ReasonKind::NotReady, message).help("`chattr -i -a` removes the mark")
}

fn statx_directory(tree: &Tree, path: Option<&RelPath>) -> Result<Statx, DiskError> {
    let directory = tree.directory(path)?;
    statx(directory.as_fd(), "", AtFlags::EMPTY_PATH)
        .map_err(|e| DiskError::new("look at", tree.shown(path), e))
}

fn statx_file(tree: &Tree, path: &RelPath) -> Result<Statx, DiskError> {
    let directory = tree.directory(path.parent().as_ref())?;
    statx(directory.as_fd(), path.name(), AtFlags::SYMLINK_NOFOLLOW)
        .map_err(|e| DiskError::new("look at", tree.shown(Some(path)), e))
}

fn statx(directory: BorrowedFd<'_>, name: &str, how: AtFlags) -> rustix::io::Result<Statx> {
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

/// Returns whether an attribute of the object forbids renaming it.
fn is_immutable(found: &Statx) -> bool {
    found
        .stx_attributes
        .intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND)
}

fn write_error(tree: &Tree, path: Option<&RelPath>) -> Result<Option<String>, DiskError> {
    let directory = tree.directory(path)?;
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    match rustix::fs::accessat(directory.as_fd(), c".", wanted, AtFlags::EACCESS) {
        Ok(()) => Ok(None),
        Err(errno) => Ok(Some(std::io::Error::from(errno).to_string())),
    }
}

/// Returns the risk of a crash on the file system of a deployment.
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
