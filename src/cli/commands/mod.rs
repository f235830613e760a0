//! The commands, one file each.
//!
//! Code that several commands share is beside this directory, and the texts that people read are in
//! `views`. Only a rehearsal runs other commands, an apply and a verification, and a validation
//! reads an article as an import does.

mod accept;
mod ack;
mod apply;
mod approve;
mod completions;
mod diff;
mod explain;
mod history;
mod import;
mod init;
mod inspect;
mod man;
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

pub(super) use history::RunDocument;
pub(super) use rehearse::state_of_lab;

use accept::accept;
use ack::ack;
use apply::apply;
use approve::approve;
use completions::completions;
use diff::diff;
use explain::explain;
use history::history;
use import::import;
use init::init;
use inspect::inspect;
use man::man;
use pin::pin;
use plan::plan;
use prune::prune;
use rehearse::rehearse;
use report::report;
use resume::resume;
use schema::schema;
use show::show;
use stage::stage;
use status::status;
use tree::tree;
use undo::undo;
use validate::validate;
use verify::verify;

use super::args::Command;
use super::exit::Exit;

/// Runs a command.
pub(super) fn run(command: &Command) -> anyhow::Result<Exit> {
    match command {
        Command::Validate(args) => validate(args),
        Command::Explain(args) => explain(args),
        Command::Plan(args) => plan(args),
        Command::Show(args) => show(args),
        Command::Apply(args) => apply(args),
        Command::Approve(args) => approve(args),
        Command::Stage(args) => stage(args),
        Command::Resume(args) => resume(args),
        Command::Undo(args) => undo(args),
        Command::Status(args) => status(args),
        Command::History(args) => history(args),
        Command::Report(args) => report(args),
        Command::Tree(args) => tree(args),
        Command::Verify(args) => verify(args),
        Command::Accept(args) => accept(args),
        Command::Ack(args) => ack(args),
        Command::Prune(args) => prune(args),
        Command::Rehearse(args) => rehearse(args),
        Command::Inspect(args) => inspect(args),
        Command::Pin(args) => pin(args),
        Command::Diff(args) => diff(args),
        Command::Import(args) => import(args),
        Command::Init(args) => init(args),
        Command::Schema(args) => schema(args),
        Command::Completions(args) => completions(args),
        Command::Man(args) => man(args),
    }
}
