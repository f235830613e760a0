//! Ends of a run that cannot go on: it is closed in its current state, or quarantined.

use std::collections::BTreeSet;

use super::executor::load_plan;
use super::measure::measure;
use super::past::emptied_paths;
use super::{Event, Listener, RunError};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::{ROLLUP_DIR, RunDir};
use crate::deployment::tree::Tree;
use crate::journal::{
    Accepted, Damaged, JournalWriter, Outcome, PendingAction, QuarantineNote, Record, Restarts,
    Run, RunState, next_count, runs,
};
use crate::names::Digest;
use crate::phase::Phase;
use crate::plan::{Plan, PlanFileError};

/// Run that blocks every command, because its records do not determine its swaps or its state.
#[derive(Debug)]
pub struct UnusableRun {
    /// Directory of the run, below the deployment.
    pub directory: RunDir,
    /// Error that makes the run unusable.
    pub why: RunError,
}

/// Closes an unfinished run in its current state, and records the user and the reason. No installed
/// file moves, and the slots keep their objects.
///
/// # Errors
///
/// Any failure: the run is still open, unless only syncing the last record to disk failed.
pub fn close_in_current_state(
    disk: &LockedDeployment,
    run: &Run,
    plan: &Plan,
    (by, reason): (String, String),
    listener: &mut dyn Listener,
) -> Result<Digest, RunError> {
    // The changes of the dead process go to disk before the run counts as closed.
    disk.sync()?;
    let known = plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.entries.as_slice())
        .unwrap_or_default();
    let measured = measure(disk.tree(), &plan.live_paths(), known, &Phase::hidden())?.digest;
    let outcome = Outcome::Accepted;
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    let accepted = Accepted {
        by,
        reason,
        empty: emptied_paths(disk.tree(), &run.directory, plan)?,
    };
    journal.write(
        disk,
        Record::Closed {
            outcome,
            measured,
            accepted: Some(accepted.clone()),
            left: None,
            missing: Vec::new(),
            restarts: Restarts {
                count: next_count(disk.tree())?,
                ..Restarts::default()
            },
        },
    )?;
    listener.report(&Event::Closed {
        outcome,
        measured: Some(measured),
        by: Some(accepted.by),
        reason: Some(accepted.reason),
    });
    Ok(measured)
}

/// Records that a person did restarts that a run had left pending.
pub fn acknowledge(
    disk: &LockedDeployment,
    run: &Run,
    by: String,
    actions: BTreeSet<PendingAction>,
) -> Result<(), RunError> {
    let mut journal = JournalWriter::resume(disk, &run.directory)?;
    Ok(journal.write(disk, Record::Acknowledged { by, actions })?)
}

/// Returns the runs that block every command: their records determine neither their progress nor their
/// state.
///
/// # Errors
///
/// Errors other than damage: a failed disk operation, or records of a later version.
pub fn unusable_runs(tree: &Tree) -> Result<Vec<UnusableRun>, RunError> {
    let mut unusable = Vec::new();
    for run in runs(tree)? {
        let used = match run.state() {
            RunState::Damaged(Damaged::Interrupted) => Err(RunError::DamagedJournal {
                run: run.name().to_owned(),
                fault: run.fault.clone().unwrap_or_default(),
            }),
            RunState::Unfinished(_) => load_plan(tree, &run.directory).map(|_| ()),
            _ => Ok(()),
        };
        match used {
            Ok(()) => {}
            Err(why) if is_damage(&why) => unusable.push(UnusableRun {
                directory: run.directory,
                why,
            }),
            Err(error) => return Err(error),
        }
    }
    Ok(unusable)
}

fn is_damage(error: &RunError) -> bool {
    match error {
        RunError::DamagedJournal { .. } => true,
        RunError::Plan { fault, .. } => !matches!(fault, PlanFileError::TooNew(_)),
        _ => false,
    }
}

/// Renames the directory of a run so that it no longer counts as a run; nothing in it is deleted.
/// Returns its new path.
///
/// # Errors
///
/// Any failure. Once the directory has its new name, only the note in it can be missing.
pub fn quarantine(
    disk: &LockedDeployment,
    run: &UnusableRun,
    (by, reason): (String, String),
) -> Result<RunDir, RunError> {
    let directory = &run.directory;
    let quarantined = format!("{}{}", directory.name(), RunDir::QUARANTINED);
    let mut to = ROLLUP_DIR.run(&quarantined);
    let mut number = 1;
    while disk.tree().metadata(&to)?.is_some() {
        number += 1;
        to = ROLLUP_DIR.run(&format!("{quarantined}.{number}"));
    }
    let at = jiff::Timestamp::now()
        .strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
        .to_string();
    let note = QuarantineNote {
        at,
        by,
        reason,
        because: run.why.to_string(),
    };
    disk.sync()?;
    disk.rename(directory, &to)?;
    let text = toml::to_string(&note).expect("four texts are TOML");
    disk.write_own(&to.quarantine_note(), text.as_bytes())?;
    disk.sync()?;
    Ok(to)
}
