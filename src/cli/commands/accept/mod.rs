//! `accept`: accepts drift, so that the records match the disk. Moves no installed file.
//!
//! A run that cannot be used is quarantined first, and an open run is closed.

mod by_hand;
mod chosen;
mod closing;
mod drift;
mod progress;
mod quarantine;

use anyhow::bail;

use crate::cli::answers::confirm;
use crate::cli::args::AcceptArgs;
use crate::cli::ending::{
    applied, begin_progress, report_changes, report_cleared_runs, report_undo,
};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::{DescribedDeployment, open_to_change, question};
use crate::cli::job::refuse;
use crate::cli::recovery::{other_is_open, refuse_held};
use crate::cli::result;
use crate::cli::state_now::Worked;
use crate::cli::terminal::out;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Run, runs};
use crate::plan::Plan;
use crate::run::{self, RunRequest, clear_interrupted_staging, preflight, unusable_runs};

/// Runs `rollup accept`.
pub(super) fn accept(args: &AcceptArgs) -> anyhow::Result<Exit> {
    let site = open_to_change(&args.deployment)?;
    let chosen = match &site.description {
        Ok(description) => chosen::instances(description, &args.items)?,
        Err(_) => None,
    };
    let disk = if args.dry_run.dry_run {
        refuse_held(&site.tree)?;
        None
    } else {
        Some(site.lock("accept", args.lock)?)
    };
    let unusable = unusable_runs(&site.tree)?;
    if !unusable.is_empty() {
        site.warn();
        return quarantine::quarantine_unusable(&site.tree, disk.as_ref(), &unusable, args);
    }
    if let Some(disk) = &disk {
        report_cleared_runs(&clear_interrupted_staging(disk)?);
    }
    let open = runs(&site.tree)?.into_iter().find(Run::is_open);
    match (open, &args.applied) {
        (Some(open), Some(_)) => bail!(other_is_open(&open)),
        (Some(open), None) => {
            site.warn();
            closing::close_run(&site, disk.as_ref(), &open, args)
        }
        (None, Some(named)) => by_hand::record_applied(&site.described()?, disk, named, args),
        (None, None) => drift::accept_drift(&site.described()?, disk, chosen.as_ref(), args),
    }
}

/// Refuses named items: a run is closed or quarantined only as a whole.
fn refuse_items(args: &AcceptArgs, reason: String) -> Result<(), Failure> {
    if args.items.is_empty() {
        return Ok(());
    }
    Err(Failure::usage(reason)
        .next("run `rollup accept` without items first; then accept the items"))
}

/// Ends a command that found nothing to do.
fn done_nothing(
    site: &DescribedDeployment,
    disk: Option<&LockedDeployment>,
    args: &AcceptArgs,
) -> anyhow::Result<Exit> {
    match disk {
        Some(_) => Ok(Exit::Ok),
        None => result::dry_run(args.format, &site.tree, &Worked::Nothing),
    }
}

/// Asks, then stages and commits the plan of an accept. `accepted` is what it accepts, and `after`
/// the result of the command if the run is finished. Without a lock it is a dry run, and nothing is asked or
/// done.
fn run_accept(
    site: &DescribedDeployment,
    disk: Option<LockedDeployment>,
    plan: &Plan,
    args: &AcceptArgs,
    accepted: &str,
    after: Result<(), Failure>,
) -> anyhow::Result<Exit> {
    refuse(preflight(&site.tree, plan)?.all())?;
    let Some(mut disk) = disk else {
        return result::dry_run(args.format, &site.tree, &Worked::Otherwise)
            .and_then(|exit| Ok(after.map(|()| exit)?));
    };
    let name = Some(site.description.name.as_str());
    confirm(&question("Accept ", accepted, name, &site.tree), args.yes)?;
    disk.create_rollup_directory("accept")?;
    let mut progress = begin_progress(&disk, plan, "accept", RunOptions::default())?;
    let staged = run::stage(&disk, plan, &RunRequest::default(), None, &mut progress);
    let ended = staged
        .and_then(|staged| run::commit(&disk, plan, staged, &mut progress))
        .map_err(anyhow::Error::from);
    let result = ended.and_then(|ended| applied(ended, &progress));
    let is_finished = result.is_ok();
    let result = result.and_then(|_| Ok(after?));
    progress.end(&result);
    if is_finished {
        report(site, plan, &progress, accepted);
    }
    result.map(|()| Exit::Ok)
}

fn report(site: &DescribedDeployment, plan: &Plan, progress: &RunProgress, accepted: &str) {
    let run = progress.run.clone().unwrap_or_default();
    out::line(format_args!("accepted as run {run}: {accepted}"));
    report_changes(&site.tree, plan, &run);
    report_undo(&site.tree, Some(&site.description), &run);
}
