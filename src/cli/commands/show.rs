//! `show`: shows a saved plan again, also where it no longer fits.

use crate::cli::args;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::OutputFile;
use crate::cli::saved::Saved;
use crate::cli::terminal::out;
use crate::cli::views;

/// Runs `rollup show`.
pub(super) fn show(args: &args::Show) -> Result<Exit, Failure> {
    views::plan::sensible(&args.showing)?;
    let output = OutputFile::of(args.showing.output.as_deref(), &[&args.plan])?;
    if !args.plan.is_file() {
        let what = if args.plan.exists() {
            "is no file"
        } else {
            "is not there"
        };
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("`{}` {what}", args.plan.display()),
        )
        .next(
            "name a file that `rollup plan MANIFEST --save FILE` wrote, or the plan.json of a run",
        ));
    }
    let Some(saved) = Saved::read(&args.plan)? else {
        return Err(Failure::new(
            Exit::Invalid,
            format_args!("`{}` is no saved plan", args.plan.display()),
        )
        .next("`rollup plan MANIFEST --save FILE` saves one"));
    };
    if saved.plan.checksum.is_none() {
        out::warn(
            "an earlier version made the plan: its digest covers what it does, and not the words it is told in",
        );
    }
    views::plan::show(&saved.plan, &args.showing, Exit::Ok, output.as_ref())?;
    Ok(Exit::Ok)
}
