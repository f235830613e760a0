//! Report for programs, in rollup's own format.

use schemars::JsonSchema;
use serde::Serialize;

use super::fingerprint::fingerprints;
use super::{Document, FindingCounts, UnreadableFile, Validation};
use crate::document::FindingRecord;

/// Report on several documents.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "Findings of a validation")]
pub struct ValidationDocument<'a> {
    #[serde(flatten)]
    counts: FindingCounts,
    files: Vec<DocumentRow<'a>>,
    /// Paths that could not be used.
    unread: &'a [UnreadableFile],
    /// TOML files in directories that are neither manifest nor deployment.
    passed_over: &'a [String],
    findings: Vec<FindingRow<'a>>,
}

/// Document, with the number of its findings.
#[derive(Debug, Serialize, JsonSchema)]
struct DocumentRow<'a> {
    file: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    counts: FindingCounts,
}

/// Finding, with an identity that stays if the lines around it change.
#[derive(Debug, Serialize, JsonSchema)]
struct FindingRow<'a> {
    #[serde(flatten)]
    finding: FindingRecord<'a>,
    fingerprint: String,
}

impl Validation {
    /// Returns all findings; the caller adds the outcome of the command.
    pub fn document(&self) -> ValidationDocument<'_> {
        let files = self.documents.iter().map(|document| DocumentRow {
            file: document.source.name(),
            kind: document.kind.name(),
            counts: document.counts(),
        });
        ValidationDocument {
            counts: self.counts(),
            files: files.collect(),
            unread: &self.unread,
            passed_over: &self.passed_over,
            findings: self.documents.iter().flat_map(Document::rows).collect(),
        }
    }
}

impl Document {
    /// Returns the number of findings of each level.
    pub(super) fn counts(&self) -> FindingCounts {
        let [errors, warnings, notes] = self.findings.counts();
        FindingCounts {
            errors,
            warnings,
            notes,
        }
    }

    fn rows(&self) -> Vec<FindingRow<'_>> {
        let sorted = self.findings.sorted();
        let fingerprints = fingerprints(&sorted, &self.source);
        let rows = sorted.iter().zip(fingerprints);
        rows.map(|(finding, fingerprint)| FindingRow {
            finding: finding.record(&self.source),
            fingerprint,
        })
        .collect()
    }
}
