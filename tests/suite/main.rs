//! The promises, one file per behaviour.

mod accepting;
mod by_hand;
mod crash;
mod disk;
mod documents;
mod findings;
mod independent_tools;
mod language;
mod listing;
mod locks;
mod names;
mod order;
mod payload;
mod read_only;
mod readiness;
mod rehearsals;
mod small;
mod story;
mod telling;
mod transcripts;
mod travellers;
mod world;
