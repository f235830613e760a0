//! What holds for any bytes that are imported as an article, asserted by the suite of the articles
//! in the repository, cut anywhere, and by the fuzzer of whatever it thinks of.

use rollup::article;
use rollup::document::{Code, Findings, Source};
use rollup::manifest;
use rollup::validation::{Against, Article, Kind, Validation};

/// Asserts every promise.
pub(crate) fn hold(bytes: &[u8]) {
    let Ok(imported) = article::import(bytes) else {
        return;
    };
    let again = article::import(bytes).expect("it was one before");
    assert_eq!(imported.draft, again.draft, "the same draft twice");
    assert!(
        imported.draft.parse::<toml::Table>().is_ok(),
        "a draft is TOML:\n{}",
        imported.draft
    );
    let lines: Vec<u32> = imported
        .accounted
        .iter()
        .map(|accounted| accounted.line)
        .collect();
    assert!(
        lines.is_sorted(),
        "the installation section in its order: {lines:?}"
    );
    for value in imported.values() {
        assert_eq!(
            imported.article_line(value.draft_line),
            Some(value.line),
            "{value:?} knows its line"
        );
    }
    // A draft that is a manifest says what its article says.
    let source = Source::new("draft.toml", imported.draft.as_str());
    let mut findings = Findings::default();
    if let Some(draft) = manifest::parse(&source, &mut findings) {
        assert!(manifest::compare(&draft, &draft).is_empty());
        let article = Article::new("article", imported).expect("its draft is a manifest");
        let against = Against {
            article: Some(&article),
            ..Against::default()
        };
        let validation = Validation::of(vec![(source, Kind::Manifest)], &against);
        let said: Vec<_> = validation
            .documents
            .iter()
            .flat_map(|document| document.findings.sorted())
            .collect();
        let of_the_article = |code| {
            matches!(
                code,
                Code::ArticleSaysOtherwise | Code::ArticleSaysMore | Code::ArticleSaysLess
            )
        };
        assert!(
            !said.iter().any(|finding| of_the_article(finding.code)),
            "{said:#?}"
        );
    }
}
