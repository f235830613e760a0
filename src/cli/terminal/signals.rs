//! Ctrl-C, SIGTERM and SIGHUP: the first one asks the run to stop at a safe point, the second one
//! ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::cli::exit::Exit;

/// Request to stop this process, set by a signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Registers the handlers. Before that, while no run is open, the signals end the process as
    /// usual.
    ///
    /// # Errors
    ///
    /// The system refuses to register a handler.
    fn register() -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A process that was started with `nohup` or in the background keeps ignoring them.
            if is_ignored(signal) {
                continue;
            }
            flag::register_conditional_shutdown(
                signal,
                Exit::Interrupted as i32,
                Arc::clone(&signals.0),
            )?;
            flag::register(signal, Arc::clone(&signals.0))?;
        }
        Ok(signals)
    }

    /// Returns whether a signal was received.
    pub(crate) fn is_received(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Makes a write beyond the limit of the file size fail with an error, as on a full disk, instead
/// of killing the process. A write to a closed pipe does so already, since Rust ignores SIGPIPE.
///
/// Registers a handler instead of `SIG_IGN`, which child processes would inherit.
pub(crate) fn ignore_file_size_signal() {
    // Fails only for signals that cannot be caught.
    let _ = flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::default());
}

/// Returns whether the process was started with this signal ignored, as far as the system shows it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| {
        let mask = line.strip_prefix("SigIgn:")?;
        u64::from_str_radix(mask.trim(), 16).ok()
    });
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Handles signals from now on: they stop the run at a safe point.
pub(crate) fn handle_signals() -> anyhow::Result<Signals> {
    Signals::register().context("cannot handle signals")
}
