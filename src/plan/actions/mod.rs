//! Operations of each action: one function per action, each of which adds the placements for the
//! swaps of its step.

mod files;
mod items;
mod packages;
mod procedures;
mod services;
mod states;

use std::collections::BTreeSet;

use crate::deployment::description::{Instance, ServerId};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::ItemRecord;
use crate::deployment::tree::FileKind;
use crate::manifest::{Action, Step};
use crate::names::{CaseFolded, Kb, RelPath, Version};
use crate::plan::planner::{Planner, SourceFile};
use crate::plan::refusal::ReasonKind;
use crate::plan::simulated_tree::{KeptEntries, respell};
pub(super) use states::{item_state, procedure_state, seen_item};

use crate::plan::{
    ManualStep, NewEntry, Operation, OperationKind, PlannedStep, SourceLocation, TargetState,
    UnchangedTarget,
};

/// Step while its placements are not yet swaps: an operation has the index of its placement in
/// place of the number of its swap.
#[derive(Default)]
struct PlannedStepDraft {
    operations: Vec<(Operation, usize)>,
    nothing: Vec<UnchangedTarget>,
    left_out: Vec<String>,
    manual: Option<ManualStep>,
}

/// Target of an operation, as people name it, with its path and the manifest line.
struct OperationTarget {
    target: String,
    server: Option<String>,
    at: RelPath,
    line: u32,
}

impl PlannedStepDraft {
    fn add_unchanged(&mut self, target: impl Into<String>, why: impl Into<String>) {
        self.nothing.push(UnchangedTarget {
            target: target.into(),
            why: why.into(),
        });
    }

    fn add_operation(
        &mut self,
        kind: OperationKind,
        operation_target: OperationTarget,
        (before, after): (TargetState, TargetState),
        seen: String,
        placement: usize,
    ) {
        let OperationTarget {
            target,
            server,
            at,
            line,
        } = operation_target;
        self.operations.push((
            Operation {
                kind,
                target,
                server,
                at,
                before,
                after,
                swap: 0,
                line,
                seen,
            },
            placement,
        ));
    }
}

impl Planner<'_> {
    /// Plans one step of the manifest.
    pub(super) fn step(&mut self, at: usize, step: &Step) -> PlannedStep {
        let mut draft = PlannedStepDraft::default();
        match &step.action {
            Action::Uninstall(selection) => self.uninstall(at, step, selection, &mut draft),
            Action::Install(targets) => self.install(at, step, targets, &mut draft),
            Action::Copy { files, to, .. } => self.copy(step, files, to, &mut draft),
            Action::Run { files, on } => {
                for file in files {
                    self.run(step, (&file.name, file.line), on, &mut draft);
                }
            }
            Action::Initialize { items, parameters } => {
                self.initialize(step, items, parameters, &mut draft)
            }
            Action::Service {
                verb,
                service,
                on,
                platform,
            } => {
                let found = self
                    .resolver
                    .service(step, service, on.as_ref(), platform.as_deref());
                let role = on
                    .as_ref()
                    .and_then(|on| self.snapshot.description.role(&on.role));
                for (service, server) in found
                    .into_iter()
                    .flat_map(|(id, on)| on.into_iter().map(move |s| (id, s)))
                {
                    self.service(step, *verb, (service, server), role, &mut draft);
                }
            }
            Action::Manual {
                instructions,
                undo,
                optional,
                on,
            } => {
                let role = on
                    .as_ref()
                    .and_then(|on| self.snapshot.description.role(&on.role));
                let mut servers = on
                    .as_ref()
                    .map(|on| self.resolver.servers(step, on))
                    .unwrap_or_default();
                servers.retain(|server| self.touches(*server, role.as_slice()));
                let name = |server: &ServerId| {
                    self.snapshot.description.servers[server.0].name.to_string()
                };
                let servers: Vec<String> = servers.iter().map(name).collect();
                let (instructions, undo, optional) =
                    (instructions.clone(), undo.clone(), *optional);
                // A run that catches up asks for nothing but its servers.
                draft.manual = (self.catch_up.is_none() || !servers.is_empty()).then_some({
                    ManualStep {
                        instructions,
                        undo,
                        optional,
                        servers,
                    }
                });
            }
        }
        if draft.operations.is_empty()
            && draft.nothing.is_empty()
            && draft.left_out.is_empty()
            && draft.manual.is_none()
        {
            let why = match self.catch_up {
                Some(_) => "nothing of it lags",
                None => "it selects no item, file or server of this deployment",
            };
            draft.add_unchanged(step.title.clone(), why);
        }
        let numbers = self.close_step(Some(&step.id));
        let swap = |(operation, placement): (Operation, usize)| Operation {
            swap: numbers[placement],
            ..operation
        };
        PlannedStep {
            id: step.id.clone(),
            title: step.title.clone(),
            action: step.action.keyword().to_owned(),
            line: step.line,
            operations: draft.operations.into_iter().map(swap).collect(),
            nothing: draft.nothing,
            left_out: draft.left_out,
            manual: draft.manual,
        }
    }

    fn rollup_identity(&self) -> (Kb, Version) {
        (
            self.manifest.rollup.kb,
            self.manifest.rollup.revision.clone(),
        )
    }

    fn instance_target(&self, instance: Instance, line: u32) -> OperationTarget {
        let site = &self.snapshot.description;
        OperationTarget {
            target: site.items[instance.item.0].name.to_string(),
            server: instance
                .server
                .map(|server| site.servers[server.0].name.to_string()),
            at: self.tree.actual(&site.directory(instance)),
            line,
        }
    }

    /// Loads the directory of an instance or program into the simulated tree, and returns its
    /// unmanaged entries.
    fn directory_object(&mut self, live: &RelPath, record: Option<&ItemRecord>) -> KeptEntries {
        self.inspect(live, FileKind::Directory);
        let mut managed: BTreeSet<CaseFolded> = [ItemDir(live).record().case_folded()].into();
        let files = record.and_then(|record| record.installed.as_ref());
        managed.extend(
            files
                .iter()
                .flat_map(|i| i.files.keys())
                .map(|file| ItemDir(live).file(file).case_folded()),
        );
        // Objects that an earlier step places there are not on disk yet.
        if self.tree.load(live, &managed) {
            self.warn_of_drift(live, record);
        }
        self.tree.kept(live)
    }

    /// Warns about managed files that are changed or missing. A changed file stays in the old
    /// object, which the run keeps.
    fn warn_of_drift(&mut self, live: &RelPath, record: Option<&ItemRecord>) {
        let Some(installed) = record.and_then(|record| record.installed.as_ref()) else {
            return;
        };
        for (file, recorded) in &installed.files {
            let at = self.snapshot.actual(&ItemDir(live).file(file));
            let Some(found) = self
                .snapshot
                .node(&at)
                .filter(|found| found.kind == FileKind::File)
            else {
                self.warnings.push(format!(
                    "`{at}` is missing, although `{}` was installed with it",
                    installed.product
                ));
                continue;
            };
            match self.snapshot.facts(&found.path) {
                Some(facts) if facts.sha256 != recorded.sha256 => self.warnings.push(format!(
                    "`{at}` was changed since `{}` was installed; the changed file stays in the run's directory",
                    installed.product
                )),
                _ => {}
            }
        }
    }

    /// Adds the unmanaged directories of the old object to the new one, and spells its paths like
    /// those of the old one.
    fn keep_unmanaged(&mut self, new: &mut Vec<NewEntry>, live: &RelPath, kept: &KeptEntries) {
        let old = self.tree.object(live);
        if let Err((managed, unmanaged)) = respell(new, &old, kept) {
            let message = format!(
                "the installer contains `{managed}`, which conflicts with the unmanaged `{unmanaged}`"
            );
            self.refuse(
                ReasonKind::NotReady,
                message,
                Some("move the unmanaged file or directory elsewhere first"),
            );
        }
    }

    /// Returns a payload file as a source, in the table's spelling.
    fn payload_file(&self, name: &str) -> Option<SourceFile> {
        let row = *self.rows.get(&CaseFolded::of(name))?;
        let facts = self
            .payload?
            .files
            .get(&row.name.case_folded())?
            .facts
            .as_ref()
            .ok()?;
        Some(SourceFile {
            at: SourceLocation::Payload {
                name: row.name.clone(),
            },
            size: facts.size,
            sha256: facts.sha256,
        })
    }
}
