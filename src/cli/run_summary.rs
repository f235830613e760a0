//! Summary of a run, from its events and its records.

use crate::cli::views;
use crate::deployment::tree::Tree;
use crate::events::{self, Records, RunSummary};
use crate::journal::Run;
use crate::plan::Plan;
use crate::run::load_plan;

/// Returns the summary of a run, with its plan if that is readable.
pub(super) fn summary_of(tree: &Tree, run: &Run) -> (RunSummary, Option<Plan>) {
    let plan = load_plan(tree, &run.directory);
    let records = Records {
        run: Some(run),
        plan: plan.as_ref().ok(),
    };
    let name = run.directory.name();
    let mut summary = RunSummary::of(name, &events::read(tree, name), &records);
    match &plan {
        Ok(plan) => {
            summary.scope = views::plan::scope_lines(plan);
            let effects = plan.rollup().map(views::plan::documented_effects);
            for (label, effect) in effects.into_iter().flatten() {
                summary.effects.push(format!("{label}: {effect}"));
            }
        }
        Err(error) => summary.missing.push(error.to_string()),
    }
    if let Some(opened) = run.journal.opened() {
        summary.confirmed.clone_from(&opened.confirmed);
        summary.signatures.clone_from(&opened.signatures);
    }
    if let Some(fault) = &run.fault {
        summary.missing.push(fault.clone());
    } else if run.journal.opened().is_none() {
        let missing = "the run's journal is empty";
        summary.missing.push(missing.to_owned());
    }
    (summary, plan.ok())
}
