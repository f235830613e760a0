//! Lock of a deployment: one process at a time can change it, and others can see which one.
//!
//! It is a lock of the operating system, which releases it when the process dies. It is taken on
//! the deployment's own directory until `.rollup` exists, and on `.rollup/lock` from then on.

use std::fs::{File, TryLockError};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::run_dir::ROLLUP_DIR;
use super::tree::{DiskError, Tree, readable};
use crate::names::{Escaped, RelPath};

/// Format version of everything below `.rollup`.
pub const FORMAT: u32 = 1;

/// Description of the process that holds a lock, for processes that wait for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockOwner {
    /// Name of the user.
    pub user: String,
    /// Name of the machine.
    pub host: String,
    /// Process id.
    pub process: u32,
    /// Command, such as `apply KB952076`.
    pub command: String,
    /// Start time, UTC.
    pub since: String,
}

/// Process that holds a lock, with its own description if it wrote one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// Process id.
    pub process: u32,
    /// Description from `.rollup/lock.owner`; `None` if the file describes another process or does
    /// not exist, as before the first run.
    pub owner: Option<LockOwner>,
}

impl std::fmt::Display for LockHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.process)?;
        match &self.owner {
            None => Ok(()),
            Some(LockOwner {
                user,
                host,
                command,
                since,
                ..
            }) => {
                write!(
                    f,
                    " of {} on {}, since {} ({}),",
                    Escaped(user),
                    Escaped(host),
                    Escaped(since),
                    Escaped(command)
                )
            }
        }
    }
}

/// Reason why the lock could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Lock that another process holds.
    #[error("{} is at work on this deployment", .holder.as_ref().map_or("another process".to_owned(), LockHolder::to_string))]
    Held {
        /// Holder, if known.
        holder: Option<LockHolder>,
    },
    /// A `.rollup` that a later version of rollup wrote.
    #[error("`.rollup` has format {0}; this rollup understands format {FORMAT}")]
    TooNew(String),
    /// Error of the disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Opens the lock file, and creates it again if it is missing: the loss of an empty file must not
/// block every command.
fn lock_file(tree: &Tree, at: &RelPath) -> Result<File, DiskError> {
    match tree.file(at) {
        Err(error) if error.is_missing() => {
            let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let directory = tree.directory(at.parent().as_ref())?;
            let made = rustix::fs::openat(&directory, at.name(), flags, Mode::RUSR | Mode::WUSR);
            made.map(File::from)
                .map_err(|e| DiskError::new("create", tree.shown(Some(at)), e))
        }
        opened => opened,
    }
}

/// Takes the lock, and opens the root directory for `syncfs`.
pub(super) fn acquire(tree: &Tree) -> Result<(File, File), LockError> {
    let lock_path = ROLLUP_DIR.lock();
    let has_rollup_directory = tree.metadata(&ROLLUP_DIR)?.is_some();
    let file = match has_rollup_directory {
        true => lock_file(tree, &lock_path)?,
        false => handle(tree)?,
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(held(tree)),
        Err(TryLockError::Error(error)) => {
            let shown = tree.shown(has_rollup_directory.then_some(&lock_path));
            return Err(DiskError::new("lock", shown, error).into());
        }
    }
    // Another process created `.rollup` between the check and the lock: now its lock file counts.
    if !has_rollup_directory && tree.metadata(&ROLLUP_DIR)?.is_some() {
        return Err(held(tree));
    }
    Ok((file, handle(tree)?))
}

impl LockOwner {
    pub(super) fn current(command: &str) -> Self {
        Self {
            user: user(),
            host: host(),
            process: std::process::id(),
            command: command.to_owned(),
            since: jiff::Timestamp::now()
                .strftime("%Y-%m-%d %H:%M:%S UTC")
                .to_string(),
        }
    }
}

/// Returns the user who runs rollup, for records that people read: the real user by the system's own
/// database, with the user who logged in. Without a login, root comes with the user that `sudo` names,
/// as a claim: the environment is no evidence.
pub fn user() -> String {
    let real = rustix::process::getuid();
    let name = user_name(real.as_raw());
    let claimed = std::env::var("SUDO_USER")
        .ok()
        .filter(|claimed| !claimed.is_empty());
    match (login(), claimed) {
        (Some(login), _) if login != real.as_raw() => {
            format!("{name} (logged in as {})", user_name(login))
        }
        (None, Some(claimed)) if real.is_root() => format!("{name} (claimed: {claimed})"),
        _ => name,
    }
}

fn user_name(uid: u32) -> String {
    let user = uzers::get_user_by_uid(uid);
    let name = user.map(|user| user.name().to_string_lossy().into_owned());
    name.unwrap_or_else(|| format!("uid {uid}"))
}

/// Returns the user who logged in, which the system remembers through `su` and `sudo`.
fn login() -> Option<u32> {
    let uid = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    uid.trim().parse().ok().filter(|uid| *uid != u32::MAX)
}

/// Returns the name of this machine, for records that people read.
pub fn host() -> String {
    rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned()
}

/// Refuses a `.rollup` whose format is not [`FORMAT`], since a later version of rollup wrote it.
pub fn check_format(tree: &Tree) -> Result<(), LockError> {
    match tree.text(&ROLLUP_DIR.format(), 64)? {
        None => Ok(()),
        Some(text) if text.trim() == FORMAT.to_string() => Ok(()),
        Some(text) => Err(LockError::TooNew(text.trim().to_owned())),
    }
}

/// Returns the process that holds the lock of a deployment at this moment, if there is one.
///
/// Reads the system's own table of locks instead of trying the lock, which could make another
/// process fail to take it.
pub fn holder(tree: &Tree) -> Result<Option<LockHolder>, DiskError> {
    let (device, inode) = match tree.metadata(&ROLLUP_DIR.lock())? {
        Some(metadata) => metadata.identity,
        None => rustix::fs::fstat(tree.root())
            .map(|status| (status.st_dev, status.st_ino))
            .map_err(|e| DiskError::new("look at", tree.shown(None), e))?,
    };
    let file = format!(
        "{:02x}:{:02x}:{inode}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let owner = read_owner(tree);
    // Without this table, which only Linux has, no holder is found; the lock still excludes other
    // writers.
    let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    let found = table.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, "FLOCK", _, _, process, locked, ..] = fields[..] else {
            return None;
        };
        let process: u32 = process.parse().ok()?;
        // Some file systems (btrfs) show another device here than in the metadata of the file.
        let is_owner = owner.as_ref().is_some_and(|owner| owner.process == process);
        let is_holder = locked == file || is_owner && locked.ends_with(&format!(":{inode}"));
        is_holder.then_some(process)
    });
    Ok(found.map(|process| LockHolder {
        process,
        owner: owner.filter(|owner| owner.process == process),
    }))
}

/// Returns the description of the process that held the lock last, which may have ended since.
pub fn last_owner(tree: &Tree) -> Option<LockOwner> {
    read_owner(tree)
}

/// Reads the description of the last owner, which may have finished since.
fn read_owner(tree: &Tree) -> Option<LockOwner> {
    let text = tree.text(&ROLLUP_DIR.lock_owner(), 4096).ok()??;
    toml::from_str(&text).ok()
}

/// Returns the error for a held lock, with its holder if one can be found.
pub fn held(tree: &Tree) -> LockError {
    LockError::Held {
        holder: holder(tree).unwrap_or_default(),
    }
}

/// Opens the root directory so that it can be locked and synced.
fn handle(tree: &Tree) -> Result<File, DiskError> {
    readable(tree.root(), ".").map_err(|e| DiskError::new("open", tree.shown(None), e))
}
