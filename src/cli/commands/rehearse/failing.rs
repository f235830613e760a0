//! `rehearse --inject-failure`: one operation fails, and everything is rolled back.

use std::sync::Arc;

use super::lab::rehearsal_options;
use crate::cli::args::Format;
use crate::cli::commands::apply::run_job;
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::{BeginOptions, Job, preview, report_nothing_to_do};
use crate::cli::terminal::out;
use crate::document::nearest;
use crate::manifest::Manifest;
use crate::names::Escaped;
use crate::plan::{Operation, Plan, Planned};
use crate::rehearse::{FailingSwap, LabError, Times, TreeSnapshot};

/// Checks that the manifest has the named step; a number is checked against the plan later.
pub(super) fn check(named: &str, manifest: &Manifest) -> Result<(), Failure> {
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
    Err(failure.next(format!(
        "the steps are {}; or give the number of an operation",
        ids.join(", ")
    )))
}

/// Applies in the lab with one operation failing, and compares the tree after it with the tree
/// before.
pub(super) fn rehearse(
    named: &str,
    job: &Job,
    begin_options: BeginOptions<'_>,
) -> Result<Exit, Failure> {
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
    let before = TreeSnapshot::of(deployment).map_err(|error| unreadable(&error))?;
    let ended = run_job(
        job,
        &BeginOptions {
            injector: Some(Arc::new(FailingSwap(operation.swap))),
            ..begin_options
        },
        rehearsal_options(),
    );
    let found = TreeSnapshot::of(deployment).map_err(|error| unreadable(&error))?;
    let differences = before.differences(&found, Times::Compared);
    let compared = out::count(
        before.entries(),
        "file and directory",
        "files and directories",
    );
    let failure = match ended {
        Err(failure) => failure,
        Ok(_) => {
            return Err(Failure::new(
                Exit::Failed,
                "the run finished, although an operation was set to fail",
            ));
        }
    };
    match (failure.exit, differences.is_empty()) {
        (Exit::RolledBack, true) => {
            out::line(format_args!(
                "the whole tree is as before: {compared} compared"
            ));
            let next = format!(
                "`rollup report last -d {}` shows the run",
                out::shell_quoted(deployment)
            );
            Err(Failure {
                next: vec![next],
                ..failure
            })
        }
        (Exit::RolledBack, false) => {
            let mut failure = Failure::new(
                Exit::Failed,
                "the run is rolled back, but the tree is not as before",
            );
            failure.reasons.extend(differences);
            Err(failure.now(format!(
                "{} is left as it is",
                out::shell_quoted(deployment)
            )))
        }
        _ => {
            out::line(format_args!(
                "{} of {compared} are not as before",
                out::number(differences.len() as u64)
            ));
            Err(failure)
        }
    }
}

/// Finds the first operation of a step, or the Nth of all; returns it with its number.
fn find_operation<'a>(named: &str, plan: &'a Plan) -> Result<(usize, &'a Operation), Failure> {
    let usage = |reason: String| {
        Failure::new(Exit::Usage, reason).now("the lab is in the state before the rollup")
    };
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

fn describe_operation(operation: &Operation) -> String {
    let on = operation
        .server
        .as_ref()
        .map(|server| format!(" on {}", Escaped(server)))
        .unwrap_or_default();
    format!(
        "{} {}{on}",
        operation.kind.word(),
        Escaped(&operation.target)
    )
}

fn unreadable(error: &LabError) -> Failure {
    Failure::caused(Exit::Io, error)
}
