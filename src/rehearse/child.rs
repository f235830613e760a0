//! This program as a child process: the same commands that an operator would type, and one of them
//! killed.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use super::faults::OUTLIVED;
use super::{LabError, disk};

/// A command that changes a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `rollup apply`
    Apply,
    /// `rollup resume`
    Resume,
    /// `rollup undo`, of an unfinished run
    Undo,
    /// `rollup undo last`, of a finished one
    UndoLast,
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Verb::Apply => "apply",
            Verb::Resume => "resume",
            Verb::Undo => "undo",
            Verb::UndoLast => "undo last",
        })
    }
}

/// Fate of a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing disturbs it.
    Lives,
    /// It only counts its changes.
    Counts,
    /// It dies right before this change of the disk, counted from 1.
    DiesAt(u64),
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
pub(super) struct Ran {
    /// Command line, as it would be typed.
    pub(super) line: String,
    status: ExitStatus,
    said: String,
}

impl Program {
    /// Runs one command on a deployment, without a terminal and without questions.
    pub(super) fn run(&self, verb: Verb, deployment: &Path, fate: Fate) -> Result<Ran, LabError> {
        let mut words: Vec<OsString> = verb.to_string().split(' ').map(OsString::from).collect();
        if verb == Verb::Apply {
            words.extend(self.apply.iter().cloned());
        }
        words.extend([
            "-d".into(),
            deployment.into(),
            "--yes".into(),
            "--manual-steps-done".into(),
        ]);
        let at = match fate {
            Fate::Lives => None,
            Fate::Counts => Some(u64::MAX),
            Fate::DiesAt(change) => Some(change),
        };
        words.extend(at.map(|at| format!("--die-at-change={at}").into()));
        let mut command = Command::new(&self.path);
        command
            .args(&words)
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .env_remove("CLICOLOR_FORCE");
        // Ctrl-C is for the rehearsal, which stops after the current point.
        command.process_group(0);
        let output = command.output().map_err(disk("run", &self.path))?;
        let said = [output.stdout, output.stderr]
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .concat();
        let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
        Ok(Ran {
            line: format!("rollup {}", words.join(" ")),
            status: output.status,
            said,
        })
    }
}

fn quoted(word: &OsStr) -> String {
    let word = word.to_string_lossy();
    if word.contains(|c: char| c.is_whitespace() || c == '\'') {
        format!("{word:?}")
    } else {
        word.into_owned()
    }
}

impl Ran {
    /// Returns whether it was ended by SIGKILL, the signal that no process survives.
    pub(super) fn was_killed(&self) -> bool {
        self.status.signal() == Some(rustix::process::Signal::KILL.as_raw())
    }

    /// Returns its exit code, if it has one.
    pub(super) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Returns the number of changes that it made, if it had to count them and outlived them all.
    pub(super) fn changes(&self) -> Option<u64> {
        self.said
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix(OUTLIVED)?.parse().ok())
    }

    /// Describes how it ended, in words.
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
            .said
            .lines()
            .filter_map(|line| line.strip_prefix("error: "));
        errors.map(str::to_owned).collect()
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "$ {}", self.line)?;
        f.write_str(&self.said)?;
        writeln!(f, "({})", self.ending())
    }
}
