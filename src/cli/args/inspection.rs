//! Arguments of the commands that read a deployment and its runs.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::common::{DeploymentArg, Format, OutputFormat, ReadArgs};

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyArgs {
    /// Hash the objects that runs keep for an undo, too
    #[arg(long)]
    pub(in crate::cli) undo: bool,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

/// Order in which `tree` prints a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum TreeOrder {
    Group,
    Server,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct TreeArgs {
    #[command(flatten)]
    pub(in crate::cli) read: ReadArgs,
    /// Print in this order
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = TreeOrder::Group)]
    pub(in crate::cli) by: TreeOrder,
}

fn parse_limit(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(limit @ 1..) => Ok(limit),
        _ => Err("give a number from 1"),
    }
}

#[derive(Debug, Args)]
pub(in crate::cli) struct HistoryArgs {
    /// Run, by number, rollup, name or `last`; by default all runs
    pub(in crate::cli) run: Option<String>,
    /// List only the newest N runs
    #[arg(long, value_name = "N", conflicts_with = "run", value_parser = parse_limit)]
    pub(in crate::cli) limit: Option<usize>,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ReportArgs {
    /// Run, by number, rollup, name or `last`
    pub(in crate::cli) run: String,
    #[command(flatten)]
    pub(in crate::cli) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(in crate::cli) format: OutputFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}
