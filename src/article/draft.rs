//! Text of the manifest, in the layout of a manifest that a person wrote.
//!
//! An unknown value is a `TODO`: a comment if the key may be left out, a value if it may not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::commands::Queued;
use super::identity::Identity;
use super::issues::Issues;
use super::prerequisites::{Asked, Prerequisites};
use super::relations::Relations;
use super::steps::{ByHand, Does, Listed, Parameter, Selection, Servers, Step, keyword};
use super::table::{Row, Table};
use super::walk::Walked;
use super::{Found, Imported, Open, Said};
use crate::names::{CaseFolded, grouped};

/// Results of all other stages.
pub(super) struct Parts {
    /// Line at which a page begins to hide the rest of itself.
    pub(super) breaks_off: Option<u32>,
    pub(super) identity: Identity,
    pub(super) relations: Relations,
    pub(super) asked: Prerequisites,
    pub(super) issues: Issues,
    pub(super) walked: Walked,
    pub(super) table: Table,
}

/// Writes the draft.
pub(super) fn write(parts: Parts) -> Imported {
    let mut page = Page::default();
    page.head(&parts.identity);
    if let Some(line) = parts.breaks_off {
        let what = "the page breaks off: something that is not shown, such as a comment or a script, begins here and is never \
             closed, and nothing below was read; save it again";
        page.todo(what, Some(line));
    }
    page.rollup(&parts);
    page.article(&parts.identity);
    page.prerequisites(&parts.asked);
    for step in &parts.walked.steps {
        page.step(step, &parts.walked.steps, &parts.table);
    }
    if parts.walked.steps.is_empty() {
        page.no_steps();
    }
    page.open.extend(parts.walked.open.iter().cloned());
    page.payload(&parts.table, &parts.walked.steps);
    let manual = parts
        .walked
        .steps
        .iter()
        .filter(|step| matches!(step.does, Does::Manual(_)))
        .count();
    let found = Found {
        kb: parts.identity.kb.as_ref().map(|kb| kb.value.to_string()),
        steps: parts.walked.steps.len(),
        manual,
        files: parts.table.rows.len(),
        prerequisites: parts.asked.asked.len(),
        fixes: parts.issues.fixes.len(),
    };
    Imported {
        draft: page.text,
        open: page.open,
        accounted: parts.walked.accounted,
        found,
        origins: page.origins,
    }
}

/// Text, and for each of its lines the line of the article.
#[derive(Default)]
struct Page {
    text: String,
    origins: Vec<Option<u32>>,
    open: Vec<Open>,
}

impl Page {
    fn line(&mut self, text: &str, origin: Option<u32>) {
        self.text.push_str(text);
        self.text.push('\n');
        self.origins.push(origin);
    }

    fn blank(&mut self) {
        self.line("", None);
    }

    /// Adds a comment that describes what to decide, and its entry in the report.
    fn todo(&mut self, what: &str, line: Option<u32>) {
        let place = line
            .map(|line| format!(" (article, line {line})"))
            .unwrap_or_default();
        self.line(&format!("# TODO {}{place}", one_line(what)), line);
        self.open.push(Open {
            line,
            what: what.to_owned(),
        });
    }

    fn key(&mut self, key: &str, value: &Said<String>) {
        self.line(
            &format!("{key} = {}", quoted(&value.value)),
            Some(value.line),
        );
    }

    /// Adds a key that is required.
    fn required(&mut self, key: &str, value: Option<&Said<String>>, what: &str) {
        match value {
            Some(value) => self.key(key, value),
            None => {
                self.line(
                    &format!("{key} = {}", quoted(&format!("TODO {what}"))),
                    None,
                );
                self.open.push(Open {
                    line: None,
                    what: format!("`{key}`: {what}"),
                });
            }
        }
    }

    fn head(&mut self, identity: &Identity) {
        let kb = identity
            .kb
            .as_ref()
            .map_or("an article".to_owned(), |kb| kb.value.to_string());
        self.line(
            &format!(
                "# A draft from the text of {kb}: compare every line with the article, decide each TODO, and then"
            ),
            None,
        );
        self.line(
            "# `rollup validate` it. Names, sizes, dates and their spelling are the vendor's.",
            None,
        );
        self.line("schema = 1", None);
        self.blank();
    }

    fn rollup(&mut self, parts: &Parts) {
        let Parts {
            identity,
            relations,
            issues,
            ..
        } = parts;
        self.line("[rollup]", None);
        let kb = identity
            .kb
            .as_ref()
            .map(|kb| Said::new(kb.value.to_string(), kb.line));
        self.required("kb", kb.as_ref(), "the KB number of the article");
        self.required("title", identity.title.as_ref(), "the title of the rollup");
        self.required(
            "product",
            identity.product.as_ref(),
            "the product that is updated",
        );
        match identity.versions.first() {
            Some(first) => {
                let versions: Vec<_> = identity
                    .versions
                    .iter()
                    .map(|version| quoted(&version.value))
                    .collect();
                self.line(
                    &format!("product_versions = [{}]", versions.join(", ")),
                    Some(first.line),
                );
            }
            None => {
                self.line("product_versions = [\"TODO\"]", None);
                self.open.push(Open {
                    line: None,
                    what: "`product_versions`: the versions that it is for".to_owned(),
                });
            }
        }
        identity
            .scope
            .iter()
            .for_each(|scope| self.key("scope", scope));
        match &identity.released {
            Some(day) => self.line(&format!("released = {}", day.value), Some(day.line)),
            None => self.todo(
                "`released`: the day of the release is not in the article",
                None,
            ),
        }
        for (key, list) in [
            ("includes", &relations.includes),
            ("replaces", &relations.replaces),
            ("requires", &relations.requires),
        ] {
            if let Some(first) = list.first() {
                let numbers: Vec<_> = list
                    .iter()
                    .map(|kb| quoted(&kb.value.to_string()))
                    .collect();
                self.line(
                    &format!("{key} = [{}]", numbers.join(", ")),
                    Some(first.line),
                );
            }
        }
        self.texts("fixes", &issues.fixes);
        self.texts("notes", &issues.notes);
        for open in &identity.open {
            self.todo(&open.what, open.line);
        }
    }

    fn texts(&mut self, key: &str, texts: &[Said<String>]) {
        if texts.is_empty() {
            return;
        }
        self.line(&format!("{key} = ["), None);
        texts
            .iter()
            .for_each(|text| self.line(&format!("  {},", quoted(&text.value)), Some(text.line)));
        self.line("]", None);
    }

    fn article(&mut self, identity: &Identity) {
        self.blank();
        self.line("[article]", None);
        match &identity.url {
            Some(url) if identity.url_is_derived => self.line(
                &format!(
                    "url = {}    # made like that of another article in it",
                    quoted(&url.value)
                ),
                Some(url.line),
            ),
            Some(url) => self.key("url", url),
            // The key may be left out, and an address that the article does not give cannot be
            // decided.
            None => {}
        }
        match &identity.revision {
            Some(revision) => self.key(
                "revision",
                &Said::new(revision.value.to_string(), revision.line),
            ),
            None => self.todo(
                "`revision`: the article does not tell its revision; without one it counts as 1.0",
                None,
            ),
        }
        match &identity.reviewed {
            Some(day) => self.line(&format!("reviewed = {}", day.value), Some(day.line)),
            None => self.todo(
                "`reviewed`: the article does not tell when it was last reviewed",
                None,
            ),
        }
    }

    fn prerequisites(&mut self, asked: &Prerequisites) {
        for Said { value, line } in &asked.asked {
            self.blank();
            for open in asked
                .open
                .iter()
                .filter(|open| open.line == Some(*line) && matches!(value, Asked::Confirm { .. }))
            {
                self.line(
                    &format!("# TODO {} (article, line {line})", one_line(&open.what)),
                    Some(*line),
                );
            }
            let line = Some(*line);
            self.line("[[prerequisites]]", line);
            match value {
                Asked::Product {
                    product,
                    service_pack,
                    on,
                } => {
                    self.line(&format!("product = {}", quoted(product)), line);
                    self.line(&format!("service_pack = {service_pack}                 # or later, on every server that has the product"), line);
                    on.iter()
                        .for_each(|on| self.line(&format!("on = {}", quoted(on)), line));
                }
                Asked::Item(item) => self.line(&format!("item = {}", quoted(item)), line),
                Asked::Confirm { id, question } => {
                    self.line(&format!("confirm = {}", quoted(question)), line);
                    self.line(&format!("id = {}", quoted(id)), line);
                }
            }
        }
        self.open.extend(asked.open.iter().cloned());
    }

    fn step(&mut self, step: &Step, steps: &[Step], table: &Table) {
        let at = Some(step.line);
        self.blank();
        for todo in &step.todo {
            self.todo(
                &format!("step `{}`: {}", step.id, todo.value),
                Some(todo.line),
            );
        }
        self.line("[[steps]]", at);
        self.line(&format!("id = {}", quoted(&step.id)), at);
        step.title
            .iter()
            .for_each(|title| self.line(&format!("title = {}", quoted(title)), at));
        match &step.does {
            Does::Batch(kind, selection) => self.batch(*kind, selection, at),
            Does::Reinstall(of) => {
                self.line("action = \"install\"", at);
                let id = of
                    .and_then(|of| steps.get(of))
                    .map_or("TODO", |step| step.id.as_str());
                self.line(&format!("removed_by = {}", quoted(id)), at);
            }
            Does::Copy { files, to, on } => {
                self.line("action = \"copy\"", at);
                self.line(&format!("to = {}", quoted(to)), at);
                self.servers(on.as_ref(), at);
                self.files(files, table, at);
            }
            Does::Run { files, on } => {
                self.line("action = \"run\"", at);
                self.servers(on.as_ref(), at);
                self.files(files, table, at);
            }
            Does::Service { verb, service, on } => {
                self.line(&format!("action = {}", quoted(keyword(*verb))), at);
                self.line(&format!("service = {}", quoted(service)), at);
                self.servers(on.as_ref(), at);
            }
            Does::Manual(by_hand) => self.by_hand(by_hand, at),
        }
    }

    fn by_hand(&mut self, by_hand: &ByHand, at: Option<u32>) {
        self.line("action = \"manual\"", at);
        by_hand.role().iter().for_each(|role| self.key("on", role));
        self.line(
            &format!("instructions = {}", quoted(&instructions(&by_hand.lines))),
            at,
        );
        by_hand.undo.iter().for_each(|undo| self.key("undo", undo));
        if by_hand.optional {
            self.line("optional = true", at);
        }
    }

    fn servers(&mut self, servers: Option<&Servers>, at: Option<u32>) {
        if let Some(Servers { role, platform }) = servers {
            self.line(&format!("on = {}", quoted(role)), at);
            platform
                .iter()
                .for_each(|platform| self.line(&format!("platform = {}", quoted(platform)), at));
        }
    }

    fn batch(&mut self, kind: Queued, selection: &Selection, at: Option<u32>) {
        let action = match kind {
            Queued::Uninstall => "uninstall",
            Queued::Install => "install",
            Queued::Initialize => "initialize",
        };
        self.line(&format!("action = {}", quoted(action)), at);
        if selection.is_empty() {
            self.line("groups = [\"TODO what\"]", at);
            self.open.push(Open {
                line: at,
                what: format!("what the step `{action}` is about"),
            });
        }
        for (group, names) in &selection.items {
            self.line(
                &format!("items.{} = [", quoted(&group.value)),
                Some(group.line),
            );
            names.iter().for_each(|name| {
                self.line(&format!("  {},", quoted(&name.value)), Some(name.line))
            });
            self.line("]", None);
        }
        if let Some(first) = selection.groups.first() {
            let groups: Vec<_> = selection
                .groups
                .iter()
                .map(|group| quoted(&group.value))
                .collect();
            self.line(
                &format!("groups = [{}]", groups.join(", ")),
                Some(first.line),
            );
        }
        self.parameters(&selection.parameters);
    }

    fn parameters(&mut self, given: &[Parameter]) {
        let mut procedures: BTreeMap<&str, Vec<&Parameter>> = BTreeMap::new();
        for parameter in given {
            procedures
                .entry(&parameter.procedure)
                .or_default()
                .push(parameter);
        }
        for (procedure, given) in procedures {
            let value = |given: &&Parameter| {
                format!("{} = {}", key(&given.name), quoted(&given.value.value))
            };
            let values: Vec<_> = given.iter().map(value).collect();
            let line = given.first().map(|given| given.value.line);
            self.line(
                &format!(
                    "parameters.{} = {{ {} }}",
                    quoted(procedure),
                    values.join(", ")
                ),
                line,
            );
        }
    }

    fn files(&mut self, files: &Listed, table: &Table, at: Option<u32>) {
        let names: Vec<Said<String>> = match files {
            Listed::Others | Listed::OthersBut(_) => return self.line("others = true", at),
            Listed::Named(names) => names.clone(),
            Listed::Ending(ending) => {
                let fits = |row: &&Said<Row>| {
                    row.value
                        .name
                        .to_lowercase()
                        .ends_with(&format!(".{ending}"))
                };
                table
                    .rows
                    .iter()
                    .filter(fits)
                    .map(|row| Said::new(row.value.name.clone(), row.line))
                    .collect()
            }
        };
        if names.is_empty() {
            self.line("files = [\"TODO\"]", at);
            self.open.push(Open {
                line: at,
                what: "which files are meant".to_owned(),
            });
            return;
        }
        self.line("files = [", at);
        names
            .iter()
            .for_each(|name| self.line(&format!("  {},", quoted(&name.value)), Some(name.line)));
        self.line("]", None);
    }

    fn no_steps(&mut self) {
        self.blank();
        self.todo("no installation steps were found: a heading such as `Installation information`, or numbered steps of the console", None);
        self.line("[[steps]]", None);
        self.line("id = \"manual\"", None);
        self.line("action = \"manual\"", None);
        self.line(
            "instructions = \"TODO no installation steps were found in the article\"",
            None,
        );
    }

    fn payload(&mut self, table: &Table, steps: &[Step]) {
        self.blank();
        if table.rows.is_empty() && !table.headless {
            self.todo(
                "no file table was found: a line that names its columns, such as `File name`, `Size`, `Date`",
                None,
            );
        }
        for open in &table.open {
            self.todo(&open.what, open.line);
        }
        self.line(
            "[payload]                        # sizes in bytes, times in UTC",
            table.head,
        );
        if table.rows.is_empty() {
            self.line("files = []", None);
            return;
        }
        let deployed = deployed(steps, table);
        let left_out = left_out(steps);
        let known: BTreeSet<CaseFolded> = table
            .rows
            .iter()
            .map(|row| CaseFolded::of(&row.value.name))
            .collect();
        self.line("files = [", table.head);
        let width = table
            .rows
            .iter()
            .map(|row| quoted(&row.value.name).chars().count())
            .max()
            .unwrap_or_default()
            .min(60);
        for Said { value: row, line } in &table.rows {
            let name = CaseFolded::of(&row.name);
            let fate = match &deployed {
                _ if left_out.contains(&name) => Fate::LeftOut,
                Some(names) if !names.contains(&name) => Fate::InNoStep,
                _ => Fate::Used,
            };
            self.row(row, *line, width, fate);
        }
        self.line("]", None);
        for name in deployed
            .into_iter()
            .flatten()
            .filter(|name| !known.contains(name))
        {
            self.open.push(Open {
                line: None,
                what: format!(
                    "`{}` is copied or run, and the file table does not have it",
                    name.as_str()
                ),
            });
        }
    }

    fn row(&mut self, row: &Row, line: u32, width: usize, fate: Fate) {
        if let Some(todo) = &row.todo {
            self.line(
                &format!(
                    "  # TODO `{}`: {} (article, line {line})",
                    row.name,
                    one_line(todo)
                ),
                Some(line),
            );
            self.open.push(Open {
                line: Some(line),
                what: format!("`{}`: {todo}", row.name),
            });
        }
        let name = format!("{},", quoted(&row.name));
        let mut text = format!("  {{ name = {name:<width$}", width = width + 1);
        let mut key = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                let _ = write!(text, " {key} = {value},");
            }
        };
        key("size", row.size.map(|size| grouped(size, '_')));
        key("modified", row.modified.clone());
        key("version", row.version.as_deref().map(quoted));
        key("platform", row.platform.as_deref().map(quoted));
        let unused = "the article leaves it out of what is copied";
        key("unused", (fate == Fate::LeftOut).then(|| quoted(unused)));
        let text = text.trim_end().trim_end_matches(',');
        let mut remarks = Vec::new();
        if fate == Fate::InNoStep {
            remarks.push("in no step".to_owned());
        }
        remarks.extend(row.settled.clone());
        let remark = if remarks.is_empty() {
            String::new()
        } else {
            format!("  # {}", remarks.join("; "))
        };
        self.line(&format!("{text} }},{remark}"), Some(line));
    }
}

/// Use of a row of the file table by the steps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Used,
    InNoStep,
    /// Excluded by a step that takes all others.
    LeftOut,
}

/// Returns folded names of the files that a step leaves out and no other step takes.
fn left_out(steps: &[Step]) -> BTreeSet<CaseFolded> {
    let files = || {
        steps.iter().filter_map(|step| match &step.does {
            Does::Copy { files, .. } | Does::Run { files, .. } => Some(files),
            _ => None,
        })
    };
    let mut names: BTreeSet<CaseFolded> = BTreeSet::new();
    for files in files() {
        if let Listed::OthersBut(files) = files {
            names.extend(files.iter().map(|file| CaseFolded::of(file)));
        }
    }
    for files in files() {
        if let Listed::Named(files) = files {
            for file in files {
                names.remove(&CaseFolded::of(&file.value));
            }
        }
    }
    names
}

/// Returns folded names of the files that steps copy or run; nothing if a step takes all others.
fn deployed(steps: &[Step], table: &Table) -> Option<BTreeSet<CaseFolded>> {
    let mut names = BTreeSet::new();
    for step in steps {
        match &step.does {
            Does::Copy { files, .. } | Does::Run { files, .. } => match files {
                Listed::Named(files) => {
                    names.extend(files.iter().map(|file| CaseFolded::of(&file.value)))
                }
                Listed::Others | Listed::OthersBut(_) => return None,
                Listed::Ending(ending) => names.extend(
                    table
                        .rows
                        .iter()
                        .map(|row| &row.value.name)
                        .filter(|name| name.to_lowercase().ends_with(ending))
                        .map(|name| CaseFolded::of(name)),
                ),
            },
            _ => {}
        }
    }
    Some(names)
}

/// Returns the text of a manual step: the lines of the article to look at, and their content.
fn instructions(lines: &[Said<String>]) -> String {
    let (first, last) = (
        lines.first().map_or(0, |line| line.line),
        lines.last().map_or(0, |line| line.line),
    );
    let place = if first == last {
        format!("line {first}")
    } else {
        format!("lines {first}-{last}")
    };
    let texts: Vec<_> = lines.iter().map(|line| line.value.as_str()).collect();
    format!("Article, {place}: {}", texts.join(" / "))
}

/// Returns a key as TOML writes it: bare if it can be.
fn key(name: &str) -> String {
    let bare = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if bare { name.to_owned() } else { quoted(name) }
}

/// Returns a text as TOML writes it.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04X}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Replaces control characters by spaces, since a comment ends with its line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
