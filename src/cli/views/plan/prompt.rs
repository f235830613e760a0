//! Summary of a plan before the prompt: what changes, what is unavailable, and what can be rolled
//! back.

use std::collections::BTreeSet;

use super::outages::planned_unavailable;
use super::view::PlanView;
use crate::cli::terminal::out::count;
use crate::cli::views::page::TextPage;
use crate::plan::Plan;

/// Returns the lines to read last before a plan is confirmed.
pub(crate) fn prompt_summary(plan: &Plan) -> String {
    let view = PlanView::of(plan);
    let servers: BTreeSet<&str> = plan
        .operations()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    let on = match servers.len() {
        0 => String::new(),
        servers => format!(", on {}", count(servers, "server")),
    };
    let mut page = TextPage::new();
    page.wrap("\n", &format!("changes: {}{on}", view.size), 2);
    page.wrap(
        "",
        &format!("unavailable during the run: {}", outage(&view)),
        2,
    );
    page.wrap("", &format!("undo: {}", view.undo.summary), 2);
    for point in &view.undo.points {
        page.wrap("", &format!("point of no return: {point}"), 2);
    }
    page.text()
}

/// Counts what is unavailable during the run, and names the steps that last as long as a person
/// takes.
fn outage(view: &PlanView<'_>) -> String {
    let mut text = planned_unavailable(view.plan);
    let waits = view.outages.iter().flat_map(|outage| view.waits(outage));
    let waits: BTreeSet<&str> = waits.collect();
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
