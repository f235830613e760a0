//! The terminal: results, messages, progress and prompts, and the signals that it sends.
//!
//! Nothing here decides anything, and output that cannot be written never fails a run, nor stops it.

pub(super) mod choices;
pub(super) mod console;
mod display;
mod fitted;
pub(super) mod out;
pub(super) mod progress;
pub(super) mod prompts;
pub(super) mod safe;
pub(super) mod signals;

pub(super) use progress::{FailurePlaces, ManualSteps, RunOptions, RunProgress};
pub(super) use signals::Signals;
