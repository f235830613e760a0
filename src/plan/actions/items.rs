//! `uninstall` and `install`: batches of items.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::packages::PackageInstall;
use super::states::{item_state, seen_item};
use super::{OperationTarget, StepDraft};
use crate::deployment::description::ItemKind;
use crate::deployment::records::{Installed, InstallerRecord, ItemRecord, PackageRecord};
use crate::installer::Contents;
use crate::manifest::{BoundStepId, StepTarget};
use crate::names::{Digest, FileName};
use crate::plan::brought::BroughtPlace;
use crate::plan::inspect::inspect_record;
use crate::plan::options::IncludeMissing;
use crate::plan::planner::{Package, StepPlanner};
use crate::plan::refusal::{Reason, ReasonKind};
use crate::plan::swaps::directory_with_record;
use crate::plan::{OperationKind, TargetState};

impl StepPlanner<'_> {
    pub(super) fn uninstall(&self, targets: &[StepTarget], draft: &mut StepDraft) {
        let mut targets = targets.to_vec();
        // Only the order of the items is reversed, not that of the servers of one item.
        targets.sort_by_key(|target| {
            let rank = self.inputs.bound.rank(target.instance.item);
            (Reverse(rank), target.instance)
        });
        for target in targets {
            self.uninstall_one(target, draft);
        }
    }

    fn uninstall_one(&self, StepTarget { instance, line, .. }: StepTarget, draft: &mut StepDraft) {
        if !self.inputs.covers_instance(instance) {
            return;
        }
        let target = self.instance_target(instance, line);
        draft.brought.push(BroughtPlace::Instance(instance));
        let reasons = inspect_record(self.inputs.snapshot, &target.at);
        draft.reasons.extend(reasons);
        let record = self.state.item(instance);
        let Some(record) = record.filter(|record| record.state.is_installed()) else {
            draft.absent.push(instance);
            return draft.add_unchanged(self.site().shown(instance), "it is not installed");
        };
        let (kb, revision) = self.inputs.rollup_identity();
        let removed = ItemRecord::removed(kb, revision);
        let new = directory_with_record(&target.at, removed.to_toml());
        let states = (item_state(Some(record)), item_state(Some(&removed)));
        let operation = target.operation(OperationKind::Uninstall, states, seen_item(Some(record)));
        self.replace_directory(operation, Some(record), new, draft);
        draft.items.push((instance, removed));
    }

    /// Installs what an earlier step removed, and what it found lagging.
    pub(super) fn reinstall(&self, removed_by: BoundStepId, line: u32, draft: &mut StepDraft) {
        let removals = &self.state.removals[removed_by.0];
        let mut instances = removals.removed.clone();
        for &instance in &removals.absent {
            if self.inputs.is_lagging(instance) {
                instances.push(instance);
            } else {
                // The step restores what was removed: this one stays as it was.
                draft.not_brought.push(instance);
            }
        }
        instances.sort_by_key(|instance| (self.inputs.bound.rank(instance.item), *instance));
        for instance in instances {
            let target = StepTarget {
                instance,
                line,
                by_group: false,
            };
            self.install(target, draft);
        }
    }

    pub(super) fn install(&self, target: StepTarget, draft: &mut StepDraft) {
        let instance = target.instance;
        if !self.inputs.covers_instance(instance) {
            return;
        }
        let operation_target = self.instance_target(instance, target.line);
        let reasons = inspect_record(self.inputs.snapshot, &operation_target.at);
        draft.reasons.extend(reasons);
        if target.by_group && self.stays(target, draft) {
            return;
        }
        let ItemKind::Component {
            installer,
            product,
            features,
            ..
        } = &self.site()[instance.item].kind
        else {
            return;
        };
        draft.brought.push(BroughtPlace::Instance(instance));
        let item = (installer, product.as_str(), &features[..]);
        let installed = self.install_from(item, target, operation_target, draft);
        // A refused install leaves a placeholder: otherwise the dependents of the item would be
        // reported, too, by a reason that hides the first one.
        let left = || (!self.state.is_installed(instance)).then(|| placeholder(product, installer));
        let record = installed.or_else(left);
        draft.items.extend(record.map(|record| (instance, record)));
    }

    /// Returns whether a member of a group is left as it is, because this run did not remove it.
    fn stays(&self, StepTarget { instance, .. }: StepTarget, draft: &mut StepDraft) -> bool {
        if self.state.absences.contains_key(&instance) || self.inputs.is_lagging(instance) {
            return false;
        }
        let shown = self.site().shown(instance);
        if self.state.is_installed(instance) {
            draft.add_unchanged(shown, "it is installed, and this run did not remove it");
            return true;
        }
        if self.inputs.options.include_missing == IncludeMissing::Yes {
            return false;
        }
        // A run that was closed in the state it was in may have removed it, and it was not installed
        // again since.
        if let Some(kb) = self.state.item(instance).and_then(|record| record.kb) {
            draft.warnings.push(format!(
                "{shown} is not installed, because {kb} removed it, and this run leaves it out; `--include-missing` installs it"
            ));
        }
        draft.left_out.push(shown);
        draft.not_brought.push(instance);
        true
    }

    /// Plans the installation of an item from its installer in the share, and returns the new record;
    /// `None` if there is nothing to do, or if it is refused.
    fn install_from(
        &self,
        (installer, product, features): (&FileName, &str, &[String]),
        StepTarget { instance, .. }: StepTarget,
        target: OperationTarget,
        draft: &mut StepDraft,
    ) -> Option<ItemRecord> {
        let shown = self.site().shown(instance);
        let record = self.state.item(instance);
        match self.package(installer) {
            Package::Missing => draft.refuse(
                ReasonKind::Mismatch,
                format!("`{shown}` requires the installer `{installer}`, which is not in the share at this step"),
                "copy it to the share, by hand or in a `copy` step",
            ),
            // A file of the payload that cannot be used was reported when the payload was compared.
            Package::Unusable(_) if self.state.share.contains_key(&installer.case_folded()) => {}
            Package::Unusable(why) => {
                let message = format!("`{installer}`, which `{shown}` is installed from, cannot be used: {why}");
                draft.reasons.push(Reason::new(ReasonKind::Mismatch, message));
            }
            Package::Unknown => {
                let kind = match self.state.is_installed(instance) {
                    true => OperationKind::Replace,
                    false => OperationKind::Install,
                };
                let states = (item_state(record), TargetState::Unknown);
                draft.add_file(target.operation(kind, states, seen_item(record)), Vec::new());
            }
            Package::Known(contents, _) if contents.identity.product != *product => {
                draft.reasons.push(self.other_product(installer, &shown, product, contents));
            }
            Package::Known(contents, file) => {
                let before = self.inputs.snapshot.item(instance);
                let before = before.and_then(|record| record.installed.as_ref());
                let install = PackageInstall { contents, file, installer, features, before, record, shown };
                return self.install_package(target, install, OperationKind::Install, draft);
            }
        }
        None
    }

    fn other_product(
        &self,
        installer: &FileName,
        shown: &str,
        product: &str,
        contents: &Contents,
    ) -> Reason {
        let found = &contents.identity.product;
        let message =
            format!("`{installer}` should hold `{product}` for `{shown}`, but holds `{found}`");
        let items = self.site().items.iter();
        let owner = items.filter_map(|item| match &item.kind {
            ItemKind::Component {
                installer, product, ..
            } if product == found => Some(installer),
            _ => None,
        });
        let help = owner.map(|owner| {
            format!("`{owner}` is the installer of `{found}`: the two files may be swapped")
        });
        Reason {
            kind: ReasonKind::Mismatch,
            message,
            help: help.into_iter().next(),
        }
    }
}

/// Returns a placeholder for the record of an installer whose contents are unknown; never written.
fn placeholder(product: &str, installer: &FileName) -> ItemRecord {
    let unknown = Installed {
        product: product.to_owned(),
        version: None,
        package: PackageRecord::Msi {
            product_code: String::new(),
            upgrade_code: None,
            features: Vec::new(),
        },
        installer: InstallerRecord {
            name: installer.clone(),
            sha256: Digest::of(b""),
        },
        files: BTreeMap::new(),
    };
    ItemRecord::installed(None, unknown)
}
