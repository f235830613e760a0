//! Checks of services across all steps: a stopped service should start again, and a disabled one
//! cannot start.

use std::collections::{BTreeMap, BTreeSet};

use super::ServiceVerb;
use super::draft::*;
use crate::deployment::description::{Description, ServiceId};
use crate::document::{Code, Reader};
use crate::names::CaseFolded;

/// Checks the services. With a deployment, aliases are resolved.
pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    if services_known(draft) {
        stopped_services(reader, draft, deployment);
        started_while_disabled(reader, draft, deployment);
    }
}

/// Returns whether every service could be read: a step whose service could not be read may be the
/// one that starts or enables another step's service again.
pub(super) fn services_known(draft: &Draft) -> bool {
    !draft.steps.iter().any(StepDraft::hides_service)
}

/// Identity of a service, or its name if there is no deployment.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ServiceKey {
    Known(ServiceId),
    Named(CaseFolded),
}

impl ServiceKey {
    fn of(name: &str, deployment: Option<&Description>) -> Self {
        match deployment.and_then(|deployment| deployment.service(name)) {
            Some(known) => ServiceKey::Known(known),
            None => ServiceKey::Named(CaseFolded::of(name)),
        }
    }
}

fn stopped_services(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    let which = |name: &str| ServiceKey::of(name, deployment);
    let mut started = BTreeSet::new();
    let mut enabled = BTreeSet::new();
    for step in draft.steps.iter().rev() {
        let (Some(Verb::Service(verb)), Some(service)) = (step.verb, &step.service) else {
            continue;
        };
        let (is_reverted, word, action) = match verb {
            ServiceVerb::Start | ServiceVerb::Restart => {
                started.insert(which(&service.value));
                continue;
            }
            ServiceVerb::Enable => {
                enabled.insert(which(&service.value));
                continue;
            }
            ServiceVerb::Stop => (started.contains(&which(&service.value)), "starts", "start"),
            ServiceVerb::Disable => (
                enabled.contains(&which(&service.value)),
                "enables",
                "enable",
            ),
        };
        if !is_reverted {
            let message = format!("no later step {word} `{}`", service.value);
            reader
                .report(Code::LeftStopped, &service.span, message)
                .help(format!(
                    "add a step with `action = \"{action}\"`, unless this is intended"
                ));
        }
    }
}

/// Reports a service that is started although an earlier step disabled it on the same servers.
fn started_while_disabled(
    reader: &mut Reader<'_>,
    draft: &Draft,
    deployment: Option<&Description>,
) {
    let mut disabled: BTreeMap<ServiceKey, BTreeMap<String, &StepDraft>> = BTreeMap::new();
    for step in &draft.steps {
        let (Some(Verb::Service(verb)), Some(service)) = (step.verb, &step.service) else {
            continue;
        };
        let which = ServiceKey::of(&service.value, deployment);
        match verb {
            ServiceVerb::Disable => drop(
                disabled
                    .entry(which)
                    .or_default()
                    .insert(servers_of(step), step),
            ),
            // The step may name the same servers by another role.
            ServiceVerb::Enable => drop(disabled.remove(&which)),
            ServiceVerb::Stop => {}
            ServiceVerb::Start | ServiceVerb::Restart => {
                if let Some(by) = disabled
                    .get(&which)
                    .and_then(|by| by.get(&servers_of(step)))
                {
                    let by = step_reference(reader, by);
                    let message = format!("`{}` cannot start: {by} disables it", service.value);
                    reader
                        .report(Code::StartOfDisabled, &service.span, message)
                        .help("add a step with `action = \"enable\"` before this one");
                }
            }
        }
    }
}
