//! Steps of a plan: those of an `each-server` step are done on one server, then on the next.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use rollup::names::CaseFolded;
use rollup::plan::{OperationKind, Plan, PlannedStep};

use super::model::{ItemsOrGroup, RandomRollup, RandomServer, RandomSite, RandomStep, step_id};
use super::repair::instances;

/// Step of a plan, as the rollup and the site imply it.
struct ExpectedStep<'a> {
    id: String,
    /// Server and nested step.
    nested: Option<(usize, &'a RandomStep)>,
}

/// Checks that the plan has the steps of the rollup, nested ones once for each server, in order, and
/// that a nested step has operations on its server only.
pub(super) fn check_steps(site: &RandomSite, rollup: &RandomRollup, plan: &Plan) -> TestCaseResult {
    let expected = expected_steps(site, rollup);
    let wanted: Vec<&str> = expected.iter().map(|step| step.id.as_str()).collect();
    let found: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    prop_assert_eq!(found, wanted, "the steps of the plan");
    for (step, expected) in plan.steps.iter().zip(&expected) {
        if let Some((server, nested)) = expected.nested {
            check_nested(site, step, server, nested)?;
        }
    }
    check_items(site, rollup, plan)
}

/// Checks that the last operation on each item leaves it as the steps of the rollup imply.
fn check_items(site: &RandomSite, rollup: &RandomRollup, plan: &Plan) -> TestCaseResult {
    let mut last = BTreeMap::new();
    for operation in plan.operations() {
        let is_installed = operation.kind != OperationKind::Uninstall;
        last.insert(operation.at.case_folded(), is_installed);
    }
    for (at, item) in site.items.iter().enumerate() {
        let directories = site.directories(item.group, item.stock().name, item.role);
        for (instance, directory) in instances(site, at).into_iter().zip(directories) {
            if let Some(is_installed) = last.get(&CaseFolded::of(&directory)) {
                let wanted = rollup.installed.contains(&instance);
                prop_assert_eq!(*is_installed, wanted, "{} is installed", directory);
            }
        }
    }
    Ok(())
}

fn expected_steps<'a>(site: &RandomSite, rollup: &'a RandomRollup) -> Vec<ExpectedStep<'a>> {
    let mut expected = Vec::new();
    for (at, step) in rollup.steps.iter().enumerate() {
        let id = step_id("step", at);
        let RandomStep::EachServer { role, x64, steps } = step else {
            expected.push(ExpectedStep { id, nested: None });
            continue;
        };
        let before = expected.len();
        for (server, RandomServer { name, .. }) in site.each_server(*role, *x64) {
            for (at, nested) in steps.iter().enumerate() {
                expected.push(ExpectedStep {
                    id: format!("{}@{name}", step_id(&id, at)),
                    nested: Some((server, nested)),
                });
            }
        }
        if expected.len() == before {
            expected.push(ExpectedStep { id, nested: None });
        }
    }
    expected
}

fn check_nested(
    site: &RandomSite,
    step: &PlannedStep,
    server: usize,
    nested: &RandomStep,
) -> TestCaseResult {
    let name = site.servers[server].name;
    let within = step.within.as_ref().map(|within| within.server.as_str());
    prop_assert_eq!(within, Some(name), "the server of {}", step.id);
    // Directories of the server itself, and of the instances on it.
    let mut directories = vec![format!("Servers/{name}")];
    directories.extend(
        site.places()
            .into_iter()
            .filter(|place| place.ends_with(&format!("/{name}"))),
    );
    let is_in_one = |path: &str| {
        let path = CaseFolded::of(path);
        directories.iter().any(|directory| {
            let directory = CaseFolded::of(directory);
            let below = path.as_str().strip_prefix(directory.as_str());
            below.is_some_and(|below| below.is_empty() || below.starts_with('/'))
        })
    };
    for operation in &step.operations {
        prop_assert_eq!(operation.server.as_deref(), Some(name), "{}", step.id);
        prop_assert!(
            is_in_one(operation.at.as_str()),
            "{} changes {}",
            step.id,
            operation.at
        );
    }
    prop_assert_eq!(
        step.manual.is_some(),
        matches!(nested, RandomStep::Manual { .. }),
        "{}",
        step.id
    );
    // A step without a target on the server says so once. A restart is two operations.
    if let Some(targets) = targets(site, server, nested) {
        let found = step.operations.len() + step.nothing.len();
        prop_assert_eq!(found, targets.max(1), "targets of {}", step.id);
        prop_assert!(targets > 0 || step.operations.is_empty(), "{}", step.id);
    }
    Ok(())
}

/// Returns the number of targets that a nested step has on a server, if it follows from the step
/// alone.
fn targets(site: &RandomSite, server: usize, nested: &RandomStep) -> Option<usize> {
    let holds =
        |role: Option<usize>| role.is_some_and(|role| site.servers[server].roles.contains(&role));
    match nested {
        RandomStep::Uninstall(selection) | RandomStep::Install(selection) => {
            let ItemsOrGroup::Items(items) = &selection.members else {
                return None;
            };
            let on_server = items.iter().filter(|item| holds(site.items[**item].role));
            Some(on_server.count())
        }
        RandomStep::Initialize { procedures, .. } => {
            let procedures = procedures.iter();
            Some(
                procedures
                    .filter(|procedure| holds(site.procedures[**procedure].role))
                    .count(),
            )
        }
        RandomStep::Servers { files, .. }
        | RandomStep::Run { files, .. }
        | RandomStep::Opaque { files, .. } => Some(files.len()),
        RandomStep::Service { verb, service, .. } => {
            let is_on_server = holds(Some(site.services[*service].role));
            (*verb != "restart" || !is_on_server).then_some(usize::from(is_on_server))
        }
        _ => None,
    }
}
