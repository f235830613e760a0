//! Parallel work on many files, reported by one thread.
//!
//! Staged files are not visible to anything yet: none depends on another one, and the one sync
//! after all of them is the only order that the disk has to keep. So all cores write, the largest
//! files first, so that none of these is left to a single core at the end. The calling thread
//! reports what was written.
//!
//! With a fault injector attached, the same code works sequentially in plan order, so that change N
//! on disk is the same change every time. What such a test proves holds for any other order too: a
//! run that dies during staging is discarded with everything in its directory.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rayon::prelude::*;

use super::{Event, Listener, RunError, go_on};
use crate::deployment::locked::LockedDeployment;

/// Longest time until a request to stop is noticed while nothing is written.
const HEARING: Duration = Duration::from_millis(50);

/// Callback that receives the number of bytes that were just written.
pub(super) type Tell<'t> = &'t mut dyn FnMut(u64);

/// Calls `part` for each item of `work`; the items do not depend on each other. The first failure
/// keeps further items from beginning, and so does a request to stop.
pub(super) fn all_of<T: Send + Sync>(
    disk: &LockedDeployment,
    mut work: Vec<T>,
    size: impl Fn(&T) -> u64,
    listener: &mut dyn Listener,
    part: impl Fn(&T, Tell<'_>) -> Result<(), RunError> + Sync,
) -> Result<(), RunError> {
    if disk.has_injector() {
        return work.iter().try_for_each(|one| {
            go_on(listener)?;
            part(one, &mut |bytes| listener.tell(&Event::Wrote { bytes }))
        });
    }
    work.sort_by_key(|one| Reverse(size(one)));
    go_on(listener)?;
    let stopped = AtomicBool::new(false);
    let mut done = Ok(());
    let (sender, written) = channel();
    rayon::in_place_scope(|scope| {
        let (stopped, done, part) = (&stopped, &mut done, &part);
        scope.spawn(move |_| {
            // A bridge hands out one item after another, in this order, to the next free thread.
            *done = work
                .into_iter()
                .par_bridge()
                .try_for_each_with(sender, |sender, one| {
                    match stopped.load(Ordering::Relaxed) {
                        true => Err(RunError::Interrupted),
                        false => part(&one, &mut |bytes| {
                            // Sending fails only if the calling thread has panicked.
                            let _ = sender.send(bytes);
                        }),
                    }
                });
        });
        loop {
            match written.recv_timeout(HEARING) {
                Ok(bytes) => listener.tell(&Event::Wrote { bytes }),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            stopped.fetch_or(listener.is_stopped(), Ordering::Relaxed);
        }
    });
    done
}
