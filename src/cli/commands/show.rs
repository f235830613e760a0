//! `show`: shows a saved plan again, even if it no longer holds.

use std::path::Path;

use anyhow::bail;

use crate::cli::args;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::output::OutputFile;
use crate::cli::rehearsed::rehearsal_of;
use crate::cli::saved::SavedPlan;
use crate::cli::terminal::out::shell_quoted;
use crate::cli::views;
use crate::cli::views::plan::Showing;
use crate::names::escaped_path;

/// Runs `rollup show`.
pub(super) fn show(args: &args::ShowArgs) -> anyhow::Result<Exit> {
    views::plan::check_options(&args.view)?;
    let output = OutputFile::of(args.view.output.as_deref(), &[&args.plan])?;
    let saved = read_saved_plan(&args.plan)?;
    let rehearsal = rehearsal_of(&saved.plan, args.view.rehearsal.as_deref())?;
    let apply = format!("rollup apply {}", shell_quoted(&args.plan));
    let sources = [("saved plan", args.plan.as_path())];
    let showing = Showing::now(&saved.plan, &sources, &apply, None, rehearsal);
    views::plan::show(&saved.plan, &showing, &args.view, Exit::Ok, output.as_ref())?;
    Ok(Exit::Ok)
}

/// Reads a saved plan that a command only shows.
pub(super) fn read_saved_plan(path: &Path) -> anyhow::Result<SavedPlan> {
    let name = escaped_path(path);
    if !path.is_file() {
        let problem = if path.exists() {
            "is not a file"
        } else {
            "does not exist"
        };
        let failure = Failure::no_input(format!("`{name}` {problem}"));
        bail!(failure.next(
            "name a file that `rollup plan MANIFEST --save FILE` wrote, or the plan.json of a run",
        ));
    }
    let Some(saved) = SavedPlan::read(path)? else {
        let failure = Failure::invalid(format!("`{name}` is not a saved plan"));
        bail!(failure.next("`rollup plan MANIFEST --save FILE` saves one"));
    };
    Ok(saved)
}
