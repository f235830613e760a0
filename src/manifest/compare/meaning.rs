//! Facts of each part of a manifest. Every struct is destructured without `..`: a field that is new
//! to the language has to be handled here before anything compiles.

use super::facts::{Equality, Facts};
use super::{FactValue, ManifestTable, Whole};
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
    facts.add("kb", Some(kb.to_string()), Equality::Exactly);
    facts.add("title", Some(title.as_str()), Equality::Exactly);
    facts.add("product", Some(product.as_str()), Equality::Exactly);
    facts.texts("product_versions", product_versions);
    facts.add("scope", scope.as_deref(), Equality::Exactly);
    facts.add("released", released.as_deref(), Equality::Exactly);
    facts.rollups("includes", includes);
    facts.rollups("replaces", replaces);
    facts.requirements("requires", requires);
    facts.texts("fixes", fixes);
    facts.texts("notes", notes);
    let mut article = Facts::with_lines(lines, None);
    article.add("url", url.as_deref(), Equality::Exactly);
    article.add_default(
        "revision",
        revision.as_str(),
        !lines.contains_key("revision"),
        Equality::AsVersions,
    );
    article.add("reviewed", reviewed.as_deref(), Equality::Exactly);
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
            facts.add("product", Some(product.as_str()), Equality::AsNames);
            facts.add_default(
                "service_pack",
                u64::from(*service_pack),
                *service_pack == 0,
                Equality::Exactly,
            );
            facts.add("on", on.as_deref(), Equality::AsNames);
        }
        Condition::Item { item } => facts.add("item", Some(item.as_str()), Equality::AsNames),
        Condition::Confirm { id, question } => {
            facts.add("id", Some(id.as_str()), Equality::AsNames);
            facts.add("confirm", Some(question.as_str()), Equality::Exactly);
        }
    }
    facts
}

/// Returns the name under which a prerequisite is reported.
pub(super) fn subject_name(prerequisite: &Prerequisite) -> &str {
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
        table: ManifestTable::Prerequisites,
        of: subject_name(one).to_owned(),
        key: "prerequisite",
        line: one.line,
        facts: prerequisite(one),
    }
}

/// Returns the facts of a step: its action, its targets and its texts for people.
pub(super) fn step(step: &Step) -> Facts<'_> {
    // Both sides are matched by id, regardless of case.
    let Step {
        id,
        title,
        line,
        lines,
        action,
    } = step;
    let mut facts = Facts::with_lines(lines, Some(*line));
    // Without a title the id is used.
    facts.add(
        "title",
        Some(title.as_str()).filter(|title| !same_name(title, id)),
        Equality::Exactly,
    );
    facts.add("action", Some(action.keyword()), Equality::Exactly);
    match action {
        Action::Uninstall(selection) | Action::Install(InstallTargets::Chosen(selection)) => {
            selected(&mut facts, selection);
        }
        Action::Install(InstallTargets::RemovedBy { step, line: _ }) => {
            facts.add("removed_by", Some(step.as_str()), Equality::AsNames);
        }
        Action::Copy { files, to } => {
            match files {
                CopyFiles::Named(files) => facts.names("files", None, files, Equality::Exactly),
                // The resolved names count as if they were listed, since they change with the table
                // and the other steps.
                CopyFiles::Others { names, line } => {
                    facts.add("others", Some(true), Equality::Exactly);
                    names.iter().for_each(|name| {
                        facts.name("files", name.as_str(), *line, Equality::Exactly)
                    });
                }
            }
            match to {
                CopyTarget::Share => facts.add("to", Some("share"), Equality::Exactly),
                CopyTarget::Servers { on, directory } => {
                    // A new directory gets the spelling that is given here.
                    facts.add(
                        "to",
                        Some(directory.as_ref().map_or(".", RelPath::as_str)),
                        Equality::Exactly,
                    );
                    servers(&mut facts, Some(on));
                }
            }
        }
        Action::Run { files, on } => {
            facts.names("files", None, files, Equality::Exactly);
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
            facts.add("service", Some(service.as_str()), Equality::AsNames);
            servers(&mut facts, on.as_ref());
            facts.add("platform", platform.as_deref(), Equality::AsNames);
        }
        Action::Manual {
            instructions,
            undo,
            optional,
            on,
        } => {
            facts.add(
                "instructions",
                Some(instructions.as_str()),
                Equality::Exactly,
            );
            facts.add("undo", undo.as_deref(), Equality::Exactly);
            facts.add_default("optional", *optional, !optional, Equality::Exactly);
            servers(&mut facts, on.as_ref());
        }
    }
    facts
}

pub(super) fn whole_step(one: &Step) -> Whole<'_> {
    Whole {
        table: ManifestTable::Steps,
        of: one.id.clone(),
        key: "step",
        line: one.line,
        facts: step(one),
    }
}

/// Adds the facts of a selection. The members of a batch run in the order of the deployment, so the
/// order here does not count.
fn selected<'m>(facts: &mut Facts<'m>, selection: &'m Selection) {
    let Selection {
        items,
        groups,
        on,
        platform,
    } = selection;
    for GroupItems { group, names } in items {
        facts.names("items", Some(&group.name), names, Equality::AsNames);
    }
    facts.names("groups", None, groups, Equality::AsNames);
    servers(facts, on.as_ref());
    facts.add("platform", platform.as_deref(), Equality::AsNames);
}

fn servers(facts: &mut Facts<'_>, on: Option<&Servers>) {
    if let Some(Servers { role, platform }) = on {
        facts.add("on", Some(role.as_str()), Equality::AsNames);
        facts.add("platform", platform.as_deref(), Equality::AsNames);
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
    facts.add("name", Some(name.as_str()), Equality::Exactly);
    facts.add("size", *size, Equality::Exactly);
    facts.add("modified", modified.map(time_value), Equality::Exactly);
    // `x86` is the default.
    facts.add_default(
        "platform",
        platform.as_deref().unwrap_or("x86"),
        platform.is_none(),
        Equality::AsNames,
    );
    facts.add("version", version.as_deref(), Equality::Exactly);
    facts.add("unused", unused.as_deref(), Equality::Exactly);
    facts.add(
        "sha256",
        sha256.map(|pin| pin.to_string()),
        Equality::Exactly,
    );
    facts
}

pub(super) fn whole_file(row: &PayloadFile) -> Whole<'_> {
    Whole {
        table: ManifestTable::Payload,
        of: row.name.as_str().to_owned(),
        key: "file",
        line: row.line,
        facts: file(row),
    }
}

/// Returns a time as a manifest spells it.
fn time_value(seconds: i64) -> FactValue {
    FactValue::Text(
        jiff::Timestamp::from_second(seconds)
            .map_or_else(|_| seconds.to_string(), |time| time.to_string()),
    )
}
