//! What people read: plans, reports of runs, and what both are made of.
//!
//! A view reads nothing but what it is given.

pub(super) mod markdown;
pub(super) mod plan;
pub(super) mod report;
pub(super) mod steps;
pub(super) mod summary;
