//! `prune`: clears the undo data of old runs, and reports which runs can no longer be undone.

use std::path::Path;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::answers::{confirm_to_continue, require_terminal};
use crate::cli::args::{Format, PruneArgs};
use crate::cli::ending::report_cleared_runs;
use crate::cli::envelope::Envelope;
use crate::cli::exit::Exit;
use crate::cli::inputs;
use crate::cli::state_now::take_lock;
use crate::cli::terminal::out::{self, BAD, count, styled};
use crate::deployment::tree::Tree;
use crate::journal::{Outcome, Run, RunState, runs};
use crate::names::Escaped;
use crate::run::{
    self, LostFile, UndoCheck, clear_interrupted_staging, describe_run, kept_bytes, lost_files,
    refuse_mounted,
};

/// Runs that a prune clears, and runs that it leaves.
#[derive(Serialize, JsonSchema)]
#[schemars(title = "Undo data that a prune clears")]
pub(in crate::cli) struct Clearing {
    /// Size of everything that is cleared.
    bytes: u64,
    /// Runs that are cleared; with `--dry-run` those that would be.
    #[serde(rename = "runs")]
    cleared: Vec<ClearedRun>,
    /// Finished runs that can still be undone afterwards, oldest first.
    #[serde(rename = "still_undoable")]
    undoable: Vec<String>,
    /// Those that can be undone before the prune, and cannot afterwards, oldest first.
    no_longer_undoable: Vec<String>,
    /// Names of runs that are staged or unfinished.
    skipped: Vec<String>,
    /// Descriptions of the states of these runs.
    #[serde(skip)]
    states: Vec<&'static str>,
}

/// Run whose slots are cleared.
#[derive(Serialize, JsonSchema)]
struct ClearedRun {
    #[serde(rename = "run")]
    name: String,
    /// State of the run, in a word.
    state: &'static str,
    bytes: u64,
    /// True if the run could be undone before the prune.
    was_undoable: bool,
    /// Files that nothing restores; unknown if the plan cannot be used.
    lost: Option<Vec<LostFile>>,
    /// Reason why the plan cannot be used.
    plan_fault: Option<String>,
    #[serde(skip)]
    run: Run,
}

impl Clearing {
    fn read(tree: &Tree, keep: usize) -> anyhow::Result<Self> {
        let runs = runs(tree)?;
        let all_runs = runs.clone();
        let check = UndoCheck::new(tree, &all_runs, None);
        let before = check.in_turn()?;
        let was_undoable = |run: &Run| before.contains(&run.number);
        let (open, finished): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(Run::is_open);
        let oldest = oldest_kept(&finished, keep);
        let mut clearing = Self {
            cleared: Vec::new(),
            undoable: Vec::new(),
            no_longer_undoable: Vec::new(),
            skipped: open.iter().map(|run| run.name().to_owned()).collect(),
            states: open.iter().map(describe_run).collect(),
            bytes: 0,
        };
        for (at, run) in finished.into_iter().enumerate() {
            if at >= oldest {
                continue;
            }
            if let Some(bytes) = kept_bytes(tree, &run)? {
                refuse_mounted(tree, &run)?;
                let lost = lost_files(tree, &run);
                clearing.bytes += bytes;
                clearing.cleared.push(ClearedRun {
                    name: run.name().to_owned(),
                    state: run.state().word(),
                    bytes,
                    was_undoable: was_undoable(&run),
                    plan_fault: lost.as_ref().err().map(ToString::to_string),
                    lost: lost.ok(),
                    run,
                });
            }
        }
        let cleared = clearing.cleared.iter().map(|cleared| cleared.run.number);
        let after = check.in_turn_without(&cleared.collect())?;
        for run in &all_runs {
            let name = || run.name().to_owned();
            match (before.contains(&run.number), after.contains(&run.number)) {
                (_, true) => clearing.undoable.push(name()),
                (true, false) => clearing.no_longer_undoable.push(name()),
                (false, false) => {}
            }
        }
        Ok(clearing)
    }

    /// Shows the runs that are cleared, and warns of the files that nothing restores.
    fn show(&self, deployment: &Path, line: fn(&str)) {
        for (name, state) in self.skipped.iter().zip(&self.states) {
            line(&format!("skipped: run {name} is {state}"));
        }
        if self.cleared.is_empty() {
            return;
        }
        let runs = count(self.cleared.len(), "run", "runs");
        line(&format!(
            "{} bytes of {runs} will be cleared:",
            out::number(self.bytes)
        ));
        for ClearedRun {
            run,
            bytes,
            was_undoable,
            ..
        } in &self.cleared
        {
            let undo = if *was_undoable {
                "; it can then no longer be undone"
            } else {
                ""
            };
            line(&format!(
                "  {}  {}, {} bytes{undo}",
                run.name(),
                describe_run(run),
                out::number(*bytes)
            ));
        }
        line(&still_undoable(&self.undoable));
        self.warn_of_losses(deployment);
    }

    fn warn_of_losses(&self, deployment: &Path) {
        let mut all = 0;
        for cleared in &self.cleared {
            if let Some(why) = &cleared.plan_fault {
                out::warn(format_args!(
                    "cannot determine which other files would be lost with run {}: {why}",
                    cleared.name
                ));
            }
            for LostFile { path, description } in cleared.lost.iter().flatten() {
                all += 1;
                let path = deployment.join(path).display().to_string();
                out::message(format_args!(
                    "{}: `{}` {description}",
                    styled(BAD, "would be lost"),
                    Escaped(&path)
                ));
            }
        }
        if all > 0 {
            let files = count(all, "file", "files");
            out::warn(format_args!(
                "the {files} named above cannot be restored afterwards: first copy those you want to keep"
            ));
        }
    }
}

fn still_undoable(names: &[String]) -> String {
    match names {
        [] => "afterwards no run can be undone".to_owned(),
        names => format!(
            "afterwards these runs can be undone, newest first: {}",
            reversed(names)
        ),
    }
}

fn reversed(names: &[impl AsRef<str>]) -> String {
    names
        .iter()
        .rev()
        .map(AsRef::as_ref)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the index of the oldest finished run that is kept. A run that was undone or closed is kept
/// if it is newer than the oldest applied run that is kept.
fn oldest_kept(finished: &[Run], keep: usize) -> usize {
    let is_applied = |run: &Run| run.state() == RunState::Closed(Outcome::Applied);
    let indices = finished.iter().enumerate();
    let applied: Vec<usize> = indices
        .filter(|(_, run)| is_applied(run))
        .map(|(at, _)| at)
        .collect();
    if keep == 0 {
        return finished.len();
    }
    match applied.len().checked_sub(keep) {
        Some(first) => applied.get(first).copied().unwrap_or(finished.len()),
        None => applied.first().copied().unwrap_or(0),
    }
}

/// Runs `rollup prune`.
pub(super) fn prune(args: &PruneArgs) -> anyhow::Result<Exit> {
    let site = inputs::open_deployment(args.deployment.deployment.as_deref())?;
    out::message(format_args!(
        "deployment {} ({})",
        site.tree.path().display(),
        site.how
    ));
    site.warn();
    let directory = site.tree.path().to_owned();
    // Standard output has the document alone if a program reads it; people still see the list.
    let line: fn(&str) = match args.format {
        Format::Text => |text| out::line(text),
        Format::Json => |text| out::message(text),
    };
    let finish = |clearing: &Clearing| {
        if args.format == Format::Json {
            Envelope::new(Exit::Ok, clearing).print();
        }
        Ok(Exit::Ok)
    };
    if args.dry_run {
        let clearing =
            inputs::read_consistently(&site.tree, || Clearing::read(&site.tree, args.keep))?;
        clearing.show(&directory, line);
        has_nothing_to_do(&clearing, line);
        out::message("this was a dry run: nothing was changed");
        return finish(&clearing);
    }
    if !args.yes {
        require_terminal("`--yes` clears without asking; `--dry-run` only shows the runs")?;
    }
    let wait = Duration::from_secs(args.lock.lock_timeout);
    let disk = take_lock(site.tree, "prune", wait)?;
    report_cleared_runs(&clear_interrupted_staging(&disk)?);
    let clearing = Clearing::read(disk.tree(), args.keep)?;
    clearing.show(&directory, line);
    if has_nothing_to_do(&clearing, line) {
        return finish(&clearing);
    }
    confirm_to_continue(args.yes)?;
    let runs: Vec<&Run> = clearing
        .cleared
        .iter()
        .map(|cleared| &cleared.run)
        .collect();
    run::prune(&disk, &runs)?;
    let cleared = count(clearing.cleared.len(), "run", "runs");
    line(&format!(
        "cleared {} bytes of {cleared}",
        out::number(clearing.bytes)
    ));
    match clearing.no_longer_undoable.as_slice() {
        [] => line("every run that could be undone still can be"),
        names => line(&format!("can no longer be undone: {}", names.join(", "))),
    }
    finish(&clearing)
}

/// Reports if no run has anything to clear, and returns that.
fn has_nothing_to_do(clearing: &Clearing, line: impl Fn(&str)) -> bool {
    if clearing.cleared.is_empty() {
        line("nothing to do: no finished run has anything to clear, except the runs to keep");
    }
    clearing.cleared.is_empty()
}
