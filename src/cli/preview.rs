//! A plan as text.

use super::out::{self, BOLD, DIM, WARN, count, number, styled, wrapped};
use super::recover::Way;
use crate::names::Shown;
use crate::plan::{Idle, NewWhat, Operation, OperationKind, Plan, PlannedStep, Side, Subject};
use crate::run::{Examined, Progress};

/// Where the names of operations begin.
const INDENT: usize = 16;

/// Whether every operation says why it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Told,
    Left,
}

/// The plan, line by line, no wider than `width` where words allow it.
pub(super) fn text(plan: &Plan, width: usize, why: Why) -> String {
    let mut lines = Vec::new();
    let head = match &plan.subject {
        Subject::Rollup(rollup) => format!("{} revision {}: {}", rollup.kb, rollup.revision, Shown(&rollup.title)),
        Subject::Accept(acceptance) => format!("accept what lies on disk: {}", Shown(&acceptance.reason)),
    };
    lines.push(styled(BOLD, wrapped(&head, width, "  ")));
    let level = |kbs: &[crate::names::Kb]| match kbs {
        [] => "nothing".to_owned(),
        kbs => kbs.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    lines.push(format!("in force: {} now, {} afterwards", level(&plan.level.before), level(&plan.level.after)));
    lines.push(match &plan.digest {
        Some(digest) => format!("plan {digest}"),
        None => {
            let text = "a preview without digest: no payload was given, so nobody can tell what will be written";
            wrapped(text, width, "  ")
        }
    });
    if let Some(step) = plan.point_of_no_return() {
        let text =
            format!("step `{}` cannot be taken back: from there on there is no way to the state before", step.id);
        lines.push(styled(WARN, wrapped(&text, width, "  ")));
    }
    for confirmation in &plan.confirmations {
        let text =
            format!("to be confirmed first (`--confirm {}`): {}", confirmation.id, Shown(&confirmation.question));
        lines.push(wrapped(&text, width, "  "));
    }
    for warning in &plan.warnings {
        let text = wrapped(&format!("warning: {}", Shown(warning)), width, "  ");
        lines.push(text.replacen("warning", &styled(WARN, "warning"), 1));
    }
    left_out(&mut lines, plan);
    for (at, step) in plan.steps.iter().enumerate() {
        lines.push(String::new());
        step_lines(&mut lines, at + 1, step, width, why);
    }
    lines.push(String::new());
    meanwhile(&mut lines, plan, width);
    lines.push(summary(plan));
    lines.join("\n")
}

/// The operations that a recovery still has to do, in its order.
pub(super) fn way(plan: &Plan, examined: &Examined, way: Way) -> Vec<String> {
    let mut lines = Vec::new();
    let left = |operation: &&Operation| match way {
        Way::Forward => !examined.is_done(operation.swap),
        Way::Back => examined.swaps.get(&operation.swap) != Some(&Progress::NotBegun),
    };
    for step in &plan.steps {
        for operation in step.operations.iter().filter(left) {
            let on = operation.server.as_ref().map(|server| format!(" on {}", Shown(server))).unwrap_or_default();
            let back = if way == Way::Back { "take back " } else { "" };
            let (sign, word) = (operation.kind.sign(), operation.kind.word());
            lines.push(format!("   {sign} {back}{word} {}{on}  (step {})", Shown(&operation.target), step.id));
        }
    }
    if way == Way::Back {
        lines.reverse();
    }
    lines
}

/// What the groups also hold comes first: the article literally takes it in.
fn left_out(lines: &mut Vec<String>, plan: &Plan) {
    for step in plan.steps.iter().filter(|step| !step.left_out.is_empty()) {
        let label = styled(WARN, "left out");
        lines.push(format!("{label} of {}, as not installed here (`--install-new` takes it in):", step.id));
        lines.extend(step.left_out.iter().map(|name| format!("  {}", Shown(name))));
    }
}

fn step_lines(lines: &mut Vec<String>, at: usize, step: &PlannedStep, width: usize, why: Why) {
    let head = wrapped(&format!("{at}. {}: {}", step.id, Shown(&step.title)), width, "   ");
    lines.push(styled(BOLD, head));
    if let Some(gate) = &step.gate {
        let optional = if gate.optional { ", may be skipped" } else { "" };
        lines.push(format!("   {} by hand{optional}; the run waits here", styled(WARN, "?")));
        for line in gate.instructions.lines() {
            lines.push(format!("     {}", wrapped(&Shown(line).to_string(), width - 5, "     ")));
        }
        if !gate.servers.is_empty() {
            lines.push(format!("     on {}", gate.servers.join(", ")));
        }
        let undo = gate.undo.as_deref().unwrap_or("nobody says how: this is the point of no return");
        lines.push(format!("     taken back: {}", wrapped(&Shown(undo).to_string(), width - 5, "     ")));
    }
    for group in grouped(&step.operations) {
        operation_lines(lines, &group, width, why);
    }
    for (targets, why) in idle(&step.nothing) {
        let text = format!("{}: {}", Shown(&targets.join(", ")), Shown(why));
        let text = wrapped(&text, width, &" ".repeat(INDENT));
        lines.push(styled(DIM, format_args!("   = {:<10} {text}", "nothing")));
    }
}

/// Targets in a row that are left alone for the same reason share it.
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

/// Operations in a row that do the same to the same on several servers share a line.
pub(super) fn grouped(operations: &[Operation]) -> Vec<Vec<&Operation>> {
    let mut groups: Vec<Vec<&Operation>> = Vec::new();
    for operation in operations {
        let same = |other: &Operation| {
            other.kind == operation.kind
                && other.target == operation.target
                && change(other) == change(operation)
                && other.server.is_some()
        };
        match groups.last_mut() {
            Some(group) if same(group[0]) => group.push(operation),
            _ => groups.push(vec![operation]),
        }
    }
    groups
}

/// What operations that share a line are done to.
pub(super) fn target(group: &[&Operation]) -> String {
    let servers: Vec<_> = group.iter().filter_map(|operation| operation.server.as_deref()).collect();
    match servers.is_empty() {
        true => Shown(&group[0].target).to_string(),
        false => format!("{} on {}", Shown(&group[0].target), Shown(&servers.join(", "))),
    }
}

fn operation_lines(lines: &mut Vec<String>, group: &[&Operation], width: usize, why: Why) {
    let first = group[0];
    let target = wrapped(&target(group), width, &" ".repeat(INDENT));
    let left = format!("   {} {:<10} {target}", first.kind.sign(), first.kind.word());
    let used = left.lines().last().map_or(0, |line| line.chars().count());
    let mut change = change(first);
    if let (true, Some(sizes)) = (used + 2 + change.chars().count() > width, sizes(first)) {
        change = sizes;
    }
    match width.saturating_sub(used + change.chars().count()) {
        _ if change.is_empty() => lines.push(left),
        0 | 1 => {
            lines.push(left);
            lines.push(format!("{change:>width$}"));
        }
        gap => lines.push(format!("{left}{}{change}", " ".repeat(gap))),
    }
    if why == Why::Told {
        let reason = format!("line {} of the manifest; seen: {}", first.line, Shown(&first.seen));
        let indent = " ".repeat(INDENT);
        lines.push(styled(DIM, format_args!("{indent}{}", wrapped(&reason, width, &indent))));
    }
}

/// Of a replaced file, what changes without the hashes: for screens where both do not fit.
fn sizes(operation: &Operation) -> Option<String> {
    match (&operation.was, &operation.becomes) {
        (Side::File { size: was, .. }, Side::File { size: is, .. }) => {
            Some(format!("{} -> {} bytes", number(*was), number(*is)))
        }
        _ => None,
    }
}

/// What changes, in few words.
pub(super) fn change(operation: &Operation) -> String {
    match (&operation.was, &operation.becomes) {
        _ if operation.kind == OperationKind::Accept => "record written anew".to_owned(),
        (Side::Item { version: Some(was), .. }, Side::Item { version: Some(is), .. }) if was == is => {
            format!("{is}, other package")
        }
        (Side::Item { version: Some(was), .. }, Side::Item { version: Some(is), .. }) => format!("{was} -> {is}"),
        (Side::Item { version: Some(was), .. }, _) => was.to_string(),
        (_, Side::Item { version: Some(is), .. }) => is.to_string(),
        (Side::File { size: was, sha256: old }, Side::File { size: is, sha256: new }) => {
            format!("{} -> {} bytes, {} -> {}", number(*was), number(*is), &old.short()[..8], &new.short()[..8])
        }
        (_, Side::File { size, sha256 }) => format!("{} bytes, {}", number(*size), &sha256.short()[..8]),
        (_, Side::Service { starts, .. }) => match operation.kind.word() {
            "start" | "restart" => format!("start no. {starts}"),
            _ => String::new(),
        },
        (_, Side::Procedure { parameters, .. }) => {
            let pairs: Vec<_> =
                parameters.iter().map(|(name, value)| format!("{}={}", Shown(name), Shown(value))).collect();
            pairs.join(" ")
        }
        (_, Side::Unknown) => "known with a payload".to_owned(),
        _ => String::new(),
    }
}

fn meanwhile(lines: &mut Vec<String>, plan: &Plan, width: usize) {
    if plan.meanwhile.is_empty() {
        return;
    }
    lines.push(styled(WARN, "meanwhile without something they require:"));
    for lacking in &plan.meanwhile {
        let text = format!(
            "  {} is without {} from step {} to step {}",
            Shown(&lacking.instance),
            Shown(&lacking.without),
            lacking.from,
            lacking.to
        );
        lines.push(format!("  {}", wrapped(&text, width - 2, "    ")));
    }
    lines.push(String::new());
}

fn summary(plan: &Plan) -> String {
    let operations = count(plan.operations().count(), "operation", "operations");
    let steps = count(plan.steps.len(), "step", "steps");
    if plan.digest.is_none() {
        return format!("{operations} in {steps}");
    }
    let size = |what: &NewWhat| match what {
        NewWhat::File { size, .. } => *size,
        NewWhat::Folder => 0,
    };
    let bytes: u64 = plan.swaps.iter().flat_map(|swap| &swap.new).map(|entry| size(&entry.what)).sum();
    let swaps = count(plan.swaps.len(), "swap", "swaps");
    format!("{operations} in {steps}, by {swaps}; {} bytes to stage", out::number(bytes))
}
