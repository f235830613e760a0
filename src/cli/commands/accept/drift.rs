//! Drift, which is accepted by rewriting the records.

use std::collections::{BTreeMap, BTreeSet};

use super::{done_nothing, run_accept};
use crate::cli::args::AcceptArgs;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs::DescribedDeployment;
use crate::cli::lines::path_line;
use crate::cli::terminal::out::{self, WARN, count, styled};
use crate::cli::views::plan::group_operations;
use crate::deployment::description::Instance;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::snapshot::{Interest, Snapshot};
use crate::journal::runs;
use crate::names::RelPath;
use crate::plan::{self, AcceptResult, Expectation, Plan, accept_interest};
use crate::run::{LeftObjects, RunError, attribute_drift, past, paths_left_empty};

/// Accepts all drift, or that of the chosen instances.
pub(super) fn accept_drift(
    site: &DescribedDeployment,
    disk: Option<LockedDeployment>,
    chosen: Option<&BTreeSet<Instance>>,
    args: &AcceptArgs,
) -> anyhow::Result<Exit> {
    let found = find_drift(site, chosen, &args.reason)?;
    let all_accepted = if found.rejected.is_empty() {
        Ok(())
    } else {
        Err(not_acceptable(&found.rejected))
    };
    let Some(plan) = &found.plan else {
        all_accepted?;
        report_nothing_to_accept(&found, chosen);
        return done_nothing(site, disk.as_ref(), args);
    };
    show_drift(plan, &found.accepted, &found.rejected);
    let differences = count(found.accepted.len(), "difference");
    run_accept(site, disk, plan, args, &differences, all_accepted)
}

/// Reads the deployment, and finds the drift that can be accepted and the drift that cannot.
fn find_drift(
    site: &DescribedDeployment,
    chosen: Option<&BTreeSet<Instance>>,
    reason: &str,
) -> anyhow::Result<AcceptResult> {
    let tree = &site.tree;
    let (past, left) = past(tree, None)?;
    let attributes = attribute_drift(tree, &left)?;
    let LeftObjects { there, gone, .. } = left;
    let there = there.into_iter().map(|(path, left)| (path, left.kind));
    let emptied = paths_left_empty(tree, &runs(tree)?)?;
    let expectation = Expectation {
        there: there.collect(),
        gone,
        attributes: attributes
            .into_iter()
            .map(|found| (found.path, found.description))
            .collect(),
        emptied: emptied.into_iter().map(|(_, empty)| empty.live).collect(),
    };
    let read = |interest: &Interest| Snapshot::read(tree, site.description.clone(), interest);
    // The records determine which files have to be hashed.
    let interest = accept_interest(&read(&Interest::default())?, &expectation, chosen);
    let mut snapshot = read(&interest)?;
    snapshot.past = past;
    plan::accept(&snapshot, &expectation, chosen, reason)
        .map_err(|refusal| RunError::NotReady(refusal.reasons).into())
}

fn report_nothing_to_accept(found: &AcceptResult, chosen: Option<&BTreeSet<Instance>>) {
    if found.servers_lag {
        out::line(
            "a server that lags cannot be accepted: `rollup apply` with the manifest of the rollup brings it up",
        );
    }
    let why = match chosen {
        None => "everything matches its records",
        Some(_) => "the named items match their records",
    };
    out::line(format_args!("nothing to do: {why}"));
}

fn show_drift(
    plan: &Plan,
    accepted: &BTreeMap<RelPath, String>,
    rejected: &BTreeMap<RelPath, String>,
) {
    out::line("drift to accept:");
    for (path, difference) in accepted {
        out::line(format_args!("  {}", path_line(path, difference, 2, 4)));
    }
    if plan.operations().next().is_some() {
        out::line("records to rewrite:");
        for step in &plan.steps {
            for group in group_operations(&step.operations) {
                out::line(format_args!("  {}", group.target()));
            }
        }
    }
    if !rejected.is_empty() {
        let label = styled(WARN, "cannot be accepted");
        out::line(format_args!("{label}, and stays as it is:"));
        for (path, difference) in rejected {
            out::line(format_args!("  {}", path_line(path, difference, 2, 4)));
        }
    }
    out::line("no installed file is moved or changed");
}

/// Lists the paths that have to be fixed by hand.
fn not_acceptable(rejected: &BTreeMap<RelPath, String>) -> Failure {
    let mut reasons = Vec::new();
    for (path, difference) in rejected {
        reasons.push(format!("`{path}` {difference}: this cannot be accepted"));
    }
    Failure::because(Exit::Mismatch, reasons)
        .next("fix these paths by hand, or restore them from a backup")
}
