//! Messages that all rehearsals share: the state of the lab, and the command that repeats the
//! rehearsal.

use crate::cli::args::RehearseArgs;
use crate::cli::state_now::{self, StateNow};
use crate::cli::terminal::out;
use crate::cli::terminal::{ManualSteps, RunOptions};
use crate::rehearse::LabState;

/// Returns the command that rehearses the same again.
pub(super) fn retry_command(args: &RehearseArgs) -> String {
    let mut command = format!(
        "rollup rehearse {} --lab {} --replace",
        out::shell_quoted(&args.manifest),
        out::shell_quoted(&args.lab)
    );
    for (flag, directory) in [("-d", &args.deployment), ("-p", &args.payload)] {
        if let Some(directory) = directory {
            command.push_str(&format!(" {flag} {}", out::shell_quoted(directory)));
        }
    }
    if args.crash_everywhere {
        command.push_str(" --crash-everywhere");
    }
    if let Some(step) = &args.inject_failure {
        command.push_str(&format!(" --inject-failure {step}"));
    }
    command
}

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
    if state_now::has_locked() {
        return state_now::state_now(None, None);
    }
    let directory = args.lab.display();
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
