//! Operations of each action. An action returns what it does; it changes no state.

mod files;
mod items;
mod opaque;
mod packages;
mod procedures;
mod services;
mod states;

use std::collections::{BTreeMap, BTreeSet};

pub(super) use states::{item_state, procedure_state, seen_item};

use super::brought::BroughtPlace;
use super::inspect::inspect;
use super::planner::StepPlanner;
use super::simulated_state::{SimulatedState, SourceFile, Sources};
use super::simulated_tree::{divide, kept, respell};
use super::{
    ManualFile, ManualStep, NewEntry, Operation, OperationKind, Reason, ReasonKind, TargetState,
    UnchangedTarget,
};
use crate::deployment::description::{Instance, ServerId, ServiceId};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{Installed, ItemRecord, ServiceRecord};
use crate::deployment::tree::FileKind;
use crate::manifest::Action;
use crate::names::{CaseFolded, RelPath};

/// Result of planning a step: its operations, what they change, and what speaks against them.
#[derive(Default)]
pub(super) struct StepDraft {
    /// Operations in order; each is one swap.
    pub(super) changes: Vec<PlannedChange>,
    pub(super) nothing: Vec<UnchangedTarget>,
    pub(super) left_out: Vec<String>,
    pub(super) manual: Option<ManualStep>,
    /// Instructions to roll back packages that rollup cannot open.
    pub(super) undo: Option<String>,
    /// Documented arguments of these packages.
    pub(super) arguments: Option<String>,
    pub(super) reasons: Vec<Reason>,
    pub(super) warnings: Vec<String>,
    /// Items as the step leaves them.
    pub(super) items: Vec<(Instance, ItemRecord)>,
    /// Targets to remove that were not installed.
    pub(super) absent: Vec<Instance>,
    /// Programs as the step leaves them, by directory.
    pub(super) programs: BTreeMap<CaseFolded, ItemRecord>,
    pub(super) services: Vec<((ServiceId, ServerId), ServiceRecord)>,
    /// Files that the step copies to the share; `None` without a payload.
    pub(super) share: Vec<(CaseFolded, Option<SourceFile>)>,
    pub(super) procedures: Vec<Instance>,
    pub(super) brought: Vec<BroughtPlace>,
    /// Instances that an earlier step would have brought, and this one leaves as they were.
    pub(super) not_brought: Vec<Instance>,
    /// Sources of all steps up to this one.
    pub(super) sources: Sources,
    /// Paths that the step may change, or found as they should be.
    pub(super) touched: Vec<CaseFolded>,
}

/// Operation, and the new object that it puts to its path.
pub(super) struct PlannedChange {
    /// The operation, without the number of its swap.
    pub(super) operation: Operation,
    /// Paths of the old object that are managed.
    pub(super) managed: BTreeSet<CaseFolded>,
    pub(super) new: Vec<NewEntry>,
}

/// Target of an operation, as people name it, with its path and the manifest line.
struct OperationTarget {
    target: String,
    server: Option<String>,
    at: RelPath,
    line: u32,
    /// Reason why `deployment.toml` says that it cannot be rolled back.
    irreversible: Option<String>,
}

impl OperationTarget {
    fn operation(
        self,
        kind: OperationKind,
        (before, after): (TargetState, TargetState),
        seen: impl Into<String>,
    ) -> Operation {
        use OperationKind::{Initialize, Install, Replace, Store};
        let is_marked = matches!(kind, Install | Replace | Initialize | Store);
        Operation {
            irreversible: self.irreversible.filter(|_| is_marked),
            kind,
            target: self.target,
            server: self.server,
            at: self.at,
            before,
            after,
            swap: 0,
            line: self.line,
            seen: seen.into(),
        }
    }
}

impl StepDraft {
    /// Returns an empty draft of a step that comes after others.
    pub(super) fn after(state: &SimulatedState<'_>) -> Self {
        Self {
            sources: state.sources.clone(),
            ..Self::default()
        }
    }

    /// Adds a target without a change to a step that is otherwise empty.
    pub(super) fn or_unchanged(mut self, target: &str, why: &str) -> Self {
        let is_empty = self.changes.is_empty() && self.nothing.is_empty();
        if is_empty && self.left_out.is_empty() && self.manual.is_none() {
            self.add_unchanged(target, why);
        }
        self
    }

    fn add_unchanged(&mut self, target: impl Into<String>, why: impl Into<String>) {
        self.nothing.push(UnchangedTarget {
            target: target.into(),
            why: why.into(),
        });
    }

    fn refuse(&mut self, kind: ReasonKind, message: impl Into<String>, help: &str) {
        self.reasons.push(Reason::new(kind, message).help(help));
    }

    /// Adds an operation on a file, or on something that is known only with a payload.
    fn add_file(&mut self, operation: Operation, new: Vec<NewEntry>) {
        self.changes.push(PlannedChange {
            managed: [operation.at.case_folded()].into(),
            operation,
            new,
        });
    }
}

impl StepPlanner<'_> {
    pub(super) fn action(&self, mut draft: StepDraft) -> StepDraft {
        match &self.step.action {
            Action::Uninstall(targets) => self.uninstall(targets, &mut draft),
            Action::Install(targets) => {
                for target in targets {
                    self.install(*target, &mut draft);
                }
            }
            Action::Reinstall { removed_by, line } => {
                self.reinstall(*removed_by, *line, &mut draft);
            }
            Action::Copy { files, to } => self.copy(files, to, &mut draft),
            Action::NoServer => draft.add_unchanged(
                &self.step.title,
                "no server of its role and platform is online",
            ),
            Action::Run {
                files,
                on,
                features,
                opaque,
            } => {
                for file in files {
                    match file.name.is_msi() {
                        true => self.run(file, on, features, &mut draft),
                        false => self.run_opaque(file, on, opaque, &mut draft),
                    }
                }
            }
            Action::Initialize(procedures) => {
                for procedure in procedures {
                    self.initialize(procedure, &mut draft);
                }
            }
            Action::Service {
                verb,
                service,
                servers,
            } => {
                for server in servers {
                    self.service(*verb, *service, *server, &mut draft);
                }
            }
            Action::Manual { .. } => draft.manual = self.manual(&mut draft),
        }
        draft
    }

    /// Returns the manual step. A run that catches up asks for nothing but its servers.
    fn manual(&self, draft: &mut StepDraft) -> Option<ManualStep> {
        let Action::Manual {
            instructions,
            undo,
            optional,
            files,
            on,
        } = &self.step.action
        else {
            return None;
        };
        let mut servers = Vec::new();
        for (on, server) in on
            .iter()
            .flat_map(|on| on.servers.iter().map(move |of| (on, of)))
        {
            if self.inputs.touches(*server, [on.role]) {
                servers.push(self.site()[*server].name.to_string());
            }
        }
        if self.inputs.catch_up.is_some() && servers.is_empty() {
            return None;
        }
        let mut manual_files = Vec::new();
        for file in files {
            let source = self.payload_file(file);
            manual_files.push(ManualFile {
                name: file.name.clone(),
                sha256: source.as_ref().map(|source| source.sha256),
                source: source.map(|source| draft.sources.add(source)),
            });
        }
        Some(ManualStep {
            files: manual_files,
            instructions: instructions.clone(),
            undo: undo.clone(),
            optional: *optional,
            servers,
        })
    }

    fn server_name(&self, server: ServerId) -> String {
        self.site()[server].name.to_string()
    }

    fn instance_target(&self, instance: Instance, line: u32) -> OperationTarget {
        let site = self.site();
        OperationTarget {
            target: site[instance.item].name.to_string(),
            server: instance.server.map(|server| self.server_name(server)),
            at: self.state.tree.actual(&site.directory(instance)),
            line,
            irreversible: site[instance.item].irreversible.clone(),
        }
    }

    /// Adds an operation that replaces the directory of an instance or program by a new object.
    /// Unmanaged entries of the old one move along, and the new paths are spelled like the old ones.
    fn replace_directory(
        &self,
        operation: Operation,
        record: Option<&ItemRecord>,
        mut new: Vec<NewEntry>,
        draft: &mut StepDraft,
    ) {
        let live = &operation.at;
        self.inspect(live, FileKind::Directory, draft);
        let mut managed: BTreeSet<CaseFolded> = [ItemDir(live).record().case_folded()].into();
        let installed = record.and_then(|record| record.installed.as_ref());
        let files = installed
            .into_iter()
            .flat_map(|installed| installed.files.keys());
        managed.extend(files.map(|file| ItemDir(live).file(file).case_folded()));
        self.warn_of_drift(live, record, draft);
        let object = self.state.tree.object(live, &managed);
        let old = divide(live, object, &new).entries;
        if let Err((managed, unmanaged)) = respell(&mut new, &old, &kept(live, &old)) {
            let message = format!(
                "the installer contains `{managed}`, which conflicts with the unmanaged `{unmanaged}`"
            );
            let help = "move the unmanaged file or directory elsewhere first";
            draft.refuse(ReasonKind::NotReady, message, help);
        }
        draft.changes.push(PlannedChange {
            operation,
            managed,
            new,
        });
    }

    /// Adds the reasons why the object at a live path cannot be replaced.
    fn inspect(&self, live: &RelPath, expected: FileKind, draft: &mut StepDraft) {
        draft.touched.push(live.case_folded());
        let reasons = inspect(self.inputs.snapshot, live, expected);
        draft.reasons.extend(reasons);
    }

    /// Returns whether a managed file of an installation is changed or missing, so that installing the
    /// same again repairs it.
    fn has_drift(&self, live: &RelPath, installed: &Installed) -> bool {
        self.drift(live, installed).next().is_some()
    }

    /// Warns about managed files that are changed or missing. A changed file stays in the old
    /// object, which the run keeps.
    fn warn_of_drift(&self, live: &RelPath, record: Option<&ItemRecord>, draft: &mut StepDraft) {
        let Some(installed) = record.and_then(|record| record.installed.as_ref()) else {
            return;
        };
        let product = &installed.product;
        for (at, is_missing) in self.drift(live, installed) {
            draft.warnings.push(match is_missing {
                true => format!("`{at}` is missing, although `{product}` was installed with it"),
                false => format!(
                    "`{at}` was changed since `{product}` was installed; the changed file stays in the run's directory"
                ),
            });
        }
    }

    /// Returns the managed files of an installation that are not as it left them, each with whether it
    /// is missing.
    fn drift(
        &self,
        live: &RelPath,
        installed: &Installed,
    ) -> impl Iterator<Item = (RelPath, bool)> {
        let snapshot = self.inputs.snapshot;
        // Objects that an earlier step places there are as they should be, and not on disk yet.
        let is_on_disk = !self.state.tree.is_changed(live);
        let files = installed.files.iter().filter(move |_| is_on_disk);
        files.filter_map(move |(file, recorded)| {
            let at = snapshot.actual(&ItemDir(live).file(file));
            let found = snapshot.node(&at);
            let Some(found) = found.filter(|found| found.kind == FileKind::File) else {
                return Some((at, true));
            };
            let facts = snapshot.facts(&found.path)?;
            (facts.sha256 != recorded.sha256).then_some((at, false))
        })
    }
}
