//! Reading the steps: what they do, and to what.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ServiceVerb;
use super::super::draft::{StepDraft, To, Verb};
use super::shapes::STEP;
use super::{checked_id, duplicate, needs};
use crate::document::{Case, Code, Placed, Reader, Rule, Span, Table, brief, listed};
use crate::names::{FileName, Folded, RelPath};

pub(super) fn step(reader: &mut Reader<'_>, table: &Table<'_>) -> StepDraft {
    let before = reader.findings.errors();
    let id = reader.text(table, "id");
    let id = id.and_then(|id| checked_id(reader, id));
    let title = reader.text(table, "title").map(|title| title.value);
    let case = action(reader, table);
    let verb = case.and_then(|case| verb(case.name));
    let on = reader.text(table, "on");
    let mut draft = StepDraft {
        header: table.span(),
        id,
        title,
        verb,
        items: items(reader, table),
        groups: groups(reader, table),
        removed_by: reader.text(table, "removed_by"),
        files: files(reader, table),
        others: others(reader, table),
        other_names: Vec::new(),
        to: None,
        parameters: parameters(reader, table),
        service: reader.text(table, "service"),
        platform: reader.text(table, "platform").map(|platform| platform.value),
        on,
        instructions: reader.text(table, "instructions").map(|text| text.value),
        undo: reader.text(table, "undo").map(|text| text.value),
        optional: reader.flag(table, "optional").is_some_and(|optional| optional.value),
        torn_files: false,
        torn: false,
    };
    draft.torn_files = match table.has("files") {
        true => draft.others.is_some() || reader.list_length(table, "files") != Some(draft.files.len()),
        // A step that should have files and names none may have meant any.
        false => !table.is_clean() || (matches!(verb, Some(Verb::Copy | Verb::Run)) && draft.others.is_none()),
    };
    draft.to = to(reader, table, &draft);
    // What is missing was told before, when the table was opened.
    let lacking = STEP.named().iter().any(|key| key.required.is_some() && !table.has(key.name));
    draft.torn = reader.findings.errors() > before || !table.is_clean() || lacking;
    for rule in case.map_or(&[][..], |case| case.rules) {
        obey(reader, table, &draft, rule);
    }
    draft
}

/// The action, and a finding for each key that it does not have.
fn action(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<&'static Case> {
    let action = reader.text(table, "action")?;
    let actions = || STEP.cases().iter().map(|case| case.name);
    let Some(case) = STEP.case(&action.value) else {
        let near = reader.nearest(&action.value, actions()).map(str::to_owned);
        let message = format!("there is no action `{}`", action.value);
        let finding = reader.findings.add(Code::BadValue, action.span, message);
        finding.did_you_mean(near.as_deref()).help(format!("the actions are {}", listed(actions())));
        return None;
    };
    for key in table.keys().into_iter().filter(|key| STEP.takes(key.value)) {
        if !STEP.goes_with(case, key.value) {
            let takers = STEP.cases().iter().filter(|case| case.keys.contains(&key.value)).map(|case| case.name);
            let message = format!("a step that does `{}` has no `{}`", case.name, key.value);
            let help = format!("`{}` belongs to {}", key.value, listed(takers));
            reader.findings.add(Code::Unfitting, key.span, message).help(help);
        }
    }
    Some(case)
}

fn verb(action: &str) -> Option<Verb> {
    Some(match action {
        "uninstall" => Verb::Uninstall,
        "install" => Verb::Install,
        "copy" => Verb::Copy,
        "run" => Verb::Run,
        "initialize" => Verb::Initialize,
        "start" => Verb::Service(ServiceVerb::Start),
        "stop" => Verb::Service(ServiceVerb::Stop),
        "restart" => Verb::Service(ServiceVerb::Restart),
        "enable" => Verb::Service(ServiceVerb::Enable),
        "disable" => Verb::Service(ServiceVerb::Disable),
        "manual" => Verb::Manual,
        _ => return None,
    })
}

/// What an action cannot do without, and what it cannot have together.
fn obey(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, rule: &Rule) {
    match *rule {
        Rule::Needs(..) | Rule::With(..) => needs(reader, table, rule),
        Rule::Targets(keys) => one_of(reader, table, draft, keys),
        Rule::Alone(key, others) => {
            let other = others.iter().find(|other| table.has(other));
            other.into_iter().for_each(|other| exclusive(reader, table, key, other));
        }
        Rule::Packages(_) => packages_only(reader, draft),
        // It was told where the place was read.
        Rule::Place(..) => {}
    }
}

fn one_of(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, keys: &[&str]) {
    let present = keys.iter().filter(|key| table.has(key)).count();
    let chosen = !draft.items.is_empty() || !draft.groups.is_empty() || !draft.files.is_empty();
    let other = draft.removed_by.is_some() || draft.others.is_some() || draft.service.is_some();
    // A target that could not be read has its finding already.
    if chosen || other || (present > 0 && draft.torn) || !table.is_clean() {
        return;
    }
    let keys = keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(" or ");
    let message = format!("the step `{}` has no targets", draft.name());
    reader.findings.add(Code::NoTargets, draft.place(), message).help(format!("give it {keys}"));
}

fn exclusive(reader: &mut Reader<'_>, table: &Table<'_>, one: &str, other: &str) {
    if let (Some(span), true) = (table.key(one), table.has(other)) {
        let message = format!("`{one}` and `{other}` exclude each other");
        reader.findings.add(Code::Contradiction, span, message).help("keep one of them");
    }
}

fn packages_only(reader: &mut Reader<'_>, draft: &StepDraft) {
    for file in draft.files.iter().filter(|file| !file.value.is_msi()) {
        let message = format!("`{}` is no installer package, and nothing else is ever run", file.value);
        let finding = reader.findings.add(Code::NotAPackage, file.span.clone(), message);
        finding.help("describe it in a `manual` step");
    }
}

fn items(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<(Placed<String>, Vec<Placed<String>>)> {
    let Some(groups) = reader.table(table, "items") else { return Vec::new() };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    for key in groups.keys() {
        let names = unique_texts(reader, &groups, key.value);
        let group = Placed { value: key.value.to_owned(), span: key.span };
        let Some(path) = reader.parsed(group.clone(), Code::BadName, RelPath::parse) else { continue };
        if !seen.insert(path.value.folded()) {
            duplicate(reader, group.span.clone(), format!("`items` has the group `{}` twice", group.value));
        }
        found.push((group, names));
    }
    found.retain(|(_, names)| !names.is_empty());
    found
}

/// Whole groups, by paths that can be walked.
fn groups(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Placed<String>> {
    let mut groups = unique_texts(reader, table, "groups");
    groups.retain(|group| reader.parsed(group.clone(), Code::BadName, RelPath::parse).is_some());
    groups
}

/// A list without repetitions.
fn unique_texts(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
    let Some(texts) = reader.texts(table, key) else { return Vec::new() };
    let mut seen = BTreeSet::new();
    for text in &texts {
        if !seen.insert(Folded::of(&text.value)) {
            duplicate(reader, text.span.clone(), format!("`{}` lists `{}` twice", brief(key), text.value));
        }
    }
    texts
}

fn files(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Placed<FileName>> {
    let texts = unique_texts(reader, table, "files");
    texts.into_iter().filter_map(|text| reader.parsed(text, Code::BadName, FileName::parse)).collect()
}

fn others(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Span> {
    let others = reader.flag(table, "others")?;
    if !others.value {
        let finding = reader.findings.add(Code::BadValue, others.span, "`others = false` says nothing");
        finding.help("remove the key");
        return None;
    }
    Some(others.span)
}

fn to(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft) -> Option<To> {
    let to = reader.text(table, "to")?;
    if draft.verb.is_some_and(|verb| verb != Verb::Copy) {
        return None;
    }
    let on_servers = table.has("on");
    if to.value == "share" {
        if let Some(span) = table.key("on").or_else(|| table.key("platform")) {
            let finding = reader.findings.add(Code::Contradiction, span, "the share is on no server of a role");
            finding.help("remove the key, or let `to` be a folder below the server's `Files`");
        }
        return Some(To::Share);
    }
    if !on_servers {
        let message = format!("`{}` is a folder on servers, and the step does not say on which", to.value);
        let finding = reader.findings.add(Code::MissingKey, to.span.clone(), message);
        let near = crate::document::nearest(&to.value, std::iter::once("share"));
        finding.did_you_mean(near).help("add `on = \"ROLE\"`, or copy to the share with `to = \"share\"`");
    }
    if to.value == "." {
        return Some(To::Files);
    }
    let span = to.span.clone();
    let folder = reader.parsed(to, Code::BadName, RelPath::parse)?;
    for part in folder.value.parts() {
        reader.parsed(Placed { value: part.to_owned(), span: span.clone() }, Code::BadName, FileName::parse)?;
    }
    Some(To::Folder(folder.value))
}

fn parameters(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<(Placed<String>, BTreeMap<String, String>)> {
    let Some(procedures) = reader.table(table, "parameters") else { return Vec::new() };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for key in procedures.keys() {
        if !seen.insert(Folded::of(key.value)) {
            duplicate(reader, key.span.clone(), format!("`parameters` has `{}` twice", key.value));
        }
        let Some(given) = reader.table(&procedures, key.value) else { continue };
        let mut values = BTreeMap::new();
        for name in given.keys() {
            let value = reader.any_text(&given, name.value);
            values.extend(value.map(|value| (name.value.to_owned(), value.value)));
        }
        found.push((Placed { value: key.value.to_owned(), span: key.span }, values));
    }
    found
}
