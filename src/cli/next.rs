//! Commands to type next, as every message spells them.

use std::path::Path;

use crate::cli::terminal::out;
use crate::journal::Run;

/// Commands to type next, for one deployment.
pub(super) struct Next<'a>(pub(super) &'a Path);

impl Next<'_> {
    fn command(&self, verb: &str) -> String {
        format!("rollup {verb} -d {}", out::typed(self.0))
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

    /// Returns the command that undoes this run, which has to be named if it is finished.
    pub(super) fn undo_run(&self, run: &Run) -> String {
        match run.is_open() {
            true => self.undo(),
            false => format!("{} {}", self.undo(), run.number),
        }
    }

    pub(super) fn accept(&self) -> String {
        format!("{} --reason TEXT", self.command("accept"))
    }

    pub(super) fn prune(&self) -> String {
        format!("{} --keep N", self.command("prune"))
    }
}
