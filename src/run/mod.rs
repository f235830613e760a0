//! Stage, commit by swaps, and the same walk forward or back after a crash.
//!
//! A run has two halves. *Staging* copies, hashes and unpacks everything into the run's folder;
//! nothing of the deployment has changed, and throwing the folder away undoes it. The *commit* is a
//! list of swaps: renames, and nothing else.
//!
//! The disk alone says how far a run got. Recovery is therefore the same walk as the run: it looks
//! at every slot in order and does what is left. What each barrier protects:
//!
//! | barrier | from then on |
//! | --- | --- |
//! | after staging | every `new` is whole; only now may `staged` say so |
//! | `staged`, `committing`, `confirmed`, `turned`, `closed` (the journal alone) | the record is there before what it announces |
//! | before `.rollup` gets its name | it is there whole, or not at all |
//! | before the first rename of a resumed run | what the dead process did is on disk before anything follows it, also where this run finds nothing to do |
//! | after every step | no rename of a later step can be on disk without all of this one: no file without the folder that it went into, no manual step without what came before it |
//! | behind a new folder for an operator's file | the file is not lost with its folder |
//! | behind the way into the trash | a run is there whole, or not at all |
//! | before `closed` | the whole change is on disk before it is called finished |
//!
//! Between two barriers the disk keeps the order of what touches one name or one object, and no
//! other. The renames of a swap share the live path, so the last is never there without the first.
//! An operator's file on its way from O to N (see `swap`) shares nothing with them: after a power
//! cut it may be in N, and the old object still at its live path.

mod backup;
mod check;
mod close;
mod crew;
mod examine;
mod executor;
mod measure;
mod past;
mod preflight;
mod prune;
mod reopen;
mod stage;
mod swap;
mod walk;

use std::time::Duration;

use crate::deployment::tree::DiskError;
use crate::journal::{Accepted, JournalFault, Outcome};
use crate::names::{Digest, RelPath};
use crate::plan::{Operation, PlanFault, PlannedStep, Reason, Swap};

pub use backup::{BackedUp, BackupError, Place, StagedYet, replaced};
pub use close::{Unusable, close_as_it_stands, set_aside, unusable};
pub use examine::{Examined, examine, moved};
pub use executor::{
    Cleared, Ended, clear_the_way, commit, load_plan, resume, throw_away, undo, untouched,
};
pub use measure::{Difference, differences};
pub use past::{Left, LeftBehind, emptied, left_by, left_empty, past, standing, standing_of};
pub use preflight::{Risk, preflight, risk};
pub use prune::{Lost, kept, lost, prune, refuse_mounted};
pub use reopen::{IfChanged, no_return, reopen};
pub use stage::{Asked, Staged, bytes_to_stage, next_run, stage};
pub use swap::Progress;

/// Hears what a run does, and answers for the person in front of it.
pub trait Listener {
    /// Something happened.
    fn tell(&mut self, event: &Event<'_>);
    /// A manual step waits. `Reply::Stop` leaves the run where it is.
    fn ask(&mut self, question: &Question<'_>) -> Reply;
    /// Whether somebody wants the run to stop. Asked before every swap, and while staging before
    /// every file: what was begun is finished first.
    fn is_stopped(&self) -> bool {
        false
    }
    /// Whether the run stops before this step, going forward.
    fn stops_before(&self, _step: &PlannedStep) -> bool {
        false
    }
    /// What follows from a failure of the commit.
    fn on_failure(&self) -> OnFailure {
        OnFailure::Undo
    }
}

/// What follows from a failure of the commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnFailure {
    /// Everything is put back.
    #[default]
    Undo,
    /// The run stays open where it is.
    Stop,
}

/// What a run tells.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// A run's folder was made.
    Opened {
        /// Such as `0012-KB952076`.
        run: &'a str,
        /// Bytes that will be written.
        bytes: u64,
    },
    /// A part of the staging was written.
    Wrote {
        /// Bytes, since the last such event.
        bytes: u64,
    },
    /// Staging is whole.
    Staged {
        /// Bytes that were written into new objects.
        bytes: u64,
    },
    /// What the run will replace is backed up.
    BackedUp(&'a BackedUp),
    /// The first rename is due.
    Committing,
    /// A step begins, in this direction.
    Step {
        /// The step; `None` is the level.
        step: Option<&'a PlannedStep>,
        /// Going back.
        back: bool,
    },
    /// A swap is done, or taken back. One that was so already is not told.
    Swapped {
        /// Which.
        swap: &'a Swap,
        /// What it does; nothing is an operation of the level's.
        operations: &'a [&'a Operation],
        /// Going back.
        back: bool,
        /// From before its first rename until behind its last one.
        took: Duration,
    },
    /// What a step moved is on disk.
    Barrier {
        /// The step; `None` is the level.
        step: Option<&'a PlannedStep>,
        /// Going back.
        back: bool,
        /// How long the disk took.
        took: Duration,
    },
    /// A manual step waits for a person from now on.
    Asked {
        /// The step.
        step: &'a PlannedStep,
        /// Going back.
        back: bool,
    },
    /// A manual step was answered.
    Answered {
        /// The step.
        step: &'a PlannedStep,
        /// What was said.
        answer: crate::journal::Answer,
        /// Who said so.
        by: &'a str,
        /// How long they took.
        waited: Duration,
    },
    /// The run goes the other way from here on.
    Turned {
        /// Going back.
        back: bool,
        /// Why.
        why: &'a str,
    },
    /// The file of a service went back to its old bytes; the service itself is as it was.
    RestartDue {
        /// Its name.
        service: &'a str,
        /// Where.
        servers: &'a [&'a str],
    },
    /// Something the operator should know, which stops nothing.
    Notice {
        /// In words.
        text: &'a str,
    },
    /// What stands was compared with what should.
    Compared(&'a Comparison),
    /// At rest.
    Closed {
        /// How.
        outcome: Outcome,
        /// The measured digest of what stands at the live paths.
        measured: Digest,
        /// Where it was closed as it stood: who did, and why.
        accepted: Option<&'a Accepted>,
    },
}

/// What stands after a walk, compared with what should.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// The walk went back: it is the state before that should stand.
    pub back: bool,
    /// Digest of what should stand.
    pub expected: Option<Digest>,
    /// Digest of what does; of the way back only where nothing differs.
    pub measured: Option<Digest>,
    /// What differs of ours, in words.
    pub differs: Vec<String>,
    /// Files that nobody predicted: an operator's, which came meanwhile.
    pub came: Vec<RelPath>,
}

/// A manual step that waits for a person.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The step.
    pub step: &'a PlannedStep,
    /// What is to be done: the instructions, or on the way back how they are taken back.
    pub text: &'a str,
    /// Whether it may be skipped.
    pub optional: bool,
    /// Where.
    pub servers: &'a [String],
    /// Going back.
    pub back: bool,
}

/// What the person says to a manual step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply {
    /// It is done.
    Done,
    /// It is left out; only where it is optional.
    Skip,
    /// Not now: the run stays open.
    Stop,
}

/// Why a run did not get where it was going.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The disk refused.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalFault),
    /// The plan in the run's folder cannot be used.
    #[error("`{path}` cannot be used: {fault}")]
    Plan {
        /// Where it is.
        path: String,
        /// Why.
        fault: PlanFault,
    },
    /// A file that is read has changed since the plan was made.
    #[error("`{path}` is not what the plan saw: {what}")]
    Stale {
        /// Where it is.
        path: String,
        /// What differs.
        what: String,
    },
    /// Something cannot be begun; all reasons.
    #[error("{}", .0.iter().map(|reason| reason.message.as_str()).collect::<Vec<_>>().join("; "))]
    NotReady(Vec<Reason>),
    /// What was staged is not there as it was written.
    #[error("`{path}` was staged and is not what was written: {what}")]
    Unfaithful {
        /// Where it is.
        path: String,
        /// What differs.
        what: String,
    },
    /// An old object that was set aside is needed again, and has changed.
    #[error("`{path}` was set aside and has changed since: {what}")]
    SetAside {
        /// Where it is.
        path: String,
        /// What differs.
        what: String,
    },
    /// An operator's file stands where one of ours should come.
    #[error("an operator's `{path}` stands where a file of ours should come")]
    InTheWay {
        /// Where it is.
        path: String,
    },
    /// An operator's file or folder cannot be moved along.
    #[error(
        "`{path}` cannot be moved along: its name is not UTF-8, or too many folders lie around it"
    )]
    Pathless {
        /// Where it is, made readable.
        path: String,
    },
    /// A swap found something that it must not touch.
    #[error("{what}; look at `{live}` and at `{slot}`")]
    Stranger {
        /// What is wrong.
        what: &'static str,
        /// The live path.
        live: RelPath,
        /// The slot.
        slot: RelPath,
    },
    /// The result is not the predicted one.
    #[error("the result is not as previewed: {}", .0.join("; "))]
    Unpredicted(Vec<String>),
    /// Files of ours are not any more what the run left there.
    #[error("changed since: {}", .0.join("; "))]
    Changed(Vec<String>),
    /// Somebody wanted the run to stop.
    #[error("by a signal")]
    Interrupted,
    /// The run was to stop before this step.
    #[error("before step `{step}`, as asked")]
    StopsBefore {
        /// The step.
        step: String,
    },
    /// A manual step waits.
    #[error("the manual step `{step}` waits for a person")]
    Waiting {
        /// The step.
        step: String,
        /// Going back.
        back: bool,
    },
    /// The way back ends behind a manual step that cannot be taken back.
    #[error("the manual step `{step}` cannot be taken back")]
    NoReturn {
        /// The step.
        step: String,
    },
}

impl RunError {
    /// Whether a barrier failed: the disk lost something that was written.
    pub fn is_lost_write(&self) -> bool {
        matches!(self, RunError::Disk(error) if error.is_lost_write())
    }

    /// Whether nothing failed: the run was to stop here.
    fn is_pause(&self) -> bool {
        matches!(
            self,
            RunError::Waiting { .. } | RunError::Interrupted | RunError::StopsBefore { .. }
        )
    }
}
