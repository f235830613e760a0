//! `rehearse`: a lab, the apply in it for real, and a verification; or failures, and their outcome.

mod crashes;
mod failing;
mod lab;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;

use super::apply::run_job;
use super::verify;
use crate::cli::advice::{TypedCommand, command_for};
use crate::cli::args::{DeploymentArg, Format, RehearseArgs, VerifyArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::inputs::DescribedDeployment;
use crate::cli::job::{BeginOptions, Job, Preview};
use crate::cli::output::refuse_path;
use crate::cli::recovery::{is_unfinished, other_is_open};
use crate::cli::terminal::Signals;
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::deployment::description::Description;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::document::Source;
use crate::journal::runs;
use crate::rehearse::{
    Lab, LabError, LabOrigin, OnExisting, SAMPLE, SAMPLE_NAME, prepare, refuse_to_lose,
};

use lab::rehearsal_options;
pub(in crate::cli) use lab::state_of_lab;

/// Runs `rollup rehearse`.
pub(super) fn rehearse(args: &RehearseArgs) -> anyhow::Result<Exit> {
    let signals = handle_signals()?;
    let lab = made_lab(args, &signals)?;
    if args.prepare {
        let deployment = lab.deployment.display();
        out::line(format_args!(
            "prepared: {deployment} is in the state before the rollup"
        ));
        let typed = TypedCommand {
            manifest: Some(args.manifest.clone()),
            payload: Some(lab.payload),
            ..TypedCommand::on(&lab.deployment)
        };
        out::line(format_args!("next: {}", typed.command("apply")));
        return Ok(Exit::Ok);
    }
    let (deployment, payload) = (Some(lab.deployment.as_path()), Some(lab.payload.as_path()));
    let job = Job::open(&args.manifest, deployment, payload, args.choices)?;
    let begin_options = BeginOptions {
        command: "rehearse",
        verb: "Apply",
        yes: true,
        confirm: &args.confirm,
        preview: Preview::Omitted,
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
    let (description, text) = match &args.deployment {
        Some(own) if own.is_file() => inputs::read_description(own)?,
        Some(own) => {
            let description = require_clean(inputs::open_described(Some(own))?)?;
            (description, String::new())
        }
        None => {
            let sample = Source::new(SAMPLE_NAME, SAMPLE);
            (inputs::parse_description(&sample)?, SAMPLE.to_owned())
        }
    };
    let origin = match &args.deployment {
        Some(directory) if !directory.is_file() => LabOrigin::Copied(directory),
        _ => LabOrigin::Built(&text),
    };
    let loaded = inputs::manifest(&args.manifest, Some(&description))?;
    let payload = args.payload.as_deref();
    payload.map(inputs::given_payload).transpose()?;
    if let Some(named) = &args.inject_failure {
        failing::check(named, &loaded.manifest, &description)?;
    }
    refuse_to_lose(&args.lab, &args.manifest)?;
    let target = without_links(&args.lab)?.join("deployment");
    refuse_path(&args.lab, &target, payload.as_slice())?;
    if let Some(file) = args.deployment.as_ref().filter(|own| own.is_file()) {
        refuse_to_lose(&args.lab, file)?;
    }
    let existing = if args.replace {
        OnExisting::Replace
    } else {
        OnExisting::Refuse
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
        bail!(LabError::Interrupted);
    }
    let (deployment, payload) = (lab.deployment.display(), lab.payload.display());
    out::message(format_args!("made {deployment} and {payload}"));
    Ok(lab)
}

/// Prints where the results of a rehearsal are.
fn print_places(lab: &Lab) {
    let command = |verb| command_for(&lab.deployment, verb);
    let runs = format!("{}/{}", lab.deployment.display(), ROLLUP_DIR.runs());
    let places = [
        (command("tree"), "the console with its states"),
        (command("history"), "the runs"),
        (
            command("report last"),
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

/// Refuses a deployment with an unfinished run: a copy of a state between two states would rehearse
/// nothing that is ever applied.
fn require_clean(site: DescribedDeployment) -> anyhow::Result<Description> {
    match runs(&site.tree)?.iter().find(|run| is_unfinished(run)) {
        None => Ok(site.description),
        Some(run) => bail!(other_is_open(run)),
    }
}

/// Returns the path of a directory without links; it and its parent directories may not exist yet.
fn without_links(directory: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(directory).map_err(|error| {
        let reason = format!("cannot find `{}`: {error}", directory.display());
        Failure::io(reason)
    })?;
    for existing in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (existing.canonicalize(), absolute.strip_prefix(existing)) {
            return Ok(real.join(rest));
        }
    }
    Ok(absolute)
}
