//! `resume`: finishes the unfinished run.

use anyhow::Context;

use crate::cli::answers::check_answers;
use crate::cli::args::ResumeArgs;
use crate::cli::ending::{applied, begin_progress, report_comparison, report_pending, report_undo};
use crate::cli::exit::Exit;
use crate::cli::failure::OfRun;
use crate::cli::recovery::{
    confirm_recovery, lock_for_recovery, manual_steps, print_remaining_operations,
    report_no_open_run,
};
use crate::cli::terminal::RunOptions;
use crate::cli::terminal::out;
use crate::journal::{Direction, Run, runs};
use crate::run::{self, load_plan};

/// Runs `rollup resume`.
pub(super) fn resume(args: &ResumeArgs) -> anyhow::Result<Exit> {
    let (disk, site, cleared) =
        lock_for_recovery(&args.deployment, args.lock, args.rehearsal, "resume")?;
    let Some(open) = runs(disk.tree())?.into_iter().find(Run::is_open) else {
        return Ok(report_no_open_run(&cleared, ""));
    };
    let plan = load_plan(disk.tree(), &open.directory).context(OfRun(open.number))?;
    check_answers(&args.done, &manual_steps(&plan), "--done", "manual step")?;
    print_remaining_operations(&disk, &open, &plan, Direction::Forward)?;
    confirm_recovery(&disk, &open, &plan, Direction::Forward, args.yes)?;
    let options = RunOptions {
        confirmed: args.done.clone(),
        manual_steps: args.rehearsal.into(),
        on_failure: args.failure.on_failure.into(),
        ..RunOptions::default()
    };
    let mut progress = begin_progress(&disk, &plan, "resume", options)?;
    progress.reopen(open.name());
    let ended = run::resume(&disk, &open, &mut progress).context(OfRun(open.number));
    let ended = ended.and_then(|ended| applied(ended, &progress));
    let result = ended.map(|(measured, appeared)| {
        out::line(format_args!("run {} is finished", open.name()));
        report_comparison(&plan, measured, &appeared);
        let _ = report_pending(disk.tree());
        report_undo(disk.tree(), site.as_ref(), open.name());
        Exit::Ok
    });
    progress.end(&result);
    result
}
