//! Restarts that follow from a run: those that a person has to do, and those that it did itself.

use std::collections::BTreeSet;

use crate::journal::PendingAction;
use crate::manifest::ComputerRestart;
use crate::names::RelPath;
use crate::plan::{Operation, OperationKind, Plan, TargetState};

/// Returns the services that the run starts, on their servers.
pub(super) fn started(plan: &Plan) -> BTreeSet<PendingAction> {
    let operations = plan.operations();
    let starts = operations.filter(|operation| operation.kind == OperationKind::Start);
    starts.filter_map(restart_of_service).collect()
}

/// Returns the restarts that a person has to do after the run changed the computers. Its own steps
/// restart the services.
pub(super) fn after_run(plan: &Plan) -> BTreeSet<PendingAction> {
    computers(plan, plan.operations())
}

/// Returns the restarts that a person has to do after everything at these paths was rolled back: a
/// service does not notice that its record was restored.
pub fn after_rollback(plan: &Plan, begun: &BTreeSet<RelPath>) -> BTreeSet<PendingAction> {
    let begun: BTreeSet<&RelPath> = begun.iter().collect();
    let is_begun = |operation: &&Operation| operation.at.is_within(&begun);
    let services = plan.operations().filter(is_begun);
    let services = services.filter_map(restart_of_service);
    let computers = computers(plan, plan.operations().filter(is_begun));
    services.chain(computers).collect()
}

fn restart_of_service(operation: &Operation) -> Option<PendingAction> {
    let TargetState::Service { .. } = operation.after else {
        return None;
    };
    Some(PendingAction::Service {
        service: operation.target.clone(),
        server: operation.server.clone()?,
    })
}

/// Returns the computers that the operations changed, if they have to restart then.
fn computers<'p>(
    plan: &Plan,
    operations: impl Iterator<Item = &'p Operation>,
) -> BTreeSet<PendingAction> {
    let rollup = plan.rollup();
    if rollup.and_then(|rollup| rollup.computer_restart) != Some(ComputerRestart::Required) {
        return BTreeSet::new();
    }
    let servers = operations.filter_map(|operation| operation.server.clone());
    servers
        .map(|server| PendingAction::Computer { server })
        .collect()
}
