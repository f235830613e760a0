//! The result of a run: the last lines of a command, or its failure with the command to type next.

use super::failure::NotApplied;
use super::next::NextCommands;
use crate::cli::terminal::out;
use crate::deployment::description::Description;
use crate::deployment::tree::Tree;
use crate::journal::runs;
use crate::names::{Digest, Escaped, RelPath};
use crate::plan::Plan;
use crate::run::{Cleared, Ended, undo_answers};

/// Returns the measured digest of an applied run, and the unmanaged files that appeared during it.
///
/// # Errors
///
/// Every other result.
pub(super) fn applied(ended: Ended) -> anyhow::Result<(Digest, Vec<RelPath>)> {
    match ended {
        Ended::Applied { measured, appeared } => Ok((measured, appeared)),
        ended => Err(NotApplied(ended).into()),
    }
}

/// Prints the last line of a command that finished a run: how to undo it, or why that is not
/// possible. Computed from the run's records and slots; without a readable run nothing is claimed.
pub(super) fn report_undo(tree: &Tree, site: Option<&Description>, name: &str) {
    let Ok(runs) = runs(tree) else { return };
    let Some(run) = runs.iter().find(|run| run.name() == name) else {
        return;
    };
    let Ok(answers) = undo_answers(tree, &runs, site) else {
        return;
    };
    let next = NextCommands(tree.path());
    match answers.get(&run.number) {
        Some(answer) if answer.possible => {
            out::line(format_args!("undo: `{}` rolls it back", next.undo_run(run)))
        }
        Some(answer) => out::line(format_args!(
            "it cannot be undone: {}",
            Escaped(&answer.why_not())
        )),
        None => {}
    }
}

/// Prints the comparison of a finished run with the expected state. Unmanaged files beside managed
/// ones do not affect it, but are reported.
pub(super) fn report_comparison(plan: &Plan, measured: Digest, appeared: &[RelPath]) {
    for path in appeared {
        out::message(format_args!(
            "note: the unmanaged file `{}` appeared during the run, and was left in place",
            Escaped(path.as_str())
        ));
    }
    let expected = plan
        .expected_state
        .as_ref()
        .map(|expected_state| expected_state.digest);
    if expected == Some(measured) {
        out::line("the result matches the plan");
    } else {
        out::line(
            "the result matches the plan, except for unmanaged files that appeared or \
             disappeared during the run",
        );
    }
}

/// Reports runs that died while staging and were removed.
pub(super) fn report_cleared_runs(cleared: &Cleared) {
    for name in cleared {
        out::message(format_args!(
            "run {name} died while staging and was removed: it had changed nothing"
        ));
    }
}
