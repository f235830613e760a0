//! Comparison of a manifest with its article, independent of the importer.
//!
//! The importer decides what a line of an article means. A check that read the same way would
//! overlook the same lines, so this one knows no tables and no steps: every file name, size, number
//! and service verb of the article must be accounted for by the manifest, wherever it is, and every
//! fact of the file table must be in the article. Roles, titles and instructions are the author's.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::article::{ArticleMentions, FileMention};
use crate::document::{Code, Findings, Severity, Source, Span};
use crate::manifest::{FileTable, PayloadFile};
use crate::names::{CaseFolded, Kb};

/// Article with which a manifest is compared.
pub struct Article {
    name: String,
    mentions: ArticleMentions,
}

/// Most names that one message lists.
const LISTED: usize = 8;

/// Most names and sentences that are looked up in the texts of the manifest.
const MOST: usize = 1_000;

impl Article {
    /// Returns an article; findings refer to it by `name`.
    pub fn new(name: impl Into<String>, mentions: ArticleMentions) -> Self {
        Self {
            name: name.into(),
            mentions,
        }
    }

    /// Adds what article and manifest say differently, and what only one of them says.
    pub(super) fn compare(&self, source: &Source, table: &FileTable<'_>, findings: &mut Findings) {
        let texts = ManifestTexts::of(source);
        let comparison = Comparison {
            article: self,
            source,
            table,
            head: texts.head(source),
            texts,
        };
        if !comparison.is_other(findings) {
            comparison.rows(findings);
            comparison.files(findings);
            comparison.numbers(findings);
            comparison.services(findings);
        }
    }

    fn place(&self, line: u32) -> String {
        format!("the article at {}:{line}", self.name)
    }
}

/// Texts of a manifest: its keys and values, without comments.
#[derive(Default)]
struct ManifestTexts {
    kb: Option<String>,
    relations: Vec<(&'static str, String)>,
    /// All texts, in lower case.
    all: Vec<String>,
}

impl ManifestTexts {
    fn of(source: &Source) -> Self {
        let mut texts = Self::default();
        let Ok(top) = source.text().parse::<toml::Table>() else {
            return texts;
        };
        if let Some(rollup) = top.get("rollup").and_then(toml::Value::as_table) {
            let text = |value: &toml::Value| value.as_str().map(str::to_owned);
            texts.kb = rollup.get("kb").and_then(text);
            for key in ["includes", "replaces", "requires"] {
                let list = rollup.get(key).and_then(toml::Value::as_array);
                texts.relations.extend(
                    list.into_iter()
                        .flatten()
                        .filter_map(text)
                        .map(|kb| (key, kb)),
                );
            }
        }
        texts.add(&toml::Value::Table(top));
        texts
    }

    fn add(&mut self, value: &toml::Value) {
        match value {
            // A `TODO` is not a fact.
            toml::Value::String(text) if !text.starts_with("TODO") => {
                self.all.push(text.to_lowercase())
            }
            toml::Value::Array(entries) => entries.iter().for_each(|entry| self.add(entry)),
            toml::Value::Table(entries) => {
                for (key, value) in entries {
                    self.all.push(key.to_lowercase());
                    self.add(value);
                }
            }
            _ => {}
        }
    }

    /// Returns whether some text has these words.
    fn mention(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
        let is_in = |known: &String| {
            known.match_indices(&text).any(|(at, _)| {
                let after = &known[at + text.len()..];
                apart(known[..at].chars().next_back()) && apart(after.chars().next())
            })
        };
        !text.is_empty() && self.all.iter().any(is_in)
    }

    /// Returns the span of a quoted text, or of the rollup's number.
    fn span(&self, source: &Source, quoted: &str) -> Span {
        let at = source.text().find(&format!("\"{quoted}\""));
        at.map_or_else(|| self.head(source), |at| at..at + quoted.len() + 2)
    }

    /// Returns the span of the rollup's number.
    fn head(&self, source: &Source) -> Span {
        let text = source.text();
        let quoted = self
            .kb
            .as_ref()
            .and_then(|kb| text.find(&format!("\"{kb}\"")));
        let line = source.line(quoted.unwrap_or(0));
        let start = source.line_span(line).start;
        start..start + source.line_text(line).trim_end().len()
    }
}

struct Comparison<'c> {
    article: &'c Article,
    source: &'c Source,
    table: &'c FileTable<'c>,
    texts: ManifestTexts,
    head: Span,
}

impl Comparison<'_> {
    /// Reports an article of another rollup, with which nothing else is compared.
    fn is_other(&self, findings: &mut Findings) -> bool {
        let ours = self.texts.kb.as_ref().map(|kb| kb.parse::<Kb>());
        let (Some(Ok(ours)), Some(theirs)) = (ours, self.article.mentions.kb) else {
            return false;
        };
        if ours != theirs {
            let message = format!("the manifest is of {ours}, but the article is of {theirs}");
            findings
                .add(Code::ContradictsArticle, self.head.clone(), message)
                .help("name the article of this rollup; nothing else was compared");
        }
        ours != theirs
    }

    /// Compares each row of the file table with the lines of the article that name its file: if
    /// there are several, one must fit.
    fn rows(&self, findings: &mut Findings) {
        for row in self.table.rows.iter() {
            // The mentions have no directories.
            let file_name = row.name.file_name();
            let mentions = self.article.mentions.of_file(file_name.as_str());
            let Some(first) = mentions.first() else {
                let message = format!("file `{}` is not in the article", row.name);
                findings
                    .add(Code::MissingFromArticle, row.span.clone(), message)
                    .note(format!("{} does not mention it", self.article.name));
                continue;
            };
            if !mentions.iter().any(|file| file.name == file_name.as_str()) {
                let message = format!("`{file_name}` is spelled `{}` in the article", first.name);
                findings
                    .add(Code::ArticleUnclear, row.span.clone(), message)
                    .note(self.article.place(first.line));
            }
            let documented = mentions.iter().filter(|file| is_documented(file));
            let Some(nearest) = documented.min_by_key(|file| differences(row, file).len()) else {
                continue;
            };
            for (key, ours, theirs) in differences(row, nearest) {
                let message = format!(
                    "`{key}` of `{}` is {ours}, but {theirs} in the article",
                    row.name
                );
                findings
                    .add(Code::ContradictsArticle, row.span.clone(), message)
                    .note(self.article.place(nearest.line));
            }
        }
    }

    /// Reports the files that the manifest does not name: those of a table or a list are missing,
    /// and others may be.
    fn files(&self, findings: &mut Findings) {
        let rows: BTreeSet<CaseFolded> = self
            .table
            .rows
            .iter()
            .map(|row| row.name.file_name().case_folded())
            .collect();
        let mut seen = BTreeSet::new();
        let mut others = Vec::new();
        for file in &self.article.mentions.files {
            let name = CaseFolded::of(&file.name);
            if rows.contains(&name) || !seen.insert(name) {
                continue;
            }
            let mentions = self.article.mentions.of_file(&file.name);
            // The row of a table needs a row, and any other mention only a text.
            let has_row = mentions.iter().any(|file| is_documented(file));
            if !has_row && seen.len() <= MOST && self.texts.mention(&file.name) {
                continue;
            }
            if !mentions.iter().any(|file| file.is_listed) {
                others.push((format!("`{}`", file.name), file.line));
                continue;
            }
            let message = format!("file `{}` is missing, but the article has it", file.name);
            findings
                .add(Code::MissingFromManifest, self.table.span.clone(), message)
                .note(self.article.place(file.line));
        }
        self.report_others("files", &others, findings);
    }

    /// Compares the numbers of other articles.
    fn numbers(&self, findings: &mut Findings) {
        let ArticleMentions { kb, numbers, .. } = &self.article.mentions;
        for (key, text) in &self.texts.relations {
            let (number, has_minimum) = match text.split_once(' ') {
                Some((number, _)) => (number, true),
                None => (text.as_str(), false),
            };
            let number = number.parse::<Kb>();
            let is_unknown = |kb: &Kb| numbers.iter().all(|(known, _)| known != kb);
            let message = if number.is_ok_and(|kb| is_unknown(&kb)) {
                format!("`{text}` in `{key}` is not in the article")
            } else if has_minimum {
                format!("the minimum revision of `{text}` in `{key}` is not in the article")
            } else {
                continue;
            };
            findings
                .add(
                    Code::MissingFromArticle,
                    self.texts.span(self.source, text),
                    message,
                )
                .note(format!("{} does not mention it", self.article.name));
        }
        let others: Vec<(String, u32)> = numbers
            .iter()
            .filter(|(number, _)| Some(*number) != *kb)
            .map(|(number, line)| (number.to_string(), *line))
            .take(MOST)
            .filter(|(kb, _)| !self.texts.mention(kb) && !self.texts.mention(&kb[2..]))
            .collect();
        self.report_others("articles", &others, findings);
    }

    /// Reports mentions of which only a person knows if they are facts of the rollup.
    fn report_others(&self, kind: &str, others: &[(String, u32)], findings: &mut Findings) {
        let Some((_, line)) = others.first() else {
            return;
        };
        let names = others.iter().take(LISTED).map(|(name, _)| name.as_str());
        let mut names = names.collect::<Vec<_>>().join(", ");
        if others.len() > LISTED {
            names += &format!(" and {} more", others.len() - LISTED);
        }
        let message = format!("the article mentions {kind} that the manifest does not: {names}");
        findings
            .add(Code::ArticleUnclear, self.head.clone(), message)
            .note(self.article.place(*line));
    }

    /// Reports the sentences that change a service, unless a step names that service or a text of
    /// the manifest has the sentence.
    fn services(&self, findings: &mut Findings) {
        for service in self.article.mentions.services.iter().take(MOST) {
            // A list may name several services at once.
            let mut names = service.service.split(" and ");
            if names.all(|name| self.texts.mention(name.trim_start_matches("the "))) {
                continue;
            }
            let message = format!(
                "no step accounts for the {} of a service: {}",
                service.verb.keyword(),
                service.text
            );
            findings
                .add(Code::MissingFromManifest, self.head.clone(), message)
                .level(Severity::Warning)
                .note(self.article.place(service.line));
        }
    }
}

/// Returns the values of a row that a line of the article contradicts: the key, our value and
/// theirs.
fn differences(row: &PayloadFile, file: &FileMention) -> Vec<(&'static str, String, String)> {
    let mut found = Vec::new();
    let listed = |values: Vec<String>| match values.is_empty() {
        true => "another value".to_owned(),
        false => values.join(" or "),
    };
    if let Some(size) = row.size
        && !file.has_size(size)
    {
        let theirs = file.sizes.iter().map(u64::to_string).collect();
        found.push(("size", size.to_string(), listed(theirs)));
    }
    if let Some(Ok(modified)) = row.modified.map(Timestamp::from_second) {
        let day = modified.to_string()[..10].to_owned();
        if !file.days.is_empty() && !file.days.contains(&day) {
            found.push(("modified", day, listed(file.days.clone())));
        }
    }
    if let Some(version) = &row.version
        && !file.has_version(version)
    {
        found.push(("version", format!("`{version}`"), "another one".to_owned()));
    }
    found
}

/// Returns whether the article lists a file with values that a row may have.
fn is_documented(file: &FileMention) -> bool {
    file.is_listed && file.has_values()
}
