//! `resume` and `undo`, and the report of how any run ended.

use std::path::Path;
use std::time::Duration;

use super::args::{Deployment, Locking, Rehearsing, Resume, Undo};
use super::exit::{Exit, Failure};
use super::named::{Newest, choose};
use super::{args, inputs};
use crate::cli::preview;
use crate::cli::terminal::out;
use crate::cli::terminal::prompts;
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{Progress, Wishes};
use crate::deployment::locked::LockedDeployment;
use crate::document::nearest;
use crate::events::Began;
use crate::journal::{JournalError, Outcome, Run, RunState, runs};
use crate::names::{Digest, Escaped, RelPath, chain};
use crate::plan::Plan;
use crate::run::{
    self, Cleared, Ended, IfChanged, OnFailure, RunError, clear_the_way, describe_state, examine,
    load_plan, no_return, throw_away,
};

impl From<args::OnFailure> for OnFailure {
    fn from(asked: args::OnFailure) -> Self {
        match asked {
            args::OnFailure::Undo => OnFailure::Undo,
            args::OnFailure::Stop => OnFailure::Stop,
        }
    }
}

/// Direction of a recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Finishes the run.
    Forward,
    /// Rolls back to the state before the run.
    Back,
}

/// Commands to type next, for one deployment.
pub(super) struct Next<'a>(pub(super) &'a Path);

impl Next<'_> {
    fn command(&self, verb: &str) -> String {
        format!("rollup {verb} -d {}", out::typed(self.0))
    }

    pub(super) fn status(&self) -> String {
        self.command("status")
    }

    pub(super) fn resume(&self) -> String {
        self.command("resume")
    }

    pub(super) fn undo(&self) -> String {
        self.command("undo")
    }

    /// Returns the command that undoes this run, which has to be named if it is finished.
    fn undo_run(&self, run: &Run) -> String {
        match run.is_open() {
            true => self.undo(),
            false => format!("{} {}", self.undo(), run.number),
        }
    }

    pub(super) fn accept(&self) -> String {
        format!("{} --reason TEXT", self.command("accept"))
    }

    pub(super) fn prune(&self) -> String {
        format!("{} --keep N", self.command("prune"))
    }
}

/// Runs `rollup resume`.
pub(super) fn resume(args: &Resume) -> Result<Exit, Failure> {
    let (disk, cleared) = locked(
        &args.deployment,
        args.yes,
        args.locking,
        args.rehearsing,
        "resume",
    )?;
    let directory = disk.tree().path().to_owned();
    let next = Next(&directory);
    let Some(open) = all_runs(&disk)?.into_iter().find(Run::is_open) else {
        return Ok(nothing_open(&cleared, ""));
    };
    let plan = load_plan(disk.tree(), &open.directory)
        .map_err(|error| not_walked(&error, &open, &next))?;
    known_answers(&args.done, &manual_steps(&plan), "--done", "manual step")?;
    show_way(&disk, &open, &plan, Way::Forward)?;
    asked(args.yes)?;
    let wishes = Wishes {
        confirmed: args.done.clone(),
        manual_steps: args.rehearsing.into(),
        on_failure: args.failing.on_failure.into(),
        signals: heeded()?,
        ..Wishes::default()
    };
    let mut progress = Progress::new(disk.tree(), Began::of(&plan, "resume"), wishes);
    progress.reopen(open.name());
    let ended =
        run::resume(&disk, &open, &mut progress).map_err(|error| not_walked(&error, &open, &next));
    let result = ended
        .and_then(|ended| arrived(ended, &next))
        .map(|(measured, came)| {
            out::line(format_args!("run {} is finished", open.name()));
            told_compared(&plan, measured, &came);
            Exit::Ok
        });
    progress.end(&result);
    result
}

/// Runs `rollup undo`.
pub(super) fn undo(args: &Undo) -> Result<Exit, Failure> {
    let (disk, cleared) = locked(
        &args.deployment,
        args.yes,
        args.locking,
        args.rehearsing,
        "undo",
    )?;
    let directory = disk.tree().path().to_owned();
    let next = Next(&directory);
    let runs = all_runs(&disk)?;
    let open = runs.iter().find(|run| run.is_open());
    let run = match (&args.run, open) {
        (None, Some(open)) => open,
        (None, None) => return Ok(nothing_open(&cleared, &named_last(&disk, &runs, &next)?)),
        (Some(named), open) => match (choose(&runs, named, Newest::Finished)?, open) {
            (run, Some(open)) if run.number != open.number => {
                return Err(other_is_open(open, &next));
            }
            (run, _) => run,
        },
    };
    match run.state() {
        RunState::Staged => return throw_staged_away(&disk, run, args.yes),
        RunState::Closed(Outcome::Undone) => {
            out::line(format_args!(
                "nothing to do: run {} is undone already",
                run.name()
            ));
            return Ok(Exit::Ok);
        }
        RunState::Closed(Outcome::Accepted) => {
            let reason = format!(
                "run {} was closed as it stood, so there is no way back from it",
                run.name()
            );
            return Err(Failure::new(Exit::NotReady, reason).now("nothing has changed"));
        }
        _ => {}
    }
    let plan =
        load_plan(disk.tree(), &run.directory).map_err(|error| not_walked(&error, run, &next))?;
    known_answers(&args.done, &manual_steps(&plan), "--done", "manual step")?;
    show_way(&disk, run, &plan, Way::Back)?;
    asked(args.yes)?;
    let wishes = Wishes {
        confirmed: args.done.clone(),
        manual_steps: args.rehearsing.into(),
        signals: heeded()?,
        ..Wishes::default()
    };
    let mut progress = Progress::new(disk.tree(), Began::of(&plan, "undo"), wishes);
    progress.reopen(run.name());
    let if_changed = if args.discard_changes {
        IfChanged::Quarantined
    } else {
        IfChanged::Refuse
    };
    let ended = match run.state() {
        RunState::Closed(_) => run::reopen(&disk, &runs, run, if_changed, &mut progress),
        _ => run::undo(&disk, run, if_changed, &mut progress),
    };
    let result = match ended {
        Err(error) => Err(not_walked(&error, &as_it_is(&disk, run)?, &next)),
        Ok(Ended::Undone { because: None }) => {
            out::line(format_args!(
                "run {} is undone: everything is as it was before",
                run.name()
            ));
            Ok(Exit::Ok)
        }
        Ok(ended) => arrived(ended, &next).map(|_| Exit::Ok),
    };
    progress.end(&result);
    result
}

/// Refuses an answer to a question that is not asked.
pub(super) fn known_answers(
    given: &[String],
    known: &[&str],
    option: &str,
    what: &str,
) -> Result<(), Failure> {
    let unknown = given
        .iter()
        .find(|id| !known.iter().any(|known| known.eq_ignore_ascii_case(id)));
    let Some(unknown) = unknown else {
        return Ok(());
    };
    let failure = Failure::new(
        Exit::Usage,
        format_args!("there is no {what} named `{}`", Escaped(unknown)),
    )
    .now("this command changed nothing");
    Err(match (nearest(unknown, known.iter().copied()), known) {
        (_, []) => failure.next(format!("leave `{option}` out")),
        (Some(meant), _) => failure.next(format!("did you mean `{option} {meant}`?")),
        (None, known) => failure.next(format!("known: {}", known.join(", "))),
    })
}

/// Returns the manual steps of a plan, for what is confirmed on the command line.
fn manual_steps(plan: &Plan) -> Vec<&str> {
    plan.steps
        .iter()
        .filter(|step| step.manual.is_some())
        .map(|step| step.id.as_str())
        .collect()
}

/// Takes the lock for a recovery, and clears runs that died while staging.
fn locked(
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
    let disk = match rehearsing.watch() {
        Some(watch) => disk.watched(watch),
        None => disk,
    };
    let cleared = clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?;
    told_cleared(&cleared);
    Ok((disk, cleared))
}

/// Refuses to prompt without a terminal.
pub(super) fn can_be_asked(otherwise: &str) -> Result<(), Failure> {
    match prompts::can_ask() {
        true => Ok(()),
        false => Err(Failure::new(
            Exit::Usage,
            "nobody can be asked here: there is no terminal",
        )
        .now("nothing was begun")
        .next(otherwise)),
    }
}

pub(super) fn all_runs(disk: &LockedDeployment) -> Result<Vec<Run>, Failure> {
    runs(disk.tree()).map_err(|fault| inputs::journal(&fault))
}

fn nothing_open(cleared: &Cleared, besides: &str) -> Exit {
    let what = if cleared.is_empty() {
        "no run is unfinished"
    } else {
        "nothing else is unfinished"
    };
    out::line(format_args!("nothing to do: {what}{besides}"));
    Exit::Ok
}

/// Describes how to undo the newest finished run, in case that one was meant.
fn named_last(disk: &LockedDeployment, runs: &[Run], next: &Next<'_>) -> Result<String, Failure> {
    let no_return = no_return(disk.tree(), runs).map_err(|error| inputs::not_begun(&error))?;
    let last = runs
        .iter()
        .rev()
        .find(|run| run.state() == RunState::Closed(Outcome::Applied));
    let last = last.filter(|run| !no_return.contains_key(&run.number));
    let told = last.map(|run| {
        format!(
            "; `{} last` takes back {}, which is finished",
            next.undo(),
            run.name()
        )
    });
    Ok(told.unwrap_or_default())
}

fn other_is_open(open: &Run, next: &Next<'_>) -> Failure {
    Failure::new(
        Exit::NotReady,
        format_args!("run {} is {}", open.name(), describe_state(open)),
    )
    .now("this command changed nothing")
    .next(format!(
        "`{}` takes the open run to its end, `{}` takes it back",
        next.resume(),
        next.undo()
    ))
}

/// Shows what a recovery will do, operation by operation.
fn show_way(disk: &LockedDeployment, run: &Run, plan: &Plan, way: Way) -> Result<(), Failure> {
    let examined =
        examine(disk.tree(), &run.directory, plan).map_err(|error| inputs::disk(&error))?;
    out::line(format_args!(
        "run {} is {}",
        run.name(),
        describe_state(run)
    ));
    let lines = preview::way(plan, &examined, way);
    let how = if way == Way::Forward {
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

pub(super) fn asked(yes: bool) -> Result<(), Failure> {
    match yes || prompts::is_yes(&prompts::ask("Go on? [y/N]")) {
        true => Ok(()),
        false => {
            Err(Failure::new(Exit::Interrupted, "not gone on").now("nothing has changed since"))
        }
    }
}

fn throw_staged_away(disk: &LockedDeployment, open: &Run, yes: bool) -> Result<Exit, Failure> {
    out::line(format_args!(
        "run {} is {}",
        open.name(),
        describe_state(open)
    ));
    out::line("it will be thrown away");
    asked(yes)?;
    throw_away(disk, open).map_err(|error| inputs::not_begun(&error))?;
    out::line("thrown away; nothing of the deployment has changed");
    Ok(Exit::Ok)
}

/// Reads the run again from its journal: a recovery that failed may have begun, or not.
fn as_it_is(disk: &LockedDeployment, run: &Run) -> Result<Run, Failure> {
    let now = all_runs(disk)?
        .into_iter()
        .find(|now| now.number == run.number);
    now.ok_or_else(|| {
        Failure::new(
            Exit::NeedsAttention,
            format_args!("the directory of run {} is gone", run.name()),
        )
    })
}

/// Describes a recovery that could not begin, which leaves the run as it was.
pub(super) fn not_walked(error: &RunError, run: &Run, next: &Next<'_>) -> Failure {
    let failure = inputs::not_begun(error);
    let now = format!("run {} is {}", run.name(), describe_state(run));
    let without = |failure: Failure| Failure {
        next: Vec::new(),
        ..failure
    };
    let even_so = format!(
        "put back what is named, or `{} --discard-changes`: what was changed is then kept in the run's slots",
        next.undo_run(run)
    );
    match (run.state(), error) {
        (RunState::Closed(_), RunError::Journal(JournalError::Disk(_))) => {
            failure.now(now).next(format!("fix what is named, then `{}`", next.undo_run(run)))
        }
        (_, RunError::Journal(_)) => failure,
        // Planning again does not close an open run.
        (RunState::Staged, RunError::Stale { .. }) => {
            without(failure).next(format!("`{}` throws away what was staged; then plan and apply anew", next.undo()))
        }
        (RunState::Staged, _) => failure,
        (RunState::Closed(_), RunError::Changed(_)) => failure.now(now).next(even_so),
        (RunState::Closed(_), RunError::Quarantined { .. }) => Failure { exit: Exit::Mismatch, ..failure }
            .now(now)
            .next(format!("restore what is named from a backup, then `{}`", next.undo_run(run))),
        (RunState::Closed(_), RunError::InTheWay { .. } | RunError::Unexpected { .. }) => {
            Failure { exit: Exit::NotReady, ..failure }
                .now(now)
                .next(format!("move it somewhere else, then `{}`", next.undo_run(run)))
        }
        (RunState::Closed(_), RunError::NotReady(_)) => failure
            .now(now)
            .next(format!("`rollup report {} -d {}` tells what it did", run.number, out::typed(next.0))),
        (RunState::Closed(_), RunError::Plan { .. }) => failure.now(now),
        (RunState::Closed(_), RunError::Pathless { .. }) => {
            without(failure).now(now).next(format!("rename it, then `{}`", next.undo_run(run)))
        }
        (RunState::Closed(_), RunError::Interrupted) => failure.now(now).next(format!("`{}` begins again", next.undo_run(run))),
        // The undo of a finished run that never began: nothing is between states.
        (RunState::Closed(_), _) => {
            failure.now(now).next(format!("fix what is named, then `{}`", next.undo_run(run)))
        }
        (RunState::Unfinished(_), RunError::NotReady(_)) => {
            failure.now(now).next(format!("`{}` takes it to its end", next.resume()))
        }
        (RunState::Unfinished(_), RunError::Interrupted) => Failure { exit: Exit::Stopped, ..failure }
            .now(now)
            .next(format!("`{}` or `{}`", next.resume(), next.undo())),
        (_, RunError::Plan { .. }) => Failure { exit: Exit::NeedsAttention, ..without(failure) }
            .now(now)
            .next(format!(
                "the slots still tell how far it is: see \"By hand\" in the README; or `{}` sets the run's directory aside",
                next.accept()
            )),
        (_, RunError::Changed(_)) => Failure { exit: Exit::NeedsAttention, ..failure }.now(now).next(even_so),
        _ => Failure { exit: Exit::NeedsAttention, ..without(failure) }.now(now).next(format!(
            "mend what is named, then `{}` or `{}`; or `{}` closes the run as it stands",
            next.resume(),
            next.undo(),
            next.accept()
        )),
    }
}

/// Reports which dead runs were cleared.
pub(super) fn told_cleared(cleared: &Cleared) {
    for name in cleared {
        out::say(format_args!(
            "run {name} died while staging and was cleared away: nothing had been begun"
        ));
    }
}

/// Prints the last line of every apply: how the result compares with the expected state. Unmanaged
/// files beside managed ones do not affect the comparison, but are reported.
pub(super) fn told_compared(plan: &Plan, measured: Digest, came: &[RelPath]) {
    for path in came {
        let path = Escaped(path.as_str());
        out::say(format_args!(
            "note: `{path}` came while the run was under way, and was left where it is"
        ));
    }
    let expected = plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.digest);
    match expected == Some(measured) {
        true => out::line("as previewed"),
        false => {
            out::line("as previewed, but for an operator's files, which came or went meanwhile")
        }
    }
}

/// Returns the measured digest of an applied run, and the unmanaged files that appeared during it;
/// every other outcome is a failure of the command.
pub(super) fn arrived(ended: Ended, next: &Next<'_>) -> Result<(Digest, Vec<RelPath>), Failure> {
    match ended {
        Ended::Applied { measured, came } => Ok((measured, came)),
        Ended::Undone { because } => {
            let because = because.map_or_else(|| "undone".to_owned(), |error| chain(&error));
            Err(Failure::new(Exit::Undone, because)
                .now("everything was put back: the deployment is as it was before")
                .next("mend what is named, then apply again"))
        }
        Ended::Stopped(error) => {
            let otherwise = || {
                format!(
                    "`{}` goes on, `{}` takes back what can be",
                    next.resume(),
                    next.undo()
                )
            };
            Err(Failure::caused(Exit::Stopped, &error)
                .now("everything up to there is on disk; the run is open")
                .next(manual_help(&error, next).unwrap_or_else(otherwise)))
        }
        Ended::Stuck { because, error } => {
            let mut failure = Failure::caused(Exit::NeedsAttention, &error);
            if let Some(because) = because {
                failure.reasons.insert(0, chain(&because));
            }
            let now = match error.is_lost_write() {
                true => {
                    "the disk reports write errors: what was written since the last sync may be lost"
                }
                false => "the deployment is between states; nothing else was touched",
            };
            let otherwise = || {
                format!(
                    "look at what is named; then `{}` or `{}`; or `{}` closes the run as it stands",
                    next.resume(),
                    next.undo(),
                    next.accept()
                )
            };
            Err(failure
                .now(now)
                .next(manual_help(&error, next).unwrap_or_else(otherwise)))
        }
    }
}

/// Returns what to type at a manual step, which depends on the direction of the run.
fn manual_help(error: &RunError, next: &Next<'_>) -> Option<String> {
    Some(match error {
        RunError::Waiting { step, back: false } => format!(
            "do what the step says, then `{} --done {step}`; or `{}` takes back what can be",
            next.resume(),
            next.undo()
        ),
        RunError::Waiting { step, back: true } => format!(
            "take the step back by hand, then `{} --done {step}`; or `{}` goes forward again",
            next.undo(),
            next.resume()
        ),
        RunError::NoReturn { .. } => {
            let resume = next.resume();
            format!(
                "everything behind that step was put back; mend what is named, then `{resume}` goes forward again"
            )
        }
        _ => return None,
    })
}
