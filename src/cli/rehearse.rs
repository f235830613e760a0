//! `rehearse`: a lab, the apply in it for real, and a verification; or failures, and what becomes of them.

use std::path::Path;
use std::time::Duration;

use super::apply::run_job;
use super::args::{Deployment, Format, Reading, Rehearse};
use super::exit::{Exit, Failure};
use super::inputs::Site;
use super::job::{Asking, Job, Preview};
use super::progress::{ManualSteps, Wishes};
use super::recover::Next;
use super::{crashes, failing, inputs, out, reading};
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Findings, Source};
use crate::journal::{RunState, runs};
use crate::rehearse::{Lab, LabError, OnExisting, Origin, SAMPLE, SAMPLE_NAME, prepare, refuse_to_lose};
use crate::run::standing;

/// `rollup rehearse`.
pub(super) fn rehearse(args: &Rehearse) -> Result<Exit, Failure> {
    let (description, text) = match &args.deployment {
        Some(own) if own.is_file() => inputs::described(own)?,
        Some(own) => (at_rest(inputs::site(Some(own))?)?, String::new()),
        None => (sample()?, SAMPLE.to_owned()),
    };
    let loaded = inputs::manifest(&args.manifest, Some(&description))?;
    if let Some(payload) = args.payload.as_deref().filter(|payload| !payload.is_dir()) {
        return Err(Failure::new(Exit::NoInput, format_args!("there is no payload folder `{}`", payload.display())));
    }
    if let Some(named) = &args.fail {
        failing::check(named, &loaded.manifest)?;
    }
    refuse_to_lose(&args.r#in, &args.manifest).map_err(|error| not_prepared(&error, args))?;
    let existing = if args.replace { OnExisting::Replace } else { OnExisting::Refuse };
    let own = args.deployment.as_deref();
    if let Some(file) = own.filter(|own| own.is_file()) {
        refuse_to_lose(&args.r#in, file).map_err(|error| not_prepared(&error, args))?;
    }
    let origin = own.filter(|own| own.is_dir()).map_or(Origin::Built(&text), Origin::Copied);
    let real = args.payload.as_deref();
    let lab = prepare(&loaded.manifest, &description, &args.r#in, origin, real, existing);
    let lab = lab.map_err(|error| not_prepared(&error, args))?;
    out::say(format_args!("made {} and {}", lab.deployment.display(), lab.payload.display()));
    if args.prepare {
        out::line(format_args!("prepared: {} is in the state before the rollup", lab.deployment.display()));
        out::line(format_args!("next: {}", apply_command(&args.manifest, &lab)));
        return Ok(Exit::Ok);
    }
    let job = Job::open(&args.manifest, Some(&lab.deployment), Some(&lab.payload), args.choices)?;
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
        return crashes::everywhere(args, &job, &lab);
    }
    if let Some(named) = &args.fail {
        return failing::rehearse(named, &job, asking);
    }
    run_job(&job, &asking, rehearsed())?;
    let deployment = Deployment { deployment: Some(lab.deployment.clone()) };
    let exit = reading::verify(&Reading { deployment, format: Format::Text })?;
    let shown = lab.deployment.display();
    out::line("where to look:");
    out::line(format_args!("  rollup tree -d {shown}       the console with its states"));
    out::line(format_args!("  rollup history -d {shown}    the runs"));
    out::line(format_args!("  rollup report last -d {shown}"));
    out::line("                              what happened, and how long it took");
    out::line(format_args!("  {shown}/.rollup/runs         the run's folder, with the old objects"));
    Ok(exit)
}

fn apply_command(manifest: &Path, lab: &Lab) -> String {
    let (deployment, payload) = (out::typed(&lab.deployment), out::typed(&lab.payload));
    format!("rollup apply {} -d {deployment} -p {payload}", out::typed(manifest))
}

/// What is typed to rehearse the same once more.
pub(super) fn again(args: &Rehearse) -> String {
    let mut command =
        format!("rollup rehearse {} --in {} --replace", out::typed(&args.manifest), out::typed(&args.r#in));
    for (flag, folder) in [("-d", &args.deployment), ("-p", &args.payload)] {
        if let Some(folder) = folder {
            command.push_str(&format!(" {flag} {}", out::typed(folder)));
        }
    }
    if args.crash_everywhere {
        command.push_str(" --crash-everywhere");
    }
    if let Some(step) = &args.fail {
        command.push_str(&format!(" --fail {step}"));
    }
    command
}

/// Nobody sits in front of a rehearsal.
pub(super) fn rehearsed() -> Wishes {
    Wishes { manual_steps: ManualSteps::Done, ..Wishes::default() }
}

/// A copy of a deployment between states would rehearse nothing that is ever applied.
fn at_rest(site: Site) -> Result<Description, Failure> {
    let runs = runs(&site.tree).map_err(|fault| inputs::journal(&fault))?;
    match runs.iter().find(|run| matches!(run.state(), RunState::Unfinished(_))) {
        None => Ok(site.description),
        Some(run) => {
            let next = Next(site.tree.path());
            Err(Failure::new(Exit::NotReady, format_args!("run {} is {}", run.name(), standing(run)))
                .now("nothing was made")
                .next(format!("`{}` takes it to its end, `{}` takes it back", next.resume(), next.undo())))
        }
    }
}

fn sample() -> Result<Description, Failure> {
    let mut findings = Findings::default();
    let source = Source::new(SAMPLE_NAME, SAMPLE);
    describe::parse(&source, &mut findings).ok_or_else(|| Failure::new(Exit::Failed, "the sample has an error"))
}

pub(super) fn not_prepared(error: &LabError, args: &Rehearse) -> Failure {
    let folder = args.r#in.display();
    match error {
        LabError::Exists(_) => Failure::new(Exit::Usage, error)
            .now("it was left as it is")
            .next("`--replace` makes it anew; `--in DIR` makes another one"),
        LabError::WouldBeLost(_) => Failure::new(Exit::Usage, error)
            .now("nothing was removed, and nothing was made")
            .next("`--in DIR` makes the lab somewhere else"),
        LabError::Inside(_) => {
            Failure::new(Exit::Usage, error).now("nothing was made").next("`--in DIR` makes the lab somewhere else")
        }
        LabError::NotALab(_) => {
            Failure::new(Exit::Usage, error).now("it was left as it is").next("`--in DIR` makes the lab somewhere else")
        }
        LabError::PinsOfARealPayload { .. } => Failure::new(Exit::Mismatch, error)
            .now(format!("nothing was made in {folder}"))
            .next("rehearse with the real files: `--payload DIR`"),
        LabError::Build(_) => Failure::new(Exit::Mismatch, error)
            .now(format!("nothing was made in {folder}"))
            .next("correct the file table, or rehearse with the real files: `--payload DIR`"),
        LabError::Disk { .. } => {
            Failure::caused(Exit::Io, error).now(format!("{folder} is not complete; `--replace` makes it anew"))
        }
    }
}
