//! Comparison of a plan with the one that was saved or approved, and the differences by name.

use std::collections::{BTreeMap, BTreeSet};

use super::exit::Exit;
use super::failure::Failure;
use super::typed::PlanCommand;
use crate::cli::views;
use crate::deployment::tree::Tree;
use crate::names::{Digest, Escaped, Kb, RelPath};
use crate::plan::{
    Operation, OperationKind, Plan, PlanSource, Refusal, SourceLocation, TargetState,
};
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
    pub(super) fn check(
        &self,
        plan: &Plan,
        tree: &Tree,
        command: &PlanCommand,
    ) -> Result<(), Failure> {
        match self {
            ExpectedPlan::Any => Ok(()),
            ExpectedPlan::Digest(approved) => check_digest(plan, approved, command),
            ExpectedPlan::Saved(saved) if saved.deployment != plan.deployment => {
                let (saved_for, here) = (Escaped(&saved.deployment), Escaped(&plan.deployment));
                Err(stale(
                    saved,
                    vec![format!(
                        "it is a plan for `{saved_for}`, and this deployment is `{here}`"
                    )],
                    command,
                ))
            }
            ExpectedPlan::Saved(saved) if plan.digest == saved.digest => Ok(()),
            ExpectedPlan::Saved(saved) => {
                let mut reasons = changes_since_saved(saved, tree);
                reasons.extend(other_differences(saved, plan));
                Err(stale(saved, reasons, command))
            }
        }
    }

    /// Describes the refusal of a saved plan as a stale plan if its manifest or the tree has
    /// changed.
    pub(super) fn refused(
        &self,
        refusal: Refusal,
        manifest: Digest,
        tree: &Tree,
        command: &PlanCommand,
    ) -> Failure {
        let failure = Failure::from(refusal);
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
        let mut stale = stale(saved, reasons, command);
        stale.next.extend(failure.next);
        stale
    }
}

/// Refuses a plan that does not have the approved digest.
pub(super) fn check_digest(
    plan: &Plan,
    approved: &Digest,
    command: &PlanCommand,
) -> Result<(), Failure> {
    if plan.digest.as_ref() == Some(approved) {
        return Ok(());
    }
    let reason = match &plan.digest {
        Some(digest) => format!("the plan now has the digest {digest}; approved was {approved}"),
        None => format!("the plan now has no digest; approved was {approved}"),
    };
    Err(Failure::new(Exit::StalePlan, reason)
        .next(format!("`{}` shows the plan", command.line("plan"))))
}

fn stale(saved: &Plan, mut reasons: Vec<String>, command: &PlanCommand) -> Failure {
    let digest = saved.digest.as_ref().map(Digest::short).unwrap_or_default();
    let mut failure = Failure::new(
        Exit::StalePlan,
        format_args!("the saved plan {digest} is stale"),
    );
    if reasons.is_empty() {
        reasons.push("planning again makes another plan".to_owned());
    }
    failure.reasons.append(&mut reasons);
    let plan_again = command.line_for(&command.manifest(), "plan");
    failure.next(format!("`{plan_again} --save FILE` plans again"))
}

/// Describes the changes at every path that the saved plan touches.
fn changes_since_saved(saved: &Plan, tree: &Tree) -> Vec<String> {
    changes_since_plan(tree, saved)
        .unwrap_or_default()
        .into_iter()
        .map(|change| format!("since the plan was saved, {change}"))
        .collect()
}

/// Describes the other differences that make the plan another one: in the manifest, the payload,
/// unmanaged files, the applied rollups, and the operations.
fn other_differences(saved: &Plan, now: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    if saved.rollup().map(|rollup| rollup.manifest) != now.rollup().map(|rollup| rollup.manifest) {
        reasons.push(MANIFEST_CHANGED.to_owned());
    }
    let sources: BTreeMap<&SourceLocation, &PlanSource> = now
        .sources
        .iter()
        .map(|source| (&source.at, source))
        .collect();
    for source in &saved.sources {
        let SourceLocation::Payload { name } = &source.at else {
            continue;
        };
        let other = sources.get(&source.at);
        if other.is_some_and(|other| other.sha256 != source.sha256) {
            reasons.push(format!(
                "`{name}` in the payload is not the file that the plan was made from"
            ));
        }
    }
    let unmanaged = |plan: &Plan| -> BTreeSet<RelPath> {
        plan.swaps
            .iter()
            .flat_map(|swap| swap.unmanaged.iter().cloned())
            .collect()
    };
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
            list(&saved.applied.before),
            list(&now.applied.before)
        ));
    }
    let name = |operation: &Operation| {
        let on = operation
            .server
            .as_ref()
            .map(|server| format!(" on {server}"))
            .unwrap_or_default();
        format!(
            "{} `{}`{on}",
            operation.kind.word(),
            Escaped(&operation.target)
        )
    };
    let states_then: BTreeMap<(OperationKind, &RelPath), &TargetState> = saved
        .operations()
        .map(|operation| ((operation.kind, &operation.at), &operation.after))
        .collect();
    let mut changed = Vec::new();
    for operation in now.operations() {
        let then = states_then.get(&(operation.kind, &operation.at));
        if let Some(then) = then.filter(|then| ***then != operation.after) {
            changed.push(format!(
                "{}: then {}, now {}",
                name(operation),
                views::plan::describe_state(then),
                views::plan::describe_state(&operation.after)
            ));
        }
    }
    reasons.extend(first_few(changed));
    let names_then: BTreeSet<String> = saved.operations().map(name).collect();
    let names_now: BTreeSet<String> = now.operations().map(name).collect();
    let added = names_now
        .difference(&names_then)
        .map(|name| format!("{name} is in the plan now, and was not before"));
    reasons.extend(first_few(added.collect()));
    let removed = names_then
        .difference(&names_now)
        .map(|name| format!("{name} is not in the plan any more"));
    reasons.extend(first_few(removed.collect()));
    reasons
}

fn list(applied: &[Kb]) -> String {
    if applied.is_empty() {
        return "nothing".to_owned();
    }
    let kbs: Vec<String> = applied.iter().map(ToString::to_string).collect();
    kbs.join(", ")
}

/// Returns the first few lines, and the number of the others.
fn first_few(mut lines: Vec<String>) -> Vec<String> {
    let more = lines.len().saturating_sub(MAX_LISTED);
    lines.truncate(MAX_LISTED);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
