//! Checks of the installers that are copied to the share against the items installed from there:
//! an item is installed from the file that is in the share at that step.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::draft::*;
use super::flow::{InstallSteps, selections_known};
use crate::deployment::description::{Description, ItemId, ItemKind};
use crate::document::{Code, Placed, Reader, brief, some_of};
use crate::names::{CaseFolded, FileName};

/// Checks the copies to the share. Every name of the steps must exist in the deployment.
pub(super) fn check(reader: &mut Reader<'_>, draft: &Draft, deployment: &Description) {
    // A step that could not be read may be the one that installs.
    if !selections_known(draft) {
        return;
    }
    missing_requirements(reader, draft, deployment);
    let from = items_by_installer(deployment);
    let mut run = BTreeSet::new();
    let mut all_run_known = true;
    for step in &draft.steps {
        if matches!(step.verb, Some(Verb::Run) | None) {
            run.extend(step.files.iter().map(|file| file.value.case_folded()));
            all_run_known &= !step.unreadable.files;
        }
    }
    let installed = InstallSteps::of(draft);
    for (at, step) in draft.steps.iter().enumerate() {
        if !matches!(step.to, Some(CopyDestination::Share)) {
            continue;
        }
        for file in copied(step) {
            let case_folded = file.value.case_folded();
            match from.get(&case_folded) {
                Some(items) => {
                    copied_installer(reader, draft, deployment, (at, &file), items, &installed)
                }
                None if all_run_known && file.value.is_msi() && !run.contains(&case_folded) => {
                    unused_installer(reader, deployment, &file)
                }
                None => {}
            }
        }
    }
}

/// Returns the files that a step copies, each with the span of a finding about it.
fn copied(step: &StepDraft) -> Vec<Placed<FileName>> {
    let others = step.others.iter().flat_map(|span| {
        step.other_names.iter().map(move |name| Placed {
            value: name.clone(),
            span: span.clone(),
        })
    });
    step.files.iter().cloned().chain(others).collect()
}

fn items_by_installer(deployment: &Description) -> BTreeMap<CaseFolded, Vec<ItemId>> {
    let mut from: BTreeMap<CaseFolded, Vec<ItemId>> = BTreeMap::new();
    for (at, item) in deployment.items.iter().enumerate() {
        if let ItemKind::Component { installer, .. } = &item.kind {
            from.entry(installer.case_folded())
                .or_default()
                .push(ItemId(at));
        }
    }
    from
}

/// Reports a new installer in the share if no later step installs its item.
fn copied_installer(
    reader: &mut Reader<'_>,
    draft: &Draft,
    deployment: &Description,
    (at, file): (usize, &Placed<FileName>),
    items: &[ItemId],
    installed: &InstallSteps,
) {
    if items.iter().any(|item| installed.last(*item) >= Some(at)) {
        return;
    }
    let names = some_of(
        items
            .iter()
            .map(|item| deployment.items[item.0].name.as_str()),
    );
    let installs = items.iter().filter_map(|item| installed.first(*item));
    if let Some(first_install) = installs.min() {
        let first_install = step_reference(reader, &draft.steps[first_install]);
        let message = format!(
            "`{}` is copied to the share only after {first_install} installs {names} from it",
            file.value
        );
        reader
            .report(Code::CopiedTooLate, &file.span, message)
            .help("move the `copy` step above that step");
        return;
    }
    let message = format!(
        "`{}` is copied to the share, but no later step installs {names} from it",
        file.value
    );
    reader
        .report(Code::InstallerNotInstalled, &file.span, message)
        .help("add the item to an `uninstall` and an `install` step, or do not copy the file");
}

fn unused_installer(reader: &mut Reader<'_>, deployment: &Description, file: &Placed<FileName>) {
    let installers = deployment.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Component { installer, .. } => Some(installer.as_str()),
        ItemKind::Procedure { .. } => None,
    });
    let near = reader.nearest(file.value.as_str(), installers);
    let message = format!(
        "no item of `{}` is installed from `{}`",
        brief(&deployment.name),
        file.value
    );
    reader
        .report(Code::InstallerOfNoItem, &file.span, message)
        .did_you_mean(near)
        .help("correct the name here, or the item's `installer` in `deployment.toml`");
}

/// Checks that the requirements of each item that is installed or run are present or in the same
/// batch.
fn missing_requirements(reader: &mut Reader<'_>, draft: &Draft, deployment: &Description) {
    // A step for only some servers proves nothing about the others.
    let narrowed = |step: &StepDraft| step.on.is_some() || step.platform.is_some();
    if draft
        .steps
        .iter()
        .any(|step| matches!(step.verb, Some(Verb::Uninstall | Verb::Install)) && narrowed(step))
    {
        return;
    }
    let ids = draft.steps_by_id();
    let mut removed: BTreeSet<ItemId> = BTreeSet::new();
    for step in &draft.steps {
        let batch = match step.verb {
            Some(Verb::Uninstall) => {
                removed.extend(step.removes());
                continue;
            }
            Some(Verb::Install) => draft.installs(step, &ids, &removed),
            Some(Verb::Initialize) => Cow::Owned(step.resolved.named().collect()),
            _ => continue,
        };
        for item in batch.iter().map(|item| &deployment.items[item.0]) {
            let missing = item
                .requires
                .iter()
                .filter(|required| removed.contains(required) && !batch.contains(required));
            let missing: Vec<_> = missing
                .map(|required| deployment.items[required.0].name.as_str())
                .collect();
            if !missing.is_empty() {
                let message = format!(
                    "`{}` requires {}, which an earlier step removed",
                    item.name,
                    some_of(missing.into_iter())
                );
                reader.report(Code::RequirementRemoved, &step.span(), message).help(
                    "move this step below the one that installs the requirement, or install both in one step",
                );
            }
        }
        for item in batch.iter() {
            removed.remove(item);
        }
    }
}
