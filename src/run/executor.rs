//! Commit, resume and undo: the same walk, begun at different points.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use super::attributes;
use super::check::{self, ChangedFilePolicy, IfMissing, NewObjects, nothing_to_roll_back};
use super::containers::{make_containers, missing_containers, remove_empty_containers};
use super::debris::unknown_objects;
use super::event::StateComparison;
use super::fingerprints::Fingerprints;
use super::measure::{Measured, bytes_of, differences_in, measure};
use super::restarts::{after_rollback, after_run, started};
use super::stage::StagedRun;
use super::swap::{Moved, Slot};
use super::undoable::{UndoCheck, appeared_and_stayed};
use super::unmanaged::{exists_in_any_spelling, unmanaged_now};
use super::walk::{BackwardExceptions, SwapWalk};
use super::{Event, Listener, OnFailure, RunError, begin_checking, begin_phase, check_not_stopped};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::Tree;
use crate::journal::{
    Direction, JournalWriter, LeftBehind, Outcome, PendingAction, Record, Restarts, Run, RunState,
    SwapState, next_count, next_number, read_plan, runs,
};
use crate::names::{Digest, Escaped, RelPath, error_chain};
use crate::phase::Phase;
use crate::plan::{Entry, EntryKind, Plan, Reason, ReasonKind, digest_of};

/// Most unknown objects that are named; further ones are counted.
const MOST_NAMED: usize = 8;

/// Result of a run, or the reason that it did not finish.
#[derive(Debug)]
pub enum Ended {
    /// The planned state is reached.
    Applied {
        /// Measured digest of the objects at the live paths.
        measured: Digest,
        /// Unmanaged entries that appeared during the run, so that the expected state lacks them.
        appeared: Vec<RelPath>,
        /// Unmanaged entries that were there when the run began, and are not in their place any more.
        missing: Vec<RelPath>,
    },
    /// The state before the run is restored.
    Undone {
        /// Failure that caused the rollback, if it was not requested.
        because: Option<RunError>,
    },
    /// The rollback of a finished run failed, and the run is finished again, as it was before.
    Restored {
        /// Failure of the rollback.
        because: RunError,
    },
    /// The run stays open and can go on, for example because a manual step waits.
    Stopped(RunError),
    /// The deployment is between two states.
    Stuck {
        /// First failure, if it is not `error`.
        because: Option<RunError>,
        /// Reason that the run could be neither finished nor rolled back.
        error: RunError,
    },
}

/// Names of discarded runs, which were interrupted before they changed anything.
pub type Cleared = Vec<String>;

/// Discards runs that were interrupted during staging. Every command that takes the lock begins
/// with it.
///
/// # Errors
///
/// Something is in the directory of such a run that rollup did not make.
pub fn clear_interrupted_staging(disk: &LockedDeployment) -> Result<Cleared, RunError> {
    disk.clear_unfinished()?;
    if !disk.has_rollup_directory()? {
        return Ok(Vec::new());
    }
    match disk.empty_trash() {
        Err(error) if error.is_lost_write() => return Err(error.into()),
        // Entries that cannot be removed now do no harm in the trash.
        _ => {}
    }
    let mut cleared = Vec::new();
    for run in runs(disk.tree())? {
        // The process died between the record and the rename that completes staging.
        if run.state() == RunState::Staged
            && disk.tree().metadata(&run.directory.slots())?.is_none()
        {
            disk.rename(&run.directory.staging().slots(), &run.directory.slots())?;
            disk.sync()?;
        }
        if run.state() == RunState::Staging {
            let unknown = unknown_objects(disk.tree(), &run.directory)?;
            if !unknown.is_empty() {
                return Err(RunError::NotReady(not_debris(&run, &unknown)));
            }
            disk.discard(&run.directory)?;
            cleared.push(run.name().to_owned());
        }
    }
    Ok(cleared)
}

/// Returns the reasons not to remove the directory of a run that was interrupted while staging.
fn not_debris(run: &Run, unknown: &[PathBuf]) -> Vec<Reason> {
    let named = unknown.iter().take(MOST_NAMED).map(|path| {
        let message = format!(
            "`{}` is in the directory of run {}, which was interrupted while staging, and rollup did not make it",
            Escaped(&path.display().to_string()),
            run.name(),
        );
        let help = "move it elsewhere, then run the same command again";
        Reason::new(ReasonKind::NotReady, message).help(help)
    });
    let mut reasons: Vec<Reason> = named.collect();
    if let Some(more @ 1..) = unknown.len().checked_sub(MOST_NAMED) {
        reasons.push(Reason::new(
            ReasonKind::NotReady,
            format!("and {more} more"),
        ));
    }
    reasons
}

/// Reads the plan of a run.
pub fn load_plan(tree: &Tree, run: &RunDir) -> Result<Plan, RunError> {
    read_plan(tree, run)?.map_err(|fault| RunError::Plan {
        path: tree.shown(Some(&run.plan())),
        fault,
    })
}

/// Commits a run that was just staged: the second half of the run.
///
/// # Errors
///
/// Only failures before the first record of the commit: nothing has changed then.
pub fn commit(
    disk: &LockedDeployment,
    plan: &Plan,
    staged: StagedRun,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let StagedRun { run, mut journal } = staged;
    let checking = begin_checking(listener, plan.old_bytes());
    let checked = check::forward(disk, plan, &run, NewObjects::ReadBack, &checking);
    let begun = checked.and_then(|fingerprints| {
        let committing = committing(disk, plan, &run)?;
        check_not_stopped(listener)?;
        journal.write(disk, committing)?;
        Ok(fingerprints)
    });
    drop(checking);
    match begun {
        Ok(fingerprints) => {
            listener.report(&Event::Committing);
            Ok(walk_forward(&mut SwapWalk {
                disk,
                plan,
                run: &run,
                journal: &mut journal,
                listener,
                fingerprints,
                exceptions: BackwardExceptions::default(),
                failed_at: None,
            }))
        }
        Err(error) => {
            // The staged run was not meant to be kept; if it cannot be removed now, it stays
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
    let (checking, exceptions, fingerprints) = ready_forward(disk, run, &plan, listener)?;
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    match run.state() {
        RunState::Staged => {
            // The slots may have got their name only a moment before.
            disk.sync()?;
            journal.write(disk, committing(disk, &plan, &run.directory)?)?;
        }
        RunState::Unfinished(Direction::Back) => {
            let unmanaged = unmanaged_now(disk.tree(), &plan, &run.directory)?;
            turn(disk, &mut journal, Direction::Forward, "resume", unmanaged)?;
            listener.report(&Event::Turned {
                direction: Direction::Forward,
                why: "resume".to_owned(),
            });
        }
        _ => {}
    }
    // The changes of the dead process go to disk before anything follows them.
    disk.sync()?;
    drop(checking);
    listener.report(&Event::Committing);
    Ok(walk_forward(&mut SwapWalk {
        disk,
        plan: &plan,
        run: &run.directory,
        journal: &mut journal,
        listener,
        fingerprints,
        exceptions,
        failed_at: None,
    }))
}

/// Checks that an open run can be resumed, without changing anything.
///
/// # Errors
///
/// As [`resume`], before its first change.
pub fn check_resume(
    disk: &LockedDeployment,
    run: &Run,
    listener: &mut dyn Listener,
) -> Result<(), RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    ready_forward(disk, run, &plan, listener).map(drop)
}

/// Checks that the walk forward can begin.
fn ready_forward(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    listener: &mut dyn Listener,
) -> Result<(Arc<Phase>, BackwardExceptions, Fingerprints), RunError> {
    let checking = begin_checking(listener, plan.old_bytes() + plan.new_bytes());
    let exceptions = exceptions_of(disk, run, plan)?;
    let new_objects = NewObjects::StagedEarlier;
    let fingerprints = check::forward(disk, plan, &run.directory, new_objects, &checking)?;
    let missing = IfMissing::Changed;
    check::unchanged(disk, plan, &run.directory, &exceptions, missing, &checking)?;
    check_not_stopped(listener)?;
    Ok((checking, exceptions, fingerprints))
}

/// Rolls an unfinished run back, to its start or to just behind its last point of no return.
///
/// # Errors
///
/// Fails if the walk cannot begin; nothing has changed then.
pub fn undo(
    disk: &LockedDeployment,
    run: &Run,
    if_changed: ChangedFilePolicy,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    let (checking, exceptions) = ready_back(disk, run, &plan, if_changed, listener)?;
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    if run.state() == RunState::Unfinished(Direction::Forward) {
        let unmanaged = unmanaged_now(disk.tree(), &plan, &run.directory)?;
        turn(disk, &mut journal, Direction::Back, "undo", unmanaged)?;
    }
    disk.sync()?;
    drop(checking);
    let fingerprints = Fingerprints::new();
    let mut walk = SwapWalk {
        disk,
        plan: &plan,
        run: &run.directory,
        journal: &mut journal,
        listener,
        fingerprints,
        exceptions,
        failed_at: None,
    };
    walk.listener.report(&Event::Turned {
        direction: Direction::Back,
        why: "undo".to_owned(),
    });
    let is_continued = run.state() == RunState::Unfinished(Direction::Back);
    Ok(roll_back(
        &mut walk,
        if is_continued {
            Rollback::Continued
        } else {
            Rollback::FromStart
        },
        None,
    ))
}

/// Checks that the walk back of an open run can begin.
pub(super) fn ready_back(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    if_changed: ChangedFilePolicy,
    listener: &mut dyn Listener,
) -> Result<(Arc<Phase>, BackwardExceptions), RunError> {
    let reasons = nothing_to_roll_back(disk.tree(), run, plan)?;
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons));
    }
    let checking = begin_checking(listener, plan.old_bytes() + plan.new_bytes());
    let exceptions = exceptions_of(disk, run, plan)?;
    check::back(disk, plan, &run.directory, &exceptions, &checking)?;
    if if_changed == ChangedFilePolicy::Refuse {
        let missing = IfMissing::AsBefore;
        check::unchanged(disk, plan, &run.directory, &exceptions, missing, &checking)?;
    }
    check_not_stopped(listener)?;
    Ok((checking, exceptions))
}

/// Returns what a backward walk of an open run leaves as it is. Only one that was finished before
/// can have later runs.
///
/// # Errors
///
/// The journal is damaged, or a later run touched a path of the run: no walk goes beneath it.
fn exceptions_of(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
) -> Result<BackwardExceptions, RunError> {
    if let RunState::Damaged(_) = run.state() {
        return Err(RunError::DamagedJournal {
            run: run.name().to_owned(),
            fault: run.fault.clone().unwrap_or_default(),
        });
    }
    let runs = runs(disk.tree())?;
    let check = UndoCheck::new(disk.tree(), &runs, None);
    // A run that lost its last record may be beneath others by now.
    let later = check.later_runs(run);
    match later.is_empty() {
        true => Ok(check.exceptions(run, plan)),
        false => Err(RunError::NotReady(later)),
    }
}

/// Discards a run that is staged and not begun.
pub fn discard_staged(disk: &LockedDeployment, run: &Run) -> Result<(), RunError> {
    Ok(disk.discard(&run.directory)?)
}

pub(super) fn turn(
    disk: &LockedDeployment,
    journal: &mut JournalWriter,
    direction: Direction,
    why: &str,
    unmanaged: Vec<RelPath>,
) -> Result<(), RunError> {
    Ok(journal.write(
        disk,
        Record::Turned {
            direction,
            why: why.to_owned(),
            unmanaged,
        },
    )?)
}

/// Returns the record that announces the commit.
fn committing(disk: &LockedDeployment, plan: &Plan, run: &RunDir) -> Result<Record, RunError> {
    Ok(Record::Committing {
        containers: missing_containers(disk, plan)?,
        unmanaged: unmanaged_now(disk.tree(), plan, run)?,
    })
}

fn walk_forward(walk: &mut SwapWalk<'_>) -> Ended {
    let compared = make_containers_of(walk)
        .and_then(|()| walk.forward())
        .and_then(|()| move_late_unmanaged(walk))
        .and_then(|()| compare_with_expected_state(walk));
    match compared.and_then(|(measured, missing)| {
        let restarts = Restarts {
            pending: after_run(walk.plan),
            done: started(walk.plan),
            count: 0,
        };
        report_restarts(walk, &restarts.pending);
        let end = RunEnd {
            outcome: Outcome::Applied,
            measured: measured.digest,
            left: None,
            missing: missing.clone(),
            restarts,
        };
        close(walk, end)?;
        Ok((measured, missing))
    }) {
        Ok((measured, missing)) => Ended::Applied {
            measured: measured.digest,
            appeared: measured.appeared,
            missing,
        },
        Err(error) if error.is_pause() => Ended::Stopped(error),
        // The disk lost a write: the next ones could be lost as well.
        Err(error) if error.is_lost_write() => Ended::Stuck {
            because: None,
            error,
        },
        Err(error) if walk.listener.on_failure() == OnFailure::Stop => stop(walk, error),
        Err(error) => roll_back_after_failure(walk, error),
    }
}

/// Stops after a failure and leaves the run open, with everything so far on disk.
fn stop(walk: &SwapWalk<'_>, error: RunError) -> Ended {
    match walk.disk.sync() {
        Ok(()) => Ended::Stopped(error),
        Err(lost) => Ended::Stuck {
            because: Some(error),
            error: lost.into(),
        },
    }
}

/// Rolls everything back after a failure in the commit.
fn roll_back_after_failure(walk: &mut SwapWalk<'_>, because: RunError) -> Ended {
    let mut why = error_chain(&because);
    if let Some(place) = walk.failed_at.take() {
        why = format!("{place}: {why}");
    }
    walk.listener.report(&Event::Turned {
        direction: Direction::Back,
        why: why.clone(),
    });
    let checking = begin_checking(walk.listener, walk.plan.old_bytes());
    let checked = check::back(walk.disk, walk.plan, walk.run, &walk.exceptions, &checking);
    drop(checking);
    let turned = checked.and_then(|()| {
        let unmanaged = unmanaged_now(walk.disk.tree(), walk.plan, walk.run)?;
        turn(walk.disk, walk.journal, Direction::Back, &why, unmanaged)
    });
    match turned {
        Ok(()) => roll_back(walk, Rollback::FromStart, Some(because)),
        Err(error) => Ended::Stuck {
            because: Some(because),
            error,
        },
    }
}

/// Start of a rollback: from the beginning, or from where an earlier command left it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rollback {
    FromStart,
    Continued,
}

pub(super) fn roll_back(
    walk: &mut SwapWalk<'_>,
    rollback: Rollback,
    because: Option<RunError>,
) -> Ended {
    let compared = begun(walk).and_then(|begun| {
        walk.back()?;
        let left = take_containers_away(walk)?;
        let missing = missing_after_rollback(walk)?;
        let digest = compare_with_before(walk, &begun, &missing)?;
        // The slots do not show which swaps an earlier command rolled back already: any service may
        // need a restart.
        let pending = match rollback {
            Rollback::FromStart => after_rollback(walk.plan, &begun),
            Rollback::Continued => {
                let all = walk.plan.live_paths().into_iter().cloned().collect();
                after_rollback(walk.plan, &all)
            }
        };
        report_restarts(walk, &pending);
        Ok(RunEnd {
            outcome: Outcome::Undone,
            measured: digest,
            left,
            missing,
            restarts: Restarts {
                pending,
                ..Restarts::default()
            },
        })
    });
    let closed = compared.and_then(|end| close(walk, end));
    match closed {
        Ok(()) => Ended::Undone { because },
        Err(RunError::Interrupted) => Ended::Stopped(RunError::Interrupted),
        Err(error) if error.is_pause() && because.is_none() => Ended::Stopped(error),
        Err(error) => Ended::Stuck { because, error },
    }
}

/// Makes the containers that the run needs: those of its list, and those that a rollback of this run
/// took away for an undone one.
pub(super) fn make_containers_of(walk: &SwapWalk<'_>) -> Result<(), RunError> {
    let own = walk.journal.journal().containers().iter();
    let inherited = walk.exceptions.inherited_containers.iter();
    let containers: BTreeSet<RelPath> = own.chain(inherited).cloned().collect();
    make_containers(walk.disk, &containers)
}

/// Removes the containers that are empty after a rollback, and returns the parts of the run that stay
/// for later runs.
fn take_containers_away(walk: &SwapWalk<'_>) -> Result<Option<LeftBehind>, RunError> {
    let own = walk.journal.journal().containers().iter();
    let containers: BTreeSet<RelPath> = own
        .chain(&walk.exceptions.inherited_containers)
        .cloned()
        .collect();
    let containers = remove_empty_containers(walk.disk, containers)?;
    let services = walk.exceptions.left_services.clone();
    if containers.is_empty() && services.is_empty() {
        return Ok(None);
    }
    let newest = next_number(walk.disk.tree())?.saturating_sub(1);
    Ok(Some(LeftBehind {
        services,
        containers,
        newest,
    }))
}

/// End of a run, without its position among those of all runs.
pub(super) struct RunEnd {
    pub(super) outcome: Outcome,
    pub(super) measured: Digest,
    pub(super) left: Option<LeftBehind>,
    pub(super) missing: Vec<RelPath>,
    pub(super) restarts: Restarts,
}

pub(super) fn close(walk: &mut SwapWalk<'_>, end: RunEnd) -> Result<(), RunError> {
    let RunEnd {
        outcome,
        measured,
        left,
        missing,
        restarts,
    } = end;
    let restarts = Restarts {
        count: next_count(walk.disk.tree())?,
        ..restarts
    };
    walk.journal.write(
        walk.disk,
        Record::Closed {
            outcome,
            measured,
            accepted: None,
            left,
            missing,
            restarts,
        },
    )?;
    walk.listener.report(&Event::Closed {
        outcome,
        measured: Some(measured),
        by: None,
        reason: None,
    });
    Ok(())
}

/// Moves what appeared in an old object after its move into the slot to the live path.
fn move_late_unmanaged(walk: &mut SwapWalk<'_>) -> Result<(), RunError> {
    let mut any = Moved::Nothing;
    for swap in walk.plan.swaps.iter().filter(|swap| swap.has_old()) {
        let (moved, stayed) = Slot::new(walk.disk, walk.run, swap).move_late_unmanaged()?;
        if moved == Moved::Something {
            any = moved;
        }
        for stayed in stayed {
            let stayed = Escaped(&stayed);
            let text = format!(
                "the unmanaged `{stayed}` appeared during the run and stays there: it has no free path in the new state"
            );
            walk.listener.report(&Event::Notice { text });
        }
    }
    if any == Moved::Something {
        walk.disk.sync()?;
    }
    Ok(())
}

/// Reports and returns the unmanaged entries that a rollback did not bring back to their place: those
/// that are gone, and those in a directory that the run had made, which stay in its slot.
fn missing_after_rollback(walk: &mut SwapWalk<'_>) -> Result<Vec<RelPath>, RunError> {
    let mut missing: BTreeSet<RelPath> = missing_unmanaged(walk)?.into_iter().collect();
    for swap in walk.plan.swaps.iter().filter(|swap| !swap.has_old()) {
        let slot = Slot::new(walk.disk, walk.run, swap);
        for kept in slot.unmanaged_in_new()? {
            let text = format!(
                "the unmanaged `{}` was in a directory that the run had made, and is kept there",
                Escaped(&kept)
            );
            walk.listener.report(&Event::Notice { text });
            let below = RelPath::parse(&kept)
                .ok()
                .and_then(|kept| kept.below(&slot.new_path()));
            missing.extend(below.map(|below| swap.live.with(&below)));
        }
    }
    Ok(missing.into_iter().collect())
}

/// Reports and returns the unmanaged entries that the run listed and that do not exist any more.
fn missing_unmanaged(walk: &mut SwapWalk<'_>) -> Result<Vec<RelPath>, RunError> {
    let mut missing = Vec::new();
    for listed in walk.journal.journal().unmanaged() {
        if !exists_in_any_spelling(walk.disk.tree(), listed)? {
            missing.push(listed.clone());
        }
    }
    for path in &missing {
        let text = format!(
            "the unmanaged `{}` was there when the run began, and is not any more",
            Escaped(path.as_str())
        );
        walk.listener.report(&Event::Notice { text });
    }
    Ok(missing)
}

/// Reports the restarts that a person has to do.
fn report_restarts(walk: &mut SwapWalk<'_>, pending: &BTreeSet<PendingAction>) {
    let mut restarts: BTreeMap<Option<&str>, Vec<String>> = BTreeMap::new();
    for action in pending {
        let service = match action {
            PendingAction::Service { service, .. } => Some(service.as_str()),
            PendingAction::Computer { .. } => None,
        };
        let servers = restarts.entry(service).or_default();
        servers.push(action.server().to_owned());
    }
    for (service, servers) in restarts {
        walk.listener.report(&Event::RestartRequired {
            service: service.map(str::to_owned),
            servers,
        });
    }
}

/// Compares the result with the plan, and returns with it the unmanaged entries that are missing.
fn compare_with_expected_state(
    walk: &mut SwapWalk<'_>,
) -> Result<(Measured, Vec<RelPath>), RunError> {
    let missing = missing_unmanaged(walk)?;
    let wanted = walk
        .plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.entries.as_slice())
        .unwrap_or_default();
    // An unmanaged entry may have been removed during the run; that is not a failure of the run.
    let managed: Vec<Entry> = wanted
        .iter()
        .filter(|entry| entry.kind != EntryKind::Unmanaged)
        .cloned()
        .collect();
    let phase = Phase::bytes("verifying", bytes_of(&managed), "comparing");
    let phase = begin_phase(walk.listener, phase);
    let measured = measure(walk.disk.tree(), &walk.plan.live_paths(), wanted, &phase)?;
    let mut differs = measured.differences(walk.disk.tree(), &managed)?;
    let recorded = attributes::read(walk.disk.tree(), walk.run)?;
    differs.extend(attributes::differences(walk.disk.tree(), &recorded)?);
    let differs: Vec<String> = differs.iter().map(ToString::to_string).collect();
    let compared = StateComparison {
        direction: Direction::Forward,
        expected: walk
            .plan
            .expected_state
            .as_ref()
            .map(|expected_state| expected_state.digest),
        measured: Some(measured.digest),
        differs,
        appeared: measured.appeared.clone(),
        missing: missing.clone(),
    };
    walk.listener.report(&Event::Compared(compared.clone()));
    match compared.differs.is_empty() {
        true => Ok((measured, missing)),
        false => Err(RunError::UnexpectedResult(compared.differs)),
    }
}

/// Returns the live paths that a backward walk will touch.
fn begun(walk: &SwapWalk<'_>) -> Result<BTreeSet<RelPath>, RunError> {
    let mut begun = BTreeSet::new();
    for swap in &walk.plan.swaps {
        if Slot::new(walk.disk, walk.run, swap).state()? != SwapState::NotBegun {
            begun.insert(swap.live.clone());
        }
    }
    Ok(begun)
}

/// Checks that every path is again as the plan saw it. Changes at paths that this walk did not
/// touch are reported, and are not a failure of the walk.
fn compare_with_before(
    walk: &mut SwapWalk<'_>,
    begun: &BTreeSet<RelPath>,
    missing: &[RelPath],
) -> Result<Digest, RunError> {
    let phase = Phase::bytes("verifying", walk.plan.old_bytes(), "comparing");
    let phase = begin_phase(walk.listener, phase);
    let mut entries: Vec<Entry> = Vec::new();
    let mut wrong = Vec::new();
    let mut seen: BTreeSet<&RelPath> = BTreeSet::new();
    for swap in &walk.plan.swaps {
        // Only the first swap of a path has the state before the run as its old object.
        let first = seen.insert(&swap.live);
        if !first || walk.exceptions.left_alone.contains(&swap.live) {
            continue;
        }
        let is_left_empty = walk.exceptions.left_empty.contains(&swap.live);
        let old = match is_left_empty {
            true => &[],
            false => swap.old.as_slice(),
        };
        let mut found = Vec::new();
        if old.is_empty() && walk.disk.tree().metadata(&swap.live)?.is_some() {
            found.push(format!(
                "`{}` exists, and did not before the run",
                Escaped(swap.live.as_str())
            ));
        }
        let managed: Vec<Entry> = old
            .iter()
            .filter(|entry| entry.kind != EntryKind::Unmanaged)
            .cloned()
            .collect();
        found.extend(
            differences_in(walk.disk.tree(), &managed, &phase)?
                .iter()
                .map(ToString::to_string),
        );
        entries.extend(old.iter().cloned());
        match begun.contains(&swap.live) {
            true => wrong.append(&mut found),
            false => found.iter().for_each(|text| {
                let text = format!(
                    "{text}; another process or person changed it, and it was left as it is"
                );
                walk.listener.report(&Event::Notice { text });
            }),
        }
    }
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    let digest = digest_of(&entries);
    let measured = wrong.is_empty().then_some(digest);
    let compared = StateComparison {
        direction: Direction::Back,
        expected: Some(digest),
        measured,
        differs: wrong,
        appeared: appeared_and_stayed(walk.journal.journal(), missing),
        missing: missing.to_vec(),
    };
    walk.listener.report(&Event::Compared(compared.clone()));
    match measured {
        Some(digest) => Ok(digest),
        None => Err(RunError::UnexpectedResult(compared.differs)),
    }
}
