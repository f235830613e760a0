//! `apply --backup-dir`: a copy of the files that will be replaced, in another directory.

use std::path::Path;

use super::exit::{Exit, Failure};
use super::inputs;
use super::job::{Job, LockedPlan};
use super::next::NextCommands;
use super::output::refuse_path;
use crate::cli::terminal::RunProgress;
use crate::cli::terminal::out::{self, count};
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Run, RunState, runs};
use crate::names::{Escaped, error_chain};
use crate::plan::{EntryKind, Plan};
use crate::run::{BackupError, BackupTarget, CompletedBackup, StagingSpace, next_run, replaced};

/// Backup of a run, which was checked and can be made.
pub(super) struct Backup {
    target: BackupTarget,
    /// Name of the run.
    run: String,
    pub(super) completed: Option<CompletedBackup>,
}

/// Finds the given directory, and refuses one inside a deployment or the payload.
pub(super) fn target(directory: &Path, job: &Job) -> Result<BackupTarget, Failure> {
    let target = BackupTarget::resolve(directory, job.tree())
        .map_err(|error| failure(&error).now("nothing was begun"))?;
    let reads = [
        job.command.payload.as_deref().unwrap_or(&job.command.path),
        job.tree().path(),
    ];
    refuse_path(directory, &target.path_for_run("backup"), &reads)?;
    Ok(target)
}

impl Backup {
    /// Checks that the backup can be made, and prints its size, before any prompt.
    pub(super) fn prepare(
        directory: &Path,
        job: &Job,
        locked: &LockedPlan,
    ) -> Result<Self, Failure> {
        let deployment = job.tree();
        let target = target(directory, job)?;
        let (run, staging) = match &locked.staged {
            Some(staged) => (staged.name().to_owned(), StagingSpace::Used),
            None => (
                next_run_name(deployment, &locked.plan)?,
                StagingSpace::Needed,
            ),
        };
        target
            .check(deployment, &locked.plan, &run, staging)
            .map_err(|error| failure(&error).now("nothing was begun"))?;
        announce(&target, &run, &locked.plan);
        Ok(Self {
            target,
            run,
            completed: None,
        })
    }

    /// Makes the backup.
    pub(super) fn make(
        &mut self,
        deployment: &Tree,
        plan: &Plan,
        progress: &mut RunProgress,
    ) -> Result<(), BackupError> {
        let completed = self.target.back_up(deployment, plan, &self.run, progress)?;
        self.completed = Some(completed);
        Ok(())
    }

    /// Removes the backup if nothing was replaced: it would conflict with the next one.
    pub(super) fn remove_if_unused(&mut self, deployment: &Tree) {
        // The record that begins a commit may be written even if it could not be synced to disk.
        let has_begun =
            |run: &Run| run.name() == self.run && matches!(run.state(), RunState::Unfinished(_));
        if runs(deployment).map_or(true, |runs| runs.iter().any(has_begun)) {
            return;
        }
        if let Some(completed) = self.completed.take()
            && let Err(error) = completed.remove()
        {
            let directory = completed.directory.display().to_string();
            out::warn(format_args!(
                "the backup `{directory}` is not needed, and cannot be removed: {}",
                error_chain(&error)
            ));
        }
    }
}

/// Reports in a dry run the size of the backup, or the reason why it would be refused.
pub(super) fn report_in_dry_run(
    target: &BackupTarget,
    deployment: &Tree,
    plan: &Plan,
) -> Result<(), Failure> {
    let run = next_run_name(deployment, plan)?;
    match target.check(deployment, plan, &run, StagingSpace::Needed) {
        Ok(()) => announce(target, &run, plan),
        Err(error) => out::warn(format_args!(
            "`rollup apply` would be refused now: {}",
            error_chain(&error)
        )),
    }
    Ok(())
}

fn next_run_name(deployment: &Tree, plan: &Plan) -> Result<String, Failure> {
    next_run(deployment, plan).map_err(|fault| inputs::journal_failure(&fault))
}

fn announce(target: &BackupTarget, run: &str, plan: &Plan) {
    let files = replaced(plan);
    let sizes = files.iter().map(|entry| match entry.kind {
        EntryKind::File { size, .. } => size,
        _ => 0,
    });
    let bytes = out::number(sizes.sum());
    let directory = target.path_for_run(run).display().to_string();
    let files = count(files.len(), "file", "files");
    out::message(format_args!(
        "backing up {files} that will be replaced ({bytes} bytes) to {} first",
        Escaped(&directory)
    ));
}

/// Describes a failed backup. The run does not begin without it, and its staging was discarded.
pub(super) fn failure_after_staging(
    error: &BackupError,
    discarded: Result<(), DiskError>,
    next: &NextCommands<'_>,
) -> Failure {
    match discarded {
        Ok(()) => failure(error).now("nothing of the deployment has changed"),
        Err(_) => failure(error)
            .now("nothing of the deployment has changed; the staged run could not be removed")
            .next(format!("`{}` discards the staged run", next.undo())),
    }
}

/// Describes a failed backup of a run that was staged by an earlier command, and stays staged.
pub(super) fn failure_of_staged_run(error: &BackupError, staged: &Run) -> Failure {
    failure(error).now(format!(
        "nothing of the deployment has changed; run {} is still staged",
        staged.name()
    ))
}

fn failure(error: &BackupError) -> Failure {
    let (exit, next) = match error {
        BackupError::NotRemoved { error: cause, .. } => {
            let cause = failure(cause);
            return Failure {
                reasons: vec![error_chain(error)],
                ..cause
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
