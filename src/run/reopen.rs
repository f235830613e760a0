//! Undo of a finished run: the same directories, the same walk, backward.

use std::sync::Arc;

use super::check::{self, ChangedFilePolicy, IfMissing};
use super::executor::{
    Ended, Rollback, RunEnd, close, load_plan, make_containers_of, ready_back, roll_back, turn,
};
use super::fingerprints::Fingerprints;
use super::measure::measure;
use super::restarts::{after_rollback, started};
use super::undoable::{UndoCheck, unmanaged_in_objects};
use super::unmanaged::unmanaged_now;
use super::walk::{BackwardExceptions, SwapWalk};
use super::{Event, Listener, RunError, begin_checking, check_not_stopped};
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Direction, JournalWriter, Outcome, Record, Restarts, Run};
use crate::names::{Digest, RelPath, error_chain};
use crate::phase::Phase;
use crate::plan::Plan;

/// Rolls a finished run back. `runs` are all runs of the deployment, oldest first; `site` is its
/// description, if it can be read.
///
/// # Errors
///
/// Fails if the walk cannot begin, with all reasons at once; nothing has changed then.
pub fn reopen(
    disk: &LockedDeployment,
    runs: &[Run],
    run: &Run,
    site: Option<&Description>,
    if_changed: ChangedFilePolicy,
    listener: &mut dyn Listener,
) -> Result<Ended, RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    let checked = UndoCheck::new(disk.tree(), runs, site);
    let (checking, exceptions) = ready_to_reopen(disk, &checked, run, &plan, if_changed, listener)?;
    let unmanaged = unmanaged_in_objects(disk.tree(), run, &plan, &exceptions.left_alone)?;
    let mut unmanaged: Vec<RelPath> = unmanaged.into_iter().map(|(_, file)| file).collect();
    unmanaged.sort();
    let measured = measured_now(disk, &plan, &checking)?;
    drop(checking);
    check_not_stopped(listener)?;
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    journal.write(
        disk,
        Record::Reopened {
            why: "undo".to_owned(),
            unmanaged,
            measured,
            discard_changes: if_changed == ChangedFilePolicy::Discard,
        },
    )?;
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
    Ok(match roll_back(&mut walk, Rollback::FromStart, None) {
        Ended::Stuck {
            because: None,
            error,
        } if !error.is_lost_write() => go_forward_again(&mut walk, error, measured),
        ended => ended,
    })
}

/// Checks that a run can be rolled back, finished or not, without changing anything.
///
/// # Errors
///
/// As [`reopen`] and [`super::undo`], before their first change.
pub fn check_undo(
    disk: &LockedDeployment,
    runs: &[Run],
    run: &Run,
    site: Option<&Description>,
    if_changed: ChangedFilePolicy,
    listener: &mut dyn Listener,
) -> Result<(), RunError> {
    let plan = load_plan(disk.tree(), &run.directory)?;
    if run.is_open() {
        return ready_back(disk, run, &plan, if_changed, listener).map(drop);
    }
    let checked = UndoCheck::new(disk.tree(), runs, site);
    ready_to_reopen(disk, &checked, run, &plan, if_changed, listener).map(drop)
}

/// Checks that the walk back of a finished run can begin.
fn ready_to_reopen(
    disk: &LockedDeployment,
    checked: &UndoCheck<'_>,
    run: &Run,
    plan: &Plan,
    if_changed: ChangedFilePolicy,
    listener: &mut dyn Listener,
) -> Result<(Arc<Phase>, BackwardExceptions), RunError> {
    let reasons = checked.reasons(run)?;
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons));
    }
    // The new objects are compared with the plan, and then with the state to return to.
    let bytes = plan.old_bytes() + 2 * plan.new_bytes();
    let checking = begin_checking(listener, bytes);
    let exceptions = checked.exceptions(run, plan);
    check::back(disk, plan, &run.directory, &exceptions, &checking)?;
    match if_changed {
        ChangedFilePolicy::Refuse => {
            let missing = IfMissing::Changed;
            check::unchanged(disk, plan, &run.directory, &exceptions, missing, &checking)?;
        }
        ChangedFilePolicy::Discard => {
            check::nothing_gone(disk, plan, &run.directory, &exceptions)?;
        }
    }
    Ok((checking, exceptions))
}

/// Returns the digest of the state that a failing rollback goes forward to.
fn measured_now(disk: &LockedDeployment, plan: &Plan, phase: &Phase) -> Result<Digest, RunError> {
    let known = plan.expected_state.as_ref();
    let known = known.map_or(&[][..], |expected| &expected.entries);
    Ok(measure(disk.tree(), &plan.live_paths(), known, phase)?.digest)
}

/// Goes forward again, once, after the rollback of a finished run failed, to the state that it found.
fn go_forward_again(walk: &mut SwapWalk<'_>, because: RunError, found: Digest) -> Ended {
    let stuck = |because, error| Ended::Stuck {
        because: Some(because),
        error,
    };
    let why = error_chain(&because);
    let gone_forward = turn_forward(walk, &why).and_then(|()| {
        let checking = begin_checking(walk.listener, walk.plan.new_bytes());
        let measured = measured_now(walk.disk, walk.plan, &checking)?;
        drop(checking);
        match measured == found {
            true => {
                let restarts = Restarts {
                    pending: after_rollback(
                        walk.plan,
                        &walk.plan.live_paths().into_iter().cloned().collect(),
                    ),
                    done: started(walk.plan),
                    count: 0,
                };
                let end = RunEnd {
                    outcome: Outcome::Applied,
                    measured,
                    left: None,
                    missing: Vec::new(),
                    restarts,
                };
                close(walk, end)
            }
            false => {
                let text = "the objects at the live paths are not those before the undo".to_owned();
                Err(RunError::UnexpectedResult(vec![text]))
            }
        }
    });
    match gone_forward {
        Ok(()) => Ended::Restored { because },
        Err(error) if error.is_pause() => Ended::Stopped(error),
        Err(error) => stuck(because, error),
    }
}

fn turn_forward(walk: &mut SwapWalk<'_>, why: &str) -> Result<(), RunError> {
    walk.listener.report(&Event::Turned {
        direction: Direction::Forward,
        why: why.to_owned(),
    });
    let unmanaged = unmanaged_now(walk.disk.tree(), walk.plan, walk.run)?;
    turn(walk.disk, walk.journal, Direction::Forward, why, unmanaged)?;
    make_containers_of(walk)?;
    walk.forward()
}
