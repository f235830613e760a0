//! Recognition of manifests and deployments before anything is parsed.

use std::collections::BTreeSet;
use std::path::Path;

use crate::document::{Source, nearest};
use crate::names::same_name;

/// Kind of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The TOML file of one rollup.
    Manifest,
    /// A `deployment.toml`.
    Deployment,
}

impl Kind {
    /// Returns the word for it.
    pub fn named(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Deployment => "deployment",
        }
    }
}

const OF_A_MANIFEST: [&str; 5] = ["rollup", "article", "prerequisites", "steps", "payload"];
const OF_A_DEPLOYMENT: [&str; 4] = ["roles", "servers", "groups", "share"];

/// Files of a deployment that are written in TOML, but not by people.
const OUR_RECORDS: [&str; 2] = ["applied.toml", "state.toml"];

/// Returns the kind that a document seems to have, by its name or by the keys at its top; `None` if
/// it has no key of either language. Mistakes elsewhere in it do not matter, and beside a `schema`
/// a misspelled key counts, too.
pub fn kind_of(source: &Source) -> Option<Kind> {
    let named = Path::new(source.name())
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    if same_name(named, "deployment.toml") {
        return Some(Kind::Deployment);
    }
    let keys = top_keys(source.text());
    let any = |of: &[&str]| of.iter().any(|key| keys.contains(key));
    match (any(&OF_A_MANIFEST), any(&OF_A_DEPLOYMENT)) {
        (true, _) => Some(Kind::Manifest),
        (false, true) => Some(Kind::Deployment),
        // The records that rollup itself writes have a schema too, and are known by their names.
        (false, false)
            if !keys.contains("schema")
                || OUR_RECORDS.iter().any(|name| same_name(named, name)) =>
        {
            None
        }
        (false, false) => {
            let meant = |of: &[&'static str]| {
                keys.iter()
                    .any(|key| nearest(key, of.iter().copied()).is_some())
            };
            let manifest = meant(&OF_A_MANIFEST).then_some(Kind::Manifest);
            manifest.or_else(|| meant(&OF_A_DEPLOYMENT).then_some(Kind::Deployment))
        }
    }
}

/// Returns the keys at the top of a document: those before its first header, and the first part of
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

    fn kind(name: &str, text: &str) -> Option<Kind> {
        kind_of(&Source::new(name, text))
    }

    #[test]
    fn a_document_is_known_by_its_keys_whatever_else_is_wrong_with_it() {
        assert_eq!(
            kind("a.toml", "schema = 1\n[rollup]\n"),
            Some(Kind::Manifest)
        );
        assert_eq!(kind("a.toml", "[payload.sha256\n"), Some(Kind::Manifest));
        assert_eq!(
            kind("a.toml", "\u{feff}servers = [\n[[steps"),
            Some(Kind::Manifest)
        );
        assert_eq!(
            kind("site.toml", "schema = 1\nroles = []\n"),
            Some(Kind::Deployment)
        );
        assert_eq!(
            kind("x/Deployment.toml", "nonsense"),
            Some(Kind::Deployment)
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
            Some(Kind::Manifest)
        );
        assert_eq!(
            kind("a.toml", "schema = 1\nservrs = []\n"),
            Some(Kind::Deployment)
        );
        assert_eq!(
            kind(
                "Engine.toml",
                "schema = 1\nrunning = true\nenabled = true\nstarts = 3\n"
            ),
            None
        );
        assert_eq!(kind("applied.toml", "schema = 1\n[[rollups]]\n"), None);
        assert_eq!(
            kind("state.toml", "schema = 1\nstate = \"verified\"\n[files]\n"),
            None
        );
    }
}
