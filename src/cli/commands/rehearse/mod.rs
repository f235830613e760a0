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
use crate::cli::terminal::Signals;
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
    let signals = handle_signals()?;
    let lab = made_lab(args, &signals)?;
    if args.prepare {
        let deployment = lab.deployment.display();
        out::line(format_args!(
            "prepared: {deployment} is in the state before the rollup"
        ));
        let apply = apply_command(&args.manifest, &lab);
        out::line(format_args!("next: {apply}"));
        return Ok(Exit::Ok);
    }
    let (deployment, payload) = (Some(lab.deployment.as_path()), Some(lab.payload.as_path()));
    let job = Job::open(&args.manifest, deployment, payload, args.choices)?;
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
    print_places(&lab);
    verify::verify(&VerifyArgs {
        undo: false,
        deployment: DeploymentArg {
            deployment: Some(lab.deployment.clone()),
        },
        format: Format::Text,
    })
}

/// Checks the arguments, and makes the lab.
fn made_lab(args: &RehearseArgs, signals: &Signals) -> anyhow::Result<Lab> {
    let own = args.deployment.as_deref();
    let (description, text) = match own {
        Some(own) if own.is_file() => inputs::read_description(own)?,
        Some(own) => {
            let description = require_clean(inputs::open_described(Some(own))?)?;
            (description, String::new())
        }
        None => (sample()?, SAMPLE.to_owned()),
    };
    let loaded = inputs::manifest(&args.manifest, Some(&description))?;
    let payload = args.payload.as_deref();
    payload.map(inputs::given_payload).transpose()?;
    if let Some(named) = &args.inject_failure {
        failing::check(named, &loaded.manifest)?;
    }
    refuse_to_lose(&args.lab, &args.manifest)?;
    let target = without_links(&args.lab)?.join("deployment");
    refuse_path(&args.lab, &target, payload.as_slice())?;
    let existing = if args.replace {
        OnExisting::Replace
    } else {
        OnExisting::Refuse
    };
    let origin = match own {
        Some(file) if file.is_file() => {
            refuse_to_lose(&args.lab, file)?;
            LabOrigin::Built(&text)
        }
        Some(directory) => LabOrigin::Copied(directory),
        None => LabOrigin::Built(&text),
    };
    let lab = prepare(
        &loaded.manifest,
        &description,
        &args.lab,
        origin,
        payload,
        existing,
        &|| signals.is_received(),
    )?;
    if signals.is_received() {
        return Err(LabError::Interrupted.into());
    }
    out::message(format_args!(
        "made {} and {}",
        lab.deployment.display(),
        lab.payload.display()
    ));
    Ok(lab)
}

/// Prints where the results of a rehearsal are.
fn print_places(lab: &Lab) {
    let next = NextCommands(&lab.deployment);
    let runs = format!("{}/{}", lab.deployment.display(), ROLLUP_DIR.runs());
    let places = [
        (next.tree(), "the console with its states"),
        (next.history(), "the runs"),
        (
            next.report_last(),
            "the operations, their times and the outage",
        ),
        (runs, "the run's directory, with the old objects"),
    ];
    let width = places.iter().map(|(place, _)| place.len()).max();
    let width = width.unwrap_or_default();
    out::line("where to look:");
    for (place, about) in &places {
        out::line(format_args!("  {place:width$}  {about}"));
    }
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
