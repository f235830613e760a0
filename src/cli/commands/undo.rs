//! `undo`: rolls back the unfinished run, or a finished one that is named.

use anyhow::Context;

use crate::cli::advice::{command_for, undo_of};
use crate::cli::answers::confirm;
use crate::cli::args::UndoArgs;
use crate::cli::ending::report_pending;
use crate::cli::ending::{applied, begin_progress};
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OfRun};
use crate::cli::inputs::question;
use crate::cli::job::refuse;
use crate::cli::named::{Newest, answered_steps, find_run, open_questions};
use crate::cli::recovery::{
    confirm_recovery, lock_for_recovery, other_is_open, preview_recovery, report_no_open_run,
    sound, state_of,
};
use crate::cli::result;
use crate::cli::state_now::Worked;
use crate::cli::terminal::out;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::cli::views::plan::describe_left_elsewhere;
use crate::deployment::applied::AppliedRollups;
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::journal::{Direction, Outcome, Run, RunState, runs};
use crate::names::{Escaped, same_name};
use crate::plan::Plan;
use crate::run::{
    self, ChangedFilePolicy, Ended, UndoCheck, discard_staged, examine, left_by_rollback,
    load_plan, nothing_to_roll_back, undo_answers, unmarked_procedures_run,
};

/// Unmanaged entries that are named one by one.
const MOST_NAMED: usize = 8;

/// Runs `rollup undo`.
pub(super) fn undo(args: &UndoArgs) -> anyhow::Result<Exit> {
    let (site, disk, cleared) = lock_for_recovery(
        &args.deployment,
        args.dry_run,
        args.lock,
        args.rehearsal,
        "undo",
    )?;
    let (tree, site) = (&site.tree, site.description.as_ref().ok());
    let runs = runs(tree)?;
    let done_nothing = |disk: Option<LockedDeployment>| match disk {
        Some(_) => Ok(Exit::Ok),
        None => result::dry_run(args.format, tree, &Worked::Nothing),
    };
    let Some(run) = run_to_undo(&runs, args.run.as_deref())? else {
        report_no_open_run(&cleared, &hint_at_last(tree, &runs, site)?);
        return done_nothing(disk);
    };
    let rebuilt = match &disk {
        Some(disk) if args.from_slots.from_slots => {
            Some(run::rebuild_journal(disk, run.clone(), Direction::Back)?)
        }
        _ if run.is_open() => Some(sound(run.clone())?),
        _ => None,
    };
    let run = rebuilt.as_ref().unwrap_or(run);
    let name = run.name();
    if run.state() == RunState::Closed(Outcome::Undone) {
        out::line(format_args!(
            "nothing to roll back: run {name} is already undone"
        ));
        return done_nothing(disk);
    }
    let undo = Undo {
        args,
        tree,
        runs: &runs,
        run,
        site,
    };
    if run.state() == RunState::Staged {
        out::line(state_of(run));
        out::line("it will be discarded; the deployment is unchanged");
        if let Some(disk) = disk {
            return undo.discard(&disk);
        }
    } else {
        let (plan, confirmed) = undo.checked()?;
        match disk {
            Some(disk) => return undo.roll_back(&disk, &plan, confirmed),
            None => undo.dry_run(&plan)?,
        }
    }
    result::dry_run(args.format, tree, &Worked::On(name.to_owned()))
}

/// Returns the named run, or the open one. Only the open run can be undone while there is one.
fn run_to_undo<'r>(runs: &'r [Run], named: Option<&str>) -> Result<Option<&'r Run>, Failure> {
    let open = runs.iter().find(|run| run.is_open());
    match (named, open) {
        (None, open) => Ok(open),
        (Some(named), None) => find_run(runs, named, Newest::Finished).map(Some),
        (Some(named), Some(open)) => {
            let is_last = named.eq_ignore_ascii_case("last");
            if is_last || find_run(runs, named, Newest::Finished)?.number != open.number {
                return Err(other_is_open(open));
            }
            Ok(Some(open))
        }
    }
}

/// Rollback of a run.
struct Undo<'a> {
    args: &'a UndoArgs,
    tree: &'a Tree,
    runs: &'a [Run],
    run: &'a Run,
    site: Option<&'a Description>,
}

impl Undo<'_> {
    /// Checks that the run can be rolled back, and prints how. Returns its plan, and the steps that are
    /// answered.
    fn checked(&self) -> anyhow::Result<(Plan, Vec<String>)> {
        let Self { tree, run, .. } = self;
        let plan = load_plan(tree, &run.directory).context(OfRun(run.number))?;
        let examined = examine(tree, &run.directory, &plan)?;
        let asked = open_questions(&plan, run, Direction::Back, |swap| examined.is_done(swap));
        let confirmed = answered_steps(&self.args.done, &plan, asked)?;
        let reasons = UndoCheck::new(tree, self.runs, self.site).reasons(run);
        let mut reasons = reasons.context(OfRun(run.number))?;
        if run.is_open() {
            reasons.extend(nothing_to_roll_back(tree, run, &plan)?);
        }
        refuse(reasons).context(OfRun(run.number))?;
        if run.is_open() {
            warn_of_offline_servers(&plan, self.site);
        }
        preview_recovery(tree, run, &plan, Direction::Back)?;
        Ok((plan, confirmed))
    }

    /// Checks what a rollback checks before its first change.
    fn dry_run(&self, plan: &Plan) -> anyhow::Result<()> {
        let dry = LockedDeployment::for_dry_run(self.tree.try_clone()?)?;
        let mut progress = begin_progress(&dry, plan, "undo", RunOptions::default())?;
        let (runs, run, if_changed) = (self.runs, self.run, self.if_changed());
        run::check_undo(&dry, runs, run, self.site, if_changed, &mut progress)
            .context(OfRun(run.number))
    }

    /// Returns what becomes of changed files: a rollback that is continued does what was asked first.
    fn if_changed(&self) -> ChangedFilePolicy {
        let reopened = self.run.journal.reopened();
        let was_discarding = reopened.is_some_and(|(_, discards)| discards);
        if self.args.discard_changes || (self.run.is_open() && was_discarding) {
            ChangedFilePolicy::Discard
        } else {
            ChangedFilePolicy::Refuse
        }
    }

    /// Asks, and rolls the run back.
    fn roll_back(
        &self,
        disk: &LockedDeployment,
        plan: &Plan,
        confirmed: Vec<String>,
    ) -> anyhow::Result<Exit> {
        confirm_recovery(self.tree, self.run, plan, Direction::Back, self.args.yes)?;
        let options = RunOptions {
            confirmed,
            manual_steps: self.args.rehearsal.into(),
            ..RunOptions::default()
        };
        let mut progress = begin_progress(disk, plan, "undo", options)?;
        progress.reopen(self.run.name());
        let result = self.walk_back(disk, plan, &mut progress);
        progress.end(&result);
        result
    }

    /// Rolls the run back, and reports what is left of it.
    fn walk_back(
        &self,
        disk: &LockedDeployment,
        plan: &Plan,
        progress: &mut RunProgress,
    ) -> anyhow::Result<Exit> {
        let (runs, run, if_changed) = (self.runs, self.run, self.if_changed());
        let procedures = unmarked_procedures_run(self.tree, run, plan)?;
        let ended = match run.state() {
            RunState::Closed(_) => run::reopen(disk, runs, run, self.site, if_changed, progress),
            _ => run::undo(disk, run, if_changed, progress),
        };
        match ended.context(OfRun(run.number))? {
            Ended::Undone { because: None } => {
                report_undone(self.tree, run)?;
                if let Some(elsewhere) = describe_left_elsewhere(&procedures) {
                    out::line(Escaped(&elsewhere));
                }
                report_still_applied(self.tree, run, runs);
                report_pending(self.tree)?;
            }
            ended => {
                applied(ended, progress)?;
            }
        }
        Ok(Exit::Ok)
    }

    fn discard(&self, disk: &LockedDeployment) -> anyhow::Result<Exit> {
        let plan = load_plan(self.tree, &self.run.directory).ok();
        let site = plan.as_ref().map(|plan| plan.deployment.as_str());
        let name = self.run.name();
        let question = question("Discard run ", name, site, self.tree);
        confirm(&question, self.args.yes)?;
        discard_staged(disk, self.run)?;
        out::line(format_args!(
            "run {name} is discarded; the deployment is unchanged"
        ));
        Ok(Exit::Ok)
    }
}

/// Describes how to undo the newest finished run, in case that one was meant.
fn hint_at_last(tree: &Tree, runs: &[Run], site: Option<&Description>) -> anyhow::Result<String> {
    let answers = undo_answers(tree, runs, site)?;
    let last = runs.iter().rfind(|run| run.is_done());
    let undoable = last.filter(|run| {
        let answer = answers.get(&run.number);
        answer.is_some_and(|answer| answer.possible)
    });
    Ok(undoable.map_or_else(String::new, |last| {
        let (undo, name) = (command_for(tree.path(), &undo_of(last)), last.name());
        format!("; `{undo}` rolls back {name}, which is finished")
    }))
}

/// Warns of servers that the run changed and that are offline now. A run in progress is rolled back
/// all the same.
fn warn_of_offline_servers(plan: &Plan, site: Option<&Description>) {
    for offline in site.map(Description::offline_servers).unwrap_or_default() {
        let mut servers = plan.operations().filter_map(|one| one.server.as_deref());
        if servers.any(|server| same_name(server, offline)) {
            let server = Escaped(offline);
            out::warn(format_args!(
                "server {server} is offline, and the run changed it"
            ));
        }
    }
}

/// Reports that a run is undone, and what stays of the directories that it had made.
fn report_undone(tree: &Tree, run: &Run) -> anyhow::Result<()> {
    let name = run.name();
    let runs = runs(tree)?;
    let undone = runs
        .iter()
        .find(|now| now.number == run.number)
        .with_context(|| format!("the directory of run {name} is missing"))?;
    let left = left_by_rollback(tree, &runs, undone);
    if left.is_nothing() {
        out::line(format_args!(
            "run {name} is undone: the deployment is as it was before"
        ));
        return Ok(());
    }
    out::line(format_args!("run {name} is undone"));
    for directory in left.containers {
        let directory = Escaped(directory.as_str());
        out::line(format_args!(
            "`{directory}` stays, which the run had made: it is not empty"
        ));
    }
    for (what, paths) in [
        ("not in its place any more", &left.missing),
        (
            "unmanaged, appeared since the run began, and stays",
            &left.appeared,
        ),
    ] {
        let paths = paths
            .iter()
            .map(|path| format!("`{}`", Escaped(path.as_str())));
        for path in out::first_few(paths, MOST_NAMED) {
            out::line(format_args!("{what}: {path}"));
        }
    }
    Ok(())
}

/// Reports that a rollup stays applied by an earlier run of it, or by a record of a person.
fn report_still_applied(tree: &Tree, undone: &Run, runs: &[Run]) {
    let (Some(kb), Ok((applied, _))) = (undone.kb, AppliedRollups::read(tree, &[])) else {
        return;
    };
    if !applied.contains(kb) {
        return;
    }
    let by = match runs
        .iter()
        .rfind(|run| run.number != undone.number && run.kb == Some(kb) && run.is_done())
    {
        Some(run) => format!("run {}", run.name()),
        None => "its record in `applied`".to_owned(),
    };
    out::line(format_args!("{kb} stays applied, by {by}"));
}
