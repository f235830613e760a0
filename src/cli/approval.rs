//! Comparison of a plan with the one that was saved or approved, and the differences by name.

use std::collections::{BTreeMap, BTreeSet};

use super::exit::Exit;
use super::failure::Failure;
use super::terminal::out::{first_few, on_servers};
use crate::cli::views::plan::{describe_state, rollup_list};
use crate::deployment::tree::Tree;
use crate::names::{Digest, RelPath};
use crate::plan::{Operation, OperationKind, Plan, Refusal, SourceLocation, Swap, TargetState};
use crate::run::changes_since_plan;

/// Largest number of different operations that are listed; the others are counted.
const MAX_LISTED: usize = 8;

const MANIFEST_CHANGED: &str = "the manifest has changed since the plan was saved";

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
            ExpectedPlan::Saved(saved)
                if plan.digest == saved.digest && plan.deployment == saved.deployment =>
            {
                Ok(())
            }
            ExpectedPlan::Saved(saved) => {
                let (saved_for, here) = (&saved.deployment, &plan.deployment);
                let reasons = if saved_for == here {
                    differences(saved, plan, tree)
                } else {
                    vec![format!(
                        "it is a plan for `{saved_for}`, and this deployment is `{here}`"
                    )]
                };
                Err(stale(saved, reasons))
            }
        }
    }

    /// Describes the refusal of a saved plan as a stale plan if its manifest or the tree has
    /// changed.
    pub(super) fn refused(&self, refusal: Refusal, manifest: Digest, tree: &Tree) -> Failure {
        let failure = Failure::from(&refusal);
        let ExpectedPlan::Saved(saved) = self else {
            return failure;
        };
        let mut reasons = changes_since_saved(saved, tree);
        if saved.rollup().map(|rollup| rollup.manifest) != Some(manifest) {
            reasons.insert(0, MANIFEST_CHANGED.to_owned());
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
    if reasons.is_empty() {
        let reason = "planning again makes another plan";
        failure.reasons.push(reason.to_owned());
    }
    failure.reasons.extend(reasons);
    failure.next("`rollup plan --save FILE` plans again")
}

/// Describes the changes at every path that the saved plan touches.
fn changes_since_saved(saved: &Plan, tree: &Tree) -> Vec<String> {
    changes_since_plan(tree, saved)
        .unwrap_or_default()
        .into_iter()
        .map(|change| format!("since the plan was saved, {change}"))
        .collect()
}

/// Describes the differences that make the plan another one: on the disk, in the manifest, the
/// payload, unmanaged files, the applied rollups, and the operations.
fn differences(saved: &Plan, now: &Plan, tree: &Tree) -> Vec<String> {
    let mut reasons = changes_since_saved(saved, tree);
    if saved.rollup().map(|rollup| rollup.manifest) != now.rollup().map(|rollup| rollup.manifest) {
        reasons.push(MANIFEST_CHANGED.to_owned());
    }
    reasons.extend(payload_differences(saved, now));
    let (unmanaged_then, unmanaged_now) = (unmanaged(saved), unmanaged(now));
    for path in unmanaged_now.difference(&unmanaged_then) {
        reasons.push(format!("`{path}` is an unmanaged file that is new"));
    }
    for path in unmanaged_then.difference(&unmanaged_now) {
        reasons.push(format!("`{path}`, an unmanaged file, is gone"));
    }
    if saved.applied.before != now.applied.before {
        reasons.push(format!(
            "applied was {}, and now is {}",
            rollup_list(&saved.applied.before),
            rollup_list(&now.applied.before)
        ));
    }
    reasons.extend(first_few(changed_operations(saved, now), MAX_LISTED));
    let names_then: BTreeSet<String> = saved.operations().map(describe_operation).collect();
    let names_now: BTreeSet<String> = now.operations().map(describe_operation).collect();
    let added = names_now
        .difference(&names_then)
        .map(|name| format!("{name} is in the plan now, and was not before"));
    reasons.extend(first_few(added, MAX_LISTED));
    let removed = names_then
        .difference(&names_now)
        .map(|name| format!("{name} is not in the plan any more"));
    reasons.extend(first_few(removed, MAX_LISTED));
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

fn unmanaged(plan: &Plan) -> BTreeSet<&RelPath> {
    plan.swaps.iter().flat_map(Swap::unmanaged).collect()
}

/// Describes the operations of both plans that have another result now.
fn changed_operations(saved: &Plan, now: &Plan) -> Vec<String> {
    let states_then: BTreeMap<(OperationKind, &RelPath), &TargetState> = saved
        .operations()
        .map(|operation| ((operation.kind, &operation.at), &operation.after))
        .collect();
    let mut changed = Vec::new();
    for operation in now.operations() {
        if let Some(then) = states_then.get(&(operation.kind, &operation.at))
            && **then != operation.after
        {
            changed.push(format!(
                "{}: then {}, now {}",
                describe_operation(operation),
                describe_state(then),
                describe_state(&operation.after)
            ));
        }
    }
    changed
}

fn describe_operation(operation: &Operation) -> String {
    let target = format!("`{}`", operation.target);
    let target = on_servers(&target, operation.server.as_deref());
    format!("{} {target}", operation.kind.word())
}
