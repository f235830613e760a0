//! Documents checked together, and reported in the form that people or programs read.
//!
//! A manifest is checked by itself, against a deployment, a payload and its article if they are
//! given, and against the other manifests; a `deployment.toml` by itself. The findings get the
//! caller's levels and then go into one of four reports, which all have the same content.

mod article;
mod fingerprint;
mod github;
mod json;
mod kind;
mod levels;
mod sarif;
mod text;

use rayon::prelude::*;

pub use article::{Article, Incomplete};
pub use json::JSON_SCHEMA;
pub use kind::{Kind, kind_of};
pub use levels::{Levels, LevelsError, UnknownFindingsError, Which, Wish};

use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Code, Findings, Severity, Source};
use crate::manifest::{self, Checks, Manifest, Read};
use crate::payload::{Payload, compare};

/// Data that the documents are checked against, beside themselves.
#[derive(Clone, Copy, Default)]
pub struct Against<'a> {
    /// The deployment whose names manifests should use.
    pub deployment: Option<&'a Description>,
    /// The payload of the manifest.
    pub payload: Option<&'a Payload>,
    /// The article that the manifest was made from.
    pub article: Option<&'a Article>,
}

/// One document with its findings.
pub struct Document {
    /// Its text and name.
    pub source: Source,
    /// Kind of the document.
    pub kind: Kind,
    /// Findings in the document.
    pub findings: Findings,
}

/// A file that could not be read at all.
#[derive(Debug, Clone)]
pub struct Unread {
    /// The path as it was typed or found.
    pub file: String,
    /// Reason why it could not be read.
    pub reason: String,
}

/// Documents that were checked together, in the order they were given.
#[derive(Default)]
pub struct Validation {
    /// The documents.
    pub documents: Vec<Document>,
    /// Files that could not be read.
    pub unread: Vec<Unread>,
    /// TOML files of directories that are neither a manifest nor a deployment.
    pub passed_over: Vec<String>,
}

/// Number of findings of each level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Errors.
    pub errors: usize,
    /// Warnings.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

impl Validation {
    /// Checks documents, each by itself and all together.
    pub fn of(sources: Vec<(Source, Kind)>, against: &Against<'_>) -> Self {
        let checked = sources
            .into_par_iter()
            .map(|(source, kind)| Document::checked(source, kind, against));
        let mut documents: Vec<Document> = checked.collect();
        let manifests = documents
            .iter_mut()
            .filter(|document| document.kind == Kind::Manifest);
        let mut together: Vec<_> = manifests
            .map(|document| (&document.source, &mut document.findings))
            .collect();
        if together.len() > 1 {
            manifest::check_together(&mut together);
        }
        Self {
            documents,
            ..Self::default()
        }
    }

    /// Gives every finding the level that the caller wants for it, and removes those that are
    /// allowed.
    pub fn weigh(&mut self, levels: &Levels) {
        for document in &mut self.documents {
            levels.apply(&mut document.findings);
        }
    }

    /// Returns the number of findings of each level.
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for document in &self.documents {
            let [errors, warnings, notes] = document.findings.counts();
            counts.errors += errors;
            counts.warnings += warnings;
            counts.notes += notes;
        }
        counts
    }

    /// Returns the code of the most severe finding that is not a note; of several the first.
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
    fn checked(source: Source, kind: Kind, against: &Against<'_>) -> Self {
        let mut findings = Findings::default();
        match kind {
            Kind::Deployment => drop(describe::parse(&source, &mut findings)),
            Kind::Manifest => {
                let checks = Checks {
                    deployment: against.deployment,
                };
                let read = manifest::check(&source, &checks, &mut findings);
                if let Some(payload) = against.payload {
                    compare_payload(&read, against.deployment, payload, &mut findings);
                }
                if let (Some(article), Read::Whole(manifest)) = (against.article, &read) {
                    article.compare(&source, manifest, &mut findings);
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

/// Compares a manifest with a payload; one with mistakes too, as far as its file table could be
/// read.
fn compare_payload(
    read: &Read,
    site: Option<&Description>,
    payload: &Payload,
    findings: &mut Findings,
) {
    let table = match read {
        Read::Whole(manifest) => Manifest::file_table(manifest),
        Read::Part(table) => table.clone(),
        Read::Nothing => return,
    };
    let facts = payload.facts(&table);
    for difference in compare(&table, site, &facts) {
        let finding = findings.add(difference.code, difference.span, difference.message);
        finding.level(difference.level);
        if let Some(help) = difference.help {
            finding.help(help);
        }
    }
}
