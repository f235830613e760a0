//! Scenes: the states in which a command is started that will be killed.

use super::left::Left;
use super::report::Place;
use crate::rehearse::Verb;
use crate::rehearse::child::Fate;

/// State of the copy when the command that will be killed is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scene {
    /// The state before, and no run; `apply` is killed.
    Before,
    /// `apply` died at this point, with its commit just begun; `resume` is killed.
    CommitBegun(u64),
    /// `apply` died at this point, with its run still open; `undo` is killed.
    AlmostClosed(u64),
    /// `apply` finished; the undo of the finished run is killed.
    Finished,
}

impl Scene {
    /// Returns the command that is killed.
    pub(super) fn verb(self) -> Verb {
        match self {
            Scene::Before => Verb::Apply,
            Scene::CommitBegun(_) => Verb::Resume,
            Scene::AlmostClosed(_) => Verb::Undo,
            Scene::Finished => Verb::UndoLast,
        }
    }

    /// Returns the fate of the `apply` before it, if there is one.
    pub(super) fn earlier_apply(self) -> Option<Fate> {
        match self {
            Scene::Before => None,
            Scene::CommitBegun(point) | Scene::AlmostClosed(point) => Some(Fate::DiesAt(point)),
            Scene::Finished => Some(Fate::Lives),
        }
    }

    /// Returns the row of a point, by what was left there.
    pub(super) fn place(self, left: Option<&Left>) -> Place {
        match (self, left) {
            (Scene::Before, Some(Left::NotBegun | Left::Staged)) => Place::Staging,
            (Scene::Before, _) => Place::Commit,
            (Scene::CommitBegun(_), _) => Place::Resume,
            (Scene::AlmostClosed(_), _) => Place::Undo,
            (Scene::Finished, _) => Place::UndoFinished,
        }
    }

    /// Returns the rows of its points.
    pub(super) fn places(self) -> &'static [Place] {
        match self {
            Scene::Before => &[Place::Staging, Place::Commit],
            Scene::CommitBegun(_) => &[Place::Resume],
            Scene::AlmostClosed(_) => &[Place::Undo],
            Scene::Finished => &[Place::UndoFinished],
        }
    }
}
