//! `rehearse --inject-failure`: one operation fails, and everything is rolled back.

use std::sync::Arc;

use super::lab::rehearsal_options;
use crate::cli::args::Format;
use crate::cli::commands::apply::run_job;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::job::{BeginOptions, Job, preview, report_nothing_to_do};
use crate::cli::next::NextCommands;
use crate::cli::terminal::out;
use crate::cli::views::plan::describe_operation;
use crate::document::nearest;
use crate::manifest::Manifest;
use crate::plan::{Operation, Plan, Planned};
use crate::rehearse::{FailingSwap, Times, TreeSnapshot};

/// Checks that the manifest has the named step; a number is checked against the plan later.
pub(super) fn check(named: &str, manifest: &Manifest) -> anyhow::Result<()> {
    let ids: Vec<&str> = manifest.steps.iter().map(|step| step.id.as_str()).collect();
    if ids.iter().any(|id| id.eq_ignore_ascii_case(named)) || named.parse::<usize>().is_ok() {
        return Ok(());
    }
    let failure = Failure::new(
        Exit::Usage,
        format_args!("the manifest has no step `{named}`"),
    );
    let failure = match nearest(named, ids.iter().copied()) {
        Some(id) => failure.next(format!("did you mean `--inject-failure {id}`?")),
        None => failure,
    };
    Err(failure
        .next(format!(
            "the steps are {}; or give the number of an operation",
            ids.join(", ")
        ))
        .into())
}

/// Applies in the lab with one operation failing, and compares the tree after it with the tree
/// before.
pub(super) fn rehearse(
    named: &str,
    job: &Job,
    begin_options: BeginOptions<'_>,
) -> anyhow::Result<Exit> {
    let plan = match preview(job)? {
        Planned::Plan(plan) => plan,
        Planned::Nothing(nothing) => {
            report_nothing_to_do(&nothing, Format::Text);
            return Ok(Exit::Ok);
        }
    };
    let (number, operation) = find_operation(named, &plan)?;
    let all = out::number(plan.operations().count() as u64);
    out::message(format_args!(
        "operation {} of {all} will fail: {}",
        out::number(number as u64),
        describe_operation(operation)
    ));
    let deployment = job.tree().path();
    let before = TreeSnapshot::of(deployment)?;
    let ended = run_job(
        job,
        &BeginOptions {
            injector: Some(Arc::new(FailingSwap(operation.swap))),
            ..begin_options
        },
        rehearsal_options(),
    );
    let found = TreeSnapshot::of(deployment)?;
    let differences = before.differences(&found, Times::Compared);
    let compared = out::count(
        before.entries(),
        "file and directory",
        "files and directories",
    );
    let Err(error) = ended else {
        anyhow::bail!("the run finished, although an operation was set to fail");
    };
    let mut failure = Failure::of(&error, Some(job.tree()));
    if failure.exit != Exit::RolledBack {
        out::line(format_args!(
            "{} of {compared} are not as before",
            out::number(differences.len() as u64)
        ));
        return Err(error);
    }
    if differences.is_empty() {
        out::line(format_args!(
            "the whole tree is as before: {compared} compared"
        ));
        let report = NextCommands(deployment).report_last();
        failure.next = vec![format!("`{report}` shows the run")];
    } else {
        let reason = "the run is rolled back, but the tree is not as before".to_owned();
        failure = Failure::because(Exit::Failed, vec![reason]);
        failure.reasons.extend(differences);
    }
    Err(failure.into())
}

/// Finds the first operation of a step, or the Nth of all; returns it with its number.
fn find_operation<'a>(named: &str, plan: &'a Plan) -> Result<(usize, &'a Operation), Failure> {
    let usage = |reason: String| Failure::new(Exit::Usage, reason);
    let mut before = 0;
    for step in &plan.steps {
        if step.id.eq_ignore_ascii_case(named) {
            let first = step
                .operations
                .first()
                .map(|operation| (before + 1, operation));
            return first.ok_or_else(|| {
                let why = match (&step.manual, step.nothing.first()) {
                    (Some(_), _) => "it is a manual step".to_owned(),
                    (None, Some(idle)) => format!("{}: {}", idle.target, idle.why),
                    (None, None) => "there is nothing to do".to_owned(),
                };
                usage(format!(
                    "step `{}` has no operation that could fail: {why}",
                    step.id
                ))
            });
        }
        before += step.operations.len();
    }
    let all = plan.operations().count();
    let number: usize = named.parse().unwrap_or(0);
    let found = number
        .checked_sub(1)
        .and_then(|at| plan.operations().nth(at));
    found.map(|operation| (number, operation)).ok_or_else(|| {
        let count = out::count(all, "operation", "operations");
        usage(format!(
            "there is no operation {named}: the plan has {count}, counted from 1"
        ))
    })
}
