//! Installer for update rollups: a plan is made from a manifest and a deployment, and applied
//! atomically.
//!
//! The modules are declared in reading order; each uses only those above it. Four of them are
//! packages of their own, in `crates`.

// Identities that every module shares; no input or output.
pub use rollup_names as names;

// Progress of long work.
pub mod phase;

// Signatures of people.
pub use rollup_signatures as signatures;

// Documents as people write them, and the vendor's packages.
pub mod document;

pub use rollup_msi as installer;

// The deployment, the rollup, and its files.
pub mod deployment;

pub mod manifest;

pub use rollup_article as article;

pub mod payload;

pub mod validation;

// The plan, and its execution.
pub mod plan;

pub mod journal;

pub mod run;

pub mod events;

// Checks of the result, rehearsals, and the command line.
pub mod verify;

pub mod rehearse;

pub mod cli;
