//! Displays a plan: as text on the screen, as Markdown in a ticket, as one page for a browser and
//! for paper.
//!
//! Each contains the same in its own form; the words that they share are in `words.rs`.

mod html;
mod json;
mod markdown;
mod rollback;
mod text;
mod tree;
mod words;

use crate::cli::args::{Shape, Showing};
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, OutputFile};
use crate::cli::terminal::out;
use crate::plan::Plan;

pub(crate) use json::{MadeFrom, PlanDocument, saved};
pub(crate) use text::{Why, text, way};
pub(crate) use words::{grouped, side, target};

/// Shows a plan in the chosen format.
pub(crate) fn show(
    plan: &Plan,
    showing: &Showing,
    exit: Exit,
    output: Option<&OutputFile>,
) -> Result<(), Failure> {
    let width = out::width();
    let document = match showing.format {
        Shape::Json => json::shown(plan, exit),
        Shape::Markdown => markdown::text(plan),
        Shape::Html => html::page(plan),
        Shape::Text if showing.tree => tree::text(plan, width),
        Shape::Text if showing.undo => rollback::text(plan, width),
        Shape::Text => text(plan, width, if showing.why { Why::Told } else { Why::Left }),
    };
    output::document(&document, output)
}

/// Refuses options that have no effect in the chosen format.
pub(crate) fn sensible(showing: &Showing) -> Result<(), Failure> {
    let asked = [
        (showing.why, "--why"),
        (showing.tree, "--tree"),
        (showing.undo, "--undo"),
    ];
    match asked
        .into_iter()
        .find(|(asked, _)| *asked && showing.format != Shape::Text)
    {
        None => Ok(()),
        Some((_, flag)) => Err(Failure::new(
            Exit::Usage,
            format_args!("`{flag}` chooses among what `--format text` shows"),
        )
        .now("nothing was written")
        .next(format!(
            "leave out `{flag}`: the other formats hold all of it already"
        ))),
    }
}
