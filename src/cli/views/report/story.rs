//! A run in words, from its account.

use super::chapter::Chapter;
use super::words::{Tone, shown, time, took};
use crate::cli::next::Next;
use crate::deployment::tree::Tree;
use crate::events::{self, About, Account, Passage};
use crate::journal::{Direction, Outcome, RunState};
use crate::names::Escaped;
use crate::run::describe_run_state;

/// Report in words.
pub(super) struct Story {
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
    pub(super) chapters: Vec<Chapter>,
    pub(super) commands: Vec<Command>,
    pub(super) missing: Vec<String>,
}

/// Command that worked on the run.
pub(super) struct Command {
    pub(super) name: String,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) took: String,
    /// Exit code and its name, or a note that none was recorded.
    pub(super) ended: String,
    pub(super) is_over: bool,
    pub(super) reasons: Vec<String>,
}

impl Story {
    pub(super) fn of(tree: &Tree, account: &Account, at_work: Option<String>) -> Self {
        let at_rest = matches!(account.state, RunState::Closed(_));
        let mut missing: Vec<String> = account.missing.iter().map(|text| shown(text)).collect();
        missing.extend(without_end(account, at_work.is_some()));
        if account.passages.iter().any(is_by_wall_clock) {
            missing.push("times that span several commands are by the wall clock".to_owned());
        }
        let chapters = account.passages.iter().enumerate().rev();
        Self {
            title: title(account),
            state: describe_run_state(account.state).to_owned(),
            tone: match account.state {
                RunState::Closed(Outcome::Applied) => Tone::Good,
                RunState::Closed(Outcome::Undone | Outcome::Accepted) | RunState::Staged => {
                    Tone::Warn
                }
                RunState::Staging | RunState::Unfinished(_) => Tone::Bad,
            },
            head: head(tree, account),
            events: events::path_of(&account.run)
                .map(|at| tree.shown(Some(&at)))
                .unwrap_or_default(),
            next: if at_rest {
                Vec::new()
            } else {
                next(tree, account.state, at_work.as_deref())
            },
            chapters: chapters
                .map(|(at, passage)| Chapter::of(account, at, passage))
                .collect(),
            commands: account
                .commands
                .iter()
                .enumerate()
                .map(|(at, one)| {
                    command(one, at_work.is_some() && at + 1 == account.commands.len())
                })
                .collect(),
            missing,
        }
    }
}

fn title(account: &Account) -> String {
    match &account.about {
        Some(About::Rollup {
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
        Some(About::Accept { reason }) => format!("accept what lay on disk: {}", Escaped(reason)),
        None => format!("run {}", Escaped(&account.run)),
    }
}

fn head(tree: &Tree, account: &Account) -> Vec<(&'static str, String)> {
    let mut head = Vec::new();
    let exit = account.exit_code.map(|code| match &account.exit {
        Some(name) => format!("; exit code {code}, {}", Escaped(name)),
        None => format!("; exit code {code}"),
    });
    head.push((
        "run",
        format!(
            "{}: {}{}",
            Escaped(&account.run),
            describe_run_state(account.state),
            exit.unwrap_or_default()
        ),
    ));
    let directory = shown(&tree.path().display().to_string());
    head.push((
        "deployment",
        match &account.deployment {
            Some(name) => format!("{} in {directory}", Escaped(name)),
            None => directory,
        },
    ));
    let by = account.user.as_ref().map(|user| match &account.host {
        Some(host) => format!(" by {} on {}", Escaped(user), Escaped(host)),
        None => format!(" by {}", Escaped(user)),
    });
    if let Some(at) = &account.opened {
        head.push(("opened", format!("{}{}", time(at), by.unwrap_or_default())));
    }
    if let Some(at) = &account.closed {
        head.push(("closed", time(at)));
    }
    head.extend(account.plan.map(|plan| ("plan", plan.to_string())));
    head.extend(
        account
            .expected
            .map(|expected| ("expected", expected.to_string())),
    );
    head
}

/// Describes commands whose last lines are missing.
fn without_end(account: &Account, at_work: bool) -> Vec<String> {
    let last = account.commands.len().saturating_sub(1);
    let without = account
        .commands
        .iter()
        .enumerate()
        .filter(|(_, command)| command.exit_code.is_none());
    let told = without
        .filter(|(at, _)| *at < last || !at_work)
        .map(|(_, command)| {
            let name = command.command.as_deref().unwrap_or("a command");
            format!(
                "`{}` of {} told no end: it died there, or its last lines are lost",
                Escaped(name),
                time(&command.at)
            )
        });
    told.collect()
}

fn next(tree: &Tree, state: RunState, at_work: Option<&str>) -> Vec<String> {
    if let Some(holder) = at_work {
        return vec![format!(
            "{} is changing the deployment at this moment: this is how far it told",
            shown(holder)
        )];
    }
    let next = Next(tree.path());
    let (resume, undo) = (next.resume(), next.undo());
    match state {
        RunState::Closed(_) => Vec::new(),
        RunState::Staging => vec![format!(
            "it died while staging; nothing has changed, and `{undo}` clears it away"
        )],
        RunState::Staged => vec![format!(
            "it waits; `{resume}` commits it, `{undo}` throws it away"
        )],
        RunState::Unfinished(Direction::Forward) => {
            vec![format!(
                "it is not over: `{resume}` takes it to its end, `{undo}` takes it back"
            )]
        }
        RunState::Unfinished(Direction::Back) => {
            vec![format!(
                "it is not over: `{undo}` takes it back, `{resume}` takes it to its end"
            )]
        }
    }
}

fn is_by_wall_clock(passage: &Passage) -> bool {
    passage.span.by_wall_clock && !passage.partial
}

fn command(session: &events::Session, at_work: bool) -> Command {
    let by = match (&session.user, &session.host) {
        (Some(user), Some(host)) => format!("{} on {}", Escaped(user), Escaped(host)),
        _ => String::new(),
    };
    let ended = match (session.exit_code, &session.exit) {
        (Some(code), Some(name)) => format!("{code}, {}", Escaped(name)),
        (Some(code), None) => code.to_string(),
        (None, _) if at_work => "still at work".to_owned(),
        (None, _) => "no end told".to_owned(),
    };
    let at_least = if session.exit_code.is_none() {
        "at least "
    } else {
        ""
    };
    Command {
        name: session
            .command
            .as_deref()
            .map_or("not known".to_owned(), shown),
        at: time(&session.at),
        by,
        took: format!("{at_least}{}", took(session.span.us())),
        ended,
        is_over: session.exit_code.is_some(),
        reasons: session.reasons.iter().map(|reason| shown(reason)).collect(),
    }
}
