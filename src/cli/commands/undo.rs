//! `undo`: rolls back the unfinished run, or a finished one that is named.

use crate::cli::answers::{asked, known_answers};
use crate::cli::args::Undo;
use crate::cli::ending::{arrived, not_walked};
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::named::{Newest, choose};
use crate::cli::next::Next;
use crate::cli::recovery::{all_runs, locked, manual_steps, nothing_open, show_way};
use crate::cli::terminal::out;
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{Progress, Wishes};
use crate::deployment::locked::LockedDeployment;
use crate::events::Began;
use crate::journal::{Direction, Outcome, Run, RunState};
use crate::run::{self, Ended, IfChanged, describe_state, load_plan, no_return, throw_away};

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
    show_way(&disk, run, &plan, Direction::Back)?;
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
