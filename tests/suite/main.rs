//! The promises, one file per behaviour.

mod accepting;
mod by_hand;
mod crash;
mod disk;
mod documents;
mod findings;
mod independent_tools;
mod journals;
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
mod staging;
mod stopping;
mod story;
mod telling;
mod transcripts;
mod travellers;
mod undoing;
mod world;
