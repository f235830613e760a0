//! Installation of a package to a directory, for an item or outside the console.

use std::collections::{BTreeMap, BTreeSet};

use super::states::{item_state, seen_item};
use super::{OperationTarget, PlannedStepDraft};
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{FileRecord, Installed, InstallerRecord, ItemRecord};
use crate::installer::{BesideFile, Contents, UnpackedFile};
use crate::manifest::{Servers, Step};
use crate::names::{CaseFolded, FileName, RelPath};
use crate::plan::options::Downgrade;
use crate::plan::planner::{Placement, Planner, SourceFile};
use crate::plan::refusal::ReasonKind;
use crate::plan::swaps::text_entry;
use crate::plan::{
    NewEntry, NewEntryKind, OperationKind, Origin, PackageMember, SourceLocation, TargetState,
};

impl Planner<'_> {
    /// Plans the installation of a package, and returns the new record; `None` if there is nothing
    /// to do, or if it is refused.
    pub(super) fn install_package(
        &mut self,
        operation_target: OperationTarget,
        install: PackageInstall<'_>,
        fresh: OperationKind,
        draft: &mut PlannedStepDraft,
    ) -> Option<ItemRecord> {
        let PackageInstall {
            contents,
            source_file,
            installer,
            features,
            before,
            record,
            shown,
        } = install;
        let installed = record.as_ref().filter(|record| record.state.is_installed());
        let now = installed.and_then(|record| record.installed.as_ref());
        if now.is_some_and(|now| is_same(now, contents, &source_file, features)) {
            draft.add_unchanged(
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
        if !self.install_directories.insert(operation_target.at.clone()) {
            let message = format!(
                "`{installer}` holds `{}`, which this step already installs to the same directory",
                contents.identity.product
            );
            self.refuse(
                ReasonKind::Mismatch,
                message,
                Some("remove one of the two packages from the step"),
            );
            return None;
        }
        let files = match contents.installed(features) {
            Ok(files) => files,
            Err(why) => {
                let message = format!("`{installer}` cannot be installed as `{shown}`: {why}");
                self.refuse(ReasonKind::Mismatch, message, None);
                return None;
            }
        };
        let source = self.installer_source(&source_file, contents, installer, fresh)?;
        let kept = self.directory_object(&operation_target.at, record.as_ref());
        let record_after = ItemRecord::installed(
            Some(self.rollup_identity()),
            Installed {
                features: features.to_vec(),
                files: files.iter().map(|file| file_record(file)).collect(),
                ..installed_from(contents, installer, &source_file)
            },
        );
        let mut new = package_entries(&operation_target.at, &files, source);
        new.push(text_entry(
            ItemDir(&operation_target.at).record(),
            record_after.to_toml(),
        ));
        self.keep_unmanaged(&mut new, &operation_target.at, &kept);
        self.placements.push(Placement {
            live: operation_target.at.clone(),
            new,
            unmanaged: kept.unmanaged,
        });
        let kind = if installed.is_some() {
            OperationKind::Replace
        } else {
            fresh
        };
        let states = (item_state(record.as_ref()), item_state(Some(&record_after)));
        draft.add_operation(
            kind,
            operation_target,
            states,
            seen_item(record.as_ref()),
            self.placements.len() - 1,
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
                "`{installer}` has the upgrade code {is}, and `{shown}` was installed with {before}: it is another product line"
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
                Some("`--allow-downgrade` installs it nevertheless"),
            );
            return false;
        }
        true
    }

    /// Adds an installer as a source, together with the files that must be beside it.
    pub(super) fn installer_source(
        &mut self,
        source_file: &SourceFile,
        contents: &Contents,
        installer: &FileName,
        used: OperationKind,
    ) -> Option<usize> {
        let mut beside = Vec::new();
        for file in &contents.beside {
            let found = self.beside_file(file, source_file, used);
            match found.filter(|found| found.sha256 == file.sha256) {
                Some(found) => beside.push(self.source(&found)),
                None => {
                    let message = format!(
                        "`{installer}` requires `{}` beside it, which is missing or different at this step",
                        file.path
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
        let source = self.source(source_file);
        self.beside(source, beside);
        Some(source)
    }

    /// Returns a file that belongs beside an installer: from the payload if the installer is run
    /// from there, else from the share at this step.
    pub(super) fn beside_file(
        &self,
        file: &BesideFile,
        installer: &SourceFile,
        used: OperationKind,
    ) -> Option<SourceFile> {
        let name = file.path.case_folded();
        if used == OperationKind::Run {
            return self.payload_file(file.path.as_str());
        }
        if let Some(source_file) = self.share.get(&name) {
            return source_file.clone();
        }
        match &installer.at {
            // It was read from the share together with the installer.
            SourceLocation::Share { .. } => {
                let path = self.snapshot.share_file(&name)?.path.clone();
                Some(SourceFile {
                    at: SourceLocation::Share { path },
                    size: file.size,
                    sha256: file.sha256,
                })
            }
            SourceLocation::Payload { .. } => None,
        }
    }

    pub(super) fn run(
        &mut self,
        step: &Step,
        (name, line): (&str, u32),
        on: &Servers,
        draft: &mut PlannedStepDraft,
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
        let role = self.snapshot.description.role(&on.role);
        for id in self.resolver.servers(step, on) {
            let server = self.snapshot.description.servers[id.0].name.to_string();
            let shown = format!("{name} on {server}");
            let (Some(contents), Some(source_file)) = (contents, self.payload_file(name)) else {
                if payload.is_none() && role.is_some_and(|role| self.touches(id, &[role])) {
                    let at = RelPath::parse(&format!("Servers/{server}/Programs"))
                        .expect("a checked name");
                    self.placements.push(Placement {
                        live: at.clone(),
                        new: Vec::new(),
                        unmanaged: Vec::new(),
                    });
                    let operation_target = OperationTarget {
                        target: name.to_owned(),
                        server: Some(server),
                        at,
                        line,
                    };
                    let states = (TargetState::Unknown, TargetState::Unknown);
                    let seen = "known only with a payload".to_owned();
                    draft.add_operation(
                        OperationKind::Run,
                        operation_target,
                        states,
                        seen,
                        self.placements.len() - 1,
                    );
                }
                continue;
            };
            let product = &contents.identity.product;
            if let Err(fault) = FileName::parse(product) {
                let message = format!(
                    "`{installer}` cannot be run: its product `{product}` is not a valid directory name: {fault}"
                );
                return self.refuse(ReasonKind::Mismatch, message, None);
            }
            let directory = RelPath::parse(&format!("Servers/{server}/Programs/{product}"))
                .expect("checked names");
            let at = self.tree.actual(&directory);
            if !self.covers(&at, role.map(|role| (id, role))) {
                continue;
            }
            let before = self
                .snapshot
                .program(&at)
                .and_then(|record| record.installed.clone());
            let record = self
                .programs
                .get(&at.case_folded())
                .or_else(|| self.snapshot.program(&at))
                .cloned();
            let operation_target = OperationTarget {
                target: product.clone(),
                server: Some(server),
                at: at.clone(),
                line,
            };
            let install = PackageInstall {
                contents,
                source_file,
                installer: &installer,
                features: &[],
                before: before.as_ref(),
                record,
                shown,
            };
            if let Some(record) =
                self.install_package(operation_target, install, OperationKind::Run, draft)
            {
                self.programs.insert(at.case_folded(), record);
            }
            let record = self
                .programs
                .get(&at.case_folded())
                .or_else(|| self.snapshot.program(&at));
            if let (Some(role), Some(record)) = (role, record) {
                self.brought.program((role, id), product, record);
            }
        }
    }
}

/// Installer, and the states that its installation replaces.
pub(super) struct PackageInstall<'a> {
    pub(super) contents: &'a Contents,
    pub(super) source_file: SourceFile,
    pub(super) installer: &'a FileName,
    /// Features to install although the package has them off, sorted.
    pub(super) features: &'a [String],
    /// Installation before the run.
    pub(super) before: Option<&'a Installed>,
    /// Record at this step.
    pub(super) record: Option<ItemRecord>,
    pub(super) shown: String,
}

pub(super) fn is_same(
    now: &Installed,
    contents: &Contents,
    source_file: &SourceFile,
    features: &[String],
) -> bool {
    now.product_code
        .eq_ignore_ascii_case(&contents.identity.product_code)
        && now.version == contents.identity.version
        && now.installer.sha256 == source_file.sha256
        && now.features == features
}

pub(super) fn installed_from(
    contents: &Contents,
    installer: &FileName,
    source_file: &SourceFile,
) -> Installed {
    Installed {
        product: contents.identity.product.clone(),
        version: contents.identity.version.clone(),
        product_code: contents.identity.product_code.clone(),
        upgrade_code: contents.identity.upgrade_code.clone(),
        installer: InstallerRecord {
            name: installer.clone(),
            sha256: source_file.sha256,
        },
        features: Vec::new(),
        files: BTreeMap::new(),
    }
}

fn file_record(file: &UnpackedFile) -> (RelPath, FileRecord) {
    let record = FileRecord {
        size: file.file.size,
        sha256: file.sha256,
    };
    (file.file.path.clone(), record)
}

/// Returns the entries of an installed package, below an instance's directory.
pub(super) fn package_entries(
    live: &RelPath,
    files: &[&UnpackedFile],
    source: usize,
) -> Vec<NewEntry> {
    let mut directories: BTreeSet<RelPath> = [live.clone()].into();
    let mut new = Vec::new();
    for file in files {
        let at = ItemDir(live).file(&file.file.path);
        directories.extend(
            at.ancestors()
                .filter(|directory| directory.below(live).is_some()),
        );
        let origin = Origin::Member(PackageMember {
            source,
            key: file.file.key.clone(),
        });
        new.push(NewEntry {
            path: at,
            kind: NewEntryKind::File {
                size: file.file.size,
                sha256: file.sha256,
                origin,
            },
        });
    }
    // An installed item has a directory for its files, even if its package contains none.
    directories.insert(ItemDir(live).files());
    new.extend(directories.into_iter().map(|path| NewEntry {
        path,
        kind: NewEntryKind::Directory,
    }));
    new
}
