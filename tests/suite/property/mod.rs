//! Promises that hold for every deployment and every manifest, tried on random ones.
//!
//! Each promise is tried on the same few cases every time. A campaign tries it on many new ones:
//! `PROPTEST_CASES=5000 cargo test property -- --nocapture`.

mod alternation;
mod choose;
mod drive;
mod hold;
mod model;
mod names;
mod nested;
mod recovery;
mod reference;
mod repair;
mod stock;
mod undo;
mod world;

use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;

use crate::crash::tree::Tree;

/// Compares two trees; the context begins the message.
fn same(wanted: &Tree, found: &Tree, context: &str) -> TestCaseResult {
    let differences = wanted.differences(found);
    prop_assert!(differences.is_empty(), "{context}: {differences:#?}");
    Ok(())
}
