//! Commit, resume and undo: the same walk, begun at different points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::check::{self, IfChanged, New, no_way_back};
use super::debris::foreign;
use super::measure::{Measured, differences, measure};
use super::stage::Staged;
use super::swap::{Moved, Progress, Slot};
use super::walk::Walk;
use super::witness::Witness;
use super::{Comparison, Event, Listener, OnFailure, RunError, go_on};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{FileKind, Tree};
use crate::journal::{Direction, JournalError, Outcome, Record, Run, RunState, Writer, runs};
use crate::names::{Digest, Escaped, RelPath, error_chain};
use crate::plan::{
    Entry, Plan, PlanFileError, Reason, ReasonKind, TargetState, What, digest_of, parse,
};

/// Size in bytes of the largest plan that is read back.
const LONGEST_PLAN: u64 = 4 * 1024 * 1024 * 1024;

/// More foreign objects than this are counted and not named.
const NAMED: usize = 8;

/// Result of a run, or the reason that it did not finish.
#[derive(Debug)]
pub enum Ended {
    /// The planned state is reached.
    Applied {
        /// Measured digest.
        measured: Digest,
        /// Unmanaged files that the expected state does not have: they appeared during the run.
        came: Vec<RelPath>,
    },
    /// The state before the run is restored; with the failure, if one turned the run.
    Undone {
        /// Failure that turned the run.
        because: Option<RunError>,
    },
    /// The run stays open and can go on: a manual step waits, for example.
    Stopped(RunError),
    /// The deployment is between states.
    Stuck {
        /// First failure, if it is not `error`.
        because: Option<RunError>,
        /// Reason that the run could be neither finished nor rolled back.
        error: RunError,
    },
}

/// Names of discarded runs, which died before they changed anything.
pub type Cleared = Vec<String>;

/// Discards runs that died during staging. Every command that takes the lock begins with it.
///
/// # Errors
///
/// A run that is recorded as only staged, but has moved an old object into its slot, is damaged.
pub fn clear_the_way(disk: &LockedDeployment) -> Result<Cleared, RunError> {
    disk.clear_unfinished()?;
    if !disk.is_kept()? {
        return Ok(Vec::new());
    }
    match disk.empty_trash() {
        Err(error) if error.is_lost_write() => return Err(error.into()),
        // Entries that cannot be removed now do no harm in the trash.
        _ => {}
    }
    let mut cleared = Vec::new();
    for run in runs(disk.tree())? {
        untouched(disk.tree(), &run)?;
        if run.state() == RunState::Staging {
            let foreign = foreign(disk.tree(), &run.directory)?;
            if !foreign.is_empty() {
                return Err(RunError::NotReady(not_debris(&run, &foreign)));
            }
            disk.discard(&run.directory)?;
            cleared.push(run.name().to_owned());
        }
    }
    Ok(cleared)
}

/// Returns the reasons not to remove the directory of a run that died while staging.
fn not_debris(run: &Run, foreign: &[PathBuf]) -> Vec<Reason> {
    let named = foreign.iter().take(NAMED).map(|path| {
        let message = format!(
            "`{}` is in the directory of run {}, which died while staging, and rollup did not make it",
            Escaped(&path.display().to_string()),
            run.name(),
        );
        let help = "move it somewhere else, then the same command again";
        Reason::new(ReasonKind::NotReady, message).help(help)
    });
    let mut reasons: Vec<Reason> = named.collect();
    if let Some(more @ 1..) = foreign.len().checked_sub(NAMED) {
        reasons.push(Reason::new(
            ReasonKind::NotReady,
            format!("and {more} more"),
        ));
    }
    reasons
}

/// Checks that a run that has not begun has moved no old object into its slots, and that a
/// completely staged one still has every new object; otherwise its journal lost a record.
pub fn untouched(tree: &Tree, run: &Run) -> Result<(), RunError> {
    if !matches!(run.state(), RunState::Staging | RunState::Staged) {
        return Ok(());
    }
    let slots = run.directory.join("slots").expect("a plain name");
    let all = tree.names(&slots)?.into_iter();
    for (slot, _) in all.filter(|(_, kind)| *kind == FileKind::Directory) {
        let there = |name: &str| {
            let at = slots
                .join(&format!("{slot}/{name}"))
                .expect("names found in a directory");
            tree.metadata(&at).map(|metadata| metadata.is_some())
        };
        if there("old")? || run.state() == RunState::Staged && !there("new")? {
            let path = tree.shown(Some(&run.directory.join("journal").expect("a plain name")));
            let what = "its slots show that the commit began, and no record says so";
            let line = run.journal.entries.len() + 1;
            return Err(JournalError::Damaged { path, line, what }.into());
        }
    }
    Ok(())
}

/// Reads the plan of a run.
pub fn load_plan(tree: &Tree, run: &RelPath) -> Result<Plan, RunError> {
    let at = run.join("plan.json").expect("a plain name");
    let plan = tree
        .text(&at, LONGEST_PLAN)?
        .map_or(Err(PlanFileError::Gone), |text| parse(&text));
    plan.map_err(|fault| RunError::Plan {
        path: tree.shown(Some(&at)),
        fault,
    })
}

/// Commits a run that was just staged, which is the second half of the run.
///
/// # Errors
///
/// Only failures before the first record of the commit: nothing has changed then.
pub fn commit(
    disk: &LockedDeployment,
    plan: &Plan,
    staged: Staged,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let Staged { run, mut journal } = staged;
    let seen = check::forward(disk, plan, &run, New::ReadBack);
    let begun = seen.and_then(|witness| {
        go_on(listener)?;
        journal.write(disk, Record::Committing)?;
        Ok(witness)
    });
    match begun {
        Ok(witness) => {
            listener.tell(&Event::Committing);
            Ok(go_forward(&mut Walk {
                disk,
                plan,
                run: &run,
                journal: &mut journal,
                listener,
                witness,
            }))
        }
        Err(error) => {
            // The staged run was not meant to be kept; if it cannot be removed now, it waits as
            // staged.
            let _ = disk.discard(&run);
            Err(error)
        }
    }
}

/// Finishes an unfinished run.
///
/// # Errors
///
/// Fails if the walk cannot begin; nothing has changed then.
pub fn resume(
    disk: &LockedDeployment,
    run: &Run,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    let witness = check::forward(disk, &plan, &run.directory, New::Found)?;
    check::unchanged(disk, &plan, &run.directory)?;
    go_on(listener)?;
    let mut journal = Writer::resume(disk, &run.directory)?;
    match run.state() {
        RunState::Staged => journal.write(disk, Record::Committing)?,
        RunState::Unfinished(Direction::Back) => {
            turn(disk, &mut journal, Direction::Forward, "resume")?;
            listener.tell(&Event::Turned {
                direction: Direction::Forward,
                why: "resume",
            });
        }
        _ => {}
    }
    // The changes of the dead process go to disk before anything follows them.
    disk.sync()?;
    listener.tell(&Event::Committing);
    Ok(go_forward(&mut Walk {
        disk,
        plan: &plan,
        run: &run.directory,
        journal: &mut journal,
        listener,
        witness,
    }))
}

/// Rolls an unfinished run back.
///
/// # Errors
///
/// Fails if the walk cannot begin; nothing has changed then.
pub fn undo(
    disk: &LockedDeployment,
    run: &Run,
    if_changed: IfChanged,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    let reasons = no_way_back(run, &plan);
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons));
    }
    check::back(disk, &plan, &run.directory)?;
    if if_changed == IfChanged::Refuse {
        check::unchanged(disk, &plan, &run.directory)?;
    }
    go_on(listener)?;
    let mut journal = Writer::resume(disk, &run.directory)?;
    if run.state() == RunState::Unfinished(Direction::Forward) {
        turn(disk, &mut journal, Direction::Back, "undo")?;
    }
    disk.sync()?;
    let witness = Witness::new();
    let mut walk = Walk {
        disk,
        plan: &plan,
        run: &run.directory,
        journal: &mut journal,
        listener,
        witness,
    };
    walk.listener.tell(&Event::Turned {
        direction: Direction::Back,
        why: "undo",
    });
    let taken_up = run.state() == RunState::Unfinished(Direction::Back);
    Ok(go_back(
        &mut walk,
        if taken_up {
            WayBack::TakenUp
        } else {
            WayBack::Begun
        },
        None,
    ))
}

/// Discards a run that was staged and not begun.
pub fn throw_away(disk: &LockedDeployment, run: &Run) -> Result<(), RunError> {
    untouched(disk.tree(), run)?;
    Ok(disk.discard(&run.directory)?)
}

fn turn(
    disk: &LockedDeployment,
    journal: &mut Writer,
    direction: Direction,
    why: &str,
) -> Result<(), RunError> {
    Ok(journal.write(
        disk,
        Record::Turned {
            direction,
            why: why.to_owned(),
        },
    )?)
}

fn go_forward(walk: &mut Walk<'_>) -> Ended {
    let arrived = walk
        .forward()
        .and_then(|()| move_late_unmanaged(walk))
        .and_then(|()| compare_with_preview(walk));
    match arrived
        .and_then(|measured| close(walk, Outcome::Applied, measured.digest).map(|()| measured))
    {
        Ok(Measured { digest, came, .. }) => Ended::Applied {
            measured: digest,
            came,
        },
        Err(error) if error.is_pause() => Ended::Stopped(error),
        // The disk lost something: the next changes could be lost as well.
        Err(error) if error.is_lost_write() => Ended::Stuck {
            because: None,
            error,
        },
        Err(error) if walk.listener.on_failure() == OnFailure::Stop => stop(walk, error),
        Err(error) => turn_back(walk, error),
    }
}

/// Leaves the run where it is after a failure, with everything so far on disk.
fn stop(walk: &Walk<'_>, error: RunError) -> Ended {
    match walk.disk.sync() {
        Ok(()) => Ended::Stopped(error),
        Err(lost) => Ended::Stuck {
            because: Some(error),
            error: lost.into(),
        },
    }
}

/// Rolls everything back after a failure in the commit.
fn turn_back(walk: &mut Walk<'_>, because: RunError) -> Ended {
    let why = error_chain(&because);
    walk.listener.tell(&Event::Turned {
        direction: Direction::Back,
        why: &why,
    });
    let turned = check::back(walk.disk, walk.plan, walk.run)
        .and_then(|()| turn(walk.disk, walk.journal, Direction::Back, &why));
    match turned {
        Ok(()) => go_back(walk, WayBack::Begun, Some(because)),
        Err(error) => Ended::Stuck {
            because: Some(because),
            error,
        },
    }
}

/// Start of a rollback: from the beginning, or from where an earlier command left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WayBack {
    Begun,
    TakenUp,
}

pub(super) fn go_back(walk: &mut Walk<'_>, way: WayBack, because: Option<RunError>) -> Ended {
    let arrived = begun(walk).and_then(|begun| {
        walk.back()?;
        tell_of_left_behind(walk)?;
        let digest = compare_with_before(walk, &begun)?;
        // The slots do not show what an earlier command rolled back already: any service may need a
        // restart.
        match way {
            WayBack::Begun => tell_of_restarts(walk, &begun),
            WayBack::TakenUp => {
                tell_of_restarts(walk, &walk.plan.live_paths().into_iter().cloned().collect())
            }
        }
        Ok(digest)
    });
    match arrived.and_then(|digest| close(walk, Outcome::Undone, digest)) {
        Ok(()) => Ended::Undone { because },
        Err(RunError::Interrupted) => Ended::Stopped(RunError::Interrupted),
        Err(error) if error.is_pause() && because.is_none() => Ended::Stopped(error),
        Err(error) => Ended::Stuck { because, error },
    }
}

fn close(walk: &mut Walk<'_>, outcome: Outcome, measured: Digest) -> Result<(), RunError> {
    walk.journal.write(
        walk.disk,
        Record::Closed {
            outcome,
            measured,
            accepted: None,
        },
    )?;
    walk.listener.tell(&Event::Closed {
        outcome,
        measured,
        accepted: None,
    });
    Ok(())
}

/// Moves files that appeared in an old object after its move into the slot to their current path.
fn move_late_unmanaged(walk: &mut Walk<'_>) -> Result<(), RunError> {
    let mut any = Moved::Nothing;
    for swap in walk.plan.swaps.iter().filter(|swap| swap.has_old()) {
        let (moved, stayed) = Slot::new(walk.disk, walk.run, swap).move_late_unmanaged()?;
        if moved == Moved::Something {
            any = moved;
        }
        for stayed in stayed {
            let stayed = Escaped(&stayed);
            let text = format!(
                "`{stayed}` came while the run was under way, and stays there: it has no place any more"
            );
            walk.listener.tell(&Event::Notice { text: &text });
        }
    }
    if any == Moved::Something {
        walk.disk.sync()?;
    }
    Ok(())
}

/// Reports files that others put into a directory that the run had made: the state before has no
/// place for them.
fn tell_of_left_behind(walk: &mut Walk<'_>) -> Result<(), RunError> {
    for swap in walk.plan.swaps.iter().filter(|swap| !swap.has_old()) {
        for left in Slot::new(walk.disk, walk.run, swap).unexpected_in_new()? {
            let left = Escaped(&left);
            let text = format!(
                "`{left}` was put into a directory that the run had made, and is kept there"
            );
            walk.listener.tell(&Event::Notice { text: &text });
        }
    }
    Ok(())
}

/// Reports required restarts: restoring the file of a running service does not restart the service,
/// so an operator has to.
fn tell_of_restarts(walk: &mut Walk<'_>, begun: &BTreeSet<RelPath>) {
    let mut due: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let begun: BTreeSet<&RelPath> = begun.iter().collect();
    for operation in walk
        .plan
        .operations()
        .filter(|operation| operation.at.is_within(&begun))
    {
        if let (TargetState::Service { .. }, Some(server)) = (&operation.after, &operation.server) {
            due.entry(&operation.target).or_default().insert(server);
        }
    }
    for (service, servers) in due {
        let servers: Vec<&str> = servers.into_iter().collect();
        walk.listener.tell(&Event::RestartDue {
            service,
            servers: &servers,
        });
    }
}

fn compare_with_preview(walk: &mut Walk<'_>) -> Result<Measured, RunError> {
    let wanted = walk
        .plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.entries.as_slice())
        .unwrap_or_default();
    // An unmanaged file may have been removed during the run; that is not a failure of the run.
    let ours: Vec<Entry> = wanted
        .iter()
        .filter(|entry| entry.what != What::Unmanaged)
        .cloned()
        .collect();
    let measured = measure(walk.disk.tree(), &walk.plan.live_paths(), wanted)?;
    let differs = measured.differences(walk.disk.tree(), &ours)?;
    let differs: Vec<String> = differs.iter().map(ToString::to_string).collect();
    let compared = Comparison {
        direction: Direction::Forward,
        expected: walk
            .plan
            .expected_state
            .as_ref()
            .map(|expected_state| expected_state.digest),
        measured: Some(measured.digest),
        differs,
        came: measured.came.clone(),
    };
    walk.listener.tell(&Event::Compared(&compared));
    match compared.differs.is_empty() {
        true => Ok(measured),
        false => Err(RunError::Unpredicted(compared.differs)),
    }
}

/// Returns the live paths that a backward walk will touch.
fn begun(walk: &Walk<'_>) -> Result<BTreeSet<RelPath>, RunError> {
    let mut begun = BTreeSet::new();
    for swap in &walk.plan.swaps {
        if Slot::new(walk.disk, walk.run, swap).progress()? != Progress::NotBegun {
            begun.insert(swap.live.clone());
        }
    }
    Ok(begun)
}

/// Checks that every path is again as the plan saw it. Changes by others at paths that this walk
/// did not touch are reported, and are not a failure of it.
fn compare_with_before(walk: &mut Walk<'_>, begun: &BTreeSet<RelPath>) -> Result<Digest, RunError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut wrong = Vec::new();
    let mut seen: BTreeSet<&RelPath> = BTreeSet::new();
    for swap in &walk.plan.swaps {
        // Only the first swap of a path met the state before; none below a directory that the run
        // made did.
        let first = !swap.live.is_within(&seen);
        seen.insert(&swap.live);
        if !first {
            continue;
        }
        let mut found = Vec::new();
        if !swap.has_old() && walk.disk.tree().metadata(&swap.live)?.is_some() {
            found.push(format!(
                "`{}` stands where nothing did",
                Escaped(swap.live.as_str())
            ));
        }
        let ours: Vec<Entry> = swap
            .old
            .iter()
            .filter(|entry| entry.what != What::Unmanaged)
            .cloned()
            .collect();
        found.extend(
            differences(walk.disk.tree(), &ours)?
                .iter()
                .map(ToString::to_string),
        );
        entries.extend(swap.old.iter().cloned());
        match begun.contains(&swap.live) {
            true => wrong.append(&mut found),
            false => found.iter().for_each(|text| {
                let text = format!("{text}; somebody else changed it, and it was left as it is");
                walk.listener.tell(&Event::Notice { text: &text });
            }),
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let digest = digest_of(&entries);
    let measured = wrong.is_empty().then_some(digest);
    let compared = Comparison {
        direction: Direction::Back,
        expected: Some(digest),
        measured,
        differs: wrong,
        came: Vec::new(),
    };
    walk.listener.tell(&Event::Compared(&compared));
    match measured {
        Some(digest) => Ok(digest),
        None => Err(RunError::Unpredicted(compared.differs)),
    }
}
