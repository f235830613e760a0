//! Undo of finished runs, in words.

use super::plan::describe_elsewhere;
use crate::run::UndoAnswer;

/// Describes whether a finished run can be undone, and what an undo cannot restore.
pub(crate) fn describe_undo(answer: &UndoAnswer) -> String {
    if !answer.possible {
        return format!("cannot be undone: {}", answer.why_not());
    }
    let procedures = answer.unknown_elsewhere.iter().map(String::as_str);
    match describe_elsewhere(procedures) {
        None => "can be undone".to_owned(),
        Some(elsewhere) => format!("can be undone; {elsewhere}"),
    }
}
