//! Reading of the steps: their actions and targets.

use super::{exclude_keys, inapplicable_keys, key_lines, report_duplicate, require_key};
use crate::document::{Case, Code, Reader, Rule, Table, brief, listed, nearest};
use crate::manifest::shapes::OPAQUE;
use crate::manifest::*;

/// Reads a step, and adds it to the others, followed by its nested steps.
pub(super) fn add(reader: &mut Reader<'_>, table: &Table<'_>, steps: &mut Vec<Step>) {
    let at = steps.len();
    steps.push(step(reader, table, None));
    if !table.has("steps") {
        return;
    }
    let nested = reader.tables(table, "steps");
    let listed = reader.list_length(table, "steps");
    for table in &nested {
        let step = step(reader, table, Some(StepId(at)));
        let name = Name {
            text: step.id.clone(),
            line: step.line,
            span: step.span.clone(),
            id: Some(StepId(steps.len())),
        };
        steps[at].steps.push(name);
        steps.push(step);
    }
    // A nested step that could not be read may be any.
    if listed != Some(nested.len()) {
        let all = UnreadableParts {
            targets: true,
            files: true,
            service: true,
            undo: true,
        };
        steps[at].unreadable = all;
    }
}

fn step(reader: &mut Reader<'_>, table: &Table<'_>, within: Option<StepId>) -> Step {
    let id = super::id(reader, table);
    let title = reader.plain_text(table, "title");
    let case = action(reader, table);
    let (items, unreadable_items) = items(reader, table);
    let (groups, unreadable_groups) = groups(reader, table);
    let mut step = Step {
        line: reader.source.line(table.span().start),
        lines: key_lines(reader, table),
        span: id.as_ref().map_or(table.span(), |id| id.span.clone()),
        id: id.map_or_else(String::new, |id| id.value),
        title,
        verb: case.and_then(|case| Verb::of(case.name)),
        items,
        groups,
        removed_by: name(reader, table, "removed_by"),
        files: files(reader, table),
        features: features(reader, table),
        arguments: reader.plain_text(table, "arguments"),
        program: reader
            .parse(table, "program", Code::UnsafeName, FileName::parse)
            .map(|program| program.value),
        others: reader.yes(table, "others"),
        to: None,
        parameters: parameters(reader, table),
        service: name(reader, table, "service"),
        platform: None,
        on: None,
        irreversible: reader.plain_text(table, "irreversible"),
        instructions: reader.plain_text(table, "instructions"),
        undo: reader.plain_text(table, "undo"),
        optional: reader
            .flag(table, "optional")
            .is_some_and(|optional| optional.value),
        steps: Vec::new(),
        within,
        unreadable: UnreadableParts::default(),
        selected: BTreeSet::new(),
    };
    if within.is_none() {
        step.platform = reader.text(table, "platform");
        step.on = name(reader, table, "on");
    }
    step.unreadable = unreadable_parts(reader, table, &step, unreadable_items || unreadable_groups);
    step.to = to(reader, table, &step);
    for rule in case.map_or(&[][..], |case| case.rules) {
        check_rule(reader, table, &step, rule);
    }
    step
}

/// Reads the features of a `run` step, sorted.
fn features(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<String> {
    let texts = reader.texts_or_none(table, "features");
    unique(reader, &texts, "features");
    let features: BTreeSet<String> = texts.into_iter().map(|text| text.value).collect();
    features.into_iter().collect()
}

fn name<Id>(reader: &mut Reader<'_>, table: &Table<'_>, key: &str) -> Option<Name<Id>> {
    let text = reader.text(table, key)?;
    Some(Name::new(text, reader.source))
}

fn names<Id, T>(reader: &Reader<'_>, names: Vec<Placed<T>>) -> Vec<Name<Id, T>> {
    names
        .into_iter()
        .map(|name| Name::new(name, reader.source))
        .collect()
}

/// Returns the parts that the step may have but that could not be read. An error in any other key
/// has no effect here.
fn unreadable_parts(
    reader: &Reader<'_>,
    table: &Table<'_>,
    step: &Step,
    unreadable_lists: bool,
) -> UnreadableParts {
    let unclear = has_unrecognizable_key(table);
    // The key may be misspelled, or in another table.
    let is_stray = |key| reader.is_stray(table, key);
    let lost = |key, is_there: bool| unclear || is_stray(key) || (table.has(key) && !is_there);
    let servers = lost("on", step.on.is_some()) || lost("platform", step.platform.is_some());
    let files = if table.has("files") {
        step.others.is_some() || reader.list_length(table, "files") != Some(step.files.len())
    } else {
        // A step that should have files and names none may mean any.
        let should_have = matches!(step.verb, Some(Verb::Copy | Verb::Run));
        unclear || (should_have && step.others.is_none())
    };
    UnreadableParts {
        targets: unreadable_lists
            || servers
            || ["items", "groups"].into_iter().any(is_stray)
            || lost("removed_by", step.removed_by.is_some()),
        files: files || ["files", "others"].into_iter().any(is_stray),
        service: servers || lost("service", step.service.is_some()),
        undo: lost("undo", step.undo.is_some()),
    }
}

/// Returns whether a step has an unknown key that resembles no known one: it may mean any of them.
fn has_unrecognizable_key(table: &Table<'_>) -> bool {
    let shape = table.shape();
    let known = || shape.named().iter().map(|key| key.name);
    table
        .keys()
        .iter()
        .any(|key| !shape.takes(key.value) && nearest(key.value, known()).is_none())
}

/// Returns the action, and reports each key that the action does not have.
fn action(reader: &mut Reader<'_>, table: &Table<'_>) -> Option<&'static Case> {
    let action = reader.text(table, "action")?;
    let shape = table.shape();
    let actions = || shape.cases().iter().map(|case| case.name);
    let Some(case) = shape.case(&action.value) else {
        if action.value == Verb::EachServer.keyword() {
            reader
                .report(
                    Code::NestedStep,
                    &action.span,
                    "`each-server` cannot be nested",
                )
                .help("list its steps below the outer `each-server` step");
            return None;
        }
        let near = reader.nearest(&action.value, actions());
        let message = format!("`{action}` is not an action");
        reader
            .report(Code::InvalidValue, &action.span, message)
            .did_you_mean(near)
            .help(format!("the actions are {}", listed(actions())));
        return None;
    };
    inapplicable_keys(reader, table, case, "action");
    Some(case)
}

/// Checks the keys that an action requires, and those that exclude each other.
fn check_rule(reader: &mut Reader<'_>, table: &Table<'_>, step: &Step, rule: &Rule) {
    match *rule {
        Rule::Needs(..) | Rule::With(..) => require_key(reader, table, rule),
        Rule::Targets(keys) => require_targets(reader, table, step, keys),
        Rule::Alone(key, others) => exclude_keys(reader, table, key, others),
        Rule::Kinds(None, extensions) => not_packages(reader, step, extensions),
        Rule::Kinds(Some(key), extensions) => wrong_kinds(reader, table, step, key, extensions),
        Rule::OneFile(key) => {
            if let Some(span) = table.key(key).filter(|_| step.files.len() > 1) {
                let message = format!(
                    "`{key}` is about one file, but the step has {}",
                    step.files.len()
                );
                reader
                    .report(Code::ExclusiveKeys, &span, message)
                    .help("write a step for each file");
            }
        }
        // Reported when `to` was read; no version is a key of a step.
        Rule::Place(..) | Rule::Numbers(_) => {}
    }
}

/// Reports the files that are no packages.
fn not_packages(reader: &mut Reader<'_>, step: &Step, extensions: &[&str]) {
    for file in &step.files {
        if !file.text.has_extension(extensions) {
            let listed = listed_extensions(extensions);
            let help = format!("`run` takes {listed}; describe any other task in a `manual` step");
            let message = format!("`{file}` is not a package that `run` takes");
            reader
                .report(Code::NotAPackage, &file.span, message)
                .help(help);
        }
    }
}

fn require_targets(reader: &mut Reader<'_>, table: &Table<'_>, step: &Step, keys: &[&str]) {
    // Targets that could not be read have their finding already.
    let unreadable = step.unreadable.targets || step.unreadable.service;
    let is_reported = |key: &&str| {
        table.has(key) && (unreadable || ["files", "others"].contains(key))
            || reader.is_stray(table, key)
    };
    let has_targets = !step.items.is_empty()
        || !step.groups.is_empty()
        || !step.files.is_empty()
        || step.removed_by.is_some()
        || step.others.is_some()
        || step.service.is_some();
    if has_targets || keys.iter().any(is_reported) || has_unrecognizable_key(table) {
        return;
    }
    let message = format!("{} has no targets", step.quoted_name());
    reader
        .report(Code::NoTargets, &step.span, message)
        .help(format!("add `{}`", keys.join("` or `")));
}

/// Reports a key that does not apply to the kind of one of the files. Files that `run` does not take at
/// all have their finding already.
fn wrong_kinds(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    step: &Step,
    key: &str,
    extensions: &[&str],
) {
    let Some(span) = table.key(key) else { return };
    let mut files = step.files.iter().map(|file| &file.text);
    let is_wrong = |file: &&PayloadPath| {
        (file.is_msi() || file.has_extension(OPAQUE)) && !file.has_extension(extensions)
    };
    if let Some(file) = files.find(is_wrong) {
        let message = format!("`{key}` does not apply to `{file}`");
        let listed = listed_extensions(extensions);
        reader
            .report(Code::WrongPackageKind, &span, message)
            .help(format!(
                "`{key}` is for {listed}; write a step for each kind"
            ));
    }
}

/// Lists extensions as files have them: `.exe`, `.msp`.
fn listed_extensions(extensions: &[&str]) -> String {
    format!("`.{}`", extensions.join("`, `."))
}

/// Returns the lists of items by their groups, and true if any part of them could not be read.
fn items(reader: &mut Reader<'_>, table: &Table<'_>) -> (Vec<GroupItems>, bool) {
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
    let mut items = Vec::new();
    for (group, members) in found {
        unique(reader, &members, &group.value);
        if !members.is_empty() {
            items.push(GroupItems {
                group: Name::new(group, reader.source),
                names: names(reader, members),
            });
        }
    }
    (items, unreadable)
}

/// Returns the whole groups, by valid paths, and true if any of them could not be read.
fn groups(reader: &mut Reader<'_>, table: &Table<'_>) -> (Vec<Name<GroupId>>, bool) {
    let before = reader.findings.errors();
    let path = |text: &str| RelPath::parse(text).map(|_| text.to_owned());
    let groups = reader.parse_each(table, "groups", Code::UnsafeName, path);
    let unreadable = reader.findings.errors() > before;
    unique(reader, &groups, "groups");
    (names(reader, groups), unreadable)
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
            let message = format!("`{}` lists `{text}` twice", brief(key));
            report_duplicate(reader, &text.span, message);
        }
    }
}

fn files(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<Name<RowId, PayloadPath>> {
    let texts = reader.texts_or_none(table, "files");
    unique(reader, &texts, "files");
    let parsed = texts
        .into_iter()
        .filter_map(|text| reader.parsed(text, Code::UnsafeName, PayloadPath::parse))
        .collect();
    names(reader, parsed)
}

fn to(reader: &mut Reader<'_>, table: &Table<'_>, step: &Step) -> Option<CopyTarget> {
    let to = reader.text(table, "to")?;
    if step.verb.is_some_and(|verb| verb != Verb::Copy) {
        return None;
    }
    let on_servers = table.has("on") || step.within.is_some();
    if to.value == "share" {
        if step.within.is_some() {
            let message = "a nested step copies to one server, and the share belongs to none";
            reader
                .report(Code::NestedStep, &to.span, message)
                .help("copy to the share in a step above the `each-server` step");
            return None;
        }
        if let Some(span) = table.key("on").or_else(|| table.key("platform")) {
            let message = "the share belongs to the deployment, not to the servers of a role";
            reader
                .report(Code::ExclusiveKeys, &span, message)
                .help("remove the key, or set `to` to a directory below the server's `Files`");
        }
        return Some(CopyTarget::Share);
    }
    if !on_servers {
        let message =
            format!("`{to}` is a directory on servers, but the step does not name their role");
        reader
            .report(Code::MissingKey, &to.span, message)
            .did_you_mean(nearest(&to.value, std::iter::once("share")))
            .help("add `on = \"ROLE\"`, or copy to the share with `to = \"share\"`");
    }
    if to.value == "." {
        return Some(CopyTarget::Servers(None));
    }
    let span = to.span.clone();
    let directory = reader.parsed(to, Code::UnsafeName, RelPath::parse)?.value;
    for part in directory.parts() {
        let part = Placed {
            value: part,
            span: span.clone(),
        };
        reader.parsed(part.to_owned(), Code::UnsafeName, FileName::parse)?;
    }
    Some(CopyTarget::Servers(Some(directory)))
}

fn parameters(reader: &mut Reader<'_>, table: &Table<'_>) -> Vec<ProcedureParameters> {
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
        for Placed { value: key, span } in given.keys() {
            if let Some(value) = reader.plain_text(&given, key) {
                values.insert(key.to_owned(), Placed { value, span });
            }
        }
        found.push(ProcedureParameters {
            procedure: Name::new(name, reader.source),
            values,
        });
    }
    found
}
