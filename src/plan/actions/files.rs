//! `copy`: payload files into the share or to servers.

use super::{OperationTarget, StepDraft};
use crate::deployment::tree::FileKind;
use crate::manifest::{BoundFile, CopyPlace, RoleServers};
use crate::names::RelPath;
use crate::plan::brought::{BroughtPlace, PlaceOnRole, copied_file};
use crate::plan::interest::{server_file, share_file};
use crate::plan::planner::StepPlanner;
use crate::plan::simulated_state::SourceFile;
use crate::plan::{EntryKind, NewEntry, NewEntryKind, OperationKind, Origin, TargetState};

impl StepPlanner<'_> {
    pub(super) fn copy(&self, files: &[BoundFile], to: &CopyPlace, draft: &mut StepDraft) {
        match to {
            CopyPlace::Share => {
                for file in files {
                    self.copy_to_share(file, draft);
                }
            }
            CopyPlace::Servers(on, directory) => {
                self.copy_to_servers(files, on, directory.as_ref(), draft);
            }
        }
    }

    fn copy_to_share(&self, file: &BoundFile, draft: &mut StepDraft) {
        let name = file.name.file_name();
        let at = share_file(self.site(), &name);
        if !self.inputs.covers(&at, None) {
            return;
        }
        let source = self.copy_file(file, None, at, draft);
        if let Some(source) = &source {
            let place = BroughtPlace::Share(name.clone(), source.sha256);
            draft.brought.push(place);
        }
        draft.share.push((name.case_folded(), source));
    }

    fn copy_to_servers(
        &self,
        files: &[BoundFile],
        on: &RoleServers,
        directory: Option<&RelPath>,
        draft: &mut StepDraft,
    ) {
        for &server in &on.servers {
            for file in files {
                let at = server_file(self.site(), server, directory, &file.name.file_name());
                if !self.inputs.covers(&at, Some((server, on.role))) {
                    continue;
                }
                let below = at.below(&self.site().files_directory(server));
                let server_name = Some(self.server_name(server));
                let source = self.copy_file(file, server_name, at, draft);
                if let (Some(below), Some(source)) = (below, source) {
                    let place = PlaceOnRole::File(below, copied_file(source.sha256));
                    draft.brought.push(place.on(on.role, server));
                }
            }
        }
    }

    /// Plans the copy of a payload file to one path, and returns the file that is there afterwards.
    fn copy_file(
        &self,
        file: &BoundFile,
        server: Option<String>,
        at: RelPath,
        draft: &mut StepDraft,
    ) -> Option<SourceFile> {
        let at = self.state.tree.actual(&at);
        self.inspect(&at, FileKind::File, draft);
        let old = self.state.tree.object(&at, &[at.case_folded()].into());
        let before = match old.first().map(|entry| &entry.kind) {
            Some(&EntryKind::File { size, sha256 }) => TargetState::File { size, sha256 },
            _ => TargetState::Nothing,
        };
        let source = self.payload_file(file);
        let after = match &source {
            Some(source) => TargetState::File {
                size: source.size,
                sha256: source.sha256,
            },
            None => TargetState::Unknown,
        };
        if before == after {
            let on = server.map(|server| format!(" on {server}"));
            let target = format!("{}{}", file.name, on.unwrap_or_default());
            draft.add_unchanged(target, "the same file is there");
            return source;
        }
        let (kind, seen) = match before {
            TargetState::Nothing => (OperationKind::Copy, "no such file"),
            _ => (OperationKind::Replace, "another file of this name"),
        };
        let entry = source.clone().map(|source| NewEntry {
            path: at.clone(),
            kind: NewEntryKind::File {
                size: source.size,
                sha256: source.sha256,
                origin: Origin::Source(draft.sources.add(source)),
            },
        });
        let target = OperationTarget {
            target: file.name.to_string(),
            server,
            at,
            line: file.line,
            irreversible: None,
        };
        let operation = target.operation(kind, (before, after), seen);
        draft.add_file(operation, entry.into_iter().collect());
        source
    }
}
