//! Summary of a plan before the prompt: what changes, what is unavailable, and what can be rolled
//! back.

use std::collections::BTreeSet;

use super::outages::{items_and_services, unavailable_count};
use super::view::PlanView;
use crate::cli::terminal::out::{count, wrapped};
use crate::names::Escaped;
use crate::plan::Plan;

/// Returns the lines to read last before a plan is confirmed.
pub(crate) fn prompt_summary(plan: &Plan, width: usize) -> Vec<String> {
    let view = PlanView::of(plan);
    let servers: BTreeSet<&str> = plan
        .operations()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    let on = match servers.len() {
        0 => String::new(),
        servers => format!(", on {}", count(servers, "server")),
    };
    let mut lines = vec![
        String::new(),
        format!("changes: {}{on}", view.size),
        format!("outage: {}", outage(&view)),
        format!("undo: {}", view.undo.summary),
    ];
    for point in &view.undo.points {
        lines.push(format!("point of no return: {point}"));
    }
    for line in &mut lines {
        *line = wrapped(&Escaped(line).to_string(), width, "  ");
    }
    lines
}

/// Counts what is unavailable during the run, and names the steps that last as long as a person
/// takes.
fn outage(view: &PlanView<'_>) -> String {
    let [items, services] = items_and_services(&view.outages);
    if items.is_empty() && services.is_empty() {
        return "nothing becomes unavailable".to_owned();
    }
    let are = if items.len() + services.len() == 1 {
        "is"
    } else {
        "are"
    };
    let unavailable = unavailable_count(&items, &services);
    let mut text = format!("{unavailable} {are} unavailable during the run");
    let mut waits: BTreeSet<&str> = BTreeSet::new();
    for outage in &view.outages {
        waits.extend(view.waits(outage));
    }
    if !waits.is_empty() {
        let waits = Vec::from_iter(waits).join("`, `");
        text.push_str(&format!(", as long as a person takes for step `{waits}`"));
    }
    if !view.permanent_outages.is_empty() {
        let permanent = view.permanent_outages.len();
        text.push_str(&format!("; {permanent} of the outages are permanent"));
    }
    text
}
