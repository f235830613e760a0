//! A plan as one HTML page, for a change board: in a browser, on a phone, on paper.
//!
//! The page needs no network and no script. Everything shown by a colour or a pattern is also
//! written in words, and every picture has a table underneath, so that it can be read aloud and
//! printed.

use std::collections::BTreeSet;

use askama::Template;

use super::view::{OutageKind, PlanView, SwappedBytes, describe_manual_step};
use super::words::{
    NOT_POSSIBLE, POINT_OF_NO_RETURN, WITHOUT_CONSOLE, describe_state, manual_step_count,
    staged_bytes,
};
use crate::cli::terminal::out::{count, number};
use crate::plan::{OperationKind, Plan};

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage<'p> {
    view: PlanView<'p>,
    /// Numbers, and the nouns that they count.
    figures: Vec<(String, &'static str)>,
    /// Bytes of the record of the applied rollups.
    applied_bytes: SwappedBytes,
    /// Bytes of the widest bar.
    widest: u64,
}

/// Renders the whole page.
pub(super) fn page(plan: &Plan) -> String {
    let view = PlanView::of(plan);
    let applied_bytes = SwappedBytes::of(&plan.swaps_by_step(), None);
    let bytes = view.steps.iter().map(|step| &step.bytes);
    let all_bytes = bytes
        .chain([&applied_bytes])
        .map(|bytes| bytes.new.max(bytes.old));
    PlanPage {
        figures: figures(&view),
        widest: all_bytes.max().unwrap_or_default(),
        applied_bytes,
        view,
    }
    .render()
    .expect("a text can always be written")
}

fn figures(view: &PlanView<'_>) -> Vec<(String, &'static str)> {
    let plan = view.plan;
    let unavailable = |kind: OutageKind| {
        let outages = view.outages.iter().filter(|outage| outage.kind == kind);
        let targets: BTreeSet<&str> = outages.map(|outage| outage.target).collect();
        targets.len()
    };
    let servers: BTreeSet<&str> = plan
        .operations()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    let figure = |figure: usize, one: &'static str, many: &'static str| {
        (number(figure as u64), if figure == 1 { one } else { many })
    };
    let items = unavailable(OutageKind::Item);
    let services = unavailable(OutageKind::Service);
    let mut figures = vec![
        figure(plan.steps.len(), "step", "steps"),
        figure(manual_step_count(plan), "manual step", "manual steps"),
        figure(plan.operations().count(), "operation", "operations"),
        figure(servers.len(), "server", "servers"),
        figure(items, "item unavailable", "items unavailable"),
        figure(services, "service unavailable", "services unavailable"),
    ];
    if plan.digest.is_some() {
        let bytes = number(staged_bytes(plan));
        figures.push((bytes, "bytes to stage before the first change"));
    }
    figures
}

/// Returns the CSS class of a kind of operation.
fn tone(kind: &OperationKind) -> &'static str {
    use OperationKind::*;
    match kind {
        Uninstall | Stop | Disable => "removes",
        Install | Run | Store | Copy | Start | Enable => "adds",
        Replace | Initialize | Accept => "changes",
    }
}
