//! Faults that a rehearsal injects into a process: SIGKILL at a change of the disk, or a rename
//! that fails.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::io::Errno;
use rustix::process::{Signal, getpid, kill_process};

use crate::deployment::fault_injection::{Change, FaultInjector};
use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};

/// Beginning of the last line that a process with a [`KillAtChange`] prints if it is not killed;
/// the number of changes it made follows.
pub(super) const CHANGES_MADE: &str = "changes of the disk: ";

/// Fault that kills its own process right before a change: no handler runs, nothing is cleaned up.
pub struct KillAtChange {
    change: u64,
    announced: AtomicU64,
}

impl KillAtChange {
    /// Returns a fault that kills the process before this change, counted from 1.
    pub fn at(change: u64) -> Self {
        Self {
            change,
            announced: AtomicU64::new(0),
        }
    }
}

impl FaultInjector for KillAtChange {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        if self.announced.fetch_add(1, Ordering::SeqCst) + 1 != self.change {
            return Ok(());
        }
        kill_process(getpid(), Signal::KILL)?;
        // Never reached: the signal has ended the process.
        Err(io::Error::other("the process is dead"))
    }
}

impl Drop for KillAtChange {
    fn drop(&mut self) {
        let _ = writeln!(
            io::stderr(),
            "{CHANGES_MADE}{}",
            self.announced.load(Ordering::SeqCst)
        );
    }
}

/// Fault that makes a rename fail: the one by which a swap moves its new object to the live path.
#[derive(Debug)]
pub struct FailingSwap(pub u32);

impl FaultInjector for FailingSwap {
    fn before(&self, change: Change<'_>) -> io::Result<()> {
        match change {
            Change::Rename(from, to)
                if RunDir::is_new_object(from, self.0) && to.below(&ROLLUP_DIR).is_none() =>
            {
                Err(Errno::IO.into())
            }
            _ => Ok(()),
        }
    }
}
