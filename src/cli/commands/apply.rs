//! `apply`: both halves of a run, or only the second one if the run is already staged.

use std::time::{Duration, Instant};

use anyhow::Context;

use crate::cli::answers::require_terminal;
use crate::cli::args::{self, Format};
use crate::cli::backup::{self, Backup};
use crate::cli::ending::{applied, report_comparison, report_undo};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OfRun};
use crate::cli::job::{BeginOptions, Job, LockedPlan, Preview, preview, report_nothing_to_do};
use crate::cli::terminal::out;
use crate::cli::terminal::progress::describe_backup;
use crate::cli::terminal::signals::handle_signals;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::cli::views;
use crate::cli::views::plan::Reasons;
use crate::cli::views::summary;
use crate::document::nearest;
use crate::events::Began;
use crate::plan::{Plan, Planned};
use crate::run::{self, BackupTarget, CompletedBackup, Ended, RunRequest, preflight};

/// Runs `rollup apply`.
pub(super) fn apply(args: &args::ApplyArgs) -> anyhow::Result<Exit> {
    let job = Job::from_args(&args.planning)?.expect_digest(args.expect_plan.as_ref())?;
    job.require_payload()?;
    if let Some(step) = &args.stop_before {
        check_step_exists(&job, step)?;
    }
    let backup = args
        .backup_dir
        .as_deref()
        .map(|directory| backup::target(directory, &job))
        .transpose()?;
    job.announce();
    if args.dry_run {
        return dry_run(&job, backup.as_ref());
    }
    if !args.yes {
        require_terminal("`--yes` applies without asking; `--dry-run` only shows the plan")?;
    }
    let begin_options = BeginOptions {
        command: "apply",
        verb: "Apply",
        declined: "not applied",
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Printed,
        retry_command: retry_command(&job, args),
        wait: Duration::from_secs(args.lock.lock_timeout),
        injector: args.rehearsal.injector(),
    };
    let run_options = RunOptions {
        stop_before: args.stop_before.clone(),
        on_failure: args.failure.on_failure.into(),
        manual_steps: args.rehearsal.into(),
        backup: args.backup_dir.clone(),
        ..RunOptions::default()
    };
    run_job(&job, &begin_options, run_options)
}

/// Returns the command that does the same again.
fn retry_command(job: &Job, args: &args::ApplyArgs) -> String {
    let mut command = job.command.apply_line();
    if let Some(step) = &args.stop_before {
        command.push_str(&format!(" --stop-before {step}"));
    }
    if args.failure.on_failure == args::OnFailureArg::Stop {
        command.push_str(" --on-failure stop");
    }
    if let Some(directory) = &args.backup_dir {
        command.push_str(&format!(" --backup-dir {}", out::shell_quoted(directory)));
    }
    if args.yes {
        command.push_str(" --yes");
    }
    command
}

/// Checks that the manifest has the named step.
fn check_step_exists(job: &Job, named: &str) -> anyhow::Result<()> {
    let steps = &job.loaded.manifest.steps;
    if steps.iter().any(|step| step.id.eq_ignore_ascii_case(named)) {
        return Ok(());
    }
    let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    let suggestion = nearest(named, ids.iter().copied())
        .map(|id| format!("did you mean `{id}`? "))
        .unwrap_or_default();
    Err(Failure::new(
        Exit::Usage,
        format_args!(
            "the manifest has no step `{}`",
            crate::names::Escaped(named)
        ),
    )
    .next(format!("{suggestion}the steps are: {}", ids.join(", ")))
    .into())
}

fn dry_run(job: &Job, backup: Option<&BackupTarget>) -> anyhow::Result<Exit> {
    match preview(job)? {
        Planned::Nothing(nothing) => report_nothing_to_do(&nothing, Format::Text),
        Planned::Plan(plan) => {
            out::line(views::plan::text(&plan, out::width(), Reasons::Omitted));
            let reasons = preflight(job.tree(), &plan)?;
            for reason in reasons {
                out::warn(format_args!(
                    "`rollup apply` would be refused now: {}",
                    reason.message
                ));
            }
            if let Some(backup) = backup {
                backup::report_in_dry_run(backup, job.tree(), &plan)?;
            }
            out::message("this was a dry run: nothing was changed");
        }
    }
    Ok(Exit::Ok)
}

/// Locks, plans, asks, stages, backs up and commits.
pub(super) fn run_job(
    job: &Job,
    begin_options: &BeginOptions<'_>,
    run_options: RunOptions,
) -> anyhow::Result<Exit> {
    let Some(mut begun) = job.begin("apply", begin_options)? else {
        return Ok(Exit::Ok);
    };
    let mut backup = run_options
        .backup
        .as_deref()
        .map(|directory| Backup::prepare(directory, job, &begun))
        .transpose()?;
    let confirmed = job.confirm(&begun, begin_options)?;
    begun.disk.create_rollup_directory(&begun.doing)?;
    let began = Began::of(&begun.plan, begin_options.command);
    let mut progress = RunProgress::new(
        &begun.disk,
        began,
        RunOptions {
            signals: handle_signals()?,
            ..run_options
        },
    );
    let since = Instant::now();
    let ended = stage_and_commit(job, &begun, confirmed, backup.as_mut(), &mut progress);
    if let (Err(_), Some(backup)) = (&ended, &mut backup) {
        backup.remove_if_unused(begun.disk.tree());
    }
    report_outcome(
        job,
        &begun.plan,
        ended,
        backup.and_then(|backup| backup.completed),
        progress,
        since,
    )
}

/// Stages, backs up and commits; or only backs up and commits if the run is already staged.
fn stage_and_commit(
    job: &Job,
    begun: &LockedPlan,
    confirmed: Vec<String>,
    mut backup: Option<&mut Backup>,
    progress: &mut RunProgress,
) -> anyhow::Result<Ended> {
    let LockedPlan {
        disk,
        payload,
        plan,
        staged,
        ..
    } = begun;
    let mut back_up = |progress: &mut RunProgress| match &mut backup {
        Some(backup) => backup.make(disk.tree(), plan, progress),
        None => Ok(()),
    };
    if let Some(staged) = staged {
        progress.reopen(staged.name());
        back_up(progress)?;
        let ended = run::resume(disk, staged, progress);
        return ended.context(OfRun(staged.number));
    }
    let asked = RunRequest {
        manifest: Some(job.loaded.source.text()),
        confirmed,
    };
    let staged = run::stage(disk, plan, &asked, payload.as_ref(), progress);
    let staged = staged?;
    if let Err(error) = back_up(progress) {
        // A run that cannot be removed stays staged, and the `now:` line names it.
        let _ = staged.discard(disk);
        return Err(error.into());
    }
    Ok(run::commit(disk, plan, staged, progress)?)
}

/// Reports how a run ended, and chooses the exit code.
fn report_outcome(
    job: &Job,
    plan: &Plan,
    ended: anyhow::Result<Ended>,
    backup: Option<CompletedBackup>,
    mut progress: RunProgress,
    begun: Instant,
) -> anyhow::Result<Exit> {
    let committed = progress.committing.map(|at| at.elapsed());
    let staging = progress
        .committing
        .map_or(begun.elapsed(), |at| at.duration_since(begun));
    let result = ended.and_then(applied);
    progress.end(&result);
    if let (Err(_), Some(backup)) = (&result, &backup) {
        out::message(describe_backup(backup));
    }
    result.map(|(measured, appeared)| {
        let run = progress.run.clone().unwrap_or_default();
        out::line(format_args!("\napplied {} as run {run}:", plan.subject));
        summary::lines(plan)
            .iter()
            .for_each(|line| out::line(format_args!("  {line}")));
        let commit = committed.unwrap_or_default();
        out::line(format_args!(
            "staged in {}, committed in {}",
            out::duration(staging),
            out::duration(commit)
        ));
        backup.iter().map(describe_backup).for_each(out::line);
        report_comparison(plan, measured, &appeared);
        report_undo(job.tree(), Some(&job.site.description), &run);
        Exit::Ok
    })
}
