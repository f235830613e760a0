//! Verdict on a plan: whether it can be applied, and what to decide before.

use super::Showing;
use super::view::PlanView;
use crate::cli::terminal::out::count;
use crate::cli::views::steps::with_title;
use crate::cli::views::verdict::{Tone, Verdict};

/// Returns the verdict on a plan, as far as the command that shows it knows it.
pub(super) fn verdict(view: &PlanView<'_>, showing: &Showing) -> Verdict {
    let refused = showing.refused.iter().flatten();
    let mut all: Vec<String> = refused
        .map(|why| format!("`rollup apply` would refuse this user: {why}"))
        .collect();
    all.extend(points(view));
    let to_consider = match all.len() {
        0 => "nothing to consider first".to_owned(),
        points => format!("{} to consider first", count(points, "point")),
    };
    let headline = match &showing.refused {
        _ if view.plan.digest.is_none() => {
            "A preview without a payload: nothing was compared, and there is nothing to approve"
        }
        None => "A saved plan: `rollup plan FILE` checks whether it still holds",
        Some(refused) if !refused.is_empty() => "Can be applied, but not by this user",
        Some(_) => "Can be applied: every check passed",
    };
    let is_good = all.is_empty() && showing.refused.is_some() && view.plan.digest.is_some();
    Verdict {
        tone: if is_good { Tone::Good } else { Tone::Warn },
        headline: match view.plan.digest {
            Some(_) => format!("{headline}; {to_consider}"),
            None => headline.to_owned(),
        },
        points: all,
    }
}

/// Returns what a person should know before a decision, the most severe first.
fn points(view: &PlanView<'_>) -> Vec<String> {
    let plan = view.plan;
    let mut points = Vec::new();
    for one in &plan.confirmations {
        let (question, id) = (&one.question, &one.id);
        points.push(format!(
            "Not checked, to be confirmed by you (`--confirm {id}`): {question}"
        ));
    }
    for (label, texts) in [
        ("Point of no return", &view.undo.points),
        ("Permanent", &view.permanent_outages),
        ("Warning", &view.warnings),
        ("Scope", &view.scope),
    ] {
        points.extend(texts.iter().map(|text| format!("{label}: {text}")));
    }
    for step in &plan.steps {
        let Some(manual) = &step.manual else { continue };
        let on = match manual.servers.as_slice() {
            [] => String::new(),
            servers => format!(", on {}", servers.join(", ")),
        };
        let optional = if manual.optional { ", optional" } else { "" };
        let step = with_title(&step.id, &step.title);
        points.push(format!("By hand{optional}: step {step}{on}"));
    }
    if !view.new_items.is_empty() {
        points.push(format!(
            "New here, not installed before this run: {}",
            view.new_items.join(", ")
        ));
    }
    for step in &view.left_out {
        points.push(format!(
            "Left out of step {}, as not installed here: {}",
            step.id,
            step.left_out.join(", ")
        ));
    }
    points
}
