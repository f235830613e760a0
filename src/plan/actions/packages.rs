//! Files that an installer brings to a directory, for an item or outside the console.

use std::collections::BTreeSet;

use super::states::{item_state, seen_item};
use super::{Draft, Place};
use crate::deployment::records::{FileRecord, Installed, InstallerRecord, ItemRecord};
use crate::deployment::snapshot::in_files;
use crate::deployment::tree::path;
use crate::installer::{Contents, ExternalCabinet};
use crate::manifest::{Servers, Step};
use crate::names::{CaseFolded, FileName, RelPath};
use crate::plan::options::Downgrade;
use crate::plan::planner::{Planner, Put, Shared};
use crate::plan::refusal::ReasonKind;
use crate::plan::swaps::text_entry;
use crate::plan::{Member, NewEntry, NewWhat, OperationKind, Origin, SourceAt, TargetState};

impl Planner<'_> {
    /// Plans the files that an installer brings to a directory, and returns the record it leaves;
    /// `None` if there is nothing to do, or if it is refused.
    pub(super) fn lay_down(
        &mut self,
        place: Place,
        come: Coming<'_>,
        fresh: OperationKind,
        draft: &mut Draft,
    ) -> Option<ItemRecord> {
        let Coming {
            contents,
            shared,
            installer,
            before,
            record,
            shown,
        } = come;
        let installed = record.as_ref().filter(|record| record.state.is_installed());
        let now = installed.and_then(|record| record.installed.as_ref());
        if now.is_some_and(|now| is_same(now, contents, &shared)) {
            draft.idle(
                shown,
                format!(
                    "version {} of the same package is installed",
                    contents.identity.version
                ),
            );
            return None;
        }
        if before.is_some_and(|before| !self.may_replace(before, contents, installer, &shown)) {
            return None;
        }
        if !self.laid_down.insert(place.at.clone()) {
            let message = format!(
                "`{installer}` holds `{}`, which this step brings to the same place already",
                contents.identity.product
            );
            self.refuse(
                ReasonKind::Mismatch,
                message,
                Some("take one of the two packages out of the step"),
            );
            return None;
        }
        let source = self.installer_source(&shared, contents, installer, fresh)?;
        let kept = self.directory_object(&place.at, record.as_ref());
        let record_after = ItemRecord::installed(
            Some(self.brought()),
            installed_from(contents, installer, &shared),
        );
        let mut new = laid_down(&place.at, contents, source);
        new.push(text_entry(
            place.at.with(&path("state.toml")),
            record_after.to_toml(),
        ));
        self.take_along(&mut new, &place.at, &kept);
        self.puts.push(Put {
            live: place.at.clone(),
            new,
            unmanaged: kept.unmanaged,
        });
        let kind = if installed.is_some() {
            OperationKind::Replace
        } else {
            fresh
        };
        let sides = (item_state(record.as_ref()), item_state(Some(&record_after)));
        draft.operation(
            kind,
            place,
            sides,
            seen_item(record.as_ref()),
            self.puts.len() - 1,
        );
        Some(record_after)
    }

    /// Refuses another product line, and an older version unless that is allowed.
    pub(super) fn may_replace(
        &mut self,
        before: &Installed,
        contents: &Contents,
        installer: &FileName,
        shown: &str,
    ) -> bool {
        let after = &contents.identity;
        if let (Some(before), Some(is)) = (&before.upgrade_code, &after.upgrade_code)
            && !before.eq_ignore_ascii_case(is)
        {
            let message = format!(
                "`{installer}` has the upgrade code {is}, `{shown}` was installed with {before}: it is another product line"
            );
            self.refuse(ReasonKind::Mismatch, message, None);
            return false;
        }
        if after.version < before.version && self.options.downgrade == Downgrade::Refuse {
            let message = format!(
                "`{installer}` has version {} of `{shown}`, which is older than the installed {}",
                after.version, before.version
            );
            self.refuse(
                ReasonKind::NotReady,
                message,
                Some("`--allow-downgrade` installs it all the same"),
            );
            return false;
        }
        true
    }

    /// Adds an installer as a source, together with the cabinets that must be beside it.
    pub(super) fn installer_source(
        &mut self,
        shared: &Shared,
        contents: &Contents,
        installer: &FileName,
        used: OperationKind,
    ) -> Option<usize> {
        let mut beside = Vec::new();
        for cabinet in &contents.external_cabinets {
            let found = self.cabinet(cabinet, shared, used);
            match found.filter(|found| found.sha256 == cabinet.sha256) {
                Some(found) => beside.push(self.source(&found)),
                None => {
                    let message = format!(
                        "`{installer}` needs the cabinet `{}` beside it, which this step would not find",
                        cabinet.name
                    );
                    self.refuse(
                        ReasonKind::Mismatch,
                        message,
                        Some("let the step that copies the installer copy it too"),
                    );
                    return None;
                }
            }
        }
        let source = self.source(shared);
        self.beside(source, beside);
        Some(source)
    }

    /// Returns a cabinet that belongs beside an installer: from the share at this step or, for what
    /// is run from the payload, from the payload.
    pub(super) fn cabinet(
        &self,
        cabinet: &ExternalCabinet,
        installer: &Shared,
        used: OperationKind,
    ) -> Option<Shared> {
        let name = &cabinet.name;
        if used == OperationKind::Run {
            return self.payload_file(name.as_str());
        }
        if let Some(shared) = self.share.get(&name.case_folded()) {
            return shared.clone();
        }
        match &installer.at {
            // It was read from the share together with the installer.
            SourceAt::Share { .. } => {
                let path = self.snapshot.share_file(&name.case_folded())?.path.clone();
                Some(Shared {
                    at: SourceAt::Share { path },
                    size: cabinet.size,
                    sha256: cabinet.sha256,
                })
            }
            SourceAt::Payload { .. } => None,
        }
    }

    pub(super) fn run(
        &mut self,
        step: &Step,
        (name, line): (&str, u32),
        on: &Servers,
        draft: &mut Draft,
    ) {
        let Some(&row) = self.rows.get(&CaseFolded::of(name)) else {
            return;
        };
        let installer = row.name.clone();
        let payload = self.payload;
        let contents = payload.and_then(|payload| {
            payload
                .files
                .get(&installer.case_folded())?
                .package
                .as_ref()
                .ok()
        });
        for server in self.resolver.servers(step, on) {
            let server = self.snapshot.description.servers[server.0].name.to_string();
            let shown = format!("{name} on {server}");
            let (Some(contents), Some(shared)) = (contents, self.payload_file(name)) else {
                if payload.is_none() {
                    let at = RelPath::parse(&format!("Servers/{server}/Programs"))
                        .expect("a checked name");
                    self.puts.push(Put {
                        live: at.clone(),
                        new: Vec::new(),
                        unmanaged: Vec::new(),
                    });
                    let place = Place {
                        target: name.to_owned(),
                        server: Some(server),
                        at,
                        line,
                    };
                    let sides = (TargetState::Unknown, TargetState::Unknown);
                    let seen = "known only with a payload".to_owned();
                    draft.operation(OperationKind::Run, place, sides, seen, self.puts.len() - 1);
                }
                continue;
            };
            let product = &contents.identity.product;
            if let Err(fault) = FileName::parse(product) {
                let message = format!(
                    "`{installer}` cannot be run: its product `{product}` is no directory name: {fault}"
                );
                return self.refuse(ReasonKind::Mismatch, message, None);
            }
            let directory = RelPath::parse(&format!("Servers/{server}/Programs/{product}"))
                .expect("checked names");
            let at = self.world.actual(&directory);
            let before = self
                .snapshot
                .program(&at)
                .and_then(|record| record.installed.clone());
            let record = self
                .programs
                .get(&at.case_folded())
                .or_else(|| self.snapshot.program(&at))
                .cloned();
            let place = Place {
                target: product.clone(),
                server: Some(server),
                at: at.clone(),
                line,
            };
            let come = Coming {
                contents,
                shared,
                installer: &installer,
                before: before.as_ref(),
                record,
                shown,
            };
            if let Some(record) = self.lay_down(place, come, OperationKind::Run, draft) {
                self.programs.insert(at.case_folded(), record);
            }
        }
    }
}

/// Installer that is about to be installed from.
pub(super) struct Coming<'a> {
    pub(super) contents: &'a Contents,
    pub(super) shared: Shared,
    pub(super) installer: &'a FileName,
    /// Installation that was there before the run.
    pub(super) before: Option<&'a Installed>,
    /// Record that is there at this step.
    pub(super) record: Option<ItemRecord>,
    pub(super) shown: String,
}

pub(super) fn is_same(now: &Installed, contents: &Contents, shared: &Shared) -> bool {
    now.product_code
        .eq_ignore_ascii_case(&contents.identity.product_code)
        && now.version == contents.identity.version
        && now.installer.sha256 == shared.sha256
}

pub(super) fn installed_from(
    contents: &Contents,
    installer: &FileName,
    shared: &Shared,
) -> Installed {
    let file = |file: &crate::installer::UnpackedFile| {
        (
            file.path.clone(),
            FileRecord {
                size: file.size,
                sha256: file.sha256,
            },
        )
    };
    Installed {
        product: contents.identity.product.clone(),
        version: contents.identity.version.clone(),
        product_code: contents.identity.product_code.clone(),
        upgrade_code: contents.identity.upgrade_code.clone(),
        installer: InstallerRecord {
            name: installer.clone(),
            sha256: shared.sha256,
        },
        files: contents.files.iter().map(file).collect(),
    }
}

/// Returns the directories and files of an installer below an instance's directory.
pub(super) fn laid_down(live: &RelPath, contents: &Contents, source: usize) -> Vec<NewEntry> {
    let mut directories: BTreeSet<RelPath> = [live.clone()].into();
    let mut new = Vec::new();
    for file in &contents.files {
        let at = in_files(live, &file.path);
        directories.extend(
            at.ancestors()
                .filter(|directory| directory.below(live).is_some()),
        );
        let origin = Origin::Member(Member {
            source,
            path: file.path.clone(),
        });
        new.push(NewEntry {
            path: at,
            what: NewWhat::File {
                size: file.size,
                sha256: file.sha256,
                origin,
            },
        });
    }
    // An installed item has a directory for its files, even if its package brings none.
    directories.insert(live.with(&path("files")));
    new.extend(directories.into_iter().map(|path| NewEntry {
        path,
        what: NewWhat::Directory,
    }));
    new
}
