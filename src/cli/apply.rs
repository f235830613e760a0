//! `apply`: both halves of a run, or the second one of what lies staged.

use std::time::{Duration, Instant};

use super::args::{self, Format};
use super::exit::{Exit, Failure};
use super::job::{Asking, Begun, Job, Preview, preview_of, told_nothing};
use super::preview::{self, Why};
use super::progress::{Progress, Wishes};
use super::recover::{Next, can_be_asked, heeded, not_walked};
use super::{inputs, out, recover, summary};
use crate::document::nearest;
use crate::plan::{Plan, Planned};
use crate::run::{self, Asked, Ended, preflight};

/// `rollup apply`.
pub(super) fn apply(args: &args::Apply) -> Result<Exit, Failure> {
    let job = Job::asked(&args.planning)?;
    job.needs_payload()?;
    if let Some(step) = &args.stop_before {
        known_step(&job, step)?;
    }
    job.announce();
    if args.dry_run {
        return dry_run(&job);
    }
    if !args.yes {
        can_be_asked("`--yes` applies without asking; `--dry-run` only shows the plan")?;
    }
    let asking = Asking {
        verb: "Apply",
        declined: "not applied",
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Shown,
        wait: Duration::from_secs(args.locking.lock_timeout),
        watch: args.rehearsing.watch(),
    };
    let wishes = Wishes {
        stop_before: args.stop_before.clone(),
        on_failure: args.failing.on_failure.into(),
        manual_steps: args.rehearsing.into(),
        ..Wishes::default()
    };
    run_job(&job, &asking, wishes)
}

/// A step that the manifest has.
fn known_step(job: &Job, named: &str) -> Result<(), Failure> {
    let steps = &job.loaded.manifest.steps;
    if steps.iter().any(|step| step.id.eq_ignore_ascii_case(named)) {
        return Ok(());
    }
    let ids: Vec<&str> = steps.iter().map(|step| step.id.as_str()).collect();
    let meant = nearest(named, ids.iter().copied()).map(|id| format!("did you mean `{id}`? ")).unwrap_or_default();
    Err(Failure::new(Exit::Usage, format_args!("the manifest has no step `{}`", crate::names::Shown(named)))
        .now("nothing was begun")
        .next(format!("{meant}its steps: {}", ids.join(", "))))
}

fn dry_run(job: &Job) -> Result<Exit, Failure> {
    match preview_of(job)? {
        Planned::Nothing(nothing) => told_nothing(&nothing, Format::Text),
        Planned::Plan(plan) => {
            out::line(preview::text(&plan, out::width(), Why::Left));
            let reasons = preflight(job.tree(), &plan).map_err(|error| inputs::disk(&error))?;
            for reason in reasons {
                out::warn(format_args!("an apply would be refused now: {}", reason.message));
            }
            out::say("this was a dry run: nothing was touched");
        }
    }
    Ok(Exit::Ok)
}

/// Locks, plans, asks, stages and commits.
pub(super) fn run_job(job: &Job, asking: &Asking<'_>, wishes: Wishes) -> Result<Exit, Failure> {
    let Some(mut begun) = job.begin("apply", asking)? else { return Ok(Exit::Ok) };
    let confirmed = job.confirm(&begun, asking)?;
    begun.disk.keep(&begun.doing).map_err(|error| inputs::disk(&error))?;
    let Begun { disk, payload, plan, staged, .. } = begun;
    let mut progress = Progress::new(job.tree(), Some(&plan), Wishes { signals: heeded()?, ..wishes });
    let since = Instant::now();
    let ended = match &staged {
        Some(staged) => {
            progress.reopen(staged.name());
            let ended = run::resume(&disk, staged, &mut progress);
            ended.map_err(|error| not_walked(&error, staged, &Next(job.tree().path())))
        }
        None => {
            let asked = Asked { manifest: Some(job.loaded.source.text()), confirmed };
            let staged = run::stage(&disk, &plan, &asked, payload.as_ref(), &mut progress);
            let ended = staged.and_then(|staged| run::commit(&disk, &plan, staged, &mut progress));
            ended.map_err(|error| inputs::not_begun(&error))
        }
    };
    conclude(job, &plan, ended, progress, since)
}

/// Tells how a run ended, and chooses the exit code.
fn conclude(
    job: &Job,
    plan: &Plan,
    ended: Result<Ended, Failure>,
    mut progress: Progress,
    begun: Instant,
) -> Result<Exit, Failure> {
    let committed = progress.committing.map(|at| at.elapsed());
    let staging = progress.committing.map_or(begun.elapsed(), |at| at.duration_since(begun));
    let result = ended.and_then(|ended| recover::arrived(ended, &Next(job.tree().path())));
    progress.end(result.as_ref().map_or_else(|failure| failure.exit, |_| Exit::Ok));
    result.map(|(measured, came)| {
        let run = progress.run.clone().unwrap_or_default();
        out::line(format_args!("\napplied {} as run {run}:", plan.subject));
        summary::lines(plan).iter().for_each(|line| out::line(format_args!("  {line}")));
        let commit = committed.unwrap_or_default();
        out::line(format_args!("staged in {}, committed in {}", duration(staging), duration(commit)));
        recover::told_compared(plan, measured, &came);
        Exit::Ok
    })
}

pub(super) fn duration(duration: Duration) -> String {
    match duration.as_millis() {
        0..=9_999 => format!("{} ms", duration.as_millis()),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}
