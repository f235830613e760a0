//! Facts of each part of a manifest. Every struct is taken apart without `..`: a field that is new
//! to the language needs a place here before anything compiles.

use super::facts::{Facts, Weighed};
use super::{Place, Value, Whole};
use crate::manifest::{
    Action, Condition, CopyFiles, CopyTarget, GroupItems, InstallTargets, PayloadFile,
    Prerequisite, Rollup, Selection, Servers, Step,
};
use crate::names::{RelPath, same_name};

/// Returns the facts of `[rollup]`, and those of `[article]`.
pub(super) fn rollup(rollup: &Rollup) -> (Facts<'_>, Facts<'_>) {
    let Rollup {
        kb,
        revision,
        title,
        product,
        product_versions,
        scope,
        released,
        url,
        reviewed,
        includes,
        replaces,
        requires,
        fixes,
        notes,
        lines,
    } = rollup;
    let mut facts = Facts::with_lines(lines, None);
    facts.says("kb", Some(kb.to_string()), Weighed::Exactly);
    facts.says("title", Some(title.as_str()), Weighed::Exactly);
    facts.says("product", Some(product.as_str()), Weighed::Exactly);
    facts.texts("product_versions", product_versions);
    facts.says("scope", scope.as_deref(), Weighed::Exactly);
    facts.says("released", released.as_deref(), Weighed::Exactly);
    facts.rollups("includes", includes);
    facts.rollups("replaces", replaces);
    facts.rollups("requires", requires);
    facts.texts("fixes", fixes);
    facts.texts("notes", notes);
    let mut article = Facts::with_lines(lines, None);
    article.says("url", url.as_deref(), Weighed::Exactly);
    article.holds(
        "revision",
        revision.as_str(),
        !lines.contains_key("revision"),
        Weighed::AsVersions,
    );
    article.says("reviewed", reviewed.as_deref(), Weighed::Exactly);
    (facts, article)
}

/// Returns the facts of a prerequisite.
pub(super) fn prerequisite(prerequisite: &Prerequisite) -> Facts<'_> {
    let Prerequisite { line, condition } = prerequisite;
    let mut facts = Facts::on_line(*line);
    match condition {
        Condition::Product {
            product,
            service_pack,
            on,
        } => {
            facts.says("product", Some(product.as_str()), Weighed::AsNames);
            facts.holds(
                "service_pack",
                u64::from(*service_pack),
                *service_pack == 0,
                Weighed::Exactly,
            );
            facts.says("on", on.as_deref(), Weighed::AsNames);
        }
        Condition::Item { item } => facts.says("item", Some(item.as_str()), Weighed::AsNames),
        Condition::Confirm { id, question } => {
            facts.says("id", Some(id.as_str()), Weighed::AsNames);
            facts.says("confirm", Some(question.as_str()), Weighed::Exactly);
        }
    }
    facts
}

/// Returns the name that a prerequisite is shown with.
pub(super) fn subject(prerequisite: &Prerequisite) -> &str {
    match &prerequisite.condition {
        Condition::Product {
            product: name,
            service_pack: _,
            on: _,
        }
        | Condition::Item { item: name }
        | Condition::Confirm {
            id: name,
            question: _,
        } => name,
    }
}

pub(super) fn whole_prerequisite(one: &Prerequisite) -> Whole<'_> {
    Whole {
        place: Place::Prerequisites,
        of: subject(one).to_owned(),
        what: "prerequisite",
        line: one.line,
        facts: prerequisite(one),
    }
}

/// Returns the facts of a step: its action, its targets and its texts for people.
pub(super) fn step(step: &Step) -> Facts<'_> {
    // The two sides are matched by id, whose case does not count.
    let Step {
        id,
        title,
        line,
        lines,
        action,
    } = step;
    let mut facts = Facts::with_lines(lines, Some(*line));
    // Without a title the id is shown.
    facts.says(
        "title",
        Some(title.as_str()).filter(|title| !same_name(title, id)),
        Weighed::Exactly,
    );
    facts.says("action", Some(action.keyword()), Weighed::Exactly);
    match action {
        Action::Uninstall(selection) | Action::Install(InstallTargets::Chosen(selection)) => {
            selected(&mut facts, selection);
        }
        Action::Install(InstallTargets::RemovedBy { step, line: _ }) => {
            facts.says("removed_by", Some(step.as_str()), Weighed::AsNames);
        }
        Action::Copy { files, to } => {
            match files {
                CopyFiles::Named(files) => facts.names("files", None, files, Weighed::Exactly),
                // The resolved names count as if they were listed, since they change with the table
                // and the other steps.
                CopyFiles::Others { names, line } => {
                    facts.says("others", Some(true), Weighed::Exactly);
                    names.iter().for_each(|name| {
                        facts.name("files", name.as_str(), *line, Weighed::Exactly)
                    });
                }
            }
            match to {
                CopyTarget::Share => facts.says("to", Some("share"), Weighed::Exactly),
                CopyTarget::Servers { on, directory } => {
                    // A new directory gets the spelling that is given here.
                    facts.says(
                        "to",
                        Some(directory.as_ref().map_or(".", RelPath::as_str)),
                        Weighed::Exactly,
                    );
                    servers(&mut facts, Some(on));
                }
            }
        }
        Action::Run { files, on } => {
            facts.names("files", None, files, Weighed::Exactly);
            servers(&mut facts, Some(on));
        }
        Action::Initialize { items, parameters } => {
            selected(&mut facts, items);
            for (procedure, given) in parameters {
                given
                    .iter()
                    .for_each(|(name, text)| facts.entry("parameters", procedure, name, text));
            }
        }
        Action::Service {
            verb: _,
            service,
            on,
            platform,
        } => {
            facts.says("service", Some(service.as_str()), Weighed::AsNames);
            servers(&mut facts, on.as_ref());
            facts.says("platform", platform.as_deref(), Weighed::AsNames);
        }
        Action::Manual {
            instructions,
            undo,
            optional,
            on,
        } => {
            facts.says(
                "instructions",
                Some(instructions.as_str()),
                Weighed::Exactly,
            );
            facts.says("undo", undo.as_deref(), Weighed::Exactly);
            facts.holds("optional", *optional, !optional, Weighed::Exactly);
            servers(&mut facts, on.as_ref());
        }
    }
    facts
}

pub(super) fn whole_step(one: &Step) -> Whole<'_> {
    Whole {
        place: Place::Steps,
        of: one.id.clone(),
        what: "step",
        line: one.line,
        facts: step(one),
    }
}

/// Adds the facts of a selection. Members of a batch are done in the order of the deployment, so
/// the order here does not count.
fn selected<'m>(facts: &mut Facts<'m>, selection: &'m Selection) {
    let Selection {
        items,
        groups,
        on,
        platform,
    } = selection;
    for GroupItems { group, names } in items {
        facts.names("items", Some(&group.name), names, Weighed::AsNames);
    }
    facts.names("groups", None, groups, Weighed::AsNames);
    servers(facts, on.as_ref());
    facts.says("platform", platform.as_deref(), Weighed::AsNames);
}

fn servers(facts: &mut Facts<'_>, on: Option<&Servers>) {
    if let Some(Servers { role, platform }) = on {
        facts.says("on", Some(role.as_str()), Weighed::AsNames);
        facts.says("platform", platform.as_deref(), Weighed::AsNames);
    }
}

/// Returns the facts of a row of the file table, with its pin.
pub(super) fn file(row: &PayloadFile) -> Facts<'_> {
    let PayloadFile {
        name,
        size,
        modified,
        platform,
        version,
        unused,
        sha256,
        line,
        span: _,
    } = row;
    let mut facts = Facts::on_line(*line);
    // Matched without regard to case, but a copied file may get the table's spelling.
    facts.says("name", Some(name.as_str()), Weighed::Exactly);
    facts.says("size", *size, Weighed::Exactly);
    facts.says("modified", modified.map(moment), Weighed::Exactly);
    // `x86` is the default.
    facts.holds(
        "platform",
        platform.as_deref().unwrap_or("x86"),
        platform.is_none(),
        Weighed::AsNames,
    );
    facts.says("version", version.as_deref(), Weighed::Exactly);
    facts.says("unused", unused.as_deref(), Weighed::Exactly);
    facts.says(
        "sha256",
        sha256.map(|pin| pin.to_string()),
        Weighed::Exactly,
    );
    facts
}

pub(super) fn whole_file(row: &PayloadFile) -> Whole<'_> {
    Whole {
        place: Place::Payload,
        of: row.name.as_str().to_owned(),
        what: "file",
        line: row.line,
        facts: file(row),
    }
}

/// Returns a moment as a manifest has it.
fn moment(seconds: i64) -> Value {
    Value::Text(
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| seconds.to_string(), |time| time.to_string()),
    )
}
