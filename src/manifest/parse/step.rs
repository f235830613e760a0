//! Reading of the steps: their actions and targets.

use std::collections::{BTreeMap, BTreeSet};

use super::{checked_id, key_spans, report_duplicate, require_key};
use crate::document::{Case, Code, Placed, Reader, Rule, Span, Table, brief, listed, nearest};
use crate::manifest::ServiceVerb;
use crate::manifest::draft::{
    CopyDestination, GroupMembers, ProcedureAnswers, StepDraft, UnreadableParts, Verb,
};
use crate::manifest::known::ResolvedNames;
use crate::manifest::shapes::STEP;
use crate::names::{CaseFolded, FileName, RelPath};

pub(super) fn step(reader: &mut Reader<'_>, table: &Table<'_>) -> StepDraft {
    let id = reader.text(table, "id");
    let id = id.and_then(|id| checked_id(reader, id));
    let title = reader.text(table, "title").map(|title| title.value);
    let case = action(reader, table);
    let verb = case.and_then(|case| verb(case.name));
    let (items, unreadable_items) = items(reader, table);
    let (groups, unreadable_groups) = groups(reader, table);
    let mut draft = StepDraft {
        header: table.span(),
        keys: key_spans(table, &STEP).collect(),
        id,
        title,
        verb,
        items,
        groups,
        removed_by: reader.text(table, "removed_by"),
        files: files(reader, table),
        others: others(reader, table),
        other_names: Vec::new(),
        to: None,
        parameters: parameters(reader, table),
        service: reader.text(table, "service"),
        platform: reader.text(table, "platform"),
        on: reader.text(table, "on"),
        instructions: reader.text(table, "instructions").map(|text| text.value),
        undo: reader.text(table, "undo").map(|text| text.value),
        optional: reader
            .flag(table, "optional")
            .is_some_and(|optional| optional.value),
        unreadable: UnreadableParts::default(),
        resolved: ResolvedNames::default(),
    };
    draft.unreadable =
        unreadable_parts(reader, table, &draft, unreadable_items || unreadable_groups);
    draft.to = to(reader, table, &draft);
    for rule in case.map_or(&[][..], |case| case.rules) {
        check_rule(reader, table, &draft, rule);
    }
    draft
}

/// Returns the parts that the step may have but that could not be read. An error in any other key
/// has no effect here.
fn unreadable_parts(
    reader: &Reader<'_>,
    table: &Table<'_>,
    draft: &StepDraft,
    unreadable_lists: bool,
) -> UnreadableParts {
    let unclear = has_unrecognizable_key(table);
    let lost = |key, is_there: bool| unclear || (table.has(key) && !is_there);
    let servers = lost("on", draft.on.is_some()) || lost("platform", draft.platform.is_some());
    let files = match table.has("files") {
        true => {
            draft.others.is_some() || reader.list_length(table, "files") != Some(draft.files.len())
        }
        // A step that should have files and names none may mean any.
        false => {
            unclear
                || (matches!(draft.verb, Some(Verb::Copy | Verb::Run)) && draft.others.is_none())
        }
    };
    UnreadableParts {
        targets: unreadable_lists || servers || lost("removed_by", draft.removed_by.is_some()),
        files,
        service: servers || lost("service", draft.service.is_some()),
        undo: lost("undo", draft.undo.is_some()),
    }
}

/// Marks the parts of a step that are below a misspelled key or in another table, which is known
/// once all tables are read.
pub(super) fn mark_strays(reader: &Reader<'_>, step: &mut StepDraft) {
    let is_astray = |keys: &[&str]| {
        keys.iter()
            .any(|key| reader.is_stray(&step.header, STEP.title, key))
    };
    let servers = is_astray(&["on", "platform"]);
    let targets = servers || is_astray(&["items", "groups", "removed_by"]);
    let (files, service, undo) = (
        is_astray(&["files", "others"]),
        servers || is_astray(&["service"]),
        is_astray(&["undo"]),
    );
    step.unreadable.targets |= targets;
    step.unreadable.files |= files;
    step.unreadable.service |= service;
    step.unreadable.undo |= undo;
}

/// Returns whether a step has an unknown key that resembles no known one: it may mean any of them.
fn has_unrecognizable_key(table: &Table<'_>) -> bool {
    let near = |key: &str| nearest(key, STEP.named().iter().map(|key| key.name));
    table
        .keys()
        .iter()
        .any(|key| !STEP.takes(key.value) && near(key.value).is_none())
}

/// Returns the action, and reports each key that the action does not have.
fn action(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<&'static Case> {
    let action = reader.text(table, "action")?;
    let actions = || STEP.cases().iter().map(|case| case.name);
    let Some(case) = STEP.case(&action.value) else {
        let near = reader.nearest(&action.value, actions());
        let message = format!("`{}` is not an action", action.value);
        reader
            .report(Code::InvalidValue, &action.span, message)
            .did_you_mean(near)
            .help(format!("the actions are {}", listed(actions())));
        return None;
    };
    for key in table.keys().into_iter().filter(|key| STEP.takes(key.value)) {
        if !STEP.goes_with(case, key.value) {
            let takers = STEP
                .cases()
                .iter()
                .filter(|case| case.keys.contains(&key.value))
                .map(|case| case.name);
            let message = format!("the action `{}` has no key `{}`", case.name, key.value);
            let help = format!("`{}` belongs to {}", key.value, listed(takers));
            reader
                .report(Code::InapplicableKey, &key.span, message)
                .help(help);
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

/// Checks the keys that an action requires, and those that exclude each other.
fn check_rule(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, rule: &Rule) {
    match *rule {
        Rule::Needs(..) | Rule::With(..) => require_key(reader, table, rule),
        Rule::Targets(keys) => require_targets(reader, table, draft, keys),
        Rule::Alone(key, others) => {
            let other = others.iter().find(|other| table.has(other));
            other
                .into_iter()
                .for_each(|other| report_exclusive(reader, table, key, other));
        }
        Rule::Packages(_) => require_packages(reader, draft),
        // Reported when `to` was read.
        Rule::Place(..) => {}
    }
}

fn require_targets(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft, keys: &[&str]) {
    let present = keys.iter().filter(|key| table.has(key)).count();
    let chosen = !draft.items.is_empty() || !draft.groups.is_empty() || !draft.files.is_empty();
    let other = draft.removed_by.is_some() || draft.others.is_some() || draft.service.is_some();
    // A target that could not be read has its finding already.
    let listed = ["files", "others"].iter().any(|key| table.has(key));
    let is_reported =
        present > 0 && (listed || draft.unreadable.targets || draft.unreadable.service);
    let is_astray = || {
        keys.iter()
            .any(|key| reader.is_stray(&table.span(), STEP.title, key))
    };
    if chosen || other || is_reported || has_unrecognizable_key(table) || is_astray() {
        return;
    }
    let keys = keys
        .iter()
        .map(|key| format!("`{key}`"))
        .collect::<Vec<_>>()
        .join(" or ");
    let message = format!("{} has no targets", draft.quoted_name());
    reader
        .report(Code::NoTargets, &draft.span(), message)
        .help(format!("add {keys}"));
}

fn report_exclusive(reader: &mut Reader<'_>, table: &Table<'_>, one: &str, other: &str) {
    if let (Some(span), true) = (table.key(one), table.has(other)) {
        let message = format!("`{one}` and `{other}` exclude each other");
        reader
            .report(Code::ExclusiveKeys, &span, message)
            .help("keep one of them");
    }
}

fn require_packages(reader: &mut Reader<'_>, draft: &StepDraft) {
    for file in draft.files.iter().filter(|file| !file.value.is_msi()) {
        let message = format!(
            "`{}` is not an installer package, and `run` runs nothing else",
            file.value
        );
        reader
            .report(Code::NotAPackage, &file.span, message)
            .help("describe the task in a `manual` step");
    }
}

/// Returns the lists of items by their groups, and true if any part of them could not be read.
fn items(reader: &mut Reader<'_>, table: &Table<'_>) -> (GroupMembers, bool) {
    let Some(groups) = reader.table(table, "items") else {
        return (Vec::new(), table.has("items"));
    };
    let mut seen = BTreeSet::new();
    let mut found = Vec::new();
    let mut unreadable = false;
    for key in groups.keys() {
        let before = reader.findings.errors();
        let names = reader.texts_or_none(&groups, key.value);
        let group = Placed {
            value: key.value.to_owned(),
            span: key.span,
        };
        let path = reader.parsed(group.clone(), Code::UnsafeName, RelPath::parse);
        unreadable |= reader.findings.errors() > before;
        unique(reader, &names, key.value);
        let Some(path) = path else { continue };
        if !seen.insert(path.value.case_folded()) {
            report_duplicate(
                reader,
                group.span.clone(),
                format!("`items` lists the group `{}` twice", group.value),
            );
        }
        found.push((group, names));
    }
    found.retain(|(_, names)| !names.is_empty());
    (found, unreadable)
}

/// Returns the whole groups, by valid paths, and true if any of them could not be read.
fn groups(reader: &mut Reader<'_>, table: &Table<'_>) -> (Vec<Placed<String>>, bool) {
    let before = reader.findings.errors();
    let mut groups = reader.texts_or_none(table, "groups");
    groups.retain(|group| {
        reader
            .parsed(group.clone(), Code::UnsafeName, RelPath::parse)
            .is_some()
    });
    let unreadable = reader.findings.errors() > before;
    unique(reader, &groups, "groups");
    (groups, unreadable)
}

/// Reports the names that a list repeats.
fn unique(reader: &mut Reader<'_>, texts: &[Placed<String>], key: &str) {
    let mut seen = BTreeSet::new();
    for text in texts {
        if !seen.insert(CaseFolded::of(&text.value)) {
            report_duplicate(
                reader,
                text.span.clone(),
                format!("`{}` lists `{}` twice", brief(key), text.value),
            );
        }
    }
}

fn files(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Placed<FileName>> {
    let texts = reader.texts_or_none(table, "files");
    unique(reader, &texts, "files");
    texts
        .into_iter()
        .filter_map(|text| reader.parsed(text, Code::UnsafeName, FileName::parse))
        .collect()
}

fn others(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<Span> {
    let others = reader.flag(table, "others")?;
    if !others.value {
        reader
            .report(
                Code::InvalidValue,
                &others.span,
                "`others = false` has no effect",
            )
            .help("remove the key");
        return None;
    }
    Some(others.span)
}

fn to(reader: &mut Reader<'_>, table: &Table<'_>, draft: &StepDraft) -> Option<CopyDestination> {
    let to = reader.text(table, "to")?;
    if draft.verb.is_some_and(|verb| verb != Verb::Copy) {
        return None;
    }
    let on_servers = table.has("on");
    if to.value == "share" {
        if let Some(span) = table.key("on").or_else(|| table.key("platform")) {
            let message = "the share belongs to the deployment, not to the servers of a role";
            reader
                .report(Code::ExclusiveKeys, &span, message)
                .help("remove the key, or set `to` to a directory below the server's `Files`");
        }
        return Some(CopyDestination::Share);
    }
    if !on_servers {
        let message = format!(
            "`{}` is a directory on servers, but the step does not name their role",
            to.value
        );
        let finding = reader.report(Code::MissingKey, &to.span, message);
        let near = crate::document::nearest(&to.value, std::iter::once("share"));
        finding
            .did_you_mean(near)
            .help("add `on = \"ROLE\"`, or copy to the share with `to = \"share\"`");
    }
    if to.value == "." {
        return Some(CopyDestination::Files);
    }
    let span = to.span.clone();
    let directory = reader.parsed(to, Code::UnsafeName, RelPath::parse)?;
    for part in directory.value.parts() {
        reader.parsed(
            Placed {
                value: part.to_owned(),
                span: span.clone(),
            },
            Code::UnsafeName,
            FileName::parse,
        )?;
    }
    Some(CopyDestination::Directory(directory.value))
}

fn parameters(reader: &mut Reader<'_>, table: &Table<'_>) -> ProcedureAnswers {
    let Some(procedures) = reader.table(table, "parameters") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for key in procedures.keys() {
        if !seen.insert(CaseFolded::of(key.value)) {
            report_duplicate(
                reader,
                key.span.clone(),
                format!("`parameters` lists `{}` twice", key.value),
            );
        }
        let Some(given) = reader.table(&procedures, key.value) else {
            continue;
        };
        let mut values = BTreeMap::new();
        for name in given.keys() {
            let value = reader.any_text(&given, name.value);
            let value = value.map(|value| Placed {
                value: value.value,
                span: name.span,
            });
            values.extend(value.map(|value| (name.value.to_owned(), value)));
        }
        found.push((
            Placed {
                value: key.value.to_owned(),
                span: key.span,
            },
            values,
        ));
    }
    found
}
