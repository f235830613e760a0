//! Drafts of the importer, read as manifests.

use rollup::article::import;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Manifest};

/// Article that has every kind of section and step.
const MILL: &str = include_str!("../../crates/article/fixtures/mill.txt");

fn parsed(draft: &str) -> Manifest {
    let mut findings = Findings::default();
    let manifest = manifest::parse(&Source::new("draft.toml", draft), &mut findings);
    manifest.unwrap_or_else(|| panic!("{findings:#?}\n{draft}"))
}

#[test]
fn an_article_becomes_a_manifest() {
    let imported = import(MILL.as_bytes()).expect("an article");
    let manifest = parsed(&imported.draft);
    let steps: Vec<_> = manifest
        .steps
        .iter()
        .map(|step| (step.id.as_str(), step.keyword()))
        .collect();
    assert_eq!(
        steps,
        [
            ("stop-fabrikam-sync", "stop"),
            ("uninstall", "uninstall"),
            ("copy", "copy"),
            ("install", "install"),
            ("run", "run"),
            ("restart-iis", "restart"),
            ("manual", "manual"),
            ("start-fabrikam-sync", "start"),
            ("disable-fabrikam-legacy", "disable"),
            ("enable-fabrikam-new", "enable"),
        ]
    );
    let rollup = &manifest.rollup;
    let replaces: Vec<_> = rollup.replaces.iter().map(ToString::to_string).collect();
    assert_eq!(replaces, ["KB700111", "KB700222"]);
    let requires: Vec<_> = rollup.requires.iter().map(ToString::to_string).collect();
    assert_eq!(requires, ["KB700050"]);
    assert_eq!((manifest.files.len(), manifest.prerequisites.len()), (4, 2));
    assert_eq!(
        (manifest.files[0].size, manifest.files[2].size),
        (Some(1_024_000), Some(1024))
    );
    assert_eq!(manifest.rollup.reviewed.as_deref(), Some("2010-11-06"));
}

#[test]
fn every_line_of_a_draft_has_its_line_of_the_article() {
    let imported = import(MILL.as_bytes()).expect("an article");
    let manifest = parsed(&imported.draft);
    let at = |line: u32| {
        let line = imported.article_line(line).expect("a line of the article");
        MILL.lines()
            .nth(line as usize - 1)
            .expect("the line exists")
    };
    for row in &manifest.files {
        assert!(at(row.line).starts_with(row.name.as_str()));
    }
    let manual = manifest
        .steps
        .iter()
        .find(|step| step.id == "manual")
        .expect("the manual step");
    assert!(at(manual.line).contains("Copy the remaining files"));
    assert_eq!(imported.article_line(0), None);
    assert_eq!(imported.article_line(u32::MAX), None);
}
