//! Arguments that several commands have.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::deployment::fault_injection::FaultInjector;
use crate::rehearse::KillAtChange;

/// Selection of the deployment.
#[derive(Debug, Args, Clone)]
pub(in crate::cli) struct DeploymentArg {
    /// Use this deployment, not the nearest one
    ///
    /// The nearest deployment is the current directory, or its nearest parent directory, with a
    /// deployment.toml.
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "ROLLUP_DEPLOYMENT",
        hide_env_values = true
    )]
    pub(in crate::cli) deployment: Option<PathBuf>,
}

impl DeploymentArg {
    /// Returns the path, if one was given.
    pub(in crate::cli) fn path(&self) -> Option<&Path> {
        self.deployment.as_deref()
    }
}

/// Selection of the payload.
#[derive(Debug, Args, Clone)]
pub(in crate::cli) struct PayloadArg {
    /// Use this payload, not the one beside the manifest
    ///
    /// The payload beside the manifest, or beside a saved plan, is the directory that is named like
    /// the rollup's KB number.
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "ROLLUP_PAYLOAD",
        hide_env_values = true
    )]
    pub(in crate::cli) payload: Option<PathBuf>,
}

/// Choices that change the plan.
#[derive(Debug, Args, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::cli) struct PlanChoices {
    /// Also install items of a group that were never installed
    #[arg(long)]
    pub(in crate::cli) include_missing: bool,
    /// Run all steps again although the rollup is applied
    #[arg(long)]
    pub(in crate::cli) reapply: bool,
    /// Let an older product version replace a newer one
    #[arg(long)]
    pub(in crate::cli) allow_downgrade: bool,
}

impl PlanChoices {
    /// Returns the options, as they are typed.
    pub(in crate::cli) fn flags(self) -> Vec<String> {
        let mut flags = vec![
            (self.include_missing, "--include-missing"),
            (self.reapply, "--reapply"),
            (self.allow_downgrade, "--allow-downgrade"),
        ];
        flags.retain(|(is_given, _)| *is_given);
        flags.into_iter().map(|(_, flag)| flag.to_owned()).collect()
    }
}

/// Everything that a plan is made from.
#[derive(Debug, Args)]
pub(in crate::cli) struct PlanningArgs {
    /// Manifest, or saved plan
    #[arg(value_name = "MANIFEST|PLAN")]
    pub(in crate::cli) manifest: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    #[command(flatten)]
    pub(in crate::cli) payload: PayloadArg,
    #[command(flatten)]
    pub(in crate::cli) choices: PlanChoices,
}

/// Time to wait for the lock.
#[derive(Debug, Args, Clone, Copy)]
pub(in crate::cli) struct LockArgs {
    /// Wait for another process, at most this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(in crate::cli) lock_timeout: u64,
}

impl LockArgs {
    /// Returns the time to wait.
    pub(in crate::cli) fn wait(self) -> Duration {
        Duration::from_secs(self.lock_timeout)
    }
}

/// Hidden arguments that a rehearsal passes to the processes that it starts.
#[derive(Debug, Args, Clone, Copy)]
pub(in crate::cli) struct RehearsalChildArgs {
    /// Die right before this change of the disk, counted from 1
    #[arg(long, hide = true, value_name = "N")]
    pub(in crate::cli) die_at_change: Option<u64>,
    /// Count every manual step as done, or as rolled back
    #[arg(long, hide = true)]
    pub(in crate::cli) manual_steps_done: bool,
}

impl RehearsalChildArgs {
    /// Returns the fault injector of a rehearsal, which sees every change of the disk before it is
    /// made.
    pub(in crate::cli) fn injector(self) -> Option<Arc<dyn FaultInjector>> {
        self.die_at_change
            .map(|change| Arc::new(KillAtChange::at(change)) as Arc<dyn FaultInjector>)
    }
}

/// Output format of most commands.
// Comments on the values of a format would be a list below the option in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Format {
    Text,
    Json,
}

/// Output format of plans and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OutputFormat {
    Text,
    Json,
    Markdown,
    Html,
}

/// Arguments that choose how a plan is printed.
#[derive(Debug, Args)]
pub(in crate::cli) struct PlanViewArgs {
    /// Print in this format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,
    /// Give the reason of every operation: the manifest's line, and the state that was seen
    #[arg(long, conflicts_with_all = ["tree", "undo"])]
    pub(in crate::cli) why: bool,
    /// Print the console instead: before, queued and after
    #[arg(long, conflicts_with = "undo")]
    pub(in crate::cli) tree: bool,
    /// Print the rollback instead, operation by operation
    #[arg(long)]
    pub(in crate::cli) undo: bool,
    /// Name a rehearsal of this plan, for the times that it took: its lab, or a deployment
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tree", "undo"])]
    pub(in crate::cli) rehearsal: Option<PathBuf>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// Preview instead of the command.
#[derive(Debug, Args, Clone, Copy)]
pub(in crate::cli) struct DryRunArg {
    /// Check and print what would be done, and change nothing
    #[arg(short = 'n', long)]
    pub(in crate::cli) dry_run: bool,
}

/// Reaction to a failure.
#[derive(Debug, Args, Clone, Copy)]
pub(in crate::cli) struct FailureArgs {
    /// After a failure, roll back (default) or leave the run open
    ///
    /// `resume` does by default what was asked when the run was begun.
    #[arg(
        long,
        value_name = "undo|stop",
        value_enum,
        hide_possible_values = true
    )]
    pub(in crate::cli) on_failure: Option<OnFailureArg>,
}

impl FailureArgs {
    /// Returns whether the run stays open after a failure, if that was said.
    pub(in crate::cli) fn stops(&self) -> Option<bool> {
        self.on_failure
            .map(|on_failure| on_failure == OnFailureArg::Stop)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum OnFailureArg {
    Undo,
    Stop,
}

/// Arguments of `status` and `tree`.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReadArgs {
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}
