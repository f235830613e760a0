//! A plan as Markdown, for the ticket in which it is approved.

use askama::Template;

use super::view::{PlanView, describe_manual_step};
use super::words::{NOT_POSSIBLE, POINT_OF_NO_RETURN};
use crate::cli::views::markdown::fenced;
use crate::plan::Plan;

#[derive(Template)]
#[template(path = "plan.md")]
struct MarkdownPlan<'p> {
    view: PlanView<'p>,
}

/// Formats the whole plan: subject and deployment, everything to read before approving, outages,
/// the steps with their operations, the files old and new, and the rollback.
pub(super) fn text(plan: &Plan) -> String {
    MarkdownPlan {
        view: PlanView::of(plan),
    }
    .render()
    .expect("a text can always be written")
}
