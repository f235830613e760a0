//! `copy`: payload files into the share or to servers.

use super::{Draft, Place};
use crate::deployment::tree::FileKind;
use crate::manifest::{CopyFiles, CopyTarget, Step};
use crate::names::{CaseFolded, RelPath};
use crate::plan::planner::{Planner, Put, Shared};
use crate::plan::resolve::server_file;
use crate::plan::{NewEntry, NewWhat, OperationKind, Origin, TargetState, What};

impl Planner<'_> {
    pub(super) fn copy(
        &mut self,
        step: &Step,
        files: &CopyFiles,
        to: &CopyTarget,
        draft: &mut Draft,
    ) {
        let names: Vec<(String, u32)> = match files {
            CopyFiles::Named(names) => names
                .iter()
                .map(|listed| (listed.name.clone(), listed.line))
                .collect(),
            CopyFiles::Others { names, line } => {
                names.iter().map(|name| (name.to_string(), *line)).collect()
            }
        };
        match to {
            CopyTarget::Share => {
                for (name, line) in names {
                    let share = self.snapshot.description.share.to_string();
                    let Ok(at) = RelPath::parse(&format!("{share}/{name}")) else {
                        continue;
                    };
                    let place = Place {
                        target: name.clone(),
                        server: None,
                        at,
                        line,
                    };
                    let shared = self.copy_file(&name, place, draft);
                    self.share.insert(CaseFolded::of(&name), shared);
                }
            }
            CopyTarget::Servers { on, directory } => {
                for server in self.resolver.servers(step, on) {
                    for (name, line) in &names {
                        let site = &self.snapshot.description;
                        let Some(at) = server_file(site, server, directory.as_ref(), name) else {
                            continue;
                        };
                        let server = Some(site.servers[server.0].name.to_string());
                        let place = Place {
                            target: name.clone(),
                            server,
                            at,
                            line: *line,
                        };
                        self.copy_file(name, place, draft);
                    }
                }
            }
        }
    }

    /// Plans the copy of one payload file to one place, and returns what is there afterwards.
    pub(super) fn copy_file(
        &mut self,
        name: &str,
        mut place: Place,
        draft: &mut Draft,
    ) -> Option<Shared> {
        place.at = self.world.actual(&place.at);
        let live = place.at.clone();
        self.inspect(&live, FileKind::File);
        self.world.load(&live, &[live.case_folded()].into());
        let old = self.world.object(&live).into_iter().next();
        let before = match old.map(|entry| entry.what) {
            Some(What::File { size, sha256 }) => TargetState::File { size, sha256 },
            _ => TargetState::Nothing,
        };
        let kind = if before == TargetState::Nothing {
            OperationKind::Copy
        } else {
            OperationKind::Replace
        };
        let seen = if before == TargetState::Nothing {
            "not there"
        } else {
            "another file of this name"
        }
        .to_owned();
        let Some(shared) = self.payload_file(name) else {
            self.puts.push(Put {
                live,
                new: Vec::new(),
                unmanaged: Vec::new(),
            });
            draft.operation(
                kind,
                place,
                (before, TargetState::Unknown),
                seen,
                self.puts.len() - 1,
            );
            return None;
        };
        let after = TargetState::File {
            size: shared.size,
            sha256: shared.sha256,
        };
        if before == after {
            let at = place
                .server
                .map(|server| format!(" on {server}"))
                .unwrap_or_default();
            draft.idle(format!("{name}{at}"), "the same file is there");
            return Some(shared);
        }
        let source = self.source(&shared);
        let what = NewWhat::File {
            size: shared.size,
            sha256: shared.sha256,
            origin: Origin::Source(source),
        };
        self.puts.push(Put {
            live: live.clone(),
            new: vec![NewEntry { path: live, what }],
            unmanaged: Vec::new(),
        });
        draft.operation(kind, place, (before, after), seen, self.puts.len() - 1);
        Some(shared)
    }
}
