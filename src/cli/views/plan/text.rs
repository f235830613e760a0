//! A plan as text: its steps in order, or their rollback in reverse.

use std::collections::{BTreeMap, BTreeSet};
use std::slice;

use anstyle::Style;

use super::outages::{OutageKind, OutageView};
use super::view::{OperationRow, PlanView, StepView, describe_manual_step};
use super::words::{NOT_POSSIBLE, POINT_OF_NO_RETURN, short_hash};
use crate::cli::terminal::choices::choices;
use crate::cli::terminal::out::{BOLD, DIM, WARN, count, on_servers, signed, styled, wrapped};
use crate::journal::Direction;
use crate::names::{Escaped, RelPath, columns};
use crate::plan::{Operation, OperationKind, Plan, TargetState};
use crate::run::{RunExamination, SwapState};

/// Style of labels that are no warning.
const PLAIN: Style = Style::new();
/// Sign and word of what a person does.
const BY_HAND: (char, &str) = ('?', "by hand");
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

impl Reasons {
    /// Returns what the command line chooses with `--verbose`.
    pub(crate) fn chosen() -> Self {
        match choices().is_verbose {
            true => Self::Shown,
            false => Self::Omitted,
        }
    }
}

/// Formats the plan line by line, no wider than `width` as far as words allow it.
pub(crate) fn text(plan: &Plan, width: usize, reasons: Reasons) -> String {
    let view = PlanView::of(plan);
    let mut page = TextPage::new(width);
    page.head(&view);
    for step in &view.steps {
        page.lines.push(String::new());
        page.step(step, reasons);
    }
    page.lines.push(String::new());
    page.outages(&view);
    if page.lines.last().is_some_and(|line| !line.is_empty()) {
        page.lines.push(String::new());
    }
    page.lines.push(view.size);
    page.lines.join("\n")
}

/// Formats the exact rollback of a plan: the operations of `undo`, each followed by the state that
/// it restores.
pub(super) fn rollback(plan: &Plan, width: usize) -> String {
    let view = PlanView::of(plan);
    let mut page = TextPage::new(width);
    let head = match &plan.digest {
        Some(digest) => format!("rollback of plan {digest}"),
        None => "rollback, as far as it is known without a payload".to_owned(),
    };
    page.heading(&head, 2);
    for step in view.steps.iter().rev() {
        page.lines.push(String::new());
        page.rollback_step(step);
    }
    page.lines.push(String::new());
    for restart in &view.restarts_after_undo {
        page.line(&format!(
            "required: {restart}; restoring its record does not restart it"
        ));
    }
    page.lines.push(format!(
        "{} to roll back, in reverse order",
        count(plan.operations().count(), "operation", "operations")
    ));
    page.lines.join("\n")
}

/// Lists what a recovery still has to do, in its order: operations, and the steps that it asks a person
/// about. A rollback leaves some paths alone, or reaches only some swaps.
pub(crate) fn remaining_operations(
    plan: &Plan,
    progress: &RunExamination,
    direction: Direction,
    left_alone: &BTreeSet<RelPath>,
    only: Option<&BTreeSet<u32>>,
    asked: &BTreeSet<&str>,
) -> Vec<String> {
    let is_remaining = |operation: &Operation| match direction {
        Direction::Forward => !progress.is_done(operation.swap),
        Direction::Back => {
            progress.swaps.get(&operation.swap) != Some(&SwapState::NotBegun)
                && !left_alone.contains(&operation.at)
                && only.is_none_or(|only| only.contains(&operation.swap))
        }
    };
    let mut lines = Vec::new();
    for step in &plan.steps {
        for operation in step.operations.iter().filter(|one| is_remaining(one)) {
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

struct TextPage {
    width: usize,
    lines: Vec<String>,
}

impl TextPage {
    fn new(width: usize) -> Self {
        Self {
            width,
            lines: Vec::new(),
        }
    }

    /// Escapes a text and breaks it into lines, each after the first with an indent before it.
    fn wrapped(&self, before: &str, text: &str, indent: usize) -> String {
        let text = Escaped(text).to_string();
        let text = wrapped(&text, self.width, &" ".repeat(indent));
        format!("{before}{text}")
    }

    /// Adds a text.
    fn line(&mut self, text: &str) {
        self.lines.push(self.wrapped("", text, 2));
    }

    /// Adds texts after a label in a style.
    fn labelled(&mut self, style: Style, label: &str, texts: &[String]) {
        for text in texts {
            let line = self.wrapped("", &format!("{label}: {text}"), 2);
            self.lines
                .push(line.replacen(label, &styled(style, label), 1));
        }
    }

    fn heading(&mut self, text: &str, indent: usize) {
        let line = self.wrapped("", text, indent);
        self.lines.push(styled(BOLD, line));
    }

    /// Adds everything to read before approving.
    fn head(&mut self, view: &PlanView<'_>) {
        let plan = view.plan;
        self.heading(&view.title, 2);
        self.line(&format!(
            "for {}; applied: {} now; {} afterwards",
            plan.deployment, view.applied_before, view.applied_after
        ));
        match &plan.digest {
            Some(digest) => self.line(&format!("plan {digest}")),
            None => self.line(
                "a preview without a digest: without a payload, the bytes to write are unknown",
            ),
        }
        self.labelled(PLAIN, "scope", &view.scope);
        self.labelled(PLAIN, "undo", slice::from_ref(&view.undo.summary));
        self.labelled(WARN, "point of no return", &view.undo.points);
        for (label, effect) in &view.effects {
            self.labelled(PLAIN, label, slice::from_ref(effect));
        }
        self.labelled(PLAIN, "checked", &view.checked);
        self.labelled(PLAIN, "note", &plan.documented.notes);
        for one in &plan.confirmations {
            let (id, question) = (&one.id, &one.question);
            self.line(&format!(
                "to be confirmed first (`--confirm {id}`): {question}"
            ));
        }
        self.labelled(WARN, "warning", &view.warnings);
        self.labelled(WARN, "permanent", &view.permanent_outages);
        self.left_out(view);
    }

    /// Lists the omitted items: taken literally, the article includes them.
    fn left_out(&mut self, view: &PlanView<'_>) {
        for step in &view.left_out {
            let text = format!(
                "left out of {}, as not installed here (`--include-missing` includes them):",
                step.id
            );
            let line = self.wrapped("", &text, 2);
            self.lines
                .push(line.replacen("left out", &styled(WARN, "left out"), 1));
            for name in &step.left_out {
                self.lines.push(format!("  {}", Escaped(name)));
            }
        }
    }

    fn step(&mut self, view: &StepView<'_>, reasons: Reasons) {
        if let Some(server) = &view.server {
            self.heading(server, 2);
        }
        self.heading(&view.heading, 3);
        self.manual_step(view);
        for (label, fact) in &view.facts {
            let text = format!("{label}: {fact}");
            self.lines.push(self.wrapped("   ", &text, 5));
        }
        for row in &view.operations {
            self.operation(row, Direction::Forward);
            if reasons == Reasons::Shown {
                self.reason(row.group.first);
            }
            if let Some(why) = &row.group.first.irreversible {
                let label = "point of no return:";
                let line = self.wrapped("", &format!("{:INDENT$}{label} {why}", ""), INDENT);
                self.lines
                    .push(line.replacen(label, &styled(WARN, label), 1));
            }
            if row.is_new {
                self.lines.push(format!(
                    "{:INDENT$}{} it was not installed before, and will be now",
                    "",
                    styled(WARN, "new here:")
                ));
            }
        }
        for (targets, why) in &view.unchanged {
            let text = format!("{targets}: {why}");
            let line = self.wrapped("   = nothing    ", &text, INDENT);
            self.lines.push(styled(DIM, line));
        }
    }

    fn manual_step(&mut self, view: &StepView<'_>) {
        let Some(manual) = &view.step.manual else {
            return;
        };
        self.lines.push(format!(
            "   {} manual step; {}",
            signed(BY_HAND.0),
            describe_manual_step(manual)
        ));
        let mut texts: Vec<String> = manual.instructions.lines().map(str::to_owned).collect();
        if !manual.servers.is_empty() {
            texts.push(format!("on {}", manual.servers.join(", ")));
        }
        texts.extend(manual.files.iter().map(|file| format!("file: {file}")));
        let undo = manual.undo.as_deref().unwrap_or(NOT_POSSIBLE);
        texts.extend(format!("undo: {undo}").lines().map(str::to_owned));
        for text in texts {
            self.lines.push(self.wrapped("     ", &text, 5));
        }
    }

    fn rollback_step(&mut self, view: &StepView<'_>) {
        self.heading(&view.heading, 3);
        if let Some(manual) = &view.step.manual {
            let (word, text) = match &manual.undo {
                Some(undo) => (BY_HAND.1, undo.as_str()),
                None => ("stop", POINT_OF_NO_RETURN),
            };
            let text = self.wrapped("", text, INDENT);
            self.lines
                .push(format!("   {} {word:<10} {text}", signed(BY_HAND.0)));
        } else if view.operations.is_empty() {
            self.lines
                .push("   = nothing    the step changes nothing".to_owned());
        }
        if let Some(undo) = &view.step.undo {
            let text = self.wrapped("", undo, INDENT);
            self.lines
                .push(format!("   {} {:<10} {text}", signed(BY_HAND.0), BY_HAND.1));
        }
        for row in view.operations.iter().rev() {
            if row.group.first.irreversible.is_some() {
                let text = self.wrapped("", POINT_OF_NO_RETURN, INDENT);
                self.lines
                    .push(format!("   {} {:<10} {text}", signed(BY_HAND.0), "stop"));
            }
            self.operation(row, Direction::Back);
        }
    }

    /// Adds operations that share a line: on the left their target, on the right the change or the
    /// state that a rollback restores, which goes below the target if it does not fit beside it.
    fn operation(&mut self, row: &OperationRow<'_>, direction: Direction) {
        let group = &row.group;
        let (sign, word) = sign_and_word(group.first.kind, direction);
        let (target, change) = match direction {
            Direction::Forward => (group.destination(), group.change()),
            Direction::Back => (group.target(), group.restored()),
        };
        let left = self.wrapped(&format!("   {sign} {word:<10} "), &target, INDENT);
        let change = Escaped(&change).to_string();
        let used = left.lines().last().map_or(0, columns);
        let rest = self.width.saturating_sub(used);
        let left = left.replacen(sign, &signed(sign), 1);
        self.lines.push(if change.is_empty() {
            left
        } else if columns(&change) + 2 <= rest {
            format!("{left}{:1$}{change}", "", rest - columns(&change))
        } else {
            let spaces = self.width.saturating_sub(columns(&change));
            format!("{left}\n{:spaces$}{change}", "")
        });
    }

    fn reason(&mut self, operation: &Operation) {
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
        let line = self.wrapped(&" ".repeat(INDENT), &reason, INDENT);
        self.lines.push(styled(DIM, line));
    }

    /// Lists outages from step to step: items that are unavailable together, then services. Those
    /// that no step ends are listed at the head.
    fn outages(&mut self, view: &PlanView<'_>) {
        let mut items: BTreeMap<_, Vec<&OutageView<'_>>> = BTreeMap::new();
        let mut services = Vec::new();
        for outage in view.outages.iter().filter(|outage| outage.to.is_some()) {
            match outage.kind {
                OutageKind::Service => services.push((outage.subject(), outage)),
                _ => {
                    let span = (outage.from, outage.to);
                    items.entry(span).or_default().push(outage);
                }
            }
        }
        let items = items.values().map(|same| (describe_items(same), same[0]));
        self.spans("unavailable during the run:", view, items.chain(services));
        let dependents = view.dependency_outages.iter();
        self.spans(
            "dependencies unavailable during the run:",
            view,
            dependents.map(|outage| (outage.subject(), outage)),
        );
        if let Some(behind) = view.behind() {
            self.lines.push(format!("  {behind}"));
        }
        if !view.role_outages.is_empty() {
            self.lines
                .push(styled(WARN, "servers unavailable at once:"));
            let lines = view.role_outages.iter();
            self.lines
                .extend(lines.map(|line| format!("  {}", Escaped(line))));
        }
    }

    fn spans<'v>(
        &mut self,
        title: &str,
        view: &PlanView<'_>,
        outages: impl Iterator<Item = (String, &'v OutageView<'v>)>,
    ) {
        let lines = outages.map(|(subject, outage)| {
            let text = format!("{subject} {}", view.span(outage));
            self.wrapped("  ", &text, 4)
        });
        let lines: Vec<String> = lines.collect();
        if !lines.is_empty() {
            self.lines.push(styled(WARN, title));
            self.lines.extend(lines);
        }
    }
}

/// Names the items of some outages, or counts them, with the number of their instances.
fn describe_items(outages: &[&OutageView<'_>]) -> String {
    let names: BTreeSet<&str> = outages.iter().map(|outage| outage.target).collect();
    let instances: usize = outages
        .iter()
        .map(|outage| outage.others.len().max(1))
        .sum();
    let text = if names.len() > NAMED {
        count(names.len(), "item", "items")
    } else {
        Vec::from_iter(names.iter().copied()).join(", ")
    };
    let servers: BTreeSet<&str> = outages
        .iter()
        .flat_map(|one| one.others.iter().copied())
        .collect();
    if let (1, Some(server)) = (servers.len(), servers.first()) {
        return on_servers(&text, [*server]);
    }
    if names.len() == instances {
        return text;
    }
    format!("{text} ({})", count(instances, "instance", "instances"))
}
