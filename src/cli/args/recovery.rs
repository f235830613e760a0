//! Arguments of the commands that continue, roll back, close and clear runs.

use std::path::PathBuf;

use clap::Args;

use super::common::{DeploymentArg, DryRunArg, FailureArgs, Format, LockArgs, RehearsalChildArgs};

#[derive(Debug, Args)]
pub(in crate::cli) struct ResumeArgs {
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    /// Confirm that a manual step is done (repeatable)
    #[arg(long, value_name = "STEP")]
    pub(in crate::cli) done: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) from_slots: FromSlotsArg,
    #[command(flatten)]
    pub(in crate::cli) failure: FailureArgs,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
    #[command(flatten)]
    pub(in crate::cli) rehearsal: RehearsalChildArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct UndoArgs {
    /// Finished run, by number, rollup or `last`; by default the run in progress
    pub(in crate::cli) run: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    /// Confirm that a manual step is rolled back (repeatable)
    #[arg(long, value_name = "STEP")]
    pub(in crate::cli) done: Vec<String>,
    /// Roll back although managed files have changed
    ///
    /// The changed files are kept in the run's directory.
    #[arg(long)]
    pub(in crate::cli) discard_changes: bool,
    #[command(flatten)]
    pub(in crate::cli) from_slots: FromSlotsArg,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
    #[command(flatten)]
    pub(in crate::cli) rehearsal: RehearsalChildArgs,
}

/// Recovery of a run whose journal is damaged.
#[derive(Debug, Clone, Copy, Args)]
pub(in crate::cli) struct FromSlotsArg {
    /// Work without a damaged journal, from the plan and the slots of the run
    ///
    /// A new journal replaces the damaged one, which is kept beside it. Manual steps at the boundary
    /// are asked about again.
    #[arg(long, conflicts_with = "dry_run")]
    pub(in crate::cli) from_slots: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AcceptArgs {
    /// Items, procedures or groups; by default everything that drifted
    ///
    /// An item or procedure is given by its name, alias or path in the console, with `@SERVER` for
    /// one server only. A group means all items below it.
    #[arg(value_name = "ITEM")]
    pub(in crate::cli) items: Vec<String>,
    /// Record a rollup that was applied by hand, by its number or its manifest
    ///
    /// A manifest also states the revision, and which rollups it includes, replaces and requires.
    /// Nothing is known of what the rollup brought.
    #[arg(long, value_name = "KB|MANIFEST", conflicts_with = "items")]
    pub(in crate::cli) applied: Option<PathBuf>,
    /// Record this reason in the history
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(in crate::cli) reason: String,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
}

fn parse_reason(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("give a reason, in a few words"),
        reason => Ok(reason.to_owned()),
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct AckArgs {
    /// Run, by number, rollup, name or `last`; by default all runs
    pub(in crate::cli) run: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PruneArgs {
    /// Keep the undo data of the newest N finished runs
    #[arg(long, value_name = "N", required_unless_present = "rolled_back")]
    pub(in crate::cli) keep: Option<usize>,
    /// Clear only what runs keep that were rolled back
    ///
    /// No undo needs it.
    #[arg(long, conflicts_with = "keep")]
    pub(in crate::cli) rolled_back: bool,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(in crate::cli) yes: bool,
    /// List the undo data that would be deleted, and change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    #[command(flatten)]
    pub(in crate::cli) lock: LockArgs,
}
