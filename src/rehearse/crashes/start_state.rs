//! States of a deployment in which the command that will be killed starts.

use super::killed_run::KilledRun;
use super::report::CrashPhase;
use crate::rehearse::ChildCommand;
use crate::rehearse::child::ChildFault;

/// State of the copy when the command that will be killed is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartState {
    /// State before the rollup, without a run; `apply` is killed.
    Before,
    /// State after an `apply` that was killed at this point, with its commit just begun; `resume`
    /// is killed.
    CommitBegun(u64),
    /// State after an `apply` that was killed at this point, with its run still open; `undo` is
    /// killed.
    AlmostClosed(u64),
    /// State after a finished `apply`; the undo of the finished run is killed.
    Finished,
}

impl StartState {
    /// Returns the command that is killed.
    pub(super) fn command(self) -> ChildCommand {
        match self {
            StartState::Before => ChildCommand::Apply,
            StartState::CommitBegun(_) => ChildCommand::Resume,
            StartState::AlmostClosed(_) => ChildCommand::Undo,
            StartState::Finished => ChildCommand::UndoLast,
        }
    }

    /// Returns the fault of the `apply` that leads to this state, if there is one.
    pub(super) fn earlier_apply(self) -> Option<ChildFault> {
        match self {
            StartState::Before => None,
            StartState::CommitBegun(point) | StartState::AlmostClosed(point) => {
                Some(ChildFault::KillAtChange(point))
            }
            StartState::Finished => Some(ChildFault::None),
        }
    }

    /// Returns the phase of a point, from the run that was left there.
    pub(super) fn phase(self, killed_run: Option<&KilledRun>) -> CrashPhase {
        match (self, killed_run) {
            (StartState::Before, Some(KilledRun::NotBegun | KilledRun::Staged)) => {
                CrashPhase::Staging
            }
            (StartState::Before, _) => CrashPhase::Commit,
            (StartState::CommitBegun(_), _) => CrashPhase::Resume,
            (StartState::AlmostClosed(_), _) => CrashPhase::Undo,
            (StartState::Finished, _) => CrashPhase::UndoFinished,
        }
    }

    /// Returns all phases of its points.
    pub(super) fn phases(self) -> &'static [CrashPhase] {
        match self {
            StartState::Before => &[CrashPhase::Staging, CrashPhase::Commit],
            StartState::CommitBegun(_) => &[CrashPhase::Resume],
            StartState::AlmostClosed(_) => &[CrashPhase::Undo],
            StartState::Finished => &[CrashPhase::UndoFinished],
        }
    }
}
