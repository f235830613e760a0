//! The current state of a deployment, for the `now:` line of a failed command.
//!
//! Only a process with the lock can change a deployment. So the runs are remembered when a command
//! takes the lock, and what has changed since is read from the records at the end, whatever the
//! command was doing when it failed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::deployment::lock::LockError;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::journal::{Damaged, JournalError, Outcome, Run, RunState, runs};
use crate::names::Escaped;
use crate::plan::Plan;
use crate::run::{RunExamination, examine, keeps_objects, left_by_rollback, load_plan};

use super::recovery::{is_unfinished, state_of};
use super::terminal::out;

/// Number of unavailable items and services that are named one by one.
const NAMED: usize = 5;

/// What this process may have changed.
static WATCHED: Mutex<Watched> = Mutex::new(Watched {
    locked: None,
    written: Vec::new(),
});

struct Watched {
    /// Deployment that was locked last, with its runs at that time. No command goes on if these cannot
    /// be read.
    locked: Option<(PathBuf, Option<RunRecords>)>,
    /// Files that were written for people.
    written: Vec<PathBuf>,
}

/// Progress of every run that the records show, by its number and the name of its directory.
type RunRecords = BTreeMap<(u32, String), RunProgressRecord>;

/// Progress of a run, as its records show it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RunProgressRecord {
    /// Number of records in the journal; `None` if it is damaged.
    records: Option<usize>,
    /// Number of swaps that are done, while the run is in progress.
    done: Option<usize>,
    /// True if the run keeps old objects.
    keeps_objects: bool,
}

/// State of a deployment, and of the files of a command, after the command failed.
pub(super) struct StateNow {
    /// True if the command changed the deployment, or left a run open that was not open before.
    pub(super) changed: bool,
    /// The state, as the `now:` line has it.
    pub(super) text: String,
}

/// Takes the lock of a deployment, and remembers its runs.
pub(super) fn take_lock(
    tree: Tree,
    doing: &str,
    wait: Duration,
) -> Result<LockedDeployment, LockError> {
    let disk = LockedDeployment::lock(tree, doing, wait)?;
    let before = ReadRecords::read(disk.tree()).map(|records| records.progress());
    let path = disk.tree().path().to_owned();
    watched(|watched| watched.locked = Some((path, before.ok())));
    Ok(disk)
}

/// Remembers a file that this process wrote for people.
pub(super) fn wrote(file: &Path) {
    watched(|watched| watched.written.push(file.to_owned()));
}

/// Returns whether this process has changed the deployment that it locked last.
pub(super) fn has_changed() -> bool {
    has_locked() && state_now(None, None).changed
}

/// Returns whether this process has written a file for people.
pub(super) fn has_written() -> bool {
    watched(|watched| !watched.written.is_empty())
}

/// Returns whether this process has locked a deployment.
pub(super) fn has_locked() -> bool {
    watched(|watched| watched.locked.is_some())
}

/// What a command worked on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Worked {
    /// Run with this name.
    On(String),
    /// Something else: a run that it discarded, or in a dry run one that it would make.
    Otherwise,
    Nothing,
}

/// Returns what this process worked on since it locked the deployment: the newest run with other
/// records than before.
pub(super) fn worked_on(tree: &Tree) -> Result<Worked, JournalError> {
    let locked = watched(|watched| watched.locked.clone());
    let Some((_, Some(before))) = locked else {
        return Ok(Worked::Nothing);
    };
    let now = ReadRecords::read(tree)?.progress();
    let mut newest_first = now.iter().rev();
    let went_on = newest_first.find(|(key, run)| before.get(*key) != Some(run));
    Ok(match went_on {
        Some(((_, name), _)) => Worked::On(name.clone()),
        None if before.keys().any(|key| !now.contains_key(key)) => Worked::Otherwise,
        None => Worked::Nothing,
    })
}

/// Opens the deployment that this process locked last: in a rehearsal, that of the lab.
pub(super) fn locked_tree() -> Option<Tree> {
    let locked = watched(|watched| watched.locked.clone());
    Tree::open(&locked?.0).ok()
}

fn watched<T>(with: impl FnOnce(&mut Watched) -> T) -> T {
    with(&mut WATCHED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Reads the current state of the deployment that this process locked last, or else of the given
/// one. If nothing was changed, the state of this run is added, or else that of the open one.
pub(super) fn state_now(given: Option<&Tree>, run: Option<u32>) -> StateNow {
    let (locked, written) = watched(|watched| (watched.locked.clone(), watched.written.clone()));
    let locked = locked.and_then(|(path, before)| Some((Tree::open(&path).ok()?, before)));
    let mut state = match (&locked, given) {
        (Some((tree, before)), _) => state_since(tree, before.as_ref(), run),
        (None, Some(tree)) => state_since(tree, None, run),
        (None, None) => unchanged(None),
    };
    for file in written {
        let file = file.display().to_string();
        let written = format!("; `{}` was written", Escaped(&file));
        state.text.push_str(&written);
    }
    state
}

/// Describes the newest run of a deployment, if it has one that can be read.
pub(super) fn newest_run(tree: &Tree) -> Option<String> {
    let records = ReadRecords::read(tree).ok()?;
    records.runs.last().map(|run| records.line(run))
}

fn unchanged(open: Option<String>) -> StateNow {
    let open = out::preceded("; ", open.as_deref());
    StateNow {
        changed: false,
        text: format!("this command changed nothing{open}"),
    }
}

fn changed(text: String) -> StateNow {
    StateNow {
        changed: true,
        text,
    }
}

/// Describes the changes since the records were read; without these, nothing was changed.
fn state_since(tree: &Tree, before: Option<&RunRecords>, run: Option<u32>) -> StateNow {
    match (ReadRecords::read(tree), before) {
        (Ok(now), Some(before)) => now.since(before, run),
        (Ok(now), None) => unchanged(now.line_of(run)),
        (Err(_), None) => unchanged(None),
        (Err(fault), Some(_)) => {
            changed(format!("the records of the runs cannot be read: {fault}"))
        }
    }
}

/// Records of all runs, as they are at one moment.
struct ReadRecords<'a> {
    tree: &'a Tree,
    runs: Vec<Run>,
}

impl<'a> ReadRecords<'a> {
    fn read(tree: &'a Tree) -> Result<Self, JournalError> {
        let runs = runs(tree)?;
        Ok(Self { tree, runs })
    }

    fn progress(&self) -> RunRecords {
        let mut progress = RunRecords::new();
        for run in &self.runs {
            let record = RunProgressRecord {
                records: run.fault.is_none().then_some(run.journal.entries.len()),
                done: is_unfinished(run)
                    .then(|| swaps_done(self.tree, run))
                    .flatten(),
                keeps_objects: keeps_objects(self.tree, run).unwrap_or(false),
            };
            progress.insert(key_of(run), record);
        }
        progress
    }

    /// Describes the changes since earlier records.
    fn since(&self, before: &RunRecords, number: Option<u32>) -> StateNow {
        let now = self.progress();
        let mut cleared = Vec::new();
        for (key, run) in before {
            if run.keeps_objects && now.get(key).is_some_and(|now| !now.keeps_objects) {
                cleared.push(key.1.as_str());
            }
        }
        if !cleared.is_empty() {
            return changed(format!(
                "the old objects of {} are gone",
                cleared.join(", ")
            ));
        }
        match self
            .runs
            .iter()
            .rfind(|run| before.get(&key_of(run)) != now.get(&key_of(run)))
        {
            None => unchanged(self.line_of(number)),
            Some(run) if matches!(run.state(), RunState::Staging | RunState::Staged) => {
                unchanged(Some(self.line(run)))
            }
            Some(run) => changed(self.line(run)),
        }
    }

    /// Describes the run with this number, or else the open run, or a damaged one.
    fn line_of(&self, number: Option<u32>) -> Option<String> {
        let run = self
            .runs
            .iter()
            .find(|run| Some(run.number) == number)
            .or_else(|| self.runs.iter().find(|run| run.is_open()))?;
        Some(self.line(run))
    }

    /// Describes a run: its state, how far it is, and what is unavailable.
    fn line(&self, run: &Run) -> String {
        let name = run.name();
        match run.state() {
            RunState::Unfinished(_) | RunState::Damaged(Damaged::Interrupted) => {
                let progress = progress_line(self.tree, run).unwrap_or_default();
                state_of(run) + &progress
            }
            RunState::Staging => format!("run {name} is not staged completely"),
            RunState::Staged => format!("run {name} is staged"),
            RunState::Closed(Outcome::Undone)
                if left_by_rollback(self.tree, &self.runs, run).is_nothing() =>
            {
                format!("run {name} is undone: the deployment is as it was before the run")
            }
            RunState::Closed(_) | RunState::Damaged(_) => state_of(run),
        }
    }
}

fn key_of(run: &Run) -> (u32, String) {
    (run.number, run.name().to_owned())
}

fn swaps_done(tree: &Tree, run: &Run) -> Option<usize> {
    let (_, examined) = examined(tree, run)?;
    Some(examined.done())
}

/// Describes how many operations of an unfinished run are done, and what they left unavailable.
fn progress_line(tree: &Tree, run: &Run) -> Option<String> {
    let (plan, examined) = examined(tree, run)?;
    let done = operations_done(&plan, &examined);
    Some(match unavailable_now(&plan, &examined) {
        None => format!(", {done}"),
        Some(names) => format!(", {done}; unavailable: {names}"),
    })
}

fn examined(tree: &Tree, run: &Run) -> Option<(Plan, RunExamination)> {
    let plan = load_plan(tree, &run.directory).ok()?;
    let examined = examine(tree, &run.directory, &plan).ok()?;
    Some((plan, examined))
}

/// Describes how many operations of a run are done.
pub(super) fn operations_done(plan: &Plan, examined: &RunExamination) -> String {
    let done = out::number(
        plan.operations()
            .filter(|operation| examined.is_done(operation.swap))
            .count() as u64,
    );
    let all = out::count(plan.operations().count(), "operation");
    format!("{done} of {all} done")
}

/// Lists what the operations that are done left unavailable, each target once with its servers; `None`
/// if it is nothing.
pub(super) fn unavailable_now(plan: &Plan, examined: &RunExamination) -> Option<String> {
    let mut targets: Vec<(&str, Vec<&str>)> = Vec::new();
    for outage in plan.unavailable_after(|operation| examined.is_done(operation.swap)) {
        match targets.iter_mut().find(|(name, _)| *name == outage.target) {
            Some((_, servers)) => servers.extend(outage.server),
            None => targets.push((outage.target, outage.server.into_iter().collect())),
        }
    }
    let names = targets
        .into_iter()
        .map(|(name, servers)| out::on_servers(name, servers));
    let names = out::first_few(names, NAMED).join("; ");
    (!names.is_empty()).then_some(names)
}
