//! A plan as one HTML page, for a change board: in a browser, on a phone, on paper.
//!
//! The first part is for the decision; annexes have everything else. The page needs no network and no
//! script. Everything shown by a colour or a pattern is also written in words.

use askama::Template;

use super::changes::{ChangeRow, changes};
use super::outages::OutageGroup;
use super::verdict::verdict;
use super::view::{PlanView, describe_manual_step};
use super::words::{NOT_POSSIBLE, POINT_OF_NO_RETURN, WITHOUT_CONSOLE, describe_state};
use super::{Rehearsal, Showing};
use crate::cli::terminal::out::{count_of, size};
use crate::cli::views::escapers::{css_string, sentence, with_code};
use crate::cli::views::verdict::Verdict;
use crate::plan::Plan;

#[derive(Template)]
#[template(path = "plan.html")]
struct PlanPage<'p> {
    view: PlanView<'p>,
    showing: &'p Showing,
    verdict: Verdict,
    changes: Vec<ChangeRow>,
    outages: Vec<OutageGroup<'p>>,
    dependents: Vec<OutageGroup<'p>>,
    rehearsal: Option<String>,
    /// Head of each printed page.
    running: String,
    /// Foot of each printed page.
    digest: String,
}

/// Renders the whole page.
pub(super) fn page(plan: &Plan, showing: &Showing) -> String {
    let view = PlanView::of(plan);
    PlanPage {
        verdict: verdict(&view, showing),
        changes: changes(plan),
        outages: OutageGroup::of(&view.outages),
        dependents: OutageGroup::of(&view.dependency_outages),
        rehearsal: showing.rehearsal.as_ref().map(Rehearsal::describe),
        running: format!("{} \u{b7} {}", subject(plan), plan.deployment),
        digest: match &plan.digest {
            Some(digest) => format!("plan {digest}"),
            None => "a preview without a digest".to_owned(),
        },
        showing,
        view,
    }
    .render()
    .expect("a text can always be written")
}

/// Names the subject of the plan in a word or two.
fn subject(plan: &Plan) -> String {
    match plan.rollup() {
        Some(rollup) => format!("{} revision {}", rollup.kb, rollup.revision),
        None => "accept drift".to_owned(),
    }
}
