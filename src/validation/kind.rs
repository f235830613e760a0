//! Recognition of manifests and deployments before anything is parsed, and of what people name in
//! their place.

use std::collections::BTreeSet;
use std::path::Path;

use crate::article;
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
    let name = Path::new(source.name()).file_name();
    let name = name.and_then(|name| name.to_str()).unwrap_or_default();
    if same_name(name, "deployment.toml") {
        return Some(DocumentKind::Deployment);
    }
    let keys = top_keys(source.text());
    if any_of(&keys, &MANIFEST_KEYS) {
        return Some(DocumentKind::Manifest);
    }
    if any_of(&keys, &APPLIED_RECORD_KEYS) {
        return None;
    }
    if any_of(&keys, &DEPLOYMENT_KEYS) {
        return Some(DocumentKind::Deployment);
    }
    // Records that rollup writes have a `schema`, too, and are recognized by their names.
    if !keys.contains("schema") || same_name(ItemDir::RECORD, name) {
        return None;
    }
    let resembles = |of: &[&'static str]| {
        keys.iter()
            .any(|key| nearest(key, of.iter().copied()).is_some())
    };
    if resembles(&MANIFEST_KEYS) {
        Some(DocumentKind::Manifest)
    } else {
        resembles(&DEPLOYMENT_KEYS).then_some(DocumentKind::Deployment)
    }
}

/// Document that is neither a manifest nor a deployment, and that another command takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OtherDocument {
    Article,
    /// HTML page that rollup made of a plan or a run.
    Page,
    SavedPlan,
    /// Record of a rollup, an item or a service.
    Record,
    Journal,
    Events,
    /// File that is not a text.
    Binary(&'static str),
}

impl OtherDocument {
    /// Recognizes a document that [`kind_of`] does not know; `None` if it is unknown here, too.
    pub fn of(source: &Source) -> Option<Self> {
        if let Some(format) = source.binary_format() {
            return Some(OtherDocument::Binary(format));
        }
        if source.is_unreadable() || kind_of(source).is_some() {
            return None;
        }
        let text = source.text().trim_start_matches('\u{feff}').trim_start();
        let has = |words: &[&str]| words.iter().all(|word| text.contains(word));
        let keys = top_keys(text);
        let has_keys = |of: &[&str]| of.iter().all(|key| keys.contains(key));
        match text.as_bytes().first()? {
            b'<' if has(&["<meta name=\"generator\" content=\"rollup\">"]) => {
                Some(OtherDocument::Page)
            }
            b'{' if has(&["\"elapsed_us\"", "\"event\""]) => Some(OtherDocument::Events),
            b'{' if has(&["\"digest\"", "\"steps\""]) => Some(OtherDocument::SavedPlan),
            b'{' => None,
            b'0'..=b'9' if is_journal(text) => Some(OtherDocument::Journal),
            _ if has_keys(&["schema", "state"])
                || has_keys(&["schema", "running", "enabled"])
                || has_keys(&["schema", "manifest"]) && any_of(&keys, &APPLIED_RECORD_KEYS) =>
            {
                Some(OtherDocument::Record)
            }
            _ => article::import(source.text().as_bytes())
                .is_ok()
                .then_some(OtherDocument::Article),
        }
    }

    /// Returns what it is, with its article.
    pub fn description(self) -> &'static str {
        match self {
            OtherDocument::Article => "an article",
            OtherDocument::Page => "a page that rollup made",
            OtherDocument::SavedPlan => "a saved plan",
            OtherDocument::Record => "a record of rollup",
            OtherDocument::Journal => "the journal of a run",
            OtherDocument::Events => "the log of a run",
            OtherDocument::Binary(format) => format,
        }
    }

    /// Returns what to type in place of a manifest, with the path of the document.
    pub fn advice(self, path: &str) -> String {
        match self {
            OtherDocument::Article => {
                format!("`rollup import {path} -o FILE` drafts a manifest from it")
            }
            OtherDocument::Page => {
                "name the manifest, or a plan that `rollup plan MANIFEST --save FILE` wrote"
                    .to_owned()
            }
            OtherDocument::SavedPlan => {
                format!("name the manifest that it was made from; `rollup show {path}` prints it")
            }
            OtherDocument::Record => "name the manifest of the rollup".to_owned(),
            OtherDocument::Journal => {
                "`rollup history` prints what is recorded of the runs".to_owned()
            }
            OtherDocument::Events => "`rollup report last` makes a report of it".to_owned(),
            OtherDocument::Binary("a PDF") => {
                "save the article as text or as a page: `rollup import` drafts a manifest from it"
                    .to_owned()
            }
            OtherDocument::Binary(_) => format!("`rollup inspect {path}` prints what is in it"),
        }
    }
}

fn any_of(keys: &BTreeSet<&str>, of: &[&str]) -> bool {
    of.iter().any(|key| keys.contains(key))
}

/// Returns whether a text begins like a journal: a number, a checksum, and a record.
fn is_journal(text: &str) -> bool {
    let mut words = text.splitn(3, ' ');
    let (Some(number), Some(checksum), Some(record)) = (words.next(), words.next(), words.next())
    else {
        return false;
    };
    let is_checksum = checksum.len() == 16 && checksum.bytes().all(|b| b.is_ascii_hexdigit());
    number.bytes().all(|b| b.is_ascii_digit()) && is_checksum && record.starts_with('{')
}

/// Returns the top-level keys of a document: those before its first header, and the first part of
/// every header.
fn top_keys(text: &str) -> BTreeSet<&str> {
    let mut keys = BTreeSet::new();
    let mut headed = false;
    for line in text.lines() {
        let line = line.trim_start_matches(['\u{feff}', ' ', '\t']);
        let key = line.trim_start_matches('[');
        headed |= key != line;
        if key != line || !headed {
            let key = key.split(['.', '=', ']']).next().unwrap_or_default();
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
