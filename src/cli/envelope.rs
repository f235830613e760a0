//! JSON documents: what a command prints for programs, in the same envelope for all of them.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Format;
use super::exit::Exit;
use super::state_now;
use super::terminal::{out, safe};

/// Version of the documents. Within one version keys are added, never changed.
pub(super) const SCHEMA: u32 = 1;

/// Document of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Envelope<T> {
    /// Version of the document.
    schema: u32,
    #[serde(flatten)]
    outcome: CommandOutcome,
    #[serde(flatten)]
    content: T,
}

/// Outcome of a command.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CommandOutcome {
    /// Name of the exit code, or `nothing` if there is nothing to do.
    outcome: &'static str,
    /// Exit code of the command.
    exit_code: u8,
    /// True if the command changed the deployment.
    changed: bool,
}

impl CommandOutcome {
    /// Returns the outcome of a command that ends with this code.
    pub(super) fn new(exit: Exit) -> Self {
        Self::with(exit, state_now::has_changed())
    }

    fn with(exit: Exit, changed: bool) -> Self {
        Self {
            outcome: exit.name(),
            exit_code: exit as u8,
            changed,
        }
    }
}

impl<T: Serialize> Envelope<T> {
    /// Returns the document of a command that ends with this code.
    pub(super) fn new(exit: Exit, content: T) -> Self {
        Self::with(CommandOutcome::new(exit), content)
    }

    /// Returns the document of a command that failed.
    pub(super) fn of_failure(exit: Exit, changed: bool, content: T) -> Self {
        Self::with(CommandOutcome::with(exit, changed), content)
    }

    /// Returns the document of a command that had nothing to do.
    pub(super) fn nothing(content: T) -> Self {
        let outcome = CommandOutcome {
            outcome: "nothing",
            ..CommandOutcome::new(Exit::Ok)
        };
        Self::with(outcome, content)
    }

    fn with(outcome: CommandOutcome, content: T) -> Self {
        Self {
            schema: SCHEMA,
            outcome,
            content,
        }
    }

    /// Formats the document, without a line end.
    pub(super) fn text(&self) -> String {
        safe::json(&serde_json::to_string_pretty(self).expect("maps have keys that are texts"))
    }

    /// Prints the document to standard output.
    pub(super) fn print(&self) {
        out::document(&self.text());
    }
}

/// Prints the result of a command in the chosen format: as a document, or as `text` does.
pub(super) fn show<T: Serialize>(format: Format, exit: Exit, content: T, text: impl FnOnce(&T)) {
    match format {
        Format::Json => Envelope::new(exit, content).print(),
        Format::Text => text(&content),
    }
}
