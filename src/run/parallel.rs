//! Parallel work on many files.
//!
//! Staged files are not visible to anything yet: none depends on another one, and the one sync
//! after all of them is the only order that the disk has to keep. So all cores write, the largest
//! files first, so that none of these is left to a single core at the end. The calling thread
//! notices requests to stop.
//!
//! With a fault injector attached, the same code runs sequentially in plan order, so that a write
//! has the same number every time. The result of such a test holds for any other order too: a run
//! that is interrupted during staging is discarded with everything in its directory.

use std::cmp::Reverse;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rayon::prelude::*;

use super::{Listener, RunError, check_not_stopped};
use crate::deployment::locked::LockedDeployment;

/// Interval at which a request to stop is noticed.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(50);

/// Calls `work_on` for each item of `work`; the items do not depend on each other. The first
/// failure keeps further items from beginning, and so does a request to stop.
pub(super) fn for_each_parallel<T: Send + Sync>(
    disk: &LockedDeployment,
    mut work: Vec<T>,
    size: impl Fn(&T) -> u64,
    listener: &mut dyn Listener,
    work_on: impl Fn(&T) -> Result<(), RunError> + Sync,
) -> Result<(), RunError> {
    if disk.has_injector() {
        return work.iter().try_for_each(|one| {
            check_not_stopped(listener)?;
            work_on(one)
        });
    }
    work.sort_by_key(|one| Reverse(size(one)));
    check_not_stopped(listener)?;
    let stopped = AtomicBool::new(false);
    let mut done = Ok(());
    // Disconnected when the last worker ends.
    let (sender, ended) = channel::<Infallible>();
    rayon::in_place_scope(|scope| {
        let (stopped, done, work_on) = (&stopped, &mut done, &work_on);
        scope.spawn(move |_| {
            // A bridge hands out one item after another, in this order, to the next free thread.
            *done = work.into_iter().par_bridge().try_for_each(|one| {
                match stopped.load(Ordering::Relaxed) {
                    true => Err(RunError::Interrupted),
                    false => work_on(&one),
                }
            });
            drop(sender);
        });
        while ended.recv_timeout(STOP_POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            stopped.fetch_or(listener.is_stopped(), Ordering::Relaxed);
        }
    });
    done
}
