//! Restarts that a person has to do, in words.

use std::collections::BTreeMap;

use crate::cli::terminal::out::on_servers;
use crate::journal::PendingAction;

/// Names what is to be restarted, the servers of a service together: `X on A, B; Y on C`.
pub(crate) fn describe_restarts<'a>(
    actions: impl IntoIterator<Item = &'a PendingAction>,
) -> String {
    let mut services: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for action in actions {
        let service = match action {
            PendingAction::Service { service, .. } => Some(service.as_str()),
            PendingAction::Computer { .. } => None,
        };
        services.entry(service).or_default().push(action.server());
    }
    let mut restarts = Vec::new();
    for (service, servers) in services {
        restarts.push(describe_restart(service, servers));
    }
    restarts.join("; ")
}

/// Names a service on its servers, or the computers themselves.
pub(crate) fn describe_restart<'a>(
    service: Option<&str>,
    servers: impl IntoIterator<Item = &'a str>,
) -> String {
    let servers: Vec<&str> = servers.into_iter().collect();
    match (service, servers.len()) {
        (Some(service), _) => on_servers(service, servers),
        (None, 1) => format!("the computer {}", servers[0]),
        (None, _) => format!("the computers {}", servers.join(", ")),
    }
}
