//! `rollup schema`: prints the JSON schemas.

use crate::cli::args::{SchemaArgs, SchemaKind};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, OutputFile};
use crate::cli::views::plan::PlanDocument;
use crate::deployment::shapes::DEPLOYMENT;
use crate::document::json_schema;
use crate::events::EventLine;
use crate::manifest::MANIFEST;

/// Runs `rollup schema`.
pub(super) fn schema(args: &SchemaArgs) -> Result<Exit, Failure> {
    let output = OutputFile::of(args.output.as_deref(), &[])?;
    let text = match args.name {
        SchemaKind::Manifest => json_schema("Manifest of an update rollup", &MANIFEST),
        SchemaKind::Deployment => json_schema("deployment.toml of a deployment", &DEPLOYMENT),
        SchemaKind::Plan => format!("{:#}\n", schemars::schema_for!(PlanDocument<'_>).to_value()),
        SchemaKind::Event => format!("{:#}\n", schemars::schema_for!(EventLine).to_value()),
    };
    output::document(&text, output.as_ref())?;
    Ok(Exit::Ok)
}
