//! Plan of a rollup: the walk over its manifest.

use std::collections::BTreeSet;

use super::applicability::{self, Applicability, NothingToDo};
use super::lagging::{LaggingPlace, lagging};
use super::options::Options;
use super::planner::Planner;
use super::prerequisites::confirmations;
use super::refusal::{Reason, ReasonKind, Refusal};
use super::simulated_tree::SimulatedTree;
use super::{
    AppliedChange, Entry, ExpectedState, Plan, PlannedRollup, PlannedStep, SCHEMA, Subject, Swap,
    bytes, digest_of, requirements,
};
use crate::deployment::applied::AppliedRecord;
use crate::deployment::snapshot::Snapshot;
use crate::document::{Code, Severity};
use crate::manifest::{Action, Manifest, PayloadFile};
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
    manifest: &Manifest,
    snapshot: &Snapshot,
    payload: Option<&PayloadFacts>,
    options: Options,
) -> Result<Planned, Refusal> {
    let mut reasons = unusable(snapshot);
    let lagging = lagging(snapshot);
    let mut catch_up = None;
    match applicability::applicability(manifest, snapshot, &lagging, options.reapply) {
        Applicability::Nothing(nothing) if reasons.is_empty() => {
            return Ok(Planned::Nothing(nothing));
        }
        Applicability::Nothing(_) | Applicability::Apply => {}
        Applicability::CatchUp(limits) => catch_up = Some(limits),
        Applicability::Refused(refused) => {
            // If the rollup must not be applied at all, missing requirements do not matter.
            let lacks_only = refused
                .iter()
                .all(|reason| reason.kind == ReasonKind::NotReady);
            reasons.extend(refused);
            if !lacks_only {
                Refusal::unless_empty(reasons.clone())?;
            }
        }
    }
    let mut planner = Planner::new(manifest, snapshot, payload, options);
    planner.reasons = reasons;
    planner.catch_up = catch_up;
    planner.prerequisites();
    if let Some(payload) = payload {
        planner.payload(payload);
    }
    let steps = manifest
        .steps
        .iter()
        .enumerate()
        .map(|(at, step)| planner.step(at, step))
        .collect();
    let caught_up = match planner.catch_up {
        Some(_) => lagging.lines(Some(manifest.rollup.kb)),
        None => Vec::new(),
    };
    let mut others = lagging.lines(None);
    others.retain(|line| !caught_up.contains(line));
    planner
        .finish(steps, caught_up, others)
        .map(|plan| Planned::Plan(Box::new(plan)))
}

/// Returns the reasons that exclude any plan.
fn unusable(snapshot: &Snapshot) -> Vec<Reason> {
    let fault = |(file, why): &(RelPath, String)| {
        let message = format!("`{file}` cannot be used: {why}");
        let help = "repair it by hand, or restore it from a backup";
        Reason::new(ReasonKind::Invalid, message).help(help)
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

impl Planner<'_> {
    /// Compares the payload. Errors in files that steps deploy are reasons to refuse the plan; of
    /// the other differences, only those that affect this run become warnings.
    fn payload(&mut self, payload: &PayloadFacts) {
        let table = self.manifest.file_table();
        for difference in compare(&table, Some(&self.snapshot.description), payload) {
            match difference.level {
                Severity::Error => {
                    let reason = Reason::new(ReasonKind::Mismatch, difference.message);
                    self.reasons.push(Reason {
                        help: difference.help.map(str::to_owned),
                        ..reason
                    });
                }
                Severity::Warning if difference.code != Code::MissingFile => {
                    self.warnings.push(difference.message)
                }
                Severity::Warning | Severity::Note => {}
            }
        }
        let known = |row: &&PayloadFile| payload.files.contains_key(&row.name.case_folded());
        let deployed = table
            .rows
            .iter()
            .filter(|row| table.deployed.contains(&row.name.case_folded()));
        let unpinned = deployed
            .filter(|row| row.sha256.is_none())
            .filter(known)
            .count();
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

    fn finish(
        mut self,
        steps: Vec<PlannedStep>,
        catch_up: Vec<String>,
        others_lag: Vec<String>,
    ) -> Result<Plan, Refusal> {
        let ids: Vec<&str> = self
            .manifest
            .steps
            .iter()
            .map(|step| step.id.as_str())
            .collect();
        let record = self.applied_record();
        let before = &self.snapshot.applied;
        let applied = AppliedChange {
            before: before.in_effect().collect(),
            after: before.with(record.clone()).in_effect().collect(),
        };
        self.place_text(&AppliedRecord::path(record.kb), record.to_toml());
        self.close_step(None);
        self.check_caught_up();
        self.refuse_clashes();
        let at_end = |instance| self.installed_now(instance);
        let end =
            requirements::check_end(self.snapshot, &self.absences, at_end, &self.procedures_run);
        self.reasons.extend(end);
        let installed = self
            .items
            .iter()
            .filter(|(_, record)| record.state.is_installed())
            .map(|(&instance, _)| instance);
        let installed = installed.chain(self.procedures_run.iter().copied());
        let lacking = requirements::lacking(self.snapshot, installed, |instance| {
            self.installed_now(instance)
        });
        self.warnings.extend(lacking);
        self.reasons.append(&mut self.resolver.reasons);
        let mut context = self.context();
        context.lagging = others_lag;
        if let Some(reason) =
            bytes::lack_of_space(&self.swaps, &self.sources, &context, self.snapshot.free)
        {
            self.reasons.push(reason);
        }
        Refusal::unless_empty(std::mem::take(&mut self.reasons))?;
        let rollup = &self.manifest.rollup;
        let mut plan = Plan {
            schema: SCHEMA,
            digest: None,
            subject: Subject::Rollup(PlannedRollup {
                kb: rollup.kb,
                revision: rollup.revision.clone(),
                title: rollup.title.clone(),
                manifest: self.manifest.digest,
                includes: rollup.includes.clone(),
                replaces: rollup.replaces.clone(),
                catch_up,
            }),
            deployment: self.snapshot.description.name.clone(),
            offline: names_of_offline(self.snapshot),
            applied,
            confirmations: confirmations(self.manifest),
            warnings: self.warnings,
            steps,
            outage: requirements::outage(self.snapshot, &self.absences, &ids),
            sources: self.sources,
            swaps: self.swaps,
            expected_state: None,
            context,
            checksum: None,
        };
        match self.payload {
            None => {
                // Without a payload the new objects are not known.
                plan.swaps.clear();
                plan.sources.clear();
            }
            Some(_) => {
                plan.expected_state = Some(expected_state(&self.tree, &plan.swaps));
                plan.bind();
            }
        }
        Ok(plan)
    }
}

impl Planner<'_> {
    /// Refuses a run that would leave something behind that it is to catch up with, and warns of an
    /// item that belongs to no server, so that no service step follows from it.
    fn check_caught_up(&mut self) {
        let Some(catch_up) = &self.catch_up else {
            return;
        };
        let kb = self.manifest.rollup.kb;
        let live: BTreeSet<CaseFolded> = self
            .swaps
            .iter()
            .map(|swap| swap.live.case_folded())
            .collect();
        let is_done = |place: &&LaggingPlace| live.contains(&place.path.case_folded());
        let (done, left): (Vec<_>, Vec<_>) = catch_up.places.iter().partition(is_done);
        let reasons = left.into_iter().map(|place| {
            let message = format!("{place}, and no step of this manifest changes that");
            let help = "`rollup accept` accepts it as it is; `--reapply` does all steps again";
            Reason::new(ReasonKind::NotReady, message).help(help)
        });
        self.reasons.extend(reasons);
        let share = self.snapshot.description.share.case_folded();
        let is_shared = |place: &LaggingPlace| {
            let parent = place.path.parent().map(|parent| parent.case_folded());
            parent.as_ref() == Some(&share)
        };
        let has_service_step = self
            .manifest
            .steps
            .iter()
            .any(|step| matches!(step.action, Action::Service { .. }));
        let warnings = done
            .into_iter()
            .filter(|place| place.server.is_none() && has_service_step && !is_shared(place))
            .map(|place| {
                format!(
                    "`{}` belongs to no server, so this run does no service step of {kb} for it: restart what uses it",
                    place.target
                )
            });
        self.warnings.extend(warnings);
    }
}

/// Returns the names of the servers that are offline.
pub(super) fn names_of_offline(snapshot: &Snapshot) -> Vec<String> {
    let offline = snapshot.description.offline_servers().into_iter();
    offline.map(str::to_owned).collect()
}

fn expected_state(tree: &SimulatedTree<'_>, swaps: &[Swap]) -> ExpectedState {
    let mut live: Vec<_> = swaps.iter().map(|swap| &swap.live).collect();
    live.sort();
    live.dedup();
    let mut entries: Vec<Entry> = live
        .into_iter()
        .flat_map(|live| tree.object(live))
        .collect();
    entries.sort_by(|a, b| a.path.cmp(&b.path));
    entries.dedup();
    ExpectedState {
        digest: digest_of(&entries),
        entries,
    }
}
