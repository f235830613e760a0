//! `report`: describes what happened in a run.

use crate::cli::args::{self, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::named::{Newest, find_run};
use crate::cli::output::OutputFile;
use crate::cli::run_summary::{summary_of, summary_of_damaged};
use crate::cli::terminal::out;
use crate::cli::views;
use crate::deployment::lock::holder;
use crate::journal::{DamagedRun, runs_and_damaged};
use crate::names::Escaped;
use crate::run::{describe_run_state, undo_answers};

/// Runs `rollup report`.
pub(super) fn report(args: &args::ReportArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.deployment.as_deref())?;
    site.warn();
    let tree = &site.tree;
    let output = OutputFile::of(args.output.as_deref(), &[tree.path()])?;
    let (runs, damaged) = runs_and_damaged(tree)?;
    let sound = runs.iter().map(|run| run.number).max();
    let mut summary = match damaged
        .iter()
        .rfind(|damaged| is_named(damaged, &args.run, sound))
    {
        Some(damaged) => summary_of_damaged(tree, damaged),
        None => summary_of(tree, find_run(&runs, &args.run, Newest::Any)?),
    };
    if let Some(run) = runs.iter().find(|run| run.name() == summary.run) {
        let mut answers = undo_answers(tree, &runs, site.description.as_ref().ok())?;
        summary.undo = answers.remove(&run.number);
    }
    let writer = holder(tree)?;
    // The events may lack the name of the deployment; its description has it.
    if let (None, Ok(description)) = (&summary.deployment, &site.description) {
        summary.deployment = Some(description.name.clone());
    }
    views::report::show(
        tree,
        &summary,
        writer.map(|holder| holder.to_string()),
        args.format,
        output.as_ref(),
    )?;
    if args.format != OutputFormat::Json {
        out::message(format_args!(
            "run {} is {}",
            Escaped(&summary.run),
            describe_run_state(summary.state)
        ));
    }
    Ok(Exit::Ok)
}

/// Returns whether a damaged run is meant; by `last` only if no sound run is newer.
fn is_named(damaged: &DamagedRun, named: &str, sound: Option<u32>) -> bool {
    let name = damaged.directory.name();
    let number = name
        .split_once('-')
        .and_then(|(number, _)| number.parse().ok());
    if named.eq_ignore_ascii_case("last") {
        return number > sound;
    }
    name.eq_ignore_ascii_case(named)
        || number.is_some_and(|number: u32| named.parse() == Ok(number))
}
