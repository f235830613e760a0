//! `plan --tree`: the console before and after the run, with the queued operations; the MPS
//! Deployment Tool shows the same before Start Deployment.

use std::collections::BTreeMap;

use crate::cli::terminal::out::{BOLD, DIM, GOOD, WARN, styled};
use crate::deployment::records::State;
use crate::names::{Escaped, RelPath};
use crate::plan::{ConsoleInstance, ConsoleItem, Operation, Plan, TargetState};

/// Narrowest and widest column of names.
const NAMES: (usize, usize) = (20, 56);

/// Formats the tree, no wider than `width` as far as names allow it.
pub(super) fn text(plan: &Plan, width: usize) -> String {
    if plan.context.console.is_empty() {
        return "the plan was made by an earlier version of rollup, which did not store the console"
            .to_owned();
    }
    let queued = operations_by_path(plan);
    let all = plan
        .context
        .console
        .iter()
        .flat_map(|group| &group.items)
        .flat_map(|item| &item.instances);
    let rows = all.map(|instance| TreeRow::of(instance, &queued));
    let heads = TreeRow {
        before: "before".to_owned(),
        queued: "queued".to_owned(),
        after: "after".to_owned(),
    };
    let widths =
        std::iter::once(heads.clone())
            .chain(rows)
            .fold([0; 3], |[before, change, after], row| {
                let wider = |width: usize, text: &str| width.max(text.chars().count());
                [
                    wider(before, &row.before),
                    wider(change, &row.queued),
                    wider(after, &row.after),
                ]
            });
    let mut tree = PlanTree {
        queued,
        width,
        widths,
        lines: Vec::new(),
    };
    let head = tree.columns(&Escaped(&plan.deployment).to_string(), &heads);
    tree.lines.push(styled(BOLD, head));
    for group in &plan.context.console {
        let depth = group.path.parts().count();
        tree.lines.push(format!(
            "{}{}",
            "  ".repeat(depth),
            styled(BOLD, Escaped(group.path.name()))
        ));
        group
            .items
            .iter()
            .for_each(|item| tree.item(item, depth + 1));
    }
    tree.lines.join("\n")
}

/// Groups the operations by the directory of their instance.
pub(super) fn operations_by_path(plan: &Plan) -> BTreeMap<&RelPath, Vec<&Operation>> {
    let mut queued: BTreeMap<&RelPath, Vec<&Operation>> = BTreeMap::new();
    plan.operations()
        .for_each(|operation| queued.entry(&operation.at).or_default().push(operation));
    queued
}

struct PlanTree<'p> {
    queued: BTreeMap<&'p RelPath, Vec<&'p Operation>>,
    width: usize,
    /// Widths of the columns after the names.
    widths: [usize; 3],
    lines: Vec<String>,
}

/// Columns of an instance.
#[derive(Clone)]
struct TreeRow {
    before: String,
    queued: String,
    after: String,
}

impl TreeRow {
    fn of(instance: &ConsoleInstance, queued: &BTreeMap<&RelPath, Vec<&Operation>>) -> Self {
        let operations = queued
            .get(&instance.at)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let words: Vec<&str> = operations
            .iter()
            .map(|operation| operation.kind.word())
            .collect();
        let signs: String = operations
            .iter()
            .map(|operation| operation.kind.sign())
            .collect();
        Self {
            before: state_before(instance),
            queued: format!("{signs} {}", words.join(", ")).trim().to_owned(),
            after: operations
                .last()
                .map(|last| state_after(&last.after))
                .unwrap_or_default(),
        }
    }
}

impl PlanTree<'_> {
    fn item(&mut self, item: &ConsoleItem, depth: usize) {
        let indent = "  ".repeat(depth);
        let own = format!("{indent}{}", Escaped(&item.name));
        if item
            .instances
            .iter()
            .any(|instance| instance.server.is_some())
        {
            self.lines.push(own.clone());
        }
        for instance in &item.instances {
            match &instance.server {
                None => self.instance(&own, instance),
                Some(server) => self.instance(&format!("{indent}  {}", Escaped(server)), instance),
            }
        }
    }

    fn instance(&mut self, name: &str, instance: &ConsoleInstance) {
        let row = TreeRow::of(instance, &self.queued);
        let style = match row.after.as_str() {
            "" => DIM,
            after if after == State::NotInstalled.as_str() => WARN,
            _ => GOOD,
        };
        self.lines.push(styled(style, self.columns(name, &row)));
    }

    /// Formats a line with four columns; a name that is too long has a line of its own.
    fn columns(&self, name: &str, row: &TreeRow) -> String {
        let [before, queued, _] = self.widths;
        let rest = format!(
            "{:<before$}  {:<queued$}  {}",
            row.before, row.queued, row.after
        );
        let used: usize = self.widths.iter().sum::<usize>() + 6;
        let column = self.width.saturating_sub(used).clamp(NAMES.0, NAMES.1);
        match name.chars().count() <= column {
            true => format!("{name:<column$}  {}", rest.trim_end()),
            false => format!("{name}\n{:column$}  {}", "", rest.trim_end()),
        }
    }
}

/// Describes the current state: the version if the instance is verified, else its state.
pub(super) fn state_before(instance: &ConsoleInstance) -> String {
    match &instance.version {
        Some(version) if instance.state == State::Verified => version.to_string(),
        _ => instance.state.as_str().to_owned(),
    }
}

/// Describes the state after an operation in the same way.
pub(super) fn state_after(target: &TargetState) -> String {
    match target {
        TargetState::Item {
            state: State::Verified,
            version: Some(version),
            ..
        } => version.to_string(),
        TargetState::Item { state, .. } | TargetState::Procedure { state, .. } => {
            state.as_str().to_owned()
        }
        TargetState::Unknown => "unknown".to_owned(),
        TargetState::Nothing | TargetState::File { .. } | TargetState::Service { .. } => {
            String::new()
        }
    }
}
