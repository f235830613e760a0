//! Every change of the disk, seen before it is made.
//!
//! One [`Change`] is one call of the system that changes something, so that whoever stops a
//! process, lets a call fail or cuts the power at any of them has tried every state that a disk can
//! be left in.

use std::io;
use std::sync::Arc;

use super::tree::DiskError;
use crate::names::RelPath;

/// Sees every change before it is made, and may forbid it; for rehearsing failures and deaths.
pub trait Watch: Send + Sync {
    /// An error here is treated like one of the system's, and the change is not made.
    fn before(&self, change: Change<'_>) -> io::Result<()>;
}

/// One change of the disk that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// A folder is made.
    MakeFolder(&'a RelPath),
    /// An empty file is made.
    MakeFile(&'a RelPath),
    /// Bytes are written to a file of ours, or cut off it.
    Write(&'a RelPath),
    /// Permissions, owner or time of something of ours are set.
    SetAttributes(&'a RelPath),
    /// An object gets another name.
    Rename(&'a RelPath, &'a RelPath),
    /// A name of a file, or an empty folder, is taken away.
    Remove(&'a RelPath),
    /// Everything written so far goes to disk.
    Barrier,
    /// One file goes to disk.
    Sync(&'a RelPath),
}

/// Somebody who watches, or nobody.
#[derive(Clone, Default)]
pub(super) struct Watched(Option<Arc<dyn Watch>>);

impl Watched {
    pub(super) fn by(watch: Arc<dyn Watch>) -> Self {
        Self(Some(watch))
    }

    pub(super) fn is_somebody(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn before(&self, change: Change<'_>) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |watch| watch.before(change))
    }

    /// The same, tied to what is tried and where.
    pub(super) fn announce(
        &self,
        change: Change<'_>,
        action: &'static str,
        shown: &str,
    ) -> Result<(), DiskError> {
        self.before(change)
            .map_err(|error| DiskError::new(action, shown, error))
    }
}
