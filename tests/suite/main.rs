//! What `rollup` promises, one file for each behaviour.

mod findings;
