//! `rehearse`: a lab, the apply in it for real, and a verification; or failures, and their outcome.

mod crashes;
mod failing;
mod lab;

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::apply::run_job;
use super::verify;
use crate::cli::args::{DeploymentArg, Format, RehearseArgs, VerifyArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::inputs::DescribedDeployment;
use crate::cli::job::{BeginOptions, Job, Preview};
use crate::cli::next::NextCommands;
use crate::cli::output::refuse_path;
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::document::{Findings, Source};
use crate::journal::{RunState, runs};
use crate::rehearse::{
    Lab, LabError, LabOrigin, OnExisting, SAMPLE, SAMPLE_NAME, prepare, refuse_to_lose,
};
use crate::run::describe_run;

pub(in crate::cli) use lab::state_of_lab;
use lab::{rehearsal_options, retry_command};

/// Runs `rollup rehearse`.
pub(super) fn rehearse(args: &RehearseArgs) -> anyhow::Result<Exit> {
    let (description, text) = match &args.deployment {
        Some(own) if own.is_file() => inputs::read_description(own)?,
        Some(own) => (
            require_clean(inputs::open_described(Some(own))?)?,
            String::new(),
        ),
        None => (sample()?, SAMPLE.to_owned()),
    };
    let loaded = inputs::manifest(&args.manifest, Some(&description))?;
    if let Some(payload) = args.payload.as_deref().filter(|payload| !payload.is_dir()) {
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("there is no payload directory `{}`", payload.display()),
        )
        .next("check the path; `-p DIR` is the directory with the vendor's files")
        .into());
    }
    if let Some(named) = &args.inject_failure {
        failing::check(named, &loaded.manifest)?;
    }
    refuse_to_lose(&args.lab, &args.manifest)?;
    refuse_path(
        &args.lab,
        &without_links(&args.lab)?.join("deployment"),
        args.payload.as_deref().as_slice(),
    )?;
    let existing = if args.replace {
        OnExisting::Replace
    } else {
        OnExisting::Refuse
    };
    let own = args.deployment.as_deref();
    if let Some(file) = own.filter(|own| own.is_file()) {
        refuse_to_lose(&args.lab, file)?;
    }
    let origin = own
        .filter(|own| own.is_dir())
        .map_or(LabOrigin::Built(&text), LabOrigin::Copied);
    let real = args.payload.as_deref();
    let signals = handle_signals()?;
    let is_stopped = || signals.is_received();
    let lab = prepare(
        &loaded.manifest,
        &description,
        &args.lab,
        origin,
        real,
        existing,
        &is_stopped,
    );
    let lab = lab?;
    if signals.is_received() {
        return Err(LabError::Interrupted.into());
    }
    out::message(format_args!(
        "made {} and {}",
        lab.deployment.display(),
        lab.payload.display()
    ));
    if args.prepare {
        out::line(format_args!(
            "prepared: {} is in the state before the rollup",
            lab.deployment.display()
        ));
        out::line(format_args!(
            "next: {}",
            apply_command(&args.manifest, &lab)
        ));
        return Ok(Exit::Ok);
    }
    let job = Job::open(
        &args.manifest,
        Some(&lab.deployment),
        Some(&lab.payload),
        args.choices,
    )?;
    let begin_options = BeginOptions {
        command: "rehearse",
        verb: "Apply",
        declined: "not applied",
        yes: true,
        confirm: &args.confirm,
        preview: Preview::Omitted,
        retry_command: retry_command(args),
        wait: Duration::ZERO,
        injector: None,
    };
    if args.crash_everywhere {
        return crashes::everywhere(args, &job, &lab, &signals);
    }
    if let Some(named) = &args.inject_failure {
        return failing::rehearse(named, &job, begin_options);
    }
    run_job(&job, &begin_options, rehearsal_options())?;
    let shown = lab.deployment.display();
    out::line("where to look:");
    let places = [
        (
            format!("rollup tree -d {shown}"),
            "the console with its states",
        ),
        (format!("rollup history -d {shown}"), "the runs"),
        (
            format!("rollup report last -d {shown}"),
            "the operations, their times and the outage",
        ),
        (
            format!("{shown}/{}", ROLLUP_DIR.runs()),
            "the run's directory, with the old objects",
        ),
    ];
    let width = places
        .iter()
        .map(|(place, _)| place.len())
        .max()
        .unwrap_or(0);
    for (place, about) in &places {
        out::line(format_args!("  {place:width$}  {about}"));
    }
    let deployment = DeploymentArg {
        deployment: Some(lab.deployment.clone()),
    };
    verify::verify(&VerifyArgs {
        undo: false,
        deployment,
        format: Format::Text,
    })
}

fn apply_command(manifest: &Path, lab: &Lab) -> String {
    let (deployment, payload) = (
        out::shell_quoted(&lab.deployment),
        out::shell_quoted(&lab.payload),
    );
    format!(
        "rollup apply {} -d {deployment} -p {payload}",
        out::shell_quoted(manifest)
    )
}

/// Refuses a deployment with an unfinished run: a copy of a state between two states would rehearse
/// nothing that is ever applied.
fn require_clean(site: DescribedDeployment) -> anyhow::Result<Description> {
    let runs = runs(&site.tree)?;
    match runs
        .iter()
        .find(|run| matches!(run.state(), RunState::Unfinished(_)))
    {
        None => Ok(site.description),
        Some(run) => {
            let next = NextCommands(site.tree.path());
            Err(Failure::new(
                Exit::NotReady,
                format_args!("run {} is {}", run.name(), describe_run(run)),
            )
            .next(format!(
                "`{}` finishes it, `{}` rolls it back",
                next.resume(),
                next.undo()
            ))
            .into())
        }
    }
}

/// Returns the path of a directory without links; it and its parent directories may not exist yet.
fn without_links(directory: &Path) -> Result<PathBuf, Failure> {
    let fail = |error| {
        Failure::new(
            Exit::Io,
            format_args!("cannot find `{}`: {error}", directory.display()),
        )
    };
    let absolute = std::path::absolute(directory).map_err(fail)?;
    for existing in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), absolute.strip_prefix(existing)) {
            return Ok(real.join(rest));
        }
    }
    Ok(absolute)
}

fn sample() -> Result<Description, Failure> {
    let mut findings = Findings::default();
    let source = Source::new(SAMPLE_NAME, SAMPLE);
    describe::parse(&source, &mut findings)
        .ok_or_else(|| Failure::new(Exit::Failed, "the sample has an error"))
}
