//! View model of a plan: everything that is shown of it, computed once.
//!
//! Text, Markdown and HTML only lay it out, and escape it where they write it.

use std::collections::{BTreeMap, BTreeSet};

use super::outages::{OutageView, dependency_outages, describe_permanent, outages};
use super::words::{
    OperationGroup, Reversibility, console_state, describe_size, documented_effects,
    group_operations, net_state, plan_title, role_outage_lines, rollup_list, scope_lines, warnings,
};
use crate::cli::terminal::out::{count, list, number, on_servers};
use crate::cli::views::steps::with_title;
use crate::deployment::records::State;
use crate::names::{Digest, RelPath};
use crate::plan::{
    CheckedPrerequisite, ConsoleInstance, FileTableRow, ManualStep, Operation, OperationKind, Plan,
    PlannedStep, SwapsByStep, TargetState,
};

/// Most columns of the picture of the outages.
const MOST_COLUMNS: usize = 24;

/// Plan, as people read it.
pub(super) struct PlanView<'p> {
    pub(super) plan: &'p Plan,
    pub(super) title: String,
    pub(super) applied_before: String,
    pub(super) applied_after: String,
    pub(super) size: String,
    pub(super) undo: Reversibility,
    pub(super) scope: Vec<String>,
    /// Restart of computers and changes of the registry, by the article.
    pub(super) effects: Vec<(&'static str, String)>,
    /// Prerequisites that were checked, with the findings.
    pub(super) checked: Vec<String>,
    pub(super) warnings: Vec<String>,
    pub(super) permanent_outages: Vec<String>,
    pub(super) restarts_after_undo: Vec<String>,
    pub(super) steps: Vec<StepView<'p>>,
    /// Steps that leave out items that are not installed.
    pub(super) left_out: Vec<&'p PlannedStep>,
    /// Items that were not installed before, and will be.
    pub(super) new_items: Vec<String>,
    pub(super) outages: Vec<OutageView<'p>>,
    /// Servers of each role that are unavailable at once.
    pub(super) role_outages: Vec<String>,
    pub(super) dependency_outages: Vec<OutageView<'p>>,
    pub(super) files: Vec<CopiedFile<'p>>,
    pub(super) documented: Vec<DocumentedFile<'p>>,
    pub(super) console: Vec<ConsoleGroupView<'p>>,
}

/// Step with its operations.
pub(super) struct StepView<'p> {
    /// Position in the plan, from 1.
    pub(super) number: usize,
    pub(super) step: &'p PlannedStep,
    /// Begin of the nested steps of an `each-server` step on one server.
    pub(super) server: Option<String>,
    /// Number, id and title; a step that has no title of its own has its id only.
    pub(super) heading: String,
    /// Facts of packages that rollup cannot open, each with its label.
    pub(super) facts: Vec<(&'static str, &'p str)>,
    pub(super) operations: Vec<OperationRow<'p>>,
    /// Names of targets that stay unchanged, and the reason that they share.
    pub(super) unchanged: Vec<(String, &'p str)>,
    pub(super) bytes: SwappedBytes,
}

/// Operations that share a line of a step.
pub(super) struct OperationRow<'p> {
    pub(super) group: OperationGroup<'p>,
    /// True if it installs an item that was not installed before.
    pub(super) is_new: bool,
}

/// Bytes of the new objects of some swaps, and of the old ones, which the run keeps.
pub(super) struct SwappedBytes {
    pub(super) new: u64,
    pub(super) old: u64,
}

/// File that a step writes.
pub(super) struct CopiedFile<'p> {
    pub(super) path: &'p RelPath,
    /// Size and hash, if there is a file already.
    pub(super) old: Option<(String, &'p Digest)>,
    pub(super) new: (String, &'p Digest),
}

/// File of the article's table.
pub(super) struct DocumentedFile<'p> {
    pub(super) row: &'p FileTableRow,
    pub(super) size: String,
    /// Steps that deploy it, or the reason why none does.
    pub(super) deployed_by: String,
}

/// Group of the console.
pub(super) struct ConsoleGroupView<'p> {
    pub(super) path: &'p RelPath,
    pub(super) depth: usize,
    /// Names of the items, with their instances.
    pub(super) items: Vec<(&'p str, Vec<InstanceView<'p>>)>,
    /// Marks of the instances in each state, before and after the run.
    pub(super) before: BTreeMap<String, Vec<InstanceMark>>,
    pub(super) after: BTreeMap<String, Vec<InstanceMark>>,
}

/// Class of an instance's mark in a picture.
pub(super) type InstanceMark = &'static str;

/// Instance in the console, before and after the run.
pub(super) struct InstanceView<'p> {
    pub(super) server: Option<&'p str>,
    pub(super) before: String,
    pub(super) operations: Vec<&'p Operation>,
    pub(super) after: String,
}

impl<'p> PlanView<'p> {
    pub(super) fn of(plan: &'p Plan) -> Self {
        let restarts_after_undo = restarts_after_undo(plan);
        let outages = outages(plan);
        let steps = steps(plan);
        let rows = steps.iter().flat_map(|step| &step.operations);
        let left_out = plan.steps.iter().filter(|step| !step.left_out.is_empty());
        Self {
            plan,
            title: plan_title(plan),
            applied_before: rollup_list(&plan.applied.before),
            applied_after: rollup_list(&plan.applied.after),
            size: describe_size(plan),
            undo: Reversibility::of(plan, &restarts_after_undo),
            scope: scope_lines(plan),
            effects: plan.rollup().map(documented_effects).unwrap_or_default(),
            checked: plan.documented.checked.iter().map(checked).collect(),
            warnings: warnings(plan),
            permanent_outages: outages
                .iter()
                .filter_map(|outage| describe_permanent(plan, outage))
                .collect(),
            restarts_after_undo,
            left_out: left_out.collect(),
            new_items: rows
                .filter(|row| row.is_new)
                .map(|row| row.group.target())
                .collect(),
            steps,
            outages,
            role_outages: role_outage_lines(plan),
            dependency_outages: dependency_outages(plan),
            files: plan.operations().filter_map(copied_file).collect(),
            documented: plan.documented.file_table.iter().map(documented).collect(),
            console: console(plan),
        }
    }

    /// Returns the id of the step at a position.
    pub(super) fn id(&self, at: &usize) -> &'p str {
        &self.plan.steps[*at].id
    }

    /// Returns the steps that have a column in the picture of the outages; none if they are too many.
    pub(super) fn cell_steps(&self) -> &[StepView<'p>] {
        if self.steps.len() > MOST_COLUMNS {
            &[]
        } else {
            &self.steps
        }
    }

    /// Describes the instances behind those whose dependencies are unavailable, if there are any.
    pub(super) fn behind(&self) -> Option<String> {
        match self.plan.outage_behind {
            0 => None,
            behind => {
                let instances = count(behind, "instance");
                Some(format!("and {instances} through these"))
            }
        }
    }
}

impl InstanceView<'_> {
    /// Returns whether nothing is installed after the run.
    pub(super) fn is_gone(&self) -> bool {
        self.after == State::NotInstalled.as_str()
    }

    /// Returns the class of the instance's mark in a picture of one of its states.
    fn mark(&self, state: &str, changed: InstanceMark) -> InstanceMark {
        if state == State::NotInstalled.as_str() {
            "none"
        } else if self.operations.is_empty() {
            "still"
        } else {
            changed
        }
    }
}

/// Describes how the run handles a manual step.
pub(super) fn describe_manual_step(manual: &ManualStep) -> &'static str {
    if manual.optional {
        "optional, skipped without a terminal"
    } else {
        "the run waits here"
    }
}

fn checked(checked: &CheckedPrerequisite) -> String {
    let found = if checked.found.is_empty() {
        "nothing to check".to_owned()
    } else {
        checked.found.join(", ")
    };
    format!("{}: {found}", checked.condition)
}

/// Describes the restarts that an undo requires: it restores the record of a service, which does
/// not restart the service, so an operator has to.
fn restarts_after_undo(plan: &Plan) -> Vec<String> {
    let mut restarts: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for operation in plan.operations() {
        if let TargetState::Service { .. } = operation.after {
            restarts
                .entry(&operation.target)
                .or_default()
                .extend(operation.server.as_deref());
        }
    }
    restarts
        .into_iter()
        .map(|(service, servers)| on_servers(&format!("{service} must then be restarted"), servers))
        .collect()
}

fn steps(plan: &Plan) -> Vec<StepView<'_>> {
    let new = newly_installed(plan);
    let swaps = plan.swaps_by_step();
    let mut steps = Vec::new();
    for (at, step) in plan.steps.iter().enumerate() {
        let number = at + 1;
        // A run that catches up leaves the nested steps of most servers alone.
        let is_catch_up = plan
            .rollup()
            .is_some_and(|rollup| !rollup.catch_up.is_empty());
        let is_idle = step.operations.is_empty() && step.manual.is_none();
        if is_catch_up && step.within.is_some() && is_idle {
            continue;
        }
        let groups = group_operations(&step.operations).into_iter();
        steps.push(StepView {
            number,
            step,
            server: at_server(&plan.steps, at),
            facts: facts(step),
            heading: format!("{number}. {}", with_title(&step.id, &step.title)),
            operations: groups
                .map(|group| OperationRow {
                    is_new: new.contains(&group.first.at),
                    group,
                })
                .collect(),
            unchanged: unchanged(step),
            bytes: SwappedBytes::of(&swaps, Some(step)),
        });
    }
    steps
}

/// Describes the `each-server` step and the server, if the step at a position is the first nested one on
/// it.
fn at_server(steps: &[PlannedStep], at: usize) -> Option<String> {
    let within = steps[at].within.as_ref()?;
    let before = at
        .checked_sub(1)
        .and_then(|before| steps[before].within.as_ref());
    if before == Some(within) {
        return None;
    }
    let title = if within.title == within.step {
        String::new()
    } else {
        format!(": {}", within.title)
    };
    Some(format!("{} on {}{title}", within.step, within.server))
}

/// Returns the facts of packages that rollup cannot open.
fn facts(step: &PlannedStep) -> Vec<(&'static str, &str)> {
    let arguments = step.arguments.as_deref();
    let arguments = arguments.map(|arguments| ("arguments", arguments));
    let undo = step.undo.as_deref().map(|undo| ("undo by hand", undo));
    arguments.into_iter().chain(undo).collect()
}

impl SwappedBytes {
    /// Sums the swaps of a step; without a step, those of the record of the applied rollups.
    pub(super) fn of<'s>(swaps: &SwapsByStep<'s>, step: Option<&'s PlannedStep>) -> Self {
        let swaps = swaps.of(step);
        Self {
            new: swaps.iter().map(|swap| swap.new_bytes()).sum(),
            old: swaps.iter().map(|swap| swap.old_bytes()).sum(),
        }
    }
}

/// Returns the paths where something will be installed that was not installed before, and that this
/// run did not remove.
fn newly_installed(plan: &Plan) -> BTreeSet<&RelPath> {
    let paths_of = |kind: OperationKind| -> BTreeSet<&RelPath> {
        plan.operations()
            .filter(|operation| operation.kind == kind)
            .map(|operation| &operation.at)
            .collect()
    };
    &paths_of(OperationKind::Install) - &paths_of(OperationKind::Uninstall)
}

/// Groups consecutive targets that stay unchanged for the same reason.
fn unchanged(step: &PlannedStep) -> Vec<(String, &str)> {
    step.nothing
        .chunk_by(|one, next| one.why == next.why)
        .map(|same| {
            let targets = list(same.iter().map(|one| &one.target));
            (targets, same[0].why.as_str())
        })
        .collect()
}

fn copied_file(operation: &Operation) -> Option<CopiedFile<'_>> {
    Some(CopiedFile {
        path: &operation.at,
        old: size_and_hash(&operation.before),
        new: size_and_hash(&operation.after)?,
    })
}

fn size_and_hash(state: &TargetState) -> Option<(String, &Digest)> {
    match state {
        TargetState::File { size, sha256 } => Some((number(*size), sha256)),
        _ => None,
    }
}

fn documented(row: &FileTableRow) -> DocumentedFile<'_> {
    DocumentedFile {
        row,
        size: row.size.map(number).unwrap_or_default(),
        deployed_by: match &row.unused {
            Some(why) => format!("not deployed: {why}"),
            None if row.steps.is_empty() => "not deployed".to_owned(),
            None => row.steps.join(", "),
        },
    }
}

fn console(plan: &Plan) -> Vec<ConsoleGroupView<'_>> {
    let mut queued: BTreeMap<&RelPath, Vec<&Operation>> = BTreeMap::new();
    for operation in plan.operations() {
        queued.entry(&operation.at).or_default().push(operation);
    }
    let mut groups = Vec::new();
    for group in &plan.context.console {
        let mut view = ConsoleGroupView {
            path: &group.path,
            depth: group.path.parts().count(),
            items: Vec::new(),
            before: BTreeMap::new(),
            after: BTreeMap::new(),
        };
        for item in &group.items {
            let mut instances = Vec::new();
            for instance in &item.instances {
                let operations = queued.remove(&instance.at).unwrap_or_default();
                let instance = instance_view(instance, operations);
                let InstanceView { before, after, .. } = &instance;
                view.before
                    .entry(before.clone())
                    .or_default()
                    .push(instance.mark(before, "old"));
                view.after
                    .entry(after.clone())
                    .or_default()
                    .push(instance.mark(after, "new"));
                instances.push(instance);
            }
            view.items.push((&item.name, instances));
        }
        groups.push(view);
    }
    groups
}

fn instance_view<'p>(
    instance: &'p ConsoleInstance,
    operations: Vec<&'p Operation>,
) -> InstanceView<'p> {
    let before = console_state(instance.state, instance.version.as_ref());
    let after = match operations.last().map(|last| &last.after) {
        None => before.clone(),
        Some(after) => net_state(after),
    };
    InstanceView {
        server: instance.server.as_deref(),
        before,
        operations,
        after,
    }
}
