//! `rollup schema`: prints the JSON schemas.

use crate::cli::args::{Language, Schema};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, OutputFile};
use crate::cli::views::plan::PlanDocument;
use crate::deployment::shapes::DEPLOYMENT;
use crate::document::json_schema;
use crate::events::Line;
use crate::manifest::MANIFEST;

/// Runs `rollup schema`.
pub(super) fn schema(args: &Schema) -> Result<Exit, Failure> {
    let output = OutputFile::of(args.output.as_deref(), &[])?;
    let text = match args.name {
        Language::Manifest => json_schema("Manifest of an update rollup", &MANIFEST),
        Language::Deployment => json_schema("deployment.toml of a deployment", &DEPLOYMENT),
        Language::Plan => format!("{:#}\n", schemars::schema_for!(PlanDocument<'_>).to_value()),
        Language::Event => format!("{:#}\n", schemars::schema_for!(Line).to_value()),
    };
    output::document(&text, output.as_ref())?;
    Ok(Exit::Ok)
}
