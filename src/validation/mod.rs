//! Validation of documents together, and its reports for people and programs.
//!
//! A manifest is checked by itself, against the deployment, payload and article that are given, and
//! against the other manifests; a `deployment.toml` by itself. The findings get the levels that the
//! caller chooses and are then reported in one of several formats, which have the same content.

mod article;
mod fingerprint;
mod fix;
mod github;
mod json;
mod kind;
mod levels;
mod sarif;
mod signature;
mod text;

use rayon::prelude::*;
use schemars::JsonSchema;
use serde::Serialize;

pub use article::Article;
pub use fix::{Corrected, Correction, corrected};
pub use json::ValidationDocument;
pub use kind::{DocumentKind, OtherDocument, kind_of};
pub use levels::{FindingSelector, LintLevel, LintLevels, LintLevelsError, UnknownFindingsError};
pub use sarif::{FindingsUrl, InvalidUrlError};
pub use signature::ManifestSignatures;

use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Code, Finding, Findings, Severity, Source};
use crate::manifest::{self, Checks, FileTable, Manifest, ParsedManifest};
use crate::payload::{Payload, compare};
use crate::phase::Phase;

/// Data against which documents are checked, besides their own text.
#[derive(Clone, Copy, Default)]
pub struct ValidationContext<'a> {
    /// Deployment whose names manifests should use.
    pub deployment: Option<&'a Description>,
    /// Payload of the manifest.
    pub payload: Option<(&'a Payload, &'a Phase)>,
    /// Article from which the manifest was made.
    pub article: Option<&'a Article>,
    /// Signatures that the manifests need.
    pub signatures: Option<&'a ManifestSignatures>,
}

impl ValidationContext<'_> {
    /// Returns whether findings of this kind could be found, as everything that they are checked
    /// against is given.
    fn is_checked(&self, code: Code, are_several: bool) -> bool {
        let together = [
            Code::RelationCycle,
            Code::MissingInclude,
            Code::SameRollup,
            Code::OmittedFiles,
        ];
        match &code.number()[..4] {
            "RU04" => are_several || !together.contains(&code),
            // Names of items mean something only with a deployment.
            "RU03" | "RU06" => self.deployment.is_some(),
            "RU07" => self.payload.is_some(),
            "RU08" => self.article.is_some(),
            _ => true,
        }
    }
}

/// Document with its findings.
pub struct Document {
    pub source: Source,
    pub kind: DocumentKind,
    pub findings: Findings,
}

/// File that could not be read at all.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct UnreadableFile {
    /// Path as it was typed or found.
    pub file: String,
    pub reason: String,
}

/// Documents that were checked together, in the given order.
#[derive(Default)]
pub struct Validation {
    pub documents: Vec<Document>,
    pub unread: Vec<UnreadableFile>,
    /// Corrections that were made before the documents were checked.
    pub corrections: Vec<Correction>,
    /// TOML files in directories that are neither a manifest nor a deployment.
    pub passed_over: Vec<String>,
}

/// Number of findings of each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct FindingCounts {
    pub errors: usize,
    pub warnings: usize,
    pub notes: usize,
}

impl Validation {
    /// Checks documents, each by itself and all together.
    pub fn of(sources: Vec<(Source, DocumentKind)>, against: &ValidationContext<'_>) -> Self {
        let checked = sources
            .into_par_iter()
            .map(|(source, kind)| Document::checked(source, kind, against));
        let mut documents: Vec<Document> = checked.collect();
        let manifests = documents
            .iter_mut()
            .filter(|document| document.kind == DocumentKind::Manifest);
        let mut together: Vec<_> = manifests
            .map(|document| (&document.source, &mut document.findings))
            .collect();
        let are_several = together.len() > 1;
        if are_several {
            manifest::check_together(&mut together);
        }
        for document in &mut documents {
            let is_checked = |code| against.is_checked(code, are_several);
            document
                .findings
                .allow_by_comments(&document.source, is_checked);
        }
        Self {
            documents,
            ..Self::default()
        }
    }

    /// Sets the levels of all findings as the caller chooses, and removes the allowed ones.
    pub fn apply_levels(&mut self, levels: &LintLevels) {
        for document in &mut self.documents {
            levels.apply(&mut document.findings);
        }
    }

    /// Returns the number of findings of each level.
    pub fn counts(&self) -> FindingCounts {
        let mut counts = FindingCounts::default();
        for document in &self.documents {
            let of = document.counts();
            counts.errors += of.errors;
            counts.warnings += of.warnings;
            counts.notes += of.notes;
        }
        counts
    }

    /// Returns the number of findings that comments of the documents allow.
    pub fn allowed(&self) -> usize {
        self.count(|_, finding| finding.allowed_by.is_some())
    }

    /// Returns the number of findings that a correction would remove.
    pub fn fixable(&self) -> usize {
        self.count(|source, finding| {
            finding.allowed_by.is_none() && finding.only_replacement(source).is_some()
        })
    }

    fn count(&self, is_counted: impl Fn(&Source, &Finding) -> bool) -> usize {
        let mut count = 0;
        for Document {
            source, findings, ..
        } in &self.documents
        {
            for finding in findings.sorted_with_allowed() {
                count += usize::from(is_counted(source, finding));
            }
        }
        count
    }

    /// Returns the code of the first of the most severe findings, unless all are notes.
    pub fn foremost(&self) -> Option<Code> {
        let all = self
            .documents
            .iter()
            .flat_map(|document| document.findings.sorted());
        all.filter(|finding| finding.level != Severity::Note)
            .min_by_key(|finding| finding.level)
            .map(|first| first.code)
    }
}

impl Document {
    fn checked(source: Source, kind: DocumentKind, against: &ValidationContext<'_>) -> Self {
        let source = match against.deployment {
            Some(deployment) => source.with_secrets(&deployment.secret_names()),
            None => source,
        };
        let mut findings = Findings::default();
        if let Some(other) = OtherDocument::of(&source) {
            let message = format!("the document is {}, not a manifest", other.description());
            findings
                .add(Code::OtherFormat, 0..0, message)
                .help(other.advice(source.name()));
            return Self {
                source,
                kind,
                findings,
            };
        }
        match kind {
            DocumentKind::Deployment => drop(describe::parse(&source, &mut findings)),
            DocumentKind::Manifest => {
                let checks = Checks {
                    deployment: against.deployment,
                };
                let read = manifest::check(&source, &checks, &mut findings);
                if let Some(signatures) = against.signatures {
                    signatures.check(&source, &mut findings);
                }
                if let Some(payload) = against.payload {
                    compare_payload(&read, against.deployment, payload, &mut findings);
                }
                if let (Some(article), Some(table)) = (against.article, file_table(&read)) {
                    article.compare(&source, &table, &mut findings);
                }
            }
        }
        Self {
            source,
            kind,
            findings,
        }
    }
}

/// Returns the file table of a manifest, as far as it could be read.
fn file_table(read: &ParsedManifest) -> Option<FileTable<'_>> {
    match read {
        ParsedManifest::Complete(manifest) => Some(Manifest::file_table(manifest)),
        ParsedManifest::Partial(table) => Some(table.clone()),
        ParsedManifest::Unreadable => None,
    }
}

/// Compares a manifest with a payload, also a manifest with errors, as far as its file table could
/// be read.
fn compare_payload(
    read: &ParsedManifest,
    site: Option<&Description>,
    (payload, phase): (&Payload, &Phase),
    findings: &mut Findings,
) {
    let Some(table) = file_table(read) else {
        return;
    };
    let facts = payload.facts_in(&table, phase);
    for difference in compare(&table, site, &facts) {
        let finding = findings.add(difference.code, difference.span, difference.message);
        finding.level(difference.level);
        if let Some(help) = difference.help {
            finding.help(help);
        }
    }
}
