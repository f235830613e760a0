//! `rollup schema`: prints the JSON schemas.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;

use super::diff::DiffDocument;
use super::explain::ExplainDocument;
use super::history::{HistoryDocument, RunDocument};
use super::import::ImportDocument;
use super::inspect::InspectDocument;
use super::pin::PinDocument;
use super::prune::Clearing;
use super::rehearse::CrashDocument;
use super::status::Status;
use super::tree::TreeDocument;
use super::verify::Compared;
use crate::cli::args::{SchemaArgs, SchemaKind};
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::FailureDocument;
use crate::cli::output::{self, OutputFile};
use crate::cli::result::ResultDocument;
use crate::cli::views::plan::PlanDocument;
use crate::cli::views::report::ReportDocument;
use crate::deployment::shapes::DEPLOYMENT;
use crate::document::json_schema;
use crate::events::EventLine;
use crate::manifest::MANIFEST;
use crate::plan::NothingToDo;
use crate::validation::ValidationDocument;

/// Runs `rollup schema`.
pub(super) fn schema(args: &SchemaArgs) -> anyhow::Result<Exit> {
    let output = OutputFile::of(args.output.as_deref(), &[])?;
    let text = match args.name {
        SchemaKind::Manifest => json_schema("Manifest of an update rollup", &MANIFEST),
        SchemaKind::Deployment => json_schema("deployment.toml of a deployment", &DEPLOYMENT),
        SchemaKind::Plan => derived::<PlanDocument<'_>>(),
        SchemaKind::Event => derived::<EventLine>(),
        SchemaKind::Status => document::<Status>(),
        SchemaKind::Tree => document::<TreeDocument<'_>>(),
        SchemaKind::History => document::<HistoryDocument<'_>>(),
        SchemaKind::Run => document::<RunDocument<'_>>(),
        SchemaKind::Report => document::<ReportDocument<'_>>(),
        SchemaKind::Verify => document::<Compared>(),
        SchemaKind::Prune => document::<Clearing>(),
        SchemaKind::Diff => document::<DiffDocument<'_>>(),
        SchemaKind::Inspect => document::<InspectDocument>(),
        SchemaKind::Import => document::<ImportDocument<'_>>(),
        SchemaKind::Validate => document::<ValidationDocument<'_>>(),
        SchemaKind::Explain => document::<ExplainDocument>(),
        SchemaKind::Pin => document::<PinDocument<'_>>(),
        SchemaKind::Crashes => document::<CrashDocument<'_>>(),
        SchemaKind::Result => document::<ResultDocument<'_>>(),
        SchemaKind::Nothing => document::<NothingToDo>(),
        SchemaKind::Failure => document::<FailureDocument<'_>>(),
    };
    output::document(&text, output.as_ref())?;
    Ok(Exit::Ok)
}

/// Returns the schema of the document that a command prints.
fn document<T: JsonSchema>() -> String {
    derived::<Envelope<T>>()
}

/// Returns the schema of a type as it is written.
fn derived<T: JsonSchema>() -> String {
    let settings = SchemaSettings::default().for_serialize();
    let schema = settings.into_generator().into_root_schema_for::<T>();
    format!("{:#}\n", schema.to_value())
}
