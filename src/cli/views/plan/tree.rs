//! `plan --tree`: the console before and after the run, with the queued operations; the MPS
//! Deployment Tool shows the same before Start Deployment.

use anstyle::Style;

use super::view::{InstanceView, PlanView};
use super::words::WITHOUT_CONSOLE;
use crate::cli::table::{TableRow, table};
use crate::cli::terminal::out::{self, BOLD, CHANGED, DIM, GONE, GOOD, list};
use crate::names::Escaped;
use crate::plan::Plan;

/// Formats the tree, no wider than the screen as far as names allow it.
pub(super) fn text(plan: &Plan) -> String {
    let view = PlanView::of(plan);
    if view.console.is_empty() {
        return WITHOUT_CONSOLE.to_owned();
    }
    let deployment = Escaped(&plan.deployment).to_string();
    let heads = [&*deployment, "before", "queued", "after"];
    table(heads, &tree_rows(&view), out::width()).join("\n")
}

fn tree_rows(view: &PlanView<'_>) -> Vec<TableRow<4>> {
    let row = |style: Style, depth: usize, name: &str, [before, queued, after]: [String; 3]| {
        let name = format!("{}{}", "  ".repeat(depth), Escaped(name));
        TableRow {
            cells: [name, before, queued, after],
            styles: [style; 4],
            below: Vec::new(),
        }
    };
    let mut rows = Vec::new();
    for group in &view.console {
        rows.push(row(
            BOLD,
            group.depth,
            group.path.name(),
            Default::default(),
        ));
        for (name, instances) in &group.items {
            let depth = group.depth + 1;
            if instances.iter().any(|instance| instance.server.is_some()) {
                rows.push(row(Style::new(), depth, name, Default::default()));
            }
            for instance in instances {
                let (style, columns) = describe_instance(instance);
                rows.push(match instance.server {
                    Some(server) => row(style, depth + 1, server, columns),
                    None => row(style, depth, name, columns),
                });
            }
        }
    }
    rows
}

fn describe_instance(instance: &InstanceView<'_>) -> (Style, [String; 3]) {
    let before = instance.before.clone();
    if instance.operations.is_empty() {
        return (DIM, [before, String::new(), String::new()]);
    }
    let kinds = || instance.operations.iter().map(|operation| operation.kind);
    let signs: String = kinds().map(|kind| kind.sign()).collect();
    let queued = format!("{signs} {}", list(kinds().map(|kind| kind.word())));
    let style = match signs.as_str() {
        _ if instance.is_gone() => GONE,
        "+" => GOOD,
        _ => CHANGED,
    };
    (style, [before, queued, instance.after.clone()])
}
