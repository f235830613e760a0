//! The promises, one file per behaviour.

mod crash;
mod findings;
mod independent_tools;
