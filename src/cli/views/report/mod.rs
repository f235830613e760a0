//! What happened in a run, as text on the screen, as Markdown in a ticket, as one page for a browser
//! and for paper, or as a document for programs.
//!
//! Each contains the same in its own form; its content is gathered in words, from the run's account,
//! in `story.rs`.

mod chapter;
mod html;
mod markdown;
mod story;
mod text;
mod words;

use serde_json::{Value, json};

use crate::cli::args::Shape;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::{self, OutputFile};
use crate::cli::terminal::out;
use crate::deployment::tree::Tree;
use crate::events::Account;

use story::Story;

/// Number of outages that have a row; the document for programs has all.
const ROWS: usize = 500;

/// Shows the account of a run in the chosen format.
pub(crate) fn show(
    tree: &Tree,
    account: &Account,
    at_work: Option<String>,
    format: Shape,
    output: Option<&OutputFile>,
) -> Result<(), Failure> {
    let story = Story::of(tree, account, at_work);
    let document = match format {
        Shape::Text => text::text(&story, out::width()),
        Shape::Markdown => markdown::text(&story),
        Shape::Html => html::page(&story, account),
        Shape::Json => format!("{:#}", as_document(account, &story)),
    };
    output::document(&document, output)
}

fn as_document(account: &Account, story: &Story) -> Value {
    json!({ "schema": 1, "outcome": Exit::Ok.name(), "exit_code": Exit::Ok as u8, "changed": false,
            "events": story.events, "report": account })
}
