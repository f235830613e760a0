//! Staging, the commit by swaps, and recovery by the same walk forward or backward.
//!
//! A run has two halves. *Staging* copies, hashes and unpacks everything into the run's directory;
//! nothing of the deployment changes, and discarding the directory undoes it. The *commit* is a
//! list of swaps: renames, and nothing else.
//!
//! Only the names on disk show how far a run got. Recovery is therefore the same walk as the run:
//! it looks at every slot in order and does the rest. Each sync gives a guarantee:
//!
//! | sync | guarantee from then on |
//! | --- | --- |
//! | after staging | every `new` is complete; only now may `staged` be recorded |
//! | after `slots.staging` became `slots` | on btrfs the sync of a record could lose it under both names |
//! | each announcing record (the journal alone) | the record is on disk before what it announces |
//! | before `.rollup` gets its name | it appears atomically |
//! | before the first rename of a resumed run | the changes of the dead process are on disk first |
//! | after making the missing containers | no rename into a directory that a power cut takes away |
//! | after every step | no rename of a later step can be on disk without all of this one |
//! | after making a directory for an unmanaged file | the file is never lost with its directory |
//! | after the move to the trash | a run disappears atomically |
//! | before `closed` | the entire change is on disk before the run is recorded as finished |
//!
//! The announcing records are `staged`, `committing`, `confirmed`, `turned` and `closed`. A resumed
//! run syncs even if it finds nothing to do. Because of the sync after every step there is no file
//! without the directory that it went into, and no manual step without the changes before it.
//!
//! Between two syncs the disk keeps only the order of changes to the same name or the same object.
//! The renames of a swap share the live path, so the last is never on disk without the first. The
//! move of an unmanaged file from O to N (see `swap`) shares nothing with them: after a power cut
//! the file may be in N while the old object is still at its live path.

mod attributes;
mod backup;
mod check;
mod close;
mod containers;
mod debris;
pub mod event;
mod examine;
mod executor;
mod fingerprints;
mod from_slots;
mod measure;
mod parallel;
mod past;
mod preflight;
mod prune;
mod reopen;
mod restarts;
mod secrets;
mod stage;
mod swap;
mod undoable;
mod unmanaged;
mod walk;

use std::sync::Arc;

use crate::deployment::tree::DiskError;
use crate::journal::{AnswerSource, Direction, JournalError};
use crate::names::RelPath;
use crate::phase::Phase;
use crate::plan::{PlanFileError, PlannedStep, Reason};

pub use crate::journal::SwapState;
pub use attributes::{RecordedAttributes, attribute_drift};
pub use backup::{BackupError, BackupTarget, CompletedBackup, StagingSpace, replaced};
pub use check::{
    BehindPoint, ChangedFilePolicy, behind_last_point, nothing_to_roll_back, points_passed,
    unmarked_procedures_run,
};
pub use close::{UnusableRun, acknowledge, close_in_current_state, quarantine, unusable_runs};
pub use debris::{is_made_by_staging, path_parts};
pub use event::Event;
pub use examine::{RunExamination, changes_since_plan, examine};
pub use executor::{
    Cleared, Ended, check_resume, clear_interrupted_staging, commit, discard_staged, load_plan,
    resume, undo,
};
pub use from_slots::rebuild_journal;
pub use measure::{Difference, differences};
pub use past::{
    LeftObject, LeftObjects, describe_run, describe_run_state, emptied_paths, left_objects, past,
    paths_left_empty,
};
pub use preflight::{Preflight, Risk, preflight, preflight_of_walk, risk};
pub use prune::{
    LostFile, keeps_objects, kept_bytes, lost_files, prune, refuse_mounted, slot_entries,
};
pub use reopen::{check_undo, reopen};
pub use restarts::after_rollback;
pub use secrets::unset_secrets;
pub use stage::{RunRequest, SignedFiles, SignedStatement, StagedRun, next_run, stage};
pub use undoable::{
    LeftByRollback, UndoAnswer, UndoCheck, kept_object_faults, left_by_rollback, undo_answers,
};

/// Receiver of the events of a run, and source of the operator's answers.
pub trait Listener {
    /// Receives an event.
    fn report(&mut self, event: &Event);
    /// Receives a phase that begins, and that is over when the run drops it.
    fn phase(&mut self, _phase: &Arc<Phase>) {}
    /// Returns the source of the answer to a manual step.
    fn source(&self, _question: &Question<'_>) -> AnswerSource {
        AnswerSource::Terminal
    }
    /// Receives the place of a failure: the step with the operation.
    fn failed(&mut self, _direction: Direction, _place: &str) {}
    /// Asks about a manual step that waits. After `Reply::Stop` the run stays open at this step.
    fn ask(&mut self, question: &Question<'_>) -> Reply;
    /// Returns whether a stop was requested. Called before every swap, and during staging before
    /// every file: a swap or a file that was begun is finished first.
    fn is_stopped(&self) -> bool {
        false
    }
    /// Returns whether the run stops before this step when going forward.
    fn stops_before(&self, _step: &PlannedStep) -> bool {
        false
    }
    /// Returns the reaction to a failure of the commit.
    fn on_failure(&self) -> OnFailure {
        OnFailure::Undo
    }
}

/// Begins a phase.
fn begin_phase(listener: &mut dyn Listener, phase: Phase) -> Arc<Phase> {
    let phase = Arc::new(phase);
    listener.phase(&phase);
    phase
}

/// Begins the phase of the checks before the first change of a walk, which read at most so many bytes.
fn begin_checking(listener: &mut dyn Listener, bytes: u64) -> Arc<Phase> {
    let phase = Phase::bytes("checking the deployment", bytes, "comparing");
    begin_phase(listener, phase)
}

/// Fails if a stop was requested. Only called while nothing has to be finished, such as before the
/// first record of a direction.
fn check_not_stopped(listener: &dyn Listener) -> Result<(), RunError> {
    match listener.is_stopped() {
        true => Err(RunError::Interrupted),
        false => Ok(()),
    }
}

/// Reaction to a failure of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Roll everything back.
    #[default]
    Undo,
    /// Stop, and leave the run open.
    Stop,
}

/// Manual step that waits for an answer.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    pub step: &'a PlannedStep,
    /// Instructions; when going backward, the instructions to undo the step.
    pub text: &'a str,
    /// True if the step may be skipped.
    pub optional: bool,
    /// Servers on which the step is to be done.
    pub servers: &'a [String],
    pub direction: Direction,
}

/// Reply to a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// The step is done.
    Done,
    /// The step is skipped; only allowed if it is optional.
    Skip,
    /// The step is not done now: the run stays open.
    Stop,
}

/// Error that keeps a run from reaching its goal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Failed disk operation.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Unusable journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Run whose journal cannot be relied on, and whose slots do not show that it is closed.
    #[error("{fault}; how far run {run} is has to be read from its slots")]
    DamagedJournal {
        /// Name of the run.
        run: String,
        fault: String,
    },
    /// Unusable plan in the run's directory.
    #[error("`{path}` cannot be used: {fault}")]
    Plan { path: String, fault: PlanFileError },
    /// File or directory that has changed since the plan was made.
    #[error("`{path}` differs from the plan: {difference}")]
    Stale { path: String, difference: String },
    /// All reasons that keep the run from beginning.
    #[error("{}", .0.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; "))]
    NotReady(Vec<Reason>),
    /// Staged object that is not as it was written.
    #[error("the object staged for `{live}` is not as it was written: `{path}` {difference}")]
    NotAsWritten {
        path: String,
        /// Live path of the object.
        live: RelPath,
        difference: String,
    },
    /// Object whose attributes its replacement cannot have.
    #[error(
        "the file system does not give the replacement of `{path}` its mode, ACL or extended attributes"
    )]
    NotCarried {
        /// Live path, as shown to people.
        path: String,
    },
    /// Old object in a slot that is needed again and has changed.
    #[error("the old `{live}` has changed since the run moved it to `{path}`: it {difference}")]
    OldObjectChanged {
        /// Path in the slot.
        path: String,
        /// Live path of the object.
        live: RelPath,
        difference: String,
    },
    /// Unmanaged file at the path of a managed one.
    #[error("conflict: the unmanaged file `{path}` is at a path that a managed file is to take")]
    UnmanagedConflict { path: String },
    /// Unmanaged file or directory that cannot be moved along with its directory.
    #[error(
        "`{path}` cannot be moved along: its name is not UTF-8, or its directories are too deep"
    )]
    CannotMove {
        /// Path, made printable.
        path: String,
    },
    /// Unexpected objects, or missing ones, which a swap must not touch.
    #[error("{problem}; look at `{live}` and at `{slot}`")]
    Unexpected {
        problem: &'static str,
        /// Live path of the swap.
        live: RelPath,
        /// Slot of the swap.
        slot: RelPath,
    },
    /// Differences between the result and the expected state.
    #[error("the result does not match the expected state: {}", .0.join("; "))]
    UnexpectedResult(Vec<String>),
    /// Managed files that have changed since the run installed them.
    #[error("managed files have changed since the run: {}", .0.join("; "))]
    Changed(Vec<String>),
    /// Live paths at which the run installed an object, and at which there is none.
    #[error("objects that the run installed are gone: {}", .0.join(", "))]
    Gone(Vec<String>),
    /// Request to stop the run.
    #[error("by a signal")]
    Interrupted,
    /// Request to stop before this step.
    #[error("before step `{step}`, as requested")]
    StopsBefore { step: String },
    /// Manual step that waits for an answer.
    #[error("step `{step}` waits for a person")]
    Waiting { step: String, direction: Direction },
    /// Point of no return, at which the rollback ends.
    #[error("{point} cannot be rolled back: {why}")]
    PointOfNoReturn {
        /// Step, with the operations.
        point: String,
        why: String,
    },
}

impl RunError {
    /// Returns whether a sync failed, so that the disk may have lost written data.
    pub fn is_lost_write(&self) -> bool {
        matches!(self, RunError::Disk(error) if error.is_lost_write())
    }

    /// Returns whether the run only had to stop here, without a failure.
    fn is_pause(&self) -> bool {
        matches!(
            self,
            RunError::Waiting { .. } | RunError::Interrupted | RunError::StopsBefore { .. }
        )
    }
}
