//! Fuzz target that imports any bytes as an article.
//!
//! It asserts the properties in `tests/suite/article_promises.rs`, which `cargo test` asserts of
//! the corpus and of the articles in `fixtures`, cut anywhere. From the repository's root:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run articles fuzz/corpus/articles fixtures/articles -- -dict=fuzz/articles.dict \
//!     -max_len=8192
//! ```

#![no_main]

#[path = "../../tests/suite/article_promises.rs"]
mod article_promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| article_promises::assert_all(bytes));
