//! Plan of a rollup: the walk over its manifest.

use std::collections::{BTreeMap, BTreeSet};

use super::applicability::{self, Applicability, NothingToDo};
use super::availability::role_outages;
use super::brought::{applied_record, changes_of_record};
use super::inspect::{inspect, refuse_unsupported};
use super::lagging::{Lagging, lagging};
use super::options::Options;
use super::planner::{Inputs, StepPlanner};
use super::prerequisites::{confirmations, unmet};
use super::refusal::{Reason, ReasonKind, Refusal};
use super::simulated_state::SimulatedState;
use super::simulated_tree::{SimulatedTree, divide};
use super::swaps::text_entry;
use super::{
    AppliedChange, Context, DocumentedFacts, Entry, ExpectedState, Plan, PlannedRollup,
    PlannedStep, SCHEMA, Subject, Swap, bytes, digest_of, requirements,
};
use crate::deployment::applied::AppliedRecord;
use crate::deployment::records::RecordError;
use crate::deployment::snapshot::Snapshot;
use crate::deployment::tree::FileKind;
use crate::document::{Code, Severity};
use crate::manifest::{Action, BoundManifest, Manifest, PayloadFile};
use crate::names::{CaseFolded, RelPath};
use crate::payload::{PayloadFacts, compare};

/// Result of planning.
#[derive(Debug, Clone)]
pub enum Planned {
    /// There is something to do.
    Plan(Box<Plan>),
    /// There is nothing to do.
    Nothing(NothingToDo),
}

/// Makes the plan of a manifest for a deployment.
///
/// Without payload facts it is a preview: it has neither digest nor expected state, and no swaps.
///
/// # Errors
///
/// All reasons why the rollup cannot be applied, at once.
pub fn plan(
    bound: &BoundManifest,
    snapshot: &Snapshot,
    payload: Option<&PayloadFacts>,
    options: Options,
) -> Result<Planned, Refusal> {
    let mut remarks = Remarks {
        reasons: unusable(snapshot),
        warnings: Vec::new(),
    };
    let (manifest, lagging) = (&bound.manifest, lagging(snapshot));
    let mut catch_up = None;
    match applicability::applicability(manifest, snapshot, &lagging, options.reapply) {
        Applicability::Nothing(nothing) if remarks.reasons.is_empty() => {
            return Ok(Planned::Nothing(nothing));
        }
        Applicability::Nothing(_) | Applicability::Apply => {}
        Applicability::CatchUp(limits) => catch_up = Some(limits),
        Applicability::Refused(refused) => {
            // If the rollup must not be applied at all, missing requirements do not matter.
            let mut kinds = refused.iter().map(|reason| reason.kind);
            let lacks_only = kinds.all(|kind| kind == ReasonKind::NotReady);
            remarks.reasons.extend(refused);
            if !lacks_only {
                Refusal::unless_empty(remarks.reasons.clone())?;
            }
        }
    }
    let inputs = Inputs {
        bound,
        snapshot,
        payload,
        options,
        catch_up,
    };
    remarks.reasons.extend(unmet(bound, snapshot));
    if let Some(payload) = payload {
        remarks.payload(&inputs, payload);
    }
    let mut state = SimulatedState::new(snapshot);
    let mut steps = Vec::with_capacity(bound.steps.len());
    for step in &bound.steps {
        let planner = StepPlanner {
            inputs: &inputs,
            state: &state,
            step,
        };
        let mut draft = planner.draft();
        remarks.reasons.append(&mut draft.reasons);
        remarks.warnings.append(&mut draft.warnings);
        steps.push(state.apply(step, draft));
    }
    let plan = finish(&inputs, state, remarks, steps, &lagging)?;
    Ok(Planned::Plan(Box::new(plan)))
}

/// Reasons to refuse a plan, and its warnings.
struct Remarks {
    reasons: Vec<Reason>,
    warnings: Vec<String>,
}

/// Returns the reasons that exclude any plan.
fn unusable(snapshot: &Snapshot) -> Vec<Reason> {
    let fault = |(file, why): &(RelPath, RecordError)| {
        let message = format!("`{file}` cannot be used: {why}");
        Reason::new(ReasonKind::Invalid, message).help(why.help())
    };
    let mut reasons: Vec<_> = snapshot.faults.iter().map(fault).collect();
    // The plan may be the very one that is staged.
    if let Some(open) = snapshot
        .past
        .open
        .as_ref()
        .filter(|open| open.staged.is_none())
    {
        let message = format!("run {} is {}", open.name, open.state);
        reasons.push(Reason::new(ReasonKind::NotReady, message));
    }
    reasons
}

impl Remarks {
    /// Compares the payload. Errors in files that steps deploy are reasons to refuse the plan; of
    /// the other differences, only those that affect this run become warnings.
    fn payload(&mut self, inputs: &Inputs<'_>, payload: &PayloadFacts) {
        let table = inputs.bound.manifest.file_table();
        for difference in compare(&table, Some(inputs.site()), payload) {
            match difference.level {
                Severity::Error => self.reasons.push(Reason {
                    kind: ReasonKind::Mismatch,
                    message: difference.message,
                    help: difference.help.map(str::to_owned),
                }),
                Severity::Warning if difference.code != Code::MissingFile => {
                    self.warnings.push(difference.message);
                }
                Severity::Warning | Severity::Note => {}
            }
        }
        let is_unpinned = |row: &&PayloadFile| {
            let name = row.name.case_folded();
            let is_used = table.deployed.contains(&name) && payload.files.contains_key(&name);
            is_used && row.sha256.is_none()
        };
        let unpinned = table.rows.iter().filter(is_unpinned).count();
        if unpinned > 0 {
            let files = if unpinned == 1 {
                "file has"
            } else {
                "files have"
            };
            self.warnings.push(format!(
                "{unpinned} {files} no pinned SHA-256 in the manifest, so only name, size and product were compared"
            ));
        }
    }

    /// Refuses a run that would leave something behind that it is to catch up with, and warns of an
    /// item that belongs to no server, so that no service step follows from it.
    fn catch_up(&mut self, inputs: &Inputs<'_>, swaps: &[Swap]) {
        let Some(catch_up) = &inputs.catch_up else {
            return;
        };
        let kb = inputs.bound.manifest.rollup.kb;
        let live: BTreeSet<CaseFolded> = swaps.iter().map(|swap| swap.live.case_folded()).collect();
        let mut steps = inputs.bound.steps.iter();
        let has_service_step = steps.any(|step| matches!(step.action, Action::Service { .. }));
        let share = Some(inputs.site().share.case_folded());
        for place in &catch_up.places {
            if !live.contains(&place.path.case_folded()) {
                let message = format!("{place}, and no step of this manifest changes that");
                let help = "`rollup accept` accepts it as it is; `--reapply` does all steps again";
                let reason = Reason::new(ReasonKind::NotReady, message).help(help);
                self.reasons.push(reason);
                continue;
            }
            let parent = place.path.parent().map(|parent| parent.case_folded());
            if place.server.is_none() && has_service_step && parent != share {
                self.warnings.push(format!(
                    "`{}` belongs to no server, so this run does no service step of {kb} for it: restart what uses it",
                    place.target
                ));
            }
        }
    }

    /// Checks what the items and procedures of the run require.
    fn requirements(&mut self, state: &SimulatedState<'_>, snapshot: &Snapshot) {
        let at_end = |instance| state.is_installed(instance);
        let (absences, run) = (&state.absences, &state.procedures_run);
        let reasons = requirements::check_end(snapshot, absences, at_end, run);
        self.reasons.extend(reasons);
        let items = state.items.iter();
        let installed = items.filter(|(_, record)| record.state.is_installed());
        let installed = installed.map(|(instance, _)| instance).chain(run).copied();
        let warnings = requirements::lacking(snapshot, installed, at_end);
        self.warnings.extend(warnings);
    }
}

/// Makes the plan of steps that are all planned.
fn finish(
    inputs: &Inputs<'_>,
    mut state: SimulatedState<'_>,
    mut remarks: Remarks,
    steps: Vec<PlannedStep>,
    lagging: &Lagging,
) -> Result<Plan, Refusal> {
    let snapshot = inputs.snapshot;
    let record = applied_record(inputs, &state);
    remarks.reasons.extend(changes_of_record(inputs, &record));
    place_record(&mut state, &mut remarks, snapshot, &record);
    remarks.catch_up(inputs, &state.swaps);
    remarks.reasons.extend(refuse_unsupported(snapshot, &state));
    remarks.requirements(&state, snapshot);
    let (catch_up, others_lag) = lagging_lines(inputs, lagging);
    let mut context = Context::of_site(snapshot);
    context.lagging = others_lag;
    let sources = state.sources.list;
    let space = bytes::lack_of_space(&state.swaps, &sources, &context, snapshot.free);
    remarks.reasons.extend(space);
    Refusal::unless_empty(remarks.reasons)?;
    let ids: Vec<&str> = inputs
        .bound
        .steps
        .iter()
        .map(|step| step.id.as_str())
        .collect();
    let role_outages = role_outages(&snapshot.description, inputs.bound, &steps);
    let mut plan = Plan {
        schema: SCHEMA,
        digest: None,
        subject: Subject::Rollup(planned_rollup(&inputs.bound.manifest, catch_up)),
        deployment: snapshot.description.name.clone(),
        description: snapshot.description.meaning(),
        options: inputs.options,
        offline: names_of_offline(snapshot),
        applied: AppliedChange {
            before: snapshot.applied.in_effect().collect(),
            after: snapshot.applied.with(record).in_effect().collect(),
        },
        confirmations: confirmations(inputs.bound),
        warnings: remarks.warnings,
        steps,
        outage: requirements::outage(snapshot, &state.absences, &ids),
        outage_behind: requirements::outage_behind(snapshot, &state.absences),
        role_outages,
        sources: Vec::new(),
        swaps: Vec::new(),
        expected_state: None,
        documented: DocumentedFacts::of(inputs.bound, snapshot),
        context,
        checksum: None,
    };
    // Without a payload the new objects are not known.
    if inputs.payload.is_some() {
        plan.expected_state = Some(expected_state(&state.tree, &state.swaps));
        plan.sources = sources;
        plan.swaps = state.swaps;
        plan.bind();
    }
    Ok(plan)
}

fn planned_rollup(manifest: &Manifest, catch_up: Vec<String>) -> PlannedRollup {
    let rollup = &manifest.rollup;
    PlannedRollup {
        kb: rollup.kb,
        revision: rollup.revision.clone(),
        title: rollup.title.clone(),
        manifest: manifest.meaning(),
        includes: rollup.includes.clone(),
        replaces: rollup.replaces.clone(),
        computer_restart: rollup.computer_restart,
        registry_changes: rollup.registry_changes.clone(),
        catch_up,
    }
}

/// Places the record of the rollup, which is the last swap.
fn place_record(
    state: &mut SimulatedState<'_>,
    remarks: &mut Remarks,
    snapshot: &Snapshot,
    record: &AppliedRecord,
) {
    let live = state.tree.actual(&AppliedRecord::path(record.kb));
    remarks
        .reasons
        .extend(inspect(snapshot, &live, FileKind::File));
    state.touched.insert(live.case_folded());
    let new = vec![text_entry(live.clone(), record.to_toml())];
    state.swap(None, &live, &[live.case_folded()].into(), new);
}

/// Describes what lags and the run catches up with, and what else lags.
fn lagging_lines(inputs: &Inputs<'_>, lagging: &Lagging) -> (Vec<String>, Vec<String>) {
    let caught_up = match &inputs.catch_up {
        Some(_) => lagging.lines(Some(inputs.bound.manifest.rollup.kb)),
        None => Vec::new(),
    };
    let mut others = lagging.lines(None);
    others.retain(|line| !caught_up.contains(line));
    (caught_up, others)
}

/// Returns the names of the servers that are offline.
pub(super) fn names_of_offline(snapshot: &Snapshot) -> Vec<String> {
    let offline = snapshot.description.offline_servers().into_iter();
    offline.map(str::to_owned).collect()
}

fn expected_state(tree: &SimulatedTree<'_>, swaps: &[Swap]) -> ExpectedState {
    let last: BTreeMap<&RelPath, &Swap> = swaps.iter().map(|swap| (&swap.live, swap)).collect();
    let mut entries: Vec<Entry> = last
        .into_iter()
        .flat_map(|(live, swap)| {
            divide(live, tree.object(live, &BTreeSet::new()), &swap.new).entries
        })
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup();
    ExpectedState {
        digest: digest_of(&entries),
        entries,
    }
}
