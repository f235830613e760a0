//! Bounded queue to a thread that writes, so that a run never waits for a slow disk or for a
//! terminal that is not read.
//!
//! A full queue drops what is added, and counts it. So does a queue whose thread has panicked or
//! could not be spawned: its items are lost, and nothing else.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// Longest time to wait for a writer that finishes nothing.
pub const STALL_LIMIT: Duration = Duration::from_secs(5);

/// Writer of the items of a queue, on a thread of its own.
pub trait QueueWriter<T>: Send + 'static {
    /// Writes one item.
    fn write(&mut self, item: T);
    /// Returns the time without an item after which `idle` is called, if it is to be called.
    fn idle_interval(&self) -> Option<Duration> {
        None
    }
    /// Does other work while no item comes, such as drawing a progress bar.
    fn idle(&mut self) {}
}

/// Bounded queue to a thread that writes.
///
/// Dropping it closes the queue and does not wait: the thread writes what is left unless the
/// process ends first. Call [`WriterQueue::drain`] before.
pub struct WriterQueue<T>(Arc<Shared<T>>);

struct Shared<T> {
    state: Mutex<QueueState<T>>,
    /// Notified when an item is added or written, and when either side ends.
    changed: Condvar,
    /// Largest number of items that wait.
    limit: usize,
}

struct QueueState<T> {
    waiting: VecDeque<T>,
    /// True while the writer works on an item.
    is_writing: bool,
    written: u64,
    dropped: u64,
    /// True once no more items come.
    is_closed: bool,
    /// True if the thread has ended, or never began.
    is_dead: bool,
}

impl<T: Send + 'static> WriterQueue<T> {
    /// Spawns a thread that writes one item after another, of which at most `limit` wait.
    pub fn spawn(name: &str, limit: usize, writer: impl QueueWriter<T>) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(QueueState {
                waiting: VecDeque::new(),
                is_writing: false,
                written: 0,
                dropped: 0,
                is_closed: false,
                is_dead: false,
            }),
            changed: Condvar::new(),
            limit,
        });
        let end = DeadOnDrop(Arc::clone(&shared));
        // The guard is dropped with the closure if the thread cannot be spawned.
        let _ = thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || end.0.write_all(writer));
        Self(shared)
    }

    /// Adds an item without waiting.
    ///
    /// # Errors
    ///
    /// The item, which counts as dropped: the queue is full, or its thread is dead.
    pub fn offer(&self, item: T) -> Result<(), T> {
        let mut state = self.0.lock();
        if state.is_dead || state.waiting.len() >= self.0.limit {
            state.dropped += 1;
            return Err(item);
        }
        state.waiting.push_back(item);
        self.0.changed.notify_all();
        Ok(())
    }

    /// Waits until everything is written, or the writer has finished nothing for `stall`. Returns
    /// the number of items that are not written.
    pub fn drain(&self, stall: Duration) -> u64 {
        let mut state = self.0.lock();
        while state.unwritten() > 0 && !state.is_dead {
            let before = state.written;
            let (woken, timeout) = self
                .0
                .changed
                .wait_timeout_while(state, stall, |state| {
                    state.written == before && !state.is_dead
                })
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if timeout.timed_out() {
                break;
            }
        }
        state.unwritten()
    }

    /// Returns the number of items that were dropped so far.
    pub fn dropped(&self) -> u64 {
        self.0.lock().dropped
    }

    /// Returns whether the thread has ended, or never began.
    pub fn is_dead(&self) -> bool {
        self.0.lock().is_dead
    }
}

impl<T> Drop for WriterQueue<T> {
    fn drop(&mut self) {
        self.0.lock().is_closed = true;
        self.0.changed.notify_all();
    }
}

impl<T> QueueState<T> {
    fn unwritten(&self) -> u64 {
        self.waiting.len() as u64 + u64::from(self.is_writing)
    }
}

impl<T> Shared<T> {
    /// Locks the state, which is valid after every statement: a panic cannot leave it half changed.
    fn lock(&self) -> MutexGuard<'_, QueueState<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes items until the queue is closed and empty.
    fn write_all(&self, mut writer: impl QueueWriter<T>) {
        loop {
            let item = {
                let mut state = self.wait_for_item(writer.idle_interval());
                let item = state.waiting.pop_front();
                if item.is_none() && state.is_closed {
                    return;
                }
                state.is_writing = item.is_some();
                item
            };
            let Some(item) = item else {
                writer.idle();
                continue;
            };
            writer.write(item);
            let mut state = self.lock();
            state.is_writing = false;
            state.written += 1;
            self.changed.notify_all();
        }
    }

    fn wait_for_item(&self, idle: Option<Duration>) -> MutexGuard<'_, QueueState<T>> {
        let is_empty = |state: &mut QueueState<T>| state.waiting.is_empty() && !state.is_closed;
        let state = self.lock();
        match idle {
            None => self
                .changed
                .wait_while(state, is_empty)
                .unwrap_or_else(PoisonError::into_inner),
            Some(idle) => {
                self.changed
                    .wait_timeout_while(state, idle, is_empty)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }
}

/// Guard that marks a queue as dead when its thread ends in any way.
struct DeadOnDrop<T>(Arc<Shared<T>>);

impl<T> Drop for DeadOnDrop<T> {
    fn drop(&mut self) {
        self.0.lock().is_dead = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};
    use std::time::Instant;

    use super::*;

    /// Longest time that a test waits for a thread that works.
    const PATIENCE: Duration = Duration::from_secs(60);
    /// Time for which a test waits for a thread that is stalled.
    const SHORT: Duration = Duration::from_millis(20);

    /// Writer that takes an item only after a permit, and panics at the item 13.
    struct PermittedWriter {
        permits: Receiver<()>,
        written: Arc<Mutex<Vec<u32>>>,
    }

    impl QueueWriter<u32> for PermittedWriter {
        fn write(&mut self, item: u32) {
            // A dropped sender permits everything.
            let _ = self.permits.recv();
            assert_ne!(item, 13, "a panic on purpose");
            self.written.lock().expect("no panic").push(item);
        }
    }

    /// Queue with a writer that waits for permits, the permits, and the written items.
    type PermittedQueue = (WriterQueue<u32>, Sender<()>, Arc<Mutex<Vec<u32>>>);

    fn permitted_queue(limit: usize) -> PermittedQueue {
        let (permit, permits) = channel();
        let written = Arc::default();
        let writer = PermittedWriter {
            permits,
            written: Arc::clone(&written),
        };
        (WriterQueue::spawn("test", limit, writer), permit, written)
    }

    /// Waits until the writer works on the first item, so that no other item leaves the queue.
    fn wait_until_stalled(queue: &WriterQueue<u32>) {
        let begun = Instant::now();
        while !queue.0.lock().is_writing {
            assert!(begun.elapsed() < PATIENCE, "the thread takes no item");
            thread::yield_now();
        }
    }

    #[test]
    fn a_stalled_writer_stops_no_caller_and_dropped_items_are_counted() {
        let (queue, permit, written) = permitted_queue(3);
        queue.offer(0).expect("a place");
        wait_until_stalled(&queue);
        let refused: Vec<u32> = (1..=8).filter_map(|item| queue.offer(item).err()).collect();
        assert_eq!(refused, [4, 5, 6, 7, 8]);
        assert_eq!(queue.dropped(), 5);
        assert_eq!(queue.drain(SHORT), 4);
        drop(permit);
        assert_eq!(queue.drain(PATIENCE), 0);
        assert_eq!(*written.lock().expect("no panic"), [0, 1, 2, 3]);
    }

    #[test]
    fn items_are_written_in_order_and_drained_at_the_end() {
        let (queue, permit, written) = permitted_queue(10_000);
        drop(permit);
        for item in 100..10_000 {
            queue.offer(item).expect("a place");
        }
        assert_eq!(queue.drain(PATIENCE), 0);
        assert_eq!(queue.dropped(), 0);
        assert!((100..10_000).eq(written.lock().expect("no panic").iter().copied()));
    }

    #[test]
    fn a_slow_writer_is_waited_for_as_long_as_it_writes() {
        let (queue, permit, written) = permitted_queue(100);
        (0..5).for_each(|item| queue.offer(item).expect("a place"));
        let permits = thread::spawn(move || {
            for _ in 0..5 {
                thread::sleep(Duration::from_millis(300));
                permit.send(()).expect("a writer");
            }
        });
        // Less than all of them take, more than one.
        assert_eq!(queue.drain(Duration::from_secs(1)), 0);
        assert_eq!(*written.lock().expect("no panic"), [0, 1, 2, 3, 4]);
        permits.join().expect("no panic");
    }

    #[test]
    fn a_panic_of_the_writer_loses_items_and_stops_nothing() {
        let (queue, permit, written) = permitted_queue(100);
        drop(permit);
        for item in [1, 13] {
            // The thread may have ended already.
            let _ = queue.offer(item);
        }
        let begun = Instant::now();
        while !queue.is_dead() {
            assert!(begun.elapsed() < PATIENCE, "the thread lives");
            thread::yield_now();
        }
        assert_eq!(queue.offer(2), Err(2));
        assert_eq!(queue.drain(PATIENCE), 1);
        assert_eq!(queue.dropped(), 1);
        assert_eq!(*written.lock().expect("no panic"), [1]);
    }
}
