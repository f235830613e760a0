//! Temporary directories of the tests.

use std::path::Path;
use std::sync::OnceLock;

use tempfile::TempDir;

/// Free bytes that a file system in memory must have: many times what the tests of a large machine
/// use at once.
const ENOUGH: u64 = 2 << 30;

/// Makes a temporary directory, in memory if the system has room for it there.
///
/// Tests need names, contents and the order of changes. On a disk, most of their time is syncs, and
/// the search of its file system for free inodes. `TMPDIR` has precedence.
pub(crate) fn temporary() -> TempDir {
    static IN_MEMORY: OnceLock<bool> = OnceLock::new();
    let directory = if *IN_MEMORY.get_or_init(has_room_in_memory) {
        TempDir::new_in(MEMORY)
    } else {
        TempDir::new()
    };
    directory.expect("a temporary directory")
}

const MEMORY: &str = "/dev/shm";

fn has_room_in_memory() -> bool {
    let is_chosen = std::env::var_os("TMPDIR").is_some();
    let status = rustix::fs::statvfs(Path::new(MEMORY));
    !is_chosen && status.is_ok_and(|status| status.f_bavail * status.f_frsize >= ENOUGH)
}
