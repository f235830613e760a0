//! A sample deployment to try it all on.
//!
//! A *lab* is a folder with a `deployment` and a `payload`, made from a manifest. The deployment is
//! the sample that is compiled into the program, or a copy of an operator's own. The payload is
//! built: genuine installer packages of exactly the documented sizes and dates, or the operator's
//! real one.
//!
//! In a lab failures can be rehearsed, too: a process that is killed at every change of the disk in
//! turn, and an operation that fails.

mod child;
mod copy;
mod crashes;
mod faults;
mod lab;
mod listing;
mod making;
mod payload;
mod picture;
mod site;

use std::io;
use std::path::{Path, PathBuf};

use crate::deployment::tree::DiskError;
use crate::installer::BuildError;
use crate::names::{Digest, FileName};

pub use child::{Program, Verb};
pub use crashes::{
    CrashError, Crashes, Failing, News, Place, Report, Row, Stood, Way, crash_everywhere,
};
pub use faults::{Death, FailingSwap};
pub use lab::{Lab, LabState, OnExisting, Origin, prepare, refuse_to_lose};
pub use payload::build as build_payload;
pub use picture::{Picture, Times};
pub use site::build as build_site;

/// `deployment.toml` of the sample.
pub const SAMPLE: &str = include_str!("../../fixtures/hmc40/deployment.toml");
/// The name under which [`SAMPLE`] is shown.
pub const SAMPLE_NAME: &str = "the sample's deployment.toml";

/// Why a lab could not be made.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Something stands there already.
    #[error("`{}` exists already", .0.display())]
    Exists(PathBuf),
    /// Something else is there.
    #[error("`{}` was not made by `rollup rehearse`, so it is not replaced", .0.display())]
    NotALab(PathBuf),
    /// The lab does not say what was made in it.
    #[error("`{}` was made by another version of rollup, which did not list what it made there", .0.display())]
    WithoutListing(PathBuf),
    /// There is something in the lab that no rehearsal made.
    #[error("`{}` contains what `rollup rehearse` did not make", .directory.display())]
    Foreign {
        /// The lab.
        directory: PathBuf,
        /// All of it.
        paths: Vec<PathBuf>,
    },
    /// The directory, or the link that leads to it, belongs to another user.
    #[error("`{}` belongs to another user, who could replace what is made there", .0.display())]
    NotYours(PathBuf),
    /// Everybody may make or replace something in the directory.
    #[error("`{}` is writable by all users", .0.display())]
    WritableByAll(PathBuf),
    /// Another rehearsal is at work there.
    #[error("another process is at work in `{}`", .0.display())]
    Busy(PathBuf),
    /// A signal asked for it.
    #[error("stopped by a signal")]
    Interrupted,
    /// Making the lab would remove what it is to be made from.
    #[error("`{}` lies in the folder that the lab would replace", .0.display())]
    WouldBeLost(PathBuf),
    /// The lab would lie in the deployment that is copied into it.
    #[error("`{}` lies in the deployment that is to be copied", .0.display())]
    Inside(PathBuf),
    /// A file of the table cannot be built as documented.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The manifest pins other files than those that are built.
    #[error(
        "the manifest pins a real payload: `{name}` is pinned as {pinned}, and would be built as {built}"
    )]
    PinsOfARealPayload {
        /// The first such file.
        name: FileName,
        /// Its pin.
        pinned: Digest,
        /// What is built under its name.
        built: Digest,
    },
    /// The disk refused.
    #[error("cannot {action} `{}`", path.display())]
    Disk {
        /// What was tried.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
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
