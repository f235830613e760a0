//! `report`: describes what happened in a run.

use crate::cli::args::{self, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::named::{Newest, find_run};
use crate::cli::output::OutputFile;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::deployment::lock::holder;
use crate::deployment::run_dir::RunDir;
use crate::deployment::tree::Tree;
use crate::events::{self, Records, RunSummary};
use crate::journal::{DamagedRun, Run, runs_and_damaged};
use crate::names::Escaped;
use crate::run::{describe_run_state, load_plan, undo_answers};

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

fn summary_of(tree: &Tree, run: &Run) -> RunSummary {
    let mut summary = summarize(tree, &run.directory, Some(run));
    if run.journal.opened().is_none() {
        let missing = "the run's journal is empty";
        summary.missing.push(missing.to_owned());
    }
    summary
}

/// Returns the summary of a run whose journal cannot be relied on: its events still exist.
fn summary_of_damaged(tree: &Tree, damaged: &DamagedRun) -> RunSummary {
    let mut summary = summarize(tree, &damaged.directory, None);
    summary.missing.push(damaged.fault.to_string());
    summary
}

fn summarize(tree: &Tree, directory: &RunDir, run: Option<&Run>) -> RunSummary {
    let plan = load_plan(tree, directory);
    let records = Records {
        run,
        plan: plan.as_ref().ok(),
    };
    let name = directory.name();
    let mut summary = RunSummary::of(name, &events::read(tree, name), &records);
    match plan {
        Ok(plan) => summary.scope = views::plan::scope_lines(&plan),
        Err(error) => summary.missing.push(error.to_string()),
    }
    summary
}
