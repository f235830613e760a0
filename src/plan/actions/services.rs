//! `start`, `stop`, `restart`, `enable` and `disable`.

use super::{OperationTarget, StepDraft};
use crate::deployment::description::{ServerId, ServiceId};
use crate::deployment::records::ServiceRecord;
use crate::deployment::tree::FileKind;
use crate::manifest::ServiceVerb;
use crate::plan::brought::{PlaceOnRole, brought_service};
use crate::plan::planner::StepPlanner;
use crate::plan::refusal::ReasonKind;
use crate::plan::swaps::text_entry;
use crate::plan::{OperationKind, TargetState};

impl StepPlanner<'_> {
    pub(super) fn service(
        &self,
        verb: ServiceVerb,
        service: ServiceId,
        server: ServerId,
        draft: &mut StepDraft,
    ) {
        let (site, inputs) = (self.site(), self.inputs);
        let file = site.service_file(service, server);
        let catch_up = inputs.catch_up.as_ref();
        // A later rollup may have left the service in another state on purpose.
        let is_of_another = catch_up.is_some_and(|catch_up| !catch_up.counts_for(&file));
        if is_of_another || !inputs.touches(server, self.step.roles.iter().copied()) {
            return;
        }
        let name = site[service].name.to_string();
        let now = self.state.service(service, server);
        let shown = format!("{name} on {}", site[server].name);
        let starts = matches!(verb, ServiceVerb::Start | ServiceVerb::Restart);
        if starts && !now.enabled && (verb == ServiceVerb::Restart || !now.running) {
            let message = format!(
                "step `{}` starts `{shown}`, which is disabled",
                self.step.id
            );
            let help = "enable it first, by a step or by hand";
            return draft.refuse(ReasonKind::NotReady, message, help);
        }
        let file = self.state.tree.actual(&file);
        self.inspect(&file, FileKind::File, draft);
        let changes = service_changes(verb, now);
        if changes.is_empty() {
            draft.add_unchanged(shown, format!("it is {} already", now.shown()));
        }
        let mut before = now;
        for (kind, after) in changes {
            let target = OperationTarget {
                target: name.clone(),
                server: Some(self.server_name(server)),
                at: file.clone(),
                line: self.step.line,
                irreversible: None,
            };
            let states = (service_state(before), service_state(after));
            let new = vec![text_entry(file.clone(), after.to_toml())];
            draft.add_file(target.operation(kind, states, before.shown()), new);
            before = after;
        }
        let place = PlaceOnRole::Service(name, brought_service(before));
        draft.brought.push(place.on(site[service].on, server));
        draft.services.push(((service, server), before));
    }
}

/// Returns the changes of a service's record. A restart has two; only one if the service was
/// stopped.
fn service_changes(verb: ServiceVerb, now: ServiceRecord) -> Vec<(OperationKind, ServiceRecord)> {
    let running = |running| ServiceRecord { running, ..now };
    let enabled = |enabled| ServiceRecord { enabled, ..now };
    let start = (OperationKind::Start, running(true));
    let stop = (OperationKind::Stop, running(false));
    let mut changes = match verb {
        ServiceVerb::Start => vec![start],
        ServiceVerb::Stop => vec![stop],
        ServiceVerb::Restart if now.running => return vec![stop, start],
        ServiceVerb::Restart => vec![start],
        ServiceVerb::Enable => vec![(OperationKind::Enable, enabled(true))],
        ServiceVerb::Disable => vec![(OperationKind::Disable, enabled(false))],
    };
    changes.retain(|(_, after)| *after != now);
    changes
}

fn service_state(record: ServiceRecord) -> TargetState {
    TargetState::Service {
        running: record.running,
        enabled: record.enabled,
    }
}
