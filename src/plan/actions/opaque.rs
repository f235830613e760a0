//! `run` of packages that rollup cannot open: they are stored and recorded, and never executed.

use super::packages::other_kind;
use super::states::{item_state, seen_item};
use super::{OperationTarget, StepDraft};
use crate::deployment::description::ServerId;
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{
    FileRecord, Installed, InstallerRecord, ItemRecord, PackageRecord,
};
use crate::manifest::{BoundFile, OpaquePackage, RoleServers};
use crate::names::{FileName, RelPath, Version};
use crate::plan::brought::{PlaceOnRole, brought_item};
use crate::plan::planner::StepPlanner;
use crate::plan::refusal::{Reason, ReasonKind};
use crate::plan::simulated_state::SourceFile;
use crate::plan::swaps::text_entry;
use crate::plan::{NewEntry, NewEntryKind, OperationKind, Origin, TargetState};

/// Reason why a package without `undo` cannot be rolled back.
const WITHOUT_UNDO: &str =
    "rollup cannot open the package, and the manifest has no `undo` instructions for it";

/// Opaque package on one server.
struct OpaqueInstall<'a> {
    /// Name of the file in the file table.
    file: &'a FileName,
    /// Name of the directory below `Programs`.
    program: &'a FileName,
    source: SourceFile,
    version: Option<Version>,
    arguments: Option<String>,
}

impl StepPlanner<'_> {
    pub(super) fn run_opaque(
        &self,
        file: &BoundFile,
        on: &RoleServers,
        opaque: &OpaquePackage,
        draft: &mut StepDraft,
    ) {
        let row = &self.inputs.bound.manifest.files[file.row.0].name;
        let (file_name, program) = (row.file_name(), file.name.file_name());
        let program = opaque.program.as_ref().unwrap_or(&program);
        let payload = self.inputs.payload;
        let fact = payload.and_then(|payload| payload.files.get(&row.case_folded()));
        let install = self.payload_source(row).map(|source| OpaqueInstall {
            file: &file_name,
            program,
            source,
            version: fact.and_then(|fact| fact.program_version()),
            arguments: opaque.arguments.clone(),
        });
        // A file that is missing was reported when the payload was compared.
        if install.is_none() && payload.is_some() {
            return;
        }
        let before = draft.changes.len();
        for &server in &on.servers {
            let directory = self.programs(server).join(program.as_str());
            let at = self.state.tree.actual(&directory.expect("a checked name"));
            if !self.inputs.covers(&at, Some((server, on.role))) {
                continue;
            }
            let target = OperationTarget {
                target: program.to_string(),
                server: Some(self.server_name(server)),
                at,
                line: file.line,
                irreversible: opaque.undo.is_none().then(|| WITHOUT_UNDO.to_owned()),
            };
            let Some(install) = &install else {
                let states = (TargetState::Unknown, TargetState::Unknown);
                let seen = "known only with a payload";
                let operation = target.operation(OperationKind::Store, states, seen);
                draft.add_file(operation, Vec::new());
                continue;
            };
            if let Some(record) = self.store(install, target, server, draft) {
                let name = install.program.to_string();
                let place = PlaceOnRole::Program(name, brought_item(Some(&record)));
                draft.brought.push(place.on(on.role, server));
            }
        }
        if draft.changes.len() > before {
            draft.undo.clone_from(&opaque.undo);
            draft.arguments.clone_from(&opaque.arguments);
        }
    }

    /// Plans to store a package on a server, and returns the record afterwards; `None` if it is refused.
    fn store(
        &self,
        install: &OpaqueInstall<'_>,
        target: OperationTarget,
        server: ServerId,
        draft: &mut StepDraft,
    ) -> Option<ItemRecord> {
        let shown = format!("{} on {}", install.program, self.site()[server].name);
        let key = target.at.case_folded();
        if draft.programs.contains_key(&key) {
            let message = format!(
                "`{}` and another file of this step have the directory `{}`",
                install.file, target.at
            );
            let help = "write a step for each file, with a `program` of its own";
            draft.refuse(ReasonKind::Mismatch, message, help);
            return None;
        }
        let record = self.state.program(&target.at).cloned();
        let is_installed = record
            .as_ref()
            .is_some_and(|record| record.state.is_installed());
        let now = record.as_ref().and_then(|record| record.installed.as_ref());
        if let Some(now) = now.filter(|_| is_installed) {
            if install.is_same(now) && !self.has_drift(&target.at, now) {
                draft.add_unchanged(shown, "the same package is there, with the same arguments");
                return record;
            }
            if let Err(reason) = self.check_opaque(install, &shown, now) {
                draft.reasons.push(reason);
                return None;
            }
        }
        let after = ItemRecord::installed(Some(self.inputs.rollup_identity()), install.installed());
        let source = draft.sources.add(install.source.clone());
        let mut new = install.entries(&target.at, source);
        new.push(text_entry(ItemDir(&target.at).record(), after.to_toml()));
        let kind = match is_installed {
            true => OperationKind::Replace,
            false => OperationKind::Store,
        };
        let states = (item_state(record.as_ref()), item_state(Some(&after)));
        let operation = target.operation(kind, states, seen_item(record.as_ref()));
        self.replace_directory(operation, record.as_ref(), new, draft);
        draft.programs.insert(key, after.clone());
        Some(after)
    }

    /// Refuses to replace a package of another kind, or a newer one.
    fn check_opaque(
        &self,
        install: &OpaqueInstall<'_>,
        shown: &str,
        now: &Installed,
    ) -> Result<(), Reason> {
        match now.package {
            PackageRecord::Msi { .. } => Err(other_kind(install.file, shown)),
            PackageRecord::Opaque { .. } => {
                self.check_version(install.file, shown, now, install.version.as_ref())
            }
        }
    }
}

impl OpaqueInstall<'_> {
    fn package(&self) -> PackageRecord {
        PackageRecord::Opaque {
            arguments: self.arguments.clone(),
        }
    }

    fn is_same(&self, now: &Installed) -> bool {
        now.package == self.package() && now.installer.sha256 == self.source.sha256
    }

    fn installed(&self) -> Installed {
        let record = FileRecord {
            size: self.source.size,
            sha256: self.source.sha256,
        };
        let path = RelPath::parse(self.file.as_str()).expect("a checked name");
        Installed {
            product: self.program.to_string(),
            version: self.version.clone(),
            package: self.package(),
            installer: InstallerRecord {
                name: self.file.clone(),
                sha256: self.source.sha256,
            },
            files: [(path, record)].into(),
        }
    }

    /// Returns the entries of the package below its directory, without the record.
    fn entries(&self, at: &RelPath, source: usize) -> Vec<NewEntry> {
        let name = RelPath::parse(self.file.as_str()).expect("a checked name");
        let directory = |path| NewEntry {
            path,
            kind: NewEntryKind::Directory,
        };
        vec![
            directory(at.clone()),
            directory(ItemDir(at).files()),
            NewEntry {
                path: ItemDir(at).file(&name),
                kind: NewEntryKind::File {
                    size: self.source.size,
                    sha256: self.source.sha256,
                    origin: Origin::Source(source),
                },
            },
        ]
    }
}
