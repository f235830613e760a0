//! Undo of finished runs, in words.

use std::path::Path;

use super::plan::describe_elsewhere;
use crate::cli::advice::command_for;
use crate::run::UndoAnswer;

/// Describes whether a finished run can be undone, and what an undo cannot restore.
pub(crate) fn describe_undo(answer: &UndoAnswer) -> String {
    if !answer.possible {
        return format!("cannot be undone: {}", answer.why_not());
    }
    match describe_elsewhere(&answer.unknown_elsewhere) {
        None => "can be undone".to_owned(),
        Some(elsewhere) => format!("can be undone; {elsewhere}"),
    }
}

/// Describes how to undo a finished run, or why that is not possible.
pub(crate) fn describe_undo_command(deployment: &Path, run: &str, answer: &UndoAnswer) -> String {
    if answer.possible {
        let undo = command_for(deployment, &format!("undo {run}"));
        format!("`{undo}` rolls it back")
    } else {
        format!("cannot be undone: {}", answer.why_not())
    }
}
