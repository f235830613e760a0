//! Report for programs, in rollup's own format.

use serde_json::{Value, json};

use super::fingerprint::fingerprints;
use super::{Document, Validation};

/// Version of this format.
pub const JSON_SCHEMA: u32 = 1;

impl Validation {
    /// Returns all findings as a JSON document; the caller adds the outcome of the command.
    pub fn json(&self) -> Value {
        let counts = self.counts();
        let file = |document: &Document| {
            let [errors, warnings, notes] = document.findings.counts();
            json!({ "file": document.source.name(), "kind": document.kind.name(),
                    "errors": errors, "warnings": warnings, "notes": notes })
        };
        let unread = self
            .unread
            .iter()
            .map(|unread| json!({ "file": unread.file, "reason": unread.reason }));
        json!({
            "schema": JSON_SCHEMA,
            "errors": counts.errors, "warnings": counts.warnings, "notes": counts.notes,
            "files": self.documents.iter().map(file).collect::<Vec<_>>(),
            "unread": unread.collect::<Vec<_>>(),
            "passed_over": self.passed_over,
            "findings": self.documents.iter().flat_map(Document::json).collect::<Vec<_>>(),
        })
    }
}

impl Document {
    fn json(&self) -> Vec<Value> {
        let sorted = self.findings.sorted();
        let fingerprints = fingerprints(&sorted, &self.source);
        let record = |(finding, fingerprint): (&&crate::document::Finding, String)| {
            let mut record = json!(finding.record(&self.source));
            record["fingerprint"] = json!(fingerprint);
            record
        };
        sorted.iter().zip(fingerprints).map(record).collect()
    }
}
