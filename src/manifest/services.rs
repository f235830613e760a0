//! Checks of services through all steps: what is stopped should start again, and what is disabled
//! cannot start.

use std::collections::{BTreeMap, BTreeSet};

use super::ServiceVerb;
use super::draft::*;
use crate::deployment::description::{Description, ServiceId};
use crate::document::{Code, Reader};
use crate::names::CaseFolded;

/// Checks the services. With a deployment, they may be named by their aliases.
pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    if services_known(draft) {
        stops(reader, draft, deployment);
        starts(reader, draft, deployment);
    }
}

/// Returns whether every service could be read; a step whose service could not be read may be the
/// one that reverses another.
pub(super) fn services_known(draft: &Draft) -> bool {
    !draft.steps.iter().any(StepDraft::hides_service)
}

/// Identity of a service, or its name if there is no deployment.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Which {
    Known(ServiceId),
    Named(CaseFolded),
}

impl Which {
    fn of(name: &str, deployment: Option<&Description>) -> Self {
        match deployment.and_then(|deployment| deployment.service(name)) {
            Some(known) => Which::Known(known),
            None => Which::Named(CaseFolded::of(name)),
        }
    }
}

fn stops(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    let which = |name: &str| Which::of(name, deployment);
    let mut started = BTreeSet::new();
    let mut enabled = BTreeSet::new();
    for step in draft.steps.iter().rev() {
        let (Some(Verb::Service(verb)), Some(service)) = (step.verb, &step.service) else {
            continue;
        };
        let (taken_back, word, way_out) = match verb {
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
        if !taken_back {
            let message = format!("no later step {word} `{}` again", service.value);
            let finding = reader
                .findings
                .add(Code::NotTakenBack, service.span.clone(), message);
            finding.help(format!(
                "add a step with `action = \"{way_out}\"`, unless it is meant"
            ));
        }
    }
}

/// Reports a service that is started while an earlier step has it disabled, on the same servers.
fn starts(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    let mut disabled: BTreeMap<Which, BTreeMap<String, &StepDraft>> = BTreeMap::new();
    for step in &draft.steps {
        let (Some(Verb::Service(verb)), Some(service)) = (step.verb, &step.service) else {
            continue;
        };
        let which = Which::of(&service.value, deployment);
        match verb {
            ServiceVerb::Disable => drop(
                disabled
                    .entry(which)
                    .or_default()
                    .insert(servers_of(step), step),
            ),
            // A service enabled elsewhere may be this one under the name of another role.
            ServiceVerb::Enable => drop(disabled.remove(&which)),
            ServiceVerb::Stop => {}
            ServiceVerb::Start | ServiceVerb::Restart => {
                if let Some(by) = disabled
                    .get(&which)
                    .and_then(|by| by.get(&servers_of(step)))
                {
                    let by = told(reader, by);
                    let message = format!(
                        "`{}` is disabled by {by}, so it cannot start",
                        service.value
                    );
                    let finding =
                        reader
                            .findings
                            .add(Code::StartOfDisabled, service.span.clone(), message);
                    finding.help("add a step with `action = \"enable\"` before this one");
                }
            }
        }
    }
}
