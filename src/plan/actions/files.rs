//! `copy`: payload files into the share or to servers.

use super::{OperationTarget, PlannedStepDraft};
use crate::deployment::tree::FileKind;
use crate::manifest::{CopyTarget, Listed, Step};
use crate::names::{CaseFolded, FileName, RelPath};
use crate::plan::planner::{Placement, Planner, SourceFile};
use crate::plan::resolve::server_file;
use crate::plan::{EntryKind, NewEntry, NewEntryKind, OperationKind, Origin, TargetState};

impl Planner<'_> {
    pub(super) fn copy(
        &mut self,
        step: &Step,
        files: &[Listed],
        to: &CopyTarget,
        draft: &mut PlannedStepDraft,
    ) {
        match to {
            CopyTarget::Share => {
                for Listed { name, line } in files {
                    let share = self.snapshot.description.share.to_string();
                    let Ok(at) = RelPath::parse(&format!("{share}/{name}")) else {
                        continue;
                    };
                    if !self.covers(&at, None) {
                        continue;
                    }
                    let operation_target = OperationTarget {
                        target: name.clone(),
                        server: None,
                        at,
                        line: *line,
                    };
                    let source_file = self.copy_file(name, operation_target, draft);
                    if let (Some(file), Ok(name)) = (&source_file, FileName::parse(name)) {
                        self.brought.share.insert(name, file.sha256);
                    }
                    self.share.insert(CaseFolded::of(name), source_file);
                }
            }
            CopyTarget::Servers { on, directory } => {
                let site = &self.snapshot.description;
                let role = site.role(&on.role);
                for server in self.resolver.servers(step, on) {
                    for Listed { name, line } in files {
                        let Some(at) = server_file(site, server, directory.as_ref(), name) else {
                            continue;
                        };
                        if !self.covers(&at, role.map(|role| (server, role))) {
                            continue;
                        }
                        let below = at.below(&site.files_directory(server));
                        let operation_target = OperationTarget {
                            target: name.clone(),
                            server: Some(site.servers[server.0].name.to_string()),
                            at,
                            line: *line,
                        };
                        let file = self.copy_file(name, operation_target, draft);
                        if let (Some(role), Some(below), Some(file)) = (role, below, file) {
                            self.brought.file((role, server), below, file.sha256);
                        }
                    }
                }
            }
        }
    }

    /// Plans the copy of a payload file to one path, and returns the file that is there afterwards.
    pub(super) fn copy_file(
        &mut self,
        name: &str,
        mut operation_target: OperationTarget,
        draft: &mut PlannedStepDraft,
    ) -> Option<SourceFile> {
        operation_target.at = self.tree.actual(&operation_target.at);
        let live = operation_target.at.clone();
        self.inspect(&live, FileKind::File);
        self.tree.load(&live, &[live.case_folded()].into());
        let old = self.tree.object(&live).into_iter().next();
        let before = match old.map(|entry| entry.kind) {
            Some(EntryKind::File { size, sha256 }) => TargetState::File { size, sha256 },
            _ => TargetState::Nothing,
        };
        let kind = if before == TargetState::Nothing {
            OperationKind::Copy
        } else {
            OperationKind::Replace
        };
        let seen = if before == TargetState::Nothing {
            "no such file"
        } else {
            "another file of this name"
        }
        .to_owned();
        let Some(source_file) = self.payload_file(name) else {
            self.placements.push(Placement {
                live,
                new: Vec::new(),
                unmanaged: Vec::new(),
            });
            draft.add_operation(
                kind,
                operation_target,
                (before, TargetState::Unknown),
                seen,
                self.placements.len() - 1,
            );
            return None;
        };
        let after = TargetState::File {
            size: source_file.size,
            sha256: source_file.sha256,
        };
        if before == after {
            let at = operation_target
                .server
                .map(|server| format!(" on {server}"))
                .unwrap_or_default();
            draft.add_unchanged(format!("{name}{at}"), "the same file is there");
            return Some(source_file);
        }
        let source = self.source(&source_file);
        let entry_kind = NewEntryKind::File {
            size: source_file.size,
            sha256: source_file.sha256,
            origin: Origin::Source(source),
        };
        self.placements.push(Placement {
            live: live.clone(),
            new: vec![NewEntry {
                path: live,
                kind: entry_kind,
            }],
            unmanaged: Vec::new(),
        });
        draft.add_operation(
            kind,
            operation_target,
            (before, after),
            seen,
            self.placements.len() - 1,
        );
        Some(source_file)
    }
}
