//! What `resume` and `undo` share: the lock, the runs, and the way that is shown before it is taken.

use std::time::Duration;

use super::answers::can_be_asked;
use super::args::{Deployment, Locking, Rehearsing};
use super::ending::told_cleared;
use super::exit::{Exit, Failure};
use super::inputs;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Direction, Run, runs};
use crate::plan::Plan;
use crate::run::{Cleared, clear_the_way, describe_state, examine};

/// Takes the lock for a recovery, and clears runs that died while staging.
pub(super) fn locked(
    deployment: &Deployment,
    yes: bool,
    locking: Locking,
    rehearsing: Rehearsing,
    verb: &str,
) -> Result<(LockedDeployment, Cleared), Failure> {
    let site = inputs::run_site(deployment.deployment.as_deref())?;
    out::say(format_args!(
        "deployment {} ({})",
        site.tree.path().display(),
        site.how
    ));
    site.warn();
    if !yes {
        can_be_asked("`--yes` goes on without asking")?;
    }
    let wait = Duration::from_secs(locking.lock_timeout);
    let disk =
        LockedDeployment::lock(site.tree, verb, wait).map_err(|error| inputs::locked(&error))?;
    let disk = match rehearsing.injector() {
        Some(injector) => disk.with_injector(injector),
        None => disk,
    };
    let cleared = clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?;
    told_cleared(&cleared);
    Ok((disk, cleared))
}

pub(super) fn all_runs(disk: &LockedDeployment) -> Result<Vec<Run>, Failure> {
    runs(disk.tree()).map_err(|fault| inputs::journal(&fault))
}

/// Shows what a recovery will do, operation by operation.
pub(super) fn show_way(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    way: Direction,
) -> Result<(), Failure> {
    let examined =
        examine(disk.tree(), &run.directory, plan).map_err(|error| inputs::disk(&error))?;
    out::line(format_args!(
        "run {} is {}",
        run.name(),
        describe_state(run)
    ));
    let lines = views::plan::way(plan, &examined, way);
    let how = if way == Direction::Forward {
        "taken to its end"
    } else {
        "taken back"
    };
    match lines.is_empty() {
        true => out::line(format_args!(
            "it will be {how}: every operation is where it should be already"
        )),
        false => out::line(format_args!("it will be {how}:")),
    }
    lines.iter().for_each(out::line);
    Ok(())
}

/// Returns the manual steps of a plan, for what is confirmed on the command line.
pub(super) fn manual_steps(plan: &Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .filter(|step| step.manual.is_some())
        .map(|step| step.id.as_str())
        .collect()
}

pub(super) fn nothing_open(cleared: &Cleared, besides: &str) -> Exit {
    let what = if cleared.is_empty() {
        "no run is unfinished"
    } else {
        "nothing else is unfinished"
    };
    out::line(format_args!("nothing to do: {what}{besides}"));
    Exit::Ok
}
