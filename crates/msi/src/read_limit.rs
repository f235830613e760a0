//! Limit on the bytes that opening a compound file may read.
//!
//! The library keeps the map of sectors and the directory of the compound file in memory, and a
//! hostile file can be one large directory. While the file is opened, reading is limited in
//! proportion to its size; afterwards its streams are read in pieces and need no limit.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Limit for the directory, in bytes: enough for thousands of streams.
const MAX_DIRECTORY_BYTES: u64 = 4 << 20;

/// Reader with a read limit.
pub(super) struct LimitedReader<R> {
    inner: R,
    read_limit: Arc<AtomicU64>,
}

/// Handle that removes the read limit of a reader that another owns.
pub(super) struct ReadLimit(Arc<AtomicU64>);

impl<R> LimitedReader<R> {
    /// Returns a reader with a limit for opening a compound file of this length, whose map of
    /// sectors takes a 128th of it.
    pub(super) fn new(inner: R, length: u64) -> (Self, ReadLimit) {
        let read_limit = Arc::new(AtomicU64::new(MAX_DIRECTORY_BYTES + length / 100));
        (
            Self {
                inner,
                read_limit: Arc::clone(&read_limit),
            },
            ReadLimit(read_limit),
        )
    }
}

impl ReadLimit {
    pub(super) fn remove(self) {
        self.0.store(u64::MAX, Ordering::Relaxed);
    }
}

impl<R: Read> Read for LimitedReader<R> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let left = self.read_limit.load(Ordering::Relaxed);
        let read = self.inner.read(bytes)?;
        if left != u64::MAX {
            let left = left.checked_sub(read as u64).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "its directory is larger than that of any package",
                )
            })?;
            self.read_limit.store(left, Ordering::Relaxed);
        }
        Ok(read)
    }
}

impl<R: Seek> Seek for LimitedReader<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}
