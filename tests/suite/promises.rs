//! Properties of validation that hold for any bytes. The suite asserts them of the corpus, and the
//! fuzzer of any input.

use std::sync::LazyLock;

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Code, Findings, RenderOptions, Source};
use rollup::manifest::{self, Checks, Manifest};
use rollup::names::{Digest, PayloadPath};
use rollup::validation::{
    Document, DocumentKind, LintLevels, Validation, ValidationContext, corrected,
};

static SAMPLE: LazyLock<Description> = LazyLock::new(|| {
    let source = Source::new(
        "deployment.toml",
        include_str!("../../fixtures/hmc40/deployment.toml"),
    );
    describe::parse(&source, &mut Findings::default()).expect("the sample has no errors")
});

/// File name that needs every kind of escape.
const NAME: &str = "a,b:c%0A/100 %::error::.toml";

/// Asserts every property.
pub(crate) fn assert_all(bytes: &[u8]) {
    for (kind, deployment) in [
        (DocumentKind::Manifest, None),
        (DocumentKind::Manifest, Some(&*SAMPLE)),
        (DocumentKind::Deployment, None),
    ] {
        let source = Source::from_bytes(NAME, bytes.to_vec());
        let (findings, manifest) = checked(&source, kind, deployment);
        assert_spans_are_in_document(&findings, &source);
        if kind == DocumentKind::Manifest {
            assert_pinning_keeps_the_rest(&source, &findings, manifest.as_ref());
        }
        assert_corrections_are_final(&source, kind, deployment);
        let again = checked(&source, kind, deployment).0;
        let first = reports(Document {
            source: source.clone(),
            kind,
            findings,
        });
        assert_eq!(
            first,
            reports(Document {
                source,
                kind,
                findings: again
            }),
            "a second validation gives the same reports"
        );
    }
}

/// Parses a document, and asserts that it gives a value exactly if there is no error.
fn checked(
    source: &Source,
    kind: DocumentKind,
    deployment: Option<&Description>,
) -> (Findings, Option<Manifest>) {
    let mut findings = Findings::default();
    let (given, manifest) = match kind {
        DocumentKind::Manifest => {
            let manifest = manifest::parse_with(source, &Checks { deployment }, &mut findings);
            (manifest.is_some(), manifest)
        }
        DocumentKind::Deployment => (describe::parse(source, &mut findings).is_some(), None),
    };
    assert_eq!(
        given,
        findings.errors() == 0,
        "there is a value exactly if there is no error"
    );
    assert_eq!(given, findings.counts()[0] == 0, "the errors are counted");
    (findings, manifest)
}

fn assert_spans_are_in_document(findings: &Findings, source: &Source) {
    let lines = source.text().matches('\n').count() + 1;
    for finding in findings.sorted() {
        let span = &finding.span;
        assert!(
            span.start <= span.end && span.end <= source.text().len(),
            "{finding:?} is outside the document"
        );
        let record = finding.record(source);
        let (start, end) = (
            (record.line, record.column),
            (record.end_line, record.end_column),
        );
        assert!(
            start >= (1, 1) && start <= end && end.0 as usize <= lines,
            "{finding:?} has no valid place"
        );
        assert!(!finding.message.is_empty(), "{finding:?} has no message");
    }
}

/// Asserts that a corrected document has nothing left to correct.
fn assert_corrections_are_final(
    source: &Source,
    kind: DocumentKind,
    deployment: Option<&Description>,
) {
    let against = ValidationContext {
        deployment,
        ..ValidationContext::default()
    };
    let levels = LintLevels::default();
    let first = corrected(source, kind, &against, &levels);
    if first.corrections.is_empty() {
        assert_eq!(first.source.text(), source.text(), "nothing was corrected");
        return;
    }
    let again = corrected(&first.source, kind, &against, &levels);
    assert_eq!(again.corrections, [], "{}", first.source.text());
}

/// Renders every report of a document, and asserts the properties of each.
fn reports(document: Document) -> [String; 5] {
    let validation = Validation {
        documents: vec![document],
        ..Validation::default()
    };
    let findings = &validation.documents[0].findings;
    let text = |width| {
        let text = validation.text(&RenderOptions {
            width,
            color: false,
            wraps: width < 100,
        });
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "no control characters: {text:?}"
        );
        text
    };
    let json = serde_json::json!(validation.document());
    let count = findings.sorted().len();
    assert_eq!(
        json["findings"].as_array().map(Vec::len),
        Some(count),
        "the JSON has all findings"
    );
    let mut sarif = validation.sarif(0, None);
    // The rules are the same for every document, and longer than most.
    sarif["runs"][0]["tool"].take();
    let results = sarif["runs"][0]["results"].as_array().map(Vec::len);
    assert_eq!(results, Some(count), "the SARIF has every finding");
    [
        text(40),
        text(300),
        reread(&json),
        reread(&sarif),
        github(&validation),
    ]
}

fn reread(document: &serde_json::Value) -> String {
    let text = format!("{document:#}");
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&text)
            .ok()
            .as_ref(),
        Some(document),
        "the document is JSON"
    );
    text
}

/// Renders the commands for GitHub: one line for each finding, in which no text of the document
/// begins another command or adds a property.
fn github(validation: &Validation) -> String {
    const FILE: &str = "a%2Cb%3Ac%250A/100 %25%3A%3Aerror%3A%3A.toml";
    let text = validation.github();
    let findings = &validation.documents[0].findings;
    assert!(
        text.chars().all(|c| c == '\n' || !c.is_control()),
        "no control characters: {text:?}"
    );
    assert_eq!(
        text.lines().count(),
        findings.sorted().len(),
        "there is a line for each finding"
    );
    for line in text.lines() {
        let parts: Vec<&str> = line.splitn(3, "::").collect();
        let ["", command, data] = parts[..] else {
            panic!("{line:?} is not a command")
        };
        let (level, properties) = command.split_once(' ').expect("a command has properties");
        assert!(
            ["error", "warning", "notice"].contains(&level),
            "{line:?} has no level"
        );
        let properties: Vec<_> = properties
            .split(',')
            .filter_map(|property| property.split_once('='))
            .collect();
        assert_eq!(
            properties.first(),
            Some(&("file", FILE)),
            "{line:?} does not name its file"
        );
        let keys: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
        let known = [
            &["file", "line", "endLine", "col", "endColumn", "title"][..],
            &["file", "line", "endLine", "title"],
            &["file", "title"],
        ];
        assert!(known.contains(&&keys[..]), "{line:?} has other properties");
        assert!(!data.is_empty(), "{line:?} has no message");
        let escaped = data
            .split('%')
            .skip(1)
            .all(|rest| rest.starts_with("25") || rest.starts_with("0A"));
        assert!(escaped, "{line:?} has a bare percent sign");
    }
    text
}

/// Asserts that writing pins into TOML fails or gives TOML, and that a manifest without errors
/// stays one, gets the pins and keeps everything else.
fn assert_pinning_keeps_the_rest(
    source: &Source,
    findings: &Findings,
    manifest: Option<&Manifest>,
) {
    // A document that validation refuses to parse is never pinned.
    let refused = [Code::TooDeep, Code::TooLarge, Code::NotUtf8, Code::NulByte];
    if findings
        .sorted()
        .iter()
        .any(|finding| refused.contains(&finding.code))
    {
        return;
    }
    let Ok(table) = toml::from_str::<toml::Table>(source.text()) else {
        return;
    };
    let rows = table
        .get("payload")
        .and_then(|payload| payload.get("files"))
        .and_then(toml::Value::as_array);
    let names = rows
        .into_iter()
        .flatten()
        .filter_map(|row| row.get("name")?.as_str());
    let mut names: Vec<PayloadPath> = names
        .filter_map(|name| PayloadPath::parse(name).ok())
        .collect();
    names.sort_by_key(PayloadPath::case_folded);
    names.dedup_by_key(|name| name.case_folded());
    let pins: Vec<_> = names
        .into_iter()
        .map(|name| (name, Digest::of(b"pinned")))
        .collect();
    let Ok(pinned) = manifest::add_pins(source.text(), &pins) else {
        return;
    };
    assert!(
        toml::from_str::<toml::Table>(&pinned).is_ok(),
        "the pinned text is not TOML:\n{pinned}"
    );
    assert_eq!(
        manifest::add_pins(&pinned, &pins).ok(),
        Some(pinned.clone()),
        "pinning again changes nothing"
    );
    let Some(before) = manifest else { return };
    let mut found = Findings::default();
    let after = manifest::parse(&Source::new(NAME, pinned.clone()), &mut found);
    let after =
        after.unwrap_or_else(|| panic!("a pinned manifest has no errors: {found:?}\n{pinned}"));
    assert_eq!(
        after.files.len(),
        before.files.len(),
        "pinning adds a row:\n{pinned}"
    );
    let pinned = after
        .files
        .iter()
        .all(|row| row.sha256 == Some(Digest::of(b"pinned")));
    assert!(pinned, "a row has no pin:\n{pinned}");
}
