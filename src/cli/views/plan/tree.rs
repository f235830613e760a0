//! `plan --tree`: the console before and after the run, with the queued operations; the MPS
//! Deployment Tool shows the same before Start Deployment.

use anstyle::Style;

use super::view::{InstanceView, PlanView};
use super::words::WITHOUT_CONSOLE;
use crate::cli::terminal::out::{BOLD, DIM, GOOD, WARN, styled};
use crate::names::Escaped;
use crate::plan::Plan;

/// Narrowest and widest column of names.
const NAMES: (usize, usize) = (20, 56);

/// Line of the tree: a name, and for an instance the columns beside it.
struct TreeLine {
    style: Style,
    name: String,
    columns: [String; 3],
}

/// Formats the tree, no wider than `width` as far as names allow it.
pub(super) fn text(plan: &Plan, width: usize) -> String {
    let view = PlanView::of(plan);
    if view.console.is_empty() {
        return WITHOUT_CONSOLE.to_owned();
    }
    let lines = tree_lines(&view);
    let widest = |column: usize| {
        let widths = lines
            .iter()
            .map(|line| line.columns[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let [before, queued, after] = [0, 1, 2].map(widest);
    let used = before + queued + after + 6;
    let names = width.saturating_sub(used).clamp(NAMES.0, NAMES.1);
    let mut text = Vec::new();
    for TreeLine {
        style,
        name,
        columns,
    } in &lines
    {
        let [old, change, new] = columns;
        let rest = format!("  {old:<before$}  {change:<queued$}  {new}");
        let rest = rest.trim_end();
        // A name that is too long has a line of its own.
        let line = if rest.is_empty() {
            name.clone()
        } else if name.chars().count() <= names {
            format!("{name:<names$}{rest}")
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
    let style = if instance.is_gone() { WARN } else { GOOD };
    (style, [before, queued, instance.after.clone()])
}
