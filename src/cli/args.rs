//! The arguments of every command, with their help texts.
//!
//! `-h` prints one line for each option. Examples, exit codes and everything longer are only in
//! `--help`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anstream::ColorChoice;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use jiff::Timestamp;

use crate::deployment::fault_injection::FaultInjector;
use crate::names::Digest;
use crate::names::Kb;
use crate::rehearse::KillAtChange;
use crate::validation::{FindingSelector, FindingsUrl};

/// Apply update rollups to a deployment, atomically
#[derive(Debug, Parser)]
#[command(
    name = "rollup",
    bin_name = "rollup",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_long_help = "Examples:
  rollup rehearse manifests/kb952076.toml    try all of it on a sample, in ./lab
  rollup plan kb952076.toml -d /srv/hmc40 -p KB952076
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076
  rollup status -d /srv/hmc40                the state, and the next command

Exit codes, explained by `rollup explain CODE`:
  0 done, or nothing to do    13 mismatch          65 invalid
  1 failed                    14 stale plan        66 no input
  2 changes, if asked for     15 not ready         74 io
  10 rolled back              16 not applicable    75 locked
  11 needs attention          64 usage             130 interrupted
  12 stopped, a run is open"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Show progress: a bar on a terminal and lines elsewhere, only lines, or nothing
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "auto|plain|none",
        hide_possible_values = true,
        default_value_t = ProgressMode::Auto,
        hide_default_value = true
    )]
    pub(super) progress: ProgressMode,
    /// Colour the output: on a terminal, always, or never
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "auto|always|never",
        hide_possible_values = true,
        default_value_t = ColorMode::Auto,
        hide_default_value = true
    )]
    pub(super) color: ColorMode,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true)]
    pub(super) quiet: bool,
    /// Print every operation, and in previews its reason
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(super) verbose: bool,
    /// Never prompt, as without a terminal
    #[arg(long, global = true)]
    pub(super) no_input: bool,
}

/// Display of progress on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ProgressMode {
    Auto,
    Plain,
    None,
}

/// Use of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorMode {
    Auto,
    Always,
    Never,
}

impl From<ColorMode> for ColorChoice {
    fn from(mode: ColorMode) -> Self {
        match mode {
            ColorMode::Auto => Self::Auto,
            ColorMode::Always => Self::Always,
            ColorMode::Never => Self::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Preview the changes of a manifest
    ///
    /// Changes nothing and takes no lock. Given a saved plan, reports whether it still matches the
    /// deployment. Without a payload, the preview has no digest and cannot be saved.
    #[command(after_long_help = "Examples:
  rollup plan kb952076.toml -d /srv/hmc40 -p KB952076
  rollup plan kb952076.toml --save plan.json
  rollup plan kb952076.toml --format html -o plan.html
  rollup plan kb952076.toml --undo           the rollback, step by step
  rollup plan plan.json -d /srv/hmc40 -p KB952076
                                             check a saved plan again")]
    Plan(PlanArgs),
    /// Print a saved plan, even a stale one
    #[command(after_long_help = "Examples:
  rollup show plan.json
  rollup show plan.json --undo
  rollup show plan.json --format html -o plan.html
  rollup show /srv/hmc40/.rollup/runs/0012-KB952076/plan.json")]
    Show(ShowArgs),
    /// Write the statement that approves a saved plan, to be signed
    ///
    /// Shows what is approved, and writes a statement with the deployment, the rollup with its
    /// revision, the digest of the plan, and the time until which the approval counts. `ssh-keygen`
    /// signs it, with a key of its own or of an agent or a security key; rollup holds no private key.
    /// An approval is used up by the run that finishes with it.
    #[command(after_long_help = "Examples:
  rollup approve plan.json --until 2026-12-31T22:00:00Z -o alice.approval
  ssh-keygen -Y sign -n rollup-approval@1 -f ~/.ssh/id_ed25519 alice.approval
  rollup apply plan.json -d /srv/hmc40 -p KB952076 --approval alice.approval")]
    Approve(ApproveArgs),
    /// Stage a run, and leave its commit to a later apply
    ///
    /// Copies, unpacks and verifies everything in the directory of the run. The deployment does
    /// not change. `apply` of the same manifest commits the staged run, `undo` discards it.
    #[command(after_long_help = "Examples:
  rollup stage kb952076.toml -d /srv/hmc40 -p KB952076
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076    commits the staged run
  rollup undo -d /srv/hmc40                               discards it")]
    Stage(StageArgs),
    /// Apply a manifest atomically: stage everything, then commit
    ///
    /// A run that fails rolls back by itself. The first Ctrl-C finishes the current operation and
    /// leaves the run open; the second stops at once. After either, and after a crash,
    /// `rollup status` prints the next command to type.
    #[command(after_long_help = "Examples:
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076
  rollup apply plan.json -d /srv/hmc40 -p KB952076
                                             exactly the plan that was saved
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076 --yes < /dev/null
  rollup apply kb952076.toml --dry-run")]
    Apply(ApplyArgs),
    /// Print the state of the deployment, and the next command to type
    ///
    /// The deployment is clean, staged, in progress, interrupted, in need of attention, or a person
    /// has to restart something (action required). Of a run that is open: who began it and when, why
    /// it stopped, what is unavailable since when, and its progress.
    ///
    /// Exits with 0 if the deployment is clean or if a restart is pending, with 12 if a run is
    /// staged, in progress or interrupted, and with 11 if something needs attention before the run
    /// can be finished or rolled back.
    Status(ReadArgs),
    /// Finish the run in progress
    #[command(after_long_help = "Examples:
  rollup resume -d /srv/hmc40
  rollup resume -d /srv/hmc40 --yes --done update-database")]
    Resume(ResumeArgs),
    /// Roll back the open run, or a finished one
    ///
    /// A finished run is rolled back unless a later run touched its paths, or a rollup requires what
    /// it brought. A run that is only staged is discarded.
    #[command(
        visible_alias = "rollback",
        after_long_help = "Examples:
  rollup undo -d /srv/hmc40              the run in progress
  rollup undo 12 -d /srv/hmc40           run 12, which is finished
  rollup undo KB952076 -d /srv/hmc40     the newest run of this rollup
  rollup undo last -d /srv/hmc40         the newest finished run"
    )]
    Undo(UndoArgs),
    /// Accept drift, or close a run that can go neither way
    ///
    /// No installed file is moved or changed. A run in progress is closed in its current state.
    /// Otherwise the records of everything that drifted are rewritten, as a run that can be undone.
    /// `rollup verify` lists the drift.
    #[command(after_long_help = "Examples:
  rollup accept --reason \"hotfix of case 4711\" -d /srv/hmc40
  rollup accept \"Exchange 2007 Provider\" --reason \"hotfix of case 4711\"
  rollup accept \"Hosted Email 2007 Web Service@PROV01\" --reason \"fixed by hand\"
  rollup accept --applied KB952077 --reason \"by hand in May\"")]
    Accept(AcceptArgs),
    /// Record that pending restarts are done
    ///
    /// A rollback restores the records of services and restarts nothing, and an article may require
    /// that computers restart. `rollup status` shows these restarts until they are acknowledged, or
    /// until a later run starts the service.
    #[command(after_long_help = "Examples:
  rollup ack -d /srv/hmc40               all pending restarts
  rollup ack 12 -d /srv/hmc40            those that run 12 left")]
    Ack(AckArgs),
    /// Print the console tree with the state of every item
    ///
    /// With `--by server`, prints what each server has: items, programs, copied files and services.
    #[command(
        alias = "ls",
        after_long_help = "Examples:
  rollup tree -d /srv/hmc40
  rollup tree --by server -d /srv/hmc40"
    )]
    Tree(TreeArgs),
    /// Compare installed files, installers and states with their records
    ///
    /// Changes nothing. Exits with 0 if everything matches, and with 13 if something drifted, lags
    /// behind an applied rollup, or lacks what it requires.
    Verify(VerifyArgs),
    /// List the runs of a deployment, or print what is recorded of one
    #[command(
        alias = "log",
        after_long_help = "Examples:
  rollup history -d /srv/hmc40
  rollup history --limit 5 -d /srv/hmc40     the newest five runs
  rollup history last -d /srv/hmc40          the newest run
  rollup history 12 -d /srv/hmc40"
    )]
    History(HistoryArgs),
    /// Report the operations, times and outage of a run
    ///
    /// The report is made from the run's events.ndjson, whose lines `rollup schema event`
    /// describes. For what is missing there it uses the run's own records, and says so. An open
    /// run can be reported, too. Nothing is changed.
    #[command(after_long_help = "Examples:
  rollup report last -d /srv/hmc40           the newest run
  rollup report 12 -d /srv/hmc40 --format markdown
  rollup report KB952076 -d /srv/hmc40 --format html -o report.html")]
    Report(ReportArgs),
    /// Write a commented manifest or deployment.toml to start from
    ///
    /// The document is valid but for its TODOs, each of which `rollup validate` lists. A manifest
    /// lists the files of the payload, if one is given, with their sizes, times and products.
    #[command(after_long_help = "Examples:
  rollup init deployment --name hmc40 -o deployment.toml
  rollup init manifest --kb KB952076 -o kb952076.toml
  rollup init manifest -p KB952076 -o kb952076.toml")]
    Init(InitArgs),
    /// Draft a manifest from the text of a vendor's article
    ///
    /// The draft contains everything that could be read: identity, relations, prerequisites,
    /// steps, file table, fixes and notes. Anything unknown is a TODO in the draft, and a line of
    /// the report with the article's line. A step that was not understood becomes a manual step
    /// that quotes the article; nothing is dropped silently. Compare the draft with the article,
    /// then run `rollup validate` and `rollup pin`.
    ///
    /// The article may be saved from the browser as text or as a page (.htm, .mht), as Markdown,
    /// or pasted into a file, in UTF-8, UTF-16 or Windows-1252.
    ///
    /// Exits with 0 if a draft was written, with or without a TODO, and with 65 if the file is not
    /// an article about an update rollup.
    #[command(after_long_help = "Examples:
  rollup import article.txt -o KB952076.toml
  rollup import article.html --report        the result of every line
  rollup import article.txt --report --format json -o KB952076.toml")]
    Import(ImportArgs),
    /// Check manifests and deployment.toml files, and list every mistake
    ///
    /// Errors exit with 65; warnings and notes do not. Errors cannot be allowed: a document that
    /// has one cannot be used. A comment `# rollup: allow RU0202` in a document allows a warning or
    /// note on its line, or below it. `rollup explain CODE` explains a finding.
    #[command(
        alias = "check",
        after_long_help = "Examples:
  rollup validate manifests/kb952076.toml
  rollup validate manifests --deny warnings --allow RU0202
  rollup validate manifests --fix
  rollup validate manifests --format sarif -o rollup.sarif
  rollup validate kb952076.toml -d /srv/hmc40 -p KB952076
  rollup validate kb952076.toml --article article.txt"
    )]
    Validate(ValidateArgs),
    /// Write the SHA-256 of every payload file into the manifest
    #[command(after_long_help = "Example:
  rollup pin kb952076.toml -p KB952076")]
    Pin(PinArgs),
    /// Compare the meaning of two manifests
    ///
    /// Layout, the case of names and the order of lists do not count; the order of steps does, and
    /// the order of the packages that a step runs. Steps are matched by their ids, rows of the file
    /// table by their names.
    ///
    /// Exits with 0 also if the manifests differ; with `--detailed-exitcode`, exits with 2 then.
    /// In JSON, each of `differences` has `table` (rollup, article, prerequisites, steps, payload),
    /// `of` (the step, prerequisite or file), `key` (the key; step, prerequisite, file for a whole
    /// one; order for that of the steps), `kind` (added, removed, changed, moved), and `old`, `new`,
    /// `old_line`, `new_line`, which may be null.
    #[command(after_long_help = "Examples:
  rollup diff kb948755.toml kb952076.toml
  rollup diff old.toml new.toml --format json
  rollup diff old.toml new.toml --detailed-exitcode")]
    Diff(DiffArgs),
    /// Print what is known of installer packages and other files
    #[command(after_long_help = "Examples:
  rollup inspect KB952076/HostedEmail2007NS.msi
  rollup inspect KB952076/*.msi --format json")]
    Inspect(InspectArgs),
    /// Print the JSON Schema of a document
    ///
    /// With a schema, an editor completes keys, explains them, and marks values that are not
    /// allowed. `rollup validate` finds more: it also checks one part of a document against
    /// another.
    #[command(after_long_help = "Examples:
  rollup schema manifest -o manifest.schema.json
  rollup schema deployment -o deployment.schema.json
  rollup schema plan                         the output of `plan --save`
  rollup schema status                       the output of `status` as JSON
  rollup schema event                        a line of a run's events.ndjson

Taplo, and Even Better TOML for VS Code, find the schema by a comment at the
head of the document, with a path relative to the document:
  #:schema manifest.schema.json")]
    Schema(SchemaArgs),
    /// Explain a finding or an exit code, or list all of them
    #[command(after_long_help = "Examples:
  rollup explain RU0201
  rollup explain 13
  rollup explain stale-plan
  rollup explain recovery                    finish or roll back a run by hand
  rollup explain --format markdown > findings.md")]
    Explain(ExplainArgs),
    /// Build a sample deployment and payload, and apply there
    ///
    /// Everything happens in a lab, a directory that the rehearsal creates. Manual steps count as
    /// done.
    #[command(after_long_help = "Examples:
  rollup rehearse manifests/kb952076.toml
  rollup rehearse manifests/kb952076.toml --prepare    stop before the apply
  rollup rehearse draft.toml -d deployment.toml        on a site built from it
  rollup rehearse kb952076.toml -d /srv/hmc40 -p KB952076 --lab /tmp/lab
                                                       on a copy of yours
  rollup rehearse manifests/kb952076.toml --crash-everywhere
                                                       takes minutes
  rollup rehearse manifests/kb952076.toml --inject-failure install
  rollup rehearse first.toml second.toml               two rollups in a row")]
    Rehearse(RehearseArgs),
    /// Delete the undo data of old runs
    ///
    /// First lists the runs that can no longer be undone afterwards, and every unknown file among
    /// that data. Manifest, plan and journal of a run always stay. Runs that are staged or in
    /// progress are left alone.
    #[command(after_long_help = "Examples:
  rollup prune --keep 2 -d /srv/hmc40 --dry-run
  rollup prune --keep 2 -d /srv/hmc40")]
    Prune(PruneArgs),
    /// Print a script that completes commands and options in a shell
    #[command(after_long_help = "Examples:
  rollup completions bash > ~/.local/share/bash-completion/completions/rollup
  rollup completions zsh > ~/.zfunc/_rollup            with ~/.zfunc in fpath
  rollup completions fish > ~/.config/fish/completions/rollup.fish
  rollup completions powershell >> $PROFILE")]
    Completions(CompletionsArgs),
    /// Print the man page, or write one for every command
    #[command(after_long_help = "Examples:
  rollup man | man -l -
  rollup man ~/.local/share/man/man1         then `man rollup-apply`")]
    Man(ManArgs),
}

/// Selection of the deployment.
#[derive(Debug, Args, Clone)]
pub(super) struct DeploymentArg {
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
    pub(super) deployment: Option<PathBuf>,
}

impl DeploymentArg {
    /// Returns the path, if one was given.
    pub(super) fn path(&self) -> Option<&Path> {
        self.deployment.as_deref()
    }
}

/// Selection of the payload.
#[derive(Debug, Args, Clone)]
pub(super) struct PayloadArg {
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
    pub(super) payload: Option<PathBuf>,
}

/// Choices that change the plan.
#[derive(Debug, Args, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PlanChoices {
    /// Also install items of a group that were never installed
    #[arg(long)]
    pub(super) include_missing: bool,
    /// Run all steps again although the rollup is applied
    #[arg(long)]
    pub(super) reapply: bool,
    /// Let an older product version replace a newer one
    #[arg(long)]
    pub(super) allow_downgrade: bool,
}

impl PlanChoices {
    /// Returns the options, as they are typed.
    pub(super) fn flags(self) -> Vec<String> {
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
pub(super) struct PlanningArgs {
    /// Manifest, or saved plan
    #[arg(value_name = "MANIFEST|PLAN")]
    pub(super) manifest: PathBuf,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    #[command(flatten)]
    pub(super) payload: PayloadArg,
    #[command(flatten)]
    pub(super) choices: PlanChoices,
}

/// Time to wait for the lock.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct LockArgs {
    /// Wait for another process, at most this many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(super) lock_timeout: u64,
}

impl LockArgs {
    /// Returns the time to wait.
    pub(super) fn wait(self) -> Duration {
        Duration::from_secs(self.lock_timeout)
    }
}

/// Hidden arguments that a rehearsal passes to the processes that it starts.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct RehearsalChildArgs {
    /// Die right before this change of the disk, counted from 1
    #[arg(long, hide = true, value_name = "N")]
    pub(super) die_at_change: Option<u64>,
    /// Count every manual step as done, or as rolled back
    #[arg(long, hide = true)]
    pub(super) manual_steps_done: bool,
}

impl RehearsalChildArgs {
    /// Returns the fault injector of a rehearsal, which sees every change of the disk before it is
    /// made.
    pub(super) fn injector(self) -> Option<Arc<dyn FaultInjector>> {
        self.die_at_change
            .map(|change| Arc::new(KillAtChange::at(change)) as Arc<dyn FaultInjector>)
    }
}

/// Output format of most commands.
// Comments on the values of a format would be a list below the option in `--help`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Text,
    Json,
}

/// Output format of plans and reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OutputFormat {
    Text,
    Json,
    Markdown,
    Html,
}

/// Arguments that choose how a plan is printed.
#[derive(Debug, Args)]
pub(super) struct PlanViewArgs {
    /// Print in this format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(super) format: OutputFormat,
    /// Give the reason of every operation: the manifest's line, and the state that was seen
    #[arg(long, conflicts_with_all = ["tree", "undo"])]
    pub(super) why: bool,
    /// Print the console instead: before, queued and after
    #[arg(long, conflicts_with = "undo")]
    pub(super) tree: bool,
    /// Print the rollback instead, operation by operation
    #[arg(long)]
    pub(super) undo: bool,
    /// Name a rehearsal of this plan, for the times that it took: its lab, or a deployment
    #[arg(long, value_name = "DIR", conflicts_with_all = ["tree", "undo"])]
    pub(super) rehearsal: Option<PathBuf>,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct PlanArgs {
    #[command(flatten)]
    pub(super) planning: PlanningArgs,
    #[command(flatten)]
    pub(super) view: PlanViewArgs,
    /// Save the plan to this file, for `show` and `apply`
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Exit with 2 if there is something to do
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// Saved plan, or the plan.json of a run
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) view: PlanViewArgs,
}

#[derive(Debug, Args)]
pub(super) struct ApproveArgs {
    /// Saved plan
    pub(super) plan: PathBuf,
    /// Let the approval count until this time, such as 2026-12-31T22:00:00Z
    #[arg(long, value_name = "TIME", value_parser = parse_until)]
    pub(super) until: Option<Timestamp>,
    /// Write the statement to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
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
pub(super) struct ApprovalArgs {
    /// Count this signed statement as an approval (repeatable)
    ///
    /// `rollup approve` writes the statement, and `ssh-keygen -Y sign` its signature, FILE.sig.
    #[arg(long, value_name = "FILE")]
    pub(super) approval: Vec<PathBuf>,
    /// Go on without the required approvals; the reason is recorded
    #[arg(long, value_name = "REASON", conflicts_with = "approval")]
    pub(super) without_approval: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct StageArgs {
    #[command(flatten)]
    pub(super) planning: PlanningArgs,
    #[command(flatten)]
    pub(super) approvals: ApprovalArgs,
    /// Refuse any plan without this digest; give all 64 digits
    #[arg(long, value_name = "DIGEST", value_parser = parse_plan_digest)]
    pub(super) expect_plan: Option<Digest>,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    /// Answer a `confirm` prerequisite with yes (repeatable)
    #[arg(long, value_name = "ID")]
    pub(super) confirm: Vec<String>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) lock: LockArgs,
}

#[derive(Debug, Args)]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    pub(super) planning: PlanningArgs,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    /// Print the plan, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Refuse any plan without this digest; give all 64 digits
    #[arg(long, value_name = "DIGEST", value_parser = parse_plan_digest)]
    pub(super) expect_plan: Option<Digest>,
    /// Answer a `confirm` prerequisite with yes (repeatable)
    #[arg(long, value_name = "ID")]
    pub(super) confirm: Vec<String>,
    /// Stop before this step, and leave the run open
    #[arg(long, value_name = "STEP")]
    pub(super) stop_before: Option<String>,
    /// First back up the files that will be replaced, to DIR/RUN
    #[arg(long, value_name = "DIR")]
    pub(super) backup_dir: Option<PathBuf>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) approvals: ApprovalArgs,
    #[command(flatten)]
    pub(super) failure: FailureArgs,
    #[command(flatten)]
    pub(super) lock: LockArgs,
    #[command(flatten)]
    pub(super) rehearsal: RehearsalChildArgs,
}

/// Parses the digest of a plan. An abbreviated one is refused: a plan with the same twelve digits
/// can be forged in a minute.
fn parse_plan_digest(text: &str) -> Result<Digest, &'static str> {
    text.parse().map_err(|_| {
        "give all 64 hexadecimal digits of the plan's digest, which `rollup plan`, `rollup show` \
         and `rollup history RUN` print"
    })
}

/// Preview instead of the command.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct DryRunArg {
    /// Check and print what would be done, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
}

/// Reaction to a failure.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct FailureArgs {
    /// After a failure, roll back (default) or leave the run open
    ///
    /// `resume` does by default what was asked when the run was begun.
    #[arg(
        long,
        value_name = "undo|stop",
        value_enum,
        hide_possible_values = true
    )]
    pub(super) on_failure: Option<OnFailureArg>,
}

impl FailureArgs {
    /// Returns whether the run stays open after a failure, if that was said.
    pub(super) fn stops(&self) -> Option<bool> {
        self.on_failure
            .map(|on_failure| on_failure == OnFailureArg::Stop)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailureArg {
    Undo,
    Stop,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// Hash the objects that runs keep for an undo, too
    #[arg(long)]
    pub(super) undo: bool,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

/// Order in which `tree` prints a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TreeOrder {
    Group,
    Server,
}

#[derive(Debug, Args)]
pub(super) struct TreeArgs {
    #[command(flatten)]
    pub(super) read: ReadArgs,
    /// Print in this order
    #[arg(long, value_enum, value_name = "ORDER", default_value_t = TreeOrder::Group)]
    pub(super) by: TreeOrder,
}

/// Arguments of `status` and `tree`.
#[derive(Debug, Args)]
pub(super) struct ReadArgs {
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Confirm that a manual step is done (repeatable)
    #[arg(long, value_name = "STEP")]
    pub(super) done: Vec<String>,
    #[command(flatten)]
    pub(super) from_slots: FromSlotsArg,
    #[command(flatten)]
    pub(super) failure: FailureArgs,
    #[command(flatten)]
    pub(super) lock: LockArgs,
    #[command(flatten)]
    pub(super) rehearsal: RehearsalChildArgs,
}

#[derive(Debug, Args)]
pub(super) struct UndoArgs {
    /// Finished run, by number, rollup or `last`; by default the run in progress
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Confirm that a manual step is rolled back (repeatable)
    #[arg(long, value_name = "STEP")]
    pub(super) done: Vec<String>,
    /// Roll back although managed files have changed
    ///
    /// The changed files are kept in the run's directory.
    #[arg(long)]
    pub(super) discard_changes: bool,
    #[command(flatten)]
    pub(super) from_slots: FromSlotsArg,
    #[command(flatten)]
    pub(super) lock: LockArgs,
    #[command(flatten)]
    pub(super) rehearsal: RehearsalChildArgs,
}

/// Recovery of a run whose journal is damaged.
#[derive(Debug, Clone, Copy, Args)]
pub(super) struct FromSlotsArg {
    /// Work without a damaged journal, from the plan and the slots of the run
    ///
    /// A new journal replaces the damaged one, which is kept beside it. Manual steps at the boundary
    /// are asked about again.
    #[arg(long, conflicts_with = "dry_run")]
    pub(super) from_slots: bool,
}

#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// Items, procedures or groups; by default everything that drifted
    ///
    /// An item or procedure is given by its name, alias or path in the console, with `@SERVER` for
    /// one server only. A group means all items below it.
    #[arg(value_name = "ITEM")]
    pub(super) items: Vec<String>,
    /// Record a rollup that was applied by hand, by its number or its manifest
    ///
    /// A manifest also states the revision, and which rollups it includes, replaces and requires.
    /// Nothing is known of what the rollup brought.
    #[arg(long, value_name = "KB|MANIFEST", conflicts_with = "items")]
    pub(super) applied: Option<PathBuf>,
    /// Record this reason in the history
    #[arg(long, value_name = "TEXT", value_parser = parse_reason)]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) lock: LockArgs,
}

fn parse_limit(text: &str) -> Result<usize, &'static str> {
    match text.parse() {
        Ok(limit @ 1..) => Ok(limit),
        _ => Err("give a number from 1"),
    }
}

fn parse_reason(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("give a reason, in a few words"),
        reason => Ok(reason.to_owned()),
    }
}

#[derive(Debug, Args)]
pub(super) struct AckArgs {
    /// Run, by number, rollup, name or `last`; by default all runs
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) lock: LockArgs,
}

#[derive(Debug, Args)]
pub(super) struct HistoryArgs {
    /// Run, by number, rollup, name or `last`; by default all runs
    pub(super) run: Option<String>,
    /// List only the newest N runs
    #[arg(long, value_name = "N", conflicts_with = "run", value_parser = parse_limit)]
    pub(super) limit: Option<usize>,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct ReportArgs {
    /// Run, by number, rollup, name or `last`
    pub(super) run: String,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = OutputFormat::Text)]
    pub(super) format: OutputFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Document that `init` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum InitDocument {
    Manifest,
    Deployment,
}

#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Document to write
    #[arg(value_enum)]
    pub(super) document: InitDocument,
    /// Write the document to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Number or id of the rollup; by default the name of the payload directory, if it is a number
    #[arg(long, value_name = "KB")]
    pub(super) kb: Option<Kb>,
    /// List the files of this payload
    #[arg(short, long, value_name = "DIR")]
    pub(super) payload: Option<PathBuf>,
    /// Name of the deployment
    #[arg(long, value_name = "NAME")]
    pub(super) name: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// Article, saved from the browser or pasted into a file
    pub(super) article: PathBuf,
    /// Write the draft to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the output file if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Take this as the article's own number, if it is not clear
    #[arg(long, value_name = "KB")]
    pub(super) kb: Option<Kb>,
    /// Print a report on the article instead of the draft
    #[arg(long)]
    pub(super) report: bool,
    /// Print the report in this format
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "report")]
    pub(super) format: Format,
}

/// Output format of findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ReportFormat {
    Text,
    Json,
    Sarif,
    Github,
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// Manifests, deployment.toml files, directories or patterns; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Also check the manifests against this deployment
    #[arg(short, long, value_name = "DIR")]
    pub(super) deployment: Option<PathBuf>,
    /// Also check the files of this payload
    #[arg(short, long, value_name = "DIR")]
    pub(super) payload: Option<PathBuf>,
    /// Also compare the manifest with this article
    #[arg(long, value_name = "FILE")]
    pub(super) article: Option<PathBuf>,
    /// Require a signature beside each manifest, of a person in this allowed_signers file
    #[arg(long, value_name = "FILE")]
    pub(super) signers: Option<PathBuf>,
    /// Print the findings in this format
    #[arg(long, value_enum, default_value_t = ReportFormat::Text)]
    pub(super) format: ReportFormat,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Report these findings as errors: codes, `warnings` or `notes`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) deny: Vec<FindingSelector>,
    /// Report these findings as warnings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) warn: Vec<FindingSelector>,
    /// Do not report these findings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) allow: Vec<FindingSelector>,
    /// Report a missing pin as an error, like `--deny RU0207`
    #[arg(long)]
    pub(super) require_hashes: bool,
    /// Correct what has exactly one answer, such as a misspelled key, and report the rest
    ///
    /// Only the wrong words are replaced, by what the findings suggest; comments and layout stay.
    /// Each file is written at once, or not at all.
    #[arg(long)]
    pub(super) fix: bool,
    /// Link findings to this published page, in SARIF and Markdown
    #[arg(long, value_name = "URL")]
    pub(super) findings_url: Option<FindingsUrl>,
}

#[derive(Debug, Args)]
pub(super) struct PinArgs {
    /// Manifest; only its `[payload.sha256]` is written
    pub(super) manifest: PathBuf,
    #[command(flatten)]
    pub(super) payload: PayloadArg,
    /// Also compare the products with the items of this deployment
    #[arg(short, long, value_name = "DIR")]
    pub(super) deployment: Option<PathBuf>,
    #[command(flatten)]
    pub(super) dry_run: DryRunArg,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct DiffArgs {
    /// Manifest to compare with: an older rollup, or an earlier revision
    pub(super) old: PathBuf,
    /// Manifest whose changes are listed
    pub(super) new: PathBuf,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Exit with 2 if they differ
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// Installer packages
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct SchemaArgs {
    /// Document that the schema describes
    #[arg(value_enum)]
    pub(super) name: SchemaKind,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

/// Documents that have a JSON Schema: files, and what commands print with `--format json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaKind {
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
pub(super) enum ExplainFormat {
    Text,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// Finding such as RU0201, exit code by number or name, or `recovery`; by default all
    pub(super) code: Option<String>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = ExplainFormat::Text)]
    pub(super) format: ExplainFormat,
}

#[derive(Debug, Args)]
pub(super) struct RehearseArgs {
    /// Manifests to rehearse, each on the result of the one before
    ///
    /// With several, all but the last are only applied: `--prepare`, `--crash-everywhere` and
    /// `--inject-failure` concern the last one.
    #[arg(required = true)]
    pub(super) manifest: Vec<PathBuf>,
    /// Create the lab in this directory
    #[arg(long, value_name = "DIR", default_value = "lab")]
    pub(super) lab: PathBuf,
    /// Replace the lab of an earlier rehearsal
    #[arg(long)]
    pub(super) replace: bool,
    /// Stop before the apply of the last manifest, and keep the lab
    #[arg(long)]
    pub(super) prepare: bool,
    /// Crash at every change of the disk, and recover both ways
    ///
    /// Kills `apply`, `resume` and `undo` at every change of the disk in turn, recovers forward and
    /// backward, and compares the whole tree each time.
    #[arg(long, conflicts_with_all = ["prepare", "inject_failure"])]
    pub(super) crash_everywhere: bool,
    /// Fail at the first operation of STEP, or at operation N of the plan, and roll back
    #[arg(long, value_name = "STEP|N", conflicts_with = "prepare")]
    pub(super) inject_failure: Option<String>,
    /// Use a copy of this deployment, or build one from this deployment.toml, instead of the sample
    #[arg(short, long, value_name = "PATH")]
    pub(super) deployment: Option<PathBuf>,
    /// Use this payload instead of the sample; with several manifests one for each, in their order
    #[arg(short, long, value_name = "DIR")]
    pub(super) payload: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) choices: PlanChoices,
    /// Answer a `confirm` prerequisite with yes (repeatable)
    #[arg(long, value_name = "ID")]
    pub(super) confirm: Vec<String>,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct PruneArgs {
    /// Keep the undo data of the newest N finished runs
    #[arg(long, value_name = "N", required_unless_present = "rolled_back")]
    pub(super) keep: Option<usize>,
    /// Clear only what runs keep that were rolled back
    ///
    /// No undo needs it.
    #[arg(long, conflicts_with = "keep")]
    pub(super) rolled_back: bool,
    #[command(flatten)]
    pub(super) deployment: DeploymentArg,
    /// Do not prompt; required without a terminal
    #[arg(short, long, overrides_with = "yes")]
    pub(super) yes: bool,
    /// List the undo data that would be deleted, and change nothing
    #[arg(short = 'n', long)]
    pub(super) dry_run: bool,
    /// Print in this format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) lock: LockArgs,
}

#[derive(Debug, Args)]
pub(super) struct CompletionsArgs {
    /// Shell
    #[arg(value_enum)]
    pub(super) shell: Shell,
}

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write the pages to this directory, which exists
    pub(super) directory: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_definition_of_the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn examples_are_only_in_the_long_help() {
        let program = Cli::command();
        assert!(program.get_after_help().is_none());
        for command in program.get_subcommands() {
            let name = command.get_name();
            assert!(command.get_after_help().is_none(), "`{name} -h` is long");
        }
    }
}
