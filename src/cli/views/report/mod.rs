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

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::OutputFormat;
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
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
        OutputFormat::Json => {
            let content = ReportDocument {
                events: &view.events,
                report: summary,
            };
            Envelope::new(Exit::Ok, content).text()
        }
    };
    output::document(&document, output)
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Report on a run")]
pub(crate) struct ReportDocument<'a> {
    /// Path of the events.
    events: &'a str,
    report: &'a RunSummary,
}
