//! The promises, one file per behaviour.

mod findings;
mod independent_tools;
