//! What every rehearsal says: of its lab, and how to do it again.

use std::path::Path;

use crate::cli::args::Rehearse;
use crate::cli::exit::{Exit, Failure};
use crate::cli::terminal::out;
use crate::cli::terminal::{ManualSteps, Wishes};
use crate::deployment::deletion::is_mount_point;
use crate::rehearse::{LabError, LabState};

/// Number of objects not made by a rehearsal that are listed.
const NAMED: usize = 8;

/// Returns the command that rehearses the same again.
pub(super) fn again(args: &Rehearse) -> String {
    let mut command = format!(
        "rollup rehearse {} --lab {} --replace",
        out::typed(&args.manifest),
        out::typed(&args.lab)
    );
    for (flag, directory) in [("-d", &args.deployment), ("-p", &args.payload)] {
        if let Some(directory) = directory {
            command.push_str(&format!(" {flag} {}", out::typed(directory)));
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

/// Returns the wishes for a rehearsal, which has no operator to prompt.
pub(super) fn rehearsed() -> Wishes {
    Wishes {
        manual_steps: ManualSteps::Done,
        ..Wishes::default()
    }
}

/// Describes what is in the lab's directory, from what is on disk at this moment.
pub(super) fn lab_now(directory: &Path) -> String {
    let shown = directory.display();
    match LabState::of(directory) {
        LabState::Absent => format!("nothing was made: `{shown}` does not exist"),
        LabState::Empty => format!("nothing was made: `{shown}` is empty"),
        LabState::Complete => format!("`{shown}` is a lab, and complete"),
        LabState::Incomplete => format!("`{shown}` is a lab, and not complete"),
        LabState::Other => format!("`{shown}` is not a lab, and nothing was made there"),
    }
}

pub(super) fn not_prepared(error: &LabError, args: &Rehearse) -> Failure {
    let elsewhere = "`--lab DIR` makes the lab somewhere else";
    let failure = match error {
        LabError::Exists(_) => Failure::new(Exit::Usage, error)
            .next("`--replace` makes it anew; `--lab DIR` makes another one"),
        LabError::WouldBeLost(_) | LabError::Inside(_) | LabError::NotALab(_) => {
            Failure::new(Exit::Usage, error).next(elsewhere)
        }
        LabError::WithoutListing(directory) => Failure::new(Exit::Usage, error).next(format!(
            "remove `{}` yourself if you need nothing in it; {elsewhere}",
            directory.display()
        )),
        LabError::Foreign { paths, .. } => {
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
                "move what is named elsewhere, then the same command again; {elsewhere}"
            ))
        }
        LabError::NotYours(_) | LabError::WritableByAll(_) => {
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
                "`umount {}`, then the same command again",
                out::typed(path)
            ))
        }
        LabError::Disk { .. } => Failure::caused(Exit::Io, error),
    };
    let failure = failure.now(lab_now(&args.lab));
    match LabState::of(&args.lab) {
        LabState::Incomplete if failure.next.is_empty() => {
            failure.next("the same command again makes it anew")
        }
        _ => failure,
    }
}
