//! What `--version` prints, and with `--verbose` everything that a report of a defect needs.

use super::envelope;
use crate::deployment::lock;
use crate::journal;
use crate::plan;

/// Commit that the program was built from, if the build named it.
const COMMIT: Option<&str> = option_env!("ROLLUP_COMMIT");
/// Day of that commit.
const COMMIT_DATE: Option<&str> = option_env!("ROLLUP_COMMIT_DATE");

/// Returns name and version.
pub(super) fn short() -> String {
    format!("rollup {}", env!("CARGO_PKG_VERSION"))
}

/// Returns name and version, the commit, the target, and the formats that this version reads.
pub(super) fn verbose() -> String {
    let commit = match (COMMIT, COMMIT_DATE) {
        (Some(commit), Some(date)) => format!("{commit} of {date}"),
        (Some(commit), None) => commit.to_owned(),
        (None, _) => "not recorded by the build".to_owned(),
    };
    let (arch, os) = (std::env::consts::ARCH, std::env::consts::OS);
    let library = if cfg!(target_env = "musl") {
        "musl"
    } else {
        "gnu"
    };
    let (rollup_dir, journal) = (lock::FORMAT, journal::FORMAT);
    let (plan, json) = (plan::SCHEMA, envelope::SCHEMA);
    format!(
        "{}\n\
         commit:  {commit}\n\
         target:  {arch}-{os}-{library}\n\
         formats: .rollup {rollup_dir}, journal {journal}, plan {plan}, JSON documents {json}",
        short()
    )
}
