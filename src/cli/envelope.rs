//! JSON documents: what a command prints for programs, in the same envelope for all of them.

use schemars::JsonSchema;
use serde::Serialize;

use super::exit::Exit;
use super::state_now;
use super::terminal::out;

/// Version of the documents. Within one version keys are added, never changed.
const SCHEMA: u32 = 1;

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
        Self {
            outcome: exit.name(),
            exit_code: exit as u8,
            changed: state_now::has_changed(),
        }
    }
}

impl<T: Serialize> Envelope<T> {
    /// Returns the document of a command that ends with this code.
    pub(super) fn new(exit: Exit, content: T) -> Self {
        Self {
            schema: SCHEMA,
            outcome: CommandOutcome::new(exit),
            content,
        }
    }

    /// Returns the document of a command that had nothing to do.
    pub(super) fn nothing(content: T) -> Self {
        let mut envelope = Self::new(Exit::Ok, content);
        envelope.outcome.outcome = "nothing";
        envelope
    }

    /// Formats the document, without a line end.
    pub(super) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("maps have keys that are texts")
    }

    /// Prints the document to standard output.
    pub(super) fn print(&self) {
        out::line(self.text());
    }
}
