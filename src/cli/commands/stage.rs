//! `stage`: the first half of a run, days before the second one.

use crate::cli::args;
use crate::cli::ending::begin_progress;
use crate::cli::exit::Exit;
use crate::cli::job::{BeginOptions, Job, LockedPlan, Preview};
use crate::cli::terminal::RunOptions;
use crate::cli::terminal::out;
use crate::journal::AskedOptions;
use crate::run::{self, RunRequest};

/// Commands after a stage.
const NEXT: &[(&str, &str)] = &[("resume", "commits it"), ("undo", "discards it")];

/// Runs `rollup stage`.
pub(super) fn stage(args: &args::StageArgs) -> anyhow::Result<Exit> {
    let job = Job::from_args(&args.planning)?.expect_digest(args.expect_plan.as_ref())?;
    job.require_payload()?;
    job.check_confirmed(&args.confirm)?;
    let approvals = job.read_approvals(&args.approvals)?;
    job.announce();
    let begin_options = BeginOptions {
        command: "stage",
        verb: "Stage",
        format: args.format,
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Printed,
        wait: args.lock.wait(),
        injector: None,
        approvals: &approvals,
    };
    let Some(mut begun) = job.begin(&begin_options)? else {
        return Ok(Exit::Ok);
    };
    if report_staged(&job, &begun) {
        return Ok(Exit::Ok);
    }
    let Some(confirmed) = job.confirm(&mut begun, &begin_options)? else {
        return Ok(Exit::Ok);
    };
    // Another process that was faster may have staged the same plan.
    if report_staged(&job, &begun) {
        return Ok(Exit::Ok);
    }
    let options = RunOptions::default();
    let mut progress = begin_progress(&begun.disk, &begun.plan, "stage", options)?;
    let asked = RunRequest {
        manifest: Some(job.loaded.source.text()),
        confirmed,
        options: AskedOptions::default(),
        signatures: begun.authorization.signatures.clone(),
        signed: begun.authorization.signed.clone(),
    };
    let payload = begun.payload.as_ref();
    let staged = run::stage(&begun.disk, &begun.plan, &asked, payload, &mut progress)
        .map_err(anyhow::Error::from);
    progress.end(&staged);
    let name = staged?.run.name().to_owned();
    out::line(format_args!(
        "staged as run {name}; the deployment is unchanged"
    ));
    job.typed.print_next(NEXT);
    Ok(Exit::Ok)
}

/// Reports a run that is staged with this plan already, and returns whether there is one.
fn report_staged(job: &Job, begun: &LockedPlan) -> bool {
    let Some(staged) = &begun.staged else {
        return false;
    };
    let name = staged.name();
    out::line(format_args!(
        "nothing to do: run {name} is already staged with this plan"
    ));
    job.typed.print_next(NEXT);
    true
}
