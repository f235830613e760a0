//! Document of a command that changes a deployment: the run that it worked on, from its records.

use schemars::JsonSchema;
use serde::Serialize;

use super::args::Format;
use super::commands::RunDocument;
use super::envelope::Envelope;
use super::exit::Exit;
use super::inputs::open_deployment;
use super::recovery::run_with_name;
use super::state_now::{self, Worked};
use super::terminal::out;
use crate::deployment::tree::Tree;
use crate::journal::runs;
use crate::run::undo_answers;

/// Content of the document.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Result of a command that changes a deployment")]
pub(in crate::cli) struct ResultDocument<'a> {
    /// Deployment, or the one of the lab; null if the command made none.
    deployment: Option<String>,
    /// The run afterwards, as `history RUN` describes it; with `--dry-run` the run that the command
    /// would work on. Null if there is nothing to do, if the run was discarded, or if the dry run is
    /// of a command that makes a new one.
    run: Option<RunDocument<'a>>,
}

/// Prints the document of a command that succeeded.
pub(super) fn print(exit: Exit) -> anyhow::Result<()> {
    match state_now::locked_tree() {
        Some(tree) => print_of(&tree, exit, &state_now::worked_on(&tree)?),
        None => {
            let (deployment, run) = (None, None);
            Envelope::new(exit, ResultDocument { deployment, run }).print();
            Ok(())
        }
    }
}

/// Ends a dry run, after the command has printed what it would do.
pub(super) fn dry_run(format: Format, tree: &Tree, worked: &Worked) -> anyhow::Result<Exit> {
    if format == Format::Json {
        print_of(tree, Exit::Ok, worked)?;
    }
    report_dry_run();
    Ok(Exit::Ok)
}

/// Reports that nothing was changed.
pub(super) fn report_dry_run() {
    out::message("this was a dry run: nothing was changed");
}

fn print_of(tree: &Tree, exit: Exit, worked: &Worked) -> anyhow::Result<()> {
    let run = match worked {
        Worked::On(name) => run_with_name(tree, name)?,
        Worked::Otherwise | Worked::Nothing => None,
    };
    let site = open_deployment(Some(tree.path()))?;
    let answers = undo_answers(tree, &runs(tree)?, site.description.as_ref().ok())?;
    let run = run.as_ref();
    let run = run.map(|run| RunDocument::of(tree, run, answers.get(&run.number)));
    let content = ResultDocument {
        deployment: Some(tree.path().display().to_string()),
        run: run.transpose()?,
    };
    match worked {
        Worked::Nothing => Envelope::nothing(content).print(),
        _ => Envelope::new(exit, content).print(),
    }
    Ok(())
}
