//! Files that are open for writing.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};

use rustix::fs::{Timespec, Timestamps, copy_file_range};
use rustix::io::Errno;

use super::attributes::{Attributes, CARRY_ACTION};
use super::fault_injection::{AttachedInjector, Change};
use super::tree::{DiskError, SYNC_ACTION};
use crate::names::RelPath;

/// Bytes that are read at a time if the kernel cannot copy by itself.
const CHUNK: usize = 256 * 1024;

/// File open for writing. Every call that changes it is announced to the injector.
pub struct OpenFile {
    pub(super) at: RelPath,
    pub(super) shown: String,
    pub(super) file: File,
    pub(super) injector: AttachedInjector,
}

impl OpenFile {
    /// Writes all of the bytes.
    pub fn write_bytes(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.write_all(bytes)
            .map_err(|error| DiskError::new("write", self.shown.as_str(), error))
    }

    /// Copies another file from its start, and returns the number of bytes. The kernel does the
    /// copying, by a reflink if the file system has them.
    pub fn copy_from(&mut self, source: &mut File) -> io::Result<u64> {
        let length = source.metadata()?.len();
        let mut copied = 0;
        while copied < length {
            self.injector.before(Change::Write(&self.at))?;
            let most = usize::try_from(length - copied).unwrap_or(usize::MAX);
            match copy_file_range(&*source, None, &self.file, None, most) {
                // The source was truncated during the copy.
                Ok(0) => break,
                Ok(more) => copied += more as u64,
                Err(Errno::INTR) => {}
                // Not every file system supports this call, nor does every pair of them; an error
                // for another reason occurs again in the plain copy.
                Err(_) if copied == 0 => {
                    return io::copy(&mut BufReader::with_capacity(CHUNK, source), self);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(copied)
    }

    /// Truncates the file to `length` bytes, and moves the write position there.
    pub fn cut(&mut self, length: u64) -> Result<(), DiskError> {
        let mut cut = || {
            if self.file.metadata()?.len() != length {
                self.injector.before(Change::Write(&self.at))?;
                self.file.set_len(length)?;
            }
            self.file.seek(SeekFrom::Start(length))
        };
        cut()
            .map(|_| ())
            .map_err(|error| DiskError::new("write", self.shown.as_str(), error))
    }

    /// Asks the system to start writing the file to disk, without waiting, so that the sync has
    /// less to write. This is a hint, so a failure is ignored.
    pub fn begin_sync(&self) {
        // The advice that the bytes are not needed in memory makes the system write out those that
        // it cannot drop yet.
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed);
    }

    /// Syncs the file to disk.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.injector
            .announce(Change::SyncFile(&self.at), SYNC_ACTION, &self.shown)?;
        self.file
            .sync_data()
            .map_err(|error| DiskError::new(SYNC_ACTION, self.shown.as_str(), error))
    }

    /// Sets the attributes and, if one is given, the modification time in seconds since 1970.
    pub fn finish(&self, attributes: &Attributes, modified: Option<i64>) -> Result<(), DiskError> {
        attributes
            .set(&self.file, &self.at, &self.injector)
            .map_err(|error| DiskError::new(CARRY_ACTION, self.shown.as_str(), error))?;
        let Some(seconds) = modified else {
            return Ok(());
        };
        let time = Timespec {
            tv_sec: seconds,
            tv_nsec: 0,
        };
        let times = Timestamps {
            last_access: time,
            last_modification: time,
        };
        let set = self.injector.before(Change::SetAttributes(&self.at));
        set.and_then(|()| Ok(rustix::fs::futimens(&self.file, &times)?))
            .map_err(|error| DiskError::new("write", self.shown.as_str(), error))
    }
}

impl Write for OpenFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.injector.before(Change::Write(&self.at))?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
