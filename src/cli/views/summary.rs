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
    let of = |kind: OperationKind| -> Vec<&Operation> {
        let operations = others.iter().copied();
        operations.filter(|one| one.kind == kind).collect()
    };
    let replaced = files.iter().filter(|one| one.kind == Replace).count();
    let copied = count(files.len(), "file", "files");
    let mut lines = Vec::new();
    lines.extend(item_line(&of(Uninstall), "removed"));
    lines.extend(item_line(&of(Install), "installed"));
    lines.extend(item_line(&of(Replace), "replaced"));
    if replaced > 0 {
        let replaced = count(replaced, "file", "files");
        lines.push(format!(
            "copied {copied}; the {replaced} they replace are kept"
        ));
    } else if !files.is_empty() {
        lines.push(format!("copied {copied}"));
    }
    lines.extend(item_line(&of(Run), "ran"));
    let counted = |verb: &str, number: usize, one: &str, many: &str| {
        (number > 0).then(|| format!("{verb} {}", count(number, one, many)))
    };
    let stored = of(Store).len();
    lines.extend(counted("stored", stored, "package", "packages"));
    let procedures = of(Initialize).len();
    lines.extend(counted("ran", procedures, "procedure", "procedures"));
    lines.extend(service_lines(plan));
    lines.extend(counted("rewrote", of(Accept).len(), "record", "records"));
    let (asked, others) = manual_steps(plan, journal);
    lines.extend(counted("waited for", asked, "manual step", "manual steps"));
    lines.extend(others);
    lines
}

/// Counts the manual steps that a person answered, and describes the others.
fn manual_steps(plan: &Plan, journal: &Journal) -> (usize, Vec<String>) {
    let (mut asked, mut others) = (0, Vec::new());
    for step in plan.steps.iter().filter(|step| step.manual.is_some()) {
        match journal.answer_source(&step.id) {
            Some(source) if !source.is_person() => {
                let answer = last_answer(journal, &step.id).unwrap_or_default();
                others.push(format!("manual step {}: {answer}", step.id));
            }
            _ => asked += 1,
        }
    }
    (asked, others)
}

fn item_line(operations: &[&Operation], word: &str) -> Option<String> {
    let is_any = !operations.is_empty();
    is_any.then(|| format!("{word} {}", counted_items(operations)))
}

/// Names the item of operations, or counts several and their instances if there are servers.
pub(super) fn counted_items(operations: &[&Operation]) -> String {
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
    let items = count(number, "item", "items");
    if servers.is_empty() {
        return items;
    }
    let on = match items_on_servers.len() {
        all if all == number => items,
        some => format!("{items}, {some} of them"),
    };
    format!(
        "{on} on {}: {} in all",
        count(servers.len(), "server", "servers"),
        count(operations.len(), "instance", "instances")
    )
}

/// Describes the changes of services; a stop and a start of one service on one server are its
/// restart.
fn service_lines(plan: &Plan) -> Vec<String> {
    let mut changes: BTreeMap<(&str, &str), Vec<OperationKind>> = BTreeMap::new();
    for operation in plan.operations() {
        if let TargetState::Service { .. } = operation.after {
            let server = operation.server.as_deref().unwrap_or_default();
            let kinds = changes.entry((&operation.target, server)).or_default();
            kinds.push(operation.kind);
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
