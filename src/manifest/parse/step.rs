//! Reading of the steps: their actions and targets.

use std::collections::{BTreeMap, BTreeSet};

use super::{checked_id, inapplicable_keys, key_lines, report_duplicate, require_key};
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
        lines: key_lines(reader, table),
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
    // The key may be misspelled, or in another table.
    let is_stray = |key| reader.is_stray(&table.span(), STEP.title, key);
    let lost = |key, is_there: bool| unclear || is_stray(key) || (table.has(key) && !is_there);
    let servers = lost("on", draft.on.is_some()) || lost("platform", draft.platform.is_some());
    let files = if table.has("files") {
        draft.others.is_some() || reader.list_length(table, "files") != Some(draft.files.len())
    } else {
        // A step that should have files and names none may mean any.
        let should_have = matches!(draft.verb, Some(Verb::Copy | Verb::Run));
        unclear || (should_have && draft.others.is_none())
    };
    UnreadableParts {
        targets: unreadable_lists
            || servers
            || ["items", "groups"].into_iter().any(is_stray)
            || lost("removed_by", draft.removed_by.is_some()),
        files: files || ["files", "others"].into_iter().any(is_stray),
        service: servers || lost("service", draft.service.is_some()),
        undo: lost("undo", draft.undo.is_some()),
    }
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
    inapplicable_keys(reader, table, &STEP, case, "action");
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
            if let (Some(span), Some(other)) = (table.key(key), other) {
                let message = format!("`{key}` and `{other}` exclude each other");
                reader
                    .report(Code::ExclusiveKeys, &span, message)
                    .help("keep one of them");
            }
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
    let before = reader.findings.errors();
    let mut found = Vec::new();
    for key in groups.keys() {
        let names = reader.texts_or_none(&groups, key.value);
        let path = reader.parsed(key.to_owned(), Code::UnsafeName, RelPath::parse);
        found.extend(path.map(|_| (key.to_owned(), names)));
    }
    let unreadable = reader.findings.errors() > before;
    unique(reader, found.iter().map(|(group, _)| group), "items");
    for (group, names) in &found {
        unique(reader, names, &group.value);
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
fn unique<'t>(
    reader: &mut Reader<'_>,
    texts: impl IntoIterator<Item = &'t Placed<String>>,
    key: &str,
) {
    let mut seen = BTreeSet::new();
    for text in texts {
        if !seen.insert(CaseFolded::of(&text.value)) {
            let message = format!("`{}` lists `{}` twice", brief(key), text.value);
            report_duplicate(reader, &text.span, message);
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
    let names: Vec<_> = procedures.keys().iter().map(Placed::to_owned).collect();
    unique(reader, &names, "parameters");
    let mut found = Vec::new();
    for name in names {
        let Some(given) = reader.table(&procedures, &name.value) else {
            continue;
        };
        let mut values = BTreeMap::new();
        for key in given.keys() {
            if let Some(text) = reader.any_text(&given, key.value) {
                let value = Placed {
                    value: text.value,
                    span: key.span,
                };
                values.insert(key.value.to_owned(), value);
            }
        }
        found.push((name, values));
    }
    found
}
