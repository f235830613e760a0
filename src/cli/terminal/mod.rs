//! The terminal: results, messages, progress and prompts as people see them, and the signals that
//! come from it.
//!
//! Nothing here decides anything, and what cannot be printed never fails a run.

pub(super) mod out;
pub(super) mod progress;
pub(super) mod prompts;
pub(super) mod signals;

pub(super) use progress::{ManualSteps, Progress, Wishes};
pub(super) use signals::Signals;
