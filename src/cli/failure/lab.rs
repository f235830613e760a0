//! A lab that cannot be made.

use super::Failure;
use crate::cli::exit::Exit;
use crate::cli::terminal::out;
use crate::rehearse::LabError;

/// Number of files in the way that are named one by one.
const NAMED_FILES: usize = 8;

const ELSEWHERE: &str = "`--lab DIR` makes the lab somewhere else";

impl From<&LabError> for Failure {
    fn from(error: &LabError) -> Self {
        let (exit, next) = match error {
            LabError::Exists(_) => (
                Exit::Usage,
                "`--replace` replaces it; `--lab DIR` makes another one",
            ),
            LabError::WouldBeLost(_)
            | LabError::Inside(_)
            | LabError::NotALab(_)
            | LabError::OtherOwner(_)
            | LabError::WritableByAll(_) => (Exit::Usage, ELSEWHERE),
            LabError::WithoutListing(directory) => {
                let directory = directory.display();
                return Failure::usage(error).next(format!(
                    "remove `{directory}` yourself if you do not need its contents; {ELSEWHERE}"
                ));
            }
            LabError::UnexpectedFiles { paths, .. } => {
                let mut failure = Failure::usage(error).next(format!(
                    "move these files elsewhere, then run the same command again; {ELSEWHERE}"
                ));
                let named = paths
                    .iter()
                    .map(|path| format!("not made by a rehearsal: `{}`", path.display()));
                failure.reasons.extend(out::first_few(named, NAMED_FILES));
                return failure;
            }
            LabError::Busy(_) => {
                return Failure::new(Exit::Locked, error).next(format!("wait for it; {ELSEWHERE}"));
            }
            LabError::Interrupted => (Exit::Interrupted, "run the same command again"),
            LabError::PinsOfARealPayload { .. } => (
                Exit::Mismatch,
                "rehearse with the real files: `--payload DIR`",
            ),
            LabError::Secrets => (
                Exit::Invalid,
                "write the parameters of each procedure as one table: `\"PROCEDURE\" = { … }`",
            ),
            LabError::Build(_) => (
                Exit::Mismatch,
                "correct the file table, or rehearse with the real files: `--payload DIR`",
            ),
            LabError::Disk { path, source, .. } => return Failure::of_disk(error, source, path),
        };
        Failure::new(exit, error).next(next)
    }
}
