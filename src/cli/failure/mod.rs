//! The edge of the program: any error becomes an exit code, its `error:` lines and its `next:`
//! lines.
//!
//! Commands pass errors on with `?`. A command describes an error of its own as a [`Failure`]; the
//! errors of the engine and of the readers are described here, once. The `now:` line is not part of
//! an error: it is computed from the deployment ([`super::state_now`]). Commands in advice are
//! completed when they are printed ([`super::advice`]).

mod backup;
mod lab;
mod run;

use std::fmt;
use std::io;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::exit::Exit;
use crate::cli::terminal::out;
use crate::deployment::deletion::is_mount_point;
use crate::deployment::lock::LockError;
use crate::deployment::newer::INSTALL_NEWER;
use crate::deployment::tree::{DiskError, Tree};
use crate::document::nearest;
use crate::journal::{JournalError, runs};
use crate::names::error_chain;
use crate::plan::{Reason, Refusal};
use crate::rehearse::{CrashError, LabError};
use crate::run::{BackupError, RunError};

pub(super) use run::{NotApplied, OfRun};

/// Error with its exit code, reasons and advice.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// Errors of a document, each with its source line; printed before everything else.
    pub(super) findings: Option<String>,
    /// Reasons of the failure, each printed as an `error:` or `stopped:` line.
    pub(super) reasons: Vec<String>,
    /// Actions or commands to take next, each printed as a `next:` line.
    pub(super) next: Vec<String>,
}

impl Failure {
    /// Returns a failure with one reason.
    pub(super) fn new(exit: Exit, reason: impl fmt::Display) -> Self {
        Self::because(exit, vec![reason.to_string()])
    }

    /// Returns a failure of the arguments.
    pub(super) fn usage(reason: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, reason)
    }

    /// Returns a failure of a document.
    pub(super) fn invalid(reason: impl fmt::Display) -> Self {
        Self::new(Exit::Invalid, reason)
    }

    /// Returns the failure of a path that does not exist.
    pub(super) fn no_input(reason: impl fmt::Display) -> Self {
        Self::new(Exit::NoInput, reason)
    }

    /// Returns a failure of the system.
    pub(super) fn io(reason: impl fmt::Display) -> Self {
        Self::new(Exit::Io, reason)
    }

    /// Returns the failure of a check before anything was begun.
    pub(super) fn not_ready(reason: impl fmt::Display) -> Self {
        Self::new(Exit::NotReady, reason)
    }

    /// Returns a failure with these reasons.
    pub(super) fn because(exit: Exit, reasons: Vec<String>) -> Self {
        Self {
            exit,
            findings: None,
            reasons,
            next: Vec::new(),
        }
    }

    /// Returns a failure whose reason is an error with its causes.
    pub(super) fn caused(exit: Exit, error: &dyn std::error::Error) -> Self {
        Self::new(exit, error_chain(error))
    }

    /// Returns the failure of reading or writing a path; a mount point can be unmounted.
    fn of_disk(error: &dyn std::error::Error, source: &io::Error, path: &Path) -> Self {
        if is_mount_point(source) {
            let path = out::shell_quoted(path);
            return Self::caused(Exit::NotReady, error)
                .next(format!("`umount {path}`, then the same command again"));
        }
        if source.kind() == io::ErrorKind::PermissionDenied {
            return Self::caused(Exit::Io, error)
                .next("the same command as a user who has the rights");
        }
        Self::caused(Exit::Io, error).next("fix the cause, then the same command again")
    }

    /// Combines two failures into one. An invalid document is more serious than anything else.
    pub(super) fn and(mut self, other: Failure) -> Self {
        if other.exit == Exit::Invalid {
            self.exit = other.exit;
        }
        self.findings = match (self.findings, other.findings) {
            (Some(findings), Some(more)) => Some(format!("{findings}\n\n{more}")),
            (findings, more) => findings.or(more),
        };
        self.reasons.extend(other.reasons);
        self.reasons.dedup();
        self.next.extend(other.next);
        self.next.dedup();
        self
    }

    /// Adds a `next:` line, unless it is there already.
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        let next = next.into();
        if !self.next.contains(&next) {
            self.next.push(next);
        }
        self
    }

    /// Asks whether another name was meant, which follows some words.
    pub(super) fn meant<'a>(
        self,
        words: &str,
        wanted: &str,
        names: impl Iterator<Item = &'a str>,
    ) -> Self {
        match nearest(wanted, names) {
            Some(meant) if !meant.eq_ignore_ascii_case(wanted) => {
                let meant = out::shell_quoted(Path::new(meant));
                self.next(format!("did you mean `{words}{meant}`?"))
            }
            _ => self,
        }
    }

    /// Replaces the exit code and the advice.
    fn instead(mut self, exit: Exit, next: impl Into<String>) -> Self {
        self.exit = exit;
        self.next = vec![next.into()];
        self
    }

    /// Describes any error. The tree is the deployment of the command, if it has one.
    pub(super) fn of(error: &anyhow::Error, tree: Option<&Tree>) -> Self {
        const KNOWN: [fn(&anyhow::Error) -> Option<Failure>; 8] = [
            known::<Failure>,
            known::<NotApplied>,
            known::<DiskError>,
            known::<LockError>,
            known::<JournalError>,
            known::<BackupError>,
            known::<LabError>,
            known::<Refusal>,
        ];
        if let Some(run_error) = error.downcast_ref::<RunError>() {
            // A recovery that failed may have begun, or not.
            let runs = tree.and_then(|tree| runs(tree).ok()).unwrap_or_default();
            let named = error.downcast_ref().map(|OfRun(number)| *number);
            let run = runs.iter().find(|run| Some(run.number) == named);
            return run::of_run_error(run_error, run);
        }
        if let Some(failure) = KNOWN.iter().find_map(|describe| describe(error)) {
            return failure;
        }
        if let Some(CrashError::Lab(error)) = error.downcast_ref() {
            return error.into();
        }
        let is_of_system = error.chain().any(|cause| cause.is::<io::Error>());
        let exit = if is_of_system { Exit::Io } else { Exit::Failed };
        Self::new(exit, format_args!("{error:#}"))
    }
}

/// Describes an error if it is of this type.
fn known<E>(error: &anyhow::Error) -> Option<Failure>
where
    E: fmt::Debug + fmt::Display + Send + Sync + 'static,
    for<'e> Failure: From<&'e E>,
{
    error.downcast_ref::<E>().map(Failure::from)
}

/// Content of the document of a command that failed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct FailureDocument<'a> {
    /// All reasons.
    pub(super) reasons: &'a [String],
    /// State of the deployment at this moment.
    pub(super) now: &'a str,
    /// Actions or commands to take next.
    pub(super) next: &'a [String],
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reasons.join("; "))
    }
}

impl std::error::Error for Failure {}

impl From<&Failure> for Failure {
    fn from(failure: &Failure) -> Self {
        failure.clone()
    }
}

impl From<&DiskError> for Failure {
    fn from(error: &DiskError) -> Self {
        Self::of_disk(error, &error.source, Path::new(&error.path))
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        (&error).into()
    }
}

impl From<&Refusal> for Failure {
    fn from(refusal: &Refusal) -> Self {
        of_reasons(refusal.kind().into(), &refusal.reasons)
    }
}

impl From<&LockError> for Failure {
    fn from(error: &LockError) -> Self {
        match error {
            LockError::Held { .. } => Failure::new(Exit::Locked, error).next(
                "wait for it, or pass `--lock-timeout SECONDS`; `rollup status` shows its progress",
            ),
            LockError::Untrusted(untrusted) => Failure::not_ready(error).next(&untrusted.help),
            LockError::TooNew(_) => Failure::invalid(error).next(INSTALL_NEWER),
            LockError::DamagedFormat(_) => Failure::new(Exit::NeedsAttention, error)
                .next("restore `.rollup/format` from a backup, then the same command again"),
            LockError::Disk(error) => {
                let failure = Failure::from(error);
                match error.source.kind() {
                    // Who may not write to the deployment may not lock it.
                    io::ErrorKind::PermissionDenied => Failure {
                        exit: Exit::NotReady,
                        ..failure
                    },
                    _ => failure,
                }
            }
        }
    }
}

impl From<&JournalError> for Failure {
    fn from(error: &JournalError) -> Self {
        match error {
            JournalError::Damaged { .. } => Failure::new(Exit::NeedsAttention, error)
                .next("recover the run by hand: `rollup explain recovery`")
                .next("or `rollup accept --reason TEXT` quarantines the run"),
            JournalError::Missing { .. } => Failure::new(Exit::NeedsAttention, error).next(
                "restore it from a backup, or make an empty directory if nothing is to be undone",
            ),
            JournalError::TooNew { .. } => Failure::invalid(error).next(INSTALL_NEWER),
            JournalError::Disk(error) => error.into(),
        }
    }
}

/// Describes all reasons of a refusal, with their advice.
fn of_reasons(exit: Exit, reasons: &[Reason]) -> Failure {
    let messages = reasons.iter().map(|reason| reason.message.clone());
    let mut failure = Failure::because(exit, messages.collect());
    for help in reasons.iter().filter_map(|reason| reason.help.clone()) {
        failure = failure.next(help);
    }
    failure
}
