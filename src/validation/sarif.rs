//! SARIF 2.1.0, the format in which code hosts accept findings.
//!
//! Built without a library: the report uses a dozen of the standard's hundreds of properties.

use std::str::FromStr;

use serde_json::{Value, json};

use super::fingerprint::fingerprints;
use super::{Document, Validation};
use crate::document::{Code, Finding};

/// Address of the schema of the standard.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Name of the fingerprint; its number increases when the computation changes.
const FINGERPRINT: &str = "rollupFinding/v1";

/// Address of the page of findings, as it is published somewhere: that of the manual is
/// `findings.html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingsUrl(String);

/// Error of a text that is not the address of a page.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("give the address of a page, such as `https://manual.example/findings.html`")]
pub struct InvalidUrlError;

impl FromStr for FindingsUrl {
    type Err = InvalidUrlError;

    fn from_str(text: &str) -> Result<Self, InvalidUrlError> {
        let rest = text.strip_prefix("https://");
        let rest = rest.or_else(|| text.strip_prefix("http://"));
        let has_host =
            rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "-._~:/?[]@!$&'*+,;=%".contains(c);
        if has_host && text.chars().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidUrlError)
        }
    }
}

impl FindingsUrl {
    /// Returns the address of the section about a finding. Code hosts and mdBook make the same
    /// fragment of its heading.
    pub fn of(&self, code: Code) -> String {
        let heading = format!("{code}: {}", code.title()).to_lowercase();
        let fragment = heading.chars().filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_ascii_alphanumeric() || "-_".contains(c) => Some(c),
            _ => None,
        });
        format!("{}#{}", self.0, fragment.collect::<String>())
    }
}

impl Validation {
    /// Returns all findings as a SARIF log with one run; `exit_code` is that of the command. Without
    /// the address of a page, rules have their help as text only.
    pub fn sarif(&self, exit_code: u8, url: Option<&FindingsUrl>) -> Value {
        let artifacts = self
            .documents
            .iter()
            .map(|document| json!({ "location": { "uri": uri(document.source.name()) } }));
        let results = self
            .documents
            .iter()
            .enumerate()
            .flat_map(|(at, document)| document.results(at));
        let unread = self.unread.iter().map(|unread| {
            json!({ "level": "error", "message": { "text": unread.reason },
                    "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(&unread.file) } } }] })
        });
        json!({
            "$schema": SCHEMA,
            "version": "2.1.0",
            "runs": [{
                "tool": { "driver": {
                    "name": "rollup",
                    "version": env!("CARGO_PKG_VERSION"),
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": Code::ALL.iter().map(|code| rule(*code, url)).collect::<Vec<_>>(),
                } },
                "invocations": [{
                    "executionSuccessful": self.unread.is_empty(),
                    "exitCode": exit_code,
                    "toolExecutionNotifications": unread.collect::<Vec<_>>(),
                }],
                "columnKind": "unicodeCodePoints",
                "artifacts": artifacts.collect::<Vec<_>>(),
                "results": results.collect::<Vec<_>>(),
            }],
        })
    }
}

fn rule(code: Code, url: Option<&FindingsUrl>) -> Value {
    let mut rule = json!({
        "id": code.number(),
        "name": code.name(),
        "shortDescription": { "text": code.title() },
        "fullDescription": { "text": first_paragraph(code.explanation()) },
        "help": { "text": code.explanation(), "markdown": code.explanation() },
        "defaultConfiguration": { "level": code.level() },
    });
    if let Some(url) = url {
        rule["helpUri"] = url.of(code).into();
    }
    rule
}

fn first_paragraph(text: &str) -> String {
    let paragraph = text
        .split("\n\n")
        .next()
        .unwrap_or_default()
        .replace('\n', " ");
    // The text after the colon is an example, which is part of the help.
    match paragraph.strip_suffix(':') {
        Some(paragraph) => format!("{paragraph}."),
        None => paragraph,
    }
}

impl Document {
    fn results(&self, artifact: usize) -> Vec<Value> {
        let location = json!({ "uri": uri(self.source.name()), "index": artifact });
        let sorted = self.findings.sorted_with_allowed();
        let fingerprints = fingerprints(&sorted, &self.source);
        sorted
            .iter()
            .zip(fingerprints)
            .map(|(finding, print)| self.result(finding, print, &location))
            .collect()
    }

    fn result(&self, finding: &Finding, fingerprint: String, location: &Value) -> Value {
        let record = finding.record(&self.source);
        let region = json!({
            "startLine": record.line,
            "startColumn": record.column,
            "endLine": record.end_line,
            "endColumn": record.end_column,
        });
        let mut result = json!({
            "ruleId": finding.code.number(),
            "ruleIndex": index(finding.code),
            "level": finding.level,
            "message": { "text": finding.plain_text() },
            "locations": [{ "physicalLocation": { "artifactLocation": location, "region": region } }],
            "partialFingerprints": { FINGERPRINT: fingerprint },
        });
        if let Some(line) = finding.allowed_by {
            let comment = json!({ "artifactLocation": location, "region": { "startLine": line } });
            result["suppressions"] =
                json!([{ "kind": "inSource", "location": { "physicalLocation": comment } }]);
        }
        if let Some(replacement) = record.replacement {
            result["fixes"] = json!([{
                "description": { "text": format!("write `{replacement}`") },
                "artifactChanges": [{
                    "artifactLocation": location,
                    "replacements": [{ "deletedRegion": region, "insertedContent": { "text": replacement } }],
                }],
            }]);
        }
        result
    }
}

fn index(code: Code) -> usize {
    Code::ALL.partition_point(|other| *other < code)
}

/// Returns a path as the standard requires it: a reference relative to the directory of the run, or
/// the absolute address of a file.
fn uri(path: &str) -> String {
    let mut uri = if path.starts_with('/') {
        "file://".to_owned()
    } else {
        String::new()
    };
    let relative = path.strip_prefix("./").unwrap_or(path);
    for byte in relative.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte))
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_references() {
        assert_eq!(uri("./manifests/kb 1.toml"), "manifests/kb%201.toml");
        assert_eq!(uri("/srv/ü.toml"), "file:///srv/%C3%BC.toml");
        assert_eq!(uri("a:b.toml"), "a%3Ab.toml");
    }

    #[test]
    fn a_section_has_the_fragment_of_its_heading() {
        let url: FindingsUrl = "https://manual.example/findings.html"
            .parse()
            .expect("an address");
        assert_eq!(
            url.of(Code::InvalidRemovedBy),
            "https://manual.example/findings.html#ru0305-removed_by-does-not-name-an-earlier-step-that-removes-items"
        );
        for other in [
            "findings.html",
            "https://",
            "https://a b",
            "https://a#b",
            "file:///x",
        ] {
            assert_eq!(
                other.parse::<FindingsUrl>(),
                Err(InvalidUrlError),
                "{other}"
            );
        }
    }

    #[test]
    fn every_rule_is_at_its_index() {
        assert!(
            Code::ALL
                .iter()
                .enumerate()
                .all(|(at, code)| index(*code) == at)
        );
    }
}
