//! An open run, which is closed in its current state.

use anyhow::{Context, bail};

use super::progress::show_progress;
use super::refuse_items;
use crate::cli::advice::TypedCommand;
use crate::cli::answers::confirm;
use crate::cli::args::AcceptArgs;
use crate::cli::ending::begin_progress;
use crate::cli::exit::Exit;
use crate::cli::failure::{Failure, OfRun};
use crate::cli::inputs::{OpenedDeployment, question};
use crate::cli::recovery::state_of;
use crate::cli::result;
use crate::cli::state_now::Worked;
use crate::cli::terminal::RunOptions;
use crate::cli::terminal::out;
use crate::cli::views::steps::describe_step;
use crate::deployment::lock::user;
use crate::deployment::locked::LockedDeployment;
use crate::journal::{Run, RunState};
use crate::run::{close_in_current_state, examine, load_plan};

/// Closes the open run in its current state; without a lock only prints what that means.
pub(super) fn close_run(
    site: &OpenedDeployment,
    disk: Option<&LockedDeployment>,
    open: &Run,
    args: &AcceptArgs,
) -> anyhow::Result<Exit> {
    let tree = &site.tree;
    let name = open.name();
    if open.state() == RunState::Staged {
        let reason = format!("run {name} is staged, and has nothing to accept");
        bail!(
            Failure::not_ready(reason)
                .next("`rollup undo` discards it, `rollup resume` commits it")
        );
    }
    let state = state_of(open);
    refuse_items(
        args,
        format!("{state}, and must be closed first, as a whole"),
    )?;
    let plan = load_plan(tree, &open.directory).context(OfRun(open.number))?;
    out::line(state);
    let examined = examine(tree, &open.directory, &plan)?;
    for step in &plan.steps {
        out::line(format_args!("  {}", describe_step(step, &examined, open)));
    }
    show_progress(tree, &open.directory, &plan)?;
    out::line(
        "it will be closed in its current state: no installed file is moved, and its directory keeps every\n\
         object in it. It cannot be resumed afterwards; `rollup undo RUN` rolls back what it did",
    );
    let Some(disk) = disk else {
        return result::dry_run(args.format, tree, &Worked::On(name.to_owned()));
    };
    let deployment = Some(plan.deployment.as_str());
    confirm(&question("Close run ", name, deployment, tree), args.yes)?;
    let mut progress = begin_progress(disk, &plan, "accept", RunOptions::default())?;
    progress.reopen(name);
    let by = (user(), args.reason.clone());
    let closed =
        close_in_current_state(disk, open, &plan, by, &mut progress).context(OfRun(open.number));
    progress.end(&closed);
    closed?;
    out::line(format_args!(
        "run {name} is closed in its current state; no installed file was moved"
    ));
    let next: &[_] = if site.description.is_ok() {
        &[
            ("verify", "lists the drift"),
            ("accept", "accepts the drift, too"),
        ]
    } else {
        &[("status", "shows what is wrong with `deployment.toml`")]
    };
    TypedCommand::on(tree.path()).print_next(next);
    Ok(Exit::Ok)
}
