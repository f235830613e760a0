//! `show`: shows a saved plan again, even if it no longer holds.

use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::OutputFile;
use crate::cli::saved::SavedPlan;
use crate::cli::terminal::out;
use crate::cli::views;

/// Runs `rollup show`.
pub(super) fn show(args: &args::ShowArgs) -> anyhow::Result<Exit> {
    views::plan::check_options(&args.view)?;
    let output = OutputFile::of(args.view.output.as_deref(), &[&args.plan])?;
    if !args.plan.is_file() {
        let problem = if args.plan.exists() {
            "is not a file"
        } else {
            "does not exist"
        };
        return Err(Failure::new(
            Exit::NoInput,
            format_args!("`{}` {problem}", args.plan.display()),
        )
        .next(
            "name a file that `rollup plan MANIFEST --save FILE` wrote, or the plan.json of a run",
        )
        .into());
    }
    let Some(saved) = SavedPlan::read(&args.plan)? else {
        return Err(Failure::new(
            Exit::Invalid,
            format_args!("`{}` is not a saved plan", args.plan.display()),
        )
        .next("`rollup plan MANIFEST --save FILE` saves one")
        .into());
    };
    if saved.plan.checksum.is_none() {
        out::warn(
            "an earlier version made the plan: its digest covers its operations, but not its texts",
        );
    }
    views::plan::show(&saved.plan, &args.view, Exit::Ok, output.as_ref())?;
    Ok(Exit::Ok)
}
