//! Faults that a rehearsal injects into a process: it dies at a change of the disk, or one of its
//! renames fails.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use crate::deployment::fault_injection::{Change, FaultInjector};

/// Beginning of the last line that a process prints if it outlives its [`Death`]; the number of
/// changes it made follows.
pub(super) const OUTLIVED: &str = "changes of the disk: ";

/// Fault that kills its own process right before a change: no handler runs, nothing is cleaned up.
pub struct Death {
    at: u64,
    seen: AtomicU64,
}

impl Death {
    /// Returns a fault that kills the process before this change, counted from 1.
    pub fn at(change: u64) -> Self {
        Self {
            at: change,
            seen: AtomicU64::new(0),
        }
    }
}

impl FaultInjector for Death {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        match self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at {
            false => Ok(()),
            true => {
                kill_process(getpid(), Signal::KILL)?;
                // Never reached: the signal has ended the process.
                Err(io::Error::other("the process is dead"))
            }
        }
    }
}

impl Drop for Death {
    fn drop(&mut self) {
        let _ = writeln!(
            io::stderr(),
            "{OUTLIVED}{}",
            self.seen.load(Ordering::SeqCst)
        );
    }
}

/// Fault that makes a rename fail: the one by which a swap moves its new object to the live path.
#[derive(Debug)]
pub struct FailingSwap(pub u32);

impl FaultInjector for FailingSwap {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        let slot = format!("/slots/{}/new", self.0);
        match change {
            Change::Rename(from, to)
                if from.as_str().ends_with(&slot) && !to.as_str().starts_with(".rollup/") =>
            {
                Err(Errno::IO.into())
            }
            _ => Ok(()),
        }
    }
}
