//! Text of the manifest, in the layout of a manifest that a person wrote.
//!
//! An unknown value is a `TODO`: a comment if the key may be left out, a value if it may not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{Display, Write};

use super::identity::ArticleIdentity;
use super::issues::Issues;
use super::prerequisites::{ArticlePrerequisite, Prerequisites};
use super::relations::Relations;
use super::steps::{ArticleStep, ItemSelection, ManualWork, Parameter, StepAction, StepServers};
use super::table::{ArticleRow, ArticleTable};
use super::walk::WalkResult;
use super::{ImportSummary, ImportedArticle, Located, OpenQuestion, lines_text};
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
    let mut manual = 0;
    for step in &mut facts.walked.steps {
        if let StepAction::Manual(work) = &mut step.action {
            work.add_files(&facts.table.rows);
            manual += 1;
        }
    }
    let kb = facts.identity.kb.as_ref().map(|kb| kb.value.to_string());
    let steps = &facts.walked.steps;
    let mut draft = DraftWriter::default();
    draft.head(&facts, kb.as_deref());
    draft.rollup(&facts);
    draft.article(&facts.identity);
    draft.prerequisites(&facts.prerequisites);
    if !facts.walked.open.is_empty() {
        draft.line("", 0);
    }
    draft.todos(&facts.walked.open);
    for step in steps {
        draft.step(step, steps);
    }
    if steps.is_empty() {
        draft.no_steps();
    }
    draft.payload(&facts.table, steps);
    let found = ImportSummary {
        kb,
        steps: steps.len(),
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

/// Draft as it is written. Line 0 of the article is none: a value that a person gave has no line.
#[derive(Default)]
struct DraftWriter {
    text: String,
    /// For each line of the text, the line of the article.
    origins: Vec<Option<u32>>,
    open: Vec<OpenQuestion>,
}

impl DraftWriter {
    fn line(&mut self, text: &str, origin: u32) {
        self.text.push_str(text);
        self.text.push('\n');
        self.origins.push(Some(origin).filter(|line| *line > 0));
    }

    fn key(&mut self, key: &str, value: &str, origin: u32) {
        self.line(&format!("{key} = {}", quoted(value)), origin);
    }

    /// Adds a list on one line.
    fn list<T: Display>(&mut self, key: &str, values: &[Located<T>]) {
        if let Some(first) = values.first() {
            let values = values.iter().map(|value| quoted(&value.value.to_string()));
            let values: Vec<String> = values.collect();
            self.line(&format!("{key} = [{}]", values.join(", ")), first.line);
        }
    }

    /// Adds a list with a line for each text.
    fn texts(&mut self, key: &str, texts: &[Located<String>], origin: u32) {
        if texts.is_empty() {
            return;
        }
        self.line(&format!("{key} = ["), origin);
        for text in texts {
            self.line(&format!("  {},", quoted(&text.value)), text.line);
        }
        self.line("]", 0);
    }

    /// Adds an open question to the report only, since the draft has a `TODO` as a value.
    fn report(&mut self, line: u32, message: impl Into<String>) {
        let line = Some(line).filter(|line| *line > 0);
        let message = message.into();
        self.open.push(OpenQuestion { line, message });
    }

    /// Adds an open question, as a comment and as an entry of the report.
    fn todo(&mut self, message: &str, line: u32) {
        self.comment(message, line);
        self.report(line, message);
    }

    fn comment(&mut self, message: &str, line: u32) {
        // A comment ends with its line.
        let message = message.replace(char::is_control, " ");
        let place = match line {
            0 => String::new(),
            line => format!(" (article, line {line})"),
        };
        self.line(&format!("# TODO {message}{place}"), line);
    }

    fn todos(&mut self, open: &[OpenQuestion]) {
        for open in open {
            self.todo(&open.message, open.line.unwrap_or_default());
        }
    }

    /// Adds a key that is required.
    fn required<T: Display>(&mut self, key: &str, value: Option<&Located<T>>, description: &str) {
        match value {
            Some(value) => self.key(key, &value.value.to_string(), value.line),
            None => {
                self.key(key, &format!("TODO {description}"), 0);
                self.report(
                    0,
                    format!("`{key}`: the article does not give {description}"),
                );
            }
        }
    }

    fn head(&mut self, facts: &ArticleFacts, kb: Option<&str>) {
        let kb = kb.unwrap_or("an article");
        self.line(
            &format!(
                "# Draft from the text of {kb}: compare every line with the article, decide what is open, and then run"
            ),
            0,
        );
        self.line(
            "# `rollup validate`. Names, sizes, dates and their spelling are the vendor's.",
            0,
        );
        self.line("schema = 1", 0);
        self.line("", 0);
        if let Some(line) = facts.unclosed_at {
            self.todo("a comment, a script or another hidden element is never closed, so nothing below it was read; save the page again", line);
        }
    }

    fn rollup(&mut self, facts: &ArticleFacts) {
        let ArticleFacts {
            identity,
            relations,
            issues,
            ..
        } = facts;
        self.line("[rollup]", 0);
        self.required("kb", identity.kb.as_ref(), "the KB number of the rollup");
        self.required("title", identity.title.as_ref(), "the title of the rollup");
        self.required(
            "product",
            identity.product.as_ref(),
            "the product that is updated",
        );
        if identity.versions.is_empty() {
            self.line("product_versions = [\"TODO\"]", 0);
            let message =
                "`product_versions`: the article does not give the versions of the product";
            self.report(0, message);
        }
        self.list("product_versions", &identity.versions);
        if let Some(scope) = &identity.scope {
            self.key("scope", &scope.value, scope.line);
        }
        if let Some(day) = &identity.released {
            self.line(&format!("released = {}", day.value), day.line);
        }
        self.list("includes", &relations.includes);
        self.list("replaces", &relations.replaces);
        self.list("requires", &relations.requires);
        self.texts("fixes", &issues.fixes, 0);
        self.texts("notes", &issues.notes, 0);
        for open in [&identity.open, &relations.open, &issues.open] {
            self.todos(open);
        }
    }

    fn article(&mut self, identity: &ArticleIdentity) {
        self.line("", 0);
        self.line("[article]", 0);
        // The keys may be left out, and an address that the article does not give cannot be decided.
        if let Some(url) = &identity.url {
            let remark = match identity.url_is_derived {
                true => "    # derived from the address of another article",
                false => "",
            };
            self.line(&format!("url = {}{remark}", quoted(&url.value)), url.line);
        }
        let mut missing = Vec::new();
        if identity.released.is_none() {
            missing.push("`released`");
        }
        match &identity.revision {
            Some(revision) => self.key("revision", &revision.value.to_string(), revision.line),
            None => missing.push("`revision`, which then counts as 1.0"),
        }
        match &identity.reviewed {
            Some(day) => self.line(&format!("reviewed = {}", day.value), day.line),
            None => missing.push("`reviewed`"),
        }
        if !missing.is_empty() {
            self.todo(
                &format!("the article does not give {}", missing.join(", ")),
                0,
            );
        }
    }

    fn prerequisites(&mut self, prerequisites: &Prerequisites) {
        for Located { value, line } in &prerequisites.entries {
            let line = *line;
            self.line("", 0);
            if let ArticlePrerequisite::Confirm { .. } = value {
                let open = prerequisites.open.iter();
                for open in open.filter(|open| open.line == Some(line)) {
                    self.comment(&open.message, line);
                }
            }
            self.line("[[prerequisites]]", line);
            match value {
                ArticlePrerequisite::Product {
                    product,
                    service_pack,
                    on,
                } => {
                    self.key("product", product, line);
                    self.line(&format!("service_pack = {service_pack}                 # or later, on every server that has the product"), line);
                    if let Some(on) = on {
                        self.key("on", on, line);
                    }
                }
                ArticlePrerequisite::Item(item) => self.key("item", item, line),
                ArticlePrerequisite::Confirm { id, question } => {
                    self.key("confirm", question, line);
                    self.key("id", id, line);
                }
            }
        }
        self.open.extend(prerequisites.open.iter().cloned());
    }

    fn step(&mut self, step: &ArticleStep, steps: &[ArticleStep]) {
        let at = step.line;
        self.line("", 0);
        for todo in &step.todo {
            self.todo(&format!("step `{}`: {}", step.id, todo.value), todo.line);
        }
        self.line("[[steps]]", at);
        self.key("id", &step.id, at);
        if let Some(title) = &step.title {
            self.key("title", title, at);
        }
        self.key("action", step.action.keyword(), at);
        match &step.action {
            StepAction::Batch(_, selection) => {
                self.batch(step.action.keyword(), selection, at);
            }
            StepAction::Reinstall(of) => {
                let of = of.and_then(|of| steps.get(of));
                self.key("removed_by", of.map_or("TODO", |step| &step.id), at);
            }
            StepAction::Copy { files, to, on } => {
                self.key("to", to, at);
                self.servers(on.as_ref(), at);
                self.files(files, at);
            }
            StepAction::Run { files, on } => {
                self.servers(on.as_ref(), at);
                self.files(files, at);
            }
            StepAction::Service { service, on, .. } => {
                self.key("service", service, at);
                self.servers(on.as_ref(), at);
            }
            StepAction::Manual(work) => self.manual_work(work, at),
        }
    }

    fn manual_work(&mut self, work: &ManualWork, at: u32) {
        if let Some(role) = work.role() {
            self.key("on", &role.value, role.line);
        }
        let lines = &work.lines;
        let place = [lines.first(), lines.last()].map(|line| line.map_or(0, |line| line.line));
        let texts: Vec<_> = lines.iter().map(|line| line.value.as_str()).collect();
        let place = lines_text(place.into());
        let instructions = format!("Article, {place}: {}", texts.join(" / "));
        self.key("instructions", &instructions, at);
        self.texts("files", &work.files, at);
        if let Some(undo) = &work.undo {
            self.key("undo", &undo.value, undo.line);
        }
        if work.optional {
            self.line("optional = true", at);
        }
    }

    fn servers(&mut self, servers: Option<&StepServers>, at: u32) {
        if let Some(StepServers { role, platform }) = servers {
            self.key("on", role, at);
            if let Some(platform) = platform {
                self.key("platform", platform, at);
            }
        }
    }

    fn batch(&mut self, action: &str, selection: &ItemSelection, at: u32) {
        if selection.is_empty() {
            self.line("groups = [\"TODO the groups\"]", at);
            self.report(
                at,
                format!("the article names no items and no groups for the step `{action}`"),
            );
        }
        for (group, names) in &selection.items {
            let key = format!("items.{}", quoted(&group.value));
            self.texts(&key, names, group.line);
        }
        self.list("groups", &selection.groups);
        let mut procedures: BTreeMap<&str, Vec<&Parameter>> = BTreeMap::new();
        for given in &selection.parameters {
            procedures.entry(&given.procedure).or_default().push(given);
        }
        for (procedure, given) in procedures {
            let line = given[0].value.line;
            let values = given
                .iter()
                .map(|given| format!("{} = {}", quoted(&given.name), quoted(&given.value.value)));
            let values = values.collect::<Vec<_>>().join(", ");
            let procedure = quoted(procedure);
            self.line(&format!("parameters.{procedure} = {{ {values} }}"), line);
        }
    }

    fn files(&mut self, names: &[Located<String>], at: u32) {
        if names.is_empty() {
            self.line("files = [\"TODO\"]", at);
            let message = "the article does not name the files of this step";
            self.report(at, message);
        }
        self.texts("files", names, at);
    }

    fn no_steps(&mut self) {
        self.line("", 0);
        self.todo(
            "no installation steps were found: there is no heading such as `Installation information`, and no numbered \
             step of the console",
            0,
        );
        self.line("[[steps]]", 0);
        self.key("id", "manual", 0);
        self.key("action", "manual", 0);
        let instructions = "TODO no installation steps were found in the article";
        self.key("instructions", instructions, 0);
    }

    fn payload(&mut self, table: &ArticleTable, steps: &[ArticleStep]) {
        self.line("", 0);
        if table.rows.is_empty() && !table.unread {
            self.todo(
                "no file table was found: no line names its columns, such as `File name`, `Size`, `Date`",
                0,
            );
        }
        self.todos(&table.open);
        let head = table.head.unwrap_or_default();
        self.line(
            "[payload]                        # sizes in bytes, times in UTC",
            head,
        );
        if table.rows.is_empty() {
            self.line("files = []", 0);
            return;
        }
        let files = steps.iter().flat_map(|step| step.action.files());
        let mut deployed: BTreeSet<CaseFolded> =
            files.map(|file| CaseFolded::of(&file.value)).collect();
        let rows = table.rows.iter();
        let names = rows.map(|row| quoted(&row.value.name).chars().count());
        let width = names.max().unwrap_or_default().min(60) + 1;
        self.line("files = [", head);
        let used = deployed.clone();
        for Located { value: row, line } in &table.rows {
            let name = CaseFolded::of(&row.name);
            deployed.remove(&name);
            self.row(row, *line, width, used.contains(&name));
        }
        self.line("]", 0);
        self.pins(table);
        for name in deployed {
            let name = name.as_str();
            let message = format!("`{name}` is copied or run, but is missing from the file table");
            self.report(0, message);
        }
    }

    /// Writes the hashes that the article documents as pins.
    fn pins(&mut self, table: &ArticleTable) {
        if table.pins.is_empty() {
            return;
        }
        self.line("", 0);
        self.line("[payload.sha256]                 # documented by the article, not computed from a payload", 0);
        for pin in &table.pins {
            let (name, hash) = &pin.value;
            self.key(&quoted(name), hash, pin.line);
        }
    }

    fn row(&mut self, row: &ArticleRow, line: u32, width: usize, is_used: bool) {
        let text = |value: &Option<String>| value.as_deref().map(quoted);
        let fields = [
            ("size", row.size.map(|size| grouped(size, '_'))),
            ("modified", row.modified.clone()),
            ("version", text(&row.version)),
            ("platform", text(&row.platform)),
        ];
        let mut written = format!("{:<width$}", format!("{},", quoted(&row.name)));
        for (key, value) in fields {
            if let Some(value) = value {
                written.push_str(&format!(" {key} = {value},"));
            }
        }
        let written = written.trim_end().trim_end_matches(',');
        let unused = (!is_used).then_some("not used by any step");
        let remarks: Vec<&str> = unused.into_iter().chain(row.settled.as_deref()).collect();
        let mark = if remarks.is_empty() { "" } else { "  # " };
        let remarks = remarks.join("; ");
        self.line(&format!("  {{ name = {written} }},{mark}{remarks}"), line);
    }
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
