//! Steps of a run in progress.

use crate::cli::terminal::out::count;
use crate::journal::{Answer, Run};
use crate::plan::PlannedStep;
use crate::run::RunExamination;

/// Describes how much of a step is done.
pub(crate) fn describe_step(step: &PlannedStep, progress: &RunExamination, run: &Run) -> String {
    if step.manual.is_some() {
        let how = match run.journal.confirmed(&step.id) {
            Some(Answer::Done) => "done by hand",
            Some(Answer::Skipped) => "skipped",
            Some(Answer::RolledBack) => "rolled back by hand",
            None => "to be done by hand",
        };
        return format!("step {}: {how}", step.id);
    }
    let all = step.operations.len();
    let done = step
        .operations
        .iter()
        .filter(|operation| progress.is_done(operation.swap))
        .count();
    let operations = count(all, "operation", "operations");
    match done {
        _ if all == 0 => format!("step {}: nothing to do", step.id),
        0 => format!("step {}: not begun, {operations}", step.id),
        done if done == all => format!("step {}: done, {operations}", step.id),
        done => format!("step {}: {done} of {operations} done", step.id),
    }
}
