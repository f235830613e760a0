//! The arguments of every command, with their help texts.
//!
//! `-h` prints one line for each option. Examples, exit codes and everything longer are only in
//! `--help`.

mod authoring;
mod common;
mod inspection;
mod planning;
mod recovery;

use anstream::ColorChoice;
use clap::{Parser, Subcommand, ValueEnum};

pub(in crate::cli) use authoring::{
    CompletionsArgs, DiffArgs, ExplainArgs, ExplainFormat, ImportArgs, InitArgs, InitDocument,
    InspectArgs, ManArgs, PinArgs, RehearseArgs, ReportFormat, SchemaArgs, SchemaKind,
    ValidateArgs,
};
pub(in crate::cli) use common::{
    DeploymentArg, DryRunArg, Format, LockArgs, OutputFormat, PlanChoices, PlanViewArgs,
    PlanningArgs, ReadArgs, RehearsalChildArgs,
};
pub(in crate::cli) use inspection::{HistoryArgs, ReportArgs, TreeArgs, TreeOrder, VerifyArgs};
pub(in crate::cli) use planning::{
    ApplyArgs, ApprovalArgs, ApproveArgs, PlanArgs, ShowArgs, StageArgs,
};
pub(in crate::cli) use recovery::{AcceptArgs, AckArgs, PruneArgs, ResumeArgs, UndoArgs};

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
pub(in crate::cli) struct Cli {
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
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
    pub(in crate::cli) progress: ProgressMode,
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
    pub(in crate::cli) color: ColorMode,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true)]
    pub(in crate::cli) quiet: bool,
    /// Print every operation, and in previews its reason
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub(in crate::cli) verbose: bool,
    /// Never prompt, as without a terminal
    #[arg(long, global = true)]
    pub(in crate::cli) no_input: bool,
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
pub(in crate::cli) enum ColorMode {
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
pub(in crate::cli) enum Command {
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
