//! `start`, `stop`, `restart`, `enable` and `disable`.

use super::{OperationTarget, PlannedStepDraft};
use crate::deployment::description::{RoleId, ServerId, ServiceId};
use crate::deployment::records::ServiceRecord;
use crate::deployment::tree::FileKind;
use crate::manifest::{ServiceVerb, Step};
use crate::plan::planner::Planner;
use crate::plan::refusal::ReasonKind;
use crate::plan::{OperationKind, TargetState};

impl Planner<'_> {
    pub(super) fn service(
        &mut self,
        step: &Step,
        verb: ServiceVerb,
        at: (ServiceId, ServerId),
        on: Option<RoleId>,
        draft: &mut PlannedStepDraft,
    ) {
        let site = &self.snapshot.description;
        let role = site.services[at.0.0].on;
        let record = site.service_file(at.0, at.1);
        let catch_up = self.catch_up.as_ref();
        // A later rollup may have left the service in another state on purpose.
        let is_of_another = catch_up.is_some_and(|catch_up| !catch_up.counts_for(&record));
        let roles: Vec<RoleId> = [Some(role), on].into_iter().flatten().collect();
        if is_of_another || !self.touches(at.1, &roles) {
            return;
        }
        let (name, server) = (&site.services[at.0.0].name, &site.servers[at.1.0].name);
        let now = self
            .services
            .get(&at)
            .copied()
            .unwrap_or_else(|| self.snapshot.service(at.0, at.1));
        let shown = format!("{name} on {server}");
        let starts = matches!(verb, ServiceVerb::Start | ServiceVerb::Restart);
        if starts && !now.enabled && (verb == ServiceVerb::Restart || !now.running) {
            let message = format!("step `{}` starts `{shown}`, which is disabled", step.id);
            return self.refuse(
                ReasonKind::NotReady,
                message,
                Some("enable it first, by a step or by hand"),
            );
        }
        let file = self.tree.actual(&record);
        self.inspect(&file, FileKind::File);
        let changes = service_changes(verb, now);
        if changes.is_empty() {
            self.brought.service((role, at.1), name, now);
            return draft.add_unchanged(shown, format!("it is {} already", now.shown()));
        }
        let mut before = now;
        for (kind, after) in changes {
            self.place_text(&file, after.to_toml());
            let operation_target = OperationTarget {
                target: name.to_string(),
                server: Some(server.to_string()),
                at: file.clone(),
                line: step.line,
            };
            let states = (service_state(before), service_state(after));
            draft.add_operation(
                kind,
                operation_target,
                states,
                before.shown().to_owned(),
                self.placements.len() - 1,
            );
            before = after;
        }
        self.brought.service((role, at.1), name, before);
        self.services.insert(at, before);
    }
}

/// Returns the changes of a service's record. A restart has two; only one if the service was
/// stopped.
pub(super) fn service_changes(
    verb: ServiceVerb,
    now: ServiceRecord,
) -> Vec<(OperationKind, ServiceRecord)> {
    let stopped = ServiceRecord {
        running: false,
        ..now
    };
    let started = ServiceRecord {
        running: true,
        ..now
    };
    match verb {
        ServiceVerb::Start if now.running => Vec::new(),
        ServiceVerb::Start => vec![(OperationKind::Start, started)],
        ServiceVerb::Stop if !now.running => Vec::new(),
        ServiceVerb::Stop => vec![(OperationKind::Stop, stopped)],
        ServiceVerb::Restart if !now.running => vec![(OperationKind::Start, started)],
        ServiceVerb::Restart => vec![
            (OperationKind::Stop, stopped),
            (OperationKind::Start, started),
        ],
        ServiceVerb::Enable if now.enabled => Vec::new(),
        ServiceVerb::Enable => vec![(
            OperationKind::Enable,
            ServiceRecord {
                enabled: true,
                ..now
            },
        )],
        ServiceVerb::Disable if !now.enabled => Vec::new(),
        ServiceVerb::Disable => vec![(
            OperationKind::Disable,
            ServiceRecord {
                enabled: false,
                ..now
            },
        )],
    }
}

pub(super) fn service_state(record: ServiceRecord) -> TargetState {
    TargetState::Service {
        running: record.running,
        enabled: record.enabled,
    }
}
