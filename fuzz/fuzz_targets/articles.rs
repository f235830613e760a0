//! Any bytes at all as an article that is imported.
//!
//! It asserts the promises of `tests/suite/article_promises.rs`, which `cargo test` asserts of the
//! kept corpus and of the articles in `fixtures`, cut anywhere. From the repository's root:
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run articles fuzz/corpus/articles fixtures/articles -- -dict=fuzz/articles.dict \
//!     -max_len=8192
//! ```

#![no_main]

#[path = "../../tests/suite/article_promises.rs"]
mod article_promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| article_promises::hold(bytes));
