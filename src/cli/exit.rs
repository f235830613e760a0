//! The exit codes, and what a failing command says.

use std::fmt;
use std::process::ExitCode;

use crate::plan::ReasonKind;

/// What a command came to, for the shell. No code is ever given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done, or nothing to do.
    Ok = 0,
    /// Anything not below: treat it as a defect.
    Failed = 1,
    /// A begun commit failed and was put back.
    Undone = 10,
    /// The deployment is between states and could not be put back.
    NeedsAttention = 11,
    /// This command leaves a run open.
    Stopped = 12,
    /// Files do not match their table, pin or record.
    Mismatch = 13,
    /// The plan no longer fits.
    StalePlan = 14,
    /// A prerequisite or readiness check failed, or an open run is in the way.
    NotReady = 15,
    /// Superseded, wrong product or version.
    NotApplicable = 16,
    /// Bad arguments.
    Usage = 64,
    /// Manifest, deployment, plan or journal not valid.
    Invalid = 65,
    /// A path typed on the command line does not exist.
    NoInput = 66,
    /// Input or output failed, nothing begun.
    Io = 74,
    /// Another process is at work.
    Locked = 75,
    /// Stopped by the person, nothing open.
    Interrupted = 130,
}

impl Exit {
    /// Its name, as documents and the manual have it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Failed => "failed",
            Exit::Undone => "undone",
            Exit::NeedsAttention => "needs-attention",
            Exit::Stopped => "stopped",
            Exit::Mismatch => "mismatch",
            Exit::StalePlan => "stale-plan",
            Exit::NotReady => "not-ready",
            Exit::NotApplicable => "not-applicable",
            Exit::Usage => "usage",
            Exit::Invalid => "invalid",
            Exit::NoInput => "no-input",
            Exit::Io => "io",
            Exit::Locked => "locked",
            Exit::Interrupted => "interrupted",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

impl From<ReasonKind> for Exit {
    fn from(kind: ReasonKind) -> Self {
        match kind {
            ReasonKind::Invalid => Exit::Invalid,
            ReasonKind::NotApplicable => Exit::NotApplicable,
            ReasonKind::Stale => Exit::StalePlan,
            ReasonKind::NotReady => Exit::NotReady,
            ReasonKind::Mismatch => Exit::Mismatch,
        }
    }
}

/// Why a command failed: what is wrong, what is true now, and what to type next.
#[derive(Debug)]
pub(super) struct Failure {
    /// For the shell.
    pub(super) exit: Exit,
    /// What is wrong; several where there are several reasons.
    pub(super) reasons: Vec<String>,
    /// Whether something was changed before it failed.
    pub(super) changed: bool,
    /// What is true now.
    pub(super) now: Option<String>,
    /// What to do or to type next.
    pub(super) next: Vec<String>,
}

impl Failure {
    /// A failure with one reason.
    pub(super) fn new(exit: Exit, reason: impl fmt::Display) -> Self {
        Self { exit, reasons: vec![reason.to_string()], changed: false, now: None, next: Vec::new() }
    }

    /// A failure whose reason is an error with its causes.
    pub(super) fn caused(exit: Exit, error: &dyn std::error::Error) -> Self {
        Self::new(exit, chain(error))
    }

    /// Says what is true now.
    pub(super) fn now(mut self, now: impl Into<String>) -> Self {
        self.now = Some(now.into());
        self
    }

    /// As a document, for programs.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "schema": 1, "outcome": self.exit.name(), "exit_code": self.exit as u8, "changed": self.changed,
            "reasons": self.reasons, "now": self.now, "next": self.next })
    }

    /// Says what to type next.
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}

/// An error and its causes, in one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
