//! Reading the steps: what they do, and to what.

use std::collections::{BTreeMap, BTreeSet};

use super::super::draft::{StepDraft, To, Verb};
use super::{ACTIONS, GIVEN, ITEMS, PARAMETERS, SHAPES, STEP, checked_id, duplicate, refuse_empty};
use crate::document::{Code, Placed, Reader, Span, Table};
use crate::names::{FileName, Folded, RelPath};

pub(super) fn step(reader: &mut Reader<'_>, table: &Table<'_>) -> StepDraft {
    let before = reader.findings.errors();
    let id = reader.required_text(table, "id", "id = \"copy\"");
    let id = id.and_then(|id| checked_id(reader, id));
    let title = reader.text(table, "title").map(|title| title.value);
    let verb = verb(reader, table);
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
    draft.torn = reader.findings.errors() > before || !table.is_clean();
    if let Some(verb) = verb {
        targets(reader, table, &draft, verb);
    }
    draft
}

/// The action, and a finding for each key that it does not have.
fn verb(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Verb> {
    let action = reader.required_text(table, "action", "action = \"copy\"")?;
    let Some((name, verb, keys)) = ACTIONS.iter().find(|(name, ..)| *name == action.value) else {
        let near = reader.nearest(&action.value, ACTIONS.iter().map(|(name, ..)| *name)).map(str::to_owned);
        let message = format!("there is no action `{}`", action.value);
        let finding = reader.findings.add(Code::BadValue, action.span, message);
        let names = crate::document::listed(ACTIONS.iter().map(|(name, ..)| *name));
        finding.did_you_mean(near.as_deref()).help(format!("the actions are {names}"));
        return None;
    };
    let known = |key: &str| SHAPES.iter().any(|shape| shape.title == STEP && shape.keys.contains(&key));
    for key in table.keys().into_iter().filter(|key| known(key.value)) {
        if !keys.contains(&key.value) && !["id", "title", "action"].contains(&key.value) {
            let takers = ACTIONS.iter().filter(|(_, _, keys)| keys.contains(&key.value)).map(|(name, ..)| *name);
            let message = format!("a step that does `{name}` has no `{}`", key.value);
            let help = format!("`{}` belongs to {}", key.value, crate::document::listed(takers));
            reader.findings.add(Code::Unfitting, key.span, message).help(help);
        }
    }
    Some(*verb)
}

/// What an action cannot do without, and what it cannot have together.
fn targets(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, verb: Verb) {
    match verb {
        Verb::Uninstall => one_of(reader, table, draft, &["items", "groups"]),
        Verb::Install => {
            one_of(reader, table, draft, &["items", "groups", "removed_by"]);
            if table.has("items") {
                exclusive(reader, table, "removed_by", "items");
            } else {
                exclusive(reader, table, "removed_by", "groups");
            }
        }
        Verb::Copy => {
            one_of(reader, table, draft, &["files", "others"]);
            exclusive(reader, table, "others", "files");
            if !table.has("to") {
                reader.missing(table, "to", "to = \"share\"");
            }
        }
        Verb::Run => {
            one_of(reader, table, draft, &["files"]);
            needs(reader, table, "on", "on = \"ROLE\"");
            packages_only(reader, draft);
        }
        Verb::Initialize => one_of(reader, table, draft, &["items"]),
        Verb::Service(_) => one_of(reader, table, draft, &["service"]),
        Verb::Manual => {
            needs(reader, table, "instructions", "instructions = \"…\"");
            if table.has("platform") {
                needs(reader, table, "on", "on = \"ROLE\"");
            }
        }
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

fn needs(reader: &mut Reader<'_>, table: &Table<'_>, key: &str, example: &str) {
    if !table.has(key) {
        reader.missing(table, key, example);
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
    let Some(groups) = reader.table(table, "items", ITEMS) else { return Vec::new() };
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

/// A list without repetitions, with a finding if it is empty.
fn unique_texts(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) -> Vec<Placed<String>> {
    let Some(texts) = reader.texts(table, key) else { return Vec::new() };
    refuse_empty(reader, table, key);
    let mut seen = BTreeSet::new();
    for text in &texts {
        if !seen.insert(Folded::of(&text.value)) {
            duplicate(reader, text.span.clone(), format!("`{key}` lists `{}` twice", text.value));
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
    let Some(procedures) = reader.table(table, "parameters", PARAMETERS) else { return Vec::new() };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for key in procedures.keys() {
        if !seen.insert(Folded::of(key.value)) {
            duplicate(reader, key.span.clone(), format!("`parameters` has `{}` twice", key.value));
        }
        let Some(given) = reader.table(&procedures, key.value, GIVEN) else { continue };
        let mut values = BTreeMap::new();
        for name in given.keys() {
            let value = reader.any_text(&given, name.value);
            values.extend(value.map(|value| (name.value.to_owned(), value.value)));
        }
        found.push((Placed { value: key.value.to_owned(), span: key.span }, values));
    }
    found
}
