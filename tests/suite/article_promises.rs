//! Properties of the importer that hold for any bytes. The suite asserts them of the articles in
//! the repository, cut anywhere, and the fuzzer of any input.

use rollup::article;
use rollup::document::{Code, Findings, Source};
use rollup::manifest;
use rollup::validation::{Article, DocumentKind, Validation, ValidationContext};

/// Asserts every property.
pub(crate) fn assert_all(bytes: &[u8]) {
    let Ok(imported) = article::import(bytes) else {
        return;
    };
    let again = article::import(bytes).expect("the same article");
    assert_eq!(imported.draft, again.draft, "a second import is the same");
    assert!(
        imported.draft.parse::<toml::Table>().is_ok(),
        "a draft is TOML:\n{}",
        imported.draft
    );
    let lines: Vec<u32> = imported
        .installation
        .iter()
        .map(|entry| entry.line)
        .collect();
    assert!(
        lines.is_sorted(),
        "the lines of the installation section are in order: {lines:?}"
    );
    for value in imported.values() {
        assert_eq!(
            imported.article_line(value.draft_line),
            Some(value.line),
            "{value:?} has its line"
        );
    }
    // A draft without open points matches its article, also to the eyes of the check.
    let source = Source::new("draft.toml", imported.draft.as_str());
    let mut findings = Findings::default();
    if let Some(draft) = manifest::parse(&source, &mut findings) {
        assert!(manifest::compare(&draft, &draft).is_empty());
        let mentions = article::mentions(bytes).expect("an article");
        let article = Article::new("article", mentions);
        let against = ValidationContext {
            article: Some(&article),
            ..ValidationContext::default()
        };
        let validation = Validation::of(vec![(source, DocumentKind::Manifest)], &against);
        let contradicted: Vec<_> = validation
            .documents
            .iter()
            .flat_map(|document| document.findings.sorted())
            .filter(|finding| finding.code == Code::ContradictsArticle)
            .collect();
        assert!(contradicted.is_empty(), "{contradicted:#?}");
    }
}
