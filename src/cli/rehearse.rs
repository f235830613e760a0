//! `rehearse`: a lab, the apply in it for real, and a verification; or failures, and their outcome.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::apply::run_job;
use super::args::{Deployment, Format, Reading, Rehearse};
use super::exit::{Exit, Failure};
use super::inputs::Site;
use super::job::{Asking, Job, Preview};
use super::next::Next;
use super::output::refuse_place;
use super::{crashes, failing, inputs, reading};
use crate::cli::terminal::out;
use crate::cli::terminal::signals::heeded;
use crate::cli::terminal::{ManualSteps, Wishes};
use crate::deployment::deletion::is_mount_point;
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Findings, Source};
use crate::journal::{RunState, runs};
use crate::rehearse::{
    Lab, LabError, LabState, OnExisting, Origin, SAMPLE, SAMPLE_NAME, prepare, refuse_to_lose,
};
use crate::run::describe_state;

/// Runs `rollup rehearse`.
pub(super) fn rehearse(args: &Rehearse) -> Result<Exit, Failure> {
    let (description, text) = match &args.deployment {
        Some(own) if own.is_file() => inputs::described(own)?,
        Some(own) => (at_rest(inputs::site(Some(own))?, &args.lab)?, String::new()),
        None => (sample()?, SAMPLE.to_owned()),
    };
    let loaded = inputs::manifest(&args.manifest, Some(&description))?;
    if let Some(payload) = args.payload.as_deref().filter(|payload| !payload.is_dir()) {
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("there is no payload directory `{}`", payload.display()),
        ));
    }
    if let Some(named) = &args.inject_failure {
        failing::check(named, &loaded.manifest)
            .map_err(|failure| failure.now(lab_now(&args.lab)))?;
    }
    refuse_to_lose(&args.lab, &args.manifest).map_err(|error| not_prepared(&error, args))?;
    refuse_place(
        &args.lab,
        &without_links(&args.lab)?.join("deployment"),
        args.payload.as_deref().as_slice(),
    )
    .map_err(|failure| failure.now(lab_now(&args.lab)))?;
    let existing = if args.replace {
        OnExisting::Replace
    } else {
        OnExisting::Refuse
    };
    let own = args.deployment.as_deref();
    if let Some(file) = own.filter(|own| own.is_file()) {
        refuse_to_lose(&args.lab, file).map_err(|error| not_prepared(&error, args))?;
    }
    let origin = own
        .filter(|own| own.is_dir())
        .map_or(Origin::Built(&text), Origin::Copied);
    let real = args.payload.as_deref();
    let signals = heeded()?;
    let is_stopped = || signals.came();
    let lab = prepare(
        &loaded.manifest,
        &description,
        &args.lab,
        origin,
        real,
        existing,
        &is_stopped,
    );
    let lab = lab.map_err(|error| not_prepared(&error, args))?;
    if signals.came() {
        return Err(not_prepared(&LabError::Interrupted, args));
    }
    out::say(format_args!(
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
    let asking = Asking {
        command: "rehearse",
        verb: "Apply",
        declined: "not applied",
        yes: true,
        confirm: &args.confirm,
        preview: Preview::LeftOut,
        again: again(args),
        wait: Duration::ZERO,
        watch: None,
    };
    if args.crash_everywhere {
        return crashes::everywhere(args, &job, &lab, &signals);
    }
    if let Some(named) = &args.inject_failure {
        return failing::rehearse(named, &job, asking);
    }
    run_job(&job, &asking, rehearsed())?;
    let deployment = Deployment {
        deployment: Some(lab.deployment.clone()),
    };
    let exit = reading::verify(&Reading {
        deployment,
        format: Format::Text,
    })?;
    let shown = lab.deployment.display();
    out::line("where to look:");
    out::line(format_args!(
        "  rollup tree -d {shown}       the console with its states"
    ));
    out::line(format_args!("  rollup history -d {shown}    the runs"));
    out::line(format_args!("  rollup report last -d {shown}"));
    out::line("                              what happened, and how long it took");
    out::line(format_args!(
        "  {shown}/.rollup/runs         the run's directory, with the old objects"
    ));
    Ok(exit)
}

fn apply_command(manifest: &Path, lab: &Lab) -> String {
    let (deployment, payload) = (out::typed(&lab.deployment), out::typed(&lab.payload));
    format!(
        "rollup apply {} -d {deployment} -p {payload}",
        out::typed(manifest)
    )
}

/// Returns the command that rehearses the same again.
pub(super) fn again(args: &Rehearse) -> String {
    let mut command = format!(
        "rollup rehearse {} --lab {} --replace",
        out::typed(&args.manifest),
        out::typed(&args.lab)
    );
    for (flag, directory) in [("-d", &args.deployment), ("-p", &args.payload)] {
        if let Some(directory) = directory {
            command.push_str(&format!(" {flag} {}", out::typed(directory)));
        }
    }
    if args.crash_everywhere {
        command.push_str(" --crash-everywhere");
    }
    if let Some(step) = &args.inject_failure {
        command.push_str(&format!(" --inject-failure {step}"));
    }
    command
}

/// Returns the wishes for a rehearsal, which has no operator to prompt.
pub(super) fn rehearsed() -> Wishes {
    Wishes {
        manual_steps: ManualSteps::Done,
        ..Wishes::default()
    }
}

/// Refuses a deployment with an unfinished run: a copy of a state between two states would rehearse
/// nothing that is ever applied.
fn at_rest(site: Site, lab: &Path) -> Result<Description, Failure> {
    let runs = runs(&site.tree).map_err(|fault| inputs::journal(&fault))?;
    match runs
        .iter()
        .find(|run| matches!(run.state(), RunState::Unfinished(_)))
    {
        None => Ok(site.description),
        Some(run) => {
            let next = Next(site.tree.path());
            Err(Failure::new(
                Exit::NotReady,
                format_args!("run {} is {}", run.name(), describe_state(run)),
            )
            .now(lab_now(lab))
            .next(format!(
                "`{}` takes it to its end, `{}` takes it back",
                next.resume(),
                next.undo()
            )))
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

/// Number of objects not made by a rehearsal that are listed.
const NAMED: usize = 8;

/// Describes what is in the lab's directory, from what is on disk at this moment.
pub(super) fn lab_now(directory: &Path) -> String {
    let shown = directory.display();
    match LabState::of(directory) {
        LabState::Absent => format!("nothing was made: `{shown}` does not exist"),
        LabState::Empty => format!("nothing was made: `{shown}` is empty"),
        LabState::Complete => format!("`{shown}` is a lab, and complete"),
        LabState::Incomplete => format!("`{shown}` is a lab, and not complete"),
        LabState::Other => format!("`{shown}` is not a lab, and nothing was made there"),
    }
}

pub(super) fn not_prepared(error: &LabError, args: &Rehearse) -> Failure {
    let elsewhere = "`--lab DIR` makes the lab somewhere else";
    let failure = match error {
        LabError::Exists(_) => Failure::new(Exit::Usage, error)
            .next("`--replace` makes it anew; `--lab DIR` makes another one"),
        LabError::WouldBeLost(_) | LabError::Inside(_) | LabError::NotALab(_) => {
            Failure::new(Exit::Usage, error).next(elsewhere)
        }
        LabError::WithoutListing(directory) => Failure::new(Exit::Usage, error).next(format!(
            "remove `{}` yourself if you need nothing in it; {elsewhere}",
            directory.display()
        )),
        LabError::Foreign { paths, .. } => {
            let mut failure = Failure::new(Exit::Usage, error);
            let named = paths
                .iter()
                .take(NAMED)
                .map(|path| format!("not made by a rehearsal: `{}`", path.display()));
            failure.reasons.extend(named);
            if let Some(more @ 1..) = paths.len().checked_sub(NAMED) {
                failure
                    .reasons
                    .push(format!("and {} more", out::number(more as u64)));
            }
            failure.next(format!(
                "move what is named elsewhere, then the same command again; {elsewhere}"
            ))
        }
        LabError::NotYours(_) | LabError::WritableByAll(_) => {
            Failure::new(Exit::Usage, error).next(elsewhere)
        }
        LabError::Busy(_) => {
            Failure::new(Exit::Locked, error).next(format!("wait for it; {elsewhere}"))
        }
        LabError::Interrupted => Failure::new(Exit::Interrupted, error),
        LabError::PinsOfARealPayload { .. } => Failure::new(Exit::Mismatch, error)
            .next("rehearse with the real files: `--payload DIR`"),
        LabError::Build(_) => Failure::new(Exit::Mismatch, error)
            .next("correct the file table, or rehearse with the real files: `--payload DIR`"),
        LabError::Disk { path, source, .. } if is_mount_point(source) => {
            Failure::caused(Exit::NotReady, error).next(format!(
                "`umount {}`, then the same command again",
                out::typed(path)
            ))
        }
        LabError::Disk { .. } => Failure::caused(Exit::Io, error),
    };
    let failure = failure.now(lab_now(&args.lab));
    match LabState::of(&args.lab) {
        LabState::Incomplete if failure.next.is_empty() => {
            failure.next("the same command again makes it anew")
        }
        _ => failure,
    }
}
