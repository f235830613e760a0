//! `history`: the runs of a deployment, or everything recorded of one.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::{Format, HistoryArgs};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::named::{Newest, find_run};
use crate::cli::terminal::out::{self, BOLD, DIM, GOOD, WARN, count, number, styled};
use crate::deployment::tree::Tree;
use crate::journal::{
    Accepted, Answer, Direction, JournalEntry, Outcome, QuarantineNote, Record, Run, RunState,
    RunSubject, quarantined,
};
use crate::names::{Digest, Escaped, Kb, RelPath};
use crate::plan::{Plan, PlannedRollup};
use crate::run::{UndoAnswer, describe_run, kept_bytes, load_plan, undo_answers};

/// Runs `rollup history`.
pub(super) fn history(args: &HistoryArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.deployment.as_deref())?;
    site.warn();
    let (runs, answers) = inputs::read_consistently(&site.tree, || {
        let runs = inputs::checked_runs(&site.tree)?;
        let answers = undo_answers(&site.tree, &runs, site.description.as_ref().ok());
        Ok((runs, answers?))
    })?;
    if let Some(named) = &args.run {
        let run = find_run(&runs, named, Newest::Any)?;
        let details = RunDetails::of(&site.tree, run, answers.get(&run.number))?;
        match args.format {
            Format::Json => Envelope::new(Exit::Ok, details.document()).print(),
            Format::Text => details.text(),
        }
        return Ok(Exit::Ok);
    }
    let quarantined = quarantined(&site.tree)?;
    if args.format == Format::Json {
        let rows = runs
            .iter()
            .map(|run| RunRow::of(run, answers.get(&run.number)));
        let quarantined = quarantined.iter();
        let content = HistoryDocument {
            runs: rows.collect(),
            quarantined: quarantined
                .map(|(directory, note)| QuarantinedRow {
                    directory,
                    note: note.as_ref(),
                })
                .collect(),
        };
        Envelope::new(Exit::Ok, content).print();
        return Ok(Exit::Ok);
    }
    if runs.is_empty() {
        out::line("no run yet");
    }
    for run in &runs {
        print_run(run, answers.get(&run.number));
    }
    for (name, note) in &quarantined {
        print_quarantined(name, note.as_ref());
    }
    if runs.iter().any(Run::is_open) {
        out::line("a run is open: `rollup status` shows the next command");
    } else if !runs.is_empty() {
        let undoable = answers.values().filter(|answer| answer.possible).count();
        out::message(format_args!(
            "{}, {undoable} can be undone; `rollup report RUN -d {}` shows one",
            out::count(runs.len(), "run", "runs"),
            out::shell_quoted(site.tree.path())
        ));
    }
    Ok(Exit::Ok)
}

fn print_run(run: &Run, undo: Option<&UndoAnswer>) {
    let opened = run.journal.opened();
    let first = run.journal.entries.first();
    let at = first.map_or("", |entry| entry.at.as_str());
    let name = styled(BOLD, run.name());
    let state = styled(style(run), describe_run(run));
    match opened {
        Some(opened) => {
            let (user, host) = (Escaped(&opened.user), Escaped(&opened.host));
            out::line(format_args!("{name}  {state}  {at}  by {user} on {host}"));
        }
        None => out::line(format_args!("{name}  {state}  {at}")),
    }
    let mut text = describe_subject(opened.map(|opened| &opened.subject));
    if let Some(opened) = opened {
        text.push_str(&format!("; plan {}", opened.plan));
    }
    if let Some(answer) = undo {
        text.push_str(&format!("; {}", describe_answer(answer)));
    }
    print_below(&text);
    if let Some(Accepted { by, reason, .. }) = accepted(run) {
        let (by, reason) = (Escaped(by), Escaped(reason));
        print_below(&format!("closed in its current state by {by}: {reason}"));
    }
}

fn print_quarantined(name: &str, note: Option<&QuarantineNote>) {
    let at = note.map_or("", |note| note.at.as_str());
    let state = styled(WARN, "quarantined: no longer a run");
    let name = styled(BOLD, Escaped(name));
    out::line(format_args!("{name}  {state}  {at}"));
    if let Some(note) = note {
        print_below(&format!(
            "by {}: {}; {}",
            Escaped(&note.by),
            Escaped(&note.reason),
            Escaped(&note.because)
        ));
    }
}

/// Prints a text below the line of a run, wrapped to the width of the screen.
fn print_below(text: &str) {
    let wrapped = out::wrapped(text, out::width() - 4, "    ");
    out::line(format_args!("    {wrapped}"));
}

fn style(run: &Run) -> anstyle::Style {
    match run.state() {
        RunState::Closed(Outcome::Applied) => GOOD,
        RunState::Closed(_) => DIM,
        _ => WARN,
    }
}

/// Describes the subject of a run.
fn describe_subject(subject: Option<&RunSubject>) -> String {
    match subject {
        Some(RunSubject::Rollup(PlannedRollup {
            kb,
            revision,
            title,
            catch_up,
            ..
        })) => {
            let catches_up = match catch_up.is_empty() {
                true => "",
                false => "catch-up with ",
            };
            format!("{catches_up}{kb} revision {revision}: {}", Escaped(title))
        }
        Some(RunSubject::Accept {
            reason,
            applied: Some(kb),
        }) => {
            format!("record {kb} as applied by hand: {}", Escaped(reason))
        }
        Some(RunSubject::Accept { reason, .. }) => format!("accept drift: {}", Escaped(reason)),
        None => "it was interrupted before its first record".to_owned(),
    }
}

/// Returns the acceptance that closed the run in its current state, if one did.
fn accepted(run: &Run) -> Option<&Accepted> {
    match run.journal.last()? {
        Record::Closed { accepted, .. } => accepted.as_ref(),
        _ => None,
    }
}

/// Describes whether a finished run can be undone.
fn describe_answer(answer: &UndoAnswer) -> String {
    match answer.possible {
        true => "can be undone".to_owned(),
        false => format!("cannot be undone: {}", Escaped(&answer.why_not())),
    }
}

/// Content of the document with all runs.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Runs of a deployment")]
pub(in crate::cli) struct HistoryDocument<'a> {
    /// All runs, oldest first.
    runs: Vec<RunRow<'a>>,
    /// Directories of runs that were quarantined.
    quarantined: Vec<QuarantinedRow<'a>>,
}

/// Run, with its last state.
#[derive(Serialize, JsonSchema)]
struct RunRow<'a> {
    run: &'a str,
    number: u32,
    /// Rollup; absent for a run that accepts drift.
    kb: Option<Kb>,
    /// State, in a word.
    state: &'static str,
    /// Time of the first record.
    opened: Option<&'a str>,
    /// Time of the closing record.
    closed: Option<&'a str>,
    /// Digest of the plan.
    plan: Option<&'a Digest>,
    /// Digest of the tree when the run was closed.
    measured: Option<&'a Digest>,
    /// True if the run is finished and can be undone.
    undoable: bool,
    /// Reasons why a finished run cannot be undone.
    undo_blockers: Option<&'a [String]>,
    /// Reason that was given to `accept`.
    reason: Option<&'a str>,
}

/// Quarantined directory, with its note.
#[derive(Serialize, JsonSchema)]
struct QuarantinedRow<'a> {
    directory: &'a str,
    #[serde(flatten)]
    note: Option<&'a QuarantineNote>,
}

impl<'a> RunRow<'a> {
    fn of(run: &'a Run, undo: Option<&'a UndoAnswer>) -> Self {
        let entries = &run.journal.entries;
        let measured = entries.iter().rev().find_map(|entry| match &entry.record {
            Record::Closed { measured, .. } => Some(measured),
            _ => None,
        });
        let opened = run.journal.opened();
        let reason = match opened.map(|opened| &opened.subject) {
            Some(RunSubject::Accept { reason, .. }) => Some(reason),
            _ => accepted(run).map(|accepted| &accepted.reason),
        };
        Self {
            run: run.name(),
            number: run.number,
            kb: run.kb,
            state: run.state().word(),
            opened: entries.first().map(|entry| entry.at.as_str()),
            closed: measured.and(entries.last()).map(|entry| entry.at.as_str()),
            plan: opened.map(|opened| &opened.plan),
            measured,
            undoable: undo.is_some_and(|undo| undo.possible),
            undo_blockers: undo.map(|undo| undo.reasons.as_slice()),
            reason: reason.map(String::as_str),
        }
    }
}

/// Content of the document of one run.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Run of a deployment")]
pub(in crate::cli) struct RunDocument<'a> {
    #[serde(flatten)]
    run: RunRow<'a>,
    /// Journal of the run.
    records: &'a [JournalEntry],
    /// Steps of the plan; absent if it cannot be used.
    steps: Option<Vec<RunStep<'a>>>,
    /// Reason why the plan cannot be used.
    plan_fault: Option<&'a str>,
    /// Size of the old objects that the run keeps.
    undo_data_bytes: Option<u64>,
    directory: String,
    events: String,
    /// Command that prints the report.
    report: String,
}

#[derive(Serialize, JsonSchema)]
struct RunStep<'a> {
    id: &'a str,
    title: &'a str,
    action: &'a str,
    /// Number of operations.
    operations: usize,
}

/// Everything recorded of one run.
struct RunDetails<'a> {
    tree: &'a Tree,
    run: &'a Run,
    undo: Option<&'a UndoAnswer>,
    /// Plan of the run, or why it cannot be used.
    plan: Result<Plan, String>,
    /// Bytes of the old objects that the run keeps.
    kept: Option<u64>,
}

impl<'a> RunDetails<'a> {
    fn of(tree: &'a Tree, run: &'a Run, undo: Option<&'a UndoAnswer>) -> anyhow::Result<Self> {
        let plan = load_plan(tree, &run.directory).map_err(|error| error.to_string());
        // The slots of an open run are still changing.
        let kept = match run.is_open() {
            true => None,
            false => kept_bytes(tree, run)?,
        };
        Ok(Self {
            tree,
            run,
            undo,
            plan,
            kept,
        })
    }

    fn events(&self) -> String {
        self.shown(&self.run.directory.events())
    }

    fn shown(&self, at: &RelPath) -> String {
        self.tree.shown(Some(at))
    }

    fn report(&self) -> String {
        format!(
            "rollup report {} -d {}",
            self.run.number,
            out::shell_quoted(self.tree.path())
        )
    }

    fn document(&self) -> RunDocument<'_> {
        let steps = self.plan.as_ref().ok().map(|plan| {
            let steps = plan.steps.iter().map(|step| RunStep {
                id: &step.id,
                title: &step.title,
                action: &step.action,
                operations: step.operations.len(),
            });
            steps.collect()
        });
        RunDocument {
            run: RunRow::of(self.run, self.undo),
            records: &self.run.journal.entries,
            steps,
            plan_fault: self.plan.as_ref().err().map(String::as_str),
            undo_data_bytes: self.kept,
            directory: self.shown(&self.run.directory),
            events: self.events(),
            report: self.report(),
        }
    }

    fn text(&self) {
        let run = self.run;
        out::line(format_args!(
            "{}  {}",
            styled(BOLD, run.name()),
            styled(style(run), describe_run(run))
        ));
        let opened = run.journal.opened();
        line(&describe_subject(opened.map(|opened| &opened.subject)));
        if let Some(opened) = opened {
            line(&format!(
                "by {} on {}, with rollup {}",
                Escaped(&opened.user),
                Escaped(&opened.host),
                Escaped(&opened.tool)
            ));
            line(&format!("plan {}", opened.plan));
            if !opened.confirmed.is_empty() {
                line(&format!(
                    "confirmed prerequisites: {}",
                    Escaped(&opened.confirmed.join(", "))
                ));
            }
        }
        line(&match self.undo {
            Some(answer) => describe_answer(answer),
            None if run.is_open() => "it is open: `rollup undo` rolls it back".to_owned(),
            None => "there is nothing to undo".to_owned(),
        });
        out::line(styled(BOLD, "records"));
        for entry in &run.journal.entries {
            line(&format!("{}  {}", entry.at, record(entry)));
        }
        match &self.plan {
            Err(fault) => line(&format!("its plan cannot be used: {}", Escaped(fault))),
            Ok(plan) => print_steps(plan),
        }
        self.print_places();
    }

    fn print_places(&self) {
        out::line(styled(BOLD, "where to look"));
        let places = [
            ("directory", self.shown(&self.run.directory)),
            ("plan", self.shown(&self.run.directory.plan())),
            ("events", self.events()),
        ];
        for (name, path) in places {
            out::line(format_args!("  {name:<10}{}", Escaped(&path)));
        }
        if let Some(bytes) = self.kept {
            // A rollback restores the old objects and moves the new ones into the slots.
            let objects = if self.run.state() == RunState::Closed(Outcome::Undone) {
                "rolled-back objects"
            } else {
                "old objects"
            };
            let bytes = number(bytes);
            out::line(format_args!("  {:<10}{bytes} bytes of {objects}", "keeps"));
        }
        out::line(format_args!("  {:<10}{}", "report", self.report()));
    }
}

fn print_steps(plan: &Plan) {
    out::line(styled(BOLD, "steps"));
    for (step, at) in plan.steps.iter().zip(1..) {
        let operations = match step.manual {
            Some(_) => "by hand".to_owned(),
            None => count(step.operations.len(), "operation", "operations"),
        };
        let (id, title) = (Escaped(&step.id), Escaped(&step.title));
        line(&format!("{at}. {id}: {title}; {operations}"));
    }
    if let Some(expected) = &plan.expected_state {
        line(&format!("expected {}", expected.digest));
    }
}

/// Prints a line of the description of a run.
fn line(text: &str) {
    if !text.is_empty() {
        out::line(format_args!(
            "  {}",
            out::wrapped(text, out::width(), "    ")
        ));
    }
}

/// Describes a record.
fn record(entry: &JournalEntry) -> String {
    match &entry.record {
        Record::Opened(_) => "opened".to_owned(),
        Record::Staged { .. } => "staged".to_owned(),
        Record::Committing { .. } => "committing".to_owned(),
        Record::Confirmed { step, by, answer } => {
            let answer = match answer {
                Answer::Done => "done",
                Answer::Skipped => "skipped",
                Answer::RolledBack => "rolled back",
            };
            format!("manual step {}: {answer} by {}", Escaped(step), Escaped(by))
        }
        Record::Turned {
            direction: Direction::Forward,
            why,
        } => format!("going forward: {}", Escaped(why)),
        Record::Turned {
            direction: Direction::Back,
            why,
        } => format!("rolling back: {}", Escaped(why)),
        Record::Reopened { why, unmanaged } => {
            let files = count(unmanaged.len(), "unmanaged file", "unmanaged files");
            format!("reopened: {}; {files} to move along", Escaped(why))
        }
        Record::Closed {
            outcome,
            measured,
            accepted,
            ..
        } => {
            let outcome = match outcome {
                Outcome::Applied => "applied".to_owned(),
                Outcome::Undone => "undone".to_owned(),
                Outcome::Accepted => match accepted {
                    Some(Accepted { by, reason, .. }) => {
                        format!(
                            "in its current state, by {}: {}",
                            Escaped(by),
                            Escaped(reason)
                        )
                    }
                    None => "in its current state".to_owned(),
                },
            };
            format!("closed, {outcome}; measured {measured}")
        }
    }
}
