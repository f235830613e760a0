//! Commands to type next, spelled the same in every message.

use std::path::Path;

use super::advice::TypedPaths;
use crate::cli::terminal::out;
use crate::journal::Run;

/// Commands to type next, for one deployment.
pub(super) struct NextCommands<'a>(pub(super) &'a Path);

impl NextCommands<'_> {
    /// Completes the commands in advice, which know no manifest here.
    pub(super) fn complete(&self, advice: &str) -> String {
        let paths = TypedPaths {
            deployment: Some(self.0.to_owned()),
            ..TypedPaths::default()
        };
        paths.complete(advice)
    }

    fn command(&self, verb: &str) -> String {
        format!("rollup {verb} -d {}", out::shell_quoted(self.0))
    }

    pub(super) fn status(&self) -> String {
        self.command("status")
    }

    pub(super) fn tree(&self) -> String {
        self.command("tree")
    }

    pub(super) fn history(&self) -> String {
        self.command("history")
    }

    pub(super) fn resume(&self) -> String {
        self.command("resume")
    }

    /// Describes the two commands that end an open run.
    pub(super) fn finish_or_roll_back(&self) -> String {
        format!(
            "`{}` finishes the open run, `{}` rolls it back",
            self.resume(),
            self.undo()
        )
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

    /// Returns the command that describes a run.
    pub(super) fn report(&self, run: &Run) -> String {
        self.command(&format!("report {}", run.number))
    }

    /// Returns the command that describes the newest run.
    pub(super) fn report_last(&self) -> String {
        self.command("report last")
    }

    pub(super) fn accept(&self) -> String {
        format!("{} --reason TEXT", self.command("accept"))
    }

    pub(super) fn prune(&self) -> String {
        format!("{} --keep N", self.command("prune"))
    }
}
