//! `resume` and `undo` of the unfinished run, and how any run is told to have ended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::args::Recover;
use super::exit::{Exit, Failure, chain};
use super::inputs;
use super::out;
use super::progress::Progress;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Run, RunState, runs};
use crate::names::{Digest, RelPath, Shown};
use crate::plan::Plan;
use crate::rehearse::Death;
use crate::run::{self, Cleared, Ended, RunError, clear_the_way, load_plan, standing, throw_away};

/// Which way the unfinished run is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// To its end.
    Forward,
    /// To the state before.
    Back,
}

/// What to type next, for one deployment.
pub(super) struct Next<'a>(pub(super) &'a Path);

impl Next<'_> {
    fn command(&self, verb: &str) -> String {
        format!("rollup {verb} -d {}", out::typed(self.0))
    }

    pub(super) fn resume(&self) -> String {
        self.command("resume")
    }

    pub(super) fn undo(&self) -> String {
        self.command("undo")
    }

    pub(super) fn status(&self) -> String {
        self.command("status")
    }
}

/// `rollup resume` and `rollup undo`.
pub(super) fn recover(args: &Recover, way: Way) -> Result<Exit, Failure> {
    let site = inputs::site(args.deployment.deployment.as_deref())?;
    let folder = site.tree.path().to_owned();
    out::say(format_args!("deployment {} ({})", folder.display(), site.how));
    if !args.yes && !out::can_ask() {
        return Err(Failure::new(Exit::Usage, "nobody can be asked here: there is no terminal")
            .now("nothing was begun")
            .next("`--yes` goes on without asking"));
    }
    let verb = if way == Way::Forward { "resume" } else { "undo" };
    let wait = Duration::from_secs(args.locking.lock_timeout);
    let mut disk = LockedDeployment::lock(site.tree, verb, wait).map_err(|error| inputs::locked(&error))?;
    if let Some(change) = args.rehearsing.die_at_change {
        disk = disk.watched(Arc::new(Death::at(change)));
    }
    let cleared = clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?;
    told_cleared(&cleared);
    let open = runs(disk.tree()).map_err(|fault| inputs::journal(&fault))?.into_iter().find(Run::is_open);
    let Some(open) = open else {
        let what = if cleared.is_empty() { "no run is unfinished" } else { "nothing else is unfinished" };
        out::line(format_args!("nothing to do: {what}"));
        return Ok(Exit::Ok);
    };
    if (way, open.state()) == (Way::Back, RunState::Staged) {
        return throw_staged_away(&disk, &open, args.yes);
    }
    let next = Next(&folder);
    let plan = load_plan(disk.tree(), &open.folder).map_err(|error| not_walked(&error, &open, &next))?;
    out::line(format_args!("run {} is {}", open.name(), standing(&open)));
    let how = if way == Way::Forward { "taken to its end" } else { "taken back" };
    out::line(format_args!("it will be {how}, looking at {}", out::count(plan.swaps.len(), "swap", "swaps")));
    asked(args.yes)?;
    let mut progress = Progress::new(disk.tree(), Some(&plan), &args.confirm, args.rehearsing.into());
    progress.reopen(open.name());
    let ended = match way {
        Way::Forward => run::resume(&disk, &open, &mut progress),
        Way::Back => run::undo(&disk, &open, &mut progress),
    };
    let result = match ended {
        Err(error) => Err(not_walked(&error, &open, &next)),
        Ok(Ended::Undone { because: None }) => {
            out::line(format_args!("run {} is undone: everything is as it was before", open.name()));
            Ok(Exit::Ok)
        }
        Ok(ended) => arrived(ended, &next).map(|(measured, came)| {
            out::line(format_args!("run {} is finished", open.name()));
            told_compared(&plan, measured, &came);
            Exit::Ok
        }),
    };
    progress.end(result.as_ref().map_or_else(|failure| failure.exit, |exit| *exit));
    result
}

fn asked(yes: bool) -> Result<(), Failure> {
    match yes || out::is_yes(&out::ask("Go on? [y/N]")) {
        true => Ok(()),
        false => Err(Failure::new(Exit::Interrupted, "not gone on").now("nothing has changed since")),
    }
}

fn throw_staged_away(disk: &LockedDeployment, open: &Run, yes: bool) -> Result<Exit, Failure> {
    out::line(format_args!("run {} is {}", open.name(), standing(open)));
    out::line("it will be thrown away");
    asked(yes)?;
    throw_away(disk, open).map_err(|error| inputs::not_begun(&error))?;
    out::line("thrown away; nothing of the deployment has changed");
    Ok(Exit::Ok)
}

/// A walk that could not begin leaves the run as open as it was.
fn not_walked(error: &RunError, open: &Run, next: &Next<'_>) -> Failure {
    let failure = inputs::not_begun(error);
    let now = format!("run {} is as it was: {}", open.name(), standing(open));
    match (open.state(), error) {
        (_, RunError::Journal(_)) => failure,
        // Planning again is no way out of an open run.
        (RunState::Staged, RunError::Stale { .. }) => Failure { next: Vec::new(), ..failure }
            .next(format!("`{}` throws away what was staged; then plan and apply anew", next.undo())),
        (RunState::Staged, _) => failure,
        (_, RunError::Plan { .. }) => Failure { exit: Exit::NeedsAttention, next: Vec::new(), ..failure }
            .now(now)
            .next("the slots still tell how far it is: see \"By hand\" in the README"),
        _ => Failure { exit: Exit::NeedsAttention, next: Vec::new(), ..failure }.now(now).next(format!(
            "mend what is named, then `{}` or `{}`",
            next.resume(),
            next.undo()
        )),
    }
}

/// Says which dead runs were cleared away.
pub(super) fn told_cleared(cleared: &Cleared) {
    for name in cleared {
        out::say(format_args!("run {name} died while staging and was cleared away: nothing had been begun"));
    }
}

/// The last line of every apply: how the result compares with the preview. Files of others beside
/// ours change nothing of it, but are told.
pub(super) fn told_compared(plan: &Plan, measured: Digest, came: &[RelPath]) {
    for path in came {
        let path = Shown(path.as_str());
        out::say(format_args!("note: `{path}` came while the run was under way, and was left where it is"));
    }
    let predicted = plan.prediction.as_ref().map(|prediction| prediction.digest);
    match predicted == Some(measured) {
        true => out::line("as previewed"),
        false => out::line("as previewed, but for an operator's files, which came or went meanwhile"),
    }
}

/// What was measured of a run that arrived; every other end is a failure of the command.
pub(super) fn arrived(ended: Ended, next: &Next<'_>) -> Result<(Digest, Vec<RelPath>), Failure> {
    match ended {
        Ended::Applied { measured, came } => Ok((measured, came)),
        Ended::Undone { because } => {
            let because = because.map_or_else(|| "undone".to_owned(), |error| chain(&error));
            Err(Failure::new(Exit::Undone, because)
                .now("everything was put back: the deployment is as it was before")
                .next("mend what is named, then apply again"))
        }
        Ended::Stopped(error) => Err(Failure::new(Exit::Stopped, &error)
            .now("everything up to there is on disk; the run is open")
            .next(gate_help(&error, next).unwrap_or_else(|| next.status()))),
        Ended::Stuck { because, error } => {
            let mut failure = Failure::caused(Exit::NeedsAttention, &error);
            if let Some(because) = because {
                failure.reasons.insert(0, chain(&because));
            }
            let now = match error.is_lost_write() {
                true => "the disk reports write errors: what was written since the last barrier may be lost",
                false => "the deployment is between states; nothing else was touched",
            };
            let otherwise = || format!("look at what is named; then `{}` or `{}`", next.resume(), next.undo());
            Err(failure.now(now).next(gate_help(&error, next).unwrap_or_else(otherwise)))
        }
    }
}

/// What to type at a manual step, which depends on the way the run was going.
fn gate_help(error: &RunError, next: &Next<'_>) -> Option<String> {
    Some(match error {
        RunError::Waiting { step, back: false } => format!(
            "do what the step says, then `{} --confirm {step}`; or `{}` takes everything back",
            next.resume(),
            next.undo()
        ),
        RunError::Waiting { step, back: true } => format!(
            "take the step back by hand, then `{} --confirm {step}`; or `{}` goes forward again",
            next.undo(),
            next.resume()
        ),
        RunError::NoReturn { .. } => {
            let resume = next.resume();
            format!("everything behind that step was put back; mend what is named, then `{resume}` goes forward again")
        }
        _ => return None,
    })
}
