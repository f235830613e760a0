//! Checks across the steps: references, repetitions, and steps that cannot be rolled back.

use std::collections::BTreeMap;

use super::draft::*;
use super::{flow, services};
use crate::deployment::description::Description;
use crate::deployment::platforms;
use crate::document::{Code, Reader};
use crate::names::CaseFolded;

pub(super) fn check(reader: &mut Reader<'_>, draft: &mut Draft, deployment: Option<&Description>) {
    references(reader, draft);
    copied_repeatedly(reader, draft);
    manual_without_undo(reader, draft);
    flow::check(reader, draft, deployment);
    services::check(reader, draft, deployment);
    misspelled_platforms(reader, draft, deployment);
}

/// Checks platforms of steps and of the file table that are spelled almost like known ones.
fn misspelled_platforms(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    let known = platforms::known(deployment);
    let steps = draft.steps.iter().filter_map(|step| step.platform.as_ref());
    for platform in steps.chain(
        draft
            .payload
            .rows
            .iter()
            .filter_map(|row| row.platform.as_ref()),
    ) {
        platforms::check(reader, platform, &known);
    }
}

/// Reports a file that several steps copy to the same directory.
fn copied_repeatedly(reader: &mut Reader<'_>, draft: &Draft) {
    let mut destinations: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen: BTreeMap<(CaseFolded, usize), usize> = BTreeMap::new();
    for (at, step) in draft
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.verb == Some(Verb::Copy))
    {
        let destination = match &step.to {
            Some(CopyDestination::Share) => String::new(),
            Some(CopyDestination::Files) => format!("{}/", servers_of(step)),
            Some(CopyDestination::Directory(directory)) => {
                format!("{}/{}", servers_of(step), directory.case_folded().as_str())
            }
            None => continue,
        };
        let new = destinations.len();
        let destination = *destinations.entry(destination).or_insert(new);
        for file in &step.files {
            if let Some(first) = seen.insert((file.value.case_folded(), destination), at) {
                if first == at {
                    continue;
                }
                let first = step_reference(reader, &draft.steps[first]);
                let message = format!("{first} already copies `{}` there", file.value);
                reader
                    .report(Code::CopiedTwice, &file.span, message)
                    .help("remove it from one of the two steps");
            }
        }
    }
}

fn manual_without_undo(reader: &mut Reader<'_>, draft: &Draft) {
    let manual_steps = draft
        .steps
        .iter()
        .filter(|step| step.verb == Some(Verb::Manual) && !step.unreadable.undo);
    for step in manual_steps.filter(|step| step.undo.is_none()) {
        let message = match &step.id {
            Some(id) => format!(
                "the manual step `{}` cannot be rolled back: it has no `undo`",
                id.value
            ),
            None => "this manual step cannot be rolled back: it has no `undo`".to_owned(),
        };
        reader.report(Code::NoUndo, &step.span(), message).help("add instructions as `undo = \"…\"`; without them, a run is not rolled back past this step");
    }
}

/// Checks the references. A misspelled one counts as the nearest id, so that one mistake is
/// reported once.
fn references(reader: &mut Reader<'_>, draft: &mut Draft) {
    let ids = draft.steps.iter().enumerate();
    let ids: BTreeMap<CaseFolded, usize> = ids
        .filter_map(|(at, step)| Some((CaseFolded::of(&step.id.as_ref()?.value), at)))
        .collect();
    let has_nameless_step = draft.steps.iter().any(|step| step.id.is_none());
    let uninstalls = draft
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.verb == Some(Verb::Uninstall));
    let uninstalls: Vec<(usize, &str)> = uninstalls
        .filter_map(|(at, step)| Some((at, step.id.as_ref()?.value.as_str())))
        .collect();
    let (mut meant, mut unresolved) = (Vec::new(), Vec::new());
    for (at, step) in draft.steps.iter().enumerate() {
        let Some(reference) = step
            .removed_by
            .as_ref()
            .filter(|_| step.verb == Some(Verb::Install))
        else {
            continue;
        };
        let named = &reference.value;
        let message = match ids.get(&CaseFolded::of(named)) {
            // It may name the step whose id could not be read.
            None if has_nameless_step => {
                unresolved.push(at);
                continue;
            }
            None => format!("the manifest has no step `{named}`"),
            Some(&other) if other == at => {
                format!("the step `{named}` refers to itself")
            }
            Some(&other) if other > at => format!("the step `{named}` is below this one"),
            Some(&other) => match draft.steps[other].verb {
                Some(Verb::Uninstall) | None => continue,
                Some(_) => format!("the step `{named}` removes nothing"),
            },
        };
        let earlier = uninstalls
            .iter()
            .take_while(|(other, _)| *other < at)
            .map(|(_, id)| *id);
        let near = reader.nearest(named, earlier).map(str::to_owned);
        reader
            .report(Code::InvalidRemovedBy, &reference.span, message)
            .did_you_mean(near.as_deref())
            .help("name an `uninstall` step above this one");
        meant.extend(near.map(|near| (at, near)));
    }
    for at in unresolved {
        draft.steps[at].unreadable.targets = true;
    }
    for (at, near) in meant {
        draft.steps[at]
            .removed_by
            .iter_mut()
            .for_each(|reference| reference.value.clone_from(&near));
    }
}
