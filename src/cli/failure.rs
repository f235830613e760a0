//! The edge of the program: any error becomes an exit code, its `error:` lines and its `next:`
//! lines.
//!
//! Commands pass errors on with `?`. A command describes an error of its own as a [`Failure`]; the
//! errors of the engine and of the readers are described here, once. The `now:` line is no part of
//! an error: it is computed from the deployment ([`super::state_now`]).

use std::fmt;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::exit::Exit;
use super::next::NextCommands;
use crate::cli::terminal::out;
use crate::deployment::deletion::is_mount_point;
use crate::deployment::lock::LockError;
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Direction, JournalError, Run, RunState, runs};
use crate::names::error_chain;
use crate::plan::{Reason, Refusal};
use crate::rehearse::{CrashError, LabError};
use crate::run::{BackupError, Ended, RunError};

/// Number of files in the way of a lab that are named one by one.
const NAMED_FILES: usize = 8;

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

    /// Describes any error. The tree is the deployment of the command, if it has one.
    pub(super) fn of(error: &anyhow::Error, tree: Option<&Tree>) -> Self {
        let next = NextCommands(tree.map_or(Path::new("."), Tree::path));
        if let Some(failure) = error.downcast_ref::<Failure>() {
            failure.clone()
        } else if let Some(NotApplied(ended)) = error.downcast_ref() {
            of_ended(ended, &next)
        } else if let Some(run_error) = error.downcast_ref::<RunError>() {
            let run = error.downcast_ref().zip(tree);
            let run = run.and_then(|(OfRun(number), tree)| run_now(tree, *number));
            of_run_error(run_error, run.as_ref(), &next)
        } else if let Some(error) = error.downcast_ref::<DiskError>() {
            error.into()
        } else if let Some(error) = error.downcast_ref::<LockError>() {
            of_lock_error(error)
        } else if let Some(error) = error.downcast_ref::<JournalError>() {
            of_journal_error(error)
        } else if let Some(error) = error.downcast_ref::<BackupError>() {
            of_backup_error(error)
        } else if let Some(CrashError::Lab(error)) = error.downcast_ref() {
            of_lab_error(error)
        } else if let Some(error) = error.downcast_ref::<LabError>() {
            of_lab_error(error)
        } else if let Some(refusal) = error.downcast_ref::<Refusal>() {
            of_reasons(refusal.kind().into(), &refusal.reasons)
        } else if error.chain().any(|cause| cause.is::<std::io::Error>()) {
            Self::new(Exit::Io, format_args!("{error:#}"))
        } else {
            Self::new(Exit::Failed, format_args!("{error:#}"))
        }
    }
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

/// Context of an error: the number of the run that the command was to finish or roll back.
#[derive(Debug)]
pub(super) struct OfRun(pub(super) u32);

impl fmt::Display for OfRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run {}", self.0)
    }
}

/// Run that was begun or continued, and that did not reach the planned state.
#[derive(Debug)]
pub(super) struct NotApplied(pub(super) Ended);

impl fmt::Display for NotApplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the planned state was not reached")
    }
}

impl std::error::Error for NotApplied {}

/// Reads a run again: a recovery that failed may have begun, or not.
fn run_now(tree: &Tree, number: u32) -> Option<Run> {
    let runs = runs(tree).ok()?;
    runs.into_iter().find(|run| run.number == number)
}

/// Describes a failure of the disk; a mount point in the tree can be unmounted.
impl From<&DiskError> for Failure {
    fn from(error: &DiskError) -> Self {
        if is_mount_point(&error.source) {
            let umount = format!("umount {}", out::shell_quoted(Path::new(&error.path)));
            return Failure::caused(Exit::NotReady, error)
                .next(format!("`{umount}`, then the same command again"));
        }
        Failure::caused(Exit::Io, error).next("fix the cause, then the same command again")
    }
}

impl From<DiskError> for Failure {
    fn from(error: DiskError) -> Self {
        (&error).into()
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        of_reasons(refusal.kind().into(), &refusal.reasons)
    }
}

fn of_lock_error(error: &LockError) -> Failure {
    match error {
        LockError::Held { .. } => Failure::new(Exit::Locked, error).next(
            "wait for it, or pass `--lock-timeout SECONDS`; `rollup status` shows its progress",
        ),
        LockError::TooNew(_) => Failure::new(Exit::Invalid, error)
            .next("use the version of rollup that wrote it, or a later one"),
        LockError::Disk(error) => error.into(),
    }
}

fn of_journal_error(fault: &JournalError) -> Failure {
    match fault {
        JournalError::Damaged { .. } => Failure::new(Exit::NeedsAttention, fault)
            .next("recover the run by hand: `rollup explain recovery`")
            .next("or `rollup accept --reason TEXT` quarantines the run"),
        JournalError::TooNew { .. } => {
            Failure::new(Exit::Invalid, fault).next("use the version of rollup that wrote it")
        }
        JournalError::Disk(error) => error.into(),
    }
}

/// Describes a failed backup. The run does not begin without it.
fn of_backup_error(error: &BackupError) -> Failure {
    let (exit, next) = match error {
        BackupError::NotRemoved { error: cause, .. } => {
            return Failure {
                reasons: vec![error_chain(error)],
                ..of_backup_error(cause)
            };
        }
        BackupError::NoParent(_) => (
            Exit::NoInput,
            "create its parent directory first, or name another `--backup-dir`",
        ),
        BackupError::NotADirectory(_) => (Exit::NoInput, "name another `--backup-dir`"),
        BackupError::Inside(_) => (
            Exit::Usage,
            "name a directory outside the deployment, best on another disk",
        ),
        BackupError::Exists(_) => (
            Exit::NotReady,
            "move it somewhere else, or name another `--backup-dir`",
        ),
        BackupError::TooSmall { .. } => (
            Exit::NotReady,
            "free space there, or name another `--backup-dir`",
        ),
        BackupError::Stale { .. } => (
            Exit::StalePlan,
            "plan again: `rollup plan` shows the differences",
        ),
        BackupError::NotAsWritten { .. } => (
            Exit::Io,
            "check that disk first, or name another `--backup-dir`",
        ),
        BackupError::Disk(_) => (Exit::Io, "fix the cause, or name another `--backup-dir`"),
        BackupError::Interrupted => return Failure::new(Exit::Interrupted, error),
    };
    Failure::caused(exit, error).next(next)
}

/// Describes a lab that cannot be made.
fn of_lab_error(error: &LabError) -> Failure {
    let elsewhere = "`--lab DIR` makes the lab somewhere else";
    match error {
        LabError::Exists(_) => Failure::new(Exit::Usage, error)
            .next("`--replace` replaces it; `--lab DIR` makes another one"),
        LabError::WouldBeLost(_)
        | LabError::Inside(_)
        | LabError::NotALab(_)
        | LabError::OtherOwner(_)
        | LabError::WritableByAll(_) => Failure::new(Exit::Usage, error).next(elsewhere),
        LabError::WithoutListing(directory) => Failure::new(Exit::Usage, error).next(format!(
            "remove `{}` yourself if you do not need its contents; {elsewhere}",
            directory.display()
        )),
        LabError::UnexpectedFiles { paths, .. } => {
            let mut failure = Failure::new(Exit::Usage, error).next(format!(
                "move these files elsewhere, then run the same command again; {elsewhere}"
            ));
            let named = paths
                .iter()
                .map(|path| format!("not made by a rehearsal: `{}`", path.display()));
            failure.reasons.extend(out::first_few(named, NAMED_FILES));
            failure
        }
        LabError::Busy(_) => {
            Failure::new(Exit::Locked, error).next(format!("wait for it; {elsewhere}"))
        }
        LabError::Interrupted => {
            Failure::new(Exit::Interrupted, error).next("run the same command again")
        }
        LabError::PinsOfARealPayload { .. } => Failure::new(Exit::Mismatch, error)
            .next("rehearse with the real files: `--payload DIR`"),
        LabError::Build(_) => Failure::new(Exit::Mismatch, error)
            .next("correct the file table, or rehearse with the real files: `--payload DIR`"),
        LabError::Disk { path, source, .. } if is_mount_point(source) => {
            Failure::caused(Exit::NotReady, error).next(format!(
                "`umount {}`, then run the same command again",
                out::shell_quoted(path)
            ))
        }
        LabError::Disk { .. } => {
            Failure::caused(Exit::Io, error).next("fix the cause, then run the same command again")
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

/// Describes an error of a run. The run is the one that was to be finished or rolled back; without
/// one, the commit had not begun.
fn of_run_error(error: &RunError, run: Option<&Run>, next: &NextCommands<'_>) -> Failure {
    let failure = of_run_error_before_commit(error);
    let Some(run) = run else { return failure };
    let undo = next.undo_run(run);
    let with =
        |exit: Exit, advice: String| Failure::because(exit, failure.reasons.clone()).next(advice);
    let discard_changes = format!(
        "restore the files, or `{undo} --discard-changes`, which keeps the changed files in the \
         run's directory"
    );
    match (run.state(), error) {
        (RunState::Closed(_), RunError::Journal(JournalError::Disk(_))) => {
            with(failure.exit, format!("fix the cause, then `{undo}`"))
        }
        // Planning again does not close an open run.
        (RunState::Staged, RunError::Stale { .. }) => with(
            failure.exit,
            format!(
                "`{}` discards the staged run; then plan and apply again",
                next.undo()
            ),
        ),
        (RunState::Staged, _)
        | (_, RunError::Journal(_))
        | (RunState::Closed(_), RunError::Plan { .. }) => failure,
        (RunState::Closed(_), RunError::Changed(_)) => failure.next(discard_changes),
        (RunState::Closed(_), RunError::OldObjectChanged { .. }) => with(
            Exit::Mismatch,
            format!("restore the path from a backup, then `{undo}`"),
        ),
        (RunState::Closed(_), RunError::UnmanagedConflict { .. } | RunError::Unexpected { .. }) => {
            with(
                Exit::NotReady,
                format!("move it somewhere else, then `{undo}`"),
            )
        }
        (RunState::Closed(_), RunError::NotReady(reasons)) => {
            let then = if reasons.iter().all(|reason| reason.help.is_some()) {
                format!("then `{undo}`; ")
            } else {
                String::new()
            };
            failure.next(format!("{then}`{}` shows the run", next.report(run)))
        }
        (RunState::Closed(_), RunError::CannotMove { .. }) => {
            with(failure.exit, format!("rename it, then `{undo}`"))
        }
        (RunState::Closed(_), RunError::Interrupted) => {
            failure.next(format!("`{undo}` starts again"))
        }
        // The undo of a finished run did not begin: nothing is between states.
        (RunState::Closed(_), _) => with(failure.exit, format!("fix the cause, then `{undo}`")),
        (RunState::Unfinished(_), RunError::NotReady(_)) => {
            failure.next(format!("`{}` finishes the run", next.resume()))
        }
        (RunState::Unfinished(_), RunError::Interrupted) => with(
            Exit::Stopped,
            format!("`{}` or `{}`", next.resume(), next.undo()),
        ),
        (_, RunError::Plan { .. }) => with(
            Exit::NeedsAttention,
            format!(
                "recover the run by hand: `rollup explain recovery`; \
                 or `{}` quarantines the run",
                next.accept()
            ),
        ),
        (_, RunError::Changed(_)) => with(Exit::NeedsAttention, discard_changes),
        _ => with(Exit::NeedsAttention, any_way_out(next)),
    }
}

fn of_run_error_before_commit(error: &RunError) -> Failure {
    match error {
        RunError::Disk(error) => error.into(),
        RunError::Journal(fault) => of_journal_error(fault),
        RunError::Plan { .. } => Failure::new(Exit::Invalid, error),
        RunError::Stale { .. } => Failure::new(Exit::StalePlan, error)
            .next("plan again: `rollup plan` shows the differences"),
        RunError::NotReady(reasons) => of_reasons(Exit::NotReady, reasons),
        RunError::CannotMove { .. } => Failure::new(Exit::NotReady, error).next("rename it"),
        RunError::NotAsWritten { .. } => Failure::new(Exit::Io, error).next("check the disk first"),
        RunError::OldObjectChanged { .. }
        | RunError::UnmanagedConflict { .. }
        | RunError::Unexpected { .. }
        | RunError::UnexpectedResult(_) => Failure::new(Exit::NeedsAttention, error),
        RunError::Changed(found) => {
            let changed = found.iter();
            let changed = changed.map(|difference| format!("changed since the run: {difference}"));
            Failure::because(Exit::Mismatch, changed.collect())
        }
        RunError::Interrupted => Failure::new(Exit::Interrupted, "stopped by a signal"),
        RunError::Waiting { .. } | RunError::StopsBefore { .. } => {
            Failure::new(Exit::Stopped, error)
        }
        RunError::PointOfNoReturn { .. } => Failure::new(Exit::NotReady, error),
    }
}

/// Describes the end of a run that did not reach the planned state.
fn of_ended(ended: &Ended, next: &NextCommands<'_>) -> Failure {
    match ended {
        Ended::Applied { .. } | Ended::Undone { because: None } => {
            Failure::new(Exit::RolledBack, "rolled back")
        }
        Ended::Undone {
            because: Some(error),
        } => Failure::caused(Exit::RolledBack, error).next("fix the cause, then apply again"),
        Ended::Stopped(error) => {
            let otherwise = || {
                format!(
                    "`{}` continues, `{}` rolls back as far as possible",
                    next.resume(),
                    next.undo()
                )
            };
            Failure::caused(Exit::Stopped, error)
                .next(manual_step_help(error, next).unwrap_or_else(otherwise))
        }
        Ended::Stuck { because, error } => {
            let mut reasons: Vec<String> = because.iter().map(|error| error_chain(error)).collect();
            reasons.push(error_chain(error));
            if error.is_lost_write() {
                reasons.push(
                    "the disk reports write errors: data written since the last sync may be lost"
                        .to_owned(),
                );
            }
            Failure::because(Exit::NeedsAttention, reasons)
                .next(manual_step_help(error, next).unwrap_or_else(|| any_way_out(next)))
        }
    }
}

/// Returns the `next:` line at a manual step, which depends on the direction of the run.
fn manual_step_help(error: &RunError, next: &NextCommands<'_>) -> Option<String> {
    Some(match error {
        RunError::Waiting {
            step,
            direction: Direction::Forward,
        } => format!(
            "follow the instructions, then `{} --done {step}`; \
             or `{}` rolls back as far as possible",
            next.resume(),
            next.undo()
        ),
        RunError::Waiting {
            step,
            direction: Direction::Back,
        } => format!(
            "roll the step back by hand, then `{} --done {step}`; or `{}` goes forward again",
            next.undo(),
            next.resume()
        ),
        RunError::PointOfNoReturn { .. } => format!(
            "everything after that step was rolled back; \
             fix the cause, then `{}` goes forward again",
            next.resume()
        ),
        _ => return None,
    })
}

/// Returns the `next:` line of a run that can go in either direction once its problem is fixed.
fn any_way_out(next: &NextCommands<'_>) -> String {
    format!(
        "fix the cause, then `{}` or `{}`; or `{}` closes the run in its current state",
        next.resume(),
        next.undo(),
        next.accept()
    )
}
