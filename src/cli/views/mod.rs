//! Views for people: findings, plans, reports of runs, and the parts that these share.
//!
//! A view reads nothing but its arguments.

pub(super) mod escapers;
pub(super) mod findings;
pub(super) mod markdown;
mod page;
pub(super) mod plan;
pub(super) mod report;
pub(super) mod restarts;
pub(super) mod signatures;
pub(super) mod steps;
pub(super) mod summary;
pub(super) mod undo;
pub(super) mod verdict;
