//! A plan as text: its steps in order, or their rollback in reverse.

use std::collections::BTreeSet;
use std::slice;

use anstyle::Style;

use super::outages::{OutageGroup, OutageView};
use super::view::{OperationRow, PlanView, StepView, describe_manual_step};
use super::words::{NOT_POSSIBLE, POINT_OF_NO_RETURN, short_hash};
use crate::cli::terminal::choices::choices;
use crate::cli::terminal::out::{DIM, WARN, count, on_servers, signed, styled};
use crate::cli::views::page::TextPage;
use crate::journal::Direction;
use crate::names::{Escaped, columns};
use crate::plan::{Operation, OperationKind, Plan, TargetState};

/// Style of labels that are no warning.
const PLAIN: Style = Style::new();
/// Sign and word of what a person does.
const BY_HAND: (char, &str) = ('?', "by hand");
/// Column in which the names of operations begin.
const INDENT: usize = 16;

/// Display of the reason for each operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reasons {
    Shown,
    Omitted,
}

impl Reasons {
    /// Returns what the command line chooses with `--verbose`.
    pub(crate) fn chosen() -> Self {
        if choices().is_verbose {
            Self::Shown
        } else {
            Self::Omitted
        }
    }
}

/// Formats the plan line by line.
pub(crate) fn text(plan: &Plan, reasons: Reasons) -> String {
    let view = PlanView::of(plan);
    let mut page = TextPage::new();
    head(&mut page, &view);
    for step_view in &view.steps {
        page.gap();
        step(&mut page, step_view, reasons);
    }
    page.gap();
    outages(&mut page, &view);
    page.gap();
    page.add(view.size);
    page.text()
}

/// Formats the exact rollback of a plan: the operations of `undo`, each followed by the state that
/// it restores.
pub(super) fn rollback(plan: &Plan) -> String {
    let view = PlanView::of(plan);
    let mut page = TextPage::new();
    let head = match &plan.digest {
        Some(digest) => format!("rollback of plan {digest}"),
        None => "rollback, as far as it is known without a payload".to_owned(),
    };
    page.heading(&head, 2);
    for step in view.steps.iter().rev() {
        page.gap();
        rollback_step(&mut page, step);
    }
    page.gap();
    for restart in &view.restarts_after_undo {
        let text = format!("{restart}; restoring its record does not restart it");
        page.labelled(PLAIN, "required", &text);
    }
    let operations = count(plan.operations().count(), "operation");
    page.add(format_args!("{operations} to roll back, in reverse order"));
    page.text()
}

/// Lists what a recovery still has to do, in its order: operations, and the steps that it asks a person
/// about.
pub(crate) fn remaining_operations(
    plan: &Plan,
    direction: Direction,
    is_to_do: impl Fn(&Operation) -> bool,
    asked: &BTreeSet<&str>,
) -> Vec<String> {
    let mut lines = Vec::new();
    for step in &plan.steps {
        for operation in step.operations.iter().filter(|one| is_to_do(one)) {
            let (sign, word) = sign_and_word(operation.kind, direction);
            let target = on_servers(&operation.target, operation.server.as_deref());
            let mark = signed(sign);
            lines.push(format!("   {mark} {word:<10} {target}  (step {})", step.id));
        }
        if asked.contains(step.id.as_str()) {
            let mark = signed(BY_HAND.0);
            lines.push(format!("   {mark} {:<10} (step {})", BY_HAND.1, step.id));
        }
    }
    if direction == Direction::Back {
        lines.reverse();
    }
    lines
}

/// Returns the sign and the word of what happens to the target of an operation in this direction.
fn sign_and_word(kind: OperationKind, direction: Direction) -> (char, &'static str) {
    match direction {
        Direction::Forward => (kind.sign(), kind.word()),
        Direction::Back => kind.inverse(),
    }
}

/// Adds everything to read before approving.
fn head(page: &mut TextPage, view: &PlanView<'_>) {
    let plan = view.plan;
    page.heading(&view.title, 2);
    let applied = format!(
        "for {}; applied: {} now; {} afterwards",
        plan.deployment, view.applied_before, view.applied_after
    );
    page.wrap("", &applied, 2);
    let digest = match &plan.digest {
        Some(digest) => format!("plan {digest}"),
        None => "a preview without a digest: without a payload, the bytes to write are unknown"
            .to_owned(),
    };
    page.wrap("", &digest, 2);
    let mut labelled = |style: Style, label: &str, texts: &[String]| {
        for text in texts {
            page.labelled(style, label, text);
        }
    };
    labelled(PLAIN, "scope", &view.scope);
    labelled(PLAIN, "undo", slice::from_ref(&view.undo.summary));
    labelled(WARN, "point of no return", &view.undo.points);
    for (label, effect) in &view.effects {
        labelled(PLAIN, label, slice::from_ref(effect));
    }
    labelled(PLAIN, "checked", &view.checked);
    labelled(PLAIN, "note", &plan.documented.notes);
    for one in &plan.confirmations {
        let label = format!("to be confirmed first (`--confirm {}`)", one.id);
        labelled(PLAIN, &label, slice::from_ref(&one.question));
    }
    labelled(WARN, "warning", &view.warnings);
    labelled(WARN, "permanent", &view.permanent_outages);
    // Taken literally, the article includes them.
    for step in &view.left_out {
        let id = &step.id;
        let label =
            format!("left out of {id}, as not installed here (`--include-missing` includes them)");
        page.labelled(WARN, &label, &step.left_out.join(", "));
    }
}

fn step(page: &mut TextPage, view: &StepView<'_>, reasons: Reasons) {
    if let Some(server) = &view.server {
        page.heading(server, 2);
    }
    page.heading(&view.heading, 3);
    manual_step(page, view);
    for (label, fact) in &view.facts {
        page.wrap("   ", &format!("{label}: {fact}"), 5);
    }
    let indent = " ".repeat(INDENT);
    for row in &view.operations {
        operation(page, row, Direction::Forward);
        if reasons == Reasons::Shown {
            let reason = page.wrapped(&reason(row.group.first), INDENT);
            page.add(styled(DIM, format!("{indent}{reason}")));
        }
        if let Some(why) = &row.group.first.irreversible {
            let label = styled(WARN, "point of no return:");
            page.wrap(&format!("{indent}{label} "), why, INDENT);
        }
        if row.is_new {
            let label = styled(WARN, "new here:");
            page.add(format_args!(
                "{indent}{label} it was not installed before, and will be now"
            ));
        }
    }
    for (targets, why) in &view.unchanged {
        let text = page.wrapped(&format!("{targets}: {why}"), INDENT);
        page.add(styled(DIM, format!("   = nothing    {text}")));
    }
}

fn manual_step(page: &mut TextPage, view: &StepView<'_>) {
    let Some(manual) = &view.step.manual else {
        return;
    };
    let (sign, how) = (signed(BY_HAND.0), describe_manual_step(manual));
    page.add(format_args!("   {sign} manual step; {how}"));
    let mut text = manual.instructions.clone();
    if !manual.servers.is_empty() {
        text.push_str(&format!("\non {}", manual.servers.join(", ")));
    }
    for file in &manual.files {
        text.push_str(&format!("\nfile: {file}"));
    }
    let undo = manual.undo.as_deref().unwrap_or(NOT_POSSIBLE);
    text.push_str(&format!("\nundo: {undo}"));
    for line in text.lines() {
        page.wrap("     ", line, 5);
    }
}

fn rollback_step(page: &mut TextPage, view: &StepView<'_>) {
    let by_hand = |page: &mut TextPage, word: &str, text: &str| {
        let before = format!("   {} {word:<10} ", signed(BY_HAND.0));
        page.wrap(&before, text, INDENT);
    };
    page.heading(&view.heading, 3);
    match &view.step.manual {
        Some(manual) => match &manual.undo {
            Some(undo) => by_hand(page, BY_HAND.1, undo),
            None => by_hand(page, "stop", POINT_OF_NO_RETURN),
        },
        None if view.operations.is_empty() => {
            page.add("   = nothing    the step changes nothing");
        }
        None => {}
    }
    if let Some(undo) = &view.step.undo {
        by_hand(page, BY_HAND.1, undo);
    }
    for row in view.operations.iter().rev() {
        if row.group.first.irreversible.is_some() {
            by_hand(page, "stop", POINT_OF_NO_RETURN);
        }
        operation(page, row, Direction::Back);
    }
}

/// Adds operations that share a line: on the left their target, on the right the change or the
/// state that a rollback restores, which goes below the target if it does not fit beside it.
fn operation(page: &mut TextPage, row: &OperationRow<'_>, direction: Direction) {
    let group = &row.group;
    let (sign, word) = sign_and_word(group.first.kind, direction);
    let (target, change) = match direction {
        Direction::Forward => (group.destination(), group.change()),
        Direction::Back => (group.target(), group.restored()),
    };
    let left = format!("   {sign} {word:<10} {}", page.wrapped(&target, INDENT));
    let change = Escaped(&change).to_string();
    let used = left.lines().last().map_or(0, columns);
    let left = left.replacen(sign, &signed(sign), 1);
    let spaces = page.width.saturating_sub(columns(&change));
    page.add(match spaces.checked_sub(used) {
        _ if change.is_empty() => left,
        Some(between @ 2..) => format!("{left}{:between$}{change}", ""),
        _ => format!("{left}\n{:spaces$}{change}", ""),
    });
}

/// Describes why an operation is in the plan.
fn reason(operation: &Operation) -> String {
    let mut reason = format!(
        "line {} of the manifest; seen: {}",
        operation.line, operation.seen
    );
    for (label, state) in [
        ("old installer", &operation.before),
        ("new installer", &operation.after),
    ] {
        if let TargetState::Item {
            installer: Some(installer),
            ..
        } = state
        {
            reason.push_str(&format!("; {label} {}", short_hash(installer)));
        }
    }
    reason
}

/// Lists outages from step to step. Those that no step ends are listed at the head.
fn outages(page: &mut TextPage, view: &PlanView<'_>) {
    let outages = OutageGroup::of(&view.outages);
    let ended = outages.iter().filter(|group| group.first.to.is_some());
    let lines = ended.map(|group| (group.subject(), &group.first));
    spans(page, "unavailable during the run:", view, lines);
    let dependents = view.dependency_outages.iter();
    let lines = dependents.map(|outage| (outage.subject(), outage));
    spans(
        page,
        "dependencies unavailable during the run:",
        view,
        lines,
    );
    if let Some(behind) = view.behind() {
        page.add(format_args!("  {behind}"));
    }
    if !view.role_outages.is_empty() {
        page.add(styled(WARN, "servers unavailable at once:"));
        for line in &view.role_outages {
            page.add(format_args!("  {}", Escaped(line)));
        }
    }
}

fn spans<'v>(
    page: &mut TextPage,
    title: &str,
    view: &PlanView<'_>,
    outages: impl Iterator<Item = (String, &'v OutageView<'v>)>,
) {
    let mut title = Some(title);
    for (subject, outage) in outages {
        if let Some(title) = title.take() {
            page.add(styled(WARN, title));
        }
        page.wrap("  ", &format!("{subject} {}", view.span(outage)), 4);
    }
}
