//! This program as a child process: the same commands that an operator would type, and one of them
//! killed.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::faults::CHANGES_MADE;
use super::{LabError, disk};

/// Command that changes a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildCommand {
    /// `rollup apply`
    Apply,
    /// `rollup resume`
    Resume,
    /// `rollup undo`, of an unfinished run
    Undo,
    /// `rollup undo last`, of a finished one
    UndoLast,
}

impl fmt::Display for ChildCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ChildCommand::Apply => "apply",
            ChildCommand::Resume => "resume",
            ChildCommand::Undo => "undo",
            ChildCommand::UndoLast => "undo last",
        })
    }
}

/// Fault that is injected into a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChildFault {
    /// No fault.
    None,
    /// No fault, but the process counts its changes of the disk and prints their number.
    CountChanges,
    /// SIGKILL right before this change of the disk, counted from 1.
    KillAtChange(u64),
}

/// Program, and the arguments of each `apply`.
#[derive(Debug, Clone)]
pub struct Program {
    /// Path of the executable.
    pub path: PathBuf,
    /// Manifest, payload and choices, as arguments of `apply`.
    pub apply: Vec<OsString>,
}

/// Child process that has ended.
#[derive(Debug, Clone)]
pub(super) struct FinishedCommand {
    /// Command line, as it would be typed.
    pub(super) line: String,
    status: ExitStatus,
    output: String,
}

impl Program {
    /// Runs one command on a deployment, without a terminal and without questions.
    pub(super) fn run(
        &self,
        command: ChildCommand,
        deployment: &Path,
        fault: ChildFault,
    ) -> Result<FinishedCommand, LabError> {
        let mut arguments: Vec<OsString> =
            command.to_string().split(' ').map(OsString::from).collect();
        if command == ChildCommand::Apply {
            arguments.extend(self.apply.iter().cloned());
        }
        arguments.extend([
            "-d".into(),
            deployment.into(),
            "--yes".into(),
            "--manual-steps-done".into(),
        ]);
        let kill_at = match fault {
            ChildFault::None => None,
            ChildFault::CountChanges => Some(u64::MAX),
            ChildFault::KillAtChange(change) => Some(change),
        };
        arguments.extend(kill_at.map(|change| format!("--die-at-change={change}").into()));
        let mut process = Command::new(&self.path);
        process
            .args(&arguments)
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env_remove("CLICOLOR_FORCE");
        // Ctrl-C is for the rehearsal, which stops after the current point.
        process.process_group(0);
        let printed = process.output().map_err(disk("run", &self.path))?;
        let output = [printed.stdout, printed.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat();
        let arguments: Vec<_> = arguments.iter().map(|argument| quoted(argument)).collect();
        Ok(FinishedCommand {
            line: format!("rollup {}", arguments.join(" ")),
            status: printed.status,
            output,
        })
    }
}

fn quoted(argument: &OsStr) -> String {
    let argument = argument.to_string_lossy();
    if argument.contains(|c: char| c.is_whitespace() || c == '\'') {
        format!("{argument:?}")
    } else {
        argument.into_owned()
    }
}

impl FinishedCommand {
    /// Returns whether SIGKILL ended it, the signal that no process survives.
    pub(super) fn was_killed(&self) -> bool {
        self.status.signal() == Some(rustix::process::Signal::KILL.as_raw())
    }

    /// Returns its exit code; `None` if a signal ended it.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the number of changes that it made, if it had to count them and was not killed.
    pub(super) fn changes(&self) -> Option<u64> {
        self.output
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(CHANGES_MADE)?.parse().ok())
    }

    /// Describes the way it ended, such as "ended with 12".
    pub(super) fn ending(&self) -> String {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => format!("ended with {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        }
    }

    /// Returns the errors that it printed.
    pub(super) fn reasons(&self) -> Vec<String> {
        let errors = self
            .output
            .lines()
            .filter_map(|line| line.strip_prefix("error: "));
        errors.map(str::to_owned).collect()
    }
}

impl fmt::Display for FinishedCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.line)?;
        f.write_str(&self.output)?;
        writeln!(f, "({})", self.ending())
    }
}
