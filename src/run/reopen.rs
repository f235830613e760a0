//! Undo of a finished run: the same directories, the same walk, backward.

use super::check::{self, ChangedFilePolicy};
use super::executor::{Ended, Rollback, load_plan, roll_back};
use super::fingerprints::Fingerprints;
use super::undoable::{UndoCheck, unmanaged_in_objects};
use super::walk::SwapWalk;
use super::{Event, Listener, RunError, check_not_stopped};
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Direction, JournalWriter, Record, Run};
use crate::names::RelPath;

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
    let reasons = checked.reasons(run)?;
    if !reasons.is_empty() {
        return Err(RunError::NotReady(reasons));
    }
    let exceptions = checked.exceptions(run, &plan);
    let unmanaged = unmanaged_in_objects(disk.tree(), run, &plan, &exceptions.left_alone)?;
    let mut unmanaged: Vec<RelPath> = unmanaged.into_iter().map(|(_, file)| file).collect();
    unmanaged.sort();
    check::back(disk, &plan, &run.directory, &exceptions)?;
    match if_changed {
        ChangedFilePolicy::Refuse => {
            check::unchanged(disk, &plan, &run.directory, &exceptions)?;
        }
        ChangedFilePolicy::Discard => {
            check::nothing_gone(disk, &plan, &run.directory, &exceptions)?;
        }
    }
    check_not_stopped(listener)?;
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    journal.write(
        disk,
        Record::Reopened {
            why: "undo".to_owned(),
            unmanaged,
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
    Ok(roll_back(&mut walk, Rollback::FromStart, None))
}
