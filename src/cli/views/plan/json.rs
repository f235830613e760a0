//! A plan as a JSON document, as `--save` writes it, `--format json` prints it and a run keeps it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{Rehearsal, Showing};
use crate::cli::envelope::CommandOutcome;
use crate::cli::exit::Exit;
use crate::plan::Plan;

/// A plan, with facts about the command that wrote it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A plan of rollup")]
pub(crate) struct PlanDocument<'p> {
    #[serde(flatten)]
    plan: &'p Plan,
    /// Text of the manifest in a saved plan; absent from a plan that a command prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_text: Option<&'p str>,
    /// Signature of that text in a saved plan, if the deployment requires one.
    #[serde(skip_serializing_if = "Option::is_none")]
    manifest_signature: Option<&'p str>,
    /// Result of the command that prints the plan; absent from a saved plan.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    outcome: Option<CommandOutcome>,
    /// Times of a rehearsal of this plan, if one was named; absent from a saved plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    rehearsal: Option<&'p Rehearsal>,
}

/// Formats the document that a command prints.
pub(crate) fn printed(plan: &Plan, showing: &Showing, exit: Exit) -> String {
    let document = PlanDocument {
        plan,
        manifest_text: None,
        manifest_signature: None,
        outcome: Some(CommandOutcome::new(exit)),
        rehearsal: showing.rehearsal.as_ref(),
    };
    serde_json::to_string_pretty(&document).expect("every plan can be serialized")
}

/// Formats the document that is saved, with the text of the manifest and its signature.
pub(crate) fn saved(plan: &Plan, manifest_text: &str, manifest_signature: Option<&str>) -> String {
    let document = PlanDocument {
        plan,
        manifest_text: Some(manifest_text),
        manifest_signature,
        outcome: None,
        rehearsal: None,
    };
    serde_json::to_string_pretty(&document).expect("every plan can be serialized")
}
