//! The status as text.

use std::collections::BTreeSet;

use super::open::OpenRow;
use super::state::DeploymentState;
use super::{NewestRun, SiteStatus, Status};
use crate::cli::advice::{TypedCommand, command_for};
use crate::cli::lines::labelled;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, count, styled};
use crate::cli::views::restarts::describe_restarts;
use crate::cli::views::signatures::describe_signatures;
use crate::journal::PendingAction;
use crate::names::Escaped;

/// Number of problems that are listed one by one.
const LISTED_PROBLEMS: usize = 5;

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
        let answer = if undo.possible {
            let undo = command_for(&status.path, &format!("undo {run}"));
            format!("`{undo}` rolls it back")
        } else {
            format!("cannot be undone: {}", Escaped(&undo.why_not()))
        };
        out::line(format_args!("newest run: {run}; {answer}"));
    }
    if status.undo_data.runs > 0 {
        let bytes = out::size(status.undo_data.bytes);
        let runs = count(status.undo_data.runs, "run", "runs");
        let prune = command_for(&status.path, status.undo_data.prune());
        out::line(format_args!(
            "undo data: {bytes} of {runs}; `{prune}` clears it"
        ));
        if status.undo_data.is_large {
            out::warn("the undo data is more than a tenth of the file system");
        }
    }
    if status.undo_data.closed_runs > 0 {
        let runs = count(status.undo_data.closed_runs, "run", "runs");
        out::line(format_args!(
            "undo data of {runs}: closed to this user, who may not write to the deployment"
        ));
    }
    for damaged in &status.damaged {
        labelled(WARN, "damaged", Escaped(damaged));
    }
    print_state(status);
    print_next(status, &typed);
}

/// Prints the state in one line, and below it what is known of it.
fn print_state(status: &Status) {
    let holder = status.holder.as_ref().map(ToString::to_string);
    match (status.state, &status.open) {
        (DeploymentState::InProgress, open) => {
            let holder = holder.unwrap_or_default();
            let doing = match open {
                Some(open) => format!("run {}: {}", open.run, open.phase()),
                None => "no run is open yet".to_owned(),
            };
            let text = format!("{holder} is changing the deployment; {doing}");
            labelled(WARN, "in progress", Escaped(&text));
        }
        (DeploymentState::ActionRequired, _) => {
            let actions = status.pending.iter().flat_map(|row| &row.actions);
            let actions: BTreeSet<&PendingAction> = actions.collect();
            let restarts = describe_restarts(actions).join("; ");
            labelled(
                BAD,
                "ACTION REQUIRED",
                format!("restart {}", Escaped(&restarts)),
            );
            let runs: Vec<&str> = status.pending.iter().map(|row| row.run.as_str()).collect();
            let runs = runs.join(", ");
            out::line(format_args!(
                "  no run in progress; left by run {}",
                Escaped(&runs)
            ));
        }
        (DeploymentState::Clean, None) => labelled(GOOD, "clean", "no run in progress"),
        (DeploymentState::Clean, Some(open)) => {
            let text = format!("run {} is {}", open.run, open.state);
            labelled(GOOD, "clean", text);
        }
        (DeploymentState::Staged, Some(open)) => {
            let stale = if open.stale.is_empty() {
                ""
            } else {
                "; it is stale"
            };
            let text = format!("run {} is {}{stale}", open.run, open.state);
            labelled(WARN, "staged", text);
        }
        (DeploymentState::Interrupted, Some(open)) => {
            let text = format!("run {} is {}, {}", open.run, open.state, open.done);
            labelled(WARN, "interrupted", text);
        }
        (_, Some(open)) => {
            let text = format!("run {} is {}", open.run, open.state);
            labelled(BAD, "needs attention", text);
        }
        (_, None) => {}
    }
    if let Some(open) = &status.open {
        print_open(open, status.holder.is_some());
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
    for directory in site.directories_of_no_instance.iter().flatten() {
        let directory = Escaped(directory.as_str());
        let text = format!("`{directory}` belongs to no server or instance of `deployment.toml`");
        labelled(WARN, "directory", text);
    }
}

/// Prints what is known of an open run: who began it, why it stopped, what is unavailable, and its
/// progress.
fn print_open(open: &OpenRow, has_writer: bool) {
    print_history(open, has_writer);
    if let Some(unavailable) = &open.unavailable {
        let since = open.history.unavailable_since.as_deref();
        let since = since.map(|since| format!(" since {}", out::time_and_age(since)));
        let since = since.unwrap_or_default();
        let text = format!("unavailable{since}: {unavailable}");
        wrapped_line(&text);
    }
    for point in &open.irreversible {
        wrapped_line(&format!("point of no return: {point}"));
    }
    for change in open.stale.iter().take(LISTED_PROBLEMS) {
        wrapped_line(&format!("stale: {change}"));
    }
    print_more(open.stale.len(), "differences");
    for line in &open.progress {
        out::line(format_args!("  {}", Escaped(line)));
    }
    if let Some(waiting) = &open.waiting_at
        && !has_writer
    {
        let id = styled(BOLD, &waiting.step);
        out::line(format_args!("waiting for a person at step {id}:"));
        for line in waiting.text.lines() {
            out::line(format_args!("  {}", Escaped(line)));
        }
        if let Some(directory) = &waiting.directory {
            out::line(format_args!("  files in {directory}:"));
        }
        for file in &waiting.files {
            out::line(format_args!("    {file}"));
        }
    }
    for problem in open.problems.iter().take(LISTED_PROBLEMS) {
        labelled(BAD, "problem", Escaped(problem));
    }
    print_more(open.problems.len(), "problems");
}

fn print_history(open: &OpenRow, has_writer: bool) {
    let history = &open.history;
    if let Some(at) = &history.began_at {
        let by = history.began_by.as_deref().unwrap_or("an unknown user");
        let on = history.began_on.as_deref().unwrap_or("an unknown machine");
        let at = out::time_and_age(at);
        wrapped_line(&format!("began {at}, by {by} on {on}"));
    }
    for signed in describe_signatures(&history.signatures) {
        wrapped_line(&signed);
    }
    if let Some(stopped) = &history.stopped {
        wrapped_line(stopped);
    }
    match open.ended_process {
        Some(process) if !has_writer => {
            wrapped_line(&format!("process {process}, which worked on it, has ended"));
        }
        _ => {}
    }
}

/// Prints a line about an open run, wrapped to the width of the screen.
fn wrapped_line(text: &str) {
    let text = Escaped(text).to_string();
    let text = out::wrapped(&text, out::width().saturating_sub(2), "    ");
    out::line(format_args!("  {text}"));
}

fn print_more(all: usize, noun: &str) {
    if all > LISTED_PROBLEMS {
        let more = all - LISTED_PROBLEMS;
        out::line(format_args!("  and {more} more {noun}"));
    }
}

/// Prints the commands to type next.
fn print_next(status: &Status, typed: &TypedCommand) {
    let ways = status.ways();
    let ways: Vec<(&str, &str)> = ways
        .iter()
        .map(|(way, what)| (way.as_str(), *what))
        .collect();
    if status.open.as_ref().is_some_and(OpenRow::needs_repair) {
        out::line("next: fix the problems above first; then");
    }
    typed.print_next(&ways);
}
