//! Lock of a deployment: one process at a time can change it, and others can see which one.
//!
//! It is a lock of the operating system on `.rollup/lock`, which it releases when the process dies. Until
//! `.rollup` exists there is nothing to lock: the rename that creates it decides who is first.

use std::fs::{File, TryLockError};

use serde::{Deserialize, Serialize};

use super::attributes::OwnAccess;
use super::fault_injection::AttachedInjector;
use super::locked::make_own_file;
use super::newer::NewerFormat;
use super::run_dir::ROLLUP_DIR;
use super::tree::{DiskError, Tree};
use super::trust::{Untrusted, untrusted};
use crate::names::Escaped;

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
    /// Start of the process in ticks since the system started, so that a later process with the same id
    /// is another one.
    #[serde(default)]
    pub started: Option<u64>,
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
    pub owner: Option<Box<LockOwner>>,
}

impl std::fmt::Display for LockHolder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {}", self.process)?;
        match self.owner.as_deref() {
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
    /// An object of `.rollup` that others may have changed.
    #[error("`{}` {}", .0.path, .0.why)]
    Untrusted(Box<Untrusted>),
    /// A `.rollup` that a newer version of rollup wrote.
    #[error("`.rollup` {0}")]
    TooNew(NewerFormat),
    /// A file `format` that does not hold the number of a format.
    #[error("`.rollup/format` is damaged: it holds `{}`, and rollup writes `{FORMAT}`", Escaped(.0))]
    DamagedFormat(String),
    /// Error of the disk.
    #[error(transparent)]
    Disk(#[from] DiskError),
}

/// Takes the lock; `None` if `.rollup` does not exist yet.
pub(super) fn acquire(tree: &Tree) -> Result<Option<File>, LockError> {
    let at = ROLLUP_DIR.lock();
    if tree.metadata(&ROLLUP_DIR)?.is_none() {
        return Ok(None);
    }
    let file = match tree.file(&at) {
        // The loss of an empty file must not block every command.
        Err(error) if error.is_missing() => {
            make_own_file(tree, &at, OwnAccess::Writers, &AttachedInjector::default())?
        }
        opened => opened?,
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(held(tree)),
        Err(TryLockError::Error(error)) => {
            Err(DiskError::new("lock", tree.shown(Some(&at)), error).into())
        }
    }
}

impl LockOwner {
    pub(super) fn current(command: &str) -> Self {
        Self {
            user: user(),
            host: host(),
            process: std::process::id(),
            started: start_of(std::process::id()),
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

/// Refuses a `.rollup` that cannot be trusted, or whose format is not [`FORMAT`].
pub fn check_rollup_directory(tree: &Tree) -> Result<(), LockError> {
    if let Some(untrusted) = untrusted(tree)? {
        return Err(LockError::Untrusted(Box::new(untrusted)));
    }
    match tree.text(&ROLLUP_DIR.format(), 64)? {
        None => Ok(()),
        Some(text) if text.trim() == FORMAT.to_string() => Ok(()),
        Some(text) => match text.trim().parse() {
            Ok(found) if found > FORMAT => Err(LockError::TooNew(NewerFormat {
                word: "format",
                found,
                known: FORMAT,
            })),
            _ => Err(LockError::DamagedFormat(text.trim().to_owned())),
        },
    }
}

/// Returns the process that holds the lock of a deployment at this moment, if there is one.
///
/// Reads the system's own table of locks instead of trying the lock, which could make another
/// process fail to take it.
pub fn holder(tree: &Tree) -> Result<Option<LockHolder>, DiskError> {
    let Some(metadata) = tree.metadata(&ROLLUP_DIR.lock())? else {
        return Ok(None);
    };
    let (device, inode) = metadata.identity;
    let file = format!(
        "{:02x}:{:02x}:{inode}",
        rustix::fs::major(device),
        rustix::fs::minor(device)
    );
    let owner = last_owner(tree).filter(|owner| owner.started == start_of(owner.process));
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
        owner: owner.filter(|owner| owner.process == process).map(Box::new),
    }))
}

/// Returns when a process started, in ticks since the system started; `None` if it does not exist.
fn start_of(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is the name of the program, which may have blanks and parentheses.
    let (_, fields) = status.rsplit_once(") ")?;
    fields.split(' ').nth(19)?.parse().ok()
}

/// Returns the description of the process that held the lock last, which may have ended since.
pub fn last_owner(tree: &Tree) -> Option<LockOwner> {
    let text = tree.text(&ROLLUP_DIR.lock_owner(), 4096).ok()??;
    toml::from_str(&text).ok()
}

/// Returns the error for a held lock, with its holder if one can be found.
pub fn held(tree: &Tree) -> LockError {
    LockError::Held {
        holder: holder(tree).unwrap_or_default(),
    }
}
