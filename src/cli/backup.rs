//! `apply --backup-dir`: a copy of the files that will be replaced, in another directory.

use std::path::Path;

use super::job::{Job, LockedPlan};
use super::output::refuse_path;
use crate::cli::recovery::{is_unfinished, run_with_name};
use crate::cli::terminal::RunProgress;
use crate::cli::terminal::out::{self, count};
use crate::deployment::tree::Tree;
use crate::journal::Run;
use crate::names::{Escaped, error_chain};
use crate::plan::Plan;
use crate::run::{BackupError, BackupTarget, CompletedBackup, StagingSpace, next_run, replaced};

/// Backup of a run, which was checked and can be made.
pub(super) struct Backup {
    target: BackupTarget,
    /// Name of the run.
    run: String,
    pub(super) completed: Option<CompletedBackup>,
}

/// Finds the given directory, and refuses one inside a deployment or the payload.
pub(super) fn target(directory: &Path, job: &Job) -> anyhow::Result<BackupTarget> {
    let target = BackupTarget::resolve(directory, job.tree())?;
    refuse_path(directory, &target.path_for_run("backup"), &job.reads())?;
    Ok(target)
}

impl Backup {
    /// Checks that the backup can be made, and prints its size, before any prompt.
    pub(super) fn prepare(
        directory: &Path,
        job: &Job,
        locked: &LockedPlan,
    ) -> anyhow::Result<Self> {
        let deployment = job.tree();
        let target = target(directory, job)?;
        let (run, staging) = match &locked.staged {
            Some(staged) => (staged.name().to_owned(), StagingSpace::Used),
            None => (next_run(deployment, &locked.plan)?, StagingSpace::Needed),
        };
        target.check(deployment, &locked.plan, &run, staging)?;
        Ok(Self::announced(target, run, &locked.plan))
    }

    /// Prepares the backup that was asked for when a staged run was begun; `None` if it is complete.
    pub(super) fn of_staged(
        directory: &Path,
        deployment: &Tree,
        staged: &Run,
        plan: &Plan,
    ) -> anyhow::Result<Option<Self>> {
        let target = BackupTarget::resolve(directory, deployment)?;
        let run = staged.name().to_owned();
        // It gets its name when it is complete.
        if target.path_for_run(&run).is_dir() {
            return Ok(None);
        }
        target.check(deployment, plan, &run, StagingSpace::Used)?;
        Ok(Some(Self::announced(target, run, plan)))
    }

    fn announced(target: BackupTarget, run: String, plan: &Plan) -> Self {
        announce(&target, &run, plan);
        Self {
            target,
            run,
            completed: None,
        }
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
        match run_with_name(deployment, &self.run) {
            Ok(run) if !run.as_ref().is_some_and(is_unfinished) => {}
            _ => return,
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
) -> anyhow::Result<()> {
    let run = next_run(deployment, plan)?;
    match target.check(deployment, plan, &run, StagingSpace::Needed) {
        Ok(()) => announce(target, &run, plan),
        Err(error) => out::warn(format_args!(
            "`rollup apply` would be refused now: {}",
            error_chain(&error)
        )),
    }
    Ok(())
}

fn announce(target: &BackupTarget, run: &str, plan: &Plan) {
    let files = replaced(plan);
    let bytes = out::size(files.iter().map(|entry| entry.bytes()).sum());
    let directory = target.path_for_run(run).display().to_string();
    let files = count(files.len(), "file");
    out::message(format_args!(
        "backing up {files} that will be replaced ({bytes}) to {} first",
        Escaped(&directory)
    ));
}
