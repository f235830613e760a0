//! Choices of the command line about all output of this process.

use std::io::IsTerminal;
use std::sync::OnceLock;

use crate::cli::args::ProgressMode;

/// What this process prints, and whether it may prompt.
#[derive(Debug, Clone, Copy)]
pub(in crate::cli) struct OutputChoices {
    pub(in crate::cli) progress: ProgressMode,
    /// True if only results, warnings and errors are printed.
    pub(in crate::cli) is_quiet: bool,
    /// True if every operation is printed, planned ones with their reasons.
    pub(in crate::cli) is_verbose: bool,
    /// True if standard output is for one document alone, which a program reads.
    pub(in crate::cli) has_document: bool,
    /// True if no question may be asked, even on a terminal.
    pub(in crate::cli) is_without_input: bool,
}

static CHOICES: OnceLock<OutputChoices> = OnceLock::new();

/// Sets the choices of this process. `Auto` is a bar on a terminal, and lines elsewhere.
pub(in crate::cli) fn set(choices: OutputChoices) {
    let is_terminal = std::io::stderr().is_terminal()
        && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
    let progress = match choices.progress {
        ProgressMode::Auto if choices.is_quiet => ProgressMode::None,
        ProgressMode::Auto if choices.is_verbose || !is_terminal => ProgressMode::Plain,
        progress => progress,
    };
    let _ = CHOICES.set(OutputChoices {
        progress,
        ..choices
    });
}

/// Returns the choices of this process; before they are known nothing but text is printed.
pub(in crate::cli) fn choices() -> OutputChoices {
    CHOICES.get().copied().unwrap_or(OutputChoices {
        progress: ProgressMode::None,
        is_quiet: false,
        is_verbose: false,
        has_document: false,
        is_without_input: false,
    })
}
