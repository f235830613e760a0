//! Comparison of a manifest with its article.
//!
//! The article is imported again, and the resulting draft is compared with the manifest, fact by
//! fact, like two manifests. Text that authors word themselves (titles, ids, instructions, the
//! description of fixes) is not a fact, and neither is text that no article can contain: pins, or
//! the reason why no step uses a file. Since ids are the author's, steps are matched by their
//! actions and targets.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::article::{ImportedArticle, OpenQuestion};
use crate::document::{Code, Finding, Findings, Source, Span};
use crate::manifest::{
    self, ChangeKind, Condition, Manifest, ManifestDifference, ManifestTable, Prerequisite, Step,
    compare,
};
use crate::names::{CaseFolded, Requirement, same_name};

/// Article with which a manifest is compared.
pub struct Article {
    name: String,
    imported: ImportedArticle,
    manifest: Manifest,
}

/// Error of an article that does not contain enough to be compared with a manifest.
#[derive(Debug, thiserror::Error)]
#[error("the draft of the article is not a complete manifest: {why}")]
pub struct IncompleteArticleError {
    why: String,
    /// Facts that the article leaves open.
    pub open: Vec<OpenQuestion>,
}

impl Article {
    /// Returns an imported article; findings refer to it by `name`.
    ///
    /// # Errors
    ///
    /// Fails if something that every manifest must have could not be read from it, such as its KB
    /// number.
    pub fn new(
        name: impl Into<String>,
        imported: ImportedArticle,
    ) -> Result<Self, IncompleteArticleError> {
        let mut findings = Findings::default();
        match manifest::parse(
            &Source::new("the draft", imported.draft.as_str()),
            &mut findings,
        ) {
            Some(manifest) => Ok(Self {
                name: name.into(),
                imported,
                manifest,
            }),
            None => {
                let why = findings
                    .sorted()
                    .first()
                    .map(|first| first.message.clone())
                    .unwrap_or_default();
                Err(IncompleteArticleError {
                    why,
                    open: imported.open,
                })
            }
        }
    }

    /// Adds the differences between the article and the manifest of this source.
    pub(super) fn compare(&self, source: &Source, manifest: &Manifest, findings: &mut Findings) {
        let (ours, theirs) = (manifest.rollup.kb, self.manifest.rollup.kb);
        let head = span(
            source,
            manifest.rollup.lines.get("kb").copied().unwrap_or(1),
            None,
        );
        if ours != theirs {
            let message = format!("the manifest is of {ours}, but the article is of {theirs}");
            let finding = findings.add(Code::ContradictsArticle, head, message);
            finding.help("name the article of this rollup; nothing else was compared");
            return;
        }
        let aligned = Self::aligned_with(&self.manifest, manifest);
        for difference in compare(&aligned, manifest)
            .iter()
            .filter(|difference| is_fact(difference))
        {
            if let Some(finding) = self.finding(source, manifest, difference) {
                findings.push(finding);
            }
        }
        for open in &self.imported.open {
            let finding = findings.add(
                Code::ArticleUnclear,
                head.clone(),
                format!("left open: {}", open.message),
            );
            finding.note(self.article_place(open.line));
        }
    }

    /// Returns the facts of the article, with the steps and the questions under the ids that they
    /// have in the manifest.
    fn aligned_with(of_article: &Manifest, manifest: &Manifest) -> Manifest {
        let mut aligned = of_article.clone();
        let is_confirm = |prerequisite: &&Prerequisite| {
            matches!(prerequisite.condition, Condition::Confirm { .. })
        };
        let theirs = aligned
            .prerequisites
            .iter_mut()
            .filter(|one| matches!(one.condition, Condition::Confirm { .. }));
        for (theirs, ours) in theirs.zip(manifest.prerequisites.iter().filter(is_confirm)) {
            theirs.condition = ours.condition.clone();
        }
        let pairs = pairs(&aligned.steps, &manifest.steps);
        let taken: BTreeSet<CaseFolded> = manifest
            .steps
            .iter()
            .map(|step| CaseFolded::of(&step.id))
            .collect();
        let mut renamed = BTreeMap::new();
        for (at, step) in aligned.steps.iter_mut().enumerate() {
            let id = match pairs.get(&at) {
                Some(&partner) => manifest.steps[partner].id.clone(),
                None if taken.contains(&CaseFolded::of(&step.id)) => {
                    format!("{} of the article", step.id)
                }
                None => step.id.clone(),
            };
            renamed.insert(CaseFolded::of(&step.id), id.clone());
            step.id = id;
        }
        for step in &mut aligned.steps {
            step.rename_reference(|removed_by| renamed.get(&CaseFolded::of(removed_by)));
        }
        aligned
    }

    fn finding(
        &self,
        source: &Source,
        manifest: &Manifest,
        difference: &ManifestDifference,
    ) -> Option<Finding> {
        let ManifestDifference {
            of,
            key,
            kind,
            old,
            new,
            old_line,
            ..
        } = difference;
        // A fact of a row that only the manifest has may be one that the article leaves open.
        let name = of.as_deref().unwrap_or_default();
        let mut rows = self.manifest.files.iter();
        let row = rows
            .find(|row| same_name(row.name.as_str(), name))
            .filter(|_| difference.table == ManifestTable::Payload);
        let its_line = old_line
            .or(row.map(|row| row.line))
            .and_then(|line| self.imported.article_line(line));
        let is_open = its_line.is_some_and(|line| {
            self.imported
                .open
                .iter()
                .any(|open| open.line == Some(line))
        });
        let subject = match of {
            _ if matches!(key.as_str(), "step" | "file" | "prerequisite") => {
                format!("{key} `{name}`")
            }
            Some(of) => format!("`{key}` of `{of}`"),
            None if difference.table == ManifestTable::Steps => "the order of the steps".to_owned(),
            None => format!("`{key}`"),
        };
        let [theirs, ours] = [old, new].map(|value| value.as_ref().and_then(value_text));
        let (code, message) = match (kind, theirs, ours) {
            // Facts that the draft leaves out or marks are reported as open.
            (ChangeKind::Added | ChangeKind::Removed, ..) if is_open => return None,
            (ChangeKind::Changed, _, Some(ours)) if adds_minimum(difference) => (
                Code::MissingFromArticle,
                format!("the minimum revision of {ours} in {subject} is not in the article"),
            ),
            (ChangeKind::Changed | ChangeKind::Moved, Some(theirs), Some(ours))
                if !theirs.contains("TODO") =>
            {
                (
                    Code::ContradictsArticle,
                    format!("{subject} is {ours}, but {theirs} in the article"),
                )
            }
            (ChangeKind::Changed | ChangeKind::Moved, ..) => return None,
            (ChangeKind::Removed, theirs, _) => {
                let theirs = theirs.map_or(String::new(), |theirs| format!("{theirs} in "));
                let message = format!("{theirs}{subject} is missing, but the article has it");
                (Code::MissingFromManifest, message)
            }
            (ChangeKind::Added, _, ours) => {
                let ours = ours.map_or(String::new(), |ours| format!("{ours} in "));
                let message = format!("{ours}{subject} is not in the article");
                (Code::MissingFromArticle, message)
            }
        };
        let mut finding = Finding::new(code, manifest_span(source, manifest, difference), message);
        match (kind, its_line) {
            (ChangeKind::Added, _) => finding.note(format!("{} does not mention it", self.name)),
            (_, line) => finding.note(self.article_place(line)),
        };
        Some(finding)
    }

    /// Returns the position in the article, for a note.
    fn article_place(&self, line: Option<u32>) -> String {
        match line {
            Some(line) => format!("the article at {}:{line}", self.name),
            None => format!("the article is {}", self.name),
        }
    }
}

/// Returns whether a difference concerns a fact, and not text that authors word or add.
fn is_fact(difference: &ManifestDifference) -> bool {
    let key = difference.key.as_str();
    match difference.table {
        ManifestTable::Rollup => !matches!(key, "title" | "fixes" | "notes"),
        // An article need not contain its own address.
        ManifestTable::Article => key != "url",
        ManifestTable::Prerequisites => !matches!(key, "id" | "confirm"),
        ManifestTable::Steps => {
            !matches!(key, "id" | "title" | "instructions" | "undo" | "optional")
        }
        ManifestTable::Payload => !matches!(key, "sha256" | "unused"),
    }
}

/// Returns whether the manifest requires a minimum revision of a rollup that the article names
/// without one.
fn adds_minimum(difference: &ManifestDifference) -> bool {
    let is_any = |text: &str| {
        text.parse()
            .is_ok_and(|required: Requirement| required.revision.is_none())
    };
    difference.key == "requires"
        && matches!(&difference.old, Some(Value::String(text)) if is_any(text))
}

/// Returns a value for a message; `None` for a whole entry.
fn value_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(format!("`{text}`")),
        Value::Array(values) => {
            let values: Vec<String> = values.iter().filter_map(value_text).collect();
            Some(values.join(", "))
        }
        Value::Object(_) => None,
        other => Some(other.to_string()),
    }
}

/// Returns the span in the manifest of a difference; of a missing part, the span where it belongs.
fn manifest_span(source: &Source, manifest: &Manifest, difference: &ManifestDifference) -> Span {
    if let Some(line) = difference.new_line {
        let text = match &difference.new {
            Some(Value::String(text)) => Some(text.as_str()),
            Some(Value::Object(_)) => None,
            _ => Some(difference.key.as_str()),
        };
        return span(source, line, text);
    }
    let of = difference.of.as_deref().unwrap_or_default();
    let line = match difference.table {
        ManifestTable::Payload => {
            let row = manifest.files.iter();
            let mut row = row.filter(|row| same_name(row.name.as_str(), of));
            row.next().map(|row| row.line)
        }
        ManifestTable::Steps => {
            let named = |id: &str| manifest.steps.iter().find(|step| step.id == id);
            let before = difference.old.as_ref().and_then(|step| step.get("after"));
            let before = before.and_then(Value::as_str).and_then(named);
            Some(named(of).or(before).map_or(1, |step| step.line))
        }
        ManifestTable::Rollup | ManifestTable::Article | ManifestTable::Prerequisites => {
            Some(manifest.rollup.lines.get("kb").copied().unwrap_or(1))
        }
    };
    line.map_or_else(|| manifest.payload.clone(), |line| span(source, line, None))
}

/// Returns the span of the first occurrence of a text on a line, else of the trimmed line.
fn span(source: &Source, line: u32, text: Option<&str>) -> Span {
    let (whole, start) = (source.line_text(line), source.line_span(line).start);
    let within = text
        .filter(|text| !text.is_empty())
        .and_then(|text| Some((whole.find(text)?, text.len())));
    let (at, length) =
        within.unwrap_or_else(|| (whole.len() - whole.trim_start().len(), whole.trim().len()));
    start + at..start + at + length
}

/// Pairs steps of the article with steps of the manifest: those with the same action and shared
/// targets, the most shared first; then the remaining ones by action alone, in order.
fn pairs(article: &[Step], manifest: &[Step]) -> BTreeMap<usize, usize> {
    let targets = |steps: &[Step]| steps.iter().map(Step::target_names).collect::<Vec<_>>();
    let (theirs, ours) = (targets(article), targets(manifest));
    let mut candidates = Vec::new();
    for (at, step) in article.iter().enumerate() {
        for (other, candidate) in manifest.iter().enumerate() {
            if step.keyword() == candidate.keyword() {
                let shared = theirs[at].intersection(&ours[other]).count();
                candidates.push((Reverse(shared), at.abs_diff(other), at, other));
            }
        }
    }
    candidates.sort_unstable();
    let (mut pairs, mut taken) = (BTreeMap::new(), BTreeSet::new());
    for (_, _, at, other) in candidates {
        if !pairs.contains_key(&at) && taken.insert(other) {
            pairs.insert(at, other);
        }
    }
    pairs
}
