//! `rehearse --inject-failure`: one operation fails, and everything is rolled back.

use std::sync::Arc;

use anyhow::bail;

use super::lab::rehearsal_options;
use crate::cli::args::Format;
use crate::cli::commands::apply::run_job;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::job::{BeginOptions, Job, preview_or_report};
use crate::cli::named::require_step;
use crate::cli::terminal::out::{self, count, count_of, number};
use crate::cli::views::plan::describe_operation;
use crate::deployment::description::Description;
use crate::manifest::Manifest;
use crate::names::same_name;
use crate::plan::{Operation, Plan, PlannedStep};
use crate::rehearse::{FailingSwap, Times, TreeSnapshot};

/// Checks that the manifest has the named step; a number is checked against the plan later.
pub(super) fn check(named: &str, manifest: &Manifest, site: &Description) -> Result<(), Failure> {
    match named.parse::<usize>() {
        Ok(0) => {
            let reason = "there is no operation 0: operations are counted from 1";
            return Err(Failure::usage(reason));
        }
        Ok(_) => return Ok(()),
        Err(_) => {}
    }
    let otherwise = "; or give the number of an operation";
    require_step(manifest, site, named, "--inject-failure", otherwise)
}

/// Applies in the lab with one operation failing, and compares the tree after it with the tree
/// before.
pub(super) fn rehearse(
    named: &str,
    job: &Job,
    begin_options: BeginOptions<'_>,
) -> anyhow::Result<Exit> {
    let Some(plan) = preview_or_report(job, Format::Text)? else {
        return Ok(Exit::Ok);
    };
    let (at, operation) = find_operation(named, &plan)?;
    let (at, all) = (number(at as u64), number(plan.operations().count() as u64));
    let described = describe_operation(operation);
    out::message(format_args!(
        "operation {at} of {all} will fail: {described}"
    ));
    let deployment = job.tree().path();
    let before = TreeSnapshot::of(deployment)?;
    let begin_options = BeginOptions {
        injector: Some(Arc::new(FailingSwap(operation.swap))),
        ..begin_options
    };
    let ended = run_job(job, &begin_options, rehearsal_options());
    let differences = before.differences(&TreeSnapshot::of(deployment)?, Times::Compared);
    let Err(error) = ended else {
        bail!("the run finished, although an operation was set to fail");
    };
    let mut failure = Failure::of(&error, Some(job.tree()));
    let entries = before.entries();
    let compared = count_of(entries, "file and directory", "files and directories");
    if failure.exit != Exit::RolledBack {
        let different = number(differences.len() as u64);
        out::line(format_args!("{different} of {compared} are not as before"));
        return Err(error);
    }
    if differences.is_empty() {
        out::line(format_args!(
            "the whole tree is as before: {compared} compared"
        ));
        failure.next = vec!["`rollup report last` shows the run".to_owned()];
    } else {
        let reason = "the run is rolled back, but the tree is not as before";
        failure = Failure::new(Exit::Failed, reason);
        failure.reasons.extend(differences);
    }
    Err(failure.into())
}

/// Finds the first operation of a step, or the Nth of all; returns it with its number.
fn find_operation<'a>(named: &str, plan: &'a Plan) -> Result<(usize, &'a Operation), Failure> {
    let mut before = 0;
    let mut idle = None;
    for step in &plan.steps {
        if step.may_be(named) {
            match step.operations.first() {
                Some(operation) => return Ok((before + 1, operation)),
                // Another nested step may have one.
                None if step.within.is_some() && !same_name(&step.id, named) => {
                    idle = idle.or(Some(step));
                }
                None => return Err(without_operation(step)),
            }
        }
        before += step.operations.len();
    }
    if let Some(step) = idle {
        return Err(without_operation(step));
    }
    let mut numbered = (1..).zip(plan.operations());
    let found = numbered.find(|(at, _)| named.parse() == Ok(*at));
    found.ok_or_else(|| {
        let all = count(before, "operation");
        let reason = format!("there is no operation {named}: the plan has {all}, counted from 1");
        Failure::usage(reason)
    })
}

fn without_operation(step: &PlannedStep) -> Failure {
    let why = match (&step.manual, step.nothing.first()) {
        (Some(_), _) => "it is a manual step".to_owned(),
        (None, Some(idle)) => format!("{}: {}", idle.target, idle.why),
        (None, None) => "there is nothing to do".to_owned(),
    };
    let id = &step.id;
    let reason = format!("step `{id}` has no operation that could fail: {why}");
    Failure::usage(reason)
}
