//! Displays a plan: as text on the screen, as Markdown in a ticket, as one page for a browser and
//! for paper.
//!
//! Each form has the same content, which `view.rs` gathers; `words.rs` describes operations and
//! states. Markdown and HTML are templates.

mod changes;
mod html;
mod json;
mod markdown;
mod outages;
mod prompt;
mod showing;
mod text;
mod tree;
mod verdict;
mod view;
mod words;

use crate::cli::args::{OutputFormat, PlanViewArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::{self, OutputFile};
use crate::cli::terminal::out;
use crate::names::Escaped;
use crate::plan::Plan;

pub(crate) use changes::{ChangeRow, changes};
pub(crate) use json::{PlanDocument, printed, saved};
pub(crate) use outages::{count_unavailable, planned_unavailable, unavailable_count};
pub(crate) use prompt::prompt_summary;
pub(crate) use showing::{Rehearsal, Showing};
pub(crate) use text::{Reasons, remaining_operations, text};
pub(crate) use words::{
    describe_elsewhere, describe_left_elsewhere, describe_operation, describe_state,
    documented_effects, group_operations, rollup_list, scope_lines,
};

/// Shows a plan in the chosen format.
pub(crate) fn show(
    plan: &Plan,
    showing: &Showing,
    view: &PlanViewArgs,
    exit: Exit,
    output: Option<&OutputFile>,
) -> Result<(), Failure> {
    let document = match view.format {
        OutputFormat::Json => json::printed(plan, showing, exit),
        OutputFormat::Markdown => markdown::text(plan, showing),
        OutputFormat::Html => html::page(plan, showing),
        OutputFormat::Text if view.tree => tree::text(plan),
        OutputFormat::Text if view.undo => text::rollback(plan),
        OutputFormat::Text => {
            let reasons = if view.why {
                Reasons::Shown
            } else {
                Reasons::chosen()
            };
            let rehearsal = showing.rehearsal.as_ref().map(Rehearsal::describe);
            let text = text(plan, reasons);
            match rehearsal {
                None => text,
                Some(rehearsal) => {
                    let rehearsal = format!("rehearsed: {}", Escaped(&rehearsal));
                    format!("{text}\n{}", out::wrapped(&rehearsal, out::width(), "  "))
                }
            }
        }
    };
    output::document(&document, output)
}

/// Refuses options that have no effect in the chosen format.
pub(crate) fn check_options(view: &PlanViewArgs) -> Result<(), Failure> {
    let options = [
        (view.why, "--why"),
        (view.tree, "--tree"),
        (view.undo, "--undo"),
    ];
    match options
        .into_iter()
        .find(|(is_given, _)| *is_given && view.format != OutputFormat::Text)
    {
        None => Ok(()),
        Some((_, flag)) => Err(Failure::usage(format_args!(
            "`{flag}` applies to `--format text` only"
        ))
        .next(format!(
            "omit `{flag}`: the other formats contain everything already"
        ))),
    }
}
