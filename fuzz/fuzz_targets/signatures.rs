//! Fuzz target that reads any bytes as a file of signers, a signature and a signed text, which NUL
//! bytes separate.
//!
//! ```text
//! RUSTC_BOOTSTRAP=1 cargo fuzz run signatures -- -max_len=8192
//! ```
//!
//! It asserts that nothing panics.
//! `crates/signatures/tests/mutations.rs` changes signatures that do, and asks `ssh-keygen`.

#![no_main]

use rollup::signatures::{Namespace, Signers};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.splitn(3, '\0');
    let mut part = || parts.next().unwrap_or_default();
    let (signers, signature, signed) = (part(), part(), part());
    if let Ok(signers) = Signers::parse(signers) {
        let _ = signers.verify(Namespace::Approval, signed.as_bytes(), signature, 1);
    }
});
