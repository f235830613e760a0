//! The status as text.

use std::collections::BTreeSet;

use anstyle::Style;

use super::history::RunHistory;
use super::open::OpenRow;
use super::state::DeploymentState;
use super::{NewestRun, SiteStatus, Status};
use crate::cli::advice::{TypedCommand, command_for};
use crate::cli::lines::{labelled, print_directories_of_no_instance};
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, count, first_few, styled};
use crate::cli::views::restarts::describe_restarts;
use crate::cli::views::signatures::describe_signatures;
use crate::cli::views::undo::describe_undo_command;
use crate::journal::PendingAction;
use crate::names::Escaped;

/// Number of problems, and of differences of a stale run, that are listed one by one.
const LISTED: usize = 5;

pub(super) fn print(status: &Status) {
    let path = status.path.display();
    match &status.name {
        Some(name) => {
            let name = styled(BOLD, Escaped(name));
            out::line(format_args!("deployment {name} in {path}"));
        }
        None => out::line(format_args!("deployment in {path}")),
    }
    print_applied(status);
    let typed = TypedCommand::on(&status.path);
    print_site(&status.site, &typed);
    if let (Some(NewestRun { run, undo }), None) = (&status.newest, &status.open) {
        let undo = describe_undo_command(&status.path, run, undo);
        out::line(format_args!("newest run: {run}; {undo}"));
    }
    print_undo_data(status);
    for damaged in &status.damaged {
        labelled(WARN, "damaged", Escaped(damaged));
    }
    let (style, label, text) = describe_state(status);
    labelled(style, label, Escaped(&text));
    if let Some(open) = &status.open {
        print_open(open, status.holder.is_some());
    }
    if status.open.as_ref().is_some_and(OpenRow::needs_repair) {
        out::line("next: fix the problems above first; then");
    }
    typed.print_next(&status.ways());
}

fn print_undo_data(status: &Status) {
    let undo_data = &status.undo_data;
    if undo_data.runs > 0 {
        let bytes = out::size(undo_data.bytes);
        let runs = count(undo_data.runs, "run");
        let prune = command_for(&status.path, undo_data.prune());
        out::line(format_args!(
            "undo data: {bytes} of {runs}; `{prune}` clears it"
        ));
        if undo_data.is_large {
            out::warn("the undo data is more than a tenth of the file system");
        }
    }
    if undo_data.closed_runs > 0 {
        let runs = count(undo_data.closed_runs, "run");
        out::line(format_args!(
            "undo data of {runs}: closed to this user, who may not write to the deployment"
        ));
    }
}

/// Returns the state in one line, with its label.
fn describe_state(status: &Status) -> (Style, &'static str, String) {
    let run = match &status.open {
        Some(open) => format!("run {} is {}", open.run, open.state),
        None => "no run in progress".to_owned(),
    };
    match (status.state, &status.open) {
        (DeploymentState::InProgress, open) => {
            let holder = status.holder.as_ref().map(ToString::to_string);
            let holder = holder.unwrap_or_default();
            let doing = match open {
                Some(open) => format!("run {}: {}", open.run, open.phase()),
                None => "no run is open yet".to_owned(),
            };
            let text = format!("{holder} is changing the deployment; {doing}");
            (WARN, "in progress", text)
        }
        (DeploymentState::ActionRequired, _) => {
            let actions = status.pending.iter().flat_map(|row| &row.actions);
            let actions: BTreeSet<&PendingAction> = actions.collect();
            let restarts = describe_restarts(actions);
            let left_by = out::list(status.pending.iter().map(|row| &row.run));
            let text = format!("restart {restarts}; {run}; left by run {left_by}");
            (BAD, "ACTION REQUIRED", text)
        }
        (DeploymentState::Clean, _) => (GOOD, "clean", run),
        (DeploymentState::Staged, Some(open)) if !open.stale.is_empty() => {
            (WARN, "staged", format!("{run}; it is stale"))
        }
        (DeploymentState::Staged, _) => (WARN, "staged", run),
        (DeploymentState::Interrupted, Some(open)) => {
            (WARN, "interrupted", format!("{run}, {}", open.done))
        }
        (DeploymentState::Interrupted | DeploymentState::NeedsAttention, _) => {
            (BAD, "needs attention", run)
        }
    }
}

fn print_applied(status: &Status) {
    let (Some(applied), Some(superseded)) = (&status.applied, &status.superseded) else {
        return;
    };
    if applied.is_empty() && superseded.is_empty() {
        out::line("no rollup is applied");
    }
    for row in applied {
        out::line(format_args!("applied: {}", row.text));
    }
    for row in superseded {
        let text = format!("superseded: {}, by {}", row.text, row.by);
        out::line(styled(DIM, text));
    }
    for lacking in status.lacking.iter().flatten() {
        let text = format!("{lacking}, which is neither applied nor included");
        labelled(WARN, "requires", text);
    }
}

fn print_site(site: &SiteStatus, typed: &TypedCommand) {
    let lagging = site.lagging.as_deref().unwrap_or_default();
    for lagging in lagging {
        labelled(WARN, "lagging", lagging);
    }
    if !lagging.is_empty() {
        let advice = "`rollup apply` with the manifest of the rollup brings up only what lags";
        out::line(format_args!("  {}", typed.complete(advice)));
    }
    for server in site.offline.iter().flatten() {
        let text = format!("server {}; runs leave it out", Escaped(server));
        labelled(WARN, "offline", text);
    }
    let directories = site.directories_of_no_instance.as_deref();
    print_directories_of_no_instance(directories.unwrap_or_default());
}

/// Prints what is known of an open run: who began it, why it stopped, what is unavailable, and its
/// progress.
fn print_open(open: &OpenRow, has_writer: bool) {
    let RunHistory {
        began_at,
        began_by,
        began_on,
        signatures,
        stopped,
        unavailable_since,
    } = &open.history;
    if let Some(at) = began_at {
        let by = began_by.as_deref().unwrap_or("an unknown user");
        let on = began_on.as_deref().unwrap_or("an unknown machine");
        print_below(&format!("began {}, by {by} on {on}", out::time_and_age(at)));
    }
    for line in describe_signatures(signatures).iter().chain(stopped) {
        print_below(line);
    }
    if let Some(process) = open.ended_process {
        print_below(&format!("process {process}, which worked on it, has ended"));
    }
    if let Some(unavailable) = &open.unavailable {
        let since = unavailable_since.as_deref().map(out::time_and_age);
        let since = out::preceded(" since ", since.as_deref());
        print_below(&format!("unavailable{since}: {unavailable}"));
    }
    for point in &open.irreversible {
        print_below(&format!("point of no return: {point}"));
    }
    let stale = open.stale.iter().map(|change| format!("stale: {change}"));
    for line in first_few(stale, LISTED).iter().chain(&open.progress) {
        print_below(line);
    }
    if let (Some(waiting), false) = (&open.waiting_at, has_writer) {
        let id = styled(BOLD, &waiting.step);
        out::line(format_args!("waiting for a person at step {id}:"));
        waiting.text.lines().for_each(print_below);
        if let Some(directory) = &waiting.directory {
            print_below(&format!("files in {directory}:"));
        }
        for file in &waiting.files {
            print_below(&format!("  {file}"));
        }
    }
    for problem in first_few(open.problems.iter().cloned(), LISTED) {
        labelled(BAD, "problem", Escaped(&problem));
    }
}

/// Prints a line about an open run below that of the state.
fn print_below(text: &str) {
    out::line(format_args!("  {}", Escaped(text)));
}
