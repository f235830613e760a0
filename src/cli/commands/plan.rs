//! `plan`: shows what applying a manifest would do, and saves it for a review.

use crate::cli::args::{self, Format, OutputFormat};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::job::{Job, preview, report_nothing_to_do};
use crate::cli::output::{IfExists, OutputFile};
use crate::cli::saved;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::plan::Planned;

/// Runs `rollup plan`.
pub(super) fn plan(args: &args::PlanArgs) -> anyhow::Result<Exit> {
    views::plan::check_options(&args.view)?;
    let job = Job::from_args(&args.planning)?;
    let (typed, manifest) = (args.planning.manifest.as_path(), job.command.manifest());
    let reads = [
        typed,
        &manifest,
        job.command.payload.as_deref().unwrap_or(&manifest),
        job.tree().path(),
    ];
    let output = OutputFile::of(args.view.output.as_deref(), &reads)?;
    let save = args
        .save
        .as_deref()
        .map(|path| OutputFile::new(path, &reads, IfExists::Replace))
        .transpose()?;
    if let (Some(output), Some(save)) = (&output, &save)
        && output.is_same(save)
    {
        return Err(
            Failure::new(Exit::Usage, "`--save` and `--output` name the same file")
                .next("name a different file for each")
                .into(),
        );
    }
    job.announce();
    let plan = match preview(&job)? {
        Planned::Nothing(nothing) => {
            for file in args.save.iter().chain(&args.view.output) {
                out::message(format_args!(
                    "nothing was written to {}: there is no plan",
                    out::shell_quoted(file)
                ));
            }
            report_nothing_to_do(
                &nothing,
                if args.view.format == OutputFormat::Json {
                    Format::Json
                } else {
                    Format::Text
                },
            );
            return Ok(Exit::Ok);
        }
        Planned::Plan(plan) => plan,
    };
    let exit = if args.detailed_exitcode {
        Exit::Changes
    } else {
        Exit::Ok
    };
    views::plan::show(&plan, &args.view, exit, output.as_ref())?;
    if let (Some(path), Some(save)) = (&args.save, &save) {
        saved::save(&job.command, &plan, path, save)?;
    }
    if job.command.is_saved_plan() {
        out::message(format_args!(
            "{} still holds: planning again gives the same plan",
            out::shell_quoted(typed)
        ));
    }
    if plan.digest.is_none() {
        out::message("next: plan again with the payload: `--payload DIR`");
    } else if args.save.is_none() {
        out::message(format_args!("next: {}", job.command.apply_line()));
    }
    Ok(exit)
}
