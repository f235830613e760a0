//! Walk over the swaps, in order or in reverse, with a sync after every step.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::event::{EventOperation, micros};
use super::fingerprints::Fingerprints;
use super::swap::{Moved, Slot};
use super::{Event, Listener, Question, Reply, RunError, begin_phase};
use crate::deployment::lock::user;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::run_dir::RunDir;
use crate::journal::{Answer, AnswerSource, Direction, JournalWriter, Record, SwapState};
use crate::names::RelPath;
use crate::phase::Phase;
use crate::plan::{ManualStep, Operation, Plan, PlannedStep, Swap};

/// Name of the work after the operations of a step, and after all of them.
const SYNCING: &str = "syncing";

/// Walk over the swaps of a run.
pub(super) struct SwapWalk<'a> {
    pub(super) disk: &'a LockedDeployment,
    pub(super) plan: &'a Plan,
    pub(super) run: &'a RunDir,
    pub(super) journal: &'a mut JournalWriter,
    pub(super) listener: &'a mut dyn Listener,
    /// Fingerprints of the live paths before the first rename forward.
    pub(super) fingerprints: Fingerprints,
    pub(super) exceptions: BackwardExceptions,
    /// Place of the failure that ended the walk: the step with the operation.
    pub(super) failed_at: Option<String>,
}

/// Parts that a backward walk does not bring back, or takes away for other runs. They follow from the records of all runs, so that every command finds the same ones.
#[derive(Debug, Default)]
pub(super) struct BackwardExceptions {
    /// Records that stay as they are: a later run touched them.
    pub(super) left_alone: BTreeSet<RelPath>,
    /// Records that end missing, with the old one kept in its slot: the run that had made them was
    /// undone.
    pub(super) left_empty: BTreeSet<RelPath>,
    /// Those of `left_alone` that were missing before this run, or before one that was undone.
    pub(super) left_services: BTreeSet<RelPath>,
    /// Containers that undone runs had made, and left because this one was there.
    pub(super) inherited_containers: BTreeSet<RelPath>,
}

impl SwapWalk<'_> {
    /// Walks to the planned state. May be called at any time: swaps that are done are skipped.
    pub(super) fn forward(&mut self) -> Result<(), RunError> {
        let plan = self.plan;
        let phase = self.begin_phase("committing");
        let swaps = plan.swaps_by_step();
        for step in plan.steps.iter().map(Some).chain([None]) {
            if let Some(step) = step.filter(|step| self.listener.stops_before(step)) {
                return self.pause(RunError::StopsBefore {
                    step: step.id.clone(),
                });
            }
            self.listener.report(&Event::Step {
                step: step.map(|step| step.id.clone()),
                direction: Direction::Forward,
            });
            let operations = by_swap(step);
            let mut moved = Moved::Nothing;
            for &swap in swaps.of(step) {
                let slot = Slot::new(self.disk, self.run, swap);
                if self.listener.is_stopped() && slot.state()? != SwapState::Done {
                    return self.pause(RunError::Interrupted);
                }
                let since = Instant::now();
                let of_swap = operations_of(&operations, swap);
                at_first(&phase, of_swap);
                let forward = slot.forward(&self.fingerprints);
                if self.at_swap(swap, Direction::Forward, forward)? == Moved::Something {
                    moved = Moved::Something;
                    self.report_swapped(of_swap, swap, Direction::Forward, since.elapsed());
                }
                phase.advance(of_swap.len() as u64);
            }
            if moved == Moved::Something {
                phase.at(SYNCING);
                self.sync(step, Direction::Forward)?;
            }
            if let Some((step, manual)) = step.and_then(|step| Some((step, step.manual.as_ref()?)))
            {
                self.run_manual_step(step, manual)?;
            }
            if let Some(step) = step.filter(|step| step.undo.is_some()) {
                self.redo_packages(step)?;
            }
        }
        Ok(())
    }

    /// Walks to the state before. Ends at a manual step that cannot be undone.
    pub(super) fn back(&mut self) -> Result<(), RunError> {
        let plan = self.plan;
        let phase = self.begin_phase("rolling back");
        let left_empty = self.left_empty();
        let swaps = plan.swaps_by_step();
        for step in plan.steps.iter().map(Some).chain([None]).rev() {
            if let Some((step, manual)) = step.and_then(|step| Some((step, step.manual.as_ref()?)))
            {
                self.undo_manual_step(step, manual)?;
            }
            if let Some((step, undo)) = step.and_then(|step| Some((step, step.undo.as_ref()?))) {
                self.undo_packages(step, undo, swaps.of(Some(step)))?;
            }
            let operations = by_swap(step);
            let mut moved = Moved::Nothing;
            let mut step_reported = false;
            for &swap in swaps.of(step).iter().rev() {
                if self.exceptions.left_alone.contains(&swap.live) {
                    continue;
                }
                let slot = Slot::new(self.disk, self.run, swap);
                let end = match left_empty.contains(&swap.number) {
                    true => SwapState::Between,
                    false => SwapState::NotBegun,
                };
                if self.listener.is_stopped() && slot.state()? != end {
                    return self.pause(RunError::Interrupted);
                }
                if let Some(step) = step.filter(|_| is_irreversible(&operations, swap))
                    && slot.state()? == SwapState::Done
                {
                    return self.pause(self.point_of_no_return(step));
                }
                let since = Instant::now();
                let of_swap = operations_of(&operations, swap);
                at_first(&phase, of_swap);
                let gone_back = match end {
                    SwapState::Between => slot.back_to_between(),
                    _ => slot.back(),
                };
                if self.at_swap(swap, Direction::Back, gone_back)? == Moved::Something {
                    moved = Moved::Something;
                    let took = since.elapsed();
                    if !step_reported {
                        self.listener.report(&Event::Step {
                            step: step.map(|step| step.id.clone()),
                            direction: Direction::Back,
                        });
                        step_reported = true;
                    }
                    self.report_swapped(of_swap, swap, Direction::Back, took);
                }
                phase.advance(of_swap.len() as u64);
            }
            if moved == Moved::Something {
                phase.at(SYNCING);
                self.sync(step, Direction::Back)?;
            }
        }
        Ok(())
    }

    /// Returns the numbers of the swaps that are rolled back halfway, so that their live paths stay empty:
    /// of several swaps of a path that is the first one.
    fn left_empty(&self) -> BTreeSet<u32> {
        let mut first: BTreeMap<&RelPath, u32> = BTreeMap::new();
        for swap in &self.plan.swaps {
            first.entry(&swap.live).or_insert(swap.number);
        }
        first.retain(|path, _| self.exceptions.left_empty.contains(*path));
        first.into_values().collect()
    }

    /// Begins the phase of a walk over all operations; those that are done already count at once.
    fn begin_phase(&mut self, name: &str) -> Arc<Phase> {
        let operations = self.plan.operations().count() as u64;
        let phase = Phase::items(name, "operations", operations, SYNCING);
        begin_phase(self.listener, phase)
    }

    /// Passes a result on; remembers and reports the place of a failure.
    fn at_swap<T>(
        &mut self,
        swap: &Swap,
        direction: Direction,
        result: Result<T, RunError>,
    ) -> Result<T, RunError> {
        if result.is_err() {
            let place = place_of(self.plan, swap, direction);
            self.listener.failed(direction, &place);
            self.failed_at = Some(place);
        }
        result
    }

    /// Returns the error of the rollback that ends at a step.
    fn point_of_no_return(&self, step: &PlannedStep) -> RunError {
        let points = self.plan.points_of_no_return();
        let point = points.iter().rfind(|point| point.step.id == step.id);
        RunError::PointOfNoReturn {
            point: point.map_or_else(|| format!("step `{}`", step.id), ToString::to_string),
            why: point.map_or("", |point| point.why).to_owned(),
        }
    }

    /// Stops the walk and leaves the run open, with everything so far on disk.
    fn pause(&self, why: RunError) -> Result<(), RunError> {
        self.disk.sync()?;
        Err(why)
    }

    /// Syncs the objects that a step moved to disk. Most of a commit's time is spent here.
    fn sync(&mut self, step: Option<&PlannedStep>, direction: Direction) -> Result<(), RunError> {
        let since = Instant::now();
        self.disk.sync()?;
        self.listener.report(&Event::Sync {
            step: step.map(|step| step.id.clone()),
            direction,
            took_us: micros(since.elapsed()),
        });
        Ok(())
    }

    fn report_swapped(
        &mut self,
        operations: &[&Operation],
        swap: &Swap,
        direction: Direction,
        took: Duration,
    ) {
        self.listener.report(&Event::Swapped {
            swap: swap.number,
            step: swap.step.clone(),
            direction,
            took_us: micros(took),
            operations: operations
                .iter()
                .map(|operation| EventOperation::of(operation))
                .collect(),
        });
    }

    /// Asks about work by hand, and records `done` once it is done. Waits without an answer.
    fn ask(&mut self, question: &Question<'_>, done: Answer) -> Result<(), RunError> {
        let (step, direction) = (question.step, question.direction);
        self.listener.report(&Event::Asked {
            step: step.id.clone(),
            direction,
        });
        let since = Instant::now();
        let source = self.listener.source(question);
        let answer = match self.listener.ask(question) {
            Reply::Done => done,
            Reply::Skip if question.optional => Answer::Skipped,
            _ => {
                return Err(RunError::Waiting {
                    step: step.id.clone(),
                    direction,
                });
            }
        };
        self.confirm(step, answer, source, since.elapsed())
    }

    /// Waits for an answer, unless the journal has it already.
    fn run_manual_step(&mut self, step: &PlannedStep, manual: &ManualStep) -> Result<(), RunError> {
        if matches!(
            self.journal.journal().confirmed(&step.id),
            Some(Answer::Done | Answer::Skipped)
        ) {
            return Ok(());
        }
        let question = Question {
            step,
            text: &manual.instructions,
            optional: manual.optional,
            servers: &manual.servers,
            direction: Direction::Forward,
        };
        self.ask(&question, Answer::Done)
    }

    /// Waits until a manual step that was done is undone by hand; without instructions for it the
    /// rollback ends here.
    fn undo_manual_step(
        &mut self,
        step: &PlannedStep,
        manual: &ManualStep,
    ) -> Result<(), RunError> {
        if self.journal.journal().confirmed(&step.id) != Some(Answer::Done) {
            return Ok(());
        }
        let Some(undo) = &manual.undo else {
            return Err(self.point_of_no_return(step));
        };
        self.ask_to_undo(step, undo, &manual.servers)
    }

    /// Waits until the packages of a step, which rollup cannot open, are rolled back by hand, if any
    /// of them is in its place. The files follow.
    fn undo_packages(
        &mut self,
        step: &PlannedStep,
        undo: &str,
        swaps: &[&Swap],
    ) -> Result<(), RunError> {
        if self.journal.journal().is_undone_by_hand(&step.id) {
            return Ok(());
        }
        let mut done = BTreeSet::new();
        for swap in swaps {
            if Slot::new(self.disk, self.run, swap).state()? == SwapState::Done {
                done.insert(swap.number);
            }
        }
        let operations = step.operations.iter();
        let servers: Vec<String> = operations
            .filter(|operation| done.contains(&operation.swap))
            .filter_map(|operation| operation.server.clone())
            .collect();
        if servers.is_empty() {
            return Ok(());
        }
        self.ask_to_undo(step, undo, &servers)
    }

    /// Waits until packages that were rolled back by hand are done again by hand, too.
    fn redo_packages(&mut self, step: &PlannedStep) -> Result<(), RunError> {
        if !self.journal.journal().is_undone_by_hand(&step.id) {
            return Ok(());
        }
        let mut servers: Vec<String> = Vec::new();
        for server in step.operations.iter().filter_map(|one| one.server.as_ref()) {
            if servers.last() != Some(server) {
                servers.push(server.clone());
            }
        }
        let text = step.again_by_hand();
        let question = Question {
            step,
            text: &text,
            optional: false,
            servers: &servers,
            direction: Direction::Forward,
        };
        self.ask(&question, Answer::Done)
    }

    /// Asks a person to roll a step back, and records the answer.
    fn ask_to_undo(
        &mut self,
        step: &PlannedStep,
        undo: &str,
        servers: &[String],
    ) -> Result<(), RunError> {
        let question = Question {
            step,
            text: undo,
            optional: false,
            servers,
            direction: Direction::Back,
        };
        self.ask(&question, Answer::RolledBack)
    }

    fn confirm(
        &mut self,
        step: &PlannedStep,
        answer: Answer,
        source: AnswerSource,
        waited: Duration,
    ) -> Result<(), RunError> {
        let by = source.is_person().then(user);
        let record = Record::Confirmed {
            step: step.id.clone(),
            by: by.clone(),
            from: Some(source),
            answer,
        };
        self.journal.write(self.disk, record)?;
        self.listener.report(&Event::Answered {
            step: step.id.clone(),
            answer,
            by: by.unwrap_or_default(),
            from: Some(source),
            waited_us: micros(waited),
        });
        Ok(())
    }
}

/// Describes the place of a swap: its step, and the operation with its number.
fn place_of(plan: &Plan, swap: &Swap, direction: Direction) -> String {
    let rollback = match direction {
        Direction::Forward => "",
        Direction::Back => "rollback of ",
    };
    let Some(step) = &swap.step else {
        return format!("{rollback}the record of the applied updates");
    };
    let all = plan.operations().count();
    let mut numbered = (1..).zip(plan.operations());
    match numbered.find(|(_, operation)| operation.swap == swap.number) {
        Some((number, operation)) => {
            format!("{rollback}step `{step}`, operation {number} of {all} ({operation})")
        }
        None => format!("{rollback}step `{step}`"),
    }
}

/// Returns whether an operation of a swap cannot be rolled back.
fn is_irreversible(operations: &BTreeMap<u32, Vec<&Operation>>, swap: &Swap) -> bool {
    let mut operations = operations.get(&swap.number).into_iter().flatten();
    operations.any(|operation| operation.irreversible.is_some())
}

/// Returns the operations of a swap.
fn operations_of<'o, 'p>(
    operations: &'o BTreeMap<u32, Vec<&'p Operation>>,
    swap: &Swap,
) -> &'o [&'p Operation] {
    operations.get(&swap.number).map_or(&[], Vec::as_slice)
}

/// Sets the target of the first operation as what a phase works on.
fn at_first(phase: &Phase, operations: &[&Operation]) {
    if let Some(first) = operations.first() {
        phase.at(&first.target);
    }
}

/// Returns the operations of a step, by the swap that does them.
fn by_swap(step: Option<&PlannedStep>) -> BTreeMap<u32, Vec<&Operation>> {
    let mut operations: BTreeMap<u32, Vec<&Operation>> = BTreeMap::new();
    for operation in step.iter().flat_map(|step| &step.operations) {
        operations
            .entry(operation.swap)
            .or_default()
            .push(operation);
    }
    operations
}
