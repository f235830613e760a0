//! Checks across the steps: references, repetitions, and steps that cannot be rolled back.

use super::draft::Draft;
use super::shapes::OPAQUE;
use super::*;
use crate::deployment::description::Description;
use crate::deployment::platforms;
use crate::document::{Code, Reader};

pub(super) fn check(reader: &mut Reader<'_>, draft: &mut Draft, deployment: Option<&Description>) {
    references(reader, draft);
    copied_repeatedly(reader, draft);
    stored_together(reader, draft);
    without_undo(reader, draft);
    flow::check(reader, draft, deployment);
    services::check(reader, draft);
    misspelled_platforms(reader, draft, deployment);
}

/// Checks platforms of steps and of the file table that are spelled almost like known ones.
fn misspelled_platforms(reader: &mut Reader<'_>, draft: &Draft, deployment: Option<&Description>) {
    let known = platforms::known(deployment);
    let steps = draft.steps.iter().map(|step| &step.platform);
    let rows = draft.payload.rows.iter().map(|row| &row.platform);
    for platform in steps.chain(rows).flatten() {
        platforms::check(reader, platform, &known);
    }
}

/// Reports a file that several steps copy to the same directory, and files that would replace each
/// other there because their names are equal without their directories.
fn copied_repeatedly(reader: &mut Reader<'_>, draft: &Draft) {
    let mut destinations: BTreeMap<String, BTreeMap<CaseFolded, (usize, &PayloadPath)>> =
        BTreeMap::new();
    for (at, step) in draft.steps.iter().enumerate() {
        let destination = match &step.to {
            _ if step.verb != Some(Verb::Copy) => continue,
            Some(CopyTarget::Share) => String::new(),
            Some(CopyTarget::Servers(directory)) => {
                let directory = directory.as_ref().map_or(".", RelPath::as_str);
                let directory = CaseFolded::of(directory);
                format!("{}/{}", draft.servers(step), directory.as_str())
            }
            None => continue,
        };
        let copied_by = destinations.entry(destination).or_default();
        for file in &step.files {
            let copied_as = file.text.file_name().case_folded();
            let Some((first, other)) = copied_by.insert(copied_as, (at, &file.text)) else {
                continue;
            };
            if other.case_folded() != file.text.case_folded() {
                let fault = Fault::CopiedOver {
                    file: file.text.to_string(),
                    other: other.to_string(),
                    copied_by: match first == at {
                        true => "this step".to_owned(),
                        false => draft.steps[first].reference(),
                    },
                    server: None,
                };
                against::report(reader, &file.problem(fault), None);
            } else if first != at {
                let first = draft.steps[first].reference();
                let message = format!("{first} already copies `{file}` there");
                reader
                    .report(Code::CopiedTwice, &file.span, message)
                    .help("remove it from one of the two steps");
            }
        }
    }
}

/// Reports the packages of one `run` step that rollup cannot open and would store in one directory,
/// because their names are equal without their directories.
fn stored_together(reader: &mut Reader<'_>, draft: &Draft) {
    for step in draft
        .steps
        .iter()
        .filter(|step| step.verb == Some(Verb::Run))
    {
        let mut stored: BTreeMap<CaseFolded, &PayloadPath> = BTreeMap::new();
        for file in step
            .files
            .iter()
            .filter(|file| file.text.has_extension(OPAQUE))
        {
            let (name, path) = (file.text.file_name().case_folded(), &file.text);
            if let Some(other) = stored.insert(name, path)
                && other.case_folded() != path.case_folded()
            {
                let message = format!("`{path}` would be stored in the directory of `{other}`");
                reader
                    .report(Code::CopiedOver, &file.span, message)
                    .help("write a step for each file, with a `program` of its own");
            }
        }
    }
}

/// Reports the steps that no rollback passes: manual ones and opaque packages without instructions.
fn without_undo(reader: &mut Reader<'_>, draft: &Draft) {
    for step in &draft.steps {
        if step.undo.is_some() || step.unreadable.undo || step.irreversible.is_some() {
            continue;
        }
        let mut files = step.files.iter();
        let opaque = files.find(|file| file.text.has_extension(OPAQUE));
        let subject = match (step.verb, opaque) {
            (Some(Verb::Manual), _) if step.id.is_empty() => "this manual step".to_owned(),
            (Some(Verb::Manual), _) => format!("the manual step `{}`", step.id),
            (Some(Verb::Run), Some(file)) => format!("`{file}`"),
            _ => continue,
        };
        let message = format!("{subject} cannot be rolled back: the step has no `undo`");
        reader.report(Code::NoUndo, &step.span, message).help("add instructions as `undo = \"…\"`; without them, a run is not rolled back past this step");
    }
}

/// Checks the references, and gives them the spelling of their steps. A misspelled one counts as the nearest id, so that one mistake is
/// reported once.
fn references(reader: &mut Reader<'_>, draft: &mut Draft) {
    let ids = draft.steps_by_id();
    let has_nameless_step = draft.steps.iter().any(|step| step.id.is_empty());
    for at in 0..draft.steps.len() {
        let (earlier, rest) = draft.steps.split_at_mut(at);
        let step = &mut rest[0];
        let (Some(Verb::Install), Some(reference)) = (step.verb, &mut step.removed_by) else {
            continue;
        };
        let named = &reference.text;
        let known = ids.get(&CaseFolded::of(named)).copied();
        reference.id = known.map(StepId);
        let message = match known {
            // It may name the step whose id could not be read.
            None if has_nameless_step => {
                step.unreadable.targets = true;
                continue;
            }
            None => format!("the manifest has no step `{named}`"),
            Some(other) if other == at => format!("the step `{named}` refers to itself"),
            Some(other) if other > at => format!("the step `{named}` is below this one"),
            Some(other) if earlier[other].within != step.within => {
                format!("the step `{named}` is not in the same `each-server` step")
            }
            Some(other) if matches!(earlier[other].verb, Some(Verb::Uninstall) | None) => {
                reference.text.clone_from(&earlier[other].id);
                continue;
            }
            Some(_) => format!("the step `{named}` removes nothing"),
        };
        let within = step.within;
        let uninstalls = earlier.iter().filter(|step| {
            step.verb == Some(Verb::Uninstall) && !step.id.is_empty() && step.within == within
        });
        let near = reader.nearest(named, uninstalls.map(|step| step.id.as_str()));
        let help = match within {
            None => "name an `uninstall` step above this one",
            Some(_) => "name an `uninstall` step above this one, in the same `each-server` step",
        };
        reader
            .report(Code::InvalidRemovedBy, &reference.span, message)
            .did_you_mean(near.clone())
            .help(help);
        if let Some(near) = near {
            reference.id = ids.get(&CaseFolded::of(&near.name)).copied().map(StepId);
            reference.text = near.name;
        }
    }
}
