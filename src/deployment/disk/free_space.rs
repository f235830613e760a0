//! Free space on the file system of a directory.

use super::tree::Tree;

/// Free space on a file system, for the user who runs rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreeSpace {
    /// Free bytes.
    pub bytes: u64,
    /// Free inodes, for files and directories; the largest number if the file system does not count
    /// them.
    pub inodes: u64,
    /// Bytes in one block: every file takes whole blocks.
    pub block: u64,
    /// Bytes of the whole file system.
    pub total: u64,
}

/// Returns the free space on the file system of a directory; `None` if it is not reported.
pub fn free(tree: &Tree) -> Option<FreeSpace> {
    let status = rustix::fs::fstatvfs(tree.root())
        .ok()
        .filter(|status| status.f_blocks > 0)?;
    let inodes = if status.f_files == 0 {
        u64::MAX
    } else {
        status.f_favail
    };
    Some(FreeSpace {
        bytes: status.f_bavail * status.f_frsize,
        inodes,
        block: status.f_frsize.max(512),
        total: status.f_blocks * status.f_frsize,
    })
}
