//! `apply`: both halves of a run, or only the second one if the run is already staged.

use std::time::Instant;

use anyhow::Context;

use super::plan::showing;
use crate::cli::args::{self, Format};
use crate::cli::backup::{self, Backup};
use crate::cli::ending::{
    applied, begin_progress, report_changes, report_comparison, report_pending, report_undo,
};
use crate::cli::exit::Exit;
use crate::cli::failure::OfRun;
use crate::cli::job::{
    BeginOptions, Job, LockedPlan, Preview, preview_or_report, refuse, warn_of_risk,
};
use crate::cli::named::require_step;
use crate::cli::result::report_dry_run;
use crate::cli::signed::GivenApprovals;
use crate::cli::terminal::out;
use crate::cli::terminal::progress::describe_backup;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::cli::views;
use crate::cli::views::plan::Reasons;
use crate::deployment::tree::Tree;
use crate::journal::{AskedOptions, Run, RunState, runs};
use crate::plan::Plan;
use crate::run::{self, BackupTarget, Ended, RunRequest};

/// Runs `rollup apply`.
pub(super) fn apply(args: &args::ApplyArgs) -> anyhow::Result<Exit> {
    let job = Job::from_args(&args.planning)?.expect_digest(args.expect_plan.as_ref())?;
    job.require_payload()?;
    job.check_confirmed(&args.confirm)?;
    if let Some(step) = &args.stop_before {
        require_step(
            &job.loaded.manifest,
            &job.site.description,
            step,
            "--stop-before",
            "",
        )?;
    }
    let backup = match &args.backup_dir {
        Some(directory) => Some(backup::target(directory, &job)?),
        None => None,
    };
    let approvals = job.read_approvals(&args.approvals)?;
    job.announce();
    if args.dry_run {
        return dry_run(&job, args.format, &approvals, backup.as_ref());
    }
    let begin_options = BeginOptions {
        command: "apply",
        verb: "Apply",
        format: args.format,
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Printed,
        wait: args.lock.wait(),
        injector: args.rehearsal.injector(),
        approvals: &approvals,
    };
    let run_options = RunOptions {
        asked: AskedOptions {
            // A later command may be typed in another directory.
            backup_dir: backup.map(|backup| backup.directory().to_owned()),
            stop_before: args.stop_before.clone(),
            stop_on_failure: args.failure.stops().unwrap_or_default(),
        },
        manual_steps: args.rehearsal.into(),
        ..RunOptions::default()
    };
    run_job(&job, &begin_options, run_options)
}

fn dry_run(
    job: &Job,
    format: Format,
    approvals: &GivenApprovals,
    backup: Option<&BackupTarget>,
) -> anyhow::Result<Exit> {
    let Some(plan) = preview_or_report(job, format)? else {
        return Ok(Exit::Ok);
    };
    out::line(views::plan::text(&plan, Reasons::chosen()));
    refuse(job.preflight(&plan)?.all())?;
    warn_of_risk(job.tree());
    let staged = staged_run(job.tree())?;
    job.authorize(&plan, approvals, staged.as_ref())?;
    if let Some(backup) = backup {
        backup::report_in_dry_run(backup, job.tree(), &plan)?;
    }
    if format == Format::Json {
        let showing = showing(job, &plan, Vec::new(), None);
        out::document(&views::plan::printed(&plan, &showing, Exit::Ok));
    }
    report_dry_run();
    Ok(Exit::Ok)
}

/// Returns the run that is staged. A dry run has made its plan, so it is staged with that.
fn staged_run(tree: &Tree) -> anyhow::Result<Option<Run>> {
    let mut runs = runs(tree)?.into_iter();
    Ok(runs.find(|run| run.state() == RunState::Staged))
}

/// Locks, plans, asks, stages, backs up and commits.
pub(super) fn run_job(
    job: &Job,
    begin_options: &BeginOptions<'_>,
    run_options: RunOptions,
) -> anyhow::Result<Exit> {
    let Some(mut begun) = job.begin(begin_options)? else {
        return Ok(Exit::Ok);
    };
    let mut backup = match &run_options.asked.backup_dir {
        Some(directory) => Some(Backup::prepare(directory, job, &begun)?),
        None => None,
    };
    let Some(confirmed) = job.confirm(&mut begun, begin_options)? else {
        return Ok(Exit::Ok);
    };
    let command = begin_options.command;
    let options = run_options.asked.clone();
    let mut progress = begin_progress(&begun.disk, &begun.plan, command, run_options)?;
    let begin = Instant::now();
    let asked = RunRequest {
        manifest: Some(job.loaded.source.text()),
        confirmed,
        options,
        signatures: begun.authorization.signatures.clone(),
        signed: begun.authorization.signed.clone(),
    };
    let ended = stage_and_commit(&begun, &asked, backup.as_mut(), &mut progress);
    let end = Instant::now();
    if let (Err(_), Some(backup)) = (&ended, &mut backup) {
        backup.remove_if_unused(begun.disk.tree());
    }
    let result = ended.and_then(|ended| applied(ended, &progress));
    progress.end(&result);
    let backup = backup
        .and_then(|backup| backup.completed)
        .as_ref()
        .map(describe_backup);
    match result {
        Ok(unmanaged) => {
            let run = progress.run.clone().unwrap_or_default();
            out::line(format_args!(
                "\napplied {} as run {run}:",
                begun.plan.subject
            ));
            report_changes(job.tree(), &begun.plan, &run);
            let committing = progress.committing.unwrap_or(end);
            let staged = out::duration(progress.staged.unwrap_or(committing) - begin);
            let committed = out::duration(end - committing);
            out::line(format_args!("staged in {staged}, committed in {committed}"));
            backup.iter().for_each(out::line);
            report_comparison(&unmanaged);
            report_pending(job.tree())?;
            report_undo(job.tree(), Some(&job.site.description), &run);
            Ok(Exit::Ok)
        }
        Err(error) => {
            backup.iter().for_each(out::message);
            Err(error)
        }
    }
}

/// Stages, backs up and commits; or only backs up and commits if the run is already staged.
fn stage_and_commit(
    begun: &LockedPlan,
    asked: &RunRequest<'_>,
    mut backup: Option<&mut Backup>,
    progress: &mut RunProgress,
) -> anyhow::Result<Ended> {
    let (disk, plan): (_, &Plan) = (&begun.disk, &begun.plan);
    let mut back_up = |progress: &mut RunProgress| match &mut backup {
        Some(backup) => backup.make(disk.tree(), plan, progress),
        None => Ok(()),
    };
    if let Some(staged) = &begun.staged {
        progress.reopen(staged.name());
        back_up(progress)?;
        return run::resume(disk, staged, progress).context(OfRun(staged.number));
    }
    let staged = run::stage(disk, plan, asked, begun.payload.as_ref(), progress)?;
    if let Err(error) = back_up(progress) {
        // A run that cannot be removed stays staged, and the `now:` line names it.
        let _ = staged.discard(disk);
        return Err(error.into());
    }
    Ok(run::commit(disk, plan, staged, progress)?)
}
