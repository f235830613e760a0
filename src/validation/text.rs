//! The report for people.

use super::Validation;
use crate::document::Look;

impl Validation {
    /// Returns every finding drawn in its place, document after document; empty if there is none.
    pub fn text(&self, look: &Look) -> String {
        let told = self
            .documents
            .iter()
            .filter(|document| !document.findings.is_empty());
        let texts: Vec<_> = told
            .map(|document| document.findings.text(&document.source, look))
            .collect();
        texts.join("\n")
    }
}
