//! The part that all rehearsals share: the state of the lab, and the options of a run.

use crate::cli::args::RehearseArgs;
use crate::cli::state_now::{self, StateNow};
use crate::cli::terminal::{ManualSteps, RunOptions};
use crate::rehearse::LabState;

/// Returns the options of a run for a rehearsal, which has no operator to prompt.
pub(super) fn rehearsal_options() -> RunOptions {
    RunOptions {
        manual_steps: ManualSteps::AssumedDone,
        ..RunOptions::default()
    }
}

/// Returns the state of the lab after a rehearsal that failed: of its deployment if anything was run
/// there, else of its directory.
pub(in crate::cli) fn state_of_lab(args: &RehearseArgs) -> StateNow {
    let directory = args.lab.display();
    if let Some(tree) = state_now::locked_tree() {
        let state = state_now::state_now(None, None);
        if state.changed {
            return state;
        }
        let newest =
            state_now::newest_run(&tree).unwrap_or_else(|| "nothing was applied in it".to_owned());
        return StateNow {
            text: format!("`{directory}` was made; {newest}"),
            ..state
        };
    }
    let text = match LabState::of(&args.lab) {
        LabState::Absent => format!("nothing was made: `{directory}` does not exist"),
        LabState::Empty => format!("nothing was made: `{directory}` is empty"),
        LabState::Complete => format!("`{directory}` is a complete lab"),
        LabState::Incomplete => {
            format!("`{directory}` is an incomplete lab, which the same command replaces")
        }
        LabState::Other => format!("`{directory}` is not a lab, and nothing was made there"),
    };
    StateNow {
        changed: false,
        text,
    }
}
