//! The exit codes, and the report of a failing command.

use std::fmt;
use std::process::ExitCode;

use crate::names::error_chain;
use crate::plan::ReasonKind;

/// Outcome of a command, for the shell. No code ever changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done, or nothing to do.
    Ok = 0,
    /// Any failure that is not below: treat it as a defect.
    Failed = 1,
    /// Something to do, or a difference; only with `--detailed-exitcode`.
    Changes = 2,
    /// Commit that had begun, failed and was rolled back.
    Undone = 10,
    /// Deployment that is between states and could not be rolled back.
    NeedsAttention = 11,
    /// Run that this command leaves open.
    Stopped = 12,
    /// Files do not match their table, pin or record.
    Mismatch = 13,
    /// Plan that no longer matches the deployment.
    StalePlan = 14,
    /// A prerequisite or readiness check that failed, or a conflict with an open run.
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
    /// Another process that holds the lock.
    Locked = 75,
    /// Stopped by the operator, with no run open.
    Interrupted = 130,
}

impl Exit {
    /// Every code, ascending.
    pub(super) const ALL: [Exit; 16] = [
        Exit::Ok,
        Exit::Failed,
        Exit::Changes,
        Exit::Undone,
        Exit::NeedsAttention,
        Exit::Stopped,
        Exit::Mismatch,
        Exit::StalePlan,
        Exit::NotReady,
        Exit::NotApplicable,
        Exit::Usage,
        Exit::Invalid,
        Exit::NoInput,
        Exit::Io,
        Exit::Locked,
        Exit::Interrupted,
    ];

    /// Returns its meaning, in a few words.
    pub(super) fn meaning(self) -> &'static str {
        match self {
            Exit::Ok => "done, or nothing to do",
            Exit::Failed => "a failure that has no code of its own",
            Exit::Changes => "there is something to do, or a difference",
            Exit::Undone => "a begun commit failed and was put back",
            Exit::NeedsAttention => "the deployment is between states and could not be put back",
            Exit::Stopped => "this command leaves a run open",
            Exit::Mismatch => "files do not match their table, pin or record",
            Exit::StalePlan => "the plan no longer fits",
            Exit::NotReady => {
                "a prerequisite or readiness check failed, or an open run is in the way"
            }
            Exit::NotApplicable => "superseded, or for another product or version",
            Exit::Usage => "bad arguments",
            Exit::Invalid => "a manifest, deployment, plan or journal is not valid",
            Exit::NoInput => "a path typed on the command line does not exist",
            Exit::Io => "input or output failed, and nothing was begun",
            Exit::Locked => "another process is at work",
            Exit::Interrupted => "stopped by a signal",
        }
    }

    /// Explains what is true after it, and what to do.
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Exit::Ok => {
                "The command did all that it was asked for, or there was nothing to do and it says so. Warnings and\n\
                 notes of `rollup validate` end with it too."
            }
            Exit::Failed => {
                "Nothing that the other codes name. Treat it as a defect of rollup. `rollup status` tells what is true of\n\
                 the deployment."
            }
            Exit::Changes => {
                "Only with `--detailed-exitcode`: the plan has something to do, or the two manifests of `rollup diff`\n\
                 differ. Without that option both end with 0, and with it 0 says that there is nothing to do, or no\n\
                 difference."
            }
            Exit::Undone => {
                "An operation failed after the commit had begun, and everything was put back: the deployment is as it\n\
                 was before. The message names the operation. Mend its cause and apply again."
            }
            Exit::NeedsAttention => {
                "The run could neither go on nor be put back, or something stands in its way that rollup must not\n\
                 decide about. Nothing is lost: old and new objects lie in the run's slots. `rollup status` names what is\n\
                 in the way and the command that goes on when it is mended."
            }
            Exit::Stopped => {
                "The run was left open on purpose: by a signal, at a manual step, by `--stop-before` or by\n\
                 `--on-failure stop`. `rollup resume` goes on, `rollup undo` takes it back, `rollup status` tells both."
            }
            Exit::Mismatch => {
                "A file of the payload is not what the file table or its pin says, or something in the deployment is\n\
                 not what its record says. Before a commit nothing was changed. `rollup verify` lists the drift of a\n\
                 deployment; `rollup validate MANIFEST -p PAYLOAD` compares a payload."
            }
            Exit::StalePlan => {
                "Something that the plan touches has moved since it was made; the message names it. Nothing was\n\
                 changed. Plan again, look at what is different, and apply that."
            }
            Exit::NotReady => {
                "The deployment is not as the rollup needs it: a prerequisite, a requirement, a parameter, space on the\n\
                 disk; or an open run has to be finished or undone first. All reasons are told at once. Nothing was\n\
                 changed."
            }
            Exit::NotApplicable => {
                "The rollup is for another product or version, or a rollup in force replaces it. Nothing was changed,\n\
                 and nothing that can be mended would make it fit."
            }
            Exit::Usage => {
                "An option or argument is missing, unknown or makes no sense with the others. Nothing was changed.\n\
                 `rollup COMMAND --help` tells what there is."
            }
            Exit::Invalid => {
                "A document has errors, each told at its place. Nothing was changed. Mend them and run\n\
                 `rollup validate` on the file."
            }
            Exit::NoInput => "Nothing was changed. Compare the path with what is on the disk.",
            Exit::Io => {
                "The system refused to read or write; the message has its words. Nothing of the deployment was changed."
            }
            Exit::Locked => {
                "One process at a time may change a deployment; the message names the other one. Wait, or let\n\
                 `--lock-timeout SECONDS` wait. A process that died holds no lock."
            }
            Exit::Interrupted => {
                "A signal ended the command before anything was begun; or a second one ended a run at once, and then\n\
                 `rollup status` tells how to go on."
            }
        }
    }

    /// Returns its name, as documents and the manual spell it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Exit::Ok => "ok",
            Exit::Failed => "failed",
            Exit::Changes => "changes",
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

/// Description of a failed command: what is wrong, what is true now, and what to type next.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    /// Errors of a document, each shown at its place; printed before everything else.
    pub(super) findings: Option<String>,
    /// Reasons of the failure, each printed as an `error:` or `stopped:` line.
    pub(super) reasons: Vec<String>,
    /// True if the command changed something before it failed.
    pub(super) changed: bool,
    /// Current state, printed as the `now:` line.
    pub(super) now: Option<String>,
    /// Actions or commands to take next, each printed as a `next:` line.
    pub(super) next: Vec<String>,
}

impl Failure {
    /// Returns a failure with one reason.
    pub(super) fn new(exit: Exit, reason: impl fmt::Display) -> Self {
        Self {
            exit,
            findings: None,
            reasons: vec![reason.to_string()],
            changed: false,
            now: None,
            next: Vec::new(),
        }
    }

    /// Returns a failure whose reason is an error with its causes.
    pub(super) fn caused(exit: Exit, error: &dyn std::error::Error) -> Self {
        Self::new(exit, error_chain(error))
    }

    /// Sets the `now:` line.
    pub(super) fn now(mut self, now: impl Into<String>) -> Self {
        self.now = Some(now.into());
        self
    }

    /// Returns the failure as a JSON document, for programs.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "schema": 1, "outcome": self.exit.name(), "exit_code": self.exit as u8, "changed": self.changed,
            "reasons": self.reasons, "now": self.now, "next": self.next })
    }

    /// Adds a `next:` line.
    pub(super) fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }
}
