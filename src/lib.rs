//! An installer for update rollups: a manifest and a deployment become a plan, and the plan is
//! applied atomically.
//!
//! The modules are declared in reading order; each uses only those above it.

// Identities that every module shares; no input or output.
pub mod names;

// Documents as people write them, and the vendor's packages.
pub mod document;

pub mod installer;

// The site, the rollup, and the files that come with it.
pub mod deployment;

pub mod manifest;

pub mod article;

pub mod payload;

pub mod validation;

// From the decision to the change.
pub mod plan;

pub mod journal;

pub mod run;

pub mod events;

// What looks at the result, and what people type.
pub mod verify;

pub mod rehearse;

pub mod cli;
