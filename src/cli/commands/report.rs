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
use crate::journal::{Run, runs};
use crate::names::Escaped;
use crate::run::{describe_run_state, load_plan, undo_answers};

/// Runs `rollup report`.
pub(super) fn report(args: &args::ReportArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.deployment.as_deref())?;
    site.warn();
    let tree = &site.tree;
    let output = OutputFile::of(args.output.as_deref(), &[tree.path()])?;
    let runs = runs(tree)?;
    let mut summary = summary_of(tree, find_run(&runs, &args.run, Newest::Any)?);
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

fn summary_of(tree: &Tree, run: &Run) -> RunSummary {
    let mut summary = summarize(tree, &run.directory, Some(run));
    if let Some(fault) = &run.fault {
        summary.missing.push(fault.clone());
    } else if run.journal.opened().is_none() {
        let missing = "the run's journal is empty";
        summary.missing.push(missing.to_owned());
    }
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
