//! Everything recorded of one run.

use schemars::JsonSchema;
use serde::Serialize;

use super::RunRow;
use crate::cli::advice::command_for;
use crate::cli::terminal::out::{self, BOLD, count, count_of, size, styled};
use crate::cli::views::restarts::describe_restarts;
use crate::cli::views::signatures::describe_signatures;
use crate::cli::views::steps::describe_answer;
use crate::cli::views::undo::describe_undo;
use crate::deployment::tree::Tree;
use crate::journal::{
    Accepted, Direction, JournalEntry, Opened, Outcome, Record, Run, RunState, RunSubject,
    slots_are_closed,
};
use crate::names::{Digest, Escaped, RelPath};
use crate::plan::PlannedStep;
use crate::run::{UndoAnswer, kept_bytes, load_plan};

/// Content of the document of one run.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Run of a deployment")]
pub(in crate::cli) struct RunDocument<'a> {
    #[serde(flatten)]
    run: RunRow<'a>,
    /// Journal of the run.
    records: &'a [JournalEntry],
    /// Steps of the plan; absent if it cannot be used.
    steps: Option<Vec<RunStep>>,
    /// Reason why the plan cannot be used.
    plan_fault: Option<String>,
    /// Size of the old objects that the run keeps.
    undo_data_bytes: Option<u64>,
    directory: String,
    events: String,
    /// Command that prints the report.
    report: String,
    /// Path of the plan.
    #[serde(skip)]
    plan_path: String,
    /// Digest of the state that the plan expects.
    #[serde(skip)]
    expected: Option<Digest>,
}

#[derive(Serialize, JsonSchema)]
struct RunStep {
    id: String,
    title: String,
    action: String,
    /// Number of operations.
    operations: usize,
    #[serde(skip)]
    is_manual: bool,
}

impl RunStep {
    fn of(step: &PlannedStep) -> Self {
        Self {
            id: step.id.clone(),
            title: step.title.clone(),
            action: step.action.clone(),
            operations: step.operations.len(),
            is_manual: step.manual.is_some(),
        }
    }
}

impl<'a> RunDocument<'a> {
    pub(in crate::cli) fn of(
        tree: &Tree,
        run: &'a Run,
        undo: Option<&'a UndoAnswer>,
    ) -> anyhow::Result<Self> {
        let (plan, plan_fault) = match load_plan(tree, &run.directory) {
            Ok(plan) => (Some(plan), None),
            Err(error) => (None, Some(error.to_string())),
        };
        let steps = plan.as_ref().map(|plan| &plan.steps);
        let expected = plan.as_ref().and_then(|plan| plan.expected_state.as_ref());
        // The slots of an open run are still changing.
        let undo_data_bytes = if run.is_open() || slots_are_closed(tree, &run.directory)? {
            None
        } else {
            kept_bytes(tree, run)?
        };
        let shown = |at: &RelPath| tree.shown(Some(at));
        Ok(Self {
            run: RunRow::of(run, undo),
            records: &run.journal.entries,
            steps: steps.map(|steps| steps.iter().map(RunStep::of).collect()),
            plan_fault,
            undo_data_bytes,
            directory: shown(&run.directory),
            events: shown(&run.directory.events()),
            report: command_for(tree.path(), &format!("report {}", run.number)),
            plan_path: shown(&run.directory.plan()),
            expected: expected.map(|expected| expected.digest),
        })
    }

    pub(super) fn print(&self) {
        out::line(self.run.title());
        let run = self.run.of;
        let opened = run.journal.opened();
        line(&describe_subject(opened));
        if let Some(opened) = opened {
            let (user, host) = (Escaped(&opened.user), Escaped(&opened.host));
            let tool = Escaped(&opened.tool);
            line(&format!("by {user} on {host}, with rollup {tool}"));
            line(&format!("plan {}", opened.plan));
            for signed in describe_signatures(&opened.signatures) {
                line(&Escaped(&signed).to_string());
            }
            if !opened.confirmed.is_empty() {
                let confirmed = opened.confirmed.join(", ");
                line(&format!("confirmed prerequisites: {}", Escaped(&confirmed)));
            }
        }
        line(&match self.run.undo {
            Some(answer) => Escaped(&describe_undo(answer)).to_string(),
            None if run.is_open() => "it is open: `rollup undo` rolls it back".to_owned(),
            None => "there is nothing to undo".to_owned(),
        });
        out::line(styled(BOLD, "records"));
        for entry in self.records {
            line(&format!("{}  {}", entry.at, describe_record(&entry.record)));
        }
        self.print_steps();
        self.print_places();
    }

    fn print_steps(&self) {
        if let Some(fault) = &self.plan_fault {
            line(&format!("its plan cannot be used: {}", Escaped(fault)));
            return;
        }
        out::line(styled(BOLD, "steps"));
        for (step, at) in self.steps.iter().flatten().zip(1..) {
            let operations = if step.is_manual {
                "by hand".to_owned()
            } else {
                count(step.operations, "operation")
            };
            let (id, title) = (Escaped(&step.id), Escaped(&step.title));
            line(&format!("{at}. {id}: {title}; {operations}"));
        }
        if let Some(expected) = &self.expected {
            line(&format!("expected {expected}"));
        }
    }

    fn print_places(&self) {
        out::line(styled(BOLD, "where to look"));
        let mut places = vec![
            ("directory", self.directory.clone()),
            ("plan", self.plan_path.clone()),
            ("events", self.events.clone()),
        ];
        if let Some(bytes) = self.undo_data_bytes {
            // A rollback restores the old objects and moves the new ones into the slots.
            let objects = if self.run.of.state() == RunState::Closed(Outcome::Undone) {
                "rolled-back objects"
            } else {
                "old objects"
            };
            places.push(("keeps", format!("{} of {objects}", size(bytes))));
        }
        places.push(("report", self.report.clone()));
        for (name, place) in places {
            out::line(format_args!("  {name:<10}{}", Escaped(&place)));
        }
    }
}

/// Prints a line of the description of a run.
fn line(text: &str) {
    let text = out::wrapped(text, out::width(), "    ");
    out::line(format_args!("  {text}"));
}

/// Describes a record.
fn describe_record(record: &Record) -> String {
    match record {
        Record::Opened(_) => "opened".to_owned(),
        Record::Staged { .. } => "staged".to_owned(),
        Record::Committing { .. } => "committing".to_owned(),
        Record::Confirmed {
            step,
            by,
            from,
            answer,
        } => {
            let answer = describe_answer(*answer, by.as_deref(), *from);
            format!("manual step {}: {}", Escaped(step), Escaped(&answer))
        }
        Record::Acknowledged { by, actions } => {
            let restarts = describe_restarts(actions);
            format!("restarted, by {}: {}", Escaped(by), Escaped(&restarts))
        }
        Record::Turned { direction, why, .. } => match direction {
            Direction::Forward => format!("going forward: {}", Escaped(why)),
            Direction::Back => format!("rolling back: {}", Escaped(why)),
        },
        Record::Reopened { why, unmanaged, .. } => {
            let unmanaged = count_of(unmanaged.len(), "unmanaged entry", "unmanaged entries");
            format!("reopened: {}; {unmanaged} to move along", Escaped(why))
        }
        Record::Closed {
            outcome,
            measured,
            accepted,
            restarts,
            ..
        } => {
            let outcome = match (outcome, accepted) {
                (Outcome::Applied, _) => "applied".to_owned(),
                (Outcome::Undone, _) => "undone".to_owned(),
                (Outcome::Accepted, Some(accepted)) => describe_acceptance(accepted),
                (Outcome::Accepted, None) => "in its current state".to_owned(),
            };
            let pending = if restarts.pending.is_empty() {
                String::new()
            } else {
                format!(
                    "; restart required: {}",
                    describe_restarts(&restarts.pending)
                )
            };
            format!(
                "closed, {outcome}; measured {measured}{}",
                Escaped(&pending)
            )
        }
    }
}

/// Describes the subject of a run.
fn describe_subject(opened: Option<&Opened>) -> String {
    match opened.map(|opened| &opened.subject) {
        Some(RunSubject::Rollup(rollup)) => {
            let catches_up = if rollup.catch_up.is_empty() {
                ""
            } else {
                "catch-up with "
            };
            let (kb, revision) = (rollup.kb, &rollup.revision);
            format!(
                "{catches_up}{kb} revision {revision}: {}",
                Escaped(&rollup.title)
            )
        }
        Some(RunSubject::Accept { reason, applied }) => match applied {
            Some(kb) => format!("record {kb} as applied by hand: {}", Escaped(reason)),
            None => format!("accept drift: {}", Escaped(reason)),
        },
        None => "its first record does not exist".to_owned(),
    }
}

fn describe_acceptance(accepted: &Accepted) -> String {
    let (by, reason) = (Escaped(&accepted.by), Escaped(&accepted.reason));
    format!("in its current state by {by}: {reason}")
}
