//! `resume`: finishes the unfinished run.

use anyhow::{Context, bail};

use crate::cli::args::ResumeArgs;
use crate::cli::backup::Backup;
use crate::cli::ending::{applied, begin_progress, report_comparison, report_pending, report_undo};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OfRun};
use crate::cli::named::{answered_steps, open_questions};
use crate::cli::recovery::{
    confirm_recovery, lock_for_recovery, preview_recovery, report_no_open_run, sound,
};
use crate::cli::result;
use crate::cli::signed::check_kept;
use crate::cli::state_now::Worked;
use crate::cli::terminal::RunOptions;
use crate::cli::terminal::out;
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::journal::{AskedOptions, Direction, Run, RunState, runs};
use crate::plan::Plan;
use crate::run::{self, examine, load_plan};

/// Runs `rollup resume`.
pub(super) fn resume(args: &ResumeArgs) -> anyhow::Result<Exit> {
    let (site, disk, cleared) = lock_for_recovery(
        &args.deployment,
        args.dry_run,
        args.lock,
        args.rehearsal,
        "resume",
    )?;
    let tree = &site.tree;
    let Some(open) = runs(tree)?.into_iter().find(Run::is_open) else {
        report_no_open_run(&cleared, "");
        return match disk {
            Some(_) => Ok(Exit::Ok),
            None => result::dry_run(args.format, tree, &Worked::Nothing),
        };
    };
    let open = match &disk {
        Some(disk) if args.from_slots.from_slots => {
            run::rebuild_journal(disk, open, Direction::Forward)?
        }
        _ => sound(open)?,
    };
    let plan = load_plan(tree, &open.directory).context(OfRun(open.number))?;
    check_approvals(tree, site.description.as_ref().ok(), &plan, &open)?;
    let asked = open_questions(&plan, &open, Direction::Forward, |_| false);
    let confirmed = answered_steps(&args.done, &plan, asked)?;
    preview_recovery(tree, &open, &plan, Direction::Forward)?;
    let Some(disk) = disk else {
        let dry = LockedDeployment::for_dry_run(tree.try_clone()?)?;
        let mut progress = begin_progress(&dry, &plan, "resume", RunOptions::default())?;
        run::check_resume(&dry, &open, &mut progress).context(OfRun(open.number))?;
        return result::dry_run(args.format, tree, &Worked::On(open.name().to_owned()));
    };
    confirm_recovery(tree, &open, &plan, Direction::Forward, args.yes)?;
    let options = RunOptions {
        confirmed,
        manual_steps: args.rehearsal.into(),
        asked: options_of(&disk, &open, &plan, args)?,
        ..RunOptions::default()
    };
    finish(&disk, site.description.as_ref().ok(), &open, &plan, options)
}

/// Backs up what a staged run will replace, finishes the run, and reports it.
fn finish(
    disk: &LockedDeployment,
    site: Option<&Description>,
    open: &Run,
    plan: &Plan,
    options: RunOptions,
) -> anyhow::Result<Exit> {
    let backup = match (&options.asked.backup_dir, open.state()) {
        (Some(directory), RunState::Staged) => {
            Backup::of_staged(directory, disk.tree(), open, plan)?
        }
        _ => None,
    };
    let mut progress = begin_progress(disk, plan, "resume", options)?;
    progress.reopen(open.name());
    if let Some(mut backup) = backup {
        backup.make(disk.tree(), plan, &mut progress)?;
    }
    let ended = run::resume(disk, open, &mut progress).context(OfRun(open.number));
    let ended = ended.and_then(|ended| applied(ended, &progress));
    let result = ended.map(|unmanaged| {
        out::line(format_args!("run {} is finished", open.name()));
        report_comparison(&unmanaged);
        let _ = report_pending(disk.tree());
        report_undo(disk.tree(), site, open.name());
        Exit::Ok
    });
    progress.end(&result);
    result
}

/// Checks the approvals of a run that is only staged. Once its commit has begun, nothing depends on
/// them.
fn check_approvals(
    tree: &Tree,
    site: Option<&Description>,
    plan: &Plan,
    run: &Run,
) -> anyhow::Result<()> {
    if run.state() != RunState::Staged {
        return Ok(());
    }
    if let Some(site) = site {
        return check_kept(tree, site, plan, run);
    }
    let opened = run.journal.opened();
    if opened.is_none_or(|opened| opened.signatures.approvals.is_empty()) {
        return Ok(());
    }
    let name = run.name();
    let reason = format!("the approvals of run {name} cannot be checked without `deployment.toml`");
    let failure = Failure::not_ready(reason);
    bail!(failure.next("correct `deployment.toml`, or `rollup undo` discards the staged run"))
}

/// Returns the options with which the run was begun, as far as they still apply and no others are given.
fn options_of(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    args: &ResumeArgs,
) -> anyhow::Result<AskedOptions> {
    let begun = run
        .journal
        .opened()
        .map(|opened| opened.options.clone())
        .unwrap_or_default();
    let examined = examine(disk.tree(), &run.directory, plan)?;
    // A run that stopped before the step goes on.
    let is_before = |step: &String| {
        let before = plan
            .steps
            .iter()
            .take_while(|planned| !planned.may_be(step));
        let by_step = plan.swaps_by_step();
        let mut swaps = before.flat_map(|planned| by_step.of(Some(planned)));
        swaps.any(|swap| !examined.is_done(swap.number))
    };
    Ok(AskedOptions {
        stop_before: begun.stop_before.filter(is_before),
        stop_on_failure: args.failure.stops().unwrap_or(begun.stop_on_failure),
        backup_dir: begun.backup_dir,
    })
}
