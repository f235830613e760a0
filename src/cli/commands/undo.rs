//! `undo`: rolls back the unfinished run, or a finished one that is named.

use anyhow::Context;

use crate::cli::answers::{check_answers, confirm_to_continue};
use crate::cli::args::UndoArgs;
use crate::cli::ending::applied;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OfRun};
use crate::cli::named::{Newest, find_run};
use crate::cli::next::NextCommands;
use crate::cli::recovery::{
    all_runs, lock_for_recovery, manual_steps, other_is_open, print_remaining_operations,
    report_no_open_run,
};
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::deployment::applied::AppliedRollups;
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::events::Began;
use crate::journal::{Direction, Outcome, Run, RunState};
use crate::names::{Escaped, same_name};
use crate::plan::Plan;
use crate::run::{
    self, ChangedFilePolicy, Ended, RunError, UndoCheck, containers_left, describe_run,
    discard_staged, load_plan, undo_answers,
};

/// Runs `rollup undo`.
pub(super) fn undo(args: &UndoArgs) -> anyhow::Result<Exit> {
    let (disk, site, cleared) = lock_for_recovery(
        &args.deployment,
        args.yes,
        args.lock,
        args.rehearsal,
        "undo",
    )?;
    let directory = disk.tree().path().to_owned();
    let next = NextCommands(&directory);
    let runs = all_runs(&disk)?;
    let open = runs.iter().find(|run| run.is_open());
    let run = match (&args.run, open) {
        (None, Some(open)) => open,
        (None, None) => {
            let hint = hint_at_last(&disk, &runs, site.as_ref(), &next)?;
            return Ok(report_no_open_run(&cleared, &hint));
        }
        (Some(named), open) => named_run(&runs, named, open, &next)?,
    };
    match run.state() {
        RunState::Staged => return discard_staged_run(&disk, run, args.yes),
        RunState::Closed(Outcome::Undone) => {
            out::line(format_args!(
                "nothing to roll back: run {} is already undone",
                run.name()
            ));
            return Ok(Exit::Ok);
        }
        _ => {}
    }
    let plan = load_plan(disk.tree(), &run.directory).context(OfRun(run.number))?;
    check_answers(&args.done, &manual_steps(&plan), "--done", "manual step")?;
    let reasons = UndoCheck::new(disk.tree(), &runs, site.as_ref()).reasons(run);
    let reasons = reasons.context(OfRun(run.number))?;
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons)).context(OfRun(run.number));
    }
    print_remaining_operations(&disk, run, &plan, Direction::Back)?;
    if run.is_open() {
        warn_of_offline_servers(&plan, site.as_ref());
    }
    confirm_to_continue(args.yes)?;
    let run_options = RunOptions {
        confirmed: args.done.clone(),
        manual_steps: args.rehearsal.into(),
        signals: handle_signals()?,
        ..RunOptions::default()
    };
    let mut progress = RunProgress::new(&disk, Began::of(&plan, "undo"), run_options);
    progress.reopen(run.name());
    let result = roll_back(args, &disk, &runs, run, site.as_ref(), &mut progress);
    progress.end(&result);
    result
}

/// Rolls the run back, and reports what is left of it.
fn roll_back(
    args: &UndoArgs,
    disk: &LockedDeployment,
    runs: &[Run],
    run: &Run,
    site: Option<&Description>,
    progress: &mut RunProgress,
) -> anyhow::Result<Exit> {
    let if_changed = if args.discard_changes {
        ChangedFilePolicy::Discard
    } else {
        ChangedFilePolicy::Refuse
    };
    let ended = match run.state() {
        RunState::Closed(_) => run::reopen(disk, runs, run, site, if_changed, progress),
        _ => run::undo(disk, run, if_changed, progress),
    };
    match ended.context(OfRun(run.number))? {
        Ended::Undone { because: None } => {
            report_undone(disk, run)?;
            report_still_applied(disk, run, runs);
            Ok(Exit::Ok)
        }
        ended => applied(ended).map(|_| Exit::Ok),
    }
}

/// Finds the named run. Only the open run can be undone while there is one.
fn named_run<'r>(
    runs: &'r [Run],
    named: &str,
    open: Option<&'r Run>,
    next: &NextCommands<'_>,
) -> Result<&'r Run, Failure> {
    let Some(open) = open else {
        return find_run(runs, named, Newest::Finished);
    };
    let is_last = named.eq_ignore_ascii_case("last");
    if is_last || find_run(runs, named, Newest::Finished)?.number != open.number {
        return Err(other_is_open(open, next));
    }
    Ok(open)
}

/// Describes how to undo the newest finished run, in case that one was meant.
fn hint_at_last(
    disk: &LockedDeployment,
    runs: &[Run],
    site: Option<&Description>,
    next: &NextCommands<'_>,
) -> anyhow::Result<String> {
    let answers = undo_answers(disk.tree(), runs, site)?;
    let last = runs.iter().rev().find(|run| run.is_done());
    let last = last.filter(|run| {
        answers
            .get(&run.number)
            .is_some_and(|answer| answer.possible)
    });
    let hint = last.map(|run| {
        format!(
            "; `{}` rolls back {}, which is finished",
            next.undo_run(run),
            run.name()
        )
    });
    Ok(hint.unwrap_or_default())
}

/// Warns of servers that the run changed and that are offline now. A run in progress is rolled back
/// all the same.
fn warn_of_offline_servers(plan: &Plan, site: Option<&Description>) {
    let offline = site.map(Description::offline_servers).unwrap_or_default();
    let is_changed = |name: &str| {
        let mut servers = plan.operations().filter_map(|one| one.server.as_deref());
        servers.any(|server| same_name(server, name))
    };
    for server in offline.into_iter().filter(|name| is_changed(name)) {
        out::warn(format_args!(
            "server {} is offline, and the run changed it",
            Escaped(server)
        ));
    }
}

/// Reports that a run is undone, and what stays of the directories that it had made.
fn report_undone(disk: &LockedDeployment, run: &Run) -> anyhow::Result<()> {
    let name = run.name();
    let runs = all_runs(disk)?;
    let undone = runs.iter().find(|now| now.number == run.number);
    let undone = undone.with_context(|| format!("the directory of run {name} is missing"))?;
    let left = containers_left(disk.tree(), &runs, undone);
    if left.is_empty() {
        out::line(format_args!(
            "run {name} is undone: the deployment is as it was before"
        ));
        return Ok(());
    }
    out::line(format_args!("run {name} is undone"));
    for directory in left {
        out::line(format_args!(
            "`{}` stays, which the run had made: it is not empty",
            Escaped(directory.as_str())
        ));
    }
    Ok(())
}

/// Reports that a rollup stays applied by an earlier run of it, or by a record of a person.
fn report_still_applied(disk: &LockedDeployment, undone: &Run, runs: &[Run]) {
    let Some(kb) = undone.kb else { return };
    let Ok((applied, _)) = AppliedRollups::read(disk.tree(), &[]) else {
        return;
    };
    if !applied.contains(kb) {
        return;
    }
    let earlier = runs.iter().rev().filter(|run| run.number != undone.number);
    let by = earlier
        .filter(|run| run.kb == Some(kb))
        .find(|run| run.is_done());
    match by {
        Some(by) => out::line(format_args!("{kb} stays applied, by run {}", by.name())),
        None => out::line(format_args!(
            "{kb} stays applied, by its record in `applied`"
        )),
    }
}

fn discard_staged_run(disk: &LockedDeployment, open: &Run, yes: bool) -> anyhow::Result<Exit> {
    out::line(format_args!(
        "run {} is {}",
        open.name(),
        describe_run(open)
    ));
    out::line("it will be discarded");
    confirm_to_continue(yes)?;
    discard_staged(disk, open)?;
    out::line(format_args!(
        "run {} is discarded; the deployment is unchanged",
        open.name()
    ));
    Ok(Exit::Ok)
}
