//! The exact way back of a plan, as text: what `undo` would do, before anything is done.

use super::super::out::{BOLD, WARN, count, styled, wrapped};
use super::{grouped, inverse, stands_again, target};
use crate::names::Shown;
use crate::plan::{Operation, Plan, PlannedStep};

/// Where the names of operations begin.
const INDENT: usize = 16;

/// The steps in reverse, each operation with what stands again behind it; no wider than `width` where words allow it.
pub(super) fn text(plan: &Plan, width: usize) -> String {
    let head = match &plan.digest {
        Some(digest) => format!("the way back of plan {digest}"),
        None => "the way back, as far as it is known without a payload".to_owned(),
    };
    let mut lines = vec![styled(BOLD, wrapped(&head, width, "  "))];
    let mut operations = 0;
    for (at, step) in plan.steps.iter().enumerate().rev() {
        lines.push(String::new());
        lines.push(styled(BOLD, wrapped(&format!("{}. {}: {}", at + 1, step.id, Shown(&step.title)), width, "   ")));
        if ends_here(&mut lines, step, width) {
            break;
        }
        for group in grouped(&step.operations).into_iter().rev() {
            operations += group.len();
            operation(&mut lines, &group, width);
        }
        if step.operations.is_empty() && step.gate.is_none() {
            lines.push("   = nothing    the step changes nothing".to_owned());
        }
    }
    lines.push(String::new());
    lines.push(format!("{} back, in reverse order", count(operations, "operation", "operations")));
    lines.join("\n")
}

/// A manual step on the way: how it is taken back, or that nobody says how.
fn ends_here(lines: &mut Vec<String>, step: &PlannedStep, width: usize) -> bool {
    let Some(gate) = &step.gate else { return false };
    let (word, told) = match &gate.undo {
        Some(undo) => ("by hand", Shown(undo).to_string()),
        None => {
            let text = "nobody says how this is taken back: once it is done there is no way to anything before it";
            ("no way", text.to_owned())
        }
    };
    let told = wrapped(&told, width.saturating_sub(INDENT), &" ".repeat(INDENT));
    lines.push(format!("   {} {word:<10} {told}", styled(WARN, "?")));
    gate.undo.is_none()
}

fn operation(lines: &mut Vec<String>, group: &[&Operation], width: usize) {
    let first = group[0];
    let (sign, word) = inverse(first);
    let left = format!("   {sign} {word:<10} {}", wrapped(&target(group), width, &" ".repeat(INDENT)));
    let again = stands_again(&first.was);
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
