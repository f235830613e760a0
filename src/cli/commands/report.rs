//! `report`: describes what happened in a run.

use crate::cli::args::{self, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::named::{Newest, find_run};
use crate::cli::output::OutputFile;
use crate::cli::run_summary::summary_of;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::deployment::lock::holder;
use crate::journal::{pending_actions, runs};
use crate::names::Escaped;
use crate::run::{describe_run_state, undo_answers};

/// Runs `rollup report`.
pub(super) fn report(args: &args::ReportArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.deployment.as_deref())?;
    site.warn();
    let tree = &site.tree;
    let output = OutputFile::of(args.output.as_deref(), &[tree.path()])?;
    let runs = runs(tree)?;
    let run = find_run(&runs, &args.run, Newest::Any)?;
    let (mut summary, plan) = summary_of(tree, run);
    let mut answers = undo_answers(tree, &runs, site.description.as_ref().ok())?;
    summary.undo = answers.remove(&run.number);
    let mut pending = pending_actions(&runs).into_iter();
    let pending = pending.find(|(of, _)| of.number == run.number);
    summary.pending = pending.map(|(_, actions)| actions).unwrap_or_default();
    let writer = holder(tree)?;
    // The events may lack the name of the deployment; its description has it.
    if let (None, Ok(description)) = (&summary.deployment, &site.description) {
        summary.deployment = Some(description.name.clone());
    }
    views::report::show(
        tree,
        &summary,
        plan.as_ref(),
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
