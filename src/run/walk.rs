//! Walk over the swaps, in order or in reverse, with a sync after every step.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::swap::{Moved, Progress, Slot};
use super::witness::Witness;
use super::{Event, Listener, Question, Reply, RunError};
use crate::deployment::lock::user;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Answer, Direction, Record, Writer};
use crate::names::RelPath;
use crate::plan::{ManualStep, Operation, Plan, PlannedStep, Swap};

/// Run that is being walked.
pub(super) struct Walk<'a> {
    pub(super) disk: &'a LockedDeployment,
    pub(super) plan: &'a Plan,
    pub(super) run: &'a RelPath,
    pub(super) journal: &'a mut Writer,
    pub(super) listener: &'a mut dyn Listener,
    /// State of the live paths before the first rename forward.
    pub(super) witness: Witness,
}

impl Walk<'_> {
    /// Walks to the planned state. May be called at any time, whatever is done already.
    pub(super) fn forward(&mut self) -> Result<(), RunError> {
        let plan = self.plan;
        for step in plan.steps.iter().map(Some).chain([None]) {
            if let Some(step) = step.filter(|step| self.listener.stops_before(step)) {
                return self.pause(RunError::StopsBefore {
                    step: step.id.clone(),
                });
            }
            self.listener.tell(&Event::Step {
                step,
                direction: Direction::Forward,
            });
            let operations = by_swap(step);
            let mut moved = Moved::Nothing;
            for swap in plan.swaps_of(step.map(|step| step.id.as_str())) {
                let slot = Slot::new(self.disk, self.run, swap);
                if self.listener.is_stopped() && slot.progress()? != Progress::Done {
                    return self.pause(RunError::Interrupted);
                }
                let since = Instant::now();
                if slot.forward(&self.witness)? == Moved::Something {
                    moved = Moved::Something;
                    self.tell_swapped(&operations, swap, Direction::Forward, since.elapsed());
                }
            }
            if moved == Moved::Something {
                self.sync(step, Direction::Forward)?;
            }
            if let Some((step, manual)) = step.and_then(|step| Some((step, step.manual.as_ref()?)))
            {
                self.pass(step, manual)?;
            }
        }
        Ok(())
    }

    /// Walks to the state before. Ends at a manual step that cannot be undone.
    pub(super) fn back(&mut self) -> Result<(), RunError> {
        let plan = self.plan;
        for step in plan.steps.iter().map(Some).chain([None]).rev() {
            if let Some((step, manual)) = step.and_then(|step| Some((step, step.manual.as_ref()?)))
            {
                self.pass_back(step, manual)?;
            }
            let operations = by_swap(step);
            let mut moved = Moved::Nothing;
            let mut told = false;
            for swap in plan.swaps_of(step.map(|step| step.id.as_str())).rev() {
                let slot = Slot::new(self.disk, self.run, swap);
                if self.listener.is_stopped() && slot.progress()? != Progress::NotBegun {
                    return self.pause(RunError::Interrupted);
                }
                let since = Instant::now();
                if slot.back()? == Moved::Something {
                    moved = Moved::Something;
                    let took = since.elapsed();
                    if !told {
                        self.listener.tell(&Event::Step {
                            step,
                            direction: Direction::Back,
                        });
                        told = true;
                    }
                    self.tell_swapped(&operations, swap, Direction::Back, took);
                }
            }
            if moved == Moved::Something {
                self.sync(step, Direction::Back)?;
            }
        }
        Ok(())
    }

    /// Leaves the run where it is, with everything so far on disk.
    fn pause(&self, why: RunError) -> Result<(), RunError> {
        self.disk.sync()?;
        Err(why)
    }

    /// Syncs what a step moved to disk. Most of a commit's time is spent here.
    fn sync(&mut self, step: Option<&PlannedStep>, direction: Direction) -> Result<(), RunError> {
        let since = Instant::now();
        self.disk.sync()?;
        self.listener.tell(&Event::Sync {
            step,
            direction,
            took: since.elapsed(),
        });
        Ok(())
    }

    fn tell_swapped(
        &mut self,
        operations: &BTreeMap<u32, Vec<&Operation>>,
        swap: &Swap,
        direction: Direction,
        took: Duration,
    ) {
        let operations = operations
            .get(&swap.number)
            .map(Vec::as_slice)
            .unwrap_or_default();
        self.listener.tell(&Event::Swapped {
            swap,
            operations,
            direction,
            took,
        });
    }

    /// Asks about a manual step, and measures how long the answer takes.
    fn ask(&mut self, question: &Question<'_>) -> (Reply, Duration) {
        self.listener.tell(&Event::Asked {
            step: question.step,
            direction: question.direction,
        });
        let since = Instant::now();
        let reply = self.listener.ask(question);
        (reply, since.elapsed())
    }

    /// Waits for an answer, unless the journal has it already.
    fn pass(&mut self, step: &PlannedStep, manual: &ManualStep) -> Result<(), RunError> {
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
        let (reply, waited) = self.ask(&question);
        let answer = match reply {
            Reply::Done => Answer::Done,
            Reply::Skip if manual.optional => Answer::Skipped,
            _ => {
                return Err(RunError::Waiting {
                    step: step.id.clone(),
                    direction: Direction::Forward,
                });
            }
        };
        self.confirm(step, answer, waited)
    }

    /// Waits until what was done by hand is undone by hand; without instructions for it the
    /// rollback ends here.
    fn pass_back(&mut self, step: &PlannedStep, manual: &ManualStep) -> Result<(), RunError> {
        if self.journal.journal().confirmed(&step.id) != Some(Answer::Done) {
            return Ok(());
        }
        let Some(undo) = &manual.undo else {
            return Err(RunError::NoReturn {
                step: step.id.clone(),
            });
        };
        let question = Question {
            step,
            text: undo,
            optional: false,
            servers: &manual.servers,
            direction: Direction::Back,
        };
        match self.ask(&question) {
            (Reply::Done, waited) => self.confirm(step, Answer::TakenBack, waited),
            _ => Err(RunError::Waiting {
                step: step.id.clone(),
                direction: Direction::Back,
            }),
        }
    }

    fn confirm(
        &mut self,
        step: &PlannedStep,
        answer: Answer,
        waited: Duration,
    ) -> Result<(), RunError> {
        let by = user();
        let record = Record::Confirmed {
            step: step.id.clone(),
            by: by.clone(),
            answer,
        };
        self.journal.write(self.disk, record)?;
        self.listener.tell(&Event::Answered {
            step,
            answer,
            by: &by,
            waited,
        });
        Ok(())
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
