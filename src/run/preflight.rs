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
    /// File system of this kind, on which only a crash of the process is covered.
    ProcessOnly(&'static str),
    /// overlayfs, which may refuse to rename directories.
    Overlay,
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

/// Returns the risk of a crash on the file system of a deployment, by the mount and by the file system's
/// own tables.
pub fn risk(tree: &Tree) -> Risk {
    let Some(mount) = mount(tree) else {
        return Risk::Unknown;
    };
    let has_no_flush = mount
        .options
        .iter()
        .any(|option| option == "nobarrier" || option == "barrier=0");
    match mount.file_system.as_str() {
        "ext3" | "ext4" | "xfs" | "btrfs" if has_no_flush => {
            Risk::ProcessOnly("mounted with `nobarrier`")
        }
        "ext3" | "ext4" if !has_journal(&mount.device) => {
            Risk::ProcessOnly("ext4 without a journal")
        }
        "ext3" | "ext4" | "xfs" | "btrfs" => Risk::None,
        "ext2" => Risk::ProcessOnly("ext2"),
        "tmpfs" | "ramfs" => Risk::Memory,
        "overlay" => Risk::Overlay,
        "nfs" | "nfs4" => Risk::ProcessOnly("NFS"),
        "cifs" | "smb3" | "smbfs" => Risk::ProcessOnly("SMB"),
        "vfat" | "msdos" | "exfat" => Risk::ProcessOnly("FAT"),
        name if name.starts_with("fuse") => Risk::ProcessOnly("FUSE"),
        _ => Risk::Unknown,
    }
}

/// Mount of a deployment, from `/proc/self/mountinfo`.
struct Mount {
    /// Major and minor number, joined by a colon.
    device: String,
    file_system: String,
    /// Options of the file system.
    options: Vec<String>,
}

fn mount(tree: &Tree) -> Option<Mount> {
    let id = statx_directory(tree, None).ok()?.stx_mnt_id.to_string();
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts
        .lines()
        .find(|line| line.split(' ').next() == Some(&id))?;
    // Optional fields end with a hyphen; the type, the source and the options of the file system follow.
    let (fields, of_file_system) = mount.split_once(" - ")?;
    let mut of_file_system = of_file_system.split(' ');
    Some(Mount {
        device: fields.split(' ').nth(2)?.to_owned(),
        file_system: of_file_system.next()?.to_owned(),
        options: of_file_system
            .nth(1)?
            .split(',')
            .map(str::to_owned)
            .collect(),
    })
}

/// Returns whether ext3 or ext4 on a device has a journal; if the system does not say, it has.
fn has_journal(device: &str) -> bool {
    let link = std::fs::read_link(format!("/sys/dev/block/{device}")).ok();
    let name = link.as_deref().and_then(std::path::Path::file_name);
    let task = name.and_then(|name| {
        let table = std::path::Path::new("/sys/fs/ext4").join(name);
        std::fs::read_to_string(table.join("journal_task")).ok()
    });
    task.is_none_or(|task| task.trim() != "<none>")
}
