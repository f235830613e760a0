//! The promises, one file per behaviour.

mod by_hand;
mod findings;
mod independent_tools;
mod transcripts;
