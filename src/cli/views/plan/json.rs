//! A plan as a JSON document, as `--save` writes it, `--format json` prints it and a run keeps it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::args::PlanChoices;
use crate::cli::envelope::CommandOutcome;
use crate::cli::exit::Exit;
use crate::plan::Plan;

/// A plan, with facts about the command that wrote it.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A plan of rollup")]
pub(crate) struct PlanDocument<'p> {
    #[serde(flatten)]
    plan: &'p Plan,
    /// Inputs of a saved plan; absent from a plan that a command prints.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_from: Option<PlanInputs>,
    /// Result of the command that prints the plan; absent from a saved plan.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    outcome: Option<CommandOutcome>,
}

/// Inputs of a plan, so that applying it needs no argument but its file. Its digest does not cover
/// them.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PlanInputs {
    /// Path of the manifest.
    pub(crate) manifest: PathBuf,
    /// Path of the payload; absent if the rollup needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) payload: Option<PathBuf>,
    #[serde(flatten)]
    pub(crate) choices: PlanChoices,
}

/// Formats the document that a command prints.
pub(super) fn printed(plan: &Plan, exit: Exit) -> String {
    let document = PlanDocument {
        plan,
        made_from: None,
        outcome: Some(CommandOutcome::new(exit)),
    };
    serde_json::to_string_pretty(&document).expect("every plan can be serialized")
}

/// Formats the document that is saved.
///
/// # Errors
///
/// A path is not UTF-8, so JSON cannot hold it.
pub(crate) fn saved(plan: &Plan, made_from: PlanInputs) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&PlanDocument {
        plan,
        made_from: Some(made_from),
        outcome: None,
    })
}
