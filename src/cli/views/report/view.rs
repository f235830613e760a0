//! View of a run in words, from its summary: the one content of every form of the report.

use std::collections::BTreeMap;

use super::attempt::AttemptView;
use super::verdict::{operations_done, unavailable, verdict};
use super::words::{at_least, format_duration, format_time};
use crate::cli::advice::command_for;
use crate::cli::terminal::out::{number, size};
use crate::cli::views::plan::{ChangeRow, changes, planned_unavailable};
use crate::cli::views::signatures::describe_signatures;
use crate::cli::views::steps::ways_to_end;
use crate::cli::views::verdict::Verdict;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::deployment::tree::Tree;
use crate::events::{Attempt, EventSubject, RunSummary, Session};
use crate::journal::{Direction, Outcome, RunState};
use crate::plan::Plan;
use crate::run::describe_run_state;

/// Report on a run in words. Its texts are not escaped yet.
pub(super) struct ReportView {
    pub(super) title: String,
    pub(super) run: String,
    /// State of the run, in a word or two.
    pub(super) state: &'static str,
    pub(super) verdict: Verdict,
    /// True if what was done is rolled back.
    pub(super) is_undone: bool,
    /// Exit code of the last command, after the state.
    pub(super) exit: String,
    /// Facts about the run: name and value.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Path of the events.
    pub(super) events: String,
    /// Actions that are required if the run is not finished.
    pub(super) next: Vec<String>,
    /// Time at which an unfinished run is reported.
    pub(super) written: Option<String>,
    /// Changes of the plan, if it is readable.
    pub(super) changes: Vec<ChangeRow>,
    pub(super) planned: Vec<PlannedRow>,
    /// Prerequisites that a person confirmed.
    pub(super) confirmed: Vec<String>,
    /// Attempts, the newest first.
    pub(super) attempts: Vec<AttemptView>,
    pub(super) commands: Vec<CommandView>,
    pub(super) missing: Vec<String>,
}

/// Part of the plan, with what became of it in the first attempt.
pub(super) struct PlannedRow {
    pub(super) what: &'static str,
    pub(super) planned: String,
    pub(super) actual: String,
}

/// Command that worked on the run.
pub(super) struct CommandView {
    pub(super) name: String,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) took: String,
    /// Exit code and its name, or a note that none was recorded.
    pub(super) ended: String,
    pub(super) reasons: Vec<String>,
}

impl ReportView {
    pub(super) fn of(
        tree: &Tree,
        summary: &RunSummary,
        plan: Option<&Plan>,
        writer: Option<&str>,
    ) -> Self {
        let attempts = (0..summary.attempts.len()).rev();
        let commands = summary.commands.iter().enumerate();
        let is_running = |at: usize| writer.is_some() && at + 1 == summary.commands.len();
        Self {
            title: title(summary),
            run: summary.run.clone(),
            state: describe_run_state(summary.state),
            verdict: verdict(tree, summary, plan, writer),
            is_undone: summary.state == RunState::Closed(Outcome::Undone),
            exit: exit(summary.exit_code, summary.exit.as_deref())
                .map(|exit| format!("; exit code {exit}"))
                .unwrap_or_default(),
            facts: facts(tree, summary),
            events: tree.shown(Some(&ROLLUP_DIR.run(&summary.run).events())),
            next: next(tree, summary.state, writer),
            written: (!matches!(summary.state, RunState::Closed(_)))
                .then(|| format_time(&jiff::Timestamp::now().to_string())),
            changes: plan.map(changes).unwrap_or_default(),
            planned: planned(summary, plan),
            confirmed: confirmed(summary, plan),
            attempts: attempts.map(|at| AttemptView::of(summary, at)).collect(),
            commands: commands
                .map(|(at, command)| CommandView::of(command, is_running(at)))
                .collect(),
            missing: missing(summary, is_running),
        }
    }
}

impl CommandView {
    fn of(session: &Session, is_running: bool) -> Self {
        let by = match (&session.user, &session.host) {
            (Some(user), Some(host)) => format!("{user} on {host}"),
            _ => String::new(),
        };
        let took = format_duration(session.span.us());
        let (took, ended) = match exit(session.exit_code, session.exit.as_deref()) {
            Some(exit) => (took, format!("exit {exit}")),
            None if is_running => (format!("at least {took}"), "still running".to_owned()),
            None => (format!("at least {took}"), "no end recorded".to_owned()),
        };
        Self {
            name: session.command.as_deref().unwrap_or("unknown").to_owned(),
            at: format_time(&session.at),
            by,
            took,
            ended,
            reasons: session.reasons.clone(),
        }
    }
}

fn title(summary: &RunSummary) -> String {
    match &summary.subject {
        Some(EventSubject::Rollup {
            kb,
            revision,
            title,
        }) => format!("{kb} revision {revision}: {title}"),
        Some(EventSubject::Accept { reason }) => format!("accept drift: {reason}"),
        None => format!("run {}", summary.run),
    }
}

/// Formats an exit code with its name.
fn exit(code: Option<u8>, name: Option<&str>) -> Option<String> {
    let code = code?;
    Some(match name {
        Some(name) => format!("{code}, {name}"),
        None => code.to_string(),
    })
}

fn facts(tree: &Tree, summary: &RunSummary) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    let directory = tree.path().display().to_string();
    let deployment = match &summary.deployment {
        Some(name) => format!("{name} in {directory}"),
        None => directory,
    };
    facts.push(("deployment", deployment));
    if let Some(at) = &summary.opened {
        let by = match (&summary.user, &summary.host) {
            (Some(user), Some(host)) => format!(" by {user} on {host}"),
            _ => String::new(),
        };
        facts.push(("opened", format!("{}{by}", format_time(at))));
    }
    if let Some(at) = &summary.closed {
        facts.push(("closed", format_time(at)));
    }
    for signed in describe_signatures(&summary.signatures) {
        facts.push(("signed", signed));
    }
    for effect in &summary.effects {
        facts.push(("article", effect.clone()));
    }
    for line in &summary.scope {
        facts.push(("scope", line.clone()));
    }
    if let Some(plan) = summary.plan {
        facts.push(("plan", plan.to_string()));
    }
    if let Some(expected) = summary.expected {
        facts.push(("expected", expected.to_string()));
    }
    facts
}

/// Compares the plan with the first attempt to apply it.
fn planned(summary: &RunSummary, plan: Option<&Plan>) -> Vec<PlannedRow> {
    let Some(attempt) = summary.attempts.first() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    let mut row = |what, planned: String, actual: String| {
        rows.push(PlannedRow {
            what,
            planned,
            actual,
        });
    };
    let steps = attempt.steps.iter();
    let done: BTreeMap<&str, u64> = steps
        .filter(|step| step.direction == Direction::Forward)
        .filter_map(|step| Some((step.id.as_deref()?, step.operations)))
        .collect();
    let complete = summary
        .steps
        .iter()
        .filter(|step| done.get(&*step.id) >= Some(&step.operations));
    let (steps, complete) = (summary.steps.len() as u64, complete.count() as u64);
    row("steps", number(steps), number(complete));
    let operations = summary.steps.iter().map(|step| step.operations).sum();
    let done: u64 = done.values().sum();
    let rolled_back = done.saturating_sub(operations_done(attempt));
    let done = format!("{}{}", at_least(attempt), number(done));
    let actual = match rolled_back {
        0 => done,
        back => format!("{done}, {} rolled back", number(back)),
    };
    row("operations", number(operations), actual);
    if let Some((plan, staged)) = plan.zip(attempt.staged.and(attempt.bytes)) {
        row("staged", size(plan.new_bytes()), size(staged));
    }
    if let Some(plan) = plan {
        row(
            "unavailable",
            planned_unavailable(plan),
            unavailable(attempt),
        );
    }
    let manual = summary
        .steps
        .iter()
        .filter(|step| step.action == "manual")
        .count();
    if manual > 0 {
        let answered = attempt
            .waits
            .iter()
            .filter(|wait| wait.answer.is_some())
            .count();
        let answered = format!("{} answered", number(answered as u64));
        row("manual steps", number(manual as u64), answered);
    }
    if let Some((expected, measured)) = states(summary, attempt) {
        row("digest of the state", expected, measured);
    }
    rows
}

/// Returns the digest of the expected state, and that of the state after the run with the comparison.
fn states(summary: &RunSummary, attempt: &Attempt) -> Option<(String, String)> {
    let compared = attempt.compared.as_ref();
    let compared = compared.filter(|compared| compared.direction == Direction::Forward)?;
    let expected = summary.expected?;
    let is_same = if compared.measured == Some(expected) {
        "the same"
    } else {
        "different"
    };
    let measured = match compared.measured {
        Some(measured) => measured.short(),
        None => "unknown".to_owned(),
    };
    Some((expected.short(), format!("{measured}, {is_same}")))
}

/// Describes the prerequisites that a person confirmed, with the questions if the plan is readable.
fn confirmed(summary: &RunSummary, plan: Option<&Plan>) -> Vec<String> {
    let questions = plan.map(|plan| plan.confirmations.as_slice());
    let mut confirmed = summary.confirmed.clone();
    for id in &mut confirmed {
        let mut questions = questions.unwrap_or_default().iter();
        if let Some(one) = questions.find(|one| one.id == *id) {
            id.push_str(&format!(": {}", one.question));
        }
    }
    confirmed
}

/// Describes the gaps of the report.
fn missing(summary: &RunSummary, is_running: impl Fn(usize) -> bool) -> Vec<String> {
    let mut missing = summary.missing.clone();
    for (at, command) in summary.commands.iter().enumerate() {
        if command.exit_code.is_none() && !is_running(at) {
            missing.push(format!(
                "`{}` of {} has no recorded end: it died, or its last events are lost",
                command.command.as_deref().unwrap_or("a command"),
                format_time(&command.at)
            ));
        }
    }
    let mut attempts = summary.attempts.iter();
    if attempts.any(|attempt| attempt.span.by_wall_clock && !attempt.partial) {
        missing.push("times that span several commands are by the wall clock".to_owned());
    }
    missing
}

fn next(tree: &Tree, state: RunState, writer: Option<&str>) -> Vec<String> {
    if let (Some(writer), false) = (writer, matches!(state, RunState::Closed(_))) {
        return vec![format!(
            "{writer} is changing the deployment at this moment: the report ends at its last event"
        )];
    }
    let ways = ways_to_end(state).into_iter();
    ways.map(|(verb, effect)| format!("`{}` {effect}", command_for(tree.path(), verb)))
        .collect()
}
