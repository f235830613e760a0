//! Corpus of the fuzzer in `fuzz/`, documents of the fixtures and articles: all have the properties
//! that hold for any bytes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::sampling::Sampling;
use crate::{article_promises, promises};

/// Lists the files below a directory of the repository.
fn files(directory: &str) -> Vec<PathBuf> {
    let walk = walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
        .sort_by_file_name();
    let entries = walk
        .into_iter()
        .map(|entry| entry.expect("a readable entry"));
    entries
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| entry.into_path())
        .collect()
}

/// Runs an assertion on every file, and names the file that fails.
fn assert_for_all(directory: &str, assertion: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let files = files(directory);
    assert!(!files.is_empty(), "{directory} has no files");
    for path in files {
        assert_for(&path, &assertion);
    }
}

/// Runs an assertion on a file, and names the file if it fails.
fn assert_for(path: &Path, assertion: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let bytes = fs::read(path).expect("a readable file");
    let result = std::panic::catch_unwind(|| assertion(&bytes));
    assert!(result.is_ok(), "{} fails", path.display());
}

#[test]
fn the_corpus_of_the_fuzzer_keeps_every_promise() {
    assert_for_all("fuzz/corpus/documents", promises::assert_all);
    assert_for_all("fuzz/corpus/articles", article_promises::assert_all);
}

#[test]
fn the_documents_of_the_repository_keep_every_promise() {
    let sampling = Sampling::one_of(3);
    let documents = [
        "fixtures/faulty",
        "fixtures/codes",
        "fixtures/hmc40",
        "manifests",
    ];
    for (at, path) in documents.into_iter().flat_map(files).enumerate() {
        if sampling.includes(at, 0) {
            assert_for(&path, promises::assert_all);
        }
    }
}

/// Distance in bytes between two cuts of an article: a prime, so that cuts fall anywhere in a line.
const STRIDE: usize = 499;

#[test]
fn articles_cut_anywhere_keep_every_promise() {
    assert_for_all("fixtures/articles", |bytes| {
        (0..bytes.len())
            .step_by(STRIDE)
            .for_each(|end| article_promises::assert_all(&bytes[..end]));
        article_promises::assert_all(bytes);
    });
}
