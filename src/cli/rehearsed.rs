//! Rehearsal of a plan, for the times that it took.

use std::path::Path;

use anyhow::bail;

use super::failure::Failure;
use super::inputs::open_deployment;
use super::run_summary::summary_of;
use super::views::plan::Rehearsal;
use crate::cli::exit::Exit;
use crate::journal::{Direction, Outcome, Run, runs};
use crate::plan::Plan;

/// Finds the newest run in a lab that applied exactly this plan. `lab` is the directory of a rehearsal,
/// or a deployment.
///
/// # Errors
///
/// There is no deployment; no run in it applied this plan; its events are lost.
pub(super) fn rehearsal_of(plan: &Plan, lab: Option<&Path>) -> anyhow::Result<Option<Rehearsal>> {
    let Some(lab) = lab else { return Ok(None) };
    let inside = lab.join("deployment");
    let site = open_deployment(Some(if inside.is_dir() { &inside } else { lab }))?;
    let tree = &site.tree;
    let runs = runs(tree)?;
    let is_same = |run: &&Run| {
        let opened = run.journal.opened();
        plan.digest.is_some() && opened.map(|opened| opened.plan) == plan.digest
    };
    for run in runs.iter().rev().filter(is_same) {
        let (summary, _) = summary_of(tree, run);
        let Some(attempt) = summary
            .attempts
            .iter()
            .find(|attempt| attempt.outcome == Some(Outcome::Applied) && !attempt.partial)
        else {
            continue;
        };
        let waits = attempt.waits.iter();
        return Ok(Some(Rehearsal {
            run: summary.run.clone(),
            deployment: tree.path().display().to_string(),
            host: summary.host.clone(),
            at: summary.closed.clone().unwrap_or_else(|| attempt.at.clone()),
            staged_us: attempt.staged.map(|staged| staged.us()),
            outage_us: attempt.outage_us,
            manual_steps: waits
                .filter(|wait| wait.direction == Direction::Forward)
                .count(),
        }));
    }
    let reason = format!(
        "no run in `{}` applied this plan with all its events",
        tree.path().display()
    );
    let failure = Failure::new(Exit::Mismatch, reason);
    bail!(failure.next("`rollup rehearse MANIFEST -d DEPLOYMENT --lab DIR` rehearses it"))
}
