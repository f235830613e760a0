//! Text of the manifest, in the layout of a manifest that a person wrote.
//!
//! An unknown value is a `TODO`: a comment if the key may be left out, a value if it may not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::commands::QueuedAction;
use super::identity::ArticleIdentity;
use super::issues::Issues;
use super::prerequisites::{ArticlePrerequisite, Prerequisites};
use super::relations::Relations;
use super::steps::{ArticleStep, ItemSelection, ManualWork, Parameter, StepAction, StepServers};
use super::table::{ArticleRow, ArticleTable};
use super::walk::WalkResult;
use super::{ImportSummary, ImportedArticle, Located, OpenQuestion};
use rollup_names::{CaseFolded, grouped};

/// Results of all other stages.
pub(super) struct ArticleFacts {
    /// Line of a hidden element that is never closed, so that the rest of the page is hidden.
    pub(super) unclosed_at: Option<u32>,
    pub(super) identity: ArticleIdentity,
    pub(super) relations: Relations,
    pub(super) prerequisites: Prerequisites,
    pub(super) issues: Issues,
    pub(super) walked: WalkResult,
    pub(super) table: ArticleTable,
}

/// Writes the draft.
pub(super) fn write_draft(mut facts: ArticleFacts) -> ImportedArticle {
    for step in &mut facts.walked.steps {
        if let StepAction::Manual(work) = &mut step.action {
            work.add_files(&facts.table.rows);
        }
    }
    let mut draft = DraftWriter::default();
    draft.head(&facts.identity);
    if let Some(line) = facts.unclosed_at {
        let message = "a comment, a script or another hidden element is never closed, so nothing below it was read; \
             save the page again";
        draft.todo(message, Some(line));
    }
    draft.rollup(&facts);
    draft.article(&facts.identity);
    draft.prerequisites(&facts.prerequisites);
    draft.questions(&facts.walked.open);
    for step in &facts.walked.steps {
        draft.step(step, &facts.walked.steps);
    }
    if facts.walked.steps.is_empty() {
        draft.no_steps();
    }
    draft.payload(&facts.table, &facts.walked.steps);
    let manual = facts
        .walked
        .steps
        .iter()
        .filter(|step| matches!(step.action, StepAction::Manual(_)))
        .count();
    let found = ImportSummary {
        kb: facts.identity.kb.as_ref().map(|kb| kb.value.to_string()),
        steps: facts.walked.steps.len(),
        manual,
        files: facts.table.rows.len(),
        prerequisites: facts.prerequisites.entries.len(),
        fixes: facts.issues.fixes.len(),
    };
    ImportedArticle {
        draft: draft.text,
        open: draft.open,
        installation: facts.walked.installation,
        found,
        origins: draft.origins,
    }
}

/// Draft as it is written.
#[derive(Default)]
struct DraftWriter {
    text: String,
    /// For each line of the text, the line of the article.
    origins: Vec<Option<u32>>,
    open: Vec<OpenQuestion>,
}

impl DraftWriter {
    fn line(&mut self, text: &str, origin: Option<u32>) {
        self.text.push_str(text);
        self.text.push('\n');
        self.origins.push(origin);
    }

    fn blank(&mut self) {
        self.line("", None);
    }

    /// Adds an open question, as a comment and as an entry of the report.
    fn todo(&mut self, message: &str, line: Option<u32>) {
        let place = line
            .map(|line| format!(" (article, line {line})"))
            .unwrap_or_default();
        self.line(&format!("# TODO {}{place}", one_line(message)), line);
        self.open.push(OpenQuestion {
            line,
            message: message.to_owned(),
        });
    }

    fn key(&mut self, key: &str, value: &Located<String>) {
        self.line(
            &format!("{key} = {}", quoted(&value.value)),
            // A value that a person gave has no line.
            Some(value.line).filter(|line| *line > 0),
        );
    }

    /// Adds a key that is required.
    fn required(&mut self, key: &str, value: Option<&Located<String>>, description: &str) {
        match value {
            Some(value) => self.key(key, value),
            None => {
                self.line(
                    &format!("{key} = {}", quoted(&format!("TODO {description}"))),
                    None,
                );
                self.open.push(OpenQuestion {
                    line: None,
                    message: format!("`{key}`: the article does not give {description}"),
                });
            }
        }
    }

    fn head(&mut self, identity: &ArticleIdentity) {
        let kb = identity
            .kb
            .as_ref()
            .map_or("an article".to_owned(), |kb| kb.value.to_string());
        self.line(
            &format!(
                "# Draft from the text of {kb}: compare every line with the article, decide what is open, and then run"
            ),
            None,
        );
        self.line(
            "# `rollup validate`. Names, sizes, dates and their spelling are the vendor's.",
            None,
        );
        self.line("schema = 1", None);
        self.blank();
    }

    fn rollup(&mut self, facts: &ArticleFacts) {
        let ArticleFacts {
            identity,
            relations,
            issues,
            ..
        } = facts;
        self.line("[rollup]", None);
        let kb = identity
            .kb
            .as_ref()
            .map(|kb| Located::new(kb.value.to_string(), kb.line));
        self.required("kb", kb.as_ref(), "the KB number of the rollup");
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
                self.open.push(OpenQuestion {
                    line: None,
                    message:
                        "`product_versions`: the article does not give the versions of the product"
                            .to_owned(),
                });
            }
        }
        identity
            .scope
            .iter()
            .for_each(|scope| self.key("scope", scope));
        if let Some(day) = &identity.released {
            self.line(&format!("released = {}", day.value), Some(day.line));
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
        for open in identity
            .open
            .iter()
            .chain(&relations.open)
            .chain(&issues.open)
        {
            self.todo(&open.message, open.line);
        }
    }

    fn texts(&mut self, key: &str, texts: &[Located<String>]) {
        if texts.is_empty() {
            return;
        }
        self.line(&format!("{key} = ["), None);
        texts
            .iter()
            .for_each(|text| self.line(&format!("  {},", quoted(&text.value)), Some(text.line)));
        self.line("]", None);
    }

    fn article(&mut self, identity: &ArticleIdentity) {
        self.blank();
        self.line("[article]", None);
        match &identity.url {
            Some(url) if identity.url_is_derived => self.line(
                &format!(
                    "url = {}    # derived from the address of another article",
                    quoted(&url.value)
                ),
                Some(url.line),
            ),
            Some(url) => self.key("url", url),
            // The key may be left out, and an address that the article does not give cannot be
            // decided.
            None => {}
        }
        if let Some(revision) = &identity.revision {
            self.key(
                "revision",
                &Located::new(revision.value.to_string(), revision.line),
            );
        }
        if let Some(day) = &identity.reviewed {
            self.line(&format!("reviewed = {}", day.value), Some(day.line));
        }
        let missing = [
            (identity.released.is_none(), "`released`"),
            (
                identity.revision.is_none(),
                "`revision`, which then counts as 1.0",
            ),
            (identity.reviewed.is_none(), "`reviewed`"),
        ];
        let missing: Vec<&str> = missing
            .into_iter()
            .filter(|(is_missing, _)| *is_missing)
            .map(|(_, key)| key)
            .collect();
        if !missing.is_empty() {
            self.todo(
                &format!("the article does not give {}", missing.join(", ")),
                None,
            );
        }
    }

    fn prerequisites(&mut self, prerequisites: &Prerequisites) {
        for Located { value, line } in &prerequisites.entries {
            self.blank();
            for open in prerequisites.open.iter().filter(|open| {
                open.line == Some(*line) && matches!(value, ArticlePrerequisite::Confirm { .. })
            }) {
                self.line(
                    &format!("# TODO {} (article, line {line})", one_line(&open.message)),
                    Some(*line),
                );
            }
            let line = Some(*line);
            self.line("[[prerequisites]]", line);
            match value {
                ArticlePrerequisite::Product {
                    product,
                    service_pack,
                    on,
                } => {
                    self.line(&format!("product = {}", quoted(product)), line);
                    self.line(&format!("service_pack = {service_pack}                 # or later, on every server that has the product"), line);
                    on.iter()
                        .for_each(|on| self.line(&format!("on = {}", quoted(on)), line));
                }
                ArticlePrerequisite::Item(item) => {
                    self.line(&format!("item = {}", quoted(item)), line)
                }
                ArticlePrerequisite::Confirm { id, question } => {
                    self.line(&format!("confirm = {}", quoted(question)), line);
                    self.line(&format!("id = {}", quoted(id)), line);
                }
            }
        }
        self.open.extend(prerequisites.open.iter().cloned());
    }

    fn step(&mut self, step: &ArticleStep, steps: &[ArticleStep]) {
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
        match &step.action {
            StepAction::Batch(kind, selection) => self.batch(*kind, selection, at),
            StepAction::Reinstall(of) => {
                self.line("action = \"install\"", at);
                let id = of
                    .and_then(|of| steps.get(of))
                    .map_or("TODO", |step| step.id.as_str());
                self.line(&format!("removed_by = {}", quoted(id)), at);
            }
            StepAction::Copy { files, to, on } => {
                self.line("action = \"copy\"", at);
                self.line(&format!("to = {}", quoted(to)), at);
                self.servers(on.as_ref(), at);
                self.files(files, at);
            }
            StepAction::Run { files, on } => {
                self.line("action = \"run\"", at);
                self.servers(on.as_ref(), at);
                self.files(files, at);
            }
            StepAction::Service { verb, service, on } => {
                self.line(&format!("action = {}", quoted(verb.keyword())), at);
                self.line(&format!("service = {}", quoted(service)), at);
                self.servers(on.as_ref(), at);
            }
            StepAction::Manual(work) => self.manual_work(work, at),
        }
    }

    fn manual_work(&mut self, work: &ManualWork, at: Option<u32>) {
        self.line("action = \"manual\"", at);
        work.role().iter().for_each(|role| self.key("on", role));
        self.line(
            &format!("instructions = {}", quoted(&instructions(&work.lines))),
            at,
        );
        if !work.files.is_empty() {
            self.files(&work.files, at);
        }
        work.undo.iter().for_each(|undo| self.key("undo", undo));
        if work.optional {
            self.line("optional = true", at);
        }
    }

    fn servers(&mut self, servers: Option<&StepServers>, at: Option<u32>) {
        if let Some(StepServers { role, platform }) = servers {
            self.line(&format!("on = {}", quoted(role)), at);
            platform
                .iter()
                .for_each(|platform| self.line(&format!("platform = {}", quoted(platform)), at));
        }
    }

    fn batch(&mut self, kind: QueuedAction, selection: &ItemSelection, at: Option<u32>) {
        let action = match kind {
            QueuedAction::Uninstall => "uninstall",
            QueuedAction::Install => "install",
            QueuedAction::Initialize => "initialize",
        };
        self.line(&format!("action = {}", quoted(action)), at);
        if selection.is_empty() {
            self.line("groups = [\"TODO the groups\"]", at);
            self.open.push(OpenQuestion {
                line: at,
                message: format!(
                    "the article names no items and no groups for the step `{action}`"
                ),
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

    fn files(&mut self, names: &[Located<String>], at: Option<u32>) {
        if names.is_empty() {
            self.line("files = [\"TODO\"]", at);
            self.open.push(OpenQuestion {
                line: at,
                message: "the article does not name the files of this step".to_owned(),
            });
            return;
        }
        self.line("files = [", at);
        names
            .iter()
            .for_each(|name| self.line(&format!("  {},", quoted(&name.value)), Some(name.line)));
        self.line("]", None);
    }

    /// Adds questions about the procedure as a whole.
    fn questions(&mut self, open: &[OpenQuestion]) {
        if !open.is_empty() {
            self.blank();
        }
        for open in open {
            self.todo(&open.message, open.line);
        }
    }

    fn no_steps(&mut self) {
        self.blank();
        self.todo(
            "no installation steps were found: there is no heading such as `Installation information`, and no numbered \
             step of the console",
            None,
        );
        self.line("[[steps]]", None);
        self.line("id = \"manual\"", None);
        self.line("action = \"manual\"", None);
        self.line(
            "instructions = \"TODO no installation steps were found in the article\"",
            None,
        );
    }

    fn payload(&mut self, table: &ArticleTable, steps: &[ArticleStep]) {
        self.blank();
        if table.rows.is_empty() && !table.unread {
            self.todo(
                "no file table was found: no line names its columns, such as `File name`, `Size`, `Date`",
                None,
            );
        }
        for open in &table.open {
            self.todo(&open.message, open.line);
        }
        self.line(
            "[payload]                        # sizes in bytes, times in UTC",
            table.head,
        );
        if table.rows.is_empty() {
            self.line("files = []", None);
            return;
        }
        let deployed = deployed(steps);
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
        for Located { value: row, line } in &table.rows {
            let name = CaseFolded::of(&row.name);
            self.row(row, *line, width, deployed.contains(&name));
        }
        self.line("]", None);
        self.pins(table);
        for name in deployed.into_iter().filter(|name| !known.contains(name)) {
            self.open.push(OpenQuestion {
                line: None,
                message: format!(
                    "`{}` is copied or run, but is missing from the file table",
                    name.as_str()
                ),
            });
        }
    }

    /// Writes the hashes that the article documents as pins.
    fn pins(&mut self, table: &ArticleTable) {
        if table.pins.is_empty() {
            return;
        }
        self.blank();
        self.line("[payload.sha256]                 # documented by the article, not computed from a payload", None);
        for Located {
            value: (name, hash),
            line,
        } in &table.pins
        {
            self.line(&format!("{} = {}", quoted(name), quoted(hash)), Some(*line));
        }
    }

    fn row(&mut self, row: &ArticleRow, line: u32, width: usize, is_used: bool) {
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
        let text = text.trim_end().trim_end_matches(',');
        let mut remarks = Vec::new();
        if !is_used {
            remarks.push("not used by any step".to_owned());
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

/// Returns folded names of the files that steps copy or run.
fn deployed(steps: &[ArticleStep]) -> BTreeSet<CaseFolded> {
    let mut names = BTreeSet::new();
    for step in steps {
        let files = match &step.action {
            StepAction::Copy { files, .. } | StepAction::Run { files, .. } => files,
            StepAction::Manual(work) => &work.files,
            _ => continue,
        };
        names.extend(files.iter().map(|file| CaseFolded::of(&file.value)));
    }
    names
}

/// Returns the text of a manual step: the numbers of the article's lines, and their texts.
fn instructions(lines: &[Located<String>]) -> String {
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
