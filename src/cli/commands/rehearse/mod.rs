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
use crate::cli::answers::check_answers;
use crate::cli::args::{DeploymentArg, Format, RehearseArgs, VerifyArgs};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::inputs;
use crate::cli::inputs::DescribedDeployment;
use crate::cli::job::{BeginOptions, Job, Preview};
use crate::cli::output::refuse_path;
use crate::cli::recovery::{is_unfinished, other_is_open};
use crate::cli::signed::GivenApprovals;
use crate::cli::terminal::Signals;
use crate::cli::terminal::console;
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::deployment::description::Description;
use crate::deployment::run_dir::ROLLUP_DIR;
use crate::document::Source;
use crate::journal::runs;
use crate::manifest::Manifest;
use crate::names::{columns, padded};
use crate::phase::Phase;
use crate::rehearse::{
    Lab, LabError, LabOrigin, LabProgress, OnExisting, SAMPLE, SAMPLE_NAME, prepare, refuse_to_lose,
};

pub(in crate::cli) use crashes::CrashDocument;
use lab::rehearsal_options;
pub(in crate::cli) use lab::state_of_lab;

/// Runs `rollup rehearse`.
pub(super) fn rehearse(args: &RehearseArgs) -> anyhow::Result<Exit> {
    let signals = handle_signals()?;
    let lab = made_lab(args, &signals)?;
    let all = args.manifest.len();
    let Some((last, earlier)) = args.manifest.split_last() else {
        return Ok(Exit::Ok);
    };
    for (at, manifest) in earlier.iter().enumerate() {
        let rollup = LabRollup::open(args, &lab, manifest, at)?;
        out::message(format_args!("rollup {} of {all}", at + 1));
        run_job(&rollup.job, &rollup.begin_options(), rehearsal_options())?;
    }
    if args.prepare {
        return Ok(prepared(&lab, last));
    }
    let rollup = LabRollup::open(args, &lab, last, earlier.len())?;
    if !earlier.is_empty() {
        out::message(format_args!("rollup {all} of {all}"));
    }
    if args.crash_everywhere {
        return crashes::everywhere(args, &rollup.job, &rollup.confirm, &lab, &signals);
    }
    if let Some(named) = &args.inject_failure {
        return failing::rehearse(named, &rollup.job, rollup.begin_options());
    }
    run_job(&rollup.job, &rollup.begin_options(), rehearsal_options())?;
    print_places(&lab);
    verify::verify(&VerifyArgs {
        undo: false,
        deployment: DeploymentArg {
            deployment: Some(lab.deployment.clone()),
        },
        format: Format::Text,
    })
}

/// Prints how to apply the last manifest in a lab that is ready for it.
fn prepared(lab: &Lab, manifest: &Path) -> Exit {
    let deployment = lab.deployment.display();
    let before = match lab.payloads.len() {
        1 => "the rollup",
        _ => "the last rollup",
    };
    out::line(format_args!(
        "prepared: {deployment} is in the state before {before}"
    ));
    let typed = TypedCommand {
        manifest: Some(manifest.to_owned()),
        payload: lab.payloads.last().cloned(),
        ..TypedCommand::on(&lab.deployment)
    };
    out::line(format_args!("next: {}", typed.command("apply")));
    Exit::Ok
}

/// One rollup of a rehearsal, with its payload in the lab.
struct LabRollup {
    job: Job,
    /// Ids of its `confirm` prerequisites that the command line answers.
    confirm: Vec<String>,
    approvals: GivenApprovals,
}

impl LabRollup {
    fn open(args: &RehearseArgs, lab: &Lab, manifest: &Path, at: usize) -> anyhow::Result<Self> {
        let payload = lab.payloads.get(at).map(PathBuf::as_path);
        let job = Job::open(manifest, Some(&lab.deployment), payload, args.choices)?;
        let asked = job.loaded.manifest.confirm_ids();
        let mut confirm = args.confirm.clone();
        confirm.retain(|id| asked.iter().any(|asked| asked.eq_ignore_ascii_case(id)));
        Ok(Self {
            job,
            confirm,
            approvals: GivenApprovals::of_rehearsal(),
        })
    }

    fn begin_options(&self) -> BeginOptions<'_> {
        BeginOptions {
            command: "rehearse",
            verb: "Apply",
            format: Format::Text,
            yes: true,
            confirm: &self.confirm,
            preview: Preview::Omitted,
            wait: Duration::ZERO,
            injector: None,
            approvals: &self.approvals,
        }
    }
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
    let mut loaded = Vec::new();
    for manifest in &args.manifest {
        loaded.push(inputs::manifest(manifest, Some(&description))?);
    }
    let manifests: Vec<&Manifest> = loaded.iter().map(|loaded| &loaded.manifest).collect();
    check_payloads(args)?;
    check_confirmed(args, &manifests)?;
    if let (Some(named), Some(last)) = (&args.inject_failure, manifests.last()) {
        failing::check(named, last, &description)?;
    }
    for manifest in &args.manifest {
        refuse_to_lose(&args.lab, manifest)?;
    }
    let target = without_links(&args.lab)?.join("deployment");
    let payloads: Vec<&Path> = args.payload.iter().map(PathBuf::as_path).collect();
    refuse_path(&args.lab, &target, &payloads)?;
    if let Some(file) = args.deployment.as_ref().filter(|own| own.is_file()) {
        refuse_to_lose(&args.lab, file)?;
    }
    let existing = if args.replace {
        OnExisting::Replace
    } else {
        OnExisting::Refuse
    };
    let phase = console::phase(Phase::items("building the lab", "files", 0, "syncing"));
    let progress = LabProgress {
        phase: &phase,
        is_stopped: &|| signals.is_received(),
    };
    let lab = prepare(
        &manifests,
        &description,
        &args.lab,
        origin,
        &args.payload,
        existing,
        progress,
    )?;
    drop(phase);
    if signals.is_received() {
        bail!(LabError::Interrupted);
    }
    announce(&lab, args);
    Ok(lab)
}

/// Names what was made: the deployment, and the payloads that are not those of the command line.
fn announce(lab: &Lab, args: &RehearseArgs) {
    let payloads: Vec<String> = lab
        .payloads
        .iter()
        .filter(|_| args.payload.is_empty())
        .map(|payload| payload.display().to_string())
        .collect();
    let payloads = if payloads.is_empty() {
        String::new()
    } else {
        format!(" and {}", payloads.join(", "))
    };
    out::message(format_args!("made {}{payloads}", lab.deployment.display()));
}

/// Checks that there are as many real payloads as manifests, or none.
fn check_payloads(args: &RehearseArgs) -> anyhow::Result<()> {
    for payload in &args.payload {
        inputs::given_payload(payload)?;
    }
    let (manifests, payloads) = (args.manifest.len(), args.payload.len());
    if payloads != 0 && payloads != manifests {
        let manifests = out::count(manifests, "manifest");
        let payloads = out::count(payloads, "payload");
        let reason = format!("there are {manifests}, but {payloads}");
        let next = "give `--payload` once for each manifest, in the same order, or not at all";
        bail!(Failure::usage(reason).next(next));
    }
    Ok(())
}

/// Checks that some manifest asks each question that the command line answers.
fn check_confirmed(args: &RehearseArgs, manifests: &[&Manifest]) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for manifest in manifests {
        ids.extend(manifest.confirm_ids());
    }
    check_answers(&args.confirm, &ids, "--confirm", "`confirm` prerequisite")
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
    let width = places
        .iter()
        .map(|(place, _)| columns(place))
        .max()
        .unwrap_or_default();
    out::line("where to look:");
    for (place, about) in &places {
        out::line(format_args!("  {}  {about}", padded(place, width)));
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
