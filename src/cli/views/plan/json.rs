//! A plan as a JSON document: what `--save` writes, what `--format json` prints, and what a run
//! keeps.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cli::args::Choices;
use crate::cli::exit::Exit;
use crate::plan::Plan;

/// A plan, with what the command that wrote it says besides.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "A plan of rollup")]
pub(crate) struct PlanDocument<'p> {
    #[serde(flatten)]
    plan: &'p Plan,
    /// Only in a plan that was saved: what it was made from.
    #[serde(skip_serializing_if = "Option::is_none")]
    made_from: Option<MadeFrom>,
    /// Only where a command prints the plan: how the command ended.
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    ended: Option<Ended>,
}

/// How a command ended.
#[derive(Debug, Serialize, JsonSchema)]
struct Ended {
    /// The name of the exit code.
    outcome: &'static str,
    /// The exit code.
    exit_code: u8,
    /// Whether anything of the deployment was changed: never by showing a plan.
    changed: bool,
}

/// Where a plan was made from, so that applying it needs no more words than its file. No part of
/// its digest.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct MadeFrom {
    /// The path of the manifest.
    pub(crate) manifest: PathBuf,
    /// The path of the payload.
    pub(crate) payload: PathBuf,
    #[serde(flatten)]
    pub(crate) choices: Choices,
}

/// Formats the document that a command prints.
pub(super) fn shown(plan: &Plan, exit: Exit) -> String {
    let ended = Ended {
        outcome: exit.name(),
        exit_code: exit as u8,
        changed: false,
    };
    let document = PlanDocument {
        plan,
        made_from: None,
        ended: Some(ended),
    };
    serde_json::to_string_pretty(&document).expect("a plan holds nothing that JSON cannot")
}

/// Formats the document that is saved.
///
/// # Errors
///
/// A path is not UTF-8, so JSON cannot hold it.
pub(crate) fn saved(plan: &Plan, made_from: MadeFrom) -> serde_json::Result<String> {
    serde_json::to_string_pretty(&PlanDocument {
        plan,
        made_from: Some(made_from),
        ended: None,
    })
}
