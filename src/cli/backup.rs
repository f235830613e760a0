//! `apply --backup-dir`: copies the files that will be replaced to another directory first.

use std::path::Path;

use super::exit::{Exit, Failure};
use super::job::{Begun, Job};
use super::next::Next;
use super::output::refuse_place;
use crate::cli::terminal::Progress;
use crate::cli::terminal::out::{self, count};
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Run, RunState, runs};
use crate::names::{Escaped, error_chain};
use crate::plan::{Plan, What};
use crate::run::{BackedUp, BackupError, Place, StagedYet, next_run, replaced};

/// Backup that was asked for and can be made.
pub(super) struct Backup {
    place: Place,
    /// Name of the run.
    run: String,
    /// Finished backup, if it was made.
    pub(super) made: Option<BackedUp>,
}

/// Finds the given directory, and refuses one inside a deployment or the payload.
pub(super) fn place(directory: &Path, job: &Job) -> Result<Place, Failure> {
    let place = Place::find(directory, job.tree())
        .map_err(|error| failure(&error).now("nothing was begun"))?;
    let reads = [
        job.typed.payload.as_deref().unwrap_or(&job.typed.path),
        job.tree().path(),
    ];
    refuse_place(directory, &place.of_run("backup"), &reads)?;
    Ok(place)
}

impl Backup {
    /// Checks that the backup can be made, and reports what it will hold, before any question is
    /// asked.
    pub(super) fn ready(directory: &Path, job: &Job, begun: &Begun) -> Result<Self, Failure> {
        let deployment = job.tree();
        let place = place(directory, job)?;
        let (run, staged) = match &begun.staged {
            Some(staged) => (staged.name().to_owned(), StagedYet::Yes),
            None => (name(deployment, &begun.plan)?, StagedYet::No),
        };
        let checked = place.check(deployment, &begun.plan, &run, staged);
        checked.map_err(|error| failure(&error).now("nothing was begun"))?;
        announce(&place, &run, &begun.plan);
        Ok(Self {
            place,
            run,
            made: None,
        })
    }

    /// Makes the backup.
    pub(super) fn make(
        &mut self,
        deployment: &Tree,
        plan: &Plan,
        progress: &mut Progress,
    ) -> Result<(), BackupError> {
        self.made = Some(self.place.back_up(deployment, plan, &self.run, progress)?);
        Ok(())
    }

    /// Removes the backup if nothing was replaced after all: it would conflict with the next one.
    pub(super) fn take_away(&mut self, deployment: &Tree) {
        // The record that begins a commit may be written even if it could not be synced to disk.
        let is_ours =
            |run: &Run| run.name() == self.run && matches!(run.state(), RunState::Unfinished(_));
        if runs(deployment).map_or(true, |runs| runs.iter().any(is_ours)) {
            return;
        }
        if let Some(made) = self.made.take()
            && let Err(error) = made.take_away()
        {
            let directory = made.directory.display().to_string();
            out::warn(format_args!(
                "the backup `{directory}` is of no use now, and cannot be removed: {}",
                error_chain(&error)
            ));
        }
    }
}

/// Reports in a dry run what a backup would hold, or why it would be refused.
pub(super) fn told_ahead(place: &Place, deployment: &Tree, plan: &Plan) -> Result<(), Failure> {
    let run = name(deployment, plan)?;
    match place.check(deployment, plan, &run, StagedYet::No) {
        Ok(()) => announce(place, &run, plan),
        Err(error) => out::warn(format_args!(
            "an apply would be refused now: {}",
            error_chain(&error)
        )),
    }
    Ok(())
}

fn name(deployment: &Tree, plan: &Plan) -> Result<String, Failure> {
    next_run(deployment, plan).map_err(|fault| super::inputs::journal(&fault))
}

fn announce(place: &Place, run: &str, plan: &Plan) {
    let files = replaced(plan);
    let sizes = files.iter().map(|entry| match entry.what {
        What::File { size, .. } => size,
        _ => 0,
    });
    let bytes = out::number(sizes.sum());
    let directory = place.of_run(run).display().to_string();
    let files = count(files.len(), "file", "files");
    out::say(format_args!(
        "the {files} that will be replaced ({bytes} bytes) go to {} first",
        Escaped(&directory)
    ));
}

/// Describes a failed backup: the run is not begun without it, and what was staged is removed.
pub(super) fn failed(
    error: &BackupError,
    thrown: Result<(), DiskError>,
    next: &Next<'_>,
) -> Failure {
    match thrown {
        Ok(()) => failure(error).now("nothing of the deployment has changed"),
        Err(_) => failure(error)
            .now("nothing of the deployment has changed; what was staged could not be removed")
            .next(format!("`{}` throws away what is staged", next.undo())),
    }
}

/// Describes a failed backup of a run that was staged by an earlier command, and stays staged.
pub(super) fn failed_beside(error: &BackupError, staged: &Run) -> Failure {
    failure(error).now(format!(
        "nothing of the deployment has changed; run {} still lies staged",
        staged.name()
    ))
}

fn failure(error: &BackupError) -> Failure {
    let (exit, next) = match error {
        BackupError::Left { error: cause, .. } => {
            let cause = failure(cause);
            return Failure {
                reasons: vec![error_chain(error)],
                ..cause
            };
        }
        BackupError::NoParent(_) => (
            Exit::NoInput,
            "make the directory around it first, or name another `--backup-dir`",
        ),
        BackupError::NotADirectory(_) => (Exit::NoInput, "name another `--backup-dir`"),
        BackupError::Inside(_) => (
            Exit::Usage,
            "name a directory outside of the deployment, best on another disk",
        ),
        BackupError::Exists(_) => (
            Exit::NotReady,
            "move it away, or name another `--backup-dir`",
        ),
        BackupError::TooSmall { .. } => (
            Exit::NotReady,
            "make room there, or name another `--backup-dir`",
        ),
        BackupError::Stale { .. } => (
            Exit::StalePlan,
            "plan again: `rollup plan` shows what is different",
        ),
        BackupError::Unfaithful { .. } => (
            Exit::Io,
            "look after that disk first, or name another `--backup-dir`",
        ),
        BackupError::Disk(_) => (
            Exit::Io,
            "mend what is named, or name another `--backup-dir`",
        ),
        BackupError::Interrupted => return Failure::new(Exit::Interrupted, error),
    };
    Failure::caused(exit, error).next(next)
}
