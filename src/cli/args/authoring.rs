//! Arguments of the commands for authors of manifests, of rehearsals, and of those for the shell.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use super::common::{DryRunArg, Format, PayloadArg, PlanChoices};
use crate::names::Kb;
use crate::validation::{FindingSelector, FindingsUrl};

/// Document that `init` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum InitDocument {
    Manifest,
    Deployment,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InitArgs {
    /// Document to write
    #[arg(value_enum)]
    pub(in crate::cli) document: InitDocument,
    /// Write the document to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    pub(in crate::cli) force: bool,
    /// Number or id of the rollup; by default the name of the payload directory, if it is a number
    #[arg(long, value_name = "KB")]
    pub(in crate::cli) kb: Option<Kb>,
    /// List the files of this payload
    #[arg(short, long, value_name = "DIR")]
    pub(in crate::cli) payload: Option<PathBuf>,
    /// Name of the deployment
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) name: Option<String>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ImportArgs {
    /// Article, saved from the browser or pasted into a file
    pub(in crate::cli) article: PathBuf,
    /// Write the draft to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    pub(in crate::cli) force: bool,
    /// Take this as the article's own number, if it is not clear
    #[arg(long, value_name = "KB")]
    pub(in crate::cli) kb: Option<Kb>,
    /// Print a report on the article instead of the draft
    #[arg(long)]
    pub(in crate::cli) report: bool,
    /// Print the report in this format
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "report")]
    pub(in crate::cli) format: Format,
}

/// Output format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ReportFormat {
    Text,
    Json,
    Sarif,
    Github,
    Markdown,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ValidateArgs {
    /// Manifests, deployment.toml files, directories or patterns; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Also check the manifests against this deployment
    #[arg(short, long, value_name = "DIR")]
    pub(in crate::cli) deployment: Option<PathBuf>,
    /// Also check the files of this payload
    #[arg(short, long, value_name = "DIR")]
    pub(in crate::cli) payload: Option<PathBuf>,
    /// Also compare the manifest with this article
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) article: Option<PathBuf>,
    /// Require a signature beside each manifest, of a person in this allowed_signers file
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) signers: Option<PathBuf>,
    /// Print the findings in this format
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(in crate::cli) format: ReportFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Report these findings as errors: codes, `warnings` or `notes`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(in crate::cli) deny: Vec<FindingSelector>,
    /// Report these findings as warnings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(in crate::cli) warn: Vec<FindingSelector>,
    /// Do not report these findings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(in crate::cli) allow: Vec<FindingSelector>,
    /// Report a missing pin as an error, like `--deny RU0207`
    #[arg(long)]
    pub(in crate::cli) require_hashes: bool,
    /// Correct what has exactly one answer, such as a misspelled key, and report the rest
    ///
    /// Only the wrong words are replaced, by what the findings suggest; comments and layout stay.
    /// Each file is written at once, or not at all.
    #[arg(long)]
    pub(in crate::cli) fix: bool,
    /// Link findings to this published page, in SARIF and Markdown
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) findings_url: Option<FindingsUrl>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct PinArgs {
    /// Manifest; only its `[payload.sha256]` is written
    pub(in crate::cli) manifest: PathBuf,
    #[command(flatten)]
    pub(in crate::cli) payload: PayloadArg,
    /// Also compare the products with the items of this deployment
    #[arg(short, long, value_name = "DIR")]
    pub(in crate::cli) deployment: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct DiffArgs {
    /// Manifest to compare with: an older rollup, or an earlier revision
    pub(in crate::cli) old: PathBuf,
    /// Manifest whose changes are listed
    pub(in crate::cli) new: PathBuf,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
    /// Exit with 2 if they differ
    #[arg(long)]
    pub(in crate::cli) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct InspectArgs {
    /// Installer packages
    #[arg(required = true, value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct SchemaArgs {
    /// Document that the schema describes
    #[arg(value_enum)]
    pub(in crate::cli) name: SchemaKind,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) output: Option<PathBuf>,
}

/// Documents that have a JSON Schema: files, and what commands print with `--format json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaKind {
    Manifest,
    Deployment,
    Plan,
    Event,
    Status,
    Tree,
    History,
    Run,
    Report,
    Verify,
    Prune,
    Diff,
    Inspect,
    Import,
    Validate,
    Explain,
    Pin,
    Crashes,
    Result,
    Nothing,
    Failure,
}

/// Output format of explanations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ExplainFormat {
    Text,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainArgs {
    /// Finding such as RU0201, exit code by number or name, or `recovery`; by default all
    pub(in crate::cli) code: Option<String>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(in crate::cli) format: ExplainFormat,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RehearseArgs {
    /// Manifests to rehearse, each on the result of the one before
    ///
    /// With several, all but the last are only applied: `--prepare`, `--crash-everywhere` and
    /// `--inject-failure` concern the last one.
    #[arg(required = true)]
    pub(in crate::cli) manifest: Vec<PathBuf>,
    /// Create the lab in this directory
    #[arg(long, value_name = "DIR", default_value = "lab")]
    pub(in crate::cli) lab: PathBuf,
    /// Replace the lab of an earlier rehearsal
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// Stop before the apply of the last manifest, and keep the lab
    #[arg(long)]
    pub(in crate::cli) prepare: bool,
    /// Crash at every change of the disk, and recover both ways
    ///
    /// Kills `apply`, `resume` and `undo` at every change of the disk in turn, recovers forward and
    /// backward, and compares the whole tree each time.
    #[arg(long, conflicts_with_all = ["prepare", "inject_failure"])]
    pub(in crate::cli) crash_everywhere: bool,
    /// Fail at the first operation of STEP, or at operation N of the plan, and roll back
    #[arg(long, value_name = "STEP|N", conflicts_with = "prepare")]
    pub(in crate::cli) inject_failure: Option<String>,
    /// Use a copy of this deployment, or build one from this deployment.toml, instead of the sample
    #[arg(short, long, value_name = "PATH")]
    pub(in crate::cli) deployment: Option<PathBuf>,
    /// Use this payload instead of the sample; with several manifests one for each, in their order
    #[arg(short, long, value_name = "DIR")]
    pub(in crate::cli) payload: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) choices: PlanChoices,
    /// Answer a `confirm` prerequisite with yes (repeatable)
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) confirm: Vec<String>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(in crate::cli) format: Format,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub(in crate::cli) shell: Shell,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ManArgs {
    /// Write the pages to this directory, which exists
    pub(in crate::cli) directory: Option<PathBuf>,
}
