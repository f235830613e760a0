//! Summary of a finished run, in a few lines.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::terminal::out::{count, on_servers};
use crate::cli::terminal::progress::past_tense;
use crate::cli::views::steps::last_answer;
use crate::journal::Journal;
use crate::plan::{Operation, OperationKind, Plan, TargetState};

/// Returns one line for every kind of change, and for the answers to manual steps.
pub(crate) fn lines(plan: &Plan, journal: &Journal) -> Vec<String> {
    use OperationKind::{Accept, Initialize, Install, Replace, Run, Store, Uninstall};
    let (files, others): (Vec<&Operation>, Vec<&Operation>) = plan
        .operations()
        .partition(|one| one.kind != Accept && matches!(one.after, TargetState::File { .. }));
    let described = |kind: OperationKind, verb: &str, noun: &str| {
        let same: Vec<&Operation> = others
            .iter()
            .copied()
            .filter(|one| one.kind == kind)
            .collect();
        (!same.is_empty()).then(|| format!("{verb} {}", counted(&same, noun)))
    };
    let mut lines = Vec::new();
    lines.extend(described(Uninstall, "removed", "item"));
    lines.extend(described(Install, "installed", "item"));
    lines.extend(described(Replace, "replaced", "item"));
    lines.extend(copied(&files));
    lines.extend(described(Run, "ran", "item"));
    lines.extend(described(Store, "stored", "package"));
    lines.extend(described(Initialize, "ran", "procedure"));
    lines.extend(service_lines(plan));
    lines.extend(described(Accept, "rewrote the records of", "item"));
    lines.extend(manual_steps(plan, journal));
    lines
}

/// Counts the files that were copied, and those of them that replaced another.
fn copied(files: &[&Operation]) -> Option<String> {
    let replaced = files
        .iter()
        .filter(|one| one.kind == OperationKind::Replace)
        .count();
    let copied = count(files.len(), "file");
    match (files.len(), replaced) {
        (0, _) => None,
        (_, 0) => Some(format!("copied {copied}")),
        _ => Some(format!(
            "copied {copied}; the {} they replace are kept",
            count(replaced, "file")
        )),
    }
}

/// Counts the manual steps that a person answered, and describes the others.
fn manual_steps(plan: &Plan, journal: &Journal) -> Vec<String> {
    let (mut asked, mut lines) = (0, Vec::new());
    for step in plan.steps.iter().filter(|step| step.manual.is_some()) {
        match journal.answer_source(&step.id) {
            Some(source) if !source.is_person() => {
                let answer = last_answer(journal, &step.id).unwrap_or_default();
                lines.push(format!("manual step {}: {answer}", step.id));
            }
            _ => asked += 1,
        }
    }
    if asked > 0 {
        lines.insert(0, format!("waited for {}", count(asked, "manual step")));
    }
    lines
}

/// Names the target of operations, or counts several and their instances if there are servers.
pub(super) fn counted(operations: &[&Operation], noun: &str) -> String {
    let mut items = BTreeSet::new();
    let mut items_on_servers = BTreeSet::new();
    let mut servers = BTreeSet::new();
    for operation in operations {
        items.insert(operation.target.as_str());
        if let Some(server) = &operation.server {
            items_on_servers.insert(&operation.target);
            servers.insert(server.as_str());
        }
    }
    if let (Some(item), 1) = (items.first(), items.len()) {
        return on_servers(item, servers);
    }
    let number = items.len();
    let items = count(number, noun);
    if servers.is_empty() {
        return items;
    }
    let on = match items_on_servers.len() {
        all if all == number => items,
        some => format!("{items}, {some} of them"),
    };
    format!(
        "{on} on {}: {} in all",
        count(servers.len(), "server"),
        count(operations.len(), "instance")
    )
}

/// Describes the changes of services; a stop and a start of one service on one server are its
/// restart.
fn service_lines(plan: &Plan) -> Vec<String> {
    let mut changes: BTreeMap<(&str, &str), Vec<OperationKind>> = BTreeMap::new();
    for operation in plan.operations() {
        if let TargetState::Service { .. } = operation.after {
            let server = operation.server.as_deref().unwrap_or_default();
            changes
                .entry((&operation.target, server))
                .or_default()
                .push(operation.kind);
        }
    }
    let mut same_changes: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
    for ((service, server), kinds) in changes {
        let same_change = (service, describe_kinds(&kinds));
        same_changes.entry(same_change).or_default().push(server);
    }
    same_changes
        .into_iter()
        .map(|((service, change), servers)| format!("{change} {}", on_servers(service, servers)))
        .collect()
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
