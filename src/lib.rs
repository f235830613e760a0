//! An installer for update rollups: a manifest and a deployment become a plan, and the plan a
//! change that happens whole or not at all.
//!
//! The modules stand in reading order; each uses only those above it.

pub mod names;
pub mod document;
pub mod installer;
pub mod deployment;
pub mod manifest;
pub mod article;
pub mod payload;
pub mod validation;
pub mod plan;
pub mod journal;
pub mod run;
pub mod events;
pub mod verify;
pub mod rehearse;
pub mod cli;
