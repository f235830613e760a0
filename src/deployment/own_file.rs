//! Files of ours while they are written, and what new objects take over from old ones.

use std::fs::File;
use std::io::{self, BufReader, Seek, SeekFrom, Write};

use rustix::fs::{Gid, Mode, Timespec, Timestamps, Uid, copy_file_range};
use rustix::io::Errno;

use super::tree::{BRING_TO_DISK, DiskError, Look};
use super::watch::{Change, Watched};
use crate::names::RelPath;

/// How much is read at once where the kernel does not copy by itself.
const CHUNK: usize = 256 * 1024;

/// Permission bits and owner of something new, taken from something old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits.
    pub mode: u32,
    /// User and group.
    pub owner: (u32, u32),
}

impl Attributes {
    /// Those of the same path.
    pub fn same(look: &Look) -> Self {
        Self {
            mode: look.mode,
            owner: look.owner,
        }
    }
}

/// A file that this process writes. Every call that changes it passes by the watch.
pub struct OwnFile {
    pub(super) at: RelPath,
    pub(super) shown: String,
    pub(super) file: File,
    pub(super) watched: Watched,
}

impl OwnFile {
    /// Writes all of this.
    pub fn put(&mut self, bytes: &[u8]) -> Result<(), DiskError> {
        self.write_all(bytes)
            .map_err(|error| DiskError::new("write", self.shown.as_str(), error))
    }

    /// Copies another file from its start; the kernel does it, by a clone where it can.
    pub fn copy_from(&mut self, source: &mut File) -> io::Result<u64> {
        let length = source.metadata()?.len();
        let mut copied = 0;
        while copied < length {
            self.watched.before(Change::Write(&self.at))?;
            let most = usize::try_from(length - copied).unwrap_or(usize::MAX);
            match copy_file_range(&*source, None, &self.file, None, most) {
                // Somebody cut the source meanwhile.
                Ok(0) => break,
                Ok(more) => copied += more as u64,
                Err(Errno::INTR) => {}
                // Not every file system can do it, and none between any two; what fails for another
                // reason fails again.
                Err(_) if copied == 0 => {
                    return io::copy(&mut BufReader::with_capacity(CHUNK, source), self);
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(copied)
    }

    /// Cuts off what stands behind `length` bytes, and goes on writing there.
    pub fn cut(&mut self, length: u64) -> Result<(), DiskError> {
        let mut cut = || {
            if self.file.metadata()?.len() != length {
                self.watched.before(Change::Write(&self.at))?;
                self.file.set_len(length)?;
            }
            self.file.seek(SeekFrom::Start(length))
        };
        cut()
            .map(|_| ())
            .map_err(|error| DiskError::new("write", self.shown.as_str(), error))
    }

    /// Asks the system to begin bringing the file to disk, and waits for nothing: the less is left
    /// to the barrier. A hint, so its failure is none.
    pub fn begin_sync(&self) {
        // That its bytes are not needed in memory has a system write out what it must not drop yet.
        let _ = rustix::fs::fadvise(&self.file, 0, None, rustix::fs::Advice::DontNeed);
    }

    /// Brings the file to disk.
    pub fn sync(&self) -> Result<(), DiskError> {
        self.watched
            .announce(Change::Sync(&self.at), BRING_TO_DISK, &self.shown)?;
        self.file
            .sync_data()
            .map_err(|error| DiskError::new(BRING_TO_DISK, self.shown.as_str(), error))
    }

    /// Gives the file its permission bits, its owner and, where one is given, its time of change in
    /// seconds since 1970.
    pub fn finish(&self, attributes: Attributes, modified: Option<i64>) -> Result<(), DiskError> {
        let finished =
            set_attributes(&self.file, attributes, &self.at, &self.watched).and_then(|()| {
                let Some(seconds) = modified else {
                    return Ok(());
                };
                let time = Timespec {
                    tv_sec: seconds,
                    tv_nsec: 0,
                };
                self.watched.before(Change::SetAttributes(&self.at))?;
                Ok(rustix::fs::futimens(
                    &self.file,
                    &Timestamps {
                        last_access: time,
                        last_modification: time,
                    },
                )?)
            });
        finished.map_err(|error| DiskError::new("write", self.shown.as_str(), error))
    }
}

impl Write for OwnFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.watched.before(Change::Write(&self.at))?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Sets what differs. The owner comes first: a change of it takes rights away.
pub(super) fn set_attributes(
    object: impl rustix::fd::AsFd,
    attributes: Attributes,
    at: &RelPath,
    watched: &Watched,
) -> io::Result<()> {
    let (user, group) = attributes.owner;
    let now = rustix::fs::fstat(&object)?;
    let mut mode = attributes.mode;
    let is_his = (now.st_uid, now.st_gid) == (user, group);
    if !is_his {
        watched.before(Change::SetAttributes(at))?;
        match rustix::fs::fchown(
            &object,
            Some(Uid::from_raw(user)),
            Some(Gid::from_raw(group)),
        ) {
            // Only root can give files away. What somebody else runs is his, and then never with
            // the right to act as the owner it was meant for.
            Err(Errno::PERM) => mode &= 0o1777,
            changed => changed?,
        }
    }
    if !is_his || now.st_mode & 0o7777 != mode {
        watched.before(Change::SetAttributes(at))?;
        rustix::fs::fchmod(&object, Mode::from_raw_mode(mode))?;
    }
    Ok(())
}
