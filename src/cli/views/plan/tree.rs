//! `plan --tree`: the console before and after the run, with the queued operations; the MPS
//! Deployment Tool shows the same before Start Deployment.

use anstyle::Style;

use super::view::{InstanceView, PlanView};
use super::words::WITHOUT_CONSOLE;
use crate::cli::terminal::out::{BOLD, CHANGED, DIM, GONE, GOOD, styled};
use crate::names::{Escaped, columns, padded};
use crate::plan::Plan;

/// Narrowest and widest column of names.
const NAMES: (usize, usize) = (20, 56);

/// Line of the tree: a name, and for an instance the columns beside it.
struct TreeLine {
    style: Style,
    name: String,
    columns: [String; 3],
}

impl TreeLine {
    /// Formats the line for a screen without room for columns: below the name the states, and between them
    /// the signs of the operations.
    fn narrow(&self) -> String {
        let [old, change, new] = &self.columns;
        let signs = change.split(' ').next().unwrap_or_default();
        let states = [old.as_str(), signs, new];
        let states: Vec<&str> = states.into_iter().filter(|text| !text.is_empty()).collect();
        let depth = self.name.len() - self.name.trim_start().len() + 2;
        let text = match states.is_empty() {
            true => self.name.clone(),
            false => format!("{}\n{:depth$}{}", self.name, "", states.join("  ")),
        };
        styled(self.style, text)
    }
}

/// Formats the tree, no wider than `width` as far as names allow it.
pub(super) fn text(plan: &Plan, width: usize) -> String {
    let view = PlanView::of(plan);
    if view.console.is_empty() {
        return WITHOUT_CONSOLE.to_owned();
    }
    let lines = tree_lines(&view);
    let widest = |column: usize| {
        let widths = lines.iter().map(|line| columns(&line.columns[column]));
        widths.max().unwrap_or_default()
    };
    let [before, queued, after] = [0, 1, 2].map(widest);
    let used = before + queued + after + 6;
    if width < NAMES.0 + used {
        let lines: Vec<String> = lines.iter().map(TreeLine::narrow).collect();
        return lines.join("\n");
    }
    let names = (width - used).min(NAMES.1);
    let mut text = Vec::new();
    for TreeLine {
        style,
        name,
        columns: [old, change, new],
    } in &lines
    {
        let (old, change) = (padded(old, before), padded(change, queued));
        let rest = format!("  {old}  {change}  {new}");
        let rest = rest.trim_end();
        // A name that is too long has a line of its own.
        let line = if rest.is_empty() {
            name.clone()
        } else if columns(name) <= names {
            format!("{}{rest}", padded(name, names))
        } else {
            format!("{name}\n{:names$}{rest}", "")
        };
        text.push(styled(*style, line));
    }
    text.join("\n")
}

fn tree_lines(view: &PlanView<'_>) -> Vec<TreeLine> {
    let line = |style: Style, depth: usize, name: &str, columns: [String; 3]| TreeLine {
        style,
        name: format!("{}{}", "  ".repeat(depth), Escaped(name)),
        columns,
    };
    let head = ["before", "queued", "after"].map(str::to_owned);
    let mut lines = vec![line(BOLD, 0, &view.plan.deployment, head)];
    for group in &view.console {
        lines.push(line(
            BOLD,
            group.depth,
            group.path.name(),
            Default::default(),
        ));
        for (name, instances) in &group.items {
            let depth = group.depth + 1;
            if instances.iter().any(|instance| instance.server.is_some()) {
                lines.push(line(Style::new(), depth, name, Default::default()));
            }
            for instance in instances {
                let (style, columns) = describe_instance(instance);
                lines.push(match instance.server {
                    Some(server) => line(style, depth + 1, server, columns),
                    None => line(style, depth, name, columns),
                });
            }
        }
    }
    lines
}

fn describe_instance(instance: &InstanceView<'_>) -> (Style, [String; 3]) {
    let before = instance.before.clone();
    if instance.operations.is_empty() {
        return (DIM, [before, String::new(), String::new()]);
    }
    let kinds = || instance.operations.iter().map(|operation| operation.kind);
    let signs: String = kinds().map(|kind| kind.sign()).collect();
    let words: Vec<&str> = kinds().map(|kind| kind.word()).collect();
    let queued = format!("{signs} {}", words.join(", "));
    let style = match signs.as_str() {
        _ if instance.is_gone() => GONE,
        "+" => GOOD,
        _ => CHANGED,
    };
    (style, [before, queued, instance.after.clone()])
}
