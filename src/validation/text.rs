//! The report for people.

use super::Validation;
use crate::document::RenderOptions;

impl Validation {
    /// Returns every finding drawn in its place, document after document; empty if there is none.
    pub fn text(&self, options: &RenderOptions) -> String {
        let told = self
            .documents
            .iter()
            .filter(|document| !document.findings.is_empty());
        let texts: Vec<_> = told
            .map(|document| document.findings.text(&document.source, options))
            .collect();
        texts.join("\n")
    }
}
