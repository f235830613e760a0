//! A run that is neither finished nor undone.

use std::collections::BTreeSet;
use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::history::RunHistory;
use crate::cli::named::open_questions;
use crate::cli::recovery::{is_back, is_unfinished};
use crate::cli::state_now::{operations_done, unavailable_now};
use crate::cli::terminal::out::{number, shell_quoted};
use crate::cli::views::plan::describe_operation;
use crate::cli::views::steps::{describe_step, ways_to_end};
use crate::deployment::lock::last_owner;
use crate::deployment::tree::Tree;
use crate::events::{self, Event};
use crate::journal::{Answer, Direction, Run, RunState, slots_are_closed};
use crate::names::{RelPath, error_chain};
use crate::plan::{ManualFile, Operation, Plan, PlanFileError, PlannedStep};
use crate::run::{
    RunError, RunExamination, SwapState, behind_last_point, changes_since_plan, describe_run,
    examine, kept_bytes, load_plan,
};

#[derive(Serialize, JsonSchema)]
pub(super) struct OpenRow {
    pub(super) run: String,
    /// State, in words.
    pub(super) state: &'static str,
    next_operation: Option<NextOperation>,
    /// Manual step that the run waits at.
    pub(super) waiting_at: Option<WaitingStep>,
    /// True if the progress is what the events say, because the slots are closed to this user.
    from_events: bool,
    /// Conflicts that keep the run from continuing.
    pub(super) problems: Vec<String>,
    /// Differences from what the plan of a staged run saw: it is stale.
    pub(super) stale: Vec<String>,
    /// Part of the work that is done, in percent.
    percent: Option<u64>,
    /// What is unavailable now, in words.
    pub(super) unavailable: Option<String>,
    #[serde(flatten)]
    pub(super) history: RunHistory,
    /// Id of the process that worked on the run last, if it has ended.
    pub(super) ended_process: Option<u32>,
    swaps_done: Option<usize>,
    pub(super) swaps: Option<usize>,
    #[serde(skip)]
    pub(super) run_state: RunState,
    /// Name of the deployment in the plan.
    #[serde(skip)]
    pub(super) deployment: Option<String>,
    /// Progress in words: each step, and the next operation.
    #[serde(skip)]
    pub(super) progress: Vec<String>,
    /// Number of operations that are done, in words.
    #[serde(skip)]
    pub(super) done: String,
    /// Points of no return that the run has passed, in words.
    pub(super) irreversible: Vec<String>,
    /// Whether something behind the last of them can be rolled back.
    #[serde(skip)]
    can_go_back_to_point: bool,
    /// Directions that need an object that is missing.
    #[serde(skip)]
    impossible: BTreeSet<Direction>,
    /// Number of the problems because of which they are impossible.
    #[serde(skip)]
    irreparable: usize,
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
    /// Directory below the deployment with the files that the person needs; absent without files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) directory: Option<RelPath>,
    /// These files, each with its SHA-256.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) files: Vec<ManualFile>,
}

impl OpenRow {
    pub(super) fn read(tree: &Tree, run: &Run, has_writer: bool) -> anyhow::Result<Self> {
        let mut row = Self {
            run: run.name().to_owned(),
            state: describe_run(run),
            next_operation: None,
            waiting_at: None,
            from_events: slots_are_closed(tree, &run.directory)?,
            problems: Vec::new(),
            stale: Vec::new(),
            percent: None,
            unavailable: None,
            history: RunHistory::read(tree, run, has_writer),
            ended_process: if has_writer {
                None
            } else {
                last_owner(tree).map(|owner| owner.process)
            },
            swaps_done: None,
            swaps: None,
            run_state: run.state(),
            deployment: None,
            progress: Vec::new(),
            done: String::new(),
            irreversible: Vec::new(),
            can_go_back_to_point: false,
            impossible: BTreeSet::new(),
            irreparable: 0,
        };
        if !is_unfinished(run) {
            row.read_staged(tree, run, has_writer)?;
            return Ok(row);
        }
        match load_plan(tree, &run.directory) {
            Ok(plan) => {
                let examined = if row.from_events {
                    reported_by_events(tree, run, &plan)
                } else {
                    examine(tree, &run.directory, &plan)?
                };
                let points = plan.points_passed(
                    |operation| examined.is_done(operation.swap),
                    |step| run.journal.confirmed(&step.id) == Some(Answer::Done),
                );
                for point in points {
                    row.irreversible.push(format!("{point}: {}", point.why));
                }
                row.add_progress(run, &plan, examined);
                if !row.from_events {
                    let behind = behind_last_point(tree, run, &plan)?;
                    row.can_go_back_to_point = behind.is_some_and(|behind| !behind.is_empty());
                }
            }
            // Recovery by hand is not advised: another rollup recovers it.
            Err(
                error @ RunError::Plan {
                    fault: PlanFileError::TooNew(_),
                    ..
                },
            ) => return Err(error.into()),
            Err(error) => row.problems.push(error_chain(&error)),
        }
        // Between two renames of a process that is running, everything may look wrong.
        if has_writer && row.swaps.is_some() {
            row.problems.clear();
        }
        row.problems.extend(run.fault.clone());
        Ok(row)
    }

    /// Reads how far staging is, or if what is staged still fits.
    fn read_staged(&mut self, tree: &Tree, run: &Run, has_writer: bool) -> anyhow::Result<()> {
        // The plan of a run that died while staging may not have been written.
        let Ok(plan) = load_plan(tree, &run.directory) else {
            return Ok(());
        };
        self.deployment = Some(plan.deployment.clone());
        match run.state() {
            RunState::Staged if !has_writer => self.stale = changes_since_plan(tree, &plan)?,
            RunState::Staging if !self.from_events => {
                let staged = kept_bytes(tree, run)?.unwrap_or_default();
                self.percent = percent(staged, plan.new_bytes());
            }
            _ => {}
        }
        Ok(())
    }

    /// Describes the phase of the process that works on the run.
    pub(super) fn phase(&self) -> String {
        let phase = match self.run_state {
            RunState::Staging => "staging",
            RunState::Staged => "staged, about to commit",
            RunState::Unfinished(Direction::Forward) => "committing",
            RunState::Unfinished(Direction::Back) => "rolling back",
            RunState::Closed(_) | RunState::Damaged(_) => "closed",
        };
        match self.percent {
            Some(percent) => format!("{phase}, {percent} %"),
            None => phase.to_owned(),
        }
    }

    /// Returns whether problems have to be fixed before the run can go on in a direction that is possible.
    pub(super) fn needs_repair(&self) -> bool {
        self.swaps.is_some() && self.problems.len() > self.irreparable
    }

    /// Returns the commands that continue the run, the one for its direction first.
    pub(super) fn ways(&self) -> Vec<(String, &'static str)> {
        let mut ways = ways_to_end(self.run_state);
        match self.run_state {
            RunState::Staged if !self.stale.is_empty() => {
                ways = vec![("undo", "discards it; then plan and apply again")];
            }
            RunState::Staging | RunState::Staged => {}
            _ if self.swaps.is_none() => {
                ways = vec![
                    ("explain recovery", "shows how to recover the run by hand"),
                    ("accept", "quarantines the run"),
                ];
            }
            RunState::Damaged(_) => ways.push(("accept", "quarantines the run")),
            _ if !self.irreversible.is_empty() => {
                ways = vec![("resume", "finishes it")];
                if self.can_go_back_to_point {
                    ways.push(("undo", "rolls it back to behind the point of no return"));
                }
            }
            _ => {}
        }
        for (direction, command) in [(Direction::Forward, "resume"), (Direction::Back, "undo")] {
            if self.impossible.contains(&direction) {
                ways.retain(|(way, _)| !way.starts_with(command));
            }
        }
        if self.swaps.is_some() && !self.problems.is_empty() {
            ways.push(("accept", "closes the run in its current state"));
        }
        let answering = if is_back(self.run_state) {
            "undo"
        } else {
            "resume"
        };
        let done = self.waiting_at.as_ref().map(|waiting| {
            let step = shell_quoted(Path::new(&waiting.step));
            format!("{answering} --done {step}")
        });
        ways.into_iter()
            .map(|(way, effect)| match &done {
                Some(done) if way == answering => (done.clone(), effect),
                _ => (way.to_owned(), effect),
            })
            .collect()
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
        let done = plan
            .operations()
            .filter(|operation| examined.is_done(operation.swap))
            .count() as u64;
        let past = if is_back(run.state()) {
            all as u64 - done
        } else {
            done
        };
        self.percent = percent(past, all as u64);
        if self.from_events {
            let note = "by the events alone: the slots are closed to this user";
            self.progress.push(note.to_owned());
        }
        self.unavailable = unavailable_now(plan, &examined);
        self.done = operations_done(plan, &examined);
        self.problems = examined.problems;
        self.impossible = examined.impossible;
        self.irreparable = examined.irreparable;
    }
}

/// Returns the state of each swap as the events of the run report it.
fn reported_by_events(tree: &Tree, run: &Run, plan: &Plan) -> RunExamination {
    let mut reported = RunExamination::default();
    for swap in &plan.swaps {
        reported.swaps.insert(swap.number, SwapState::NotBegun);
    }
    for line in events::read(tree, run.name()).lines {
        if let Event::Swapped {
            swap, direction, ..
        } = line.event
        {
            let state = match direction {
                Direction::Forward => SwapState::Done,
                Direction::Back => SwapState::NotBegun,
            };
            reported.swaps.insert(swap, state);
        }
    }
    reported
}

/// Returns a part in percent, rounded down; `None` of nothing.
fn percent(part: u64, all: u64) -> Option<u64> {
    (part.min(all) * 100).checked_div(all)
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
    let steps = plan.steps.iter();
    let operations = steps.flat_map(|step| step.operations.iter().map(move |one| (step, one)));
    let mut remaining = (1..)
        .zip(operations)
        .filter(|(_, (_, operation))| !is_past(run, examined, operation));
    let (number, (step, operation)) = if is_back(run.state()) {
        remaining.last()?
    } else {
        remaining.next()?
    };
    Some((number, step, operation))
}

/// Returns the manual step that the run waits at, with its text; backward the one to be rolled back.
fn waiting_at(run: &Run, plan: &Plan, examined: &RunExamination) -> Option<WaitingStep> {
    let direction = if is_back(run.state()) {
        Direction::Back
    } else {
        Direction::Forward
    };
    let asked = open_questions(plan, run, direction, |swap| examined.is_done(swap));
    let step = *asked.first()?;
    let is_past = |step: &PlannedStep| {
        let mut operations = step.operations.iter();
        operations.all(|operation| is_past(run, examined, operation))
    };
    // Operations of another step may come first. Packages are rolled back by hand before their files.
    let is_other = |one: &&PlannedStep| one.id != step.id;
    let is_next = match direction {
        Direction::Forward => plan.steps.iter().take_while(is_other).all(is_past) && is_past(step),
        Direction::Back => plan.steps.iter().rev().take_while(is_other).all(is_past),
    };
    let text = match (direction, &step.manual) {
        _ if !is_next => return None,
        (Direction::Forward, Some(manual)) => manual.instructions.clone(),
        (Direction::Back, Some(manual)) => manual.undo.clone()?,
        (Direction::Forward, None) => step.again_by_hand(),
        (Direction::Back, None) => step.undo.clone()?,
    };
    let files = step.manual.iter().flat_map(|manual| &manual.files);
    let files: Vec<ManualFile> = files.cloned().collect();
    Some(WaitingStep {
        step: step.id.clone(),
        text,
        directory: (!files.is_empty()).then(|| run.directory.manual_step(&step.id)),
        files,
    })
}
