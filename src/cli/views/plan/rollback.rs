//! The exact rollback of a plan, as text: what `undo` would do, before anything is done.

use super::words::{grouped, heading, inverse, restarts_due, stands_again, target};
use crate::cli::terminal::out::{BOLD, WARN, count, styled, wrapped};
use crate::names::Escaped;
use crate::plan::{Operation, Plan, PlannedStep};

/// Column in which the names of operations begin.
const INDENT: usize = 16;

/// Formats the steps in reverse, each operation followed by what it restores; no wider than `width`
/// as far as words allow it.
pub(super) fn text(plan: &Plan, width: usize) -> String {
    let head = match &plan.digest {
        Some(digest) => format!("the way back of plan {digest}"),
        None => "the way back, as far as it is known without a payload".to_owned(),
    };
    let mut lines = vec![styled(BOLD, wrapped(&head, width, "  "))];
    let mut operations = 0;
    for (at, step) in plan.steps.iter().enumerate().rev() {
        lines.push(String::new());
        lines.push(styled(BOLD, wrapped(&heading(at + 1, step), width, "   ")));
        by_hand(&mut lines, step, width);
        for group in grouped(&step.operations).into_iter().rev() {
            operations += group.len();
            operation(&mut lines, &group, width);
        }
        if step.operations.is_empty() && step.manual.is_none() {
            lines.push("   = nothing    the step changes nothing".to_owned());
        }
    }
    lines.push(String::new());
    for restart in restarts_due(plan) {
        lines.push(wrapped(
            &format!(
                "due then: a restart of {restart}; its file is put back, and it does not notice"
            ),
            width,
            "  ",
        ));
    }
    lines.push(format!(
        "{} back, in reverse order",
        count(operations, "operation", "operations")
    ));
    lines.join("\n")
}

/// Adds a manual step: how to roll it back, or that the rollback ends here if the step was done.
fn by_hand(lines: &mut Vec<String>, step: &PlannedStep, width: usize) {
    let Some(manual) = &step.manual else { return };
    let (word, told) = match &manual.undo {
        Some(undo) => ("by hand", Escaped(undo).to_string()),
        None => {
            let text = "nobody says how this is taken back: where it was done, the way ends here, and a finished run \
                        cannot be undone at all; what follows is for a run that did not get here";
            ("no way", text.to_owned())
        }
    };
    let told = wrapped(&told, width.saturating_sub(INDENT), &" ".repeat(INDENT));
    lines.push(format!("   {} {word:<10} {told}", styled(WARN, "?")));
}

fn operation(lines: &mut Vec<String>, group: &[&Operation], width: usize) {
    let first = group[0];
    let (sign, word) = inverse(first);
    let left = format!(
        "   {sign} {word:<10} {}",
        wrapped(&target(group), width, &" ".repeat(INDENT))
    );
    let again = stands_again(first);
    let used = left.lines().last().map_or(0, |line| line.chars().count());
    match width.saturating_sub(used + again.chars().count()) {
        _ if again.is_empty() => lines.push(left),
        0 | 1 => {
            lines.push(left);
            lines.push(format!("{again:>width$}"));
        }
        gap => lines.push(format!("{left}{}{again}", " ".repeat(gap))),
    }
}
