//! `stage`: the first half of a run, days before the second one.

use std::time::Duration;

use crate::cli::answers::can_be_asked;
use crate::cli::args;
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::job::{Asking, Begun, Job, Preview};
use crate::cli::next::Next;
use crate::cli::terminal::out;
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{Progress, Wishes};
use crate::events::Began;
use crate::run::{self, Asked};

/// Runs `rollup stage`.
pub(super) fn stage(args: &args::Stage) -> Result<Exit, Failure> {
    let job = Job::asked(&args.planning)?.expecting(args.expect_plan.as_ref())?;
    job.needs_payload()?;
    job.announce();
    if !args.yes {
        can_be_asked("`--yes` stages without asking")?;
    }
    let asking = Asking {
        command: "stage",
        verb: "Stage",
        declined: "not staged",
        yes: args.yes,
        confirm: &args.confirm,
        preview: Preview::Escaped,
        again: format!(
            "{}{}",
            job.typed.again("stage"),
            if args.yes { " --yes" } else { "" }
        ),
        wait: Duration::from_secs(args.locking.lock_timeout),
        injector: None,
    };
    let Some(mut begun) = job.begin("stage", &asking)? else {
        return Ok(Exit::Ok);
    };
    let commit = job.typed.apply_again();
    if let Some(staged) = &begun.staged {
        out::line(format_args!(
            "nothing to do: run {} lies staged with this very plan",
            staged.name()
        ));
        out::line(format_args!("next: {commit}    commits it"));
        return Ok(Exit::Ok);
    }
    let confirmed = job.confirm(&begun, &asking)?;
    begun
        .disk
        .keep(&begun.doing)
        .map_err(|error| inputs::disk(&error))?;
    let Begun {
        disk,
        payload,
        plan,
        ..
    } = begun;
    let wishes = Wishes {
        signals: heeded()?,
        ..Wishes::default()
    };
    let began = Began::of(&plan, asking.command);
    let mut progress = Progress::new(job.tree(), began, wishes);
    let asked = Asked {
        manifest: Some(job.loaded.source.text()),
        confirmed,
    };
    let staged = run::stage(&disk, &plan, &asked, payload.as_ref(), &mut progress);
    let staged = staged.map_err(|error| inputs::not_begun(&error));
    progress.end(&staged);
    out::line(format_args!(
        "staged as run {}; nothing of the deployment has changed",
        staged?.run.name()
    ));
    out::line(format_args!("next: {commit}    commits it"));
    out::line(format_args!(
        "  or: {}    throws it away",
        Next(job.tree().path()).undo()
    ));
    Ok(Exit::Ok)
}
