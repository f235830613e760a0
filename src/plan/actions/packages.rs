//! Installation of a package to a directory, for an item or outside the console.

use std::collections::BTreeSet;

use super::states::{item_state, seen_item};
use super::{OperationTarget, StepDraft};
use crate::deployment::description::ServerId;
use crate::deployment::item_dir::ItemDir;
use crate::deployment::records::{
    FileRecord, Installed, InstallerRecord, ItemRecord, PackageRecord,
};
use crate::installer::{BesideFile, Contents, UnpackedFile};
use crate::manifest::{BoundFile, RoleServers};
use crate::names::{FileName, RelPath, Version};
use crate::plan::brought::{PlaceOnRole, brought_item};
use crate::plan::options::Downgrade;
use crate::plan::planner::StepPlanner;
use crate::plan::refusal::{Reason, ReasonKind};
use crate::plan::simulated_state::SourceFile;
use crate::plan::swaps::text_entry;
use crate::plan::{
    NewEntry, NewEntryKind, OperationKind, Origin, PackageMember, SourceLocation, TargetState,
};

/// Installer, and the states that its installation replaces.
pub(super) struct PackageInstall<'a> {
    pub(super) contents: &'a Contents,
    pub(super) file: SourceFile,
    pub(super) installer: &'a FileName,
    /// Features to install although the package has them off, sorted.
    pub(super) features: &'a [String],
    /// Installation before the run.
    pub(super) before: Option<&'a Installed>,
    /// Record at this step.
    pub(super) record: Option<&'a ItemRecord>,
    pub(super) shown: String,
}

impl StepPlanner<'_> {
    /// Plans the installation of a package, and returns the new record; `None` if there is nothing
    /// to do, or if it is refused.
    pub(super) fn install_package(
        &self,
        target: OperationTarget,
        install: PackageInstall<'_>,
        fresh: OperationKind,
        draft: &mut StepDraft,
    ) -> Option<ItemRecord> {
        let identity = &install.contents.identity;
        let installed = install.record.filter(|record| record.state.is_installed());
        let now = installed.and_then(|record| record.installed.as_ref());
        if now.is_some_and(|now| install.is_same(now) && !self.has_drift(&target.at, now)) {
            let version = &identity.version;
            let why = format!("version {version} of the same package is installed");
            draft.add_unchanged(install.shown, why);
            return None;
        }
        if let Err(reason) = self.check_replaceable(&install, &target.at, draft) {
            draft.reasons.push(reason);
            return None;
        }
        let files = match install.files() {
            Ok(files) => files,
            Err(reason) => {
                // For a file of the payload, it was reported when the payload was compared.
                if let SourceLocation::Share { .. } = install.file.at {
                    draft.reasons.push(reason);
                }
                return None;
            }
        };
        let source = match self.installer_source(&install, fresh, draft) {
            Ok(source) => source,
            Err(reason) => {
                draft.reasons.push(reason);
                return None;
            }
        };
        let installed_after = install.installed(&files);
        let after = ItemRecord::installed(Some(self.inputs.rollup_identity()), installed_after);
        let mut new = package_entries(&target.at, &files, source);
        let record = ItemDir(&target.at).record();
        new.push(text_entry(record, after.to_toml()));
        let kind = if installed.is_some() {
            OperationKind::Replace
        } else {
            fresh
        };
        let states = (item_state(install.record), item_state(Some(&after)));
        let operation = target.operation(kind, states, seen_item(install.record));
        self.replace_directory(operation, install.record, new, draft);
        Some(after)
    }

    /// Refuses another product line, an older version unless that is allowed, and two packages in
    /// one directory.
    fn check_replaceable(
        &self,
        install: &PackageInstall<'_>,
        directory: &RelPath,
        draft: &StepDraft,
    ) -> Result<(), Reason> {
        let PackageInstall {
            installer, shown, ..
        } = install;
        let after = &install.contents.identity;
        // An earlier step of the run may have stored a package of another kind.
        let now = install.record.and_then(|record| record.installed.as_ref());
        if now.is_some_and(|now| matches!(now.package, PackageRecord::Opaque { .. })) {
            return Err(other_kind(installer, shown));
        }
        if let Some(before) = install.before {
            let PackageRecord::Msi { upgrade_code, .. } = &before.package else {
                return Err(other_kind(installer, shown));
            };
            if let (Some(before), Some(is)) = (upgrade_code, &after.upgrade_code)
                && !before.eq_ignore_ascii_case(is)
            {
                let message = format!(
                    "`{installer}` has the upgrade code {is}, and `{shown}` was installed with {before}: it is another product line"
                );
                return Err(Reason::new(ReasonKind::Mismatch, message));
            }
            self.check_version(installer, shown, before, Some(&after.version))?;
        }
        if draft.programs.contains_key(&directory.case_folded()) {
            let file = match &install.file.at {
                SourceLocation::Payload { name } => name.as_str(),
                SourceLocation::Share { .. } => installer.as_str(),
            };
            let message = format!(
                "`{file}` holds `{}`, which this step already installs to the same directory",
                after.product
            );
            return Err(Reason::new(ReasonKind::Mismatch, message)
                .help("remove one of the two packages from the step"));
        }
        Ok(())
    }

    /// Refuses an older version than the installed one, unless that is allowed or one is not known.
    pub(super) fn check_version(
        &self,
        installer: &FileName,
        shown: &str,
        before: &Installed,
        after: Option<&Version>,
    ) -> Result<(), Reason> {
        let (Some(before), Some(after)) = (&before.version, after) else {
            return Ok(());
        };
        if after >= before || self.inputs.options.downgrade == Downgrade::Allow {
            return Ok(());
        }
        let message = format!(
            "`{installer}` has version {after} of `{shown}`, which is older than the installed {before}"
        );
        Err(Reason::new(ReasonKind::NotReady, message)
            .help("`--allow-downgrade` installs it nevertheless"))
    }

    /// Adds an installer as a source, together with the files that must be beside it.
    fn installer_source(
        &self,
        install: &PackageInstall<'_>,
        used: OperationKind,
        draft: &mut StepDraft,
    ) -> Result<usize, Reason> {
        let mut beside = Vec::new();
        for file in &install.contents.beside {
            let found = self.beside_file(file, &install.file, used);
            let Some(found) = found.filter(|found| found.sha256 == file.sha256) else {
                let message = format!(
                    "`{}` requires `{}` beside it, which is missing or different at this step",
                    install.installer, file.path
                );
                return Err(Reason::new(ReasonKind::Mismatch, message)
                    .help("let the step that copies the installer copy it too"));
            };
            beside.push(draft.sources.add(found));
        }
        let source = draft.sources.add(install.file.clone());
        draft.sources.list[source].beside = beside;
        Ok(source)
    }

    /// Returns a file that belongs beside an installer: from the payload if the installer is run
    /// from there, else from the share at this step.
    fn beside_file(
        &self,
        file: &BesideFile,
        installer: &SourceFile,
        used: OperationKind,
    ) -> Option<SourceFile> {
        if let (OperationKind::Run, SourceLocation::Payload { name }) = (used, &installer.at) {
            let beside = name.beside(&file.path).case_folded();
            let mut rows = self.inputs.bound.manifest.files.iter();
            let row = rows.find(|row| row.name.case_folded() == beside)?;
            return self.payload_source(&row.name);
        }
        let name = file.path.case_folded();
        if let Some(copied) = self.state.share.get(&name) {
            return copied.clone();
        }
        match &installer.at {
            // It was read from the share together with the installer.
            SourceLocation::Share { .. } => {
                let path = self.inputs.snapshot.share_file(&name)?.path.clone();
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
        &self,
        file: &BoundFile,
        on: &RoleServers,
        features: &[String],
        draft: &mut StepDraft,
    ) {
        let installer = &self.inputs.bound.manifest.files[file.row.0].name;
        let payload = self.inputs.payload;
        let fact = payload.and_then(|payload| payload.files.get(&installer.case_folded()));
        let contents = fact.and_then(|fact| fact.package.as_ref().ok());
        let (Some(contents), Some(source)) = (contents, self.payload_source(installer)) else {
            if payload.is_none() {
                self.run_unknown(file, on, draft);
            }
            return;
        };
        let file_name = installer.file_name();
        let product = &contents.identity.product;
        if let Err(fault) = FileName::parse(product) {
            if !on.servers.is_empty() {
                let message = format!(
                    "`{installer}` cannot be run: its product `{product}` is not a valid directory name: {fault}"
                );
                draft
                    .reasons
                    .push(Reason::new(ReasonKind::Mismatch, message));
            }
            return;
        }
        for &server in &on.servers {
            let directory = self.programs(server).join(product).expect("a checked name");
            let at = self.state.tree.actual(&directory);
            if !self.inputs.covers(&at, Some((server, on.role))) {
                continue;
            }
            let key = at.case_folded();
            let ran = draft.programs.get(&key).cloned();
            let record = ran.as_ref().or_else(|| self.state.program(&at));
            let before = self.inputs.snapshot.program(&at);
            let install = PackageInstall {
                contents,
                file: source.clone(),
                installer: &file_name,
                features,
                before: before.and_then(|record| record.installed.as_ref()),
                record,
                shown: format!("{} on {}", file.name, self.site()[server].name),
            };
            let target = OperationTarget {
                target: product.clone(),
                server: Some(self.server_name(server)),
                at,
                line: file.line,
                irreversible: None,
            };
            let installed = self.install_package(target, install, OperationKind::Run, draft);
            if let Some(record) = installed.as_ref().or(record) {
                let place = PlaceOnRole::Program(product.clone(), brought_item(Some(record)));
                draft.brought.push(place.on(on.role, server));
            }
            draft.programs.extend(installed.map(|record| (key, record)));
        }
    }

    /// Plans to run a package whose product is not known without a payload.
    fn run_unknown(&self, file: &BoundFile, on: &RoleServers, draft: &mut StepDraft) {
        for &server in &on.servers {
            if self.inputs.touches(server, [on.role]) {
                let target = OperationTarget {
                    target: file.name.to_string(),
                    server: Some(self.server_name(server)),
                    at: self.programs(server),
                    line: file.line,
                    irreversible: None,
                };
                let states = (TargetState::Unknown, TargetState::Unknown);
                let seen = "known only with a payload";
                draft.add_file(
                    target.operation(OperationKind::Run, states, seen),
                    Vec::new(),
                );
            }
        }
    }

    /// Returns the directory of the programs of a server.
    pub(super) fn programs(&self, server: ServerId) -> RelPath {
        let directory = format!("Servers/{}/Programs", self.site()[server].name);
        RelPath::parse(&directory).expect("a checked name")
    }
}

/// Returns the reason why a package does not replace one of another kind.
pub(super) fn other_kind(installer: &FileName, shown: &str) -> Reason {
    let message = format!(
        "`{installer}` would replace `{shown}`, which was installed from a package of another kind"
    );
    Reason::new(ReasonKind::Mismatch, message).help("give it another `program`")
}

impl PackageInstall<'_> {
    fn is_same(&self, now: &Installed) -> bool {
        let identity = &self.contents.identity;
        let PackageRecord::Msi {
            product_code,
            features,
            ..
        } = &now.package
        else {
            return false;
        };
        product_code.eq_ignore_ascii_case(&identity.product_code)
            && now.version.as_ref() == Some(&identity.version)
            && now.installer.sha256 == self.file.sha256
            && features == self.features
    }

    /// Returns the files that are installed.
    fn files(&self) -> Result<Vec<&UnpackedFile>, Reason> {
        self.contents.installed(self.features).map_err(|why| {
            let (installer, shown) = (self.installer, &self.shown);
            let message = format!("`{installer}` cannot be installed as `{shown}`: {why}");
            Reason::new(ReasonKind::Mismatch, message)
        })
    }

    fn installed(&self, files: &[&UnpackedFile]) -> Installed {
        let identity = &self.contents.identity;
        let files = files.iter().map(|file| {
            let record = FileRecord {
                size: file.file.size,
                sha256: file.sha256,
            };
            (file.file.path.clone(), record)
        });
        Installed {
            product: identity.product.clone(),
            version: Some(identity.version.clone()),
            package: PackageRecord::Msi {
                product_code: identity.product_code.clone(),
                upgrade_code: identity.upgrade_code.clone(),
                features: self.features.to_vec(),
            },
            installer: InstallerRecord {
                name: self.installer.clone(),
                sha256: self.file.sha256,
            },
            files: files.collect(),
        }
    }
}

/// Returns the entries of an installed package, below an instance's directory.
fn package_entries(live: &RelPath, files: &[&UnpackedFile], source: usize) -> Vec<NewEntry> {
    let mut directories: BTreeSet<RelPath> = [live.clone()].into();
    let mut new = Vec::new();
    for file in files {
        let at = ItemDir(live).file(&file.file.path);
        let above = at.ancestors();
        directories.extend(above.filter(|directory| directory.below(live).is_some()));
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
