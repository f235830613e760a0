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
use crate::journal::{JournalError, Outcome, Run, RunState, runs_and_damaged};
use crate::names::Escaped;
use crate::plan::Outage;
use crate::run::{containers_left, describe_run, examine, keeps_objects, load_plan};

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

/// Progress of every run that the records show, by the name of its directory.
type RunRecords = BTreeMap<String, RunProgressRecord>;

/// Progress of a run, as its records show it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RunProgressRecord {
    /// Number of records in the journal; `None` if it is damaged.
    records: Option<usize>,
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
    let before = read_records(disk.tree()).ok();
    watched(|watched| watched.locked = Some((disk.tree().path().to_owned(), before)));
    Ok(disk)
}

/// Remembers a file that this process wrote for people.
pub(super) fn wrote(file: &Path) {
    watched(|watched| watched.written.push(file.to_owned()));
}

/// Returns whether this process has changed the deployment that it locked last.
pub(super) fn has_changed() -> bool {
    watched(|watched| {
        let (path, before) = watched.locked.as_ref()?;
        let tree = Tree::open(path).ok()?;
        Some(state_since(&tree, before, None).changed)
    })
    .unwrap_or(false)
}

/// Returns whether this process has written a file for people.
pub(super) fn has_written() -> bool {
    watched(|watched| !watched.written.is_empty())
}

/// Returns whether this process has locked a deployment.
pub(super) fn has_locked() -> bool {
    watched(|watched| watched.locked.is_some())
}

/// Opens the deployment that this process locked last: in a rehearsal, that of the lab.
pub(super) fn locked_tree() -> Option<Tree> {
    let locked = watched(|watched| watched.locked.as_ref().map(|(path, _)| path.clone()));
    Tree::open(&locked?).ok()
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
        (Some((tree, before)), _) => state_since(tree, before, run),
        (None, Some(tree)) => unchanged(line_of_run(tree, run)),
        (None, None) => unchanged(None),
    };
    for file in written {
        let file = file.display().to_string();
        state
            .text
            .push_str(&format!("; `{}` was written", Escaped(&file)));
    }
    state
}

fn unchanged(open: Option<String>) -> StateNow {
    let open = open.map(|open| format!("; {open}")).unwrap_or_default();
    StateNow {
        changed: false,
        text: format!("this command changed nothing{open}"),
    }
}

fn read_records(tree: &Tree) -> Result<RunRecords, JournalError> {
    let (runs, damaged) = runs_and_damaged(tree)?;
    let damaged = damaged.iter().map(|run| {
        let record = RunProgressRecord {
            records: None,
            keeps_objects: false,
        };
        (run.directory.name().to_owned(), record)
    });
    let sound = runs.iter().map(|run| {
        let record = RunProgressRecord {
            records: Some(run.journal.entries.len()),
            keeps_objects: keeps_objects(tree, run).unwrap_or(false),
        };
        (run.name().to_owned(), record)
    });
    Ok(damaged.chain(sound).collect())
}

/// Describes the changes since the records were read.
fn state_since(tree: &Tree, before: &Option<RunRecords>, run: Option<u32>) -> StateNow {
    let Some(before) = before else {
        return unchanged(line_of_run(tree, run));
    };
    let (runs, now) = match (runs_and_damaged(tree), read_records(tree)) {
        (Ok((runs, _)), Ok(now)) => (runs, now),
        (Err(fault), _) | (_, Err(fault)) => {
            return StateNow {
                changed: true,
                text: format!("the records of the runs cannot be read: {fault}"),
            };
        }
    };
    let cleared: Vec<&str> = before
        .iter()
        .filter(|(name, run)| {
            run.keeps_objects && now.get(*name).is_some_and(|now| !now.keeps_objects)
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !cleared.is_empty() {
        return StateNow {
            changed: true,
            text: format!("the old objects of {} are gone", cleared.join(", ")),
        };
    }
    let went_on = |run: &&Run| before.get(run.name()) != now.get(run.name());
    match runs.iter().rfind(went_on) {
        None => unchanged(line_of_run(tree, run)),
        Some(run) if is_not_begun(run.state()) => unchanged(Some(run_line(tree, run))),
        Some(run) => StateNow {
            changed: true,
            text: run_line(tree, run),
        },
    }
}

fn is_not_begun(state: RunState) -> bool {
    matches!(state, RunState::Staging | RunState::Staged)
}

/// Describes the run with this number, or else the open run, or a damaged one.
fn line_of_run(tree: &Tree, number: Option<u32>) -> Option<String> {
    let (runs, damaged) = runs_and_damaged(tree).ok()?;
    let named = runs.iter().find(|run| Some(run.number) == number);
    let open = named.or_else(|| runs.iter().find(|run| run.is_open()));
    let damaged = damaged.first();
    let damaged = damaged.map(|run| {
        format!(
            "the journal of run {} is damaged, and does not show how far the run is",
            run.directory.name()
        )
    });
    open.map(|run| run_line(tree, run)).or(damaged)
}

/// Describes a run: its state, how far it is, and what is unavailable.
fn run_line(tree: &Tree, run: &Run) -> String {
    let is_as_before = || {
        let (runs, _) = runs_and_damaged(tree).ok()?;
        Some(containers_left(tree, &runs, run).is_empty())
    };
    match run.state() {
        RunState::Unfinished(_) => {
            let progress = progress_line(tree, run).unwrap_or_default();
            format!("run {} is {}{progress}", run.name(), describe_run(run))
        }
        RunState::Staging => format!("run {} is not staged completely", run.name()),
        RunState::Staged => format!("run {} is staged", run.name()),
        RunState::Closed(Outcome::Undone) if is_as_before() == Some(true) => format!(
            "run {} is undone: the deployment is as it was before the run",
            run.name()
        ),
        _ => format!("run {} is {}", run.name(), describe_run(run)),
    }
}

/// Describes how many operations of an unfinished run are done, and what they left unavailable.
fn progress_line(tree: &Tree, run: &Run) -> Option<String> {
    let plan = load_plan(tree, &run.directory).ok()?;
    let examined = examine(tree, &run.directory, &plan).ok()?;
    let all = plan.operations().count();
    let is_done = |swap| examined.is_done(swap);
    let done = plan.operations().filter(|one| is_done(one.swap)).count();
    let mut text = format!(
        ", {} of {} done",
        out::number(done as u64),
        out::count(all, "operation", "operations")
    );
    let unavailable = plan.unavailable_after(|operation| is_done(operation.swap));
    if !unavailable.is_empty() {
        text.push_str(&format!("; unavailable: {}", names_of(&unavailable)));
    }
    Some(text)
}

/// Lists what is unavailable, each target once with its servers.
fn names_of(unavailable: &[Outage<'_>]) -> String {
    let mut targets: Vec<(&str, Vec<&str>)> = Vec::new();
    for outage in unavailable {
        match targets.iter_mut().find(|(name, _)| *name == outage.target) {
            Some((_, servers)) => servers.extend(outage.server),
            None => targets.push((outage.target, outage.server.into_iter().collect())),
        }
    }
    let shown = targets.iter().take(NAMED);
    let shown = shown.map(|(name, servers)| out::on_servers(name, servers.iter().copied()));
    let mut names: Vec<String> = shown.collect();
    if let Some(more @ 1..) = targets.len().checked_sub(NAMED) {
        names.push(format!("{more} more"));
    }
    names.join("; ")
}
