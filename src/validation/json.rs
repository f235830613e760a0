//! Report for programs, in rollup's own format.

use schemars::JsonSchema;
use serde::Serialize;

use super::fingerprint::fingerprints;
use super::{Correction, Document, FindingCounts, UnreadableFile, Validation};
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
    /// Warnings and notes that comments of the documents allow; they are not counted.
    allowed: Vec<AllowedRow<'a>>,
    /// Corrections that `--fix` made, before the findings.
    corrections: &'a [Correction],
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

/// Finding that a comment allows.
#[derive(Debug, Serialize, JsonSchema)]
struct AllowedRow<'a> {
    #[serde(flatten)]
    row: FindingRow<'a>,
    /// Line of the comment.
    allowed_by: u32,
}

impl Validation {
    /// Returns all findings; the caller adds the outcome of the command.
    pub fn document(&self) -> ValidationDocument<'_> {
        let files = self.documents.iter().map(|document| DocumentRow {
            file: document.source.name(),
            kind: document.kind.name(),
            counts: document.counts(),
        });
        let (mut findings, mut allowed) = (Vec::new(), Vec::new());
        for (row, allowed_by) in self.documents.iter().flat_map(Document::rows) {
            match allowed_by {
                None => findings.push(row),
                Some(allowed_by) => allowed.push(AllowedRow { row, allowed_by }),
            }
        }
        ValidationDocument {
            counts: self.counts(),
            files: files.collect(),
            unread: &self.unread,
            passed_over: &self.passed_over,
            findings,
            allowed,
            corrections: &self.corrections,
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

    /// Returns every finding, with the line of the comment that allows it.
    fn rows(&self) -> Vec<(FindingRow<'_>, Option<u32>)> {
        let sorted = self.findings.sorted_with_allowed();
        let fingerprints = fingerprints(&sorted, &self.source);
        sorted
            .iter()
            .zip(fingerprints)
            .map(|(finding, fingerprint)| {
                let finding_record = finding.record(&self.source);
                let row = FindingRow {
                    finding: finding_record,
                    fingerprint,
                };
                (row, finding.allowed_by)
            })
            .collect()
    }
}
