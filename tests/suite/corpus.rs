//! What the fuzzer in `fuzz/` once found, and every document of the fixtures, keep the promises of
//! all documents.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{article_promises, promises};

/// Every file in and below a directory of the repository.
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

/// A failure says which document it is about by standing below its name in the output.
fn all_hold(directory: &str, promise: impl Fn(&[u8]) + std::panic::RefUnwindSafe) {
    let files = files(directory);
    assert!(!files.is_empty(), "{directory} has files");
    for path in files {
        let bytes = fs::read(&path).expect("a readable file");
        let held = std::panic::catch_unwind(|| promise(&bytes));
        assert!(held.is_ok(), "{} breaks a promise", path.display());
    }
}

#[test]
fn what_the_fuzzer_found_keeps_every_promise() {
    all_hold("fuzz/corpus/documents", promises::hold);
    all_hold("fuzz/corpus/articles", article_promises::hold);
}

#[test]
fn the_documents_of_the_repository_keep_every_promise() {
    for directory in [
        "fixtures/faulty",
        "fixtures/codes",
        "fixtures/hmc40",
        "manifests",
    ] {
        all_hold(directory, promises::hold);
    }
}

/// How far apart the places are at which an article is cut: a prime, so that all kinds of places
/// are met.
const STRIDE: usize = 211;

#[test]
fn articles_cut_anywhere_keep_every_promise() {
    all_hold("fixtures/articles", |bytes| {
        (0..bytes.len())
            .step_by(STRIDE)
            .for_each(|end| article_promises::hold(&bytes[..end]));
        article_promises::hold(bytes);
    });
}
