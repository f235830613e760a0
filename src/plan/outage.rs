//! Outages during a run: from which step to which something is down.

use std::collections::BTreeMap;

use super::{Operation, OperationKind, Plan, TargetState};

/// Something that does not run, or is not there, between two steps of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage<'p> {
    /// Name of the target, as people name it.
    pub target: &'p str,
    /// Server, if there is one.
    pub server: Option<&'p str>,
    /// True for a service, which is stopped; an item is removed.
    pub service: bool,
    /// Position of the step that takes it away.
    pub from: usize,
    /// Position of the step that brings it back; `None` if no step does.
    pub to: Option<usize>,
}

impl Plan {
    /// Returns what is down during the run, in the order in which it goes down. It omits what is
    /// down before the run and what is installed for the first time.
    pub fn outages(&self) -> Vec<Outage<'_>> {
        let mut outages: Vec<Outage<'_>> = Vec::new();
        // Outages that have not ended yet, by the path of their target.
        let mut away: BTreeMap<&str, usize> = BTreeMap::new();
        let steps = self.steps.iter().enumerate();
        for (at, operation) in
            steps.flat_map(|(at, step)| step.operations.iter().map(move |one| (at, one)))
        {
            let place = operation.at.as_str();
            if goes(operation) && !away.contains_key(place) {
                away.insert(place, outages.len());
                outages.push(Outage {
                    target: &operation.target,
                    server: operation.server.as_deref(),
                    service: matches!(operation.after, TargetState::Service { .. }),
                    from: at,
                    to: None,
                });
            }
            if comes(operation)
                && let Some(outage) = away.remove(place)
            {
                outages[outage].to = Some(at);
            }
        }
        outages
    }
}

fn goes(operation: &Operation) -> bool {
    match operation.kind {
        OperationKind::Uninstall | OperationKind::Restart => true,
        OperationKind::Stop => {
            matches!(operation.before, TargetState::Service { running: true, .. })
        }
        // The old item is removed and the new one installed in one change.
        OperationKind::Replace | OperationKind::Run => {
            matches!(operation.before, TargetState::Item { .. })
        }
        _ => false,
    }
}

fn comes(operation: &Operation) -> bool {
    use OperationKind::{Install, Replace, Restart, Run, Start};
    matches!(operation.kind, Install | Replace | Restart | Run | Start)
}
