//! Words about a plan that its forms share.

use std::collections::{BTreeMap, BTreeSet};

use crate::cli::terminal::out::{count, number};
use crate::names::{Digest, Escaped, Kb, RelPath};
use crate::plan::{
    ManualStep, Operation, OperationKind, Outage, Plan, PlannedStep, Subject, Swap, TargetState,
};

/// Describes the subject of the plan in one line.
pub(super) fn title(plan: &Plan) -> String {
    match &plan.subject {
        Subject::Rollup(rollup) => format!(
            "{} revision {}: {}",
            rollup.kb,
            rollup.revision,
            Escaped(&rollup.title)
        ),
        Subject::Accept(acceptance) => {
            format!("accept what lies on disk: {}", Escaped(&acceptance.reason))
        }
    }
}

pub(super) fn applied(kbs: &[Kb]) -> String {
    match kbs {
        [] => "nothing".to_owned(),
        kbs => kbs
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Describes how far the run can be rolled back: `Ok` if wholly, `Err` with the first step that
/// cannot be rolled back.
pub(super) fn no_return(plan: &Plan) -> Result<String, String> {
    if let Some(step) = plan.point_of_no_return() {
        return Err(format!(
            "once step `{}` is done by hand, it cannot be taken back: a later failure then goes back only to just behind \
             it and ends with 11, and the finished run cannot be undone",
            step.id
        ));
    }
    let by_hand = plan
        .steps
        .iter()
        .filter(|step| step.manual.is_some())
        .count();
    let mut told = "everything, also once it is done".to_owned();
    if by_hand > 0 {
        told.push_str(&format!(
            "; {} of it by hand",
            count(by_hand, "step", "steps")
        ));
    }
    let due = restarts_due(plan);
    if !due.is_empty() {
        told.push_str(&format!("; due then is a restart of {}", due.join("; ")));
    }
    Ok(told)
}

/// Groups consecutive operations that do the same to the same target on several servers, to share a
/// line.
pub(crate) fn grouped(operations: &[Operation]) -> Vec<Vec<&Operation>> {
    let mut groups: Vec<Vec<&Operation>> = Vec::new();
    for operation in operations {
        let same = |other: &Operation| {
            other.kind == operation.kind
                && other.target == operation.target
                && change(other) == change(operation)
                && other.server.is_some()
        };
        match groups.last_mut() {
            Some(group) if same(group[0]) => group.push(operation),
            _ => groups.push(vec![operation]),
        }
    }
    groups
}

/// Lists the servers of operations that share a line.
pub(super) fn servers(group: &[&Operation]) -> String {
    let servers: Vec<_> = group
        .iter()
        .filter_map(|operation| operation.server.as_deref())
        .collect();
    Escaped(&servers.join(", ")).to_string()
}

/// Describes the target of operations that share a line.
pub(crate) fn target(group: &[&Operation]) -> String {
    match servers(group) {
        servers if servers.is_empty() => Escaped(&group[0].target).to_string(),
        servers => format!("{} on {servers}", Escaped(&group[0].target)),
    }
}

/// Returns the directory on the servers of a file that is copied onto them.
pub(super) fn directory(operation: &Operation) -> Option<String> {
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
pub(super) fn change(operation: &Operation) -> String {
    match (&operation.before, &operation.after) {
        _ if operation.kind == OperationKind::Accept => "record written anew".to_owned(),
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
                hashes(operation).unwrap_or_default()
            )
        }
        (_, is @ TargetState::File { .. }) => side(is),
        (
            TargetState::Service {
                enabled: before, ..
            },
            TargetState::Service { enabled: is, .. },
        ) if before != is => {
            format!("{} -> {}", able(*before), able(*is))
        }
        (before, is @ TargetState::Service { .. }) => format!("{} -> {}", side(before), side(is)),
        (_, TargetState::Procedure { parameters, .. }) => {
            let pairs: Vec<_> = parameters
                .iter()
                .map(|(name, value)| format!("{}={}", Escaped(name), Escaped(value)))
                .collect();
            pairs.join(" ")
        }
        (_, TargetState::Unknown) => "known with a payload".to_owned(),
        _ => String::new(),
    }
}

/// Returns the beginnings of both hashes of a replaced file.
pub(super) fn hashes(operation: &Operation) -> Option<String> {
    match (&operation.before, &operation.after) {
        (TargetState::File { sha256: old, .. }, TargetState::File { sha256: new, .. }) => {
            Some(format!("{} -> {}", brief(old), brief(new)))
        }
        _ => None,
    }
}

/// Returns the beginning of a hash, long enough to distinguish files by eye.
pub(super) fn brief(digest: &Digest) -> String {
    digest.short()[..8].to_owned()
}

/// Returns the sign and word of the operation that rolls one back.
pub(super) fn inverse(operation: &Operation) -> (char, &'static str) {
    match operation.kind {
        OperationKind::Uninstall => ('+', "put back"),
        OperationKind::Install | OperationKind::Run | OperationKind::Copy => ('-', "remove"),
        OperationKind::Replace | OperationKind::Accept => ('~', "put back"),
        OperationKind::Initialize => ('*', "as before"),
        OperationKind::Start | OperationKind::Stop | OperationKind::Restart => ('!', "as before"),
        OperationKind::Enable | OperationKind::Disable => ('!', "as before"),
    }
}

/// Describes the state on one side of an operation.
pub(crate) fn side(side: &TargetState) -> String {
    match side {
        TargetState::Nothing => "nothing".to_owned(),
        TargetState::Unknown => "known with a payload".to_owned(),
        TargetState::Item {
            version: Some(version),
            installer,
            ..
        } => match installer {
            Some(installer) => format!("{version}, installer {}", brief(installer)),
            None => version.to_string(),
        },
        TargetState::Item { state, .. } => state.as_str().to_owned(),
        TargetState::Procedure { state, parameters } => {
            let pairs = parameters
                .iter()
                .map(|(name, value)| format!("; {}={}", Escaped(name), Escaped(value)));
            format!("{}{}", state.as_str(), pairs.collect::<String>())
        }
        TargetState::File { size, sha256 } => format!("{} bytes, {}", number(*size), brief(sha256)),
        TargetState::Service {
            running, enabled, ..
        } => {
            let running = if *running { "running" } else { "stopped" };
            format!("{running}{}", if *enabled { "" } else { ", disabled" })
        }
    }
}

/// Describes what a rollback of an operation restores.
pub(super) fn stands_again(operation: &Operation) -> String {
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
            able(*enabled).to_owned()
        }
        (before, _) => side(before),
    }
}

fn able(enabled: bool) -> &'static str {
    if enabled { "enabled" } else { "disabled" }
}

/// Returns the services whose state files an undo restores, with their servers. Restoring the file
/// does not restart the service, so an operator has to.
pub(super) fn restarts_due(plan: &Plan) -> Vec<String> {
    let mut due: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in plan
        .operations()
        .filter(|one| matches!(one.after, TargetState::Service { .. }))
    {
        due.entry(&operation.target)
            .or_default()
            .extend(operation.server.as_deref());
    }
    let told = due.into_iter().map(|(service, servers)| {
        let servers: Vec<&str> = servers.into_iter().collect();
        format!("{} on {}", Escaped(service), Escaped(&servers.join(", ")))
    });
    told.collect()
}

/// Describes what the run removes and no step restores, or stops and no step starts.
pub(super) fn for_good(plan: &Plan) -> Vec<String> {
    let lasting = down(plan)
        .into_iter()
        .filter(|(outage, _)| outage.to.is_none());
    let told = lasting.map(|(outage, servers)| {
        let on = if servers.is_empty() {
            String::new()
        } else {
            format!(" on {}", Escaped(&servers.join(", ")))
        };
        let what = if outage.service {
            "stays stopped"
        } else {
            "is removed for good"
        };
        format!(
            "{}{on} {what}: step {} does it, and no later one takes it back",
            Escaped(outage.target),
            plan.steps[outage.from].id
        )
    });
    told.collect()
}

/// Returns the heading of a step; a step that has no title of its own has its id only.
pub(super) fn heading(at: usize, step: &PlannedStep) -> String {
    match step.title == step.id {
        true => format!("{at}. {}", Escaped(&step.id)),
        false => format!("{at}. {}: {}", Escaped(&step.id), Escaped(&step.title)),
    }
}

/// Describes how the run handles a manual step.
pub(super) fn manual_mark(manual: &ManualStep) -> &'static str {
    match manual.optional {
        true => "by hand; may be skipped, and is where there is no terminal",
        false => "by hand; the run waits here",
    }
}

/// Returns the paths where something will be installed that was not installed before, and that this
/// run did not remove.
pub(super) fn new_here(plan: &Plan) -> BTreeSet<&RelPath> {
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
pub(super) fn down(plan: &Plan) -> Vec<(Outage<'_>, Vec<&str>)> {
    let mut groups: Vec<(Outage<'_>, Vec<&str>)> = Vec::new();
    for outage in plan.outages() {
        let servers: Vec<&str> = outage.server.into_iter().collect();
        let same = |(other, _): &&mut (Outage<'_>, Vec<&str>)| {
            (other.target, other.service, other.from, other.to)
                == (outage.target, outage.service, outage.from, outage.to)
        };
        match groups.last_mut().filter(same) {
            Some((_, all)) => all.extend(servers),
            None => groups.push((outage, servers)),
        }
    }
    groups
}

/// Returns the bytes of the new objects of some swaps.
pub(super) fn staged<'p>(swaps: impl IntoIterator<Item = &'p Swap>) -> u64 {
    swaps.into_iter().map(Swap::new_bytes).sum()
}

/// Returns the bytes of the old objects of some swaps, which the run keeps.
pub(super) fn kept<'p>(swaps: impl IntoIterator<Item = &'p Swap>) -> u64 {
    swaps.into_iter().map(Swap::old_bytes).sum()
}

/// Describes the size of the plan in one line.
pub(super) fn summary(plan: &Plan) -> String {
    let operations = count(plan.operations().count(), "operation", "operations");
    let steps = count(plan.steps.len(), "step", "steps");
    if plan.digest.is_none() {
        return format!("{operations} in {steps}");
    }
    let swaps = count(plan.swaps.len(), "swap", "swaps");
    format!(
        "{operations} in {steps}, by {swaps}; {} bytes to stage",
        number(staged(&plan.swaps))
    )
}
