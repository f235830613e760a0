//! Many files at once, told by one thread.
//!
//! What is staged is seen by nobody yet: no file of it depends on another one, and the one barrier
//! behind all of it is the only order that the disk has to keep. So all cores write, the largest
//! files first, for none of them should be left to one core at the end; and what they wrote is told
//! by the thread that called.
//!
//! Whoever watches the changes of the disk, to let a process die at every one of them in turn, has
//! to meet the same changes in the same order each time. Before him everything is done one after
//! another, in the order of the plan, by the same code. What he proves holds for any other order
//! too: a run that dies while it is staged is thrown away whole, whatever lies in its folder.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use rayon::prelude::*;

use super::executor::go_on;
use super::{Event, Listener, RunError};
use crate::deployment::locked::LockedDeployment;

/// How soon a wish to stop is heard while nothing is written.
const HEARING: Duration = Duration::from_millis(50);

/// Takes how many bytes were written just now.
pub(super) type Tell<'t> = &'t mut dyn FnMut(u64);

/// Does `part` for each of these, which depend on nothing of each other. The first failure keeps
/// what has not begun from beginning, and so does a wish to stop.
pub(super) fn all_of<T: Send + Sync>(
    disk: &LockedDeployment,
    mut work: Vec<T>,
    size: impl Fn(&T) -> u64,
    listener: &mut dyn Listener,
    part: impl Fn(&T, Tell<'_>) -> Result<(), RunError> + Sync,
) -> Result<(), RunError> {
    if disk.is_watched() {
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
            // A bridge hands out one after another, in this order, to whoever is free.
            *done = work
                .into_iter()
                .par_bridge()
                .try_for_each_with(sender, |sender, one| {
                    match stopped.load(Ordering::Relaxed) {
                        true => Err(RunError::Interrupted),
                        false => part(&one, &mut |bytes| {
                            // Nobody hears it any more when the calling thread has panicked.
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
