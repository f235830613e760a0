//! The exact rollback of a plan, as text: the operations of `undo`, before anything is done.

use super::words::{
    POINT_OF_NO_RETURN, describe_target, group_operations, restarts_after_undo, restored_state,
    step_heading,
};
use crate::cli::terminal::out::{BOLD, WARN, count, styled, wrapped};
use crate::names::Escaped;
use crate::plan::{Operation, Plan, PlannedStep};

/// Column in which the names of operations begin.
const INDENT: usize = 16;

/// Formats the steps in reverse, each operation followed by the state that it restores; no wider
/// than `width` as far as words allow it.
pub(super) fn text(plan: &Plan, width: usize) -> String {
    let head = match &plan.digest {
        Some(digest) => format!("rollback of plan {digest}"),
        None => "rollback, as far as it is known without a payload".to_owned(),
    };
    let mut lines = vec![styled(BOLD, wrapped(&head, width, "  "))];
    let mut operations = 0;
    for (at, step) in plan.steps.iter().enumerate().rev() {
        lines.push(String::new());
        lines.push(styled(
            BOLD,
            wrapped(&step_heading(at + 1, step), width, "   "),
        ));
        manual_lines(&mut lines, step, width);
        for group in group_operations(&step.operations).into_iter().rev() {
            operations += group.len();
            operation_lines(&mut lines, &group, width);
        }
        if step.operations.is_empty() && step.manual.is_none() {
            lines.push("   = nothing    the step changes nothing".to_owned());
        }
    }
    lines.push(String::new());
    for restart in restarts_after_undo(plan) {
        lines.push(wrapped(
            &format!("required: {restart}; restoring its record does not restart it"),
            width,
            "  ",
        ));
    }
    lines.push(format!(
        "{} to roll back, in reverse order",
        count(operations, "operation", "operations")
    ));
    lines.join("\n")
}

/// Adds a manual step: how to roll it back, or that the rollback ends here if the step was done.
fn manual_lines(lines: &mut Vec<String>, step: &PlannedStep, width: usize) {
    let Some(manual) = &step.manual else { return };
    let (word, text) = match &manual.undo {
        Some(undo) => ("manual", Escaped(undo).to_string()),
        None => ("stop", POINT_OF_NO_RETURN.to_owned()),
    };
    let text = wrapped(&text, width.saturating_sub(INDENT), &" ".repeat(INDENT));
    lines.push(format!("   {} {word:<10} {text}", styled(WARN, "?")));
}

fn operation_lines(lines: &mut Vec<String>, group: &[&Operation], width: usize) {
    let first = group[0];
    let (sign, word) = first.kind.inverse();
    let left = format!(
        "   {sign} {word:<10} {}",
        wrapped(&describe_target(group), width, &" ".repeat(INDENT))
    );
    let restored = restored_state(first);
    let used = left.lines().last().map_or(0, |line| line.chars().count());
    match width.saturating_sub(used + restored.chars().count()) {
        _ if restored.is_empty() => lines.push(left),
        0 | 1 => {
            lines.push(left);
            lines.push(format!("{restored:>width$}"));
        }
        gap => lines.push(format!("{left}{}{restored}", " ".repeat(gap))),
    }
}
