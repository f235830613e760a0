//! A plan as Markdown, for the ticket in which it is approved.

use askama::Template;

use super::changes::{ChangeRow, changes};
use super::outages::OutageGroup;
use super::verdict::verdict;
use super::view::{PlanView, describe_manual_step};
use super::words::{NOT_POSSIBLE, POINT_OF_NO_RETURN};
use super::{Rehearsal, Showing};
use crate::cli::views::markdown::fenced;
use crate::cli::views::verdict::Verdict;
use crate::plan::Plan;

#[derive(Template)]
#[template(path = "plan.md")]
struct MarkdownPlan<'p> {
    view: PlanView<'p>,
    showing: &'p Showing,
    verdict: Verdict,
    changes: Vec<ChangeRow>,
    outages: Vec<OutageGroup<'p>>,
    rehearsal: Option<String>,
}

/// Formats the whole plan: the verdict and everything to read before approving, the steps with their
/// operations, the files old and new, and the rollback.
pub(super) fn text(plan: &Plan, showing: &Showing) -> String {
    let view = PlanView::of(plan);
    MarkdownPlan {
        verdict: verdict(&view, showing),
        changes: changes(plan),
        outages: OutageGroup::of(&view.outages),
        rehearsal: showing.rehearsal.as_ref().map(Rehearsal::describe),
        showing,
        view,
    }
    .render()
    .expect("a text can always be written")
}
