//! The exit codes.

use std::process::ExitCode;

use crate::plan::ReasonKind;

/// Exit code of a command. No code ever changes its meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Exit {
    /// Done, or nothing to do.
    Ok = 0,
    /// Any failure that is not below: treat it as a defect.
    Failed = 1,
    /// Something to do, or a difference; only with `--detailed-exitcode`.
    Changes = 2,
    /// Commit that failed and was rolled back.
    RolledBack = 10,
    /// Deployment that is between states and could not be rolled back.
    NeedsAttention = 11,
    /// Run that this command leaves open.
    Stopped = 12,
    /// Files that do not match their table, pin or record.
    Mismatch = 13,
    /// Plan that no longer matches the deployment.
    StalePlan = 14,
    /// Prerequisite or readiness check that failed, or a conflict with an open run.
    NotReady = 15,
    /// Rollup that is superseded, or for another product or version.
    NotApplicable = 16,
    /// Bad arguments.
    Usage = 64,
    /// Manifest, deployment, plan or journal that is not valid.
    Invalid = 65,
    /// Path of the command line that does not exist.
    NoInput = 66,
    /// Input or output that failed before anything was begun.
    Io = 74,
    /// Another process that holds the lock.
    Locked = 75,
    /// Stopped by the operator, with no run open.
    Interrupted = 130,
}

impl Exit {
    /// All codes, ascending.
    pub(super) const ALL: [Exit; 16] = [
        Exit::Ok,
        Exit::Failed,
        Exit::Changes,
        Exit::RolledBack,
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

    /// Returns the name of the code, as documents and the manual spell it.
    pub(super) fn name(self) -> &'static str {
        self.facts().0
    }

    /// Returns the meaning of the code, in a few words.
    pub(super) fn meaning(self) -> &'static str {
        self.facts().1
    }

    /// Explains the state that the code leaves, and the next action.
    pub(super) fn explanation(self) -> &'static str {
        self.facts().2
    }

    /// Returns the name, the meaning and the explanation.
    fn facts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Exit::Ok => (
                "ok",
                "done, or nothing to do",
                "The command did everything, or reported that there was nothing to do.\n\
                 `rollup validate` ends with it, too, if it found only warnings and notes.",
            ),
            Exit::Failed => (
                "failed",
                "a failure that has no code of its own",
                "A failure that no other code covers. Treat it as a defect of rollup.\n\
                 `rollup status` shows the state of the deployment.",
            ),
            Exit::Changes => (
                "changes",
                "there is something to do, or a difference",
                "Only with `--detailed-exitcode`: the plan has something to do, or the two\n\
                 manifests of `rollup diff` differ. Without that option both end with 0; with\n\
                 it, 0 means that there is nothing to do, or no difference.",
            ),
            Exit::RolledBack => (
                "rolled-back",
                "a begun commit failed and was rolled back",
                "An operation failed after the commit had begun, and everything was rolled\n\
                 back: the deployment is as it was before. The message names the operation. Fix\n\
                 its cause and apply again.",
            ),
            Exit::NeedsAttention => (
                "needs-attention",
                "the deployment is between states and could not be rolled back",
                "The run could be neither finished nor rolled back, or it met a conflict that\n\
                 rollup must not decide. Nothing is lost: the old and the new objects are in\n\
                 the run's directory. `rollup status` names the conflict, and the command to\n\
                 type once it is fixed.",
            ),
            Exit::Stopped => (
                "stopped",
                "this command leaves a run open",
                "The run was left open on purpose: by a signal, at a manual step, by\n\
                 `--stop-before` or by `--on-failure stop`. `rollup resume` finishes it,\n\
                 `rollup undo` rolls it back, and `rollup status` shows both commands.",
            ),
            Exit::Mismatch => (
                "mismatch",
                "files do not match their table, pin or record",
                "A file of the payload does not match the file table or its pin, or something\n\
                 in the deployment does not match its record. Before a commit nothing was\n\
                 changed. `rollup verify` lists the drift of a deployment;\n\
                 `rollup validate MANIFEST -p PAYLOAD` compares a payload.",
            ),
            Exit::StalePlan => (
                "stale-plan",
                "the plan or the staged run is stale",
                "Something that the plan touches has changed since the plan was made; the\n\
                 message names it. Nothing was changed. Plan again, review the differences, and\n\
                 apply the new plan.",
            ),
            Exit::NotReady => (
                "not-ready",
                "a prerequisite or readiness check failed, or an open run is in the way",
                "The rollup needs something that is missing: a prerequisite, a required rollup,\n\
                 a parameter, space on the disk. Or an open run must be finished or rolled back\n\
                 first. All reasons are reported at once. Nothing was changed.",
            ),
            Exit::NotApplicable => (
                "not-applicable",
                "superseded, or for another product or version",
                "The rollup is for another product or version, or an applied rollup replaces\n\
                 it. Nothing was changed, and there is nothing to fix.",
            ),
            Exit::Usage => (
                "usage",
                "bad arguments",
                "An option or argument is missing, unknown or in conflict with another one.\n\
                 Nothing was changed. `rollup COMMAND --help` lists them.",
            ),
            Exit::Invalid => (
                "invalid",
                "a manifest, deployment, plan or journal is not valid",
                "A document has errors, each reported with its line. Nothing was changed. Fix\n\
                 them, then run `rollup validate` on the file.",
            ),
            Exit::NoInput => (
                "no-input",
                "a path typed on the command line does not exist",
                "Nothing was changed. Check the spelling of the path.",
            ),
            Exit::Io => (
                "io",
                "input or output failed, and nothing was begun",
                "The system refused to read or write; the message quotes its error. Nothing of\n\
                 the deployment was changed.",
            ),
            Exit::Locked => (
                "locked",
                "another process is at work",
                "Only one process at a time may change a deployment; the message names the\n\
                 other one. Wait for it, or pass `--lock-timeout SECONDS`. A process that died\n\
                 holds no lock.",
            ),
            Exit::Interrupted => (
                "interrupted",
                "stopped by a signal",
                "A signal ended the command before anything was begun; or a second signal ended\n\
                 a run at once, and then `rollup status` shows how to continue.",
            ),
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
