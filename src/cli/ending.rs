//! The beginning and the result of a run: its progress, the last lines of a command, or its failure.

use std::collections::BTreeSet;

use super::advice::TypedCommand;
use super::failure::NotApplied;
use super::recovery::run_with_name;
use crate::cli::terminal::out;
use crate::cli::terminal::signals::handle_signals;
use crate::cli::terminal::{RunOptions, RunProgress};
use crate::cli::views::restarts::describe_restarts;
use crate::cli::views::summary;
use crate::cli::views::undo::describe_undo_command;
use crate::deployment::description::Description;
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::events::Began;
use crate::journal::{pending_actions, runs};
use crate::names::{Escaped, RelPath};
use crate::plan::Plan;
use crate::run::{Cleared, Ended, undo_answers};

/// Begins to report the progress of a run. From now on a signal stops it at a safe point.
pub(super) fn begin_progress(
    disk: &LockedDeployment,
    plan: &Plan,
    command: &'static str,
    options: RunOptions,
) -> anyhow::Result<RunProgress> {
    let options = RunOptions {
        signals: handle_signals()?,
        ..options
    };
    Ok(RunProgress::new(disk, Began::of(plan, command), options))
}

/// Returns the unmanaged entries that appeared during an applied run, and those that are missing since.
///
/// # Errors
///
/// Every other result.
pub(super) fn applied(ended: Ended, progress: &RunProgress) -> anyhow::Result<UnmanagedChanges> {
    match ended {
        Ended::Applied {
            appeared, missing, ..
        } => Ok(UnmanagedChanges { appeared, missing }),
        ended => {
            let places = progress.failed_at.clone();
            Err(NotApplied { ended, places }.into())
        }
    }
}

/// Unmanaged entries that are not where they were before a run.
pub(super) struct UnmanagedChanges {
    appeared: Vec<RelPath>,
    missing: Vec<RelPath>,
}

/// Prints what a finished run changed, and the answers to its manual steps.
pub(super) fn report_changes(tree: &Tree, plan: &Plan, name: &str) {
    let run = run_with_name(tree, name).ok().flatten();
    let journal = run.map(|run| run.journal).unwrap_or_default();
    for line in summary::lines(plan, &journal) {
        out::line(format_args!("  {}", Escaped(&line)));
    }
}

/// Prints the last line of a command that finished a run: how to undo it, or why that is not
/// possible. Computed from the run's records and slots; without a readable run nothing is claimed.
pub(super) fn report_undo(tree: &Tree, site: Option<&Description>, name: &str) {
    let Ok(Some(run)) = run_with_name(tree, name) else {
        return;
    };
    let answers = runs(tree).map(|runs| undo_answers(tree, &runs, site));
    let Ok(Ok(answers)) = answers else { return };
    if let Some(answer) = answers.get(&run.number) {
        let number = run.number.to_string();
        let undo = describe_undo_command(tree.path(), &number, answer);
        let label = if answer.possible { "undo:" } else { "it" };
        out::line(format_args!("{label} {}", Escaped(&undo)));
    }
}

/// Prints the comparison of a finished run with the expected state. Unmanaged entries beside managed
/// ones do not affect it; those that are missing were reported when they were found.
pub(super) fn report_comparison(unmanaged: &UnmanagedChanges) {
    for path in &unmanaged.appeared {
        out::message(format_args!(
            "note: the unmanaged `{}` appeared during the run, and was left in place",
            Escaped(path.as_str())
        ));
    }
    if unmanaged.appeared.is_empty() && unmanaged.missing.is_empty() {
        out::line("the result matches the plan");
    } else {
        out::line(
            "the result matches the plan, except for unmanaged files that appeared or \
             disappeared during the run",
        );
    }
}

/// Prints the restarts that are pending, with the command that acknowledges them.
pub(super) fn report_pending(tree: &Tree) -> anyhow::Result<()> {
    let runs = runs(tree)?;
    let pending = pending_actions(&runs);
    let actions: BTreeSet<_> = pending.iter().flat_map(|(_, actions)| actions).collect();
    if !actions.is_empty() {
        let restarts = describe_restarts(actions);
        let label = out::styled(out::WARN, "action required");
        out::line(format_args!("{label}: restart {}", Escaped(&restarts)));
        TypedCommand::on(tree.path()).print_next(&[("ack", "once that is done")]);
    }
    Ok(())
}

/// Reports runs that died while staging and were removed.
pub(super) fn report_cleared_runs(cleared: &Cleared) {
    for name in cleared {
        out::message(format_args!(
            "run {name} died while staging and was removed: it had changed nothing"
        ));
    }
}
