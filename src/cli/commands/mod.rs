//! The commands, one file each.
//!
//! Code that several commands share is beside this directory, and the texts that people read are in
//! `views`. Only a rehearsal runs other commands, an apply and a verification, and a validation
//! reads an article as an import does.

mod accept;
mod apply;
mod diff;
mod explain;
mod history;
mod import;
mod inspect;
mod pin;
mod plan;
mod prune;
mod rehearse;
mod report;
mod resume;
mod schema;
mod show;
mod stage;
mod status;
mod tree;
mod undo;
mod validate;
mod verify;

pub(super) use rehearse::state_of_lab;

use super::args::Command;
use super::exit::Exit;

/// Runs a command.
pub(super) fn run(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(args) => validate::validate(args),
        Command::Explain(args) => explain::explain(args),
        Command::Plan(args) => plan::plan(args),
        Command::Show(args) => show::show(args),
        Command::Apply(args) => apply::apply(args),
        Command::Stage(args) => stage::stage(args),
        Command::Resume(args) => resume::resume(args),
        Command::Undo(args) => undo::undo(args),
        Command::Status(args) => status::status(args),
        Command::History(args) => history::history(args),
        Command::Report(args) => report::report(args),
        Command::Tree(args) => tree::tree(args),
        Command::Verify(args) => verify::verify(args),
        Command::Accept(args) => accept::accept(args),
        Command::Prune(args) => prune::prune(args),
        Command::Rehearse(args) => rehearse::rehearse(args),
        Command::Inspect(args) => inspect::inspect(args),
        Command::Pin(args) => pin::pin(args),
        Command::Diff(args) => diff::diff(args),
        Command::Import(args) => import::import(args),
        Command::Schema(args) => schema::schema(args),
    }
}
