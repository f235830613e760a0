//! Checks of the installers that are copied to the share against the items installed from there:
//! an item is installed from the file that is in the share at that step.

use super::draft::Draft;
use super::flow::{install_steps, selections_known};
use super::*;
use crate::deployment::description::{Description, ItemKind};
use crate::document::{Code, Reader, brief, some_of};

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
            run.extend(step.files.iter().map(|file| file.text.case_folded()));
            all_run_known &= !step.unreadable.files;
        }
    }
    let installed = install_steps(draft);
    for (at, step) in draft.steps.iter().enumerate() {
        if !matches!(step.to, Some(CopyTarget::Share)) {
            continue;
        }
        for file in &step.files {
            let Some(items) = from.get(&file.text.file_name().case_folded()) else {
                let is_run = run.contains(&file.text.case_folded());
                if all_run_known && file.text.is_msi() && !is_run {
                    unused_installer(reader, deployment, file);
                }
                continue;
            };
            let steps: Vec<_> = items
                .iter()
                .filter_map(|item| installed.get(item))
                .collect();
            if steps.iter().any(|(_, last)| *last >= at) {
                continue;
            }
            let names = some_of(items.iter().map(|item| deployment[*item].name.as_str()));
            let (code, message, help) = match steps.iter().map(|(first, _)| *first).min() {
                Some(first) => (
                    Code::CopiedTooLate,
                    format!(
                        "`{file}` is copied to the share only after {} installs {names} from it",
                        draft.steps[first].reference()
                    ),
                    "move the `copy` step above that step",
                ),
                None => (
                    Code::InstallerNotInstalled,
                    format!(
                        "`{file}` is copied to the share, but no later step installs {names} from it"
                    ),
                    "add the item to an `uninstall` and an `install` step, or do not copy the file",
                ),
            };
            reader.report(code, &file.span, message).help(help);
        }
    }
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

fn unused_installer(
    reader: &mut Reader<'_>,
    deployment: &Description,
    file: &Name<RowId, PayloadPath>,
) {
    let installers = deployment.items.iter().filter_map(|item| match &item.kind {
        ItemKind::Component { installer, .. } => Some(installer.as_str()),
        ItemKind::Procedure { .. } => None,
    });
    let near = reader.nearest(file.text.file_name().as_str(), installers);
    let message = format!(
        "no item of `{}` is installed from `{file}`",
        brief(&deployment.name)
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
    let selects = |step: &Step| matches!(step.verb, Some(Verb::Uninstall | Verb::Install));
    if draft
        .steps
        .iter()
        .any(|step| selects(step) && step.is_narrowed())
    {
        return;
    }
    let mut removed: BTreeSet<ItemId> = BTreeSet::new();
    for step in &draft.steps {
        let batch = match step.verb {
            Some(Verb::Uninstall) => {
                removed.extend(step.removes());
                continue;
            }
            Some(Verb::Install) => draft.installs(step, &removed),
            Some(Verb::Initialize) => Cow::Owned(step.item_ids().collect()),
            _ => continue,
        };
        for item in batch.iter().map(|item| &deployment[*item]) {
            let missing = item
                .requires
                .iter()
                .filter(|required| removed.contains(required) && !batch.contains(required));
            let missing: Vec<_> = missing
                .map(|required| deployment[*required].name.as_str())
                .collect();
            if !missing.is_empty() {
                let message = format!(
                    "`{}` requires {}, which an earlier step removed",
                    item.name,
                    some_of(missing.into_iter())
                );
                reader.report(Code::RequirementRemoved, &step.span, message).help("move this step below the one that installs the requirement, or install both in one step");
            }
        }
        for item in batch.iter() {
            removed.remove(item);
        }
    }
}
