//! `rehearse`: a lab, the apply in it for real, and a verification.

use std::path::Path;
use std::time::Duration;

use super::apply::{Asking, Job, Preview, run_job};
use super::args::{Deployment, Format, Reading, Rehearse};
use super::exit::{Exit, Failure};
use super::{inputs, out, reading};
use crate::deployment::describe;
use crate::deployment::description::Description;
use crate::document::{Findings, Source};
use crate::rehearse::{Lab, LabError, OnExisting, SAMPLE, SAMPLE_NAME, prepare};

/// `rollup rehearse`.
pub(super) fn rehearse(args: &Rehearse) -> Result<Exit, Failure> {
    let description = match &args.deployment {
        Some(own) => inputs::site(Some(own))?.description,
        None => sample()?,
    };
    let loaded = inputs::manifest(&args.manifest, Some(&description))?;
    if let Some(payload) = args.payload.as_deref().filter(|payload| !payload.is_dir()) {
        return Err(Failure::new(Exit::NoInput, format_args!("there is no payload folder `{}`", payload.display())));
    }
    let existing = if args.replace { OnExisting::Replace } else { OnExisting::Refuse };
    let own = args.deployment.as_deref();
    let real = args.payload.as_deref();
    let lab = prepare(&loaded.manifest, &description, &args.r#in, own, real, existing);
    let lab = lab.map_err(|error| not_prepared(&error, args))?;
    out::say(format_args!("made {} and {}", lab.deployment.display(), lab.payload.display()));
    if args.prepare {
        out::line(format_args!("prepared: {} is in the state before the rollup", lab.deployment.display()));
        out::line(format_args!("next: {}", apply_command(&args.manifest, &lab)));
        return Ok(Exit::Ok);
    }
    let job = Job::open(&args.manifest, Some(&lab.deployment), Some(&lab.payload), args.choices)?;
    let asking = Asking { yes: true, confirm: &args.confirm, wait: Duration::ZERO, preview: Preview::LeftOut };
    run_job(&job, &asking)?;
    let deployment = Deployment { deployment: Some(lab.deployment.clone()) };
    let exit = reading::verify(&Reading { deployment, format: Format::Text })?;
    let shown = lab.deployment.display();
    out::line("where to look:");
    out::line(format_args!("  rollup tree -d {shown}       the console with its states"));
    out::line(format_args!("  rollup history -d {shown}    the runs"));
    out::line(format_args!("  {shown}/.rollup/runs         the run's folder, with the old objects"));
    Ok(exit)
}

fn apply_command(manifest: &Path, lab: &Lab) -> String {
    format!("rollup apply {} -d {} -p {}", manifest.display(), lab.deployment.display(), lab.payload.display())
}

fn sample() -> Result<Description, Failure> {
    let mut findings = Findings::default();
    let source = Source::new(SAMPLE_NAME, SAMPLE);
    describe::parse(&source, &mut findings).ok_or_else(|| Failure::new(Exit::Failed, "the sample has an error"))
}

fn not_prepared(error: &LabError, args: &Rehearse) -> Failure {
    let folder = args.r#in.display();
    match error {
        LabError::Exists(_) => Failure::new(Exit::Usage, error)
            .now("it was left as it is")
            .next("`--replace` makes it anew; `--in DIR` makes another one"),
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
