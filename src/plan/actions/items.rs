//! `uninstall` and `install`: batches of items.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::PlannedStepDraft;
use super::packages::PackageInstall;
use super::states::{item_state, seen_item};
use crate::deployment::description::{Instance, ItemKind};
use crate::deployment::records::{Installed, InstallerRecord, ItemRecord};
use crate::installer::Contents;
use crate::manifest::{InstallTargets, Selection, Step};
use crate::names::{CaseFolded, FileName};
use crate::plan::options::IncludeMissing;
use crate::plan::planner::{Package, Placement, Planner};
use crate::plan::refusal::{Reason, ReasonKind};
use crate::plan::resolve::StepTarget;
use crate::plan::swaps::directory_with_record;
use crate::plan::{OperationKind, TargetState};

impl Planner<'_> {
    pub(super) fn uninstall(
        &mut self,
        at: usize,
        step: &Step,
        selection: &Selection,
        draft: &mut PlannedStepDraft,
    ) {
        let mut targets = self.resolver.instances(step, selection, false);
        // Only the order of the items is reversed, not that of the servers of one item.
        targets.sort_by_key(|target| {
            (
                Reverse(self.resolver.rank(target.instance.item)),
                target.instance,
            )
        });
        for target in targets {
            self.uninstall_one(at, step, target, draft);
        }
    }

    pub(super) fn uninstall_one(
        &mut self,
        at: usize,
        step: &Step,
        target: StepTarget,
        draft: &mut PlannedStepDraft,
    ) {
        let site = &self.snapshot.description;
        let shown = site.shown(target.instance);
        let operation_target = self.instance_target(target.instance, target.line);
        if !self.covers_instance(target.instance) {
            return;
        }
        self.brought.instances.insert(target.instance);
        self.inspect_record(&operation_target.at);
        let Some(record) = self
            .item_now(target.instance)
            .filter(|record| record.state.is_installed())
            .cloned()
        else {
            self.absent_for
                .entry(CaseFolded::of(&step.id))
                .or_default()
                .push(target.instance);
            return draft.add_unchanged(shown, "it is not installed");
        };
        if let ItemKind::Component {
            removable: false, ..
        } = site.items[target.instance.item.0].kind
        {
            let message = format!(
                "step `{}` uninstalls `{shown}`, which may not be removed",
                step.id
            );
            return self.refuse(
                ReasonKind::NotReady,
                message,
                Some("`deployment.toml` has `removable = false` for it"),
            );
        }
        let kept = self.directory_object(&operation_target.at, Some(&record));
        let (kb, revision) = self.rollup_identity();
        let removed = ItemRecord::removed(kb, revision);
        let mut new = directory_with_record(&operation_target.at, removed.to_toml());
        self.keep_unmanaged(&mut new, &operation_target.at, &kept);
        self.placements.push(Placement {
            live: operation_target.at.clone(),
            new,
            unmanaged: kept.unmanaged,
        });
        let (before, after) = (item_state(Some(&record)), item_state(Some(&removed)));
        let seen = seen_item(Some(&record));
        draft.add_operation(
            OperationKind::Uninstall,
            operation_target,
            (before, after),
            seen,
            self.placements.len() - 1,
        );
        self.items.insert(target.instance, removed);
        self.absences
            .entry(target.instance)
            .or_default()
            .push((at, None));
        self.removed_by
            .entry(CaseFolded::of(&step.id))
            .or_default()
            .push(target.instance);
    }

    pub(super) fn install(
        &mut self,
        at: usize,
        step: &Step,
        targets: &InstallTargets,
        draft: &mut PlannedStepDraft,
    ) {
        let targets = match targets {
            InstallTargets::Chosen(selection) => self.resolver.instances(step, selection, false),
            InstallTargets::RemovedBy {
                step: removing,
                line,
            } => {
                let removing = CaseFolded::of(removing);
                let mut removed = self.removed_by.get(&removing).cloned().unwrap_or_default();
                for instance in self.absent_for.get(&removing).cloned().unwrap_or_default() {
                    match self.is_lagging(instance) {
                        true => removed.push(instance),
                        // The step restores what was removed: this one stays as it was.
                        false => drop(self.brought.instances.remove(&instance)),
                    }
                }
                let target = |instance| StepTarget {
                    instance,
                    line: *line,
                    by_group: false,
                };
                let mut targets: Vec<_> = removed.into_iter().map(target).collect();
                targets.sort_by_key(|target| {
                    (self.resolver.rank(target.instance.item), target.instance)
                });
                targets
            }
        };
        for target in targets {
            self.install_one(at, target, draft);
        }
    }

    pub(super) fn install_one(
        &mut self,
        at: usize,
        target: StepTarget,
        draft: &mut PlannedStepDraft,
    ) {
        let site = &self.snapshot.description;
        let shown = site.shown(target.instance);
        let operation_target = self.instance_target(target.instance, target.line);
        if !self.covers_instance(target.instance) {
            return;
        }
        self.inspect_record(&operation_target.at);
        let removed_here =
            self.absences.contains_key(&target.instance) || self.is_lagging(target.instance);
        let installed = self.installed_now(target.instance);
        if target.by_group && !removed_here {
            match installed {
                true => {
                    return draft
                        .add_unchanged(shown, "it is installed, and this run did not remove it");
                }
                false if self.options.include_missing == IncludeMissing::No => {
                    // A run that was closed in the state it was in may have removed it, and it was
                    // not installed again since.
                    if let Some(kb) = self.item_now(target.instance).and_then(|record| record.kb) {
                        self.warnings.push(format!(
                            "{shown} is not installed, because {kb} removed it, and this run leaves it out; `--include-missing` installs it"
                        ));
                    }
                    draft.left_out.push(shown);
                    self.brought.instances.remove(&target.instance);
                    return;
                }
                false => {}
            }
        }
        let ItemKind::Component {
            installer,
            product,
            features,
            ..
        } = &self.snapshot.description.items[target.instance.item.0].kind
        else {
            return;
        };
        self.brought.instances.insert(target.instance);
        let record = self.item_now(target.instance).cloned();
        let before = self
            .snapshot
            .item(target.instance)
            .and_then(|record| record.installed.clone());
        match self.package(installer) {
            Package::Missing => self.refuse(
                ReasonKind::Mismatch,
                format!("`{shown}` requires the installer `{installer}`, which is not in the share at this step"),
                Some("copy it to the share, by hand or in a `copy` step"),
            ),
            // A file of the payload that cannot be used was reported when the payload was compared.
            Package::Unusable(_) if self.share.contains_key(&installer.case_folded()) => {}
            Package::Unusable(why) => {
                let message = format!("`{installer}`, which `{shown}` is installed from, cannot be used: {why}");
                self.refuse(ReasonKind::Mismatch, message, None);
            }
            Package::Unknown => {
                self.placements.push(Placement { live: operation_target.at.clone(), new: Vec::new(), unmanaged: Vec::new() });
                let kind = if installed { OperationKind::Replace } else { OperationKind::Install };
                let states = (item_state(record.as_ref()), TargetState::Unknown);
                draft.add_operation(kind, operation_target, states, seen_item(record.as_ref()), self.placements.len() - 1);
            }
            Package::Known(contents, _) if contents.identity.product != *product => {
                self.refuse_product(installer, &shown, product, contents);
            }
            Package::Known(contents, source_file) => {
                let install = PackageInstall { contents, source_file, installer, features, before: before.as_ref(), record, shown };
                if let Some(record) = self.install_package(operation_target, install, OperationKind::Install, draft) {
                    return self.set_installed(at, target.instance, record);
                }
            }
        }
        // A refused install leaves a placeholder: otherwise the dependents of the item would be
        // reported, too, by a reason that hides the first one.
        if !self.installed_now(target.instance) {
            self.set_installed(at, target.instance, placeholder(product, installer));
        }
    }

    pub(super) fn set_installed(&mut self, at: usize, instance: Instance, record: ItemRecord) {
        self.items.insert(instance, record);
        if let Some((_, back)) = self
            .absences
            .get_mut(&instance)
            .and_then(|times| times.last_mut())
        {
            back.get_or_insert(at);
        }
    }

    pub(super) fn refuse_product(
        &mut self,
        installer: &FileName,
        shown: &str,
        product: &str,
        contents: &Contents,
    ) {
        let found = &contents.identity.product;
        let message =
            format!("`{installer}` should hold `{product}` for `{shown}`, but holds `{found}`");
        let owner = self
            .snapshot
            .description
            .items
            .iter()
            .find_map(|item| match &item.kind {
                ItemKind::Component {
                    installer, product, ..
                } if product == found => Some(installer),
                _ => None,
            });
        let help = owner.map(|owner| {
            format!("`{owner}` is the installer of `{found}`: the two files may be swapped")
        });
        self.reasons.push(Reason {
            kind: ReasonKind::Mismatch,
            message,
            help,
        });
    }
}

/// Returns a placeholder for the record of an installer whose contents are unknown; never written.
pub(super) fn placeholder(product: &str, installer: &FileName) -> ItemRecord {
    let unknown = Installed {
        product: product.to_owned(),
        version: "0".parse().expect("a version"),
        product_code: String::new(),
        upgrade_code: None,
        installer: InstallerRecord {
            name: installer.clone(),
            sha256: crate::names::Digest::of(b""),
        },
        features: Vec::new(),
        files: BTreeMap::new(),
    };
    ItemRecord::installed(None, unknown)
}
