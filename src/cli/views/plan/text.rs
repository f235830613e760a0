//! A plan as text.

use std::collections::{BTreeMap, BTreeSet};

use super::words::{
    applied, brief, change, directory, down, for_good, grouped, hashes, heading, manual_mark,
    new_here, no_return, summary, target, title,
};
use crate::cli::terminal::out::{BOLD, DIM, WARN, count, number, styled, wrapped};
use crate::journal::Direction;
use crate::names::{Escaped, RelPath};
use crate::plan::{Idle, Operation, Plan, PlannedStep, TargetState};
use crate::run::{Examined, Progress};

/// Column in which the names of operations begin.
const INDENT: usize = 16;
/// Largest number of items down together that are listed; more are counted, and the steps name
/// them.
const NAMED: usize = 5;

/// Display of the reason for each operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    Told,
    Left,
}

/// Formats the plan line by line, no wider than `width` as far as words allow it.
pub(crate) fn text(plan: &Plan, width: usize, why: Why) -> String {
    let mut lines = Vec::new();
    head(&mut lines, plan, width);
    left_out(&mut lines, plan, width);
    let new = new_here(plan);
    for (at, step) in plan.steps.iter().enumerate() {
        lines.push(String::new());
        step_lines(&mut lines, (at + 1, step), &new, width, why);
    }
    lines.push(String::new());
    outage(&mut lines, plan, width);
    lines.push(summary(plan));
    lines.join("\n")
}

/// Adds the head: the rollup, the deployment, the applied rollups before and after, what cannot be
/// rolled back, and what has to be looked at first.
fn head(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    let mut line = |text: String| lines.push(wrapped(&text, width, "  "));
    line(title(plan));
    line(format!(
        "for {}; in force: {} now; {} afterwards",
        Escaped(&plan.deployment),
        applied(&plan.applied.before),
        applied(&plan.applied.after)
    ));
    line(match &plan.digest {
        Some(digest) => format!("plan {digest}"),
        None => "a preview without digest: no payload was given, so nobody can tell what will be written".to_owned(),
    });
    line(no_return(plan).map_or_else(
        |step| format!("no way back: {step}"),
        |everything| format!("can be undone: {everything}"),
    ));
    for checked in &plan.context.checked {
        line(format!(
            "checked: {}: {}",
            Escaped(&checked.what),
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
    for lasting in for_good(plan) {
        lines.push(wrapped(&format!("for good: {lasting}"), width, "  "));
    }
    let loud = |line: &String| {
        ["warning:", "for good:", "no way back:"]
            .iter()
            .any(|word| line.starts_with(word))
    };
    for line in lines.iter_mut().filter(|line| loud(line)) {
        let (word, rest) = line.split_at(line.find(':').unwrap_or(0));
        *line = format!("{}{rest}", styled(WARN, word));
    }
    lines[0] = styled(BOLD, &lines[0]);
}

/// Lists the operations that a recovery still has to do, in its order.
pub(crate) fn way(plan: &Plan, examined: &Examined, way: Direction) -> Vec<String> {
    let mut lines = Vec::new();
    let left = |operation: &&Operation| match way {
        Direction::Forward => !examined.is_done(operation.swap),
        Direction::Back => examined.swaps.get(&operation.swap) != Some(&Progress::NotBegun),
    };
    for step in &plan.steps {
        for operation in step.operations.iter().filter(left) {
            let on = operation
                .server
                .as_ref()
                .map(|server| format!(" on {}", Escaped(server)))
                .unwrap_or_default();
            let back = if way == Direction::Back {
                "take back "
            } else {
                ""
            };
            let (sign, word) = (operation.kind.sign(), operation.kind.word());
            lines.push(format!(
                "   {sign} {back}{word} {}{on}  (step {})",
                Escaped(&operation.target),
                step.id
            ));
        }
    }
    if way == Direction::Back {
        lines.reverse();
    }
    lines
}

/// Lists what is left out of the groups, before the steps: taken literally, the article includes
/// it.
fn left_out(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    for step in plan.steps.iter().filter(|step| !step.left_out.is_empty()) {
        let text = format!(
            "left out of {}, as not installed here (`--include-missing` takes it in):",
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
    why: Why,
) {
    let head = wrapped(&heading(at, step), width, "   ");
    lines.push(styled(BOLD, head));
    if let Some(manual) = &step.manual {
        lines.push(format!("   {} {}", styled(WARN, "?"), manual_mark(manual)));
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
            .unwrap_or("nobody says how; once it is done there is no way back before it");
        lines.push(format!(
            "     taken back: {}",
            wrapped(&Escaped(undo).to_string(), width - 5, "     ")
        ));
    }
    for group in grouped(&step.operations) {
        operation_lines(lines, &group, width, why);
        if new.contains(&group[0].at) {
            let text = "it was not installed before, and will be now";
            lines.push(format!(
                "{}{} {text}",
                " ".repeat(INDENT),
                styled(WARN, "new here:")
            ));
        }
    }
    for (targets, why) in idle(&step.nothing) {
        let text = format!("{}: {}", Escaped(&targets.join(", ")), Escaped(why));
        let text = wrapped(&text, width, &" ".repeat(INDENT));
        lines.push(styled(DIM, format_args!("   = {:<10} {text}", "nothing")));
    }
}

/// Groups consecutive targets that are left alone for the same reason.
fn idle(nothing: &[Idle]) -> Vec<(Vec<&str>, &str)> {
    let mut groups: Vec<(Vec<&str>, &str)> = Vec::new();
    for idle in nothing {
        match groups.last_mut() {
            Some((targets, why)) if *why == idle.why => targets.push(&idle.target),
            _ => groups.push((vec![&idle.target], &idle.why)),
        }
    }
    groups
}

fn operation_lines(lines: &mut Vec<String>, group: &[&Operation], width: usize, why: Why) {
    let first = group[0];
    let target = match directory(first) {
        Some(directory) => format!("{}, into {}", target(group), Escaped(&directory)),
        None => target(group),
    };
    let target = wrapped(&target, width, &" ".repeat(INDENT));
    let left = format!(
        "   {} {:<10} {target}",
        first.kind.sign(),
        first.kind.word()
    );
    let used = left.lines().last().map_or(0, |line| line.chars().count());
    let mut change = change(first);
    // If sizes and hashes do not fit beside the name, the hashes go below.
    let mut below = None;
    if let (true, Some(sizes)) = (used + 2 + change.chars().count() > width, sizes(first)) {
        change = sizes;
        below = hashes(first);
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
    if why == Why::Told {
        let mut reason = format!(
            "line {} of the manifest; seen: {}",
            first.line,
            Escaped(&first.seen)
        );
        for (label, side) in [
            ("old installer", &first.before),
            ("new installer", &first.after),
        ] {
            if let TargetState::Item {
                installer: Some(installer),
                ..
            } = side
            {
                reason.push_str(&format!("; {label} {}", brief(installer)));
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

fn when(from: &str, to: &str) -> String {
    if from == to {
        format!("during step {to}")
    } else {
        format!("from step {from} to step {to}")
    }
}

/// Lists outages from step to step, and what stays while something it requires is down.
fn outage(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    let id = |at: usize| plan.steps[at].id.as_str();
    let mut spans: BTreeMap<(usize, usize), (BTreeSet<String>, usize)> = BTreeMap::new();
    let mut told = Vec::new();
    // Outages that no step ends are listed at the head.
    for (outage, servers) in down(plan) {
        let Some(to) = outage.to else { continue };
        if outage.service {
            told.push(format!(
                "{} on {} {}",
                Escaped(outage.target),
                Escaped(&servers.join(", ")),
                when(id(outage.from), id(to))
            ));
        } else {
            let (items, instances) = spans.entry((outage.from, to)).or_default();
            items.insert(Escaped(outage.target).to_string());
            *instances += servers.len().max(1);
        }
    }
    let spans = spans.into_iter().map(|((from, to), (items, instances))| {
        let many = items.len() > NAMED;
        let named = || items.iter().cloned().collect::<Vec<_>>().join(", ");
        let named = if many {
            count(items.len(), "item", "items")
        } else {
            named()
        };
        let places = if items.len() == instances {
            String::new()
        } else {
            format!(" ({})", count(instances, "instance", "instances"))
        };
        format!("{named}{places} {}", when(id(from), id(to)))
    });
    let told: Vec<String> = spans.chain(told).collect();
    if !told.is_empty() {
        lines.push(styled(WARN, "down meanwhile:"));
        lines.extend(
            told.iter()
                .map(|text| format!("  {}", wrapped(text, width - 2, "    "))),
        );
    }
    if !plan.outage.is_empty() {
        lines.push(styled(WARN, "meanwhile without something they require:"));
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
    if lines.last().is_some_and(|line| !line.is_empty()) {
        lines.push(String::new());
    }
}
