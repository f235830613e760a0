//! `apply`: both halves of a run, or only the second one if the run is already staged.

use std::time::{Duration, Instant};

use crate::cli::answers::can_be_asked;
use crate::cli::args::{self, Format};
use crate::cli::backup::{self, Backup};
use crate::cli::ending::{arrived, not_walked, told_compared};
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::job::{Asking, Begun, Job, Preview, preview_of, told_nothing};
use crate::cli::next::Next;
use crate::cli::terminal::out;
use crate::cli::terminal::progress::backed_up;
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{Progress, Wishes};
use crate::cli::views;
use crate::cli::views::plan::Why;
use crate::cli::views::summary;
use crate::document::nearest;
use crate::events::Began;
use crate::plan::{Plan, Planned};
use crate::run::{self, Asked, BackedUp, Ended, Place, preflight};

/// Runs `rollup apply`.
pub(super) fn apply(args: &args::Apply) -> Result<Exit, Failure> {
    let job = Job::asked(&args.planning)?.expecting(args.expect_plan.as_ref())?;
    job.needs_payload()?;
    if let Some(step) = &args.stop_before {
        known_step(&job, step)?;
    }
    let backup = args
        .backup_dir
        .as_deref()
        .map(|directory| backup::place(directory, &job))
        .transpose()?;
    job.announce();
    if args.dry_run {
        return dry_run(&job, backup.as_ref());
    }
    if !args.yes {
        can_be_asked("`--yes` applies without asking; `--dry-run` only shows the plan")?;
    }
    let asking = Asking {
        command: "apply",
        verb: "Apply",
        declined: "not applied",
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Escaped,
        again: again(&job, args),
        wait: Duration::from_secs(args.locking.lock_timeout),
        injector: args.rehearsing.injector(),
    };
    let wishes = Wishes {
        stop_before: args.stop_before.clone(),
        on_failure: args.failing.on_failure.into(),
        manual_steps: args.rehearsing.into(),
        backup: args.backup_dir.clone(),
        ..Wishes::default()
    };
    run_job(&job, &asking, wishes)
}

/// Returns the command that does the same again.
fn again(job: &Job, args: &args::Apply) -> String {
    let mut command = job.typed.apply_again();
    if let Some(step) = &args.stop_before {
        command.push_str(&format!(" --stop-before {step}"));
    }
    if args.failing.on_failure == args::OnFailure::Stop {
        command.push_str(" --on-failure stop");
    }
    if let Some(directory) = &args.backup_dir {
        command.push_str(&format!(" --backup-dir {}", out::typed(directory)));
    }
    if args.yes {
        command.push_str(" --yes");
    }
    command
}

/// Checks that the manifest has the named step.
fn known_step(job: &Job, named: &str) -> Result<(), Failure> {
    let steps = &job.loaded.manifest.steps;
    if steps.iter().any(|step| step.id.eq_ignore_ascii_case(named)) {
        return Ok(());
    }
    let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    let meant = nearest(named, ids.iter().copied())
        .map(|id| format!("did you mean `{id}`? "))
        .unwrap_or_default();
    Err(Failure::new(
        Exit::Usage,
        format_args!(
            "the manifest has no step `{}`",
            crate::names::Escaped(named)
        ),
    )
    .now("nothing was begun")
    .next(format!("{meant}its steps: {}", ids.join(", "))))
}

fn dry_run(job: &Job, backup: Option<&Place>) -> Result<Exit, Failure> {
    match preview_of(job)? {
        Planned::Nothing(nothing) => told_nothing(&nothing, Format::Text),
        Planned::Plan(plan) => {
            out::line(views::plan::text(&plan, out::width(), Why::Left));
            let reasons = preflight(job.tree(), &plan).map_err(|error| inputs::disk(&error))?;
            for reason in reasons {
                out::warn(format_args!(
                    "an apply would be refused now: {}",
                    reason.message
                ));
            }
            if let Some(backup) = backup {
                backup::told_ahead(backup, job.tree(), &plan)?;
            }
            out::say("this was a dry run: nothing was touched");
        }
    }
    Ok(Exit::Ok)
}

/// Locks, plans, asks, stages, backs up and commits.
pub(super) fn run_job(job: &Job, asking: &Asking<'_>, wishes: Wishes) -> Result<Exit, Failure> {
    let Some(mut begun) = job.begin("apply", asking)? else {
        return Ok(Exit::Ok);
    };
    let mut backup = wishes
        .backup
        .as_deref()
        .map(|directory| Backup::ready(directory, job, &begun))
        .transpose()?;
    let confirmed = job.confirm(&begun, asking)?;
    begun
        .disk
        .keep(&begun.doing)
        .map_err(|error| inputs::disk(&error))?;
    let began = Began::of(&begun.plan, asking.command);
    let mut progress = Progress::new(
        job.tree(),
        began,
        Wishes {
            signals: heeded()?,
            ..wishes
        },
    );
    let since = Instant::now();
    let ended = both_halves(job, &begun, confirmed, backup.as_mut(), &mut progress);
    if let (Err(_), Some(backup)) = (&ended, &mut backup) {
        backup.take_away(begun.disk.tree());
    }
    conclude(
        job,
        &begun.plan,
        ended,
        backup.and_then(|backup| backup.made),
        progress,
        since,
    )
}

/// Stages, backs up and commits; or only backs up and commits if the run is already staged.
fn both_halves(
    job: &Job,
    begun: &Begun,
    confirmed: Vec<String>,
    mut backup: Option<&mut Backup>,
    progress: &mut Progress,
) -> Result<Ended, Failure> {
    let Begun {
        disk,
        payload,
        plan,
        staged,
        ..
    } = begun;
    let mut back_up = |progress: &mut Progress| match &mut backup {
        Some(backup) => backup.make(disk.tree(), plan, progress),
        None => Ok(()),
    };
    if let Some(staged) = staged {
        progress.reopen(staged.name());
        back_up(progress).map_err(|error| backup::failed_beside(&error, staged))?;
        let ended = run::resume(disk, staged, progress);
        return ended.map_err(|error| not_walked(&error, staged, &Next(job.tree().path())));
    }
    let asked = Asked {
        manifest: Some(job.loaded.source.text()),
        confirmed,
    };
    let staged = run::stage(disk, plan, &asked, payload.as_ref(), progress);
    let staged = staged.map_err(|error| inputs::not_begun(&error))?;
    if let Err(error) = back_up(progress) {
        return Err(backup::failed(
            &error,
            staged.throw_away(disk),
            &Next(job.tree().path()),
        ));
    }
    run::commit(disk, plan, staged, progress).map_err(|error| inputs::not_begun(&error))
}

/// Reports how a run ended, and chooses the exit code.
fn conclude(
    job: &Job,
    plan: &Plan,
    ended: Result<Ended, Failure>,
    backup: Option<BackedUp>,
    mut progress: Progress,
    begun: Instant,
) -> Result<Exit, Failure> {
    let committed = progress.committing.map(|at| at.elapsed());
    let staging = progress
        .committing
        .map_or(begun.elapsed(), |at| at.duration_since(begun));
    let result = ended.and_then(|ended| arrived(ended, &Next(job.tree().path())));
    progress.end(&result);
    if let (Err(_), Some(backup)) = (&result, &backup) {
        out::say(backed_up(backup));
    }
    result.map(|(measured, came)| {
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
        backup.iter().map(backed_up).for_each(out::line);
        told_compared(plan, measured, &came);
        Exit::Ok
    })
}
