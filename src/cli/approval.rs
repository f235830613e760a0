//! Approval: a plan that is run is the one that was saved, or that somebody looked at.

use std::collections::{BTreeMap, BTreeSet};

use super::exit::{Exit, Failure};
use super::typed::Typed;
use crate::cli::views;
use crate::deployment::tree::Tree;
use crate::names::{Digest, Escaped, RelPath};
use crate::plan::{Operation, OperationKind, Plan, Refusal, Source, SourceAt, TargetState};
use crate::run::moved;

/// Largest number of different operations that are listed; more are counted.
const NAMED: usize = 8;

/// Condition that a plan has to meet to be run.
#[derive(Debug, Clone, Default)]
pub(super) enum Approved {
    /// Any plan.
    #[default]
    Any,
    /// The plan with this digest.
    Digest(Digest),
    /// The plan that was saved.
    Saved(Box<Plan>),
}

impl Approved {
    /// Refuses any plan but the approved one.
    pub(super) fn check(&self, plan: &Plan, tree: &Tree, typed: &Typed) -> Result<(), Failure> {
        match self {
            Approved::Any => Ok(()),
            Approved::Digest(approval) => is_approved(plan, approval, typed),
            Approved::Saved(saved) if saved.deployment != plan.deployment => {
                let (saved_for, here) = (Escaped(&saved.deployment), Escaped(&plan.deployment));
                Err(stale(
                    saved,
                    vec![format!(
                        "it is a plan for `{saved_for}`, and this is `{here}`"
                    )],
                    typed,
                ))
            }
            Approved::Saved(saved) if plan.digest == saved.digest => Ok(()),
            Approved::Saved(saved) => {
                let mut reasons = touched(saved, tree);
                reasons.extend(decided_otherwise(saved, plan));
                Err(stale(saved, reasons, typed))
            }
        }
    }

    /// Reports the refusal of a saved plan as a stale plan if what it depends on has changed.
    pub(super) fn refused(
        &self,
        refusal: &Refusal,
        failure: Failure,
        manifest: Digest,
        tree: &Tree,
        typed: &Typed,
    ) -> Failure {
        let Approved::Saved(saved) = self else {
            return failure;
        };
        let mut reasons = touched(saved, tree);
        if saved.rollup().map(|rollup| rollup.manifest) != Some(manifest) {
            reasons.insert(0, "the manifest was changed since".to_owned());
        }
        if reasons.is_empty() {
            return failure;
        }
        reasons.extend(refusal.reasons.iter().map(|reason| reason.message.clone()));
        let mut stale = stale(saved, reasons, typed);
        stale.next.extend(failure.next);
        stale
    }
}

/// Refuses a plan that is not the approved one.
pub(super) fn is_approved(plan: &Plan, approval: &Digest, typed: &Typed) -> Result<(), Failure> {
    if plan.digest.as_ref() == Some(approval) {
        return Ok(());
    }
    let digest = plan
        .digest
        .as_ref()
        .map_or("without a digest".to_owned(), ToString::to_string);
    let reason = format!("the plan is {digest} now, and {approval} was approved");
    Err(Failure::new(Exit::StalePlan, reason)
        .now("nothing of the deployment has changed")
        .next(format!(
            "`{}` shows what it would do now",
            typed.again("plan")
        )))
}

fn stale(saved: &Plan, mut reasons: Vec<String>, typed: &Typed) -> Failure {
    let digest = saved.digest.as_ref().map(Digest::short).unwrap_or_default();
    let mut failure = Failure::new(
        Exit::StalePlan,
        format_args!("the saved plan {digest} is stale"),
    );
    if reasons.is_empty() {
        reasons.push("planning again gives another plan".to_owned());
    }
    failure.reasons.append(&mut reasons);
    let mut now = typed.again_with(&typed.typed_manifest(), "plan");
    now.push_str(" --save FILE");
    failure
        .now("nothing of the deployment has changed")
        .next(format!("`{now}` makes a plan of what is true now"))
}

/// Describes what the plan touches and has changed since the plan saw it.
fn touched(saved: &Plan, tree: &Tree) -> Vec<String> {
    moved(tree, saved)
        .unwrap_or_default()
        .into_iter()
        .map(|what| format!("since it was saved, {what}"))
        .collect()
}

/// Describes what else decides a plan and is different: the manifest, the payload, unmanaged files,
/// the applied rollups, and the operations.
fn decided_otherwise(saved: &Plan, now: &Plan) -> Vec<String> {
    let mut reasons = Vec::new();
    if saved.rollup().map(|rollup| rollup.manifest) != now.rollup().map(|rollup| rollup.manifest) {
        reasons.push("the manifest was changed since".to_owned());
    }
    let sources: BTreeMap<&SourceAt, &Source> = now
        .sources
        .iter()
        .map(|source| (&source.at, source))
        .collect();
    for source in &saved.sources {
        let SourceAt::Payload { name } = &source.at else {
            continue;
        };
        let other = sources.get(&source.at);
        if other.is_some_and(|other| other.sha256 != source.sha256) {
            reasons.push(format!("`{name}` in the payload is another file than then"));
        }
    }
    let unmanaged = |plan: &Plan| -> BTreeSet<RelPath> {
        plan.swaps
            .iter()
            .flat_map(|swap| swap.unmanaged.iter().cloned())
            .collect()
    };
    let (then, today) = (unmanaged(saved), unmanaged(now));
    reasons.extend(
        today
            .difference(&then)
            .map(|path| format!("`{path}` is an operator's file that came since")),
    );
    reasons.extend(
        then.difference(&today)
            .map(|path| format!("`{path}`, an operator's file, is gone since")),
    );
    if saved.applied.before != now.applied.before {
        let shown = |applied: &[crate::names::Kb]| match applied {
            [] => "nothing".to_owned(),
            applied => applied
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
        };
        reasons.push(format!(
            "in force was {}, and now is {}",
            shown(&saved.applied.before),
            shown(&now.applied.before)
        ));
    }
    let named = |operation: &Operation| {
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
    let then: BTreeMap<(OperationKind, &RelPath), &TargetState> = saved
        .operations()
        .map(|one| ((one.kind, &one.at), &one.after))
        .collect();
    let other = now.operations().filter_map(|one| {
        let after = then
            .get(&(one.kind, &one.at))
            .filter(|after| ***after != one.after)?;
        Some(format!(
            "{}: then {}, now {}",
            named(one),
            views::plan::side(after),
            views::plan::side(&one.after)
        ))
    });
    let other: Vec<String> = other.collect();
    reasons.extend(bounded(other));
    let before: BTreeSet<String> = saved.operations().map(named).collect();
    let after: BTreeSet<String> = now.operations().map(named).collect();
    reasons.extend(some(
        after.difference(&before),
        "is to be done now and was not",
    ));
    reasons.extend(some(
        before.difference(&after),
        "was to be done and is not any more",
    ));
    reasons
}

fn some<'a>(operations: impl Iterator<Item = &'a String>, what: &str) -> Vec<String> {
    bounded(
        operations
            .map(|operation| format!("{operation} {what}"))
            .collect(),
    )
}

/// Returns the first few, and how many more there are.
fn bounded(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("and {more} more"));
    }
    all
}
