//! Findings of faulty documents: all are reported at once, each at its place, and the reports are
//! compared whole.

use std::fs;
use std::path::{Path, PathBuf};

use rollup::deployment::describe;
use rollup::deployment::description::Description;
use rollup::document::{Findings, RenderOptions, Severity, Source};
use rollup::manifest::{self, Checks};

use crate::sampling::Sampling;

const OPTIONS: RenderOptions = RenderOptions::PLAIN;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn source(path: &str) -> Source {
    Source::from_bytes(
        path,
        fs::read(root().join(path)).expect("a fixture can be read"),
    )
}

fn sample() -> Description {
    let mut findings = Findings::default();
    let description = describe::parse(&source("fixtures/hmc40/deployment.toml"), &mut findings);
    description.expect("the sample has no errors")
}

/// Lists the documents in `fixtures/faulty` by their path from the repository's root. Those named
/// `deployment-…` are deployments, those named `hmc40-…` manifests for the sample deployment, the
/// others manifests without a deployment.
fn faulty() -> Vec<String> {
    let entries = fs::read_dir(root().join("fixtures/faulty")).expect("the fixtures");
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("a readable entry").path())
        .collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    paths.sort();
    let name = |path: &PathBuf| {
        path.file_name()
            .and_then(|name| name.to_str())
            .map(str::to_owned)
    };
    paths
        .iter()
        .filter_map(name)
        .map(|name| format!("fixtures/faulty/{name}"))
        .collect()
}

fn validate(path: &str) -> (Source, Findings, bool) {
    let source = source(path);
    let mut findings = Findings::default();
    let parsed = if path.contains("/deployment-") {
        describe::parse(&source, &mut findings).is_some()
    } else if path.contains("/hmc40-") {
        let checks = Checks {
            deployment: Some(&sample()),
        };
        manifest::parse_with(&source, &checks, &mut findings).is_some()
    } else {
        manifest::parse(&source, &mut findings).is_some()
    };
    (source, findings, parsed)
}

#[test]
fn every_faulty_document_has_its_exact_report() {
    for path in faulty() {
        let (source, findings, parsed) = validate(&path);
        assert_eq!(
            parsed,
            findings.errors() == 0,
            "{path} gives a value exactly if it has no errors"
        );
        let expected = root().join(path.replace(".toml", ".txt"));
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(findings.text(&source, &OPTIONS), expected.raw());
    }
}

#[test]
fn ten_faults_give_ten_findings() {
    let (source, findings, _) = validate("fixtures/faulty/ten-faults.toml");
    let sorted = findings.sorted();
    assert_eq!(sorted.len(), 10, "{}", findings.text(&source, &OPTIONS));
    let lines: Vec<u32> = sorted
        .iter()
        .map(|finding| source.place(finding.span.start).0)
        .collect();
    let text = source.text().lines();
    let marked: Vec<u32> = (1..)
        .zip(text)
        .filter(|(_, line)| line.contains("# fault"))
        .map(|(line, _)| line)
        .collect();
    assert_eq!(lines, marked);
}

#[test]
fn findings_have_their_places_in_json() {
    let (source, findings, _) = validate("fixtures/faulty/ten-faults.toml");
    let sorted = findings.sorted().into_iter();
    let records: Vec<_> = sorted.map(|finding| finding.record(&source)).collect();
    let records = serde_json::to_value(records).expect("records are plain data");
    let first = &records[0];
    assert_eq!(first["file"], "fixtures/faulty/ten-faults.toml");
    assert_eq!(first["level"], "error");
    for key in [
        "line",
        "column",
        "end_line",
        "end_column",
        "code",
        "message",
        "label",
        "notes",
        "help",
    ] {
        assert!(first.get(key).is_some(), "`{key}` is missing");
    }
}

#[test]
fn the_shipped_documents_have_no_errors() {
    let manifest = source("manifests/kb952076.toml");
    let mut findings = Findings::default();
    let checks = Checks {
        deployment: Some(&sample()),
    };
    assert!(manifest::parse_with(&manifest, &checks, &mut findings).is_some());
    assert!(
        findings
            .sorted()
            .iter()
            .all(|finding| finding.level != Severity::Error)
    );
}

/// Cuts a document at every place, and replaces every character with one that means something in
/// TOML.
#[test]
fn the_parser_never_panics_on_a_damaged_document() {
    let parse =
        |source: &Source, findings: &mut Findings| match source.name().contains("deployment") {
            true => describe::parse(source, findings).is_some(),
            false => manifest::parse(source, findings).is_some(),
        };
    let sampling = Sampling::one_of(13);
    for path in [
        "fixtures/faulty/ten-faults.toml",
        "fixtures/faulty/deployment-requires.toml",
    ] {
        let text = source(path).text().to_owned();
        for (at, old) in text.char_indices() {
            let damages = [
                "", "\"", "'", "[", "{", "}", "]", "=", "\n", ".", "ü", "\u{1b}",
            ];
            for (number, new) in damages.into_iter().enumerate() {
                if !sampling.includes(at, number) {
                    continue;
                }
                let damaged = format!("{}{new}{}", &text[..at], &text[at + old.len_utf8()..]);
                let damaged = Source::new(path, damaged);
                let mut findings = Findings::default();
                let parsed = parse(&damaged, &mut findings);
                assert!(!parsed || findings.errors() == 0);
                let rendered = findings.text(&damaged, &OPTIONS);
                assert!(
                    rendered.chars().all(|c| c == '\n' || !c.is_control()),
                    "{rendered:?}"
                );
            }
            if sampling.includes(at, 0) {
                let mut findings = Findings::default();
                parse(&Source::new(path, &text[..at]), &mut findings);
            }
        }
    }
}
