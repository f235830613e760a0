//! Steps of a run in progress, and the answers to manual steps.

use crate::cli::terminal::out::{count, preceded};
use crate::journal::{Answer, AnswerSource, Damaged, Direction, Journal, Record, Run, RunState};
use crate::names::same_name;
use crate::plan::PlannedStep;
use crate::run::RunExamination;

/// Describes how much of a step is done.
pub(crate) fn describe_step(step: &PlannedStep, progress: &RunExamination, run: &Run) -> String {
    if step.manual.is_some() {
        let how =
            last_answer(&run.journal, &step.id).unwrap_or_else(|| "to be done by hand".to_owned());
        return format!("step {}: {how}", step.id);
    }
    let all = step.operations.len();
    let done = step
        .operations
        .iter()
        .filter(|operation| progress.is_done(operation.swap))
        .count();
    let operations = count(all, "operation");
    match done {
        _ if all == 0 => format!("step {}: nothing to do", step.id),
        0 => format!("step {}: not begun, {operations}", step.id),
        done if done == all => format!("step {}: done, {operations}", step.id),
        done => format!("step {}: {done} of {operations} done", step.id),
    }
}

/// Describes the latest answer to a manual step, if there is one.
pub(crate) fn last_answer(journal: &Journal, id: &str) -> Option<String> {
    let mut records = journal.entries.iter().rev().map(|entry| &entry.record);
    records.find_map(|record| match record {
        Record::Confirmed {
            step,
            by,
            from,
            answer,
        } if step == id => Some(describe_answer(*answer, by.as_deref(), *from)),
        _ => None,
    })
}

/// Describes an answer to a manual step: who gave it, and from where.
pub(crate) fn describe_answer(
    answer: Answer,
    by: Option<&str>,
    from: Option<AnswerSource>,
) -> String {
    let answer = match answer {
        Answer::Done => "done",
        Answer::Skipped => "skipped",
        Answer::RolledBack => "rolled back",
    };
    let by = preceded(" by ", by);
    match from {
        Some(AnswerSource::Terminal) => format!("{answer}{by} at a prompt"),
        Some(AnswerSource::CommandLine) => format!("{answer}{by} with `--done`"),
        Some(AnswerSource::Rehearsal) => format!("{answer} in a rehearsal, without a prompt"),
        Some(AnswerSource::NoTerminal) => format!("{answer}; not asked: no terminal"),
        Some(AnswerSource::Slots) => format!("{answer}, by what the slots show"),
        None => format!("{answer}{by}"),
    }
}

/// Returns the commands that end a run in this state, each with its effect, the one for its direction
/// first.
pub(crate) fn ways_to_end(state: RunState) -> Vec<(&'static str, &'static str)> {
    let (resume, undo) = (("resume", "finishes it"), ("undo", "rolls it back"));
    match state {
        RunState::Staging => vec![("undo", "removes it, and so does the next apply")],
        RunState::Staged => vec![("resume", "commits it"), ("undo", "discards it")],
        RunState::Unfinished(Direction::Forward) => vec![resume, undo],
        RunState::Unfinished(Direction::Back) => vec![undo, resume],
        RunState::Damaged(Damaged::Interrupted) => vec![
            ("resume --from-slots", "finishes it without its journal"),
            ("undo --from-slots", "rolls it back without its journal"),
        ],
        RunState::Damaged(_) | RunState::Closed(_) => Vec::new(),
    }
}

/// Returns the id of a step, with its title if it has one of its own.
pub(crate) fn with_title(id: &str, title: &str) -> String {
    if same_name(id, title) {
        id.to_owned()
    } else {
        format!("{id}: {title}")
    }
}
