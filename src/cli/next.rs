//! Commands to type next, spelled the same in every message.

use std::path::Path;

use crate::cli::terminal::out;
use crate::journal::Run;

/// Commands to type next, for one deployment.
pub(super) struct NextCommands<'a>(pub(super) &'a Path);

impl NextCommands<'_> {
    fn command(&self, verb: &str) -> String {
        format!("rollup {verb} -d {}", out::shell_quoted(self.0))
    }

    pub(super) fn status(&self) -> String {
        self.command("status")
    }

    pub(super) fn resume(&self) -> String {
        self.command("resume")
    }

    pub(super) fn undo(&self) -> String {
        self.command("undo")
    }

    /// Returns the command that undoes a run, which must be named if it is finished.
    pub(super) fn undo_run(&self, run: &Run) -> String {
        if run.is_open() {
            self.undo()
        } else {
            self.command(&format!("undo {}", run.number))
        }
    }

    /// Returns the command that undoes a finished run with this name.
    pub(super) fn undo_named(&self, run: &str) -> String {
        self.command(&format!("undo {run}"))
    }

    pub(super) fn accept(&self) -> String {
        format!("{} --reason TEXT", self.command("accept"))
    }

    pub(super) fn prune(&self) -> String {
        format!("{} --keep N", self.command("prune"))
    }
}
