//! `resume`: finishes the unfinished run.

use anyhow::Context;

use crate::cli::answers::{check_answers, confirm_to_continue};
use crate::cli::args::ResumeArgs;
use crate::cli::ending::{applied, report_comparison, report_undo};
use crate::cli::exit::Exit;
use crate::cli::failure::OfRun;
use crate::cli::recovery::{
    all_runs, lock_for_recovery, manual_steps, print_remaining_operations, report_no_open_run,
};
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::events::Began;
use crate::journal::{Direction, Run};
use crate::run::{self, load_plan};

/// Runs `rollup resume`.
pub(super) fn resume(args: &ResumeArgs) -> anyhow::Result<Exit> {
    let (disk, site, cleared) = lock_for_recovery(
        &args.deployment,
        args.yes,
        args.lock,
        args.rehearsal,
        "resume",
    )?;
    let Some(open) = all_runs(&disk)?.into_iter().find(Run::is_open) else {
        return Ok(report_no_open_run(&cleared, ""));
    };
    let plan = load_plan(disk.tree(), &open.directory).context(OfRun(open.number))?;
    check_answers(&args.done, &manual_steps(&plan), "--done", "manual step")?;
    print_remaining_operations(&disk, &open, &plan, Direction::Forward)?;
    confirm_to_continue(args.yes)?;
    let run_options = RunOptions {
        confirmed: args.done.clone(),
        manual_steps: args.rehearsal.into(),
        on_failure: args.failure.on_failure.into(),
        signals: handle_signals()?,
        ..RunOptions::default()
    };
    let mut progress = RunProgress::new(&disk, Began::of(&plan, "resume"), run_options);
    progress.reopen(open.name());
    let ended = run::resume(&disk, &open, &mut progress).context(OfRun(open.number));
    let result = ended.and_then(applied).map(|(measured, appeared)| {
        out::line(format_args!("run {} is finished", open.name()));
        report_comparison(&plan, measured, &appeared);
        report_undo(disk.tree(), site.as_ref(), open.name());
        Exit::Ok
    });
    progress.end(&result);
    result
}
