//! `plan`: shows what applying a manifest would do, and saves it for a review.

use crate::cli::args::{self, Format, Shape};
use crate::cli::exit::{Exit, Failure};
use crate::cli::job::{Job, preview_of, told_nothing};
use crate::cli::output::{Existing, OutputFile};
use crate::cli::saved;
use crate::cli::terminal::out;
use crate::cli::views;
use crate::plan::Planned;

/// Runs `rollup plan`.
pub(super) fn plan(args: &args::Plan) -> Result<Exit, Failure> {
    views::plan::sensible(&args.showing)?;
    let job = Job::asked(&args.planning)?;
    let (typed, manifest) = (args.planning.manifest.as_path(), job.typed.typed_manifest());
    let reads = [
        typed,
        &manifest,
        job.typed.payload.as_deref().unwrap_or(&manifest),
        job.tree().path(),
    ];
    let output = OutputFile::of(args.showing.output.as_deref(), &reads)?;
    let save = args
        .save
        .as_deref()
        .map(|path| OutputFile::new(path, &reads, Existing::Replaced))
        .transpose()?;
    if let (Some(output), Some(save)) = (&output, &save)
        && output.is_same(save)
    {
        return Err(
            Failure::new(Exit::Usage, "`--save` and `--output` name the same file")
                .now("nothing was written")
                .next("give each a file of its own"),
        );
    }
    job.announce();
    let plan = match preview_of(&job)? {
        Planned::Nothing(nothing) => {
            for file in args.save.iter().chain(&args.showing.output) {
                out::say(format_args!(
                    "there is no plan: nothing was written to {}",
                    out::typed(file)
                ));
            }
            told_nothing(
                &nothing,
                if args.showing.format == Shape::Json {
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
    views::plan::show(&plan, &args.showing, exit, output.as_ref())?;
    if let (Some(path), Some(save)) = (&args.save, &save) {
        saved::save(&job.typed, &plan, path, save)?;
    }
    if job.typed.is_of_a_saved_plan() {
        out::say(format_args!(
            "{} is still true: planning again gives this very plan",
            out::typed(typed)
        ));
    }
    Ok(exit)
}
