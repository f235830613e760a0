//! Changes of a plan in total: what there is now, and what there will be.

use std::collections::BTreeMap;

use super::words::{UNKNOWN, describe_state, net_state, rollup_list};
use crate::cli::terminal::out::{count, on_servers, size};
use crate::cli::views::summary::counted;
use crate::names::RelPath;
use crate::plan::{Operation, OperationKind, Plan, TargetState};

/// Change that several targets share.
pub(crate) struct ChangeRow {
    /// Targets, counted or named.
    pub(crate) what: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

impl ChangeRow {
    fn new(what: impl Into<String>, before: impl Into<String>, after: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            before: before.into(),
            after: after.into(),
        }
    }
}

/// First and last operation on a path: what was there before them, and what is there after them.
type NetChange<'p> = (&'p Operation, &'p Operation);

/// Returns the changes of the applied rollups, of items, files, procedures and services.
pub(crate) fn changes(plan: &Plan) -> Vec<ChangeRow> {
    let mut by_path: BTreeMap<&RelPath, NetChange<'_>> = BTreeMap::new();
    for operation in plan.operations() {
        let change = by_path.entry(&operation.at);
        change.or_insert((operation, operation)).1 = operation;
    }
    let [mut items, mut files, mut services, mut others] = [const { Vec::new() }; 4];
    for change in by_path.into_values() {
        let (first, last) = change;
        match (&first.before, &last.after) {
            _ if last.kind == OperationKind::Accept => others.push(change),
            (_, TargetState::Procedure { .. }) => others.push(change),
            (TargetState::Service { .. }, _) => services.push(change),
            (TargetState::File { .. }, _) | (_, TargetState::File { .. }) => files.push(change),
            (TargetState::Nothing, TargetState::Unknown) if last.kind == OperationKind::Copy => {
                files.push(change);
            }
            _ => items.push(change),
        }
    }
    let mut rows = Vec::new();
    if plan.applied.before != plan.applied.after {
        let (before, after) = (&plan.applied.before, &plan.applied.after);
        rows.push(ChangeRow::new(
            "applied updates",
            rollup_list(before),
            rollup_list(after),
        ));
    }
    rows.extend(item_rows(items));
    rows.extend(file_rows(&files));
    rows.extend(other_rows(&others));
    rows.extend(service_rows(services));
    rows
}

/// Returns a row for all items with the same versions before and after.
fn item_rows(items: Vec<NetChange<'_>>) -> Vec<ChangeRow> {
    let mut same: BTreeMap<(String, String), Vec<&Operation>> = BTreeMap::new();
    for (first, last) in items {
        let versions = (net_state(&first.before), net_state(&last.after));
        same.entry(versions).or_default().push(last);
    }
    same.into_iter()
        .map(|((before, after), items)| ChangeRow::new(counted(&items, "item"), before, after))
        .collect()
}

/// Returns a row for the files that are replaced, one for new ones and one for removed ones.
fn file_rows(files: &[NetChange<'_>]) -> Vec<ChangeRow> {
    // The words for files without a size, with the number of files and their bytes.
    let mut kinds: BTreeMap<_, (usize, u64, u64)> = BTreeMap::new();
    for (first, last) in files {
        let (before, old) = file_size(&first.before, "none");
        let (after, new) = file_size(&last.after, "removed");
        let (files, old_bytes, new_bytes) = kinds.entry((before, after)).or_default();
        (*files, *old_bytes, *new_bytes) = (*files + 1, *old_bytes + old, *new_bytes + new);
    }
    let describe = |word: Option<&str>, bytes: u64| match word {
        None => size(bytes),
        Some(word) => word.to_owned(),
    };
    kinds
        .into_iter()
        .map(|((before, after), (files, old, new))| {
            let (before, after) = (describe(before, old), describe(after, new));
            ChangeRow::new(count(files, "file"), before, after)
        })
        .collect()
}

/// Returns the size of a file, or the word for a file that has none.
fn file_size<'w>(state: &TargetState, none: &'w str) -> (Option<&'w str>, u64) {
    match state {
        TargetState::File { size, .. } => (None, *size),
        TargetState::Unknown => (Some(UNKNOWN), 0),
        _ => (Some(none), 0),
    }
}

/// Returns a row for the procedures, and one for records that are rewritten.
fn other_rows(others: &[NetChange<'_>]) -> Vec<ChangeRow> {
    let (records, procedures): (Vec<&NetChange<'_>>, Vec<_>) = others
        .iter()
        .partition(|(_, last)| last.kind == OperationKind::Accept);
    let mut rows = Vec::new();
    if !procedures.is_empty() {
        let what = count(procedures.len(), "procedure");
        rows.push(ChangeRow::new(what, "", "run"));
    }
    if !records.is_empty() {
        let what = count(records.len(), "record");
        rows.push(ChangeRow::new(what, "", "as found"));
    }
    rows
}

/// Returns a row for each change of a service, with its servers.
fn service_rows(services: Vec<NetChange<'_>>) -> Vec<ChangeRow> {
    let mut same: BTreeMap<(&str, String, String), Vec<&str>> = BTreeMap::new();
    for (first, last) in services {
        let (before, mut after) = (describe_state(&first.before), describe_state(&last.after));
        if [first.kind, last.kind] == [OperationKind::Stop, OperationKind::Start] {
            "restarted".clone_into(&mut after);
        }
        let key = (first.target.as_str(), before, after);
        same.entry(key).or_default().extend(last.server.as_deref());
    }
    same.into_iter()
        .map(|((service, before, after), servers)| {
            ChangeRow::new(on_servers(service, servers), before, after)
        })
        .collect()
}
