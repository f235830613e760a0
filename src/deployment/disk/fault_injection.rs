//! Fault injection: every change of the disk is announced before it is made.
//!
//! One [`Change`] is one system call that changes something. An injector that kills the process,
//! fails the call or cuts the power at each of them in turn tests every state in which a run can
//! leave a disk.

use std::io;
use std::sync::Arc;

use super::tree::DiskError;
use crate::names::RelPath;

/// Receiver of every change before it is made, which can prevent it, to rehearse failures and
/// crashes.
pub trait FaultInjector: Send + Sync {
    /// Receives a change. An error is treated like one of the system's, and the change is not made.
    fn before(&self, change: Change<'_>) -> io::Result<()>;
}

/// Change of the disk that is about to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    /// Creation of a directory.
    MakeDirectory(&'a RelPath),
    /// Creation of an empty file.
    MakeFile(&'a RelPath),
    /// Write to a managed file, or truncation of it.
    Write(&'a RelPath),
    /// Change of permissions, owner or time of a managed object.
    SetAttributes(&'a RelPath),
    /// Rename of an object, from the first path to the second.
    Rename(&'a RelPath, &'a RelPath),
    /// Removal of a name of a file, or of an empty directory.
    Remove(&'a RelPath),
    /// Sync of everything written so far.
    Sync,
    /// Sync of one file.
    SyncFile(&'a RelPath),
}

/// Injector that prevents every change, for a dry run.
pub(super) struct NoChange;

impl FaultInjector for NoChange {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        Err(io::Error::other("a dry run changes nothing"))
    }
}

/// Injector, if one is attached.
#[derive(Clone, Default)]
pub(super) struct AttachedInjector(Option<Arc<dyn FaultInjector>>);

impl AttachedInjector {
    pub(super) fn new(injector: Arc<dyn FaultInjector>) -> Self {
        Self(Some(injector))
    }

    pub(super) fn is_attached(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn before(&self, change: Change<'_>) -> io::Result<()> {
        self.0
            .as_ref()
            .map_or(Ok(()), |injector| injector.before(change))
    }

    /// Calls `before`, and adds the action and the path to its error.
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
