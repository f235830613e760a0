//! Applied rollups over many runs: what lags, what can be undone, and what `apply` does again.

mod drive;
mod model;
mod random;
mod site;
