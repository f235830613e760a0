//! Comparison of a plan with the one that was saved or approved, and the differences by name.

use std::collections::{BTreeMap, BTreeSet};

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::out::{first_few, message};
use crate::cli::views::plan::{describe_operation, describe_state, rollup_list};
use crate::deployment::tree::Tree;
use crate::names::{Digest, RelPath};
use crate::plan::{
    self, OperationKind, Plan, Refusal, SourceLocation, Swap, TargetState, differences_of_context,
};
use crate::run::changes_since_plan;

/// Largest number of different operations that are listed; the others are counted.
const MAX_LISTED: usize = 8;

/// Start of a sentence about a saved plan.
const SAVED: &str = "the plan was saved";

/// Plan that a command is allowed to run.
#[derive(Debug, Clone, Default)]
pub(super) enum ExpectedPlan {
    /// Any plan.
    #[default]
    Any,
    /// The plan with this digest.
    Digest(Digest),
    /// The plan that was saved.
    Saved(Box<Plan>),
}

impl ExpectedPlan {
    /// Refuses any plan but the expected one.
    pub(super) fn check(&self, plan: &Plan, tree: &Tree) -> Result<(), Failure> {
        match self {
            ExpectedPlan::Any => Ok(()),
            ExpectedPlan::Digest(approved) => check_digest(plan, approved),
            ExpectedPlan::Saved(saved) if plan.digest == saved.digest => Ok(()),
            ExpectedPlan::Saved(saved) => {
                let (saved_for, here) = (&saved.deployment, &plan.deployment);
                let reasons = if saved_for == here {
                    differences(saved, plan, tree, SAVED)
                } else {
                    vec![format!(
                        "it is a plan for `{saved_for}`, and this deployment is `{here}`"
                    )]
                };
                Err(stale(saved, reasons))
            }
        }
    }

    /// Prints what has changed beside a saved plan: in the rest of the console, and the unmanaged
    /// entries.
    pub(super) fn report_notes(&self, plan: &Plan) {
        let ExpectedPlan::Saved(saved) = self else {
            return;
        };
        let console = differences_of_context(saved, plan)
            .into_iter()
            .map(|difference| format!("in the rest of the console, {difference}"));
        let changes = unmanaged_changes(saved, plan).into_iter().chain(console);
        for change in first_few(changes, MAX_LISTED) {
            message(format_args!("note: since {SAVED}, {change}"));
        }
    }

    /// Describes the refusal of a saved plan as a stale plan if the description of the deployment or
    /// the tree has changed.
    pub(super) fn refused(&self, refusal: Refusal, description: Digest, tree: &Tree) -> Failure {
        let failure = Failure::from(&refusal);
        let ExpectedPlan::Saved(saved) = self else {
            return failure;
        };
        let mut reasons = changes_on_disk(saved, tree, SAVED);
        if saved.description != description {
            reasons.insert(0, description_changed(SAVED));
        }
        if reasons.is_empty() {
            return failure;
        }
        reasons.extend(failure.reasons);
        let mut stale = stale(saved, reasons);
        stale.next.extend(failure.next);
        stale
    }
}

/// Refuses a plan that does not have the approved digest.
pub(super) fn check_digest(plan: &Plan, approved: &Digest) -> Result<(), Failure> {
    if plan.digest.as_ref() == Some(approved) {
        return Ok(());
    }
    let now = match &plan.digest {
        Some(digest) => format!("the digest {digest}"),
        None => "no digest".to_owned(),
    };
    let reason = format!("the plan now has {now}; approved was {approved}");
    Err(Failure::new(Exit::StalePlan, reason).next("`rollup plan` shows the plan"))
}

fn stale(saved: &Plan, reasons: Vec<String>) -> Failure {
    let digest = saved.digest.as_ref().map(Digest::short).unwrap_or_default();
    let reason = format!("the saved plan {digest} is stale");
    let mut failure = Failure::new(Exit::StalePlan, reason);
    failure.reasons.extend(reasons);
    failure.next("`rollup plan --save FILE` plans again")
}

fn description_changed(since: &str) -> String {
    format!("since {since}, `deployment.toml` has changed")
}

/// Describes the changes at every path that an earlier plan touches.
fn changes_on_disk(earlier: &Plan, tree: &Tree, since: &str) -> Vec<String> {
    changes_since_plan(tree, earlier)
        .unwrap_or_default()
        .into_iter()
        .map(|change| format!("since {since}, {change}"))
        .collect()
}

/// Describes every difference between an earlier plan and the one that is made now: on the disk, in
/// the description of the deployment, the payload, the applied rollups and the operations, and then
/// by its keys what these do not explain.
pub(super) fn differences(earlier: &Plan, now: &Plan, tree: &Tree, since: &str) -> Vec<String> {
    let mut unexplained = earlier.clone();
    let mut reasons = changes_on_disk(earlier, tree, since);
    reasons.extend(payload_differences(earlier, now));
    if earlier.description != now.description {
        reasons.push(description_changed(since));
        unexplained.description = now.description;
    }
    if earlier.applied.before != now.applied.before {
        reasons.push(format!(
            "applied was {}, and now is {}",
            rollup_list(&earlier.applied.before),
            rollup_list(&now.applied.before)
        ));
        unexplained.applied = now.applied.clone();
    }
    reasons.extend(first_few(
        changed_operations(&mut unexplained, now),
        MAX_LISTED,
    ));
    let names_then: BTreeSet<String> = earlier.operations().map(describe_operation).collect();
    let names_now: BTreeSet<String> = now.operations().map(describe_operation).collect();
    let added = names_now
        .difference(&names_then)
        .map(|name| format!("{name} is in the plan now, and was not before"));
    reasons.extend(first_few(added, MAX_LISTED));
    let removed = names_then
        .difference(&names_now)
        .map(|name| format!("{name} is not in the plan any more"));
    reasons.extend(first_few(removed, MAX_LISTED));
    if !reasons.is_empty() {
        // These follow from the other differences.
        unexplained.sources.clone_from(&now.sources);
        unexplained.swaps.clone_from(&now.swaps);
        unexplained.expected_state.clone_from(&now.expected_state);
    }
    let rest = plan::differences(&unexplained, now).into_iter();
    reasons.extend(first_few(rest.map(|one| one.to_string()), MAX_LISTED));
    reasons
}

/// Describes the files of the payload that have other contents.
fn payload_differences(saved: &Plan, now: &Plan) -> Vec<String> {
    let sources_now: BTreeMap<&SourceLocation, Digest> = now
        .sources
        .iter()
        .map(|source| (&source.at, source.sha256))
        .collect();
    let mut reasons = Vec::new();
    for source in &saved.sources {
        if let SourceLocation::Payload { name } = &source.at
            && let Some(sha256) = sources_now.get(&source.at)
            && *sha256 != source.sha256
        {
            reasons.push(format!(
                "`{name}` in the payload is not the file that the plan was made from"
            ));
        }
    }
    reasons
}

/// Describes the unmanaged entries that are new, and those that are gone. A run takes those that it
/// finds.
fn unmanaged_changes(saved: &Plan, now: &Plan) -> Vec<String> {
    let [then, now] = [saved, now].map(|plan| -> BTreeSet<&RelPath> {
        plan.swaps.iter().flat_map(Swap::unmanaged).collect()
    });
    let new = now
        .difference(&then)
        .map(|path| format!("`{path}` is an unmanaged file that is new"));
    let gone = then
        .difference(&now)
        .map(|path| format!("`{path}`, an unmanaged file, is gone"));
    new.chain(gone).collect()
}

/// Describes the operations of both plans that have another result now, and gives them that result
/// in the earlier plan.
fn changed_operations(earlier: &mut Plan, now: &Plan) -> Vec<String> {
    let states_now: BTreeMap<(OperationKind, &RelPath), &TargetState> = now
        .operations()
        .map(|operation| ((operation.kind, &operation.at), &operation.after))
        .collect();
    let mut changed = Vec::new();
    for operation in earlier
        .steps
        .iter_mut()
        .flat_map(|step| &mut step.operations)
    {
        if let Some(&now) = states_now.get(&(operation.kind, &operation.at))
            && *now != operation.after
        {
            changed.push(format!(
                "{}: then {}, now {}",
                describe_operation(operation),
                describe_state(&operation.after),
                describe_state(now)
            ));
            operation.after = now.clone();
        }
    }
    changed
}
