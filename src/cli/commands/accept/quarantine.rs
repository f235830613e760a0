//! Runs that can be neither resumed nor undone, whose directories are quarantined.

use super::progress::{show_progress, show_slots};
use super::refuse_items;
use crate::cli::advice::command_for;
use crate::cli::answers::confirm;
use crate::cli::args::AcceptArgs;
use crate::cli::exit::Exit;
use crate::cli::inputs::question;
use crate::cli::lines::labelled;
use crate::cli::result;
use crate::cli::state_now::Worked;
use crate::cli::terminal::out::{self, BAD};
use crate::deployment::lock::user;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::names::{Escaped, error_chain};
use crate::run::{UnusableRun, load_plan, quarantine};

/// Quarantines the directories of unusable runs; without a lock only prints which.
pub(super) fn quarantine_unusable(
    tree: &Tree,
    disk: Option<&LockedDeployment>,
    unusable: &[UnusableRun],
    args: &AcceptArgs,
) -> anyhow::Result<Exit> {
    let names = out::list(unusable.iter().map(|run| run.directory.name()));
    refuse_items(
        args,
        format!("run {names} cannot be used and must be quarantined first"),
    )?;
    for run in unusable {
        labelled(BAD, "unusable", Escaped(&error_chain(&run.why)));
        match load_plan(tree, &run.directory) {
            Ok(plan) => show_progress(tree, &run.directory, &plan)?,
            Err(_) => show_slots(tree, &run.directory)?,
        }
    }
    out::line(
        "each run named above will be quarantined: its directory gets another name, nothing in it is\n\
         deleted, and no installed file is moved. Afterwards the run can be neither resumed nor undone,\n\
         and nothing is compared with its records",
    );
    let Some(disk) = disk else {
        return result::dry_run(args.format, tree, &Worked::Otherwise);
    };
    confirm(&question("Quarantine run ", &names, None, tree), args.yes)?;
    for run in unusable {
        let to = quarantine(disk, run, (user(), args.reason.clone()))?;
        let (name, to) = (run.directory.name(), to.as_str());
        out::line(format_args!("run {name} is quarantined as `{to}`"));
    }
    let next = command_for(tree.path(), "status");
    out::line(format_args!("next: {next}"));
    Ok(Exit::Ok)
}
