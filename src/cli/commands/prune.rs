//! `prune`: clears the undo data of old runs, and reports which runs can no longer be undone.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use crate::cli::answers::confirm;
use crate::cli::args::PruneArgs;
use crate::cli::envelope::show;
use crate::cli::exit::Exit;
use crate::cli::inputs::{self, OpenedDeployment, open_to_change};
use crate::cli::result::report_dry_run;
use crate::cli::terminal::out::{self, BAD, count, styled};
use crate::deployment::tree::Tree;
use crate::journal::{Outcome, Run, RunState, runs};
use crate::names::Escaped;
use crate::run::{
    self, LostFile, UndoCheck, describe_run, kept_bytes, lost_files, paths_left_empty,
    refuse_mounted,
};

/// Runs that a prune clears, and runs that it leaves.
#[derive(Default, Serialize, JsonSchema)]
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
    /// Names of runs that are never cleared: staged, unfinished or damaged ones, and those that keep the
    /// objects of paths that are still empty.
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
    /// Finds what a prune clears that keeps the newest runs, or without a number only what rolled-back
    /// runs keep.
    fn read(tree: &Tree, keep: Option<usize>) -> anyhow::Result<Self> {
        let runs = runs(tree)?;
        let check = UndoCheck::new(tree, &runs, None);
        let before = check.in_turn()?;
        let mut clearing = Self::default();
        let mut finished = Vec::new();
        for run in &runs {
            if run.is_open() || run.fault.is_some() {
                clearing.skipped.push(run.name().to_owned());
                clearing.states.push(describe_run(run));
            } else {
                finished.push(run);
            }
        }
        match keep {
            Some(keep) => finished.truncate(oldest_kept(&finished, keep)),
            None => finished.retain(|run| run.state() == RunState::Closed(Outcome::Undone)),
        }
        // What a run left empty is still in its slots.
        let emptied = paths_left_empty(tree, &runs)?;
        finished.retain(|run| {
            let is_needed = emptied.iter().any(|(name, _)| name == run.name());
            if is_needed {
                clearing.skipped.push(run.name().to_owned());
                clearing
                    .states
                    .push("needed: it keeps objects of paths that are still empty");
            }
            !is_needed
        });
        for run in finished {
            if let Some(bytes) = kept_bytes(tree, run)? {
                refuse_mounted(tree, run)?;
                let lost = lost_files(tree, run);
                clearing.bytes += bytes;
                clearing.cleared.push(ClearedRun {
                    name: run.name().to_owned(),
                    state: run.state().word(),
                    bytes,
                    was_undoable: before.contains(&run.number),
                    plan_fault: lost.as_ref().err().map(ToString::to_string),
                    lost: lost.ok(),
                    run: run.clone(),
                });
            }
        }
        let cleared = clearing.cleared.iter().map(|cleared| cleared.run.number);
        let after = check.in_turn_without(&cleared.collect())?;
        for run in &runs {
            let name = run.name().to_owned();
            if after.contains(&run.number) {
                clearing.undoable.push(name);
            } else if before.contains(&run.number) {
                clearing.no_longer_undoable.push(name);
            }
        }
        Ok(clearing)
    }

    /// Shows the runs that are cleared, and warns of the files that nothing restores.
    fn show(&self, deployment: &Path) {
        for (name, state) in self.skipped.iter().zip(&self.states) {
            out::line(format_args!("skipped: run {name} is {state}"));
        }
        if self.cleared.is_empty() {
            out::line(
                "nothing to do: no finished run has anything to clear, except the runs to keep",
            );
            return;
        }
        out::line(format_args!("{} will be cleared:", self.size()));
        for cleared in &self.cleared {
            let (name, state) = (&cleared.name, describe_run(&cleared.run));
            let bytes = out::size(cleared.bytes);
            let undo = if cleared.was_undoable {
                "; it can then no longer be undone"
            } else {
                ""
            };
            out::line(format_args!("  {name}  {state}, {bytes}{undo}"));
        }
        if self.undoable.is_empty() {
            out::line("afterwards no run can be undone");
        } else {
            let mut newest_first = self.undoable.clone();
            newest_first.reverse();
            let names = newest_first.join(", ");
            out::line(format_args!(
                "afterwards these runs can be undone, newest first: {names}"
            ));
        }
        self.warn_of_losses(deployment);
    }

    /// Describes the size of everything that is cleared.
    fn size(&self) -> String {
        let runs = count(self.cleared.len(), "run");
        format!("{} of {runs}", out::size(self.bytes))
    }

    fn warn_of_losses(&self, deployment: &Path) {
        let mut all = 0;
        for cleared in &self.cleared {
            if let Some(why) = &cleared.plan_fault {
                let name = &cleared.name;
                out::warn(format_args!(
                    "cannot determine which other files would be lost with run {name}: {why}"
                ));
            }
            for LostFile { path, description } in cleared.lost.iter().flatten() {
                all += 1;
                let label = styled(BAD, "would be lost");
                let path = deployment.join(path).display().to_string();
                let path = Escaped(&path);
                out::urgent(format_args!("{label}: `{path}` {description}"));
            }
        }
        if all > 0 {
            let files = count(all, "file");
            out::warn(format_args!(
                "the {files} named above cannot be restored afterwards: first copy those you want to keep"
            ));
        }
    }
}

/// Returns the index of the oldest finished run that is kept. A run that was undone or closed is kept
/// if it is newer than the oldest applied run that is kept.
fn oldest_kept(finished: &[&Run], keep: usize) -> usize {
    let mut applied = Vec::new();
    for (at, run) in finished.iter().enumerate() {
        if run.state() == RunState::Closed(Outcome::Applied) {
            applied.push(at);
        }
    }
    match applied.len().checked_sub(keep) {
        Some(first) => applied.get(first).copied().unwrap_or(finished.len()),
        None => applied.first().copied().unwrap_or(0),
    }
}

/// Runs `rollup prune`.
pub(super) fn prune(args: &PruneArgs) -> anyhow::Result<Exit> {
    let site = open_to_change(&args.deployment)?;
    site.warn();
    let clearing = if args.dry_run {
        let read = || Clearing::read(&site.tree, args.keep);
        let clearing = inputs::read_consistently(&site.tree, read)?;
        clearing.show(site.tree.path());
        report_dry_run();
        clearing
    } else {
        clear(args, &site)?
    };
    show(args.format, Exit::Ok, clearing, |_| {});
    Ok(Exit::Ok)
}

/// Clears the undo data, after a prompt.
fn clear(args: &PruneArgs, site: &OpenedDeployment) -> anyhow::Result<Clearing> {
    let disk = site.lock_and_clear("prune", args.lock)?;
    let clearing = Clearing::read(disk.tree(), args.keep)?;
    clearing.show(site.tree.path());
    if clearing.cleared.is_empty() {
        return Ok(clearing);
    }
    confirm(&site.question("Clear the undo data", ""), args.yes)?;
    let runs: Vec<&Run> = clearing
        .cleared
        .iter()
        .map(|cleared| &cleared.run)
        .collect();
    run::prune(&disk, &runs)?;
    out::line(format_args!("cleared {}", clearing.size()));
    if clearing.no_longer_undoable.is_empty() {
        out::line("every run that could be undone still can be");
    } else {
        let names = clearing.no_longer_undoable.join(", ");
        out::line(format_args!("can no longer be undone: {names}"));
    }
    Ok(clearing)
}
