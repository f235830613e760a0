//! Ctrl-C, SIGTERM and SIGHUP: the first one asks the run to stop where that is safe, the second
//! one ends the process at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::cli::exit::{Exit, Failure};

/// Request to stop this process, set by a signal.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals(Arc<AtomicBool>);

impl Signals {
    /// Handles the signals from now on. Before that, while nothing is open, they end the process as
    /// usual.
    ///
    /// # Errors
    ///
    /// The system refuses to register a handler.
    pub(crate) fn heeded() -> io::Result<Self> {
        let signals = Self::default();
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // A process started with `nohup`, or in the background, should keep ignoring them.
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
    pub(crate) fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Lets a write beyond a limit of the file size fail with an error, as one to a full disk does,
/// instead of killing the process. A write to a closed pipe does so already, since Rust ignores
/// SIGPIPE.
///
/// A handler and not `SIG_IGN`: a process that is started from this one gets the default again.
pub(crate) fn survive_limits() {
    // This fails only for signals that cannot be caught.
    let _ = flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::default());
}

/// Returns whether the process was started with this signal ignored, as far as the system reports
/// it.
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}

/// Handles signals from here on: they stop the run at a safe point.
pub(crate) fn heeded() -> Result<Signals, Failure> {
    Signals::heeded()
        .map_err(|error| Failure::new(Exit::Io, format_args!("cannot heed signals: {error}")))
}
