//! Fuzz target that checks any bytes as a manifest, as a manifest for the sample deployment, and
//! as a `deployment.toml`.
//!
//! It asserts the properties in `tests/suite/promises.rs`, which `cargo test` asserts of the
//! corpus. From the repository's root, with `cargo install cargo-fuzz` and the stable toolchain
//! (`RUSTC_BOOTSTRAP` enables the flags that the fuzzer needs):
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run documents fuzz/corpus/documents fixtures/faulty fixtures/codes \
//!     fixtures/hmc40 manifests -- -dict=fuzz/documents.dict -max_len=4096
//! ```
//!
//! New inputs are written to the first directory; the others are only read. An input that fails an
//! assertion is in `fuzz/artifacts/documents` afterwards; with the fix it goes into
//! `fuzz/corpus/documents`, under a name that describes it.

#![no_main]

#[path = "../../tests/suite/promises.rs"]
mod promises;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| promises::assert_all(bytes));
