//! The promises, one file per behaviour.

mod by_hand;
mod crash;
mod disk;
mod findings;
mod independent_tools;
mod listing;
mod payload;
mod read_only;
mod readiness;
mod story;
mod transcripts;
mod travellers;
mod world;
