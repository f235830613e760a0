//! Report on a run: as text on the screen, as Markdown in a ticket, as one page for a browser and
//! for paper, or as a document for programs.
//!
//! Each form shows the view that `view.rs` makes from the summary of the run. The page for a browser
//! needs no network and no script, writes in words everything that it shows by a colour or a
//! position, and has every picture as a table too.

mod attempt;
mod outages;
mod text;
mod timeline;
mod verdict;
mod view;
mod words;

use askama::Template;
use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::args::OutputFormat;
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{self, OutputFile};
use crate::cli::views::escapers::{css_string, sentence, with_code};
use crate::deployment::tree::Tree;
use crate::events::RunSummary;
use crate::plan::Plan;

use view::ReportView;

pub(crate) use words::{format_duration, format_time, unavailable_since};

/// Shows the summary of a run in the chosen format.
pub(crate) fn show(
    tree: &Tree,
    summary: &RunSummary,
    plan: Option<&Plan>,
    writer: Option<String>,
    format: OutputFormat,
    output: Option<&OutputFile>,
) -> Result<(), Failure> {
    let view = &ReportView::of(tree, summary, plan, writer.as_deref());
    let document = match format {
        OutputFormat::Text => text::text(view),
        OutputFormat::Markdown => rendered(MarkdownReport { view }),
        OutputFormat::Html => rendered(ReportPage {
            view,
            running: &format!("run {}", summary.run),
            digest: &summary
                .plan
                .map(|plan| format!("plan {plan}"))
                .unwrap_or_default(),
        }),
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

fn rendered(template: impl Template) -> String {
    template.render().expect("texts are written into a text")
}

/// Report for the ticket in which the change was approved.
#[derive(Template)]
#[template(path = "report.md")]
struct MarkdownReport<'v> {
    view: &'v ReportView,
}

/// Report for a browser, a phone or paper.
#[derive(Template)]
#[template(path = "report.html")]
struct ReportPage<'v> {
    view: &'v ReportView,
    /// Head of each printed page.
    running: &'v str,
    /// Foot of each printed page.
    digest: &'v str,
}

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Report on a run")]
pub(crate) struct ReportDocument<'a> {
    /// Path of the events.
    events: &'a str,
    report: &'a RunSummary,
}
