//! The promises, one file per behaviour.

mod crash;
mod disk;
mod findings;
mod independent_tools;
mod listing;
mod payload;
mod read_only;
mod readiness;
mod story;
mod travellers;
mod world;
