//! `stage`: the first half of a run, days before the second one.

use crate::cli::args::{self, Format};
use crate::cli::ending::begin_progress;
use crate::cli::envelope::print_result;
use crate::cli::exit::Exit;
use crate::cli::job::{BeginOptions, Job, LockedPlan, Preview, report_nothing_to_do};
use crate::cli::terminal::RunOptions;
use crate::cli::terminal::out;
use crate::journal::AskedOptions;
use crate::plan::NothingToDo;
use crate::run::{self, RunRequest};

/// Commands after a stage.
const NEXT: &[(&str, &str)] = &[("resume", "commits it"), ("undo", "discards it")];

/// Runs `rollup stage`.
pub(super) fn stage(args: &args::StageArgs) -> anyhow::Result<Exit> {
    let job = Job::from_args(&args.planning)?.expect_digest(args.expect_plan.as_ref())?;
    job.require_payload()?;
    job.check_confirmed(&args.confirm)?;
    job.announce();
    let begin_options = BeginOptions {
        command: "stage",
        verb: "Stage",
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Printed,
        format: args.format,
        wait: args.lock.wait(),
        injector: None,
    };
    let Some(mut begun) = job.begin(&begin_options)? else {
        return Ok(Exit::Ok);
    };
    if report_staged(&job, &begun, args.format) {
        return Ok(Exit::Ok);
    }
    let Some(confirmed) = job.confirm(&mut begun, &begin_options)? else {
        return Ok(Exit::Ok);
    };
    // Another process that was faster may have staged the same plan.
    if report_staged(&job, &begun, args.format) {
        return Ok(Exit::Ok);
    }
    let options = RunOptions::default();
    let mut progress = begin_progress(&begun.disk, &begun.plan, "stage", options)?;
    let asked = RunRequest {
        manifest: Some(job.loaded.source.text()),
        confirmed,
        options: AskedOptions::default(),
    };
    let payload = begun.payload.as_ref();
    let staged = run::stage(&begun.disk, &begun.plan, &asked, payload, &mut progress);
    let staged = staged.map_err(anyhow::Error::from);
    progress.end(&staged);
    let name = staged?.run.name().to_owned();
    let summary = format!("staged as run {name}; the deployment is unchanged");
    out::line(&summary);
    job.typed.print_next(NEXT);
    print_result(args.format, &name, &summary);
    Ok(Exit::Ok)
}

/// Reports a run that is staged with this plan already, and returns whether there is one.
fn report_staged(job: &Job, begun: &LockedPlan, format: Format) -> bool {
    let Some(staged) = &begun.staged else {
        return false;
    };
    let name = staged.name();
    let nothing = NothingToDo {
        why: format!("run {name} is already staged with this plan"),
        note: None,
    };
    report_nothing_to_do(&nothing, format);
    if format == Format::Text {
        job.typed.print_next(NEXT);
    }
    true
}
