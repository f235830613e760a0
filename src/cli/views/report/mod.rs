//! Report on a run: as text on the screen, as Markdown in a ticket, as one page for a browser and
//! for paper, or as a document for programs.
//!
//! Each form has the same content, which `view.rs` gathers from the summary of the run.

mod attempt;
mod html;
mod markdown;
mod text;
mod view;
mod words;

use serde_json::{Value, json};

use crate::cli::args::OutputFormat;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, OutputFile};
use crate::cli::terminal::out;
use crate::deployment::tree::Tree;
use crate::events::RunSummary;

use view::ReportView;

/// Number of outages that have a row; the document for programs has all.
const ROWS: usize = 500;

/// Shows the summary of a run in the chosen format.
pub(crate) fn show(
    tree: &Tree,
    summary: &RunSummary,
    writer: Option<String>,
    format: OutputFormat,
    output: Option<&OutputFile>,
) -> Result<(), Failure> {
    let view = ReportView::of(tree, summary, writer);
    let document = match format {
        OutputFormat::Text => text::text(&view, out::width()),
        OutputFormat::Markdown => markdown::text(&view),
        OutputFormat::Html => html::page(&view, summary),
        OutputFormat::Json => format!("{:#}", as_document(summary, &view)),
    };
    output::document(&document, output)
}

fn as_document(summary: &RunSummary, view: &ReportView) -> Value {
    json!({ "schema": 1, "outcome": Exit::Ok.name(), "exit_code": Exit::Ok as u8, "changed": false,
            "events": view.events, "report": summary })
}
