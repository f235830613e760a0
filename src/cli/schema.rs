//! `rollup schema`.

use super::args::{Language, Schema};
use super::exit::{Exit, Failure};
use super::out;
use super::preview::PlanDocument;
use crate::deployment::shapes::DEPLOYMENT;
use crate::document::json_schema;
use crate::events::Line;
use crate::manifest::MANIFEST;

/// `rollup schema`.
pub(super) fn schema(args: &Schema) -> Result<Exit, Failure> {
    let text = match args.name {
        Language::Manifest => json_schema("Manifest of an update rollup", &MANIFEST),
        Language::Deployment => json_schema("deployment.toml of a deployment", &DEPLOYMENT),
        Language::Plan => format!("{:#}\n", schemars::schema_for!(PlanDocument<'_>).to_value()),
        Language::Event => format!("{:#}\n", schemars::schema_for!(Line).to_value()),
    };
    let Some(path) = &args.output else {
        out::line(text.trim_end());
        // Half a schema is worse than none.
        return match out::is_lost() {
            true => Err(Failure::new(Exit::Io, "the schema could not be written to standard output")),
            false => Ok(Exit::Ok),
        };
    };
    std::fs::write(path, text)
        .map_err(|error| Failure::new(Exit::Io, format_args!("cannot write `{}`: {error}", path.display())))?;
    Ok(Exit::Ok)
}
