//! Checks, before anything is written, that every object can be renamed into `.rollup`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::fs::{Access, AtFlags, Statx, StatxAttributes, StatxFlags};
use rustix::io::Errno;

use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};
use crate::deployment::tree::{DiskError, FileKind, Tree};
use crate::names::{Escaped, RelPath};
use crate::plan::{EntryKind, Plan, Reason, ReasonKind, Swap};

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

/// What would stop a run before it changes anything.
#[derive(Debug, Default)]
pub struct Preflight {
    /// Faults of the deployment: mounts, immutable files, a file system that is read-only.
    pub site: Vec<Reason>,
    /// What only this user may not do.
    pub caller: Vec<Reason>,
}

impl Preflight {
    /// Returns all reasons: none if the run can begin.
    pub fn all(self) -> Vec<Reason> {
        self.site.into_iter().chain(self.caller).collect()
    }
}

/// Objects that a run renames, and the directories in which it does.
#[derive(Default)]
struct TouchedObjects {
    /// Directories that are written to; `None` is the root.
    directories: BTreeSet<Option<RelPath>>,
    /// Files, and whether they are renamed themselves; the others move together with their directory.
    files: BTreeMap<RelPath, bool>,
}

impl TouchedObjects {
    fn new() -> Self {
        // `.rollup` itself must be on the same mount, if it exists.
        let own = [None, Some(RelPath::clone(&ROLLUP_DIR))];
        Self {
            directories: own.into(),
            ..Self::default()
        }
    }

    fn add_parents_of(&mut self, path: &RelPath) {
        self.directories.insert(path.parent());
        self.directories.extend(path.ancestors().map(Some));
    }
}

/// Checks every object that a plan touches: same mount and device, writable, no mount below. What
/// does not exist yet is left out.
///
/// # Errors
///
/// The deployment cannot be read.
pub fn preflight(tree: &Tree, plan: &Plan) -> Result<Preflight, DiskError> {
    let mut touched = TouchedObjects::new();
    for swap in &plan.swaps {
        touched.add_parents_of(&swap.live);
        for entry in &swap.old {
            if entry.kind == EntryKind::Directory {
                touched.directories.insert(Some(entry.path.clone()));
                continue;
            }
            let is_renamed = entry.path == swap.live || entry.kind == EntryKind::Unmanaged;
            *touched.files.entry(entry.path.clone()).or_default() |= is_renamed;
        }
    }
    check(tree, touched)
}

/// Checks every object that a walk of a run renames, in the same way.
///
/// # Errors
///
/// The deployment cannot be read.
pub fn preflight_of_walk<'p>(
    tree: &Tree,
    run: &RunDir,
    swaps: impl IntoIterator<Item = &'p Swap>,
) -> Result<Preflight, DiskError> {
    let mut touched = TouchedObjects::new();
    for swap in swaps {
        let number = swap.number;
        touched.add_parents_of(&swap.live);
        touched.directories.insert(Some(run.slot(number)));
        for object in [
            swap.live.clone(),
            run.new_object(number),
            run.old_object(number),
        ] {
            match tree.metadata(&object)?.map(|metadata| metadata.kind) {
                Some(FileKind::Directory) => {
                    touched.directories.insert(Some(object));
                }
                Some(FileKind::File) => {
                    touched.files.insert(object, true);
                }
                _ => {}
            }
        }
    }
    check(tree, touched)
}

fn check(tree: &Tree, touched: TouchedObjects) -> Result<Preflight, DiskError> {
    let root_mount = mount_of(&statx_directory(tree, None)?);
    let mut found = Preflight::default();
    // Directories by the number of the error.
    let mut not_writable: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    for at in touched.directories {
        if let Some(at) = &at
            && tree
                .metadata(at)?
                .is_none_or(|metadata| metadata.kind != FileKind::Directory)
        {
            continue;
        }
        let shown = tree.shown(at.as_ref());
        let status = statx_directory(tree, at.as_ref())?;
        if mount_of(&status) != root_mount {
            found.site.push(other_mount_reason(&shown));
        } else if is_immutable(&status) {
            found.site.push(immutable_reason(&shown));
        } else if let Some(errno) = write_error(tree, at.as_ref())? {
            not_writable
                .entry(errno.raw_os_error())
                .or_default()
                .push(shown);
        }
    }
    for (file, is_renamed) in touched.files {
        // Files that an earlier swap of this run installs do not exist yet.
        if tree.metadata(&file)?.is_none() {
            continue;
        }
        let status = statx_file(tree, &file)?;
        let shown = tree.shown(Some(&file));
        // A single file can be a mount point, too.
        if mount_of(&status) != root_mount {
            found.site.push(other_mount_reason(&shown));
        } else if is_renamed && is_immutable(&status) {
            found.site.push(immutable_reason(&shown));
        }
    }
    for (number, directories) in not_writable {
        let errno = Errno::from_raw_os_error(number);
        let reason = not_writable_reason(&directories, errno);
        match errno {
            Errno::ACCESS | Errno::PERM => found.caller.push(reason),
            _ => found.site.push(reason),
        }
    }
    Ok(found)
}

fn not_writable_reason(directories: &[String], errno: Errno) -> Reason {
    let (first, why) = (&directories[0], std::io::Error::from(errno));
    let others = match directories.len() {
        1 => String::new(),
        2 => " and 1 other directory".to_owned(),
        more => format!(" and {} other directories", more - 1),
    };
    let message = format!("`{}`{others} cannot be written to: {why}", Escaped(first));
    Reason::new(ReasonKind::NotReady, message)
        .help("run it as a user who may write there, or give this user write permission")
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

fn write_error(tree: &Tree, path: Option<&RelPath>) -> Result<Option<Errno>, DiskError> {
    let directory = tree.directory(path)?;
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    Ok(rustix::fs::accessat(directory.as_fd(), c".", wanted, AtFlags::EACCESS).err())
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
