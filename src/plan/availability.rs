//! Servers of each role that are unavailable at once during a run.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::outage::{begins_outage, ends_outage};
use super::{Operation, PlannedStep};
use crate::deployment::description::{Description, RoleId};
use crate::manifest::{Action, BoundManifest};

/// Most servers of a role that are unavailable at once: something of the role on them is removed,
/// replaced or stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RoleOutage {
    /// Name of the role.
    pub role: String,
    /// Number of its servers that are online.
    pub servers: usize,
    /// Largest number of them that are unavailable at once.
    pub at_once: usize,
    /// Id of the first step at which that many are unavailable.
    pub from: String,
}

impl RoleOutage {
    /// Returns whether the role has several servers, and none of them is available at some point.
    pub fn is_complete(&self) -> bool {
        self.servers > 1 && self.at_once == self.servers
    }
}

/// Servers of a role that are unavailable after the operations so far.
#[derive(Default)]
struct UnavailableServers<'p> {
    /// Number of unavailable targets on each server.
    targets: BTreeMap<&'p str, usize>,
    at_once: usize,
    from: &'p str,
}

/// Returns the outage of each role of which servers become unavailable, in the order of the roles. The
/// steps are those of the manifest, planned.
pub(super) fn role_outages(
    site: &Description,
    bound: &BoundManifest,
    steps: &[PlannedStep],
) -> Vec<RoleOutage> {
    let mut roles: BTreeMap<RoleId, UnavailableServers<'_>> = BTreeMap::new();
    // Paths of the targets that are unavailable.
    let mut ongoing: BTreeSet<&str> = BTreeSet::new();
    for (step, planned) in bound.steps.iter().zip(steps) {
        for operation in &planned.operations {
            let Some(server) = operation.server.as_deref() else {
                continue;
            };
            let Some(role) = role_of(site, &step.action, operation) else {
                continue;
            };
            let path = operation.at.as_str();
            let role = roles.entry(role).or_default();
            if begins_outage(operation) && ongoing.insert(path) {
                *role.targets.entry(server).or_default() += 1;
                if role.targets.len() > role.at_once {
                    role.at_once = role.targets.len();
                    role.from = &planned.id;
                }
            }
            if ends_outage(operation)
                && ongoing.remove(path)
                && let Some(targets) = role.targets.get_mut(server)
            {
                *targets -= 1;
                if *targets == 0 {
                    role.targets.remove(server);
                }
            }
        }
    }
    let outage = |(role, unavailable): (RoleId, UnavailableServers<'_>)| RoleOutage {
        role: site[role].name.to_string(),
        servers: site.online_servers(role).count(),
        at_once: unavailable.at_once,
        from: unavailable.from.to_owned(),
    };
    let begun = roles.into_iter().filter(|(_, role)| role.at_once > 0);
    begun.map(outage).collect()
}

/// Returns the role for which a server has the target of an operation.
fn role_of(site: &Description, action: &Action, operation: &Operation) -> Option<RoleId> {
    match action {
        Action::Run { on, .. } => Some(on.role),
        Action::Service { service, .. } => Some(site[*service].on),
        _ => site[site.item(&operation.target)?].on,
    }
}
