//! Checks of the steps among each other: references, repetitions, and steps that cannot be undone.

use std::collections::BTreeMap;

use super::draft::*;
use super::{flow, services};
use crate::deployment::description::Description;
use crate::deployment::platforms;
use crate::document::{Code, Reader};
use crate::names::CaseFolded;

pub(super) fn check(reader: &mut Reader<'_>, draft: &mut Draft, deployment: Option<&Description>) {
    references(reader, draft);
    copied_twice(reader, draft);
    no_way_back(reader, draft);
    flow::check(reader, draft, deployment);
    services::check(reader, draft, deployment);
    odd_platforms(reader, draft, deployment);
}

/// Checks platforms of steps and of the file table that are spelled almost like known ones.
fn odd_platforms(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
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

/// Reports a file that several steps copy to one place.
fn copied_twice(reader: &mut Reader<'_>, draft: &Draft) {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen: BTreeMap<(CaseFolded, usize), usize> = BTreeMap::new();
    for (at, step) in draft
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.verb == Some(Verb::Copy))
    {
        let place = match &step.to {
            Some(To::Share) => String::new(),
            Some(To::Files) => format!("{}/", servers_of(step)),
            Some(To::Directory(directory)) => {
                format!("{}/{}", servers_of(step), directory.case_folded().as_str())
            }
            None => continue,
        };
        let new = places.len();
        let place = *places.entry(place).or_insert(new);
        for file in &step.files {
            if let Some(first) = seen.insert((file.value.case_folded(), place), at) {
                if first == at {
                    continue;
                }
                let first = told(reader, &draft.steps[first]);
                let message = format!("{first} copies `{}` to the same place already", file.value);
                let finding = reader
                    .findings
                    .add(Code::CopiedTwice, file.span.clone(), message);
                finding.help("remove it from one of the two steps");
            }
        }
    }
}

fn no_way_back(reader: &mut Reader<'_>, draft: &Draft) {
    let gates = draft
        .steps
        .iter()
        .filter(|step| step.verb == Some(Verb::Manual) && !step.torn.undo);
    for step in gates.filter(|step| step.undo.is_none()) {
        let message = match &step.id {
            Some(id) => format!(
                "nobody can take back the manual step `{}`: it has no `undo`",
                id.value
            ),
            None => "nobody can take back this manual step: it has no `undo`".to_owned(),
        };
        let finding = reader.findings.add(Code::NoWayBack, step.place(), message);
        finding.help("say how to take it back, `undo = \"…\"`; without it the run is not undone beyond this step");
    }
}

/// Checks the references. A misspelled one counts as what it may have meant, so that one mistake is
/// reported once.
fn references(reader: &mut Reader<'_>, draft: &mut Draft) {
    let ids = draft.steps.iter().enumerate();
    let ids: BTreeMap<CaseFolded, usize> = ids
        .filter_map(|(at, step)| Some((CaseFolded::of(&step.id.as_ref()?.value), at)))
        .collect();
    let nameless = draft.steps.iter().any(|step| step.id.is_none());
    let uninstalls = draft
        .steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.verb == Some(Verb::Uninstall));
    let uninstalls: Vec<(usize, &str)> = uninstalls
        .filter_map(|(at, step)| Some((at, step.id.as_ref()?.value.as_str())))
        .collect();
    let (mut meant, mut lost) = (Vec::new(), Vec::new());
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
            // It may be the step whose id could not be read.
            None if nameless => {
                lost.push(at);
                continue;
            }
            None => format!("there is no step `{named}`"),
            Some(&other) if other == at => {
                format!("the step `{named}` cannot put back what it removed itself")
            }
            Some(&other) if other > at => format!("the step `{named}` comes later"),
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
        let finding = reader
            .findings
            .add(Code::RemovedBy, reference.span.clone(), message);
        finding
            .did_you_mean(near.as_deref())
            .help("name an `uninstall` step above this one");
        meant.extend(near.map(|near| (at, near)));
    }
    for at in lost {
        draft.steps[at].torn.targets = true;
    }
    for (at, near) in meant {
        draft.steps[at]
            .removed_by
            .iter_mut()
            .for_each(|reference| reference.value.clone_from(&near));
    }
}
