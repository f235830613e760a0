//! Messages that all rehearsals share: the state of the lab, and the command that repeats the
//! rehearsal.

use std::path::Path;

use crate::cli::args::RehearseArgs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::out;
use crate::cli::terminal::{ManualSteps, RunOptions};
use crate::deployment::deletion::is_mount_point;
use crate::rehearse::{LabError, LabState};

/// Number of objects not made by a rehearsal that are listed.
const NAMED: usize = 8;

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

/// Describes the current state of the lab's directory, as found on disk.
pub(super) fn lab_now(directory: &Path) -> String {
    let shown = directory.display();
    match LabState::of(directory) {
        LabState::Absent => format!("nothing was made: `{shown}` does not exist"),
        LabState::Empty => format!("nothing was made: `{shown}` is empty"),
        LabState::Complete => format!("`{shown}` is a complete lab"),
        LabState::Incomplete => format!("`{shown}` is an incomplete lab"),
        LabState::Other => format!("`{shown}` is not a lab, and nothing was made there"),
    }
}

pub(super) fn not_prepared(error: &LabError, args: &RehearseArgs) -> Failure {
    let elsewhere = "`--lab DIR` makes the lab somewhere else";
    let failure = match error {
        LabError::Exists(_) => Failure::new(Exit::Usage, error)
            .next("`--replace` replaces it; `--lab DIR` makes another one"),
        LabError::WouldBeLost(_) | LabError::Inside(_) | LabError::NotALab(_) => {
            Failure::new(Exit::Usage, error).next(elsewhere)
        }
        LabError::WithoutListing(directory) => Failure::new(Exit::Usage, error).next(format!(
            "remove `{}` yourself if you do not need its contents; {elsewhere}",
            directory.display()
        )),
        LabError::UnexpectedFiles { paths, .. } => {
            let mut failure = Failure::new(Exit::Usage, error);
            let named = paths
                .iter()
                .take(NAMED)
                .map(|path| format!("not made by a rehearsal: `{}`", path.display()));
            failure.reasons.extend(named);
            if let Some(more @ 1..) = paths.len().checked_sub(NAMED) {
                failure
                    .reasons
                    .push(format!("and {} more", out::number(more as u64)));
            }
            failure.next(format!(
                "move these files elsewhere, then run the same command again; {elsewhere}"
            ))
        }
        LabError::OtherOwner(_) | LabError::WritableByAll(_) => {
            Failure::new(Exit::Usage, error).next(elsewhere)
        }
        LabError::Busy(_) => {
            Failure::new(Exit::Locked, error).next(format!("wait for it; {elsewhere}"))
        }
        LabError::Interrupted => Failure::new(Exit::Interrupted, error),
        LabError::PinsOfARealPayload { .. } => Failure::new(Exit::Mismatch, error)
            .next("rehearse with the real files: `--payload DIR`"),
        LabError::Build(_) => Failure::new(Exit::Mismatch, error)
            .next("correct the file table, or rehearse with the real files: `--payload DIR`"),
        LabError::Disk { path, source, .. } if is_mount_point(source) => {
            Failure::caused(Exit::NotReady, error).next(format!(
                "`umount {}`, then run the same command again",
                out::shell_quoted(path)
            ))
        }
        LabError::Disk { .. } => Failure::caused(Exit::Io, error),
    };
    let failure = failure.now(lab_now(&args.lab));
    match LabState::of(&args.lab) {
        LabState::Incomplete if failure.next.is_empty() => {
            failure.next("run the same command again to replace it")
        }
        _ => failure,
    }
}
