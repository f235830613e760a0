//! Arguments of the commands that make, show, approve and apply plans.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::common::{
    FailureArgs, Format, LockArgs, PlanViewArgs, PlanningArgs, RehearsalChildArgs,
};
use crate::names::Digest;

#[derive(Debug, Args)]
pub(in crate::cli) struct PlanArgs {
    #[command(flatten)]
    pub(in crate::cli) planning: PlanningArgs,
    #[command(flatten)]
    pub(in crate::cli) view: PlanViewArgs,
    /// Save the plan to this file, for `show` and `apply`
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) save: Option<PathBuf>,
    /// Exit with 2 if there is something to do
    #[arg(long)]
    pub(in crate::cli) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowArgs {
    /// Saved plan, or the plan.json of a run
    pub(in crate::cli) plan: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) view: PlanViewArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ApproveArgs {
    /// Saved plan
    pub(in crate::cli) plan: PathBuf,
    /// Let the approval count until this time, such as 2026-12-31T22:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    pub(in crate::cli) until: Option<Timestamp>,
    /// Write the statement to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// Parses the time until which an approval counts.
fn parse_until(text: &str) -> Result<Timestamp, String> {
    let time: Timestamp = text.parse().map_err(|_| {
        "write it with its seconds and with `Z` or an offset: 2026-12-31T22:00:00Z".to_owned()
    })?;
    match time.subsec_nanosecond() {
        0 => Ok(time),
        _ => Err("write it in whole seconds: 2026-12-31T22:00:00Z".to_owned()),
    }
}

/// Approvals of the plan, for a deployment that requires some.
#[derive(Debug, Args, Clone, Default)]
pub(in crate::cli) struct ApprovalArgs {
    /// Count this signed statement as an approval (repeatable)
    ///
    /// `rollup approve` writes the statement, and `ssh-keygen -Y sign` its signature, FILE.sig.
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) approval: Vec<PathBuf>,
    /// Go on without the required approvals; the reason is recorded
    #[arg(long, value_name = "REASON", conflicts_with = "approval")]
    pub(in crate::cli) without_approval: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct StageArgs {
    #[command(flatten)]
    pub(in crate::cli) planning: PlanningArgs,
    #[command(flatten)]
    pub(in crate::cli) approvals: ApprovalArgs,
    /// Refuse any plan without this digest; give all 64 digits
    #[arg(long, value_name = "DIGEST", value_parser = parse_plan_digest)]
    pub(in crate::cli) expect_plan: Option<Digest>,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    /// Answer a `confirm` prerequisite with yes (repeatable)
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) confirm: Vec<String>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ApplyArgs {
    #[command(flatten)]
    pub(in crate::cli) planning: PlanningArgs,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    /// Print the plan, and change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Refuse any plan without this digest; give all 64 digits
    #[arg(long, value_name = "DIGEST", value_parser = parse_plan_digest)]
    pub(in crate::cli) expect_plan: Option<Digest>,
    /// Answer a `confirm` prerequisite with yes (repeatable)
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) confirm: Vec<String>,
    /// Stop before this step, and leave the run open
    #[arg(long, value_name = "STEP")]
    pub(in crate::cli) stop_before: Option<String>,
    /// First back up the files that will be replaced, to DIR/RUN
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) backup_dir: Option<PathBuf>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) approvals: ApprovalArgs,
    #[command(flatten)]
    pub(in crate::cli) failure: FailureArgs,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
    #[command(flatten)]
    pub(in crate::cli) rehearsal: RehearsalChildArgs,
}

/// Parses the digest of a plan. An abbreviated one is refused: a plan with the same twelve digits
/// can be forged in a minute.
fn parse_plan_digest(text: &str) -> Result<Digest, &'static str> {
    text.parse().map_err(|_| {
        "give all 64 hexadecimal digits of the plan's digest, which `rollup plan`, `rollup show` \
         and `rollup history RUN` print"
    })
}
