//! Texts about a plan that its forms share.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::terminal::out::{count, number};
use crate::names::{Digest, Escaped, Kb, RelPath};
use crate::plan::{
    ManualStep, Operation, OperationKind, Outage, Plan, PlannedStep, Subject, Swap, TargetState,
};

/// Describes the subject of the plan in one line.
pub(super) fn plan_title(plan: &Plan) -> String {
    match &plan.subject {
        Subject::Rollup(rollup) => format!(
            "{} revision {}: {}",
            rollup.kb,
            rollup.revision,
            Escaped(&rollup.title)
        ),
        Subject::Accept(acceptance) => {
            format!("accept drift: {}", Escaped(&acceptance.reason))
        }
    }
}

/// Describes the limits of the run: what it catches up with, what else lags, and the servers that it
/// leaves out.
pub(crate) fn scope_lines(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(rollup) = plan.rollup().filter(|rollup| !rollup.catch_up.is_empty()) {
        lines.push(format!(
            "{} is applied already; this run only catches up with what lags behind it",
            rollup.kb
        ));
        lines.extend(rollup.catch_up.iter().cloned());
    }
    lines.extend(plan.context.lagging.iter().cloned());
    lines.extend(plan.offline.iter().map(|server| {
        format!("server {server} is offline: this run leaves it out, and it lags afterwards")
    }));
    lines
}

/// Lists applied rollups.
pub(super) fn rollup_list(kbs: &[Kb]) -> String {
    match kbs {
        [] => "none".to_owned(),
        kbs => kbs
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Describes how far the run can be rolled back: `Ok` if completely, `Err` with the first point of
/// no return.
pub(super) fn describe_rollback(plan: &Plan) -> Result<String, String> {
    if let Some(step) = plan.point_of_no_return() {
        return Err(format!(
            "step `{}` cannot be rolled back: once it is done, a failing run rolls back only to \
             just behind it and exits with 11, and the finished run cannot be undone",
            step.id
        ));
    }
    let mut summary = "everything can be rolled back".to_owned();
    let manual_steps = plan
        .steps
        .iter()
        .filter(|step| step.manual.is_some())
        .count();
    if manual_steps > 0 {
        let manual_steps = count(manual_steps, "manual step", "manual steps");
        summary.push_str(&format!(", {manual_steps} by hand"));
    }
    for restart in restarts_after_undo(plan) {
        summary.push_str(&format!("; {restart}"));
    }
    Ok(summary)
}

/// Groups consecutive operations that do the same to the same target on several servers, to share a
/// line.
pub(crate) fn group_operations(operations: &[Operation]) -> Vec<Vec<&Operation>> {
    let mut groups: Vec<Vec<&Operation>> = Vec::new();
    for operation in operations {
        let is_same = |other: &Operation| {
            other.kind == operation.kind
                && other.target == operation.target
                && describe_change(other) == describe_change(operation)
                && other.server.is_some()
        };
        match groups.last_mut() {
            Some(group) if is_same(group[0]) => group.push(operation),
            _ => groups.push(vec![operation]),
        }
    }
    groups
}

/// Lists the servers of operations that share a line.
pub(super) fn server_list(group: &[&Operation]) -> String {
    let servers: Vec<_> = group
        .iter()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    Escaped(&servers.join(", ")).to_string()
}

/// Describes the target of operations that share a line.
pub(crate) fn describe_target(group: &[&Operation]) -> String {
    match server_list(group) {
        servers if servers.is_empty() => Escaped(&group[0].target).to_string(),
        servers => format!("{} on {servers}", Escaped(&group[0].target)),
    }
}

/// Returns the directory on the servers of a file that is copied onto them.
pub(super) fn target_directory(operation: &Operation) -> Option<String> {
    operation.server.as_ref().filter(|_| {
        matches!(
            operation.after,
            TargetState::File { .. } | TargetState::Unknown
        )
    })?;
    let parent = operation.at.parent()?;
    // Below `Servers/NAME/`.
    let parts: Vec<&str> = parent.parts().skip(2).collect();
    matches!(operation.kind, OperationKind::Copy | OperationKind::Replace).then(|| parts.join("/"))
}

/// Describes the change in few words.
pub(super) fn describe_change(operation: &Operation) -> String {
    match (&operation.before, &operation.after) {
        _ if operation.kind == OperationKind::Accept => "record rewritten".to_owned(),
        (
            TargetState::Item {
                version: Some(before),
                ..
            },
            TargetState::Item {
                version: Some(is), ..
            },
        ) if before == is => {
            format!("{is}, other package")
        }
        (
            TargetState::Item {
                version: Some(before),
                ..
            },
            TargetState::Item {
                version: Some(is), ..
            },
        ) => format!("{before} -> {is}"),
        (
            TargetState::Item {
                version: Some(before),
                ..
            },
            _,
        ) => before.to_string(),
        (
            _,
            TargetState::Item {
                version: Some(is), ..
            },
        ) => is.to_string(),
        (TargetState::File { size: before, .. }, TargetState::File { size: is, .. }) => {
            format!(
                "{} -> {} bytes, {}",
                number(*before),
                number(*is),
                short_hashes(operation).unwrap_or_default()
            )
        }
        (_, is @ TargetState::File { .. }) => describe_state(is),
        (
            TargetState::Service {
                enabled: before, ..
            },
            TargetState::Service { enabled: is, .. },
        ) if before != is => {
            format!("{} -> {}", enabled_word(*before), enabled_word(*is))
        }
        (before, is @ TargetState::Service { .. }) => {
            format!("{} -> {}", describe_state(before), describe_state(is))
        }
        (_, TargetState::Procedure { parameters, .. }) => {
            let pairs: Vec<_> = parameters
                .iter()
                .map(|(name, value)| format!("{}={}", Escaped(name), Escaped(value)))
                .collect();
            pairs.join(" ")
        }
        (_, TargetState::Unknown) => "unknown without a payload".to_owned(),
        _ => String::new(),
    }
}

/// Returns the beginnings of both hashes of a replaced file.
pub(super) fn short_hashes(operation: &Operation) -> Option<String> {
    match (&operation.before, &operation.after) {
        (TargetState::File { sha256: old, .. }, TargetState::File { sha256: new, .. }) => {
            Some(format!("{} -> {}", short_hash(old), short_hash(new)))
        }
        _ => None,
    }
}

/// Returns the beginning of a hash, long enough to distinguish files by eye.
pub(super) fn short_hash(digest: &Digest) -> String {
    digest.short()[..8].to_owned()
}

/// Describes the state before or after an operation.
pub(crate) fn describe_state(target: &TargetState) -> String {
    match target {
        TargetState::Nothing => "nothing".to_owned(),
        TargetState::Unknown => "unknown without a payload".to_owned(),
        TargetState::Item {
            version: Some(version),
            installer,
            ..
        } => match installer {
            Some(installer) => format!("{version}, installer {}", short_hash(installer)),
            None => version.to_string(),
        },
        TargetState::Item { state, .. } => state.as_str().to_owned(),
        TargetState::Procedure { state, parameters } => {
            let pairs = parameters
                .iter()
                .map(|(name, value)| format!("; {}={}", Escaped(name), Escaped(value)));
            format!("{}{}", state.as_str(), pairs.collect::<String>())
        }
        TargetState::File { size, sha256 } => {
            format!("{} bytes, {}", number(*size), short_hash(sha256))
        }
        TargetState::Service {
            running, enabled, ..
        } => {
            let running = if *running { "running" } else { "stopped" };
            format!("{running}{}", if *enabled { "" } else { ", disabled" })
        }
    }
}

/// Describes the state that a rollback of an operation restores.
pub(super) fn restored_state(operation: &Operation) -> String {
    match (&operation.before, operation.kind) {
        (
            TargetState::Nothing | TargetState::Unknown | TargetState::Item { version: None, .. },
            _,
        ) => String::new(),
        (
            TargetState::Item {
                version: Some(version),
                ..
            },
            _,
        ) => version.to_string(),
        (TargetState::Procedure { state, .. }, _) => state.as_str().to_owned(),
        (TargetState::Service { enabled, .. }, OperationKind::Enable | OperationKind::Disable) => {
            enabled_word(*enabled).to_owned()
        }
        (before, _) => describe_state(before),
    }
}

fn enabled_word(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

/// Describes the restarts that an undo requires: it restores the record of a service, which does
/// not restart the service, so an operator has to.
pub(super) fn restarts_after_undo(plan: &Plan) -> Vec<String> {
    let mut restarts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in plan
        .operations()
        .filter(|one| matches!(one.after, TargetState::Service { .. }))
    {
        restarts
            .entry(&operation.target)
            .or_default()
            .extend(operation.server.as_deref());
    }
    let lines = restarts.into_iter().map(|(service, servers)| {
        let servers: Vec<&str> = servers.into_iter().collect();
        format!(
            "{} must then be restarted on {}",
            Escaped(service),
            Escaped(&servers.join(", "))
        )
    });
    lines.collect()
}

/// Describes the items that the run removes and no step installs again, and the services that it
/// stops and no step starts.
pub(super) fn permanent_outages(plan: &Plan) -> Vec<String> {
    let permanent = grouped_outages(plan)
        .into_iter()
        .filter(|(outage, _)| outage.to.is_none());
    let lines = permanent.map(|(outage, servers)| {
        let on = if servers.is_empty() {
            String::new()
        } else {
            format!(" on {}", Escaped(&servers.join(", ")))
        };
        let (down, up) = if outage.service {
            ("is stopped", "starts it")
        } else {
            ("is removed", "installs it")
        };
        format!(
            "{}{on} {down} in step {}, and no later step {up}",
            Escaped(outage.target),
            plan.steps[outage.from].id
        )
    });
    lines.collect()
}

/// Returns the heading of a step; a step that has no title of its own has its id only.
pub(super) fn step_heading(at: usize, step: &PlannedStep) -> String {
    match step.title == step.id {
        true => format!("{at}. {}", Escaped(&step.id)),
        false => format!("{at}. {}: {}", Escaped(&step.id), Escaped(&step.title)),
    }
}

/// Describes how the run handles a manual step.
pub(super) fn describe_manual_step(manual: &ManualStep) -> &'static str {
    match manual.optional {
        true => "manual step; optional, skipped without a terminal",
        false => "manual step; the run waits here",
    }
}

/// Explains, in the rollback of a plan, a manual step that cannot be rolled back.
pub(super) const POINT_OF_NO_RETURN: &str = "point of no return: if this step was done, the \
    rollback ends here, and a finished run cannot be undone; the rest is for a run that did not \
    reach the step";

/// Returns the paths where something will be installed that was not installed before, and that this
/// run did not remove.
pub(super) fn newly_installed(plan: &Plan) -> BTreeSet<&RelPath> {
    let of = |kind: OperationKind| {
        plan.operations()
            .filter(move |operation| operation.kind == kind)
    };
    let removed: BTreeSet<_> = of(OperationKind::Uninstall)
        .map(|operation| &operation.at)
        .collect();
    of(OperationKind::Install)
        .map(|operation| &operation.at)
        .filter(|at| !removed.contains(at))
        .collect()
}

/// Groups consecutive outages that differ only in the server, with the servers that they have.
pub(super) fn grouped_outages(plan: &Plan) -> Vec<(Outage<'_>, Vec<&str>)> {
    let mut groups: Vec<(Outage<'_>, Vec<&str>)> = Vec::new();
    for outage in plan.outages() {
        let servers: Vec<&str> = outage.server.into_iter().collect();
        let is_same = |(other, _): &&mut (Outage<'_>, Vec<&str>)| {
            (other.target, other.service, other.from, other.to)
                == (outage.target, outage.service, outage.from, outage.to)
        };
        match groups.last_mut().filter(is_same) {
            Some((_, all)) => all.extend(servers),
            None => groups.push((outage, servers)),
        }
    }
    groups
}

/// Returns the bytes of the new objects of some swaps.
pub(super) fn staged_bytes<'p>(swaps: impl IntoIterator<Item = &'p Swap>) -> u64 {
    swaps.into_iter().map(Swap::new_bytes).sum()
}

/// Returns the bytes of the old objects of some swaps, which the run keeps.
pub(super) fn kept_bytes<'p>(swaps: impl IntoIterator<Item = &'p Swap>) -> u64 {
    swaps.into_iter().map(Swap::old_bytes).sum()
}

/// Describes the size of the plan in one line.
pub(super) fn describe_size(plan: &Plan) -> String {
    let operations = count(plan.operations().count(), "operation", "operations");
    let steps = count(plan.steps.len(), "step", "steps");
    if plan.digest.is_none() {
        return format!("{operations} in {steps}");
    }
    format!(
        "{operations} in {steps}; {} bytes to stage",
        number(staged_bytes(&plan.swaps))
    )
}
