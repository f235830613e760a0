//! Recognition of manifests and deployments before anything is parsed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::deployment::item_dir::ItemDir;
use crate::document::{Source, nearest};
use crate::names::same_name;

/// Kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// The TOML file of one rollup.
    Manifest,
    /// A `deployment.toml`.
    Deployment,
}

impl DocumentKind {
    /// Returns `manifest` or `deployment`.
    pub fn name(self) -> &'static str {
        match self {
            DocumentKind::Manifest => "manifest",
            DocumentKind::Deployment => "deployment",
        }
    }
}

const MANIFEST_KEYS: [&str; 5] = ["rollup", "article", "prerequisites", "steps", "payload"];
const DEPLOYMENT_KEYS: [&str; 4] = ["roles", "servers", "groups", "share"];

/// Keys at the top of the record of an applied rollup, of which it has one. A manifest has it in
/// `[rollup]`.
const APPLIED_RECORD_KEYS: [&str; 2] = ["kb", "id"];

/// Returns the kind that a document seems to have, by its name or by its top-level keys; `None` if
/// it has no key of either language. Mistakes elsewhere do not matter, and if it has `schema`, a
/// misspelled key counts, too.
pub fn kind_of(source: &Source) -> Option<DocumentKind> {
    let name = Path::new(source.name())
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if same_name(name, "deployment.toml") {
        return Some(DocumentKind::Deployment);
    }
    let keys = top_keys(source.text());
    let any = |of: &[&str]| of.iter().any(|key| keys.contains(key));
    match (any(&MANIFEST_KEYS), any(&DEPLOYMENT_KEYS)) {
        (true, _) => Some(DocumentKind::Manifest),
        (false, _) if any(&APPLIED_RECORD_KEYS) => None,
        (false, true) => Some(DocumentKind::Deployment),
        // Records that rollup writes have a `schema`, too, and are recognized by their names.
        (false, false) if !keys.contains("schema") || same_name(ItemDir::RECORD, name) => None,
        (false, false) => {
            let resembles = |of: &[&'static str]| {
                keys.iter()
                    .any(|key| nearest(key, of.iter().copied()).is_some())
            };
            let manifest = resembles(&MANIFEST_KEYS).then_some(DocumentKind::Manifest);
            manifest.or_else(|| resembles(&DEPLOYMENT_KEYS).then_some(DocumentKind::Deployment))
        }
    }
}

/// Returns the top-level keys of a document: those before its first header, and the first part of
/// every header.
fn top_keys(text: &str) -> BTreeSet<&str> {
    let mut keys = BTreeSet::new();
    let mut headed = false;
    for line in text
        .lines()
        .map(|line| line.trim_start_matches(['\u{feff}', ' ', '\t']))
    {
        let is_header = line.starts_with('[');
        headed |= is_header;
        if is_header || !headed {
            let key = line
                .trim_start_matches('[')
                .split(['.', '=', ']'])
                .next()
                .unwrap_or_default();
            keys.insert(key.trim().trim_matches(['"', '\'']));
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(name: &str, text: &str) -> Option<DocumentKind> {
        kind_of(&Source::new(name, text))
    }

    #[test]
    fn a_document_is_recognized_by_its_keys_despite_other_faults() {
        assert_eq!(
            kind("a.toml", "schema = 1\n[rollup]\n"),
            Some(DocumentKind::Manifest)
        );
        assert_eq!(
            kind("a.toml", "[payload.sha256\n"),
            Some(DocumentKind::Manifest)
        );
        assert_eq!(
            kind("a.toml", "\u{feff}servers = [\n[[steps"),
            Some(DocumentKind::Manifest)
        );
        assert_eq!(
            kind("site.toml", "schema = 1\nroles = []\n"),
            Some(DocumentKind::Deployment)
        );
        assert_eq!(
            kind("x/Deployment.toml", "nonsense"),
            Some(DocumentKind::Deployment)
        );
        assert_eq!(
            kind(
                "Cargo.toml",
                "[package]\nname = \"x\"\n[dependencies]\nrollup = \"1\"\n"
            ),
            None
        );
        assert_eq!(
            kind("a.toml", "schema = 1\n[rolup]\n[[step]]\n"),
            Some(DocumentKind::Manifest)
        );
        assert_eq!(
            kind("a.toml", "schema = 1\nservrs = []\n"),
            Some(DocumentKind::Deployment)
        );
        assert_eq!(
            kind(
                "Engine.toml",
                "schema = 1\nrunning = true\nenabled = true\n"
            ),
            None
        );
        assert_eq!(
            kind("KB1.toml", "schema = 1\nkb = \"KB1\"\n[servers]\n[items]\n"),
            None
        );
        assert_eq!(
            kind("state.toml", "schema = 1\nstate = \"verified\"\n[files]\n"),
            None
        );
    }
}
