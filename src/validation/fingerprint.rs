//! Fingerprints, by which a finding is recognized after other lines of the document change.

use std::collections::BTreeMap;

use crate::document::{Code, Finding, Source};
use crate::names::Digest;

/// Number of hexadecimal digits of a fingerprint; enough for the findings of one document.
const DIGITS: usize = 16;

/// Returns the fingerprints of findings, in their order: over the code, the text of the line and
/// the number of the finding among those with its code on equal lines. A fingerprint does not
/// depend on other lines, so that a service that shows findings recognizes an old one.
pub(super) fn fingerprints(sorted: &[&Finding], source: &Source) -> Vec<String> {
    // A line may be as long as the document and have all its findings, so each is hashed once.
    let mut lines: BTreeMap<u32, Digest> = BTreeMap::new();
    let mut seen: BTreeMap<(Code, Digest), usize> = BTreeMap::new();
    let of = |finding: &&Finding| {
        let line = source.line(finding.span.start);
        let line = *lines
            .entry(line)
            .or_insert_with(|| Digest::of(source.shown(source.line_span(line)).trim().as_bytes()));
        let nth = seen.entry((finding.code, line)).or_default();
        *nth += 1;
        let digest = Digest::of(format!("{}\n{line}\n{nth}", finding.code).as_bytes()).to_string();
        digest[..DIGITS].to_owned()
    };
    sorted.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Findings;

    fn of(text: &str, marks: &[&str]) -> Vec<String> {
        let source = Source::new("m.toml", text);
        let mut findings = Findings::default();
        for mark in marks {
            for (at, _) in text.match_indices(mark) {
                findings.add(Code::UnknownKey, at..at + 1, *mark);
            }
        }
        fingerprints(&findings.sorted(), &source)
    }

    #[test]
    fn a_fingerprint_stays_when_other_lines_change() {
        let before = of("a = 1\nfoo = 2\nbar = 3\nfoo = 2\n", &["foo", "bar"]);
        let after = of(
            "# new\n\nfoo = 2\na = 1\n  bar = 3\nb = 2\nfoo = 2 \n",
            &["foo", "bar"],
        );
        assert_eq!(before, after);
        assert!(before[0] != before[2] && before[0] != before[1]);
    }
}
