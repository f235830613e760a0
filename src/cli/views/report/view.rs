//! View of a run in words, from its summary.

use super::attempt::AttemptView;
use super::words::{Tone, escaped, format_duration, format_time};
use crate::cli::next::NextCommands;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::Tree;
use crate::events::{self, Attempt, EventSubject, RunSummary};
use crate::journal::{Direction, Outcome, RunState};
use crate::names::Escaped;
use crate::run::describe_run_state;

/// Report on a run in words.
pub(super) struct ReportView {
    pub(super) title: String,
    /// State of the run, in a word or two.
    pub(super) state: String,
    pub(super) tone: Tone,
    /// Facts about the run: name and value.
    pub(super) head: Vec<(&'static str, String)>,
    /// Path of the events.
    pub(super) events: String,
    /// Actions that are required if the run is not finished.
    pub(super) next: Vec<String>,
    /// Attempts, the newest first.
    pub(super) attempts: Vec<AttemptView>,
    pub(super) commands: Vec<CommandView>,
    pub(super) missing: Vec<String>,
}

/// Command that worked on the run.
pub(super) struct CommandView {
    pub(super) name: String,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) took: String,
    /// Exit code and its name, or a note that none was recorded.
    pub(super) ended: String,
    pub(super) is_over: bool,
    pub(super) reasons: Vec<String>,
}

impl ReportView {
    pub(super) fn of(tree: &Tree, summary: &RunSummary, writer: Option<String>) -> Self {
        let is_closed = matches!(summary.state, RunState::Closed(_));
        let mut missing: Vec<String> = summary.missing.iter().map(|text| escaped(text)).collect();
        missing.extend(without_end(summary, writer.is_some()));
        if summary.attempts.iter().any(is_by_wall_clock) {
            missing.push("times that span several commands are by the wall clock".to_owned());
        }
        let attempts = summary.attempts.iter().enumerate().rev();
        Self {
            title: title(summary),
            state: describe_run_state(summary.state).to_owned(),
            tone: match summary.state {
                RunState::Closed(Outcome::Applied) => Tone::Good,
                RunState::Closed(Outcome::Undone | Outcome::Accepted) | RunState::Staged => {
                    Tone::Warn
                }
                RunState::Staging | RunState::Unfinished(_) => Tone::Bad,
            },
            head: head(tree, summary),
            events: tree.shown(Some(&ROLLUP_DIR.run(&summary.run).events())),
            next: if is_closed {
                Vec::new()
            } else {
                next(tree, summary.state, writer.as_deref())
            },
            attempts: attempts
                .map(|(at, attempt)| AttemptView::of(summary, at, attempt))
                .collect(),
            commands: summary
                .commands
                .iter()
                .enumerate()
                .map(|(at, one)| command(one, writer.is_some() && at + 1 == summary.commands.len()))
                .collect(),
            missing,
        }
    }
}

fn title(summary: &RunSummary) -> String {
    match &summary.subject {
        Some(EventSubject::Rollup {
            kb,
            revision,
            title,
        }) => {
            format!(
                "{} revision {}: {}",
                Escaped(kb),
                Escaped(revision),
                Escaped(title)
            )
        }
        Some(EventSubject::Accept { reason }) => format!("accept drift: {}", Escaped(reason)),
        None => format!("run {}", Escaped(&summary.run)),
    }
}

fn head(tree: &Tree, summary: &RunSummary) -> Vec<(&'static str, String)> {
    let mut head = Vec::new();
    let exit = summary.exit_code.map(|code| match &summary.exit {
        Some(name) => format!("; exit code {code}, {}", Escaped(name)),
        None => format!("; exit code {code}"),
    });
    head.push((
        "run",
        format!(
            "{}: {}{}",
            Escaped(&summary.run),
            describe_run_state(summary.state),
            exit.unwrap_or_default()
        ),
    ));
    let directory = escaped(&tree.path().display().to_string());
    head.push((
        "deployment",
        match &summary.deployment {
            Some(name) => format!("{} in {directory}", Escaped(name)),
            None => directory,
        },
    ));
    let by = summary.user.as_ref().map(|user| match &summary.host {
        Some(host) => format!(" by {} on {}", Escaped(user), Escaped(host)),
        None => format!(" by {}", Escaped(user)),
    });
    if let Some(at) = &summary.opened {
        head.push((
            "opened",
            format!("{}{}", format_time(at), by.unwrap_or_default()),
        ));
    }
    if let Some(at) = &summary.closed {
        head.push(("closed", format_time(at)));
    }
    head.extend(summary.scope.iter().map(|line| ("scope", escaped(line))));
    head.extend(summary.undo.as_ref().map(|undo| {
        let command = NextCommands(tree.path()).undo_named(&summary.run);
        let answer = match undo.possible {
            true => format!("possible: `{command}`"),
            false => format!("not possible: {}", Escaped(&undo.why_not())),
        };
        ("undo", answer)
    }));
    head.extend(summary.plan.map(|plan| ("plan", plan.to_string())));
    head.extend(
        summary
            .expected
            .map(|expected| ("expected", expected.to_string())),
    );
    head
}

/// Describes commands whose last lines are missing.
fn without_end(summary: &RunSummary, is_running: bool) -> Vec<String> {
    let last = summary.commands.len().saturating_sub(1);
    let without = summary
        .commands
        .iter()
        .enumerate()
        .filter(|(_, command)| command.exit_code.is_none());
    let lines = without
        .filter(|(at, _)| *at < last || !is_running)
        .map(|(_, command)| {
            let name = command.command.as_deref().unwrap_or("a command");
            format!(
                "`{}` of {} has no recorded end: it died, or its last events are lost",
                Escaped(name),
                format_time(&command.at)
            )
        });
    lines.collect()
}

fn next(tree: &Tree, state: RunState, writer: Option<&str>) -> Vec<String> {
    if let Some(writer) = writer {
        return vec![format!(
            "{} is changing the deployment at this moment: the report ends at its last event",
            escaped(writer)
        )];
    }
    let next = NextCommands(tree.path());
    let (resume, undo) = (next.resume(), next.undo());
    match state {
        RunState::Closed(_) => Vec::new(),
        RunState::Staging => vec![format!(
            "it died while staging, and nothing has changed: `{undo}` removes the staged files"
        )],
        RunState::Staged => vec![format!(
            "`{resume}` commits the staged run, `{undo}` discards it"
        )],
        RunState::Unfinished(Direction::Forward) => {
            vec![format!(
                "`{resume}` finishes the run, `{undo}` rolls it back"
            )]
        }
        RunState::Unfinished(Direction::Back) => {
            vec![format!(
                "`{undo}` rolls the run back, `{resume}` finishes it"
            )]
        }
    }
}

fn is_by_wall_clock(attempt: &Attempt) -> bool {
    attempt.span.by_wall_clock && !attempt.partial
}

fn command(session: &events::Session, is_running: bool) -> CommandView {
    let by = match (&session.user, &session.host) {
        (Some(user), Some(host)) => format!("{} on {}", Escaped(user), Escaped(host)),
        _ => String::new(),
    };
    let ended = match (session.exit_code, &session.exit) {
        (Some(code), Some(name)) => format!("{code}, {}", Escaped(name)),
        (Some(code), None) => code.to_string(),
        (None, _) if is_running => "still running".to_owned(),
        (None, _) => "no end recorded".to_owned(),
    };
    let at_least = if session.exit_code.is_none() {
        "at least "
    } else {
        ""
    };
    CommandView {
        name: session
            .command
            .as_deref()
            .map_or("unknown".to_owned(), escaped),
        at: format_time(&session.at),
        by,
        took: format!("{at_least}{}", format_duration(session.span.us())),
        ended,
        is_over: session.exit_code.is_some(),
        reasons: session
            .reasons
            .iter()
            .map(|reason| escaped(reason))
            .collect(),
    }
}
