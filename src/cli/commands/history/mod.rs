//! `history`: the runs of a deployment as a table, or everything recorded of one.

mod run;

use std::time::Duration;

use anstyle::Style;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::advice::command_for;
use crate::cli::args::HistoryArgs;
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::named::{Newest, find_run};
use crate::cli::table::{TableRow, table};
use crate::cli::terminal::out::{self, BOLD, DIM, GOOD, WARN, count, styled};
use crate::cli::views::signatures::describe_signatures;
use crate::deployment::tree::Tree;
use crate::journal::{
    Accepted, Outcome, QuarantineNote, Record, Run, RunSignatures, RunState, RunSubject,
    quarantined, runs,
};
use crate::names::{Digest, Escaped, Kb};
use crate::plan::ACCEPT;
use crate::run::{UndoAnswer, describe_run, undo_answers};

pub(in crate::cli) use run::RunDocument;

/// Runs `rollup history`.
pub(super) fn history(args: &HistoryArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.path())?;
    site.warn();
    let (runs, answers) = inputs::read_consistently(&site.tree, || {
        let runs = runs(&site.tree)?;
        let answers = undo_answers(&site.tree, &runs, site.description.as_ref().ok());
        Ok((runs, answers?))
    })?;
    if let Some(named) = &args.run {
        let run = find_run(&runs, named, Newest::Any)?;
        let document = RunDocument::of(&site.tree, run, answers.get(&run.number))?;
        show(args.format, Exit::Ok, document, RunDocument::print);
        return Ok(Exit::Ok);
    }
    let quarantined = quarantined(&site.tree)?;
    let shown = runs
        .iter()
        .rev()
        .take(args.limit.unwrap_or(usize::MAX))
        .map(|run| RunRow::of(run, answers.get(&run.number)));
    let mut document = HistoryDocument {
        runs: shown.collect(),
        quarantined: Vec::new(),
        all: runs.len(),
    };
    for (directory, note) in &quarantined {
        let note = note.as_ref();
        document
            .quarantined
            .push(QuarantinedRow { directory, note });
    }
    show(args.format, Exit::Ok, document, |document| {
        document.print(&site.tree);
    });
    Ok(Exit::Ok)
}

impl HistoryDocument<'_> {
    fn print(&self, tree: &Tree) {
        if !self.runs.is_empty() {
            let heads = ["run", "update", "state", "started", "by", "took", "undo"];
            let rows: Vec<_> = self.runs.iter().map(RunRow::table_row).collect();
            table(heads, &rows, out::width()).iter().for_each(out::line);
        }
        for quarantined in &self.quarantined {
            quarantined.print();
        }
        if self.runs.is_empty() {
            out::line("no run yet");
        } else if self.runs.iter().any(|row| row.of.is_open()) {
            out::line("a run is open: `rollup status` shows the next command");
        } else {
            let shown = match self.all - self.runs.len() {
                0 => count(self.all, "run"),
                _ => format!("{} of {}", self.runs.len(), count(self.all, "run")),
            };
            let undoable = self.runs.iter().filter(|row| row.undoable).count();
            let details = command_for(tree.path(), "history RUN");
            out::message(format_args!(
                "{shown}, {undoable} can be undone; `{details}` shows one"
            ));
        }
    }
}

/// Content of the document with all runs.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Runs of a deployment")]
pub(in crate::cli) struct HistoryDocument<'a> {
    /// All runs, newest first; with `--limit` only the newest ones.
    runs: Vec<RunRow<'a>>,
    /// Directories of runs that were quarantined.
    quarantined: Vec<QuarantinedRow<'a>>,
    /// Number of all runs.
    #[serde(skip)]
    all: usize,
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
    /// Fault of a journal that cannot be relied on.
    fault: Option<&'a str>,
    /// Reason that was given to `accept`.
    reason: Option<&'a str>,
    /// Signatures that the run was begun with, if there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    signatures: Option<&'a RunSignatures>,
    #[serde(skip)]
    of: &'a Run,
    #[serde(skip)]
    undo: Option<&'a UndoAnswer>,
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
        let closed = entries.iter().rev().find_map(|entry| match &entry.record {
            Record::Closed { measured, .. } => Some((entry.at.as_str(), measured)),
            _ => None,
        });
        let (closed, measured) = closed.unzip();
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
            closed,
            plan: opened.map(|opened| &opened.plan),
            measured,
            undoable: undo.is_some_and(|undo| undo.possible),
            undo_blockers: undo.map(|undo| undo.reasons.as_slice()),
            fault: run.fault.as_deref(),
            reason: reason.map(String::as_str),
            signatures: opened
                .map(|opened| &opened.signatures)
                .filter(|signatures| !signatures.is_empty()),
            of: run,
            undo,
        }
    }

    fn style(&self) -> Style {
        match self.of.state() {
            RunState::Closed(Outcome::Applied) => GOOD,
            RunState::Closed(_) => DIM,
            _ => WARN,
        }
    }

    /// Returns the name and the state.
    fn title(&self) -> String {
        let state = styled(self.style(), describe_run(self.of));
        format!("{}  {state}", styled(BOLD, self.run))
    }

    fn table_row(&self) -> TableRow<7> {
        let by = self
            .of
            .journal
            .opened()
            .map(|by| format!("{}@{}", Escaped(&by.user), Escaped(&by.host)));
        let update = self.kb.map_or(ACCEPT.to_owned(), |kb| kb.to_string());
        let plain = Style::new();
        let mut below = Vec::new();
        if let Some(reason) = self.reason {
            below.push(format!("accepted: {}", Escaped(reason)));
        }
        let signed = self
            .signatures
            .map(describe_signatures)
            .into_iter()
            .flatten();
        below.extend(signed.map(|line| Escaped(&line).to_string()));
        below.extend(self.fault.map(|fault| Escaped(fault).to_string()));
        TableRow {
            cells: [
                self.number.to_string(),
                update,
                self.state.to_owned(),
                self.opened.map(out::time_and_age).unwrap_or_default(),
                by.unwrap_or_default(),
                took(self.of).unwrap_or_default(),
                self.undo.map(describe_undo_briefly).unwrap_or_default(),
            ],
            styles: [BOLD, plain, self.style(), plain, plain, plain, plain],
            below,
        }
    }
}

/// Returns the time from the first record of a run to the one that closed it first, for people.
fn took(run: &Run) -> Option<String> {
    let entries = &run.journal.entries;
    let closed = entries
        .iter()
        .find(|entry| matches!(entry.record, Record::Closed { .. }))?;
    let [from, to] = [entries.first()?, closed].map(|entry| entry.at.parse::<Timestamp>().ok());
    let took = Duration::try_from(to?.duration_since(from?)).ok()?;
    Some(out::duration(took))
}

/// Describes in a few words whether a finished run can be undone.
fn describe_undo_briefly(answer: &UndoAnswer) -> String {
    match answer.later {
        _ if answer.possible => "yes".to_owned(),
        Some(later) => format!("no: later run {later} first"),
        None => "no".to_owned(),
    }
}

impl QuarantinedRow<'_> {
    fn print(&self) {
        let at = self.note.map_or("", |note| note.at.as_str());
        let state = styled(WARN, "quarantined: no longer a run");
        let name = styled(BOLD, Escaped(self.directory));
        out::line(format_args!("{name}  {state}  {at}"));
        if let Some(note) = self.note {
            let (by, reason) = (Escaped(&note.by), Escaped(&note.reason));
            let because = Escaped(&note.because);
            out::line(format_args!("    by {by}: {reason}; {because}"));
        }
    }
}

/// Returns the acceptance that closed the run in its current state, if one did.
fn accepted(run: &Run) -> Option<&Accepted> {
    match run.journal.last()? {
        Record::Closed { accepted, .. } => accepted.as_ref(),
        _ => None,
    }
}
