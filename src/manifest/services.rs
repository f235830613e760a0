//! Checks of services across all steps: a stopped service should start again, and a disabled one
//! cannot start.

use super::draft::Draft;
use super::*;
use crate::document::{Code, Reader};

/// Checks the services. With a deployment, aliases are resolved.
pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft) {
    if services_known(draft) {
        stopped_services(reader, draft);
        started_while_disabled(reader, draft);
    }
}

/// Returns whether every service could be read: a step whose service could not be read may be the
/// one that starts or enables another step's service again.
pub(super) fn services_known(draft: &Draft) -> bool {
    !draft.steps.iter().any(Step::hides_service)
}

/// Identity of a service, or its name if the deployment does not have it.
type ServiceKey = Result<ServiceId, CaseFolded>;

/// Returns the steps that change a service, in order.
fn service_steps(
    draft: &Draft,
) -> impl DoubleEndedIterator<Item = (&Step, ServiceVerb, &Name<ServiceId>, ServiceKey)> {
    draft.steps.iter().filter_map(|step| {
        let (Some(Verb::Service(verb)), Some(service)) = (step.verb, &step.service) else {
            return None;
        };
        let key = service.id.ok_or_else(|| CaseFolded::of(&service.text));
        Some((step, verb, service, key))
    })
}

fn stopped_services(reader: &mut Reader<'_>, draft: &Draft) {
    let mut later = BTreeSet::new();
    for (_, verb, service, key) in service_steps(draft).rev() {
        let action = match verb {
            ServiceVerb::Start | ServiceVerb::Restart => {
                later.insert(("start", key));
                continue;
            }
            ServiceVerb::Enable => {
                later.insert(("enable", key));
                continue;
            }
            ServiceVerb::Stop => "start",
            ServiceVerb::Disable => "enable",
        };
        if !later.contains(&(action, key)) {
            let message = format!("no later step {action}s `{service}`");
            let help = format!("add a step with `action = \"{action}\"`, unless this is intended");
            reader
                .report(Code::LeftStopped, &service.span, message)
                .help(help);
        }
    }
}

/// Reports a service that is started although an earlier step disabled it on the same servers.
fn started_while_disabled(reader: &mut Reader<'_>, draft: &Draft) {
    let mut disabled: BTreeMap<ServiceKey, BTreeMap<String, &Step>> = BTreeMap::new();
    for (step, verb, service, key) in service_steps(draft) {
        match verb {
            ServiceVerb::Disable => {
                disabled
                    .entry(key)
                    .or_default()
                    .insert(draft.servers(step), step);
            }
            // The step may name the same servers by another role.
            ServiceVerb::Enable => drop(disabled.remove(&key)),
            ServiceVerb::Stop => {}
            ServiceVerb::Start | ServiceVerb::Restart => {
                let servers = disabled.get(&key);
                if let Some(by) = servers.and_then(|servers| servers.get(&draft.servers(step))) {
                    let by = by.reference();
                    let message = format!("`{service}` cannot start: {by} disables it");
                    reader
                        .report(Code::StartOfDisabled, &service.span, message)
                        .help("add a step with `action = \"enable\"` before this one");
                }
            }
        }
    }
}
