//! The command line.

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Parser, Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::fault_injection::FaultInjector;
use crate::names::Digest;
use crate::rehearse::Death;
use crate::validation::FindingSelector;

/// Apply an update rollup to a deployment, whole or not at all.
#[derive(Debug, Parser)]
#[command(
    name = "rollup",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = "Examples:
  rollup rehearse manifests/kb952076.toml    try it all on a sample, in ./lab
  rollup plan kb952076.toml -d /srv/hmc40 -p KB952076
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076
  rollup status -d /srv/hmc40                where things stand, what to type

Exit codes, of which `rollup explain CODE` tells more:
  0 done, or nothing to do    13 mismatch          65 invalid
  1 failed                    14 stale plan        66 no input
  2 changes, where asked      15 not ready         74 io
  10 undone                   16 not applicable    75 locked
  11 needs attention          64 usage             130 interrupted
  12 stopped, a run is open"
)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Check manifests and deployment.toml files: every mistake at once, at its place
    #[command(after_help = "Examples:
  rollup validate manifests/kb952076.toml
  rollup validate manifests --deny warnings --allow RU0202
  rollup validate manifests --format sarif -o rollup.sarif
  rollup validate kb952076.toml -d /srv/hmc40 -p KB952076
  rollup validate kb952076.toml --article article.txt

Errors exit with 65; warnings and notes do not. An error stays one: a document
that has it cannot be used. `rollup explain CODE` tells more about a finding.")]
    Validate(Validate),
    /// Tell more about a finding or an exit code, or list all of them
    #[command(after_help = "Examples:
  rollup explain RU0201
  rollup explain 13
  rollup explain stale-plan
  rollup explain --format markdown > findings.md")]
    Explain(Explain),
    /// Show what applying a manifest would do; touches nothing
    #[command(after_help = "Examples:
  rollup plan kb952076.toml -d /srv/hmc40 -p KB952076
  rollup plan kb952076.toml --save plan.json
  rollup plan kb952076.toml --format html -o plan.html
  rollup plan kb952076.toml --undo           the exact way back
  rollup plan plan.json -d /srv/hmc40        is the saved plan still true?

Without a payload there is a preview without digest: nobody can tell then what
will be written.")]
    Plan(Plan),
    /// Show a saved plan again, also where it no longer fits
    #[command(after_help = "Examples:
  rollup show plan.json
  rollup show plan.json --undo
  rollup show plan.json --format html -o plan.html
  rollup show /srv/hmc40/.rollup/runs/0012-KB952076/plan.json")]
    Show(Show),
    /// Apply a manifest: stage everything, then swap it in
    #[command(after_help = "Examples:
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076
  rollup apply plan.json -d /srv/hmc40       exactly the plan that was saved
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076 --yes < /dev/null
  rollup apply kb952076.toml --dry-run

A failure puts everything back by itself. The first Ctrl-C finishes what is at
hand and leaves the run open; the second one stops at once. After either, and
after a crash: `rollup status`.")]
    Apply(Apply),
    /// Do the first half of an apply, which changes nothing yet: stage everything
    #[command(after_help = "Examples:
  rollup stage kb952076.toml -d /srv/hmc40 -p KB952076
  rollup apply kb952076.toml -d /srv/hmc40 -p KB952076    commits what lies staged
  rollup undo -d /srv/hmc40                               throws it away")]
    Stage(Stage),
    /// Take the unfinished run to its end
    #[command(after_help = "Examples:
  rollup resume -d /srv/hmc40
  rollup resume -d /srv/hmc40 --yes --done update-database")]
    Resume(Resume),
    /// Take the unfinished run back, or a finished one that is named
    #[command(
        alias = "rollback",
        after_help = "Examples:
  rollup undo -d /srv/hmc40              the unfinished run
  rollup undo 12 -d /srv/hmc40           run 12, which is finished
  rollup undo KB952076 -d /srv/hmc40     the newest run of this rollup
  rollup undo last -d /srv/hmc40         the newest finished run

Finished runs are undone newest first."
    )]
    Undo(Undo),
    /// Tell where things stand, and what to type
    #[command(
        after_help = "Exits with 0 at rest, with 12 where a run is staged or unfinished, with 11 where
something needs attention before the run can go on either way."
    )]
    Status(Reading),
    /// List the runs of a deployment, or tell all that is recorded of one
    #[command(after_help = "Examples:
  rollup history -d /srv/hmc40
  rollup history last -d /srv/hmc40          the newest run
  rollup history 12 -d /srv/hmc40")]
    History(History),
    /// Tell what happened in a run: when, how long, and what was down meanwhile
    #[command(after_help = "Examples:
  rollup report last -d /srv/hmc40           the newest run
  rollup report 12 -d /srv/hmc40 --format markdown
  rollup report KB952076 -d /srv/hmc40 --format html -o report.html

It is made from the run's events.ndjson, whose lines `rollup schema event`
describes. What those do not tell, the run's own records do, and the report
says so. It changes nothing, and an open run can be reported too.")]
    Report(Reporting),
    /// Show the console tree with states
    Tree(Reading),
    /// Compare every installed file, installer and state with its record; reads only
    #[command(
        after_help = "Exits with 0 where everything matches, with 13 where something drifted."
    )]
    Verify(Reading),
    /// Take what lies on disk for true: records of what drifted, or a stuck run
    #[command(after_help = "Examples:
  rollup accept --reason \"hotfix of case 4711\" -d /srv/hmc40
  rollup accept \"Exchange 2007 Provider\" --reason \"hotfix of case 4711\"
  rollup accept \"Hosted Email 2007 Web Service@PROV01\" --reason \"mended by hand\"

No installed file is moved or changed. Where a run is unfinished, it is closed
as it stands; otherwise the records of what drifted are written anew, as a run
that can be undone. `rollup verify` tells what drifted.")]
    Accept(Accept),
    /// Clear what old runs keep for their undo, but for the newest N finished ones
    #[command(after_help = "Examples:
  rollup prune --keep 2 -d /srv/hmc40 --dry-run
  rollup prune --keep 2 -d /srv/hmc40

Shows first what goes, which runs can no longer be undone then, and every file
that nothing could bring back. A run's manifest, plan and journal always stay;
runs that are staged or unfinished are left alone.")]
    Prune(Prune),
    /// Build a sample deployment and a payload, and apply the manifest there for real
    #[command(after_help = "Examples:
  rollup rehearse manifests/kb952076.toml
  rollup rehearse manifests/kb952076.toml --prepare    stop before the apply
  rollup rehearse draft.toml -d deployment.toml        on a site built from it
  rollup rehearse kb952076.toml -d /srv/hmc40 -p KB952076 --lab /tmp/lab
                                                       on a copy of yours
  rollup rehearse manifests/kb952076.toml --crash-everywhere
                                                       takes minutes
  rollup rehearse manifests/kb952076.toml --inject-failure install

Manual steps count as done in a rehearsal.")]
    Rehearse(Rehearse),
    /// Say what installer packages hold, or why they cannot be used
    #[command(after_help = "Examples:
  rollup inspect KB952076/HostedEmail2007NS.msi
  rollup inspect KB952076/*.msi --format json")]
    Inspect(Inspect),
    /// Pin the SHA-256 of every payload file in the manifest
    #[command(after_help = "Example:
  rollup pin kb952076.toml -p KB952076")]
    Pin(Pin),
    /// Tell what one manifest changes against another
    #[command(after_help = "Examples:
  rollup diff kb948755.toml kb952076.toml
  rollup diff old.toml new.toml --format json
  rollup diff old.toml new.toml --detailed-exitcode

What the manifests say is compared, not how they say it: layout, order (but that
of steps, and of packages that a step runs) and the case of names do not count.
Steps are matched by their ids, rows of the file table by their names.

Exits with 0 whether they differ or not; with `--detailed-exitcode` with 2 where
they do. In JSON each of `differences` has `where` (rollup, article,
prerequisites, steps, payload), `of` (the step, prerequisite or file), `what`
(the key; or step, prerequisite, file for a whole one), `kind` (added, removed,
changed, moved), and `old`, `new`, `old_line`, `new_line`, null where there is
nothing.")]
    Diff(Diff),
    /// Write a manifest draft from the text of a vendor's article
    #[command(after_help = "Examples:
  rollup import article.txt -o KB952076.toml
  rollup import article.html --report        what became of every line, and what is left to decide
  rollup import article.txt --report --format json -o KB952076.toml

ARTICLE is the article as people have it: saved from the browser as text or as a
page, or copied and pasted into a file; UTF-8, UTF-16 or Windows-1252.

The draft has everything that could be read: identity, relations, prerequisites,
steps, file table, fixes and notes. What could not be known is a TODO in it, and
a line of the report with the article's line. A step that was not understood is
kept as a manual step that quotes the article; nothing is dropped silently. The
draft is to be compared with the article, then `rollup validate`d and pinned.

Exits with 0 when a draft was written, also with TODOs; with 65 where the file
is no article about an update rollup.")]
    Import(Import),
    /// Print the JSON Schema of the documents that people and programs write
    #[command(after_help = "Examples:
  rollup schema manifest -o manifest.schema.json
  rollup schema deployment -o deployment.schema.json
  rollup schema plan                         what `plan --save` writes
  rollup schema event                        a line of a run's events.ndjson

With a schema, an editor completes keys, shows what they mean, and marks what
cannot be. Taplo, and Even Better TOML for VS Code, find it by a comment at the
head of the document, with a path as seen from there:
  #:schema manifest.schema.json

`rollup validate` finds more: it knows what holds between places.")]
    Schema(Schema),
}

/// Which deployment.
#[derive(Debug, Args, Clone)]
pub(super) struct Deployment {
    /// The deployment; else the nearest directory upwards with a deployment.toml
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "ROLLUP_DEPLOYMENT",
        hide_env_values = true
    )]
    pub(super) deployment: Option<PathBuf>,
}

/// Which payload.
#[derive(Debug, Args, Clone)]
pub(super) struct Payload {
    /// The payload; else the directory beside the manifest that is named like its KB number
    #[arg(
        short,
        long,
        value_name = "DIR",
        env = "ROLLUP_PAYLOAD",
        hide_env_values = true
    )]
    pub(super) payload: Option<PathBuf>,
}

/// What decides the plan.
#[derive(Debug, Args, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Choices {
    /// Let the install of a group also take in what was never installed
    #[arg(long)]
    pub(super) include_missing: bool,
    /// Do all steps again, though the rollup is applied
    #[arg(long)]
    pub(super) reapply: bool,
    /// Let an older product version replace a newer one
    #[arg(long)]
    pub(super) allow_downgrade: bool,
}

/// Everything a plan is made from.
#[derive(Debug, Args)]
pub(super) struct Planning {
    /// The manifest, or a plan that was saved
    #[arg(value_name = "MANIFEST")]
    pub(super) manifest: PathBuf,
    #[command(flatten)]
    pub(super) deployment: Deployment,
    #[command(flatten)]
    pub(super) payload: Payload,
    #[command(flatten)]
    pub(super) choices: Choices,
}

/// Waiting for the lock.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct Locking {
    /// Wait this many seconds for another process to finish
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub(super) lock_timeout: u64,
}

/// What only a rehearsal tells the processes that it starts.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct Rehearsing {
    /// Die right before this change of the disk, counted from 1
    #[arg(long, hide = true, value_name = "N")]
    pub(super) die_at_change: Option<u64>,
    /// Count every manual step as done, or as taken back
    #[arg(long, hide = true)]
    pub(super) manual_steps_done: bool,
}

impl Rehearsing {
    /// Who sees every change of the disk before it is made: nobody, but in a rehearsal.
    pub(super) fn injector(self) -> Option<Arc<dyn FaultInjector>> {
        self.die_at_change
            .map(|change| Arc::new(Death::at(change)) as Arc<dyn FaultInjector>)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    // Without a help text of their own: one would blow every command's help up to twice its length.
    Text,
    Json,
}

/// The forms in which a validation is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Report {
    // Without help texts of their own, like the formats.
    Text,
    Json,
    Sarif,
    Github,
}

#[derive(Debug, Args)]
pub(super) struct Validate {
    /// Manifests and deployment.toml files, directories of them, or patterns; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Also check the manifests against this deployment
    #[arg(short, long, value_name = "DIR")]
    pub(super) deployment: Option<PathBuf>,
    /// Also check the files of this payload
    #[arg(short, long, value_name = "DIR")]
    pub(super) payload: Option<PathBuf>,
    /// Also check that the manifest still says what this article says
    #[arg(long, value_name = "FILE")]
    pub(super) article: Option<PathBuf>,
    /// Show the findings to people, to programs, or to a code host
    #[arg(long, value_enum, default_value_t = Report::Text)]
    pub(super) format: Report,
    /// Write the report into FILE
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Count these findings as errors: codes, `warnings` or `notes`
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) deny: Vec<FindingSelector>,
    /// Count these findings as warnings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) warn: Vec<FindingSelector>,
    /// Do not tell these findings
    #[arg(long, value_name = "CODE", value_delimiter = ',')]
    pub(super) allow: Vec<FindingSelector>,
    /// Make a missing pin an error, like `--deny RU0207`
    #[arg(long)]
    pub(super) require_hashes: bool,
}

/// The forms in which codes are explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Page {
    // Without help texts of their own, like the formats.
    Text,
    Json,
    Markdown,
}

#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A finding such as RU0201, or an exit code by number or name; without it, all of them
    pub(super) code: Option<String>,
    /// Show it to people, to programs, or as a page of a manual
    #[arg(long, value_enum, default_value_t = Page::Text)]
    pub(super) format: Page,
}

/// The forms in which a plan or a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shape {
    // Without help texts of their own, like the formats.
    Text,
    Json,
    Markdown,
    Html,
}

/// How a plan is shown.
#[derive(Debug, Args)]
pub(super) struct Showing {
    /// For people here, for programs, for a ticket, or as one page for a browser and for paper
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub(super) format: Shape,
    /// Say for every operation why it is there: the manifest's line, and the state that was seen
    #[arg(long, conflicts_with_all = ["tree", "undo"])]
    pub(super) why: bool,
    /// Show the console instead: before, queued and after
    #[arg(long, conflicts_with = "undo")]
    pub(super) tree: bool,
    /// Show the exact way back instead, operation by operation
    #[arg(long)]
    pub(super) undo: bool,
    /// Write it into this file instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

impl Showing {
    /// Whether a program reads what is printed.
    pub(super) fn is_json(&self) -> bool {
        self.format == Shape::Json && self.output.is_none()
    }
}

#[derive(Debug, Args)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) planning: Planning,
    #[command(flatten)]
    pub(super) showing: Showing,
    /// Save the plan in FILE, for `show` and `apply`
    #[arg(long, value_name = "FILE")]
    pub(super) save: Option<PathBuf>,
    /// Exit with 2 where there is something to do
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// A plan that was saved, or the plan.json of a run
    pub(super) plan: PathBuf,
    #[command(flatten)]
    pub(super) showing: Showing,
}

#[derive(Debug, Args)]
pub(super) struct Apply {
    #[command(flatten)]
    pub(super) planning: Planning,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Show the plan and stop; touches nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Refuse any other plan than the approved one: all 64 digits that `plan` prints
    #[arg(long, value_name = "DIGEST", value_parser = approved)]
    pub(super) expect_plan: Option<Digest>,
    /// Answer a `confirm` prerequisite with yes (may be repeated)
    #[arg(long, value_name = "ID")]
    pub(super) confirm: Vec<String>,
    /// Commit up to this step, and leave the run open there
    #[arg(long, value_name = "STEP")]
    pub(super) stop_before: Option<String>,
    /// First copy the files that will be replaced to DIR/RUN, and compare the copies
    #[arg(long, value_name = "DIR")]
    pub(super) backup_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(super) failing: Failing,
    #[command(flatten)]
    pub(super) locking: Locking,
    #[command(flatten)]
    pub(super) rehearsing: Rehearsing,
}

/// Reads the digest of an approved plan. Fewer digits are no approval: twelve of them can be forged
/// in a minute.
fn approved(text: &str) -> Result<Digest, &'static str> {
    text.parse().map_err(|_| {
        "a plan is approved by all 64 hexadecimal digits of its digest, which `rollup plan`, `rollup show` and \
         `rollup history` print"
    })
}

/// What follows from a failure.
#[derive(Debug, Args, Clone, Copy)]
pub(super) struct Failing {
    /// When an operation fails: put everything back, or leave the run open there
    #[arg(long, value_name = "undo|stop", value_enum, default_value_t = OnFailure::Undo, hide_possible_values = true)]
    pub(super) on_failure: OnFailure,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum OnFailure {
    // Without a help text of their own, like the formats.
    Undo,
    Stop,
}

impl From<OnFailure> for crate::run::OnFailure {
    fn from(asked: OnFailure) -> Self {
        match asked {
            OnFailure::Undo => Self::Undo,
            OnFailure::Stop => Self::Stop,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct Stage {
    #[command(flatten)]
    pub(super) planning: Planning,
    /// Refuse any other plan than the approved one: all 64 digits that `plan` prints
    #[arg(long, value_name = "DIGEST", value_parser = approved)]
    pub(super) expect_plan: Option<Digest>,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Answer a `confirm` prerequisite with yes (may be repeated)
    #[arg(long, value_name = "ID")]
    pub(super) confirm: Vec<String>,
    #[command(flatten)]
    pub(super) locking: Locking,
}

#[derive(Debug, Args)]
pub(super) struct Resume {
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Say that a manual step was done (may be repeated)
    #[arg(long, value_name = "STEP")]
    pub(super) done: Vec<String>,
    #[command(flatten)]
    pub(super) failing: Failing,
    #[command(flatten)]
    pub(super) locking: Locking,
    #[command(flatten)]
    pub(super) rehearsing: Rehearsing,
}

#[derive(Debug, Args)]
pub(super) struct Undo {
    /// A finished run: its number, its rollup, or `last`; without it, the unfinished one
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Say that a manual step was taken back (may be repeated)
    #[arg(long, value_name = "STEP")]
    pub(super) done: Vec<String>,
    /// Go back although files of ours were changed since; the changed ones are kept in the run's
    /// slots
    #[arg(long)]
    pub(super) discard_changes: bool,
    #[command(flatten)]
    pub(super) locking: Locking,
    #[command(flatten)]
    pub(super) rehearsing: Rehearsing,
}

#[derive(Debug, Args)]
pub(super) struct Accept {
    /// Items or procedures by name, alias or path in the console, with `@SERVER` on one server
    /// only; a group for all below it; without any, everything that drifted
    #[arg(value_name = "ITEM")]
    pub(super) items: Vec<String>,
    /// Why; kept in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(super) reason: String,
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub(super) yes: bool,
    #[command(flatten)]
    pub(super) locking: Locking,
}

fn reason(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("say why, in a few words"),
        reason => Ok(reason.to_owned()),
    }
}

#[derive(Debug, Args)]
pub(super) struct Reading {
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// Tell it to people or to programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// One run: its number, its rollup, its name, or `last`
    pub(super) run: Option<String>,
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// Tell it to people or to programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Reporting {
    /// The run: its number, its rollup, its name, or `last`
    pub(super) run: String,
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// For people here, for programs, for a ticket, or as one page for a browser and for paper
    #[arg(long, value_enum, default_value_t = Shape::Text)]
    pub(super) format: Shape,
    /// Write it into this file instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Prune {
    /// How many finished runs keep their old objects, counted from the newest
    #[arg(long, value_name = "N")]
    pub(super) keep: usize,
    #[command(flatten)]
    pub(super) deployment: Deployment,
    /// Do not ask; needed where there is no terminal
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Show what would go and stop; touches nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Tell it to people or to programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    #[command(flatten)]
    pub(super) locking: Locking,
}

#[derive(Debug, Args)]
pub(super) struct Rehearse {
    /// The manifest
    pub(super) manifest: PathBuf,
    /// Where the lab is made
    #[arg(long, value_name = "DIR", default_value = "lab")]
    pub(super) lab: PathBuf,
    /// Replace a lab that an earlier rehearsal made
    #[arg(long)]
    pub(super) replace: bool,
    /// Stop before the apply, and leave the old state
    #[arg(long)]
    pub(super) prepare: bool,
    /// Kill `apply`, `resume` and `undo` at every change of the disk in turn, recover both ways,
    /// and compare the whole tree each time
    #[arg(long, conflicts_with_all = ["prepare", "inject_failure"])]
    pub(super) crash_everywhere: bool,
    /// Let an operation fail, and see everything put back: the first one of a step, or the Nth of
    /// the plan
    #[arg(long, value_name = "STEP or N", conflicts_with = "prepare")]
    pub(super) inject_failure: Option<String>,
    /// Rehearse on a copy of this deployment, or on one that is built from this `deployment.toml`,
    /// instead of the sample
    #[arg(short, long, value_name = "PATH")]
    pub(super) deployment: Option<PathBuf>,
    /// Rehearse with this payload instead of a built one
    #[arg(short, long, value_name = "DIR")]
    pub(super) payload: Option<PathBuf>,
    #[command(flatten)]
    pub(super) choices: Choices,
    /// Answer a `confirm` prerequisite with yes (may be repeated)
    #[arg(long, value_name = "ID")]
    pub(super) confirm: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Inspect {
    /// Installer packages
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    /// Tell it to people or to programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Pin {
    /// The manifest; only its `[payload.sha256]` is written
    pub(super) manifest: PathBuf,
    #[command(flatten)]
    pub(super) payload: Payload,
    /// Also compare the products with this deployment's items
    #[arg(short, long, value_name = "DIR")]
    pub(super) deployment: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The manifest to compare with: an older rollup, or an earlier revision
    pub(super) old: PathBuf,
    /// The manifest that may change something
    pub(super) new: PathBuf,
    /// Tell it to people or to programs
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Exit with 2 where they differ
    #[arg(long)]
    pub(super) detailed_exitcode: bool,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// The article, as it was saved from the browser or pasted into a file
    pub(super) article: PathBuf,
    /// Write the draft into this file instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Replace the file that `--output` names, if it exists
    #[arg(long, requires = "output")]
    pub(super) force: bool,
    /// Print what became of the article in place of the draft
    #[arg(long)]
    pub(super) report: bool,
    /// Tell the report to people or to programs
    #[arg(long, value_enum, default_value_t = Format::Text, requires = "report")]
    pub(super) format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of which document
    #[arg(value_enum)]
    pub(super) name: Language,
    /// Write it into this file instead of to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Language {
    // Without a help text of their own, like the formats.
    Manifest,
    Deployment,
    Plan,
    Event,
}
