//! Reversibility of a plan: what cannot be rolled back, and what rollup cannot know.

use std::fmt;

use super::{Operation, OperationKind, Plan, PlannedStep, TargetState};

/// Reason why a manual step without instructions for its rollback cannot be rolled back.
const WITHOUT_UNDO: &str = "the manifest has no `undo` instructions for it";

/// Most targets that are named one by one.
const MOST_NAMED: usize = 3;

/// Part of a step behind which a run is not rolled back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointOfNoReturn<'p> {
    pub step: &'p PlannedStep,
    /// Operations with the same reason; none for a manual step.
    pub operations: Vec<&'p Operation>,
    /// Reason why it cannot be rolled back.
    pub why: &'p str,
}

impl PointOfNoReturn<'_> {
    /// Returns whether it is one only if a person does the step.
    pub fn is_optional(&self) -> bool {
        let manual = self.step.manual.as_ref();
        manual.is_some_and(|manual| manual.optional)
    }
}

impl fmt::Display for PointOfNoReturn<'_> {
    /// Writes the name of the step, with the operations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = &self.step.id;
        if self.step.manual.is_some() {
            return write!(f, "the manual step `{id}`");
        }
        write!(f, "step `{id}`")?;
        for (at, operation) in self.operations.iter().take(MOST_NAMED).enumerate() {
            let before = if at == 0 { " (" } else { ", " };
            write!(f, "{before}{operation}")?;
        }
        match self.operations.len().saturating_sub(MOST_NAMED) {
            0 => f.write_str(")"),
            more => write!(f, " and {more} more)"),
        }
    }
}

impl fmt::Display for Operation {
    /// Writes the operation with its target: `install Provider on MPS01`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.word(), self.target)?;
        match &self.server {
            Some(server) => write!(f, " on {server}"),
            None => Ok(()),
        }
    }
}

impl Plan {
    /// Returns the points of no return, in the order of the run.
    pub fn points_of_no_return(&self) -> Vec<PointOfNoReturn<'_>> {
        self.points_passed(|_| true, |_| true)
    }

    /// Returns the points of no return that are passed if just these operations are done, and these
    /// manual steps.
    pub fn points_passed(
        &self,
        is_done: impl Fn(&Operation) -> bool,
        is_done_by_hand: impl Fn(&PlannedStep) -> bool,
    ) -> Vec<PointOfNoReturn<'_>> {
        let mut points: Vec<PointOfNoReturn<'_>> = Vec::new();
        for step in &self.steps {
            let manual = step.manual.as_ref();
            if manual.is_some_and(|manual| manual.undo.is_none()) && is_done_by_hand(step) {
                points.push(PointOfNoReturn {
                    step,
                    operations: Vec::new(),
                    why: WITHOUT_UNDO,
                });
            }
            for operation in step.operations.iter().filter(|one| is_done(one)) {
                let Some(why) = operation.irreversible.as_deref() else {
                    continue;
                };
                match points.last_mut() {
                    Some(last) if last.step.id == step.id && last.why == why => {
                        last.operations.push(operation);
                    }
                    _ => points.push(PointOfNoReturn {
                        step,
                        operations: vec![operation],
                        why,
                    }),
                }
            }
        }
        points
    }

    /// Returns the names of the procedures that no author marked as irreversible, each once. A
    /// rollback restores their records; what they changed elsewhere is not known.
    pub fn unmarked_procedures(&self) -> Vec<&str> {
        self.unmarked_procedures_run(|_| true)
    }

    /// Returns those of them that ran if just these operations are done.
    pub fn unmarked_procedures_run(&self, is_done: impl Fn(&Operation) -> bool) -> Vec<&str> {
        let mut names = Vec::new();
        for operation in self.operations().filter(|operation| is_done(operation)) {
            let is_procedure = operation.kind == OperationKind::Initialize
                || matches!(operation.after, TargetState::Procedure { .. });
            let name = operation.target.as_str();
            if is_procedure && operation.irreversible.is_none() && !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }
}
