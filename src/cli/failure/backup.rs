//! A backup that failed. The run does not begin without it.

use super::Failure;
use crate::cli::exit::Exit;
use crate::names::error_chain;
use crate::run::BackupError;

impl From<&BackupError> for Failure {
    fn from(error: &BackupError) -> Self {
        let (exit, next) = match error {
            BackupError::NotRemoved { error: cause, .. } => {
                let mut failure = Failure::from(&**cause);
                failure.reasons = vec![error_chain(error)];
                return failure;
            }
            BackupError::NoParent(_) => (
                Exit::NoInput,
                "create its parent directory first, or name another `--backup-dir`",
            ),
            BackupError::NotADirectory(_) => (Exit::NoInput, "name another `--backup-dir`"),
            BackupError::Inside(_) => (
                Exit::Usage,
                "name a directory outside the deployment, best on another disk",
            ),
            BackupError::Exists(_) => (
                Exit::NotReady,
                "move it somewhere else, or name another `--backup-dir`",
            ),
            BackupError::TooSmall { .. } => (
                Exit::NotReady,
                "free space there, or name another `--backup-dir`",
            ),
            BackupError::Stale { .. } => (
                Exit::StalePlan,
                "plan again: `rollup plan` shows the differences",
            ),
            BackupError::NotAsWritten { .. } => (
                Exit::Io,
                "check that disk first, or name another `--backup-dir`",
            ),
            BackupError::Disk(_) => (Exit::Io, "fix the cause, or name another `--backup-dir`"),
            BackupError::Interrupted => return Failure::new(Exit::Interrupted, error),
        };
        Failure::caused(exit, error).next(next)
    }
}
