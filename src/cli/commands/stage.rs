//! `stage`: the first half of a run, days before the second one.

use std::time::Duration;

use crate::cli::answers::require_terminal;
use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::job::{BeginOptions, Job, LockedPlan, Preview};
use crate::cli::next::NextCommands;
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::events::Began;
use crate::run::{self, RunRequest};

/// Runs `rollup stage`.
pub(super) fn stage(args: &args::StageArgs) -> anyhow::Result<Exit> {
    let job = Job::from_args(&args.planning)?.expect_digest(args.expect_plan.as_ref())?;
    job.require_payload()?;
    job.announce();
    if !args.yes {
        require_terminal("`--yes` stages without asking")?;
    }
    let begin_options = BeginOptions {
        command: "stage",
        verb: "Stage",
        declined: "not staged",
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Printed,
        retry_command: format!(
            "{}{}",
            job.command.line("stage"),
            if args.yes { " --yes" } else { "" }
        ),
        wait: Duration::from_secs(args.lock.lock_timeout),
        injector: None,
    };
    let Some(mut begun) = job.begin("stage", &begin_options)? else {
        return Ok(Exit::Ok);
    };
    let commit = job.command.apply_line();
    if let Some(staged) = &begun.staged {
        out::line(format_args!(
            "nothing to do: run {} is already staged with this plan",
            staged.name()
        ));
        out::line(format_args!("next: {commit}    commits it"));
        return Ok(Exit::Ok);
    }
    let confirmed = job.confirm(&begun, &begin_options)?;
    begun.disk.create_rollup_directory(&begun.doing)?;
    let LockedPlan {
        disk,
        payload,
        plan,
        ..
    } = begun;
    let run_options = RunOptions {
        signals: handle_signals()?,
        ..RunOptions::default()
    };
    let began = Began::of(&plan, begin_options.command);
    let mut progress = RunProgress::new(&disk, began, run_options);
    let asked = RunRequest {
        manifest: Some(job.loaded.source.text()),
        confirmed,
    };
    let staged = run::stage(&disk, &plan, &asked, payload.as_ref(), &mut progress);
    let staged = staged.map_err(anyhow::Error::from);
    progress.end(&staged);
    out::line(format_args!(
        "staged as run {}; the deployment is unchanged",
        staged?.run.name()
    ));
    out::line(format_args!("next: {commit}    commits it"));
    out::line(format_args!(
        "  or: {}    discards it",
        NextCommands(job.tree().path()).undo()
    ));
    Ok(Exit::Ok)
}
