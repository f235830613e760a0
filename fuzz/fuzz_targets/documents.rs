//! Any bytes at all as a manifest, as a manifest for the sample deployment, and as a
//! `deployment.toml`.
//!
//! It asserts the promises of `tests/suite/promises.rs`, which `cargo test` asserts of the kept
//! corpus. From the repository's root, with `cargo install cargo-fuzz` and the stable toolchain
//! (`RUSTC_BOOTSTRAP` lets it take the flags that the fuzzer needs):
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run documents fuzz/corpus/documents fixtures/faulty fixtures/codes \
//!     fixtures/hmc40 manifests -- -dict=fuzz/documents.dict -max_len=4096
//! ```
//!
//! The first directory takes what is new; the others are only read. An input that breaks a promise
//! lies in `fuzz/artifacts/documents` afterwards; once it is mended it goes, under a name that says
//! what it was, into `fuzz/corpus/documents`.

#![no_main]

#[path = "../../tests/suite/promises.rs"]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::hold(bytes));
