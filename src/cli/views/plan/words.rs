//! Words for operations and states, which every form of a plan shares.
//!
//! They are not escaped: each form does that where it writes them.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::cli::terminal::out::{count, list, number, on_servers, size as bytes};
use crate::deployment::records::State;
use crate::manifest::ComputerRestart;
use crate::names::{Digest, Kb, RelPath, Version};
use crate::plan::{Operation, OperationKind, Plan, PlannedRollup, Subject, Swap, TargetState};

/// Number of unmanaged entries from which a plan warns of them.
const MANY_UNMANAGED: usize = 1_000;

/// State after the run in a plan without a payload.
pub(super) const UNKNOWN: &str = "unknown without a payload";

/// Undo of a manual step that has none.
pub(super) const NOT_POSSIBLE: &str =
    "not possible; once it is done, the step is a point of no return";

/// Explains, in the rollback of a plan, what cannot be rolled back.
pub(super) const POINT_OF_NO_RETURN: &str = "point of no return: if this was done, the rollback \
    ends here, and a finished run cannot be undone; the rest is for a run that did not reach it";

/// Answer to a request for the console of a deployment without items.
pub(super) const WITHOUT_CONSOLE: &str = "the console of the deployment is empty";

/// Describes the subject of the plan in one line.
pub(super) fn plan_title(plan: &Plan) -> String {
    match &plan.subject {
        Subject::Rollup(rollup) => {
            format!(
                "{} revision {}: {}",
                rollup.kb, rollup.revision, rollup.title
            )
        }
        Subject::Accept(acceptance) => format!("accept drift: {}", acceptance.reason),
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

/// Returns the warnings of a plan, and one if many unmanaged entries are beside managed files: each is
/// a rename during the outage.
pub(super) fn warnings(plan: &Plan) -> Vec<String> {
    let mut warnings = plan.warnings.clone();
    let unmanaged: BTreeSet<&RelPath> = plan.swaps.iter().flat_map(Swap::unmanaged).collect();
    if unmanaged.len() >= MANY_UNMANAGED {
        let unmanaged = number(unmanaged.len() as u64);
        warnings.push(format!(
            "{unmanaged} unmanaged files and directories beside managed files move along one by one during the run; in a directory of their own they would move at once"
        ));
    }
    let complete = plan.role_outages.iter().filter(|role| role.is_complete());
    warnings.extend(complete.map(|role| {
        format!(
            "all {} servers of {} are unavailable at once, from step {} on; one `each-server` step around all of it would take one server after another",
            role.servers, role.role, role.from
        )
    }));
    warnings
}

/// Describes how many servers of each role with several are unavailable at once.
pub(super) fn role_outage_lines(plan: &Plan) -> Vec<String> {
    plan.role_outages
        .iter()
        .filter(|role| role.servers > 1)
        .map(|role| format!("{}: {} of {}", role.role, role.at_once, role.servers))
        .collect()
}

/// Describes the restart of computers and the changes of the registry that the article documents,
/// each with its label.
pub(crate) fn documented_effects(rollup: &PlannedRollup) -> Vec<(&'static str, String)> {
    let mut effects = Vec::new();
    if let Some(restart) = rollup.computer_restart {
        let text = match restart {
            ComputerRestart::No => "not required",
            ComputerRestart::Required => "required on each changed server, after the run",
            ComputerRestart::IfInUse => "only if files were in use",
        };
        effects.push(("computer restart", text.to_owned()));
    }
    if let Some(changes) = &rollup.registry_changes {
        effects.push(("registry", changes.clone()));
    }
    effects
}

/// Lists applied rollups.
pub(crate) fn rollup_list(kbs: &[Kb]) -> String {
    if kbs.is_empty() {
        return "none".to_owned();
    }
    list(kbs)
}

/// Describes the size of the plan in one line.
pub(super) fn describe_size(plan: &Plan) -> String {
    let operations = count(plan.operations().count(), "operation");
    let steps = count(plan.steps.len(), "step");
    let size = format!("{operations} in {steps}");
    match plan.digest {
        Some(_) => format!("{size}; {} to stage", bytes(plan.new_bytes())),
        None => size,
    }
}

/// Reversibility of a plan, in words.
pub(crate) struct Reversibility {
    /// How far the run can be rolled back.
    pub(crate) summary: String,
    /// Points of no return, with their reasons.
    pub(crate) points: Vec<String>,
}

impl Reversibility {
    /// Describes how far a run of the plan can be rolled back; `restarts` are those that an undo
    /// requires.
    pub(crate) fn of(plan: &Plan, restarts: &[String]) -> Self {
        let points = plan.points_of_no_return();
        let mut summary = match points.first() {
            None => can_be_rolled_back(plan),
            Some(first) => format!(
                "only before the first point of no return, in step `{}`; behind it a failing run \
                 rolls back to just behind the last one that it passed and exits with 11, and the \
                 finished run cannot be undone",
                first.step.id
            ),
        };
        for restart in restarts {
            summary.push_str(&format!("; {restart}"));
        }
        let points = points.iter().map(|point| {
            let optional = if point.is_optional() {
                ", if it is done"
            } else {
                ""
            };
            format!("{point}{optional}: {}", point.why)
        });
        Self {
            summary,
            points: points.collect(),
        }
    }
}

/// Describes what a rollback of procedures cannot restore; `None` without procedures.
pub(crate) fn describe_elsewhere(
    procedures: impl IntoIterator<Item = impl Display>,
) -> Option<String> {
    restored_records(procedures, "can be")
}

/// Describes what a rollback of procedures has not restored; `None` without procedures.
pub(crate) fn describe_left_elsewhere(
    procedures: impl IntoIterator<Item = impl Display>,
) -> Option<String> {
    restored_records(procedures, "are")
}

fn restored_records(
    procedures: impl IntoIterator<Item = impl Display>,
    are: &str,
) -> Option<String> {
    let names = list(procedures);
    let sentence = format!(
        "only the records of procedures {are} restored, not what they changed elsewhere, which \
         rollup does not know: {names}"
    );
    (!names.is_empty()).then_some(sentence)
}

/// Describes the rollback of a plan without a point of no return.
fn can_be_rolled_back(plan: &Plan) -> String {
    let mut summary = match describe_elsewhere(plan.unmarked_procedures()) {
        None => "everything can be rolled back".to_owned(),
        Some(elsewhere) => format!("the deployment can be rolled back; {elsewhere}"),
    };
    let by_hand = plan
        .steps
        .iter()
        .filter(|step| step.undo_by_hand().is_some())
        .count();
    if by_hand > 0 {
        let steps = count(by_hand, "step");
        summary.push_str(&format!("; {steps} by hand"));
    }
    summary
}

/// Describes an operation in one line.
pub(crate) fn describe_operation(operation: &Operation) -> String {
    let target = on_servers(&operation.target, operation.server.as_deref());
    format!("{} {target}", operation.kind.word())
}

/// Operations that do the same to the same target on several servers, and share a line.
pub(crate) struct OperationGroup<'p> {
    pub(super) first: &'p Operation,
    pub(super) servers: Vec<&'p str>,
}

impl OperationGroup<'_> {
    /// Describes the target, with the servers.
    pub(crate) fn target(&self) -> String {
        on_servers(&self.first.target, self.servers.iter().copied())
    }

    /// Describes the target, and the directory of a file that is copied onto the servers.
    pub(super) fn destination(&self) -> String {
        match self.directory() {
            Some(directory) => format!("{}, into {directory}", self.target()),
            None => self.target(),
        }
    }

    /// Returns the directory on the servers of a file that is copied onto them.
    pub(super) fn directory(&self) -> Option<String> {
        use OperationKind::{Copy, Replace};
        let Operation {
            kind, after, at, ..
        } = self.first;
        let is_file = matches!(after, TargetState::File { .. } | TargetState::Unknown);
        if self.servers.is_empty() || !is_file || !matches!(kind, Copy | Replace) {
            return None;
        }
        let directory = at.parent()?;
        // Below `Servers/NAME/`.
        let directory: Vec<&str> = directory.parts().skip(2).collect();
        Some(directory.join("/"))
    }

    /// Describes the change in few words.
    pub(super) fn change(&self) -> String {
        describe_change(self.first)
    }

    /// Describes the state that a rollback restores; empty if it only removes.
    pub(super) fn restored(&self) -> String {
        match &self.first.before {
            TargetState::Procedure { state, .. } => state.as_str().to_owned(),
            before => brief_state(before),
        }
    }
}

/// Groups consecutive operations that do the same to the same target on several servers.
pub(crate) fn group_operations(operations: &[Operation]) -> Vec<OperationGroup<'_>> {
    operations
        .chunk_by(is_same_change)
        .map(|same| OperationGroup {
            first: &same[0],
            servers: same
                .iter()
                .filter_map(|one| one.server.as_deref())
                .collect(),
        })
        .collect()
}

fn is_same_change(one: &Operation, next: &Operation) -> bool {
    one.kind == next.kind
        && one.target == next.target
        && one.irreversible == next.irreversible
        && one.server.is_some()
        && describe_change(one) == describe_change(next)
}

fn describe_change(operation: &Operation) -> String {
    use TargetState::{File, Item, Procedure};
    if operation.kind == OperationKind::Accept {
        return "record rewritten".to_owned();
    }
    match (&operation.before, &operation.after) {
        (_, Procedure { parameters, .. }) => {
            let pairs: Vec<String> = parameters
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            pairs.join(" ")
        }
        (
            File {
                size: old_size,
                sha256: old,
            },
            File { size, sha256: new },
        ) => format!(
            "{} -> {} bytes, {} -> {}",
            number(*old_size),
            number(*size),
            short_hash(old),
            short_hash(new)
        ),
        (before, after) => match (brief_state(before), brief_state(after)) {
            (old, new) if old.is_empty() || new.is_empty() => old + &new,
            (old, new) if old == new && matches!(after, Item { .. }) => {
                format!("{new}, other package")
            }
            (old, new) => format!("{old} -> {new}"),
        },
    }
}

/// Describes a state in few words; empty if nothing is there.
fn brief_state(target: &TargetState) -> String {
    match target {
        TargetState::Nothing | TargetState::Procedure { .. } => String::new(),
        TargetState::Item { version, .. } => {
            version.as_ref().map(Version::to_string).unwrap_or_default()
        }
        _ => describe_state(target),
    }
}

/// Describes the state before or after an operation.
pub(crate) fn describe_state(target: &TargetState) -> String {
    match target {
        TargetState::Nothing => "nothing".to_owned(),
        TargetState::Unknown => UNKNOWN.to_owned(),
        TargetState::Item {
            state,
            version,
            installer,
        } => match (version, installer) {
            (Some(version), Some(installer)) => {
                format!("{version}, installer {}", short_hash(installer))
            }
            (Some(version), None) => version.to_string(),
            (None, _) => state.as_str().to_owned(),
        },
        TargetState::Procedure { state, parameters } => {
            let mut text = state.as_str().to_owned();
            for (name, value) in parameters {
                text.push_str(&format!("; {name}={value}"));
            }
            text
        }
        TargetState::File { size, sha256 } => {
            format!("{} bytes, {}", number(*size), short_hash(sha256))
        }
        TargetState::Service { running, enabled } => {
            let running = if *running { "running" } else { "stopped" };
            format!("{running}{}", if *enabled { "" } else { ", disabled" })
        }
    }
}

/// Describes the state of an instance in the console: the version if it is verified, else its state.
pub(super) fn console_state(state: State, version: Option<&Version>) -> String {
    match version {
        Some(version) if state == State::Verified => version.to_string(),
        _ => state.as_str().to_owned(),
    }
}

/// Describes the state of an item or a procedure before or after a run.
pub(super) fn net_state(target: &TargetState) -> String {
    match target {
        TargetState::Item { state, version, .. } => console_state(*state, version.as_ref()),
        TargetState::Procedure { state, .. } => state.as_str().to_owned(),
        TargetState::Unknown => UNKNOWN.to_owned(),
        _ => State::NotInstalled.as_str().to_owned(),
    }
}

/// Returns the beginning of a hash, long enough to distinguish files by eye.
pub(super) fn short_hash(digest: &Digest) -> String {
    digest.short()[..8].to_owned()
}
