//! Sample deployment on which every command can be tried.
//!
//! A *lab* is a directory with a `deployment` and a `payload`, made from a manifest. The deployment
//! is the sample that is compiled into the program, or a copy of your own. The payload is your real
//! one, or is built: genuine installer packages of exactly the documented sizes and dates.
//!
//! Failures can be rehearsed in a lab, too: a process killed at every change of the disk in turn,
//! and an operation that fails.

mod child;
mod copy;
mod crashes;
mod faults;
mod lab;
mod lab_writer;
mod listing;
mod payload;
mod secrets;
mod site;
mod tree_snapshot;

use std::io;
use std::path::{Path, PathBuf};

use crate::deployment::tree::DiskError;
use crate::installer::BuildError;
use crate::names::{Digest, PayloadPath};

pub use child::{ChildCommand, Program};
pub use crashes::{
    CrashError, CrashPhase, CrashProgress, CrashRehearsal, CrashReport, CrashRow, FailedPoint,
    RecoveredTrees, crash_everywhere,
};
pub use faults::{FailingSwap, KillAtChange};
pub use lab::{Lab, LabOrigin, LabState, OnExisting, prepare, refuse_to_lose};
pub use lab_writer::LabProgress;
pub use payload::build as build_payload;
pub use site::build as build_site;
pub use tree_snapshot::{Times, TreeSnapshot};

/// Text of the sample's `deployment.toml`.
pub const SAMPLE: &str = include_str!("../../fixtures/hmc40/deployment.toml");
/// Name under which [`SAMPLE`] is shown.
pub const SAMPLE_NAME: &str = "the sample's deployment.toml";

/// Reason why a lab could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// A complete lab exists there.
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    /// Something that is not a lab exists there.
    #[error("`{}` was not made by `rollup rehearse`, so it is not replaced", .0.display())]
    NotALab(PathBuf),
    /// The marker file of the lab does not list what was made in it.
    #[error("`{}` was made by another version of rollup, which did not list the files that it made", .0.display())]
    WithoutListing(PathBuf),
    /// The lab contains something that no rehearsal made.
    #[error("`{}` contains files that `rollup rehearse` did not make", .directory.display())]
    UnexpectedFiles {
        /// Path of the lab.
        directory: PathBuf,
        /// Paths of everything that no rehearsal made.
        paths: Vec<PathBuf>,
    },
    /// The directory, or the link that leads to it, belongs to another user.
    #[error("`{}` belongs to another user, who could replace files in it", .0.display())]
    OtherOwner(PathBuf),
    /// All users may make or replace something in the directory.
    #[error("`{}` is writable by all users", .0.display())]
    WritableByAll(PathBuf),
    /// Another rehearsal is using the lab.
    #[error("another process is at work in `{}`", .0.display())]
    Busy(PathBuf),
    /// A signal requested the stop.
    #[error("stopped by a signal")]
    Interrupted,
    /// Making the lab would remove a file or directory that it is made from.
    #[error("`{}` is inside the directory that the lab would replace", .0.display())]
    WouldBeLost(PathBuf),
    /// The lab would be inside the deployment that is copied into it.
    #[error("`{}` is inside the deployment that would be copied", .0.display())]
    Inside(PathBuf),
    /// The secrets in the description could not be replaced by a fixed text.
    #[error("the secrets in `deployment.toml` cannot be replaced, and a lab has none")]
    Secrets,
    /// A file of the table cannot be built as documented.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The manifest pins other files than those that are built.
    #[error(
        "the manifest pins a real payload: `{name}` is pinned as {pinned}, but the built file is {built}"
    )]
    PinsOfARealPayload {
        /// Name of the first such file.
        name: PayloadPath,
        /// Digest that the manifest pins.
        pinned: Digest,
        /// Digest of the file that is built under this name.
        built: Digest,
    },
    /// The disk reported an error.
    #[error("cannot {action} `{}`", path.display())]
    Disk {
        /// Action that was tried.
        action: &'static str,
        /// Path on which it was tried.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
}

fn disk(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LabError + use<> {
    let path = path.to_owned();
    move |source| LabError::Disk {
        action,
        path,
        source,
    }
}

impl From<DiskError> for LabError {
    fn from(
        DiskError {
            action,
            path,
            source,
        }: DiskError,
    ) -> Self {
        Self::Disk {
            action,
            path: path.into(),
            source,
        }
    }
}
