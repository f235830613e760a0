//! Summary of a finished run, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::terminal::out::count;
use crate::cli::terminal::progress::past_tense;
use crate::names::Escaped;
use crate::plan::{Operation, OperationKind, Plan, TargetState};

/// Returns one line for every kind of change.
pub(crate) fn lines(plan: &Plan) -> Vec<String> {
    let operations: Vec<&Operation> = plan.operations().collect();
    let mut lines = Vec::new();
    lines.extend(item_line(&operations, "removed", |o| {
        o.kind == OperationKind::Uninstall
    }));
    let is_item = |o: &Operation| !matches!(o.after, TargetState::File { .. });
    lines.extend(item_line(&operations, "installed", |o| {
        o.kind == OperationKind::Install
    }));
    lines.extend(item_line(&operations, "replaced", |o| {
        o.kind == OperationKind::Replace && is_item(o)
    }));
    lines.extend(file_line(&operations));
    lines.extend(item_line(&operations, "ran", |o| {
        o.kind == OperationKind::Run
    }));
    let procedures = operations
        .iter()
        .filter(|o| o.kind == OperationKind::Initialize)
        .count();
    if procedures > 0 {
        lines.push(format!(
            "ran {}",
            count(procedures, "procedure", "procedures")
        ));
    }
    lines.extend(service_lines(&operations));
    let records = operations
        .iter()
        .filter(|o| o.kind == OperationKind::Accept)
        .count();
    if records > 0 {
        lines.push(format!("rewrote {}", count(records, "record", "records")));
    }
    let manual_steps = plan
        .steps
        .iter()
        .filter(|step| step.manual.is_some())
        .count();
    if manual_steps > 0 {
        lines.push(format!(
            "waited for {}",
            count(manual_steps, "manual step", "manual steps")
        ));
    }
    lines
}

/// Counts items, and their instances if there are servers.
fn item_line(
    operations: &[&Operation],
    word: &str,
    of_kind: impl Fn(&Operation) -> bool,
) -> Option<String> {
    let chosen: Vec<_> = operations
        .iter()
        .filter(|operation| of_kind(operation))
        .collect();
    let names: BTreeSet<_> = chosen.iter().map(|operation| &operation.target).collect();
    if chosen.is_empty() {
        return None;
    }
    let servers: BTreeSet<_> = chosen
        .iter()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    let items = count(names.len(), "item", "items");
    Some(match servers.len() {
        0 => format!("{word} {items}"),
        servers => {
            let on = chosen
                .iter()
                .filter(|o| o.server.is_some())
                .map(|o| &o.target)
                .collect::<BTreeSet<_>>()
                .len();
            let servers = count(servers, "server", "servers");
            format!(
                "{word} {items}, {on} of them on {servers}: {} in all",
                count(chosen.len(), "instance", "instances")
            )
        }
    })
}

fn file_line(operations: &[&Operation]) -> Option<String> {
    let copied: Vec<_> = operations
        .iter()
        .filter(|operation| operation.kind != OperationKind::Accept)
        .filter(|operation| matches!(operation.after, TargetState::File { .. }))
        .collect();
    let replaced = copied
        .iter()
        .filter(|operation| operation.kind == OperationKind::Replace)
        .count();
    if copied.is_empty() {
        return None;
    }
    let copied = count(copied.len(), "file", "files");
    if replaced == 0 {
        return Some(format!("copied {copied}"));
    }
    let replaced = count(replaced, "file", "files");
    Some(format!(
        "copied {copied}; the {replaced} they replace are kept"
    ))
}

/// Describes the changes of services; a stop and a start of one service on one server are its
/// restart.
fn service_lines(operations: &[&Operation]) -> Vec<String> {
    let mut by_service: BTreeMap<&str, BTreeMap<&str, Vec<OperationKind>>> = BTreeMap::new();
    let of_service = operations
        .iter()
        .filter(|operation| matches!(operation.after, TargetState::Service { .. }));
    for operation in of_service {
        let server = operation.server.as_deref().unwrap_or_default();
        by_service
            .entry(&operation.target)
            .or_default()
            .entry(server)
            .or_default()
            .push(operation.kind);
    }
    let mut lines = Vec::new();
    for (service, servers) in by_service {
        let mut by_change: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (server, kinds) in servers {
            by_change
                .entry(describe_kinds(&kinds))
                .or_default()
                .push(server);
        }
        for (change, servers) in by_change {
            lines.push(format!(
                "{change} {} on {}",
                Escaped(service),
                Escaped(&servers.join(", "))
            ));
        }
    }
    lines
}

fn describe_kinds(kinds: &[OperationKind]) -> String {
    match kinds {
        [OperationKind::Stop, OperationKind::Start] => "restarted".to_owned(),
        kinds => kinds
            .iter()
            .map(|kind| past_tense(*kind))
            .collect::<Vec<_>>()
            .join(", then "),
    }
}
