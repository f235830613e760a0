//! A plan as text.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{
    describe_change, describe_manual_step, describe_rollback, describe_size, describe_target,
    group_operations, grouped_outages, newly_installed, permanent_outages, plan_title, rollup_list,
    scope_lines, short_hash, short_hashes, step_heading, target_directory,
};
use crate::cli::terminal::out::{BOLD, DIM, WARN, count, number, styled, wrapped};
use crate::journal::Direction;
use crate::names::{Escaped, RelPath};
use crate::plan::{Operation, Plan, PlannedStep, TargetState, UnchangedTarget};
use crate::run::{RunExamination, SwapState};

/// Column in which the names of operations begin.
const INDENT: usize = 16;
/// Largest number of items with the same outage that are listed; more are counted, and the steps
/// name them.
const NAMED: usize = 5;

/// Display of the reason for each operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reasons {
    Shown,
    Omitted,
}

/// Formats the plan line by line, no wider than `width` as far as words allow it.
pub(crate) fn text(plan: &Plan, width: usize, reasons: Reasons) -> String {
    let mut lines = Vec::new();
    head(&mut lines, plan, width);
    left_out(&mut lines, plan, width);
    let new = newly_installed(plan);
    for (at, step) in plan.steps.iter().enumerate() {
        lines.push(String::new());
        step_lines(&mut lines, (at + 1, step), &new, width, reasons);
    }
    lines.push(String::new());
    outages(&mut lines, plan, width);
    dependency_outages(&mut lines, plan, width);
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
    lines.push(describe_size(plan));
    lines.join("\n")
}

/// Adds the head: the rollup, the deployment, the applied rollups before and after, how far the run
/// can be rolled back, and everything to read before approving.
fn head(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    let mut line = |text: String| lines.push(wrapped(&text, width, "  "));
    line(plan_title(plan));
    line(format!(
        "for {}; applied: {} now; {} afterwards",
        Escaped(&plan.deployment),
        rollup_list(&plan.applied.before),
        rollup_list(&plan.applied.after)
    ));
    line(match &plan.digest {
        Some(digest) => format!("plan {digest}"),
        None => "a preview without a digest: without a payload, the bytes to write are unknown"
            .to_owned(),
    });
    for scope in scope_lines(plan) {
        line(format!("scope: {}", Escaped(&scope)));
    }
    line(describe_rollback(plan).map_or_else(
        |step| format!("point of no return: {step}"),
        |everything| format!("undo: {everything}"),
    ));
    for checked in &plan.context.checked {
        line(format!(
            "checked: {}: {}",
            Escaped(&checked.condition),
            Escaped(&checked.found.join(", "))
        ));
    }
    for note in &plan.context.notes {
        line(format!("note: {}", Escaped(note)));
    }
    for confirmation in &plan.confirmations {
        line(format!(
            "to be confirmed first (`--confirm {}`): {}",
            confirmation.id,
            Escaped(&confirmation.question)
        ));
    }
    for warning in &plan.warnings {
        line(format!("warning: {}", Escaped(warning)));
    }
    for outage in permanent_outages(plan) {
        line(format!("permanent: {outage}"));
    }
    let is_warning = |line: &String| {
        ["warning:", "permanent:", "point of no return:"]
            .iter()
            .any(|word| line.starts_with(word))
    };
    for line in lines.iter_mut().filter(|line| is_warning(line)) {
        let (word, rest) = line.split_at(line.find(':').unwrap_or(0));
        *line = format!("{}{rest}", styled(WARN, word));
    }
    lines[0] = styled(BOLD, &lines[0]);
}

/// Lists the operations that a recovery still has to do, in its order. A rollback leaves some paths
/// alone.
pub(crate) fn remaining_operations(
    plan: &Plan,
    progress: &RunExamination,
    direction: Direction,
    left_alone: &BTreeSet<RelPath>,
) -> Vec<String> {
    let mut lines = Vec::new();
    let is_remaining = |operation: &&Operation| match direction {
        Direction::Forward => !progress.is_done(operation.swap),
        Direction::Back => {
            progress.swaps.get(&operation.swap) != Some(&SwapState::NotBegun)
                && !left_alone.contains(&operation.at)
        }
    };
    for step in &plan.steps {
        for operation in step.operations.iter().filter(is_remaining) {
            let on = operation
                .server
                .as_ref()
                .map(|server| format!(" on {}", Escaped(server)))
                .unwrap_or_default();
            let (sign, word) = match direction {
                Direction::Forward => (operation.kind.sign(), operation.kind.word()),
                Direction::Back => operation.kind.inverse(),
            };
            lines.push(format!(
                "   {sign} {word} {}{on}  (step {})",
                Escaped(&operation.target),
                step.id
            ));
        }
    }
    if direction == Direction::Back {
        lines.reverse();
    }
    lines
}

/// Lists the omitted items before the steps: taken literally, the article includes them.
fn left_out(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    for step in plan.steps.iter().filter(|step| !step.left_out.is_empty()) {
        let text = format!(
            "left out of {}, as not installed here (`--include-missing` includes them):",
            step.id
        );
        lines.push(wrapped(&text, width, "  ").replacen("left out", &styled(WARN, "left out"), 1));
        lines.extend(
            step.left_out
                .iter()
                .map(|name| format!("  {}", Escaped(name))),
        );
    }
}

fn step_lines(
    lines: &mut Vec<String>,
    (at, step): (usize, &PlannedStep),
    new: &BTreeSet<&RelPath>,
    width: usize,
    reasons: Reasons,
) {
    let head = wrapped(&step_heading(at, step), width, "   ");
    lines.push(styled(BOLD, head));
    if let Some(manual) = &step.manual {
        lines.push(format!(
            "   {} {}",
            styled(WARN, "?"),
            describe_manual_step(manual)
        ));
        for line in manual.instructions.lines() {
            lines.push(format!(
                "     {}",
                wrapped(&Escaped(line).to_string(), width - 5, "     ")
            ));
        }
        if !manual.servers.is_empty() {
            lines.push(format!("     on {}", manual.servers.join(", ")));
        }
        let undo = manual
            .undo
            .as_deref()
            .unwrap_or("not possible; once it is done, the step is a point of no return");
        let undo = format!("undo: {}", Escaped(undo));
        lines.push(format!("     {}", wrapped(&undo, width - 5, "     ")));
    }
    for group in group_operations(&step.operations) {
        operation_lines(lines, &group, width, reasons);
        if new.contains(&group[0].at) {
            let text = "it was not installed before, and will be now";
            lines.push(format!(
                "{}{} {text}",
                " ".repeat(INDENT),
                styled(WARN, "new here:")
            ));
        }
    }
    for (targets, why) in group_unchanged(&step.nothing) {
        let text = format!("{}: {}", Escaped(&targets.join(", ")), Escaped(why));
        let text = wrapped(&text, width, &" ".repeat(INDENT));
        lines.push(styled(DIM, format_args!("   = {:<10} {text}", "nothing")));
    }
}

/// Groups consecutive targets that stay unchanged for the same reason.
fn group_unchanged(nothing: &[UnchangedTarget]) -> Vec<(Vec<&str>, &str)> {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    for unchanged in nothing {
        match groups.last_mut() {
            Some((targets, why)) if *why == unchanged.why => targets.push(&unchanged.target),
            _ => groups.push((vec![&unchanged.target], &unchanged.why)),
        }
    }
    groups
}

fn operation_lines(lines: &mut Vec<String>, group: &[&Operation], width: usize, reasons: Reasons) {
    let first = group[0];
    let target = match target_directory(first) {
        Some(directory) => format!("{}, into {}", describe_target(group), Escaped(&directory)),
        None => describe_target(group),
    };
    let target = wrapped(&target, width, &" ".repeat(INDENT));
    let left = format!(
        "   {} {:<10} {target}",
        first.kind.sign(),
        first.kind.word()
    );
    let used = left.lines().last().map_or(0, |line| line.chars().count());
    let mut change = describe_change(first);
    // If sizes and hashes do not fit beside the name, the hashes go below.
    let mut below = None;
    if let (true, Some(sizes)) = (used + 2 + change.chars().count() > width, sizes(first)) {
        change = sizes;
        below = short_hashes(first);
    }
    match width.saturating_sub(used + change.chars().count()) {
        _ if change.is_empty() => lines.push(left),
        0 | 1 => {
            lines.push(left);
            lines.push(format!("{change:>width$}"));
        }
        gap => lines.push(format!("{left}{}{change}", " ".repeat(gap))),
    }
    lines.extend(below.map(|hashes| format!("{hashes:>width$}")));
    if reasons == Reasons::Shown {
        let mut reason = format!(
            "line {} of the manifest; seen: {}",
            first.line,
            Escaped(&first.seen)
        );
        for (label, state) in [
            ("old installer", &first.before),
            ("new installer", &first.after),
        ] {
            if let TargetState::Item {
                installer: Some(installer),
                ..
            } = state
            {
                reason.push_str(&format!("; {label} {}", short_hash(installer)));
            }
        }
        let indent = " ".repeat(INDENT);
        lines.push(styled(
            DIM,
            format_args!("{indent}{}", wrapped(&reason, width, &indent)),
        ));
    }
}

/// Returns both sizes of a replaced file.
fn sizes(operation: &Operation) -> Option<String> {
    match (&operation.before, &operation.after) {
        (TargetState::File { size: before, .. }, TargetState::File { size: is, .. }) => {
            Some(format!("{} -> {} bytes", number(*before), number(*is)))
        }
        _ => None,
    }
}

fn describe_span(from: &str, to: &str) -> String {
    if from == to {
        format!("during step {to}")
    } else {
        format!("from step {from} to step {to}")
    }
}

/// Lists outages from step to step. Those that no step ends are listed at the head.
fn outages(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    let id = |at: usize| plan.steps[at].id.as_str();
    let mut spans: BTreeMap<(usize, usize), (BTreeSet<String>, usize)> = BTreeMap::new();
    let mut services = Vec::new();
    for (outage, servers) in grouped_outages(plan) {
        let Some(to) = outage.to else { continue };
        if outage.service {
            services.push(format!(
                "{} on {} {}",
                Escaped(outage.target),
                Escaped(&servers.join(", ")),
                describe_span(id(outage.from), id(to))
            ));
        } else {
            let (items, instances) = spans.entry((outage.from, to)).or_default();
            items.insert(Escaped(outage.target).to_string());
            *instances += servers.len().max(1);
        }
    }
    let spans = spans.into_iter().map(|((from, to), (items, instances))| {
        let names = if items.len() > NAMED {
            count(items.len(), "item", "items")
        } else {
            items.iter().cloned().collect::<Vec<_>>().join(", ")
        };
        let instances = if items.len() == instances {
            String::new()
        } else {
            format!(" ({})", count(instances, "instance", "instances"))
        };
        format!("{names}{instances} {}", describe_span(id(from), id(to)))
    });
    let outages: Vec<String> = spans.chain(services).collect();
    if !outages.is_empty() {
        lines.push(styled(WARN, "unavailable during the run:"));
        lines.extend(
            outages
                .iter()
                .map(|text| format!("  {}", wrapped(text, width - 2, "    "))),
        );
    }
}

/// Lists the items that stay installed while something that they require is down.
fn dependency_outages(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    if !plan.outage.is_empty() {
        lines.push(styled(WARN, "dependencies unavailable during the run:"));
    }
    for lacking in &plan.outage {
        let text = format!(
            "{} is without {} from step {} to step {}",
            Escaped(&lacking.instance),
            Escaped(&lacking.without),
            lacking.from,
            lacking.to
        );
        lines.push(format!("  {}", wrapped(&text, width - 2, "    ")));
    }
}
