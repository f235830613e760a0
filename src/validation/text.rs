//! The report for people.

use super::Validation;
use crate::document::RenderOptions;

impl Validation {
    /// Returns every finding with its excerpt, document after document; empty without findings.
    pub fn text(&self, options: &RenderOptions) -> String {
        let reported = self
            .documents
            .iter()
            .filter(|document| !document.findings.is_empty());
        let texts: Vec<_> = reported
            .map(|document| document.findings.text(&document.source, options))
            .collect();
        texts.join("\n")
    }
}
