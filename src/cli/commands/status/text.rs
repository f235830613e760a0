//! The status as text.

use super::open::OpenRow;
use super::{NewestRun, SiteStatus, Status};
use crate::cli::advice::{TypedCommand, command_for};
use crate::cli::lines::labelled;
use crate::cli::recovery::is_back;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, count, styled};
use crate::journal::RunState;
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
        let bytes = out::number(status.undo_data.bytes);
        let runs = count(status.undo_data.runs, "run", "runs");
        let prune = command_for(&status.path, "prune --keep N");
        out::line(format_args!(
            "undo data: {bytes} bytes of {runs}; `{prune}` clears it"
        ));
    }
    if let Some(holder) = &status.holder {
        let text = format!("{holder} is changing the deployment");
        labelled(WARN, "in progress", text);
    }
    match &status.open {
        Some(open) => print_open(open, &typed, status.holder.is_some()),
        None if status.holder.is_some() => out::line("no run is open"),
        None => labelled(GOOD, "clean", "no run in progress"),
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

/// Prints the progress of an open run, and the commands that continue it.
fn print_open(open: &OpenRow, typed: &TypedCommand, has_writer: bool) {
    let is_unfinished = matches!(open.run_state, RunState::Unfinished(_));
    let label = if is_unfinished && !has_writer && open.waiting_at.is_none() {
        "interrupted"
    } else {
        "open"
    };
    labelled(
        WARN,
        label,
        format_args!("run {} is {}", open.run, open.state),
    );
    for line in &open.progress {
        out::line(format_args!("  {line}"));
    }
    if let Some(waiting) = &open.waiting_at
        && !has_writer
    {
        let id = styled(BOLD, &waiting.step);
        out::line(format_args!("waiting for manual step {id}:"));
        for line in waiting.text.lines() {
            out::line(format_args!("  {}", Escaped(line)));
        }
    }
    for problem in open.problems.iter().take(LISTED_PROBLEMS) {
        labelled(BAD, "needs attention", Escaped(problem));
    }
    if open.problems.len() > LISTED_PROBLEMS {
        let more = open.problems.len() - LISTED_PROBLEMS;
        out::line(format_args!("and {more} more problems"));
    }
    if !has_writer {
        print_ways_on(open, typed);
    }
}

/// Prints the commands that continue an open run, the one for its direction first.
fn print_ways_on(open: &OpenRow, typed: &TypedCommand) {
    match open.run_state {
        RunState::Staging => {
            typed.print_next(&[("undo", "removes it, and so does the next apply")]);
        }
        RunState::Unfinished(_) if open.swaps.is_none() => typed.print_next(&[
            ("explain recovery", "shows how to recover the run by hand"),
            ("accept", "quarantines the run"),
        ]),
        state => print_directions(open, state, typed),
    }
}

/// Prints the commands that finish an open run, roll it back or close it.
fn print_directions(open: &OpenRow, state: RunState, typed: &TypedCommand) {
    let (mut resume, mut undo) = ("resume".to_owned(), "undo".to_owned());
    if let Some(waiting) = &open.waiting_at {
        let command = if is_back(state) {
            &mut undo
        } else {
            &mut resume
        };
        command.push_str(&format!(" --done {}", waiting.step));
    }
    let mut ways = vec![(resume.as_str(), "finishes it")];
    for point in &open.irreversible {
        labelled(WARN, "point of no return", Escaped(point));
    }
    match state {
        _ if !open.irreversible.is_empty() => {}
        RunState::Staged => ways.push((&undo, "discards it")),
        _ => ways.push((&undo, "rolls it back")),
    }
    if is_back(state) {
        ways.reverse();
    }
    if !open.problems.is_empty() {
        out::line("next: fix the problems above first; then");
        ways.push(("accept", "closes the run in its current state"));
    }
    typed.print_next(&ways);
}
