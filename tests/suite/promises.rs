//! What holds for any bytes that are validated, asserted by the suite of the kept corpus and by the
//! fuzzer of whatever it thinks of.

use std::sync::LazyLock;

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Code, Findings, RenderOptions, Source};
use rollup::manifest::{self, Checks, Manifest};
use rollup::names::{Digest, FileName};
use rollup::validation::{Document, Kind, Validation};

static SAMPLE: LazyLock<Description> = LazyLock::new(|| {
    let source = Source::new(
        "deployment.toml",
        include_str!("../../fixtures/hmc40/deployment.toml"),
    );
    describe::parse(&source, &mut Findings::default()).expect("the sample has no errors")
});

/// A name that needs every escape that there is.
const NAME: &str = "a,b:c%0A/100 %::error::.toml";

/// Asserts every promise.
pub(crate) fn hold(bytes: &[u8]) {
    for (kind, deployment) in [
        (Kind::Manifest, None),
        (Kind::Manifest, Some(&*SAMPLE)),
        (Kind::Deployment, None),
    ] {
        let source = Source::from_bytes(NAME, bytes.to_vec());
        let (findings, manifest) = checked(&source, kind, deployment);
        findings_lie_in_the_document(&findings, &source);
        if kind == Kind::Manifest {
            pinning_breaks_nothing(&source, &findings, manifest.as_ref());
        }
        let again = checked(&source, kind, deployment).0;
        let told = reports(Document {
            source: source.clone(),
            kind,
            findings,
        });
        assert_eq!(
            told,
            reports(Document {
                source,
                kind,
                findings: again
            }),
            "the same reports twice"
        );
    }
}

/// A value comes back exactly when there is no error.
fn checked(
    source: &Source,
    kind: Kind,
    deployment: Option<&Description>,
) -> (Findings, Option<Manifest>) {
    let mut findings = Findings::default();
    let (given, manifest) = match kind {
        Kind::Manifest => {
            let manifest = manifest::parse_with(source, &Checks { deployment }, &mut findings);
            (manifest.is_some(), manifest)
        }
        Kind::Deployment => (describe::parse(source, &mut findings).is_some(), None),
    };
    assert_eq!(
        given,
        findings.errors() == 0,
        "a value exactly when there is no error"
    );
    assert_eq!(
        given,
        findings.counts()[0] == 0,
        "the errors that are told are those that count"
    );
    (findings, manifest)
}

fn findings_lie_in_the_document(findings: &Findings, source: &Source) {
    let lines = source.text().matches('\n').count() + 1;
    for finding in findings.sorted() {
        let span = &finding.span;
        assert!(
            span.start <= span.end && span.end <= source.text().len(),
            "{finding:?} lies in the document"
        );
        let record = finding.record(source);
        let (start, end) = (
            (record.line, record.column),
            (record.end_line, record.end_column),
        );
        assert!(
            start >= (1, 1) && start <= end && end.0 as usize <= lines,
            "{finding:?} has a place"
        );
        assert!(!finding.message.is_empty(), "{finding:?} says something");
    }
}

/// Every report, each with what it promises.
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
            folds: width < 100,
        });
        assert!(
            text.chars().all(|c| c == '\n' || !c.is_control()),
            "no control characters: {text:?}"
        );
        text
    };
    let json = validation.json();
    let count = findings.sorted().len();
    assert_eq!(
        json["findings"].as_array().map(Vec::len),
        Some(count),
        "the JSON has every finding"
    );
    let mut sarif = validation.sarif(0);
    // The rules are the same for every document, and longer than most.
    sarif["runs"][0]["tool"].take();
    let results = sarif["runs"][0]["results"].as_array().map(Vec::len);
    assert_eq!(
        results,
        Some(count + findings.not_kept().count()),
        "the SARIF has every finding"
    );
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
        "it is JSON"
    );
    text
}

/// One command a line for every finding, in which nothing of the document begins another or adds a
/// property.
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
        findings.sorted().len() + findings.not_kept().count(),
        "a line for each"
    );
    for line in text.lines() {
        let parts: Vec<&str> = line.splitn(3, "::").collect();
        let ["", command, data] = parts[..] else {
            panic!("{line:?} is no command")
        };
        let (level, properties) = command.split_once(' ').expect("a command has properties");
        assert!(
            ["error", "warning", "notice"].contains(&level),
            "{line:?} has a level"
        );
        let properties: Vec<_> = properties
            .split(',')
            .filter_map(|property| property.split_once('='))
            .collect();
        assert_eq!(
            properties.first(),
            Some(&("file", FILE)),
            "{line:?} is about its file"
        );
        let keys: Vec<&str> = properties.iter().map(|(key, _)| *key).collect();
        let known = [
            &["file", "line", "endLine", "col", "endColumn", "title"][..],
            &["file", "line", "endLine", "title"],
            &["file", "title"],
        ];
        assert!(known.contains(&&keys[..]), "{line:?} has other properties");
        assert!(!data.is_empty(), "{line:?} says something");
        let escaped = data
            .split('%')
            .skip(1)
            .all(|rest| rest.starts_with("25") || rest.starts_with("0A"));
        assert!(escaped, "{line:?} has a bare percent sign");
    }
    text
}

/// Writing pins into a text that is TOML either fails or gives a text that is TOML; of a manifest
/// without errors it is one again, has the pins and nothing else is changed.
fn pinning_breaks_nothing(source: &Source, findings: &Findings, manifest: Option<&Manifest>) {
    // What validation refuses to parse is never pinned.
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
    let mut names: Vec<FileName> = names
        .filter_map(|name| FileName::parse(name).ok())
        .collect();
    names.sort_by_key(FileName::case_folded);
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
        "what is pinned is TOML:\n{pinned}"
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
        "pinning adds no row:\n{pinned}"
    );
    let pinned = after
        .files
        .iter()
        .all(|row| row.sha256 == Some(Digest::of(b"pinned")));
    assert!(pinned, "every row is pinned:\n{pinned}");
}
