//! The promises, one file per behaviour.

mod disk;
mod documents;
mod findings;
mod independent_tools;
mod listing;
mod locks;
mod names;
mod payload;
mod read_only;
mod readiness;
mod rehearsals;
mod story;
mod travellers;
mod world;
