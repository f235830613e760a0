//! What can be found out before anything is written: can every object be renamed into `.rollup`?

use std::collections::BTreeSet;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Access, AtFlags, StatxFlags};

use crate::deployment::locked::path;
use crate::deployment::tree::{DiskError, Kind, Tree};
use crate::names::{RelPath, Shown};
use crate::plan::{Plan, Reason, ReasonKind, What};

/// What a file system keeps, and what it does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// The death of the process and a power cut are both covered.
    None,
    /// Nothing there outlives a power cut.
    Memory,
    /// Only the death of the process is covered.
    ProcessOnly(&'static str),
    /// Nobody has tried this one.
    Unknown,
}

/// Checks every folder that the plan touches: same mount and device, writable, no mount below.
pub fn preflight(tree: &Tree, plan: &Plan) -> Result<Vec<Reason>, DiskError> {
    let home = mount_of(tree, None)?;
    let mut reasons = Vec::new();
    // `.rollup` itself must lie on the same mount, where it exists.
    let mut folders: BTreeSet<Option<RelPath>> = BTreeSet::from([None, Some(path(".rollup"))]);
    for swap in &plan.swaps {
        folders.insert(swap.live.parent());
        folders.extend(swap.live.ancestors().map(Some));
        let inside = swap.old.iter().filter(|entry| entry.what == What::Folder);
        folders.extend(inside.map(|entry| Some(entry.path.clone())));
    }
    for folder in folders {
        if let Some(at) = &folder
            && tree.look(at)?.is_none_or(|look| look.kind != Kind::Folder)
        {
            continue;
        }
        let shown = tree.shown(folder.as_ref());
        if mount_of(tree, folder.as_ref())? != home {
            let message = format!("`{}` lies on another mount than the deployment", Shown(&shown));
            let help = "rollup moves objects by renaming, which cannot cross mounts; unmount it, or mount the whole \
                        deployment";
            reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
        } else if let Some(why) = not_writable(tree, folder.as_ref())? {
            let message = format!("`{}` cannot be written to: {why}", Shown(&shown));
            reasons.push(Reason::new(ReasonKind::NotReady, message).help("give the user who runs rollup the right to"));
        }
    }
    for (mount, live) in mounts_on(tree, plan)? {
        let message = format!("a file system is mounted at `{}`, on the way of `{live}`", Shown(&mount));
        let help = "unmount it: a mount cannot be renamed, and would travel with what it lies in";
        reasons.push(Reason::new(ReasonKind::NotReady, message).help(help));
    }
    for swap in plan.swaps.iter().filter(|swap| swap.old.len() == 1) {
        if let (Some(at), true) = (tree.look(&swap.live)?, is_fixed(tree, &swap.live)?)
            && at.kind == Kind::File
        {
            let message = format!("`{}` is marked immutable or append-only", Shown(&tree.shown(Some(&swap.live))));
            reasons.push(Reason::new(ReasonKind::NotReady, message).help("`chattr -i -a` takes the mark away"));
        }
    }
    Ok(reasons)
}

/// Mount points at, below or above a live path, by the system's own table; a mounted file is seen only
/// there.
fn mounts_on<'a>(tree: &Tree, plan: &'a Plan) -> Result<Vec<(String, &'a RelPath)>, DiskError> {
    let fail = |e| DiskError::new("find the way to", tree.shown(None), e);
    let root = std::fs::canonicalize(tree.path()).map_err(fail)?;
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let points = table.lines().filter_map(|line| line.split(' ').nth(4)).map(unescaped);
    let inside =
        points.filter_map(|point| Some((Path::new(&point).strip_prefix(&root).ok()?.to_str()?.to_owned(), point)));
    let mut found = Vec::new();
    for (below, point) in inside.filter(|(below, _)| !below.is_empty()) {
        let Ok(mount) = RelPath::parse(&below) else { continue };
        let hit = |live: &&RelPath| **live == mount || mount.below(live).is_some() || live.below(&mount).is_some();
        if let Some(live) = plan.live_paths().into_iter().find(hit) {
            found.push((point, live));
        }
    }
    Ok(found)
}

/// The table of mounts writes a space as `\040`, and so on.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut left = text.as_bytes();
    while let Some((&byte, rest)) = left.split_first() {
        let code = rest.get(..3).filter(|_| byte == b'\\').and_then(|code| str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 8).ok()) {
            Some(code) => {
                bytes.push(code);
                left = &rest[3..];
            }
            None => {
                bytes.push(byte);
                left = rest;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Mount and device of a folder.
fn mount_of(tree: &Tree, path: Option<&RelPath>) -> Result<(u64, u32, u32), DiskError> {
    let folder = tree.folder(path)?;
    let flags = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
    let found = rustix::fs::statx(folder.as_fd(), c"", AtFlags::EMPTY_PATH, flags)
        .map_err(|e| DiskError::new("look at", tree.shown(path), e))?;
    Ok((found.stx_mnt_id, found.stx_dev_major, found.stx_dev_minor))
}

fn not_writable(tree: &Tree, path: Option<&RelPath>) -> Result<Option<String>, DiskError> {
    let folder = tree.folder(path)?;
    let asked = Access::WRITE_OK | Access::EXEC_OK;
    match rustix::fs::accessat(folder.as_fd(), c".", asked, AtFlags::EACCESS) {
        Ok(()) => Ok(None),
        Err(errno) => Ok(Some(std::io::Error::from(errno).to_string())),
    }
}

/// A file that the system lets nobody rename.
fn is_fixed(tree: &Tree, path: &RelPath) -> Result<bool, DiskError> {
    let folder = tree.folder(path.parent().as_ref())?;
    let flags = StatxFlags::BASIC_STATS;
    let found = rustix::fs::statx(folder.as_fd(), path.name(), AtFlags::SYMLINK_NOFOLLOW, flags)
        .map_err(|e| DiskError::new("look at", tree.shown(Some(path)), e))?;
    let fixed = rustix::fs::StatxAttributes::IMMUTABLE | rustix::fs::StatxAttributes::APPEND;
    Ok(found.stx_attributes.intersects(fixed))
}

/// What the file system of a deployment keeps across a crash.
pub fn risk(tree: &Tree) -> Risk {
    let Ok(found) = rustix::fs::fstatfs(tree.root()) else { return Risk::Unknown };
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_mounts_is_read_with_its_escapes() {
        assert_eq!(unescaped("/srv/a\\040b\\134c"), "/srv/a b\\c");
        assert_eq!(unescaped("/srv/plain\\"), "/srv/plain\\");
    }
}
