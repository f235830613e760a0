//! Outages during a run: the targets that are unavailable, from which step to which.

use std::collections::BTreeMap;

use super::{Operation, OperationKind, Plan, TargetState};

/// Service that is stopped, or item that is not installed, between two steps of the plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outage<'p> {
    /// Name of the target, for people.
    pub target: &'p str,
    pub server: Option<&'p str>,
    /// True for a service, false for an item.
    pub service: bool,
    /// Position of the step that stops or removes it.
    pub from: usize,
    /// Position of the step that starts or installs it again; `None` if no step does.
    pub to: Option<usize>,
}

impl Plan {
    /// Returns the outages of the run, in the order in which they begin. A target that is
    /// unavailable before the run, or that is installed for the first time, has none.
    pub fn outages(&self) -> Vec<Outage<'_>> {
        self.outages_among(|_| true)
    }

    /// Returns the outages that have begun and not ended if just these operations are done.
    pub fn unavailable_after(&self, is_done: impl Fn(&Operation) -> bool) -> Vec<Outage<'_>> {
        let mut outages = self.outages_among(is_done);
        outages.retain(|outage| outage.to.is_none());
        outages
    }

    /// Returns the outages that just these operations make, in the order in which they begin.
    pub fn outages_among(&self, is_included: impl Fn(&Operation) -> bool) -> Vec<Outage<'_>> {
        let mut outages: Vec<Outage<'_>> = Vec::new();
        // Outages that have not ended yet, by the path of their target.
        let mut ongoing: BTreeMap<&str, usize> = BTreeMap::new();
        let steps = self.steps.iter().enumerate();
        for (at, operation) in
            steps.flat_map(|(at, step)| step.operations.iter().map(move |one| (at, one)))
        {
            if !is_included(operation) {
                continue;
            }
            let path = operation.at.as_str();
            if begins_outage(operation) && !ongoing.contains_key(path) {
                ongoing.insert(path, outages.len());
                outages.push(Outage {
                    target: &operation.target,
                    server: operation.server.as_deref(),
                    service: matches!(operation.after, TargetState::Service { .. }),
                    from: at,
                    to: None,
                });
            }
            if ends_outage(operation)
                && let Some(outage) = ongoing.remove(path)
            {
                outages[outage].to = Some(at);
            }
        }
        outages
    }
}

pub(super) fn begins_outage(operation: &Operation) -> bool {
    match operation.kind {
        OperationKind::Uninstall => true,
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

pub(super) fn ends_outage(operation: &Operation) -> bool {
    use OperationKind::{Install, Replace, Run, Start};
    matches!(operation.kind, Install | Replace | Run | Start)
}
