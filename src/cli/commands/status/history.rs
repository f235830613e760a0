//! History of an open run: who began it, when, and why it stopped.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::run_summary::summary_of;
use crate::cli::terminal::out::preceded;
use crate::cli::views::report::{format_time, unavailable_since};
use crate::deployment::tree::Tree;
use crate::events::{RunSummary, Session};
use crate::journal::{Record, Run, RunSignatures};

/// Beginning of an open run, and the end of the last command that worked on it.
#[derive(Serialize, JsonSchema)]
pub(super) struct RunHistory {
    /// Time at which the run was opened, UTC.
    pub(super) began_at: Option<String>,
    /// User who began it.
    pub(super) began_by: Option<String>,
    /// Machine on which it was begun.
    pub(super) began_on: Option<String>,
    /// Signatures that it was begun with, if there are any.
    #[serde(skip_serializing_if = "RunSignatures::is_empty")]
    pub(super) signatures: RunSignatures,
    /// Reason why the last command stopped, in words; unknown while a process works.
    pub(super) stopped: Option<String>,
    /// Time since which something is unavailable, UTC.
    pub(super) unavailable_since: Option<String>,
}

impl RunHistory {
    pub(super) fn read(tree: &Tree, run: &Run, has_writer: bool) -> Self {
        let (summary, _) = summary_of(tree, run);
        let opened = run.journal.opened();
        let stopped = summary.commands.last().filter(|_| !has_writer);
        Self {
            began_at: run
                .journal
                .entries
                .first()
                .map(|entry| format_time(&entry.at)),
            began_by: opened.map(|opened| opened.user.clone()),
            began_on: opened.map(|opened| opened.host.clone()),
            signatures: opened
                .map(|opened| opened.signatures.clone())
                .unwrap_or_default(),
            stopped: stopped.and_then(describe_end),
            unavailable_since: since(&summary, run),
        }
    }
}

/// Returns the beginning of the outage: by the events, or at the earliest when the walk began.
fn since(summary: &RunSummary, run: &Run) -> Option<String> {
    if let Some(since) = summary.attempts.last().and_then(unavailable_since) {
        return Some(since);
    }
    let mut entries = run.journal.entries.iter().rev();
    let begun = entries.find(|entry| {
        matches!(
            entry.record,
            Record::Committing { .. } | Record::Reopened { .. }
        )
    });
    begun.map(|entry| format_time(&entry.at))
}

/// Describes the end of a command; `None` if it ended well.
fn describe_end(session: &Session) -> Option<String> {
    let command = match &session.command {
        Some(command) if !command.is_empty() => format!("`{command}`"),
        _ => "its last command".to_owned(),
    };
    let by = preceded(" by ", session.user.as_deref());
    Some(match session.exit_code {
        // The command did what it was to do, and left the run open.
        Some(0) => return None,
        None => format!(
            "{command}{by} of {} recorded no end: it was killed, or the computer stopped",
            format_time(&session.at)
        ),
        Some(code) if session.reasons.is_empty() => format!("{command}{by} ended with {code}"),
        Some(code) => format!(
            "{command}{by} stopped {} (exit code {code})",
            describe_reasons(&session.reasons)
        ),
    })
}

/// Joins reasons; those that begin with a preposition continue the sentence.
fn describe_reasons(reasons: &[String]) -> String {
    let reasons = reasons.join("; ");
    let continues = ["before ", "by "]
        .iter()
        .any(|word| reasons.starts_with(word));
    if continues {
        reasons
    } else {
        format!("because of this: {reasons}")
    }
}
