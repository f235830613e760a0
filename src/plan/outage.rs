//! What is down while a run is under way: from which step to which.

use std::collections::BTreeMap;

use super::{Operation, OperationKind, Plan, Side};

/// Something that does not run, or is not there, between two steps of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage<'p> {
    /// What, as people name it.
    pub target: &'p str,
    /// The server, where there is one.
    pub server: Option<&'p str>,
    /// Whether it is a service, which is stopped; an item is removed.
    pub service: bool,
    /// The step that takes it away, by position.
    pub from: usize,
    /// The step that brings it back, by position; `None` where none does.
    pub to: Option<usize>,
}

impl Plan {
    /// What is down meanwhile, in the order in which it goes. What is down before and what comes
    /// for the first time is not among it.
    pub fn outages(&self) -> Vec<Outage<'_>> {
        let mut outages: Vec<Outage<'_>> = Vec::new();
        // What is away now, by where it stands.
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
                    service: matches!(operation.becomes, Side::Service { .. }),
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
        OperationKind::Stop => matches!(operation.was, Side::Service { running: true, .. }),
        // The old one goes and the new one comes, in one change.
        OperationKind::Replace | OperationKind::Run => matches!(operation.was, Side::Item { .. }),
        _ => false,
    }
}

fn comes(operation: &Operation) -> bool {
    use OperationKind::{Install, Replace, Restart, Run, Start};
    matches!(operation.kind, Install | Replace | Restart | Run | Start)
}
