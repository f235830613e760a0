//! State of the deployment after the steps that are planned so far.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::{PlannedChange, StepDraft};
use super::brought::BroughtPlaces;
use super::requirements::Absences;
use super::simulated_tree::{SimulatedTree, divide};
use super::{NewEntry, Operation, PlanSource, PlannedStep, SourceLocation, Swap, WithinEachServer};
use crate::deployment::description::{Instance, ServerId, ServiceId};
use crate::deployment::records::{ItemRecord, ServiceRecord};
use crate::deployment::snapshot::Snapshot;
use crate::manifest::BoundStep;
use crate::names::{CaseFolded, Digest, RelPath};

/// Deployment after some steps: what they changed; everything else is as in the snapshot.
pub(super) struct SimulatedState<'a> {
    snapshot: &'a Snapshot,
    pub(super) tree: SimulatedTree<'a>,
    pub(super) items: BTreeMap<Instance, ItemRecord>,
    programs: BTreeMap<CaseFolded, ItemRecord>,
    services: BTreeMap<(ServiceId, ServerId), ServiceRecord>,
    /// Files of the share that a step replaced; `None` without a payload to read the new one from.
    pub(super) share: BTreeMap<CaseFolded, Option<SourceFile>>,
    /// Removals of each step, by its position.
    pub(super) removals: Vec<Removals>,
    pub(super) absences: Absences,
    pub(super) procedures_run: BTreeSet<Instance>,
    pub(super) brought: BroughtPlaces,
    pub(super) sources: Sources,
    pub(super) swaps: Vec<Swap>,
    /// Paths that the steps may change, or found as they should be.
    pub(super) touched: BTreeSet<CaseFolded>,
}

/// Targets of a step that uninstalls.
pub(super) struct Removals {
    pub(super) removed: Vec<Instance>,
    /// Targets that were not installed.
    pub(super) absent: Vec<Instance>,
}

/// File that a step reads, as it is at that step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SourceFile {
    pub(super) at: SourceLocation,
    pub(super) size: u64,
    pub(super) sha256: Digest,
}

/// Every file that the steps read, each once.
#[derive(Clone, Default)]
pub(super) struct Sources {
    pub(super) list: Vec<PlanSource>,
    positions: BTreeMap<SourceLocation, usize>,
}

impl Sources {
    /// Returns the position of a source; adds it if it is new.
    pub(super) fn add(&mut self, file: SourceFile) -> usize {
        let SourceFile { at, size, sha256 } = file;
        let next = self.list.len();
        let position = *self.positions.entry(at.clone()).or_insert(next);
        if position == next {
            let beside = Vec::new();
            self.list.push(PlanSource {
                at,
                size,
                sha256,
                beside,
            });
        }
        position
    }
}

impl<'a> SimulatedState<'a> {
    pub(super) fn new(snapshot: &'a Snapshot) -> Self {
        Self {
            snapshot,
            tree: SimulatedTree::new(snapshot),
            items: BTreeMap::new(),
            programs: BTreeMap::new(),
            services: BTreeMap::new(),
            share: BTreeMap::new(),
            removals: Vec::new(),
            absences: BTreeMap::new(),
            procedures_run: BTreeSet::new(),
            brought: BroughtPlaces::default(),
            sources: Sources::default(),
            swaps: Vec::new(),
            touched: BTreeSet::new(),
        }
    }

    pub(super) fn item(&self, instance: Instance) -> Option<&ItemRecord> {
        let changed = self.items.get(&instance);
        changed.or_else(|| self.snapshot.item(instance))
    }

    pub(super) fn is_installed(&self, instance: Instance) -> bool {
        let record = self.item(instance);
        record.is_some_and(|record| record.state.is_installed())
    }

    pub(super) fn program(&self, directory: &RelPath) -> Option<&ItemRecord> {
        let changed = self.programs.get(&directory.case_folded());
        changed.or_else(|| self.snapshot.program(directory))
    }

    pub(super) fn service(&self, service: ServiceId, server: ServerId) -> ServiceRecord {
        let changed = self.services.get(&(service, server)).copied();
        changed.unwrap_or_else(|| self.snapshot.service(service, server))
    }

    /// Does the changes of a step that was planned at this state. Its reasons and warnings are the
    /// caller's.
    pub(super) fn apply(&mut self, step: &BoundStep, draft: StepDraft) -> PlannedStep {
        let at = self.removals.len();
        let mut operations = Vec::with_capacity(draft.changes.len());
        for change in draft.changes {
            operations.push(self.change(&step.id, change));
        }
        let mut removed = Vec::new();
        for (instance, record) in draft.items {
            if !record.state.is_installed() {
                self.absences.entry(instance).or_default().push((at, None));
                removed.push(instance);
            } else if let Some(times) = self.absences.get_mut(&instance)
                && let Some((_, back)) = times.last_mut()
            {
                back.get_or_insert(at);
            }
            self.items.insert(instance, record);
        }
        self.programs.extend(draft.programs);
        self.services.extend(draft.services);
        self.share.extend(draft.share);
        self.procedures_run.extend(draft.procedures);
        self.brought.apply(draft.brought, &draft.not_brought);
        self.sources = draft.sources;
        self.touched.extend(draft.touched);
        self.removals.push(Removals {
            removed,
            absent: draft.absent,
        });
        PlannedStep {
            id: step.id.clone(),
            title: step.title.clone(),
            within: step.within.as_ref().map(|within| WithinEachServer {
                step: within.step.clone(),
                title: within.title.clone(),
                server: self.snapshot.description[within.server].name.to_string(),
            }),
            action: step.keyword.to_owned(),
            line: step.line,
            operations,
            nothing: draft.nothing,
            left_out: draft.left_out,
            manual: draft.manual,
            arguments: draft.arguments,
            undo: draft.undo,
        }
    }

    fn change(&mut self, step: &str, change: PlannedChange) -> Operation {
        let PlannedChange {
            operation,
            managed,
            new,
        } = change;
        let swap = self.swap(Some(step), &operation.at, &managed, new);
        Operation { swap, ..operation }
    }

    /// Replaces the object at a live path, and returns the number of the swap that does it.
    pub(super) fn swap(
        &mut self,
        step: Option<&str>,
        live: &RelPath,
        managed: &BTreeSet<CaseFolded>,
        mut new: Vec<NewEntry>,
    ) -> u32 {
        new.sort_by(|a, b| a.path.cmp(&b.path));
        let object = self.tree.object(live, managed);
        let old = divide(live, object.clone(), &new);
        self.tree.replace(live, &object, &new, old.along);
        let number = self.swaps.len() as u32 + 1;
        self.swaps.push(Swap {
            number,
            step: step.map(str::to_owned),
            live: live.clone(),
            old: old.entries,
            new,
        });
        number
    }
}
