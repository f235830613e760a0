//! A run that is neither finished nor undone.

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::recovery::{is_back, is_unfinished};
use crate::cli::terminal::out::{count, number};
use crate::cli::views::plan::describe_operation;
use crate::cli::views::steps::describe_step;
use crate::deployment::tree::Tree;
use crate::journal::{Answer, Run, RunState};
use crate::names::error_chain;
use crate::plan::{Operation, Plan, PlannedStep};
use crate::run::{RunExamination, SwapState, describe_run, examine, load_plan, points_passed};

#[derive(Serialize, JsonSchema)]
pub(super) struct OpenRow {
    pub(super) run: String,
    /// State, in words.
    pub(super) state: &'static str,
    next_operation: Option<NextOperation>,
    /// Manual step that the run waits at.
    pub(super) waiting_at: Option<WaitingStep>,
    /// Conflicts that keep the run from continuing.
    pub(super) problems: Vec<String>,
    swaps_done: Option<usize>,
    pub(super) swaps: Option<usize>,
    #[serde(skip)]
    pub(super) run_state: RunState,
    /// Name of the deployment in the plan.
    #[serde(skip)]
    pub(super) deployment: Option<String>,
    /// Progress in words: each step, the next operation, and the number of those done.
    #[serde(skip)]
    pub(super) progress: Vec<String>,
    /// Points of no return that the run has passed, in words.
    pub(super) irreversible: Vec<String>,
}

#[derive(Serialize, JsonSchema)]
struct NextOperation {
    step: String,
    operation: &'static str,
    target: String,
    server: Option<String>,
    swap: u32,
}

#[derive(Serialize, JsonSchema)]
pub(super) struct WaitingStep {
    pub(super) step: String,
    pub(super) text: String,
}

impl OpenRow {
    pub(super) fn read(tree: &Tree, run: &Run, has_writer: bool) -> anyhow::Result<Self> {
        let mut row = Self {
            run: run.name().to_owned(),
            state: describe_run(run),
            next_operation: None,
            waiting_at: None,
            problems: Vec::new(),
            swaps_done: None,
            swaps: None,
            run_state: run.state(),
            deployment: None,
            progress: Vec::new(),
            irreversible: Vec::new(),
        };
        if !is_unfinished(run) {
            return Ok(row);
        }
        match load_plan(tree, &run.directory) {
            Ok(plan) => {
                row.add_progress(run, &plan, examine(tree, &run.directory, &plan)?);
                for point in points_passed(tree, run, &plan)? {
                    row.irreversible.push(format!("{point}: {}", point.why));
                }
            }
            Err(error) => row.problems.push(error_chain(&error)),
        }
        // Between two renames of a process that is running, everything may look wrong.
        if has_writer && row.swaps.is_some() {
            row.problems.clear();
        }
        Ok(row)
    }

    fn add_progress(&mut self, run: &Run, plan: &Plan, examined: RunExamination) {
        self.swaps = Some(plan.swaps.len());
        self.swaps_done = Some(examined.done());
        self.deployment = Some(plan.deployment.clone());
        self.waiting_at = waiting_at(run, plan, &examined);
        for step in &plan.steps {
            self.progress.push(describe_step(step, &examined, run));
        }
        let all = plan.operations().count();
        if let Some((at, step, operation)) = next_operation(run, plan, &examined) {
            let (at, all) = (number(at as u64), number(all as u64));
            let described = describe_operation(operation);
            self.progress.push(format!(
                "at operation {at} of {all}: {described} (step {})",
                step.id
            ));
            self.next_operation = Some(NextOperation {
                step: step.id.clone(),
                operation: operation.kind.word(),
                target: operation.target.clone(),
                server: operation.server.clone(),
                swap: operation.swap,
            });
        }
        let is_done = |operation: &&Operation| examined.is_done(operation.swap);
        let done = number(plan.operations().filter(is_done).count() as u64);
        let all = count(all, "operation", "operations");
        self.progress.push(format!("{done} of {all} done"));
        self.problems = examined.problems;
    }
}

/// Returns whether an operation is behind the run: done, or in a rollback undone.
fn is_past(run: &Run, examined: &RunExamination, operation: &Operation) -> bool {
    if is_back(run.state()) {
        examined.swaps.get(&operation.swap) == Some(&SwapState::NotBegun)
    } else {
        examined.is_done(operation.swap)
    }
}

/// Returns the next operation with its number and step: forward the first one that is not done,
/// backward the last one that is not rolled back.
fn next_operation<'p>(
    run: &Run,
    plan: &'p Plan,
    examined: &RunExamination,
) -> Option<(usize, &'p PlannedStep, &'p Operation)> {
    let mut remaining = Vec::new();
    let mut number = 0;
    for step in &plan.steps {
        for operation in &step.operations {
            number += 1;
            if !is_past(run, examined, operation) {
                remaining.push((number, step, operation));
            }
        }
    }
    if is_back(run.state()) {
        remaining.reverse();
    }
    remaining.into_iter().next()
}

/// Returns the manual step that the run waits at, with its text; backward the one to be rolled back.
fn waiting_at(run: &Run, plan: &Plan, examined: &RunExamination) -> Option<WaitingStep> {
    let mut steps: Vec<&PlannedStep> = plan.steps.iter().collect();
    if is_back(run.state()) {
        steps.reverse();
    }
    for step in steps {
        let answer = run.journal.confirmed(&step.id);
        let text = match &step.manual {
            Some(manual) if is_back(run.state()) && answer == Some(Answer::Done) => {
                manual.undo.as_ref()?
            }
            Some(manual)
                if !is_back(run.state())
                    && !matches!(answer, Some(Answer::Done | Answer::Skipped)) =>
            {
                &manual.instructions
            }
            _ if step
                .operations
                .iter()
                .all(|one| is_past(run, examined, one)) =>
            {
                continue;
            }
            _ => return None,
        };
        return Some(WaitingStep {
            step: step.id.clone(),
            text: text.clone(),
        });
    }
    None
}
