//! Check, before anything is staged, that every secret of a procedure that runs is set.

use std::collections::BTreeSet;
use std::error::Error;

use crate::deployment::description::{Description, ItemKind};
use crate::deployment::parameters::StoredParameter;
use crate::deployment::tree::Tree;
use crate::names::Escaped;
use crate::plan::{Operation, OperationKind, Plan, Reason, ReasonKind};

/// Returns a reason for every secret of the procedures that the plan runs that is not set for this
/// process: in its environment, or in a file that it can read.
pub fn unset_secrets(tree: &Tree, site: &Description, plan: &Plan) -> Vec<Reason> {
    let operations = plan.steps.iter().flat_map(|step| &step.operations);
    let run = operations.filter(|operation| operation.kind == OperationKind::Initialize);
    let procedures: BTreeSet<&str> = run
        .map(|Operation { target, .. }| target.as_str())
        .collect();
    let mut reasons = Vec::new();
    for procedure in procedures {
        let item = site.item(procedure).map(|item| &site[item].kind);
        let Some(ItemKind::Procedure { parameters, .. }) = item else {
            continue;
        };
        for (name, stored) in parameters {
            if let StoredParameter::Secret(source) = stored
                && let Err(error) = source.check(tree)
            {
                let mut message = format!(
                    "the secret `{}` of `{}` cannot be read: {error}",
                    Escaped(name),
                    Escaped(procedure)
                );
                if let Some(cause) = error.source() {
                    message.push_str(&format!(": {cause}"));
                }
                let mut reason = Reason::new(ReasonKind::NotReady, message);
                reason.help = source.advice();
                reasons.push(reason);
            }
        }
    }
    reasons
}
