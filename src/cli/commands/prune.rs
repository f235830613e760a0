//! `prune`: clears the undo data of old runs, and reports which runs can no longer be undone.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::answers::{confirm_to_continue, require_terminal};
use crate::cli::args::{Format, PruneArgs};
use crate::cli::ending::report_cleared_runs;
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::terminal::out::{self, BAD, count, styled};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Outcome, Run, RunState, runs};
use crate::names::Escaped;
use crate::run::{
    self, LostFile, UndoCheck, clear_interrupted_staging, describe_run, kept_bytes, lost_files,
    refuse_mounted,
};

/// Runs that a prune clears, and runs that it leaves.
struct Clearing {
    cleared: Vec<ClearedRun>,
    /// Finished runs that can still be undone afterwards, oldest first.
    undoable: Vec<String>,
    /// Those that can be undone before the prune, and cannot afterwards, oldest first.
    no_longer_undoable: Vec<String>,
    /// Runs that are staged or unfinished, and their state.
    open: Vec<(String, &'static str)>,
}

/// Run whose slots are cleared.
struct ClearedRun {
    run: Run,
    bytes: u64,
    /// True if the run could be undone before the prune.
    was_undoable: bool,
    /// Files that nothing restores, or why they cannot be determined.
    lost: Result<Vec<LostFile>, String>,
}

impl Clearing {
    fn read(tree: &Tree, keep: usize) -> Result<Self, Failure> {
        let runs = runs(tree).map_err(|fault| inputs::journal_failure(&fault))?;
        let all_runs = runs.clone();
        let check = UndoCheck::new(tree, &all_runs, None);
        let failed = |error| inputs::run_failure(&error);
        let before = check.in_turn().map_err(failed)?;
        let was_undoable = |run: &Run| before.contains(&run.number);
        let (open, finished): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(Run::is_open);
        let open = open
            .iter()
            .map(|run| (run.name().to_owned(), describe_run(run)))
            .collect();
        // A run that was undone or closed is kept if it is newer than the oldest applied run that
        // is kept.
        let applied = finished
            .iter()
            .enumerate()
            .filter(|(_, run)| run.state() == RunState::Closed(Outcome::Applied));
        let applied: Vec<usize> = applied.map(|(at, _)| at).collect();
        let oldest = match applied.len().checked_sub(keep) {
            _ if keep == 0 => finished.len(),
            Some(first) => applied.get(first).copied().unwrap_or(finished.len()),
            None => applied.first().copied().unwrap_or(0),
        };
        let mut clearing = Self {
            cleared: Vec::new(),
            undoable: Vec::new(),
            no_longer_undoable: Vec::new(),
            open,
        };
        for (at, run) in finished.into_iter().enumerate() {
            if at >= oldest {
                continue;
            }
            if let Some(bytes) =
                kept_bytes(tree, &run).map_err(|error| inputs::disk_failure(&error))?
            {
                refuse_mounted(tree, &run).map_err(|error| inputs::disk_failure(&error))?;
                let lost = lost_files(tree, &run).map_err(|error| error.to_string());
                clearing.cleared.push(ClearedRun {
                    bytes,
                    was_undoable: was_undoable(&run),
                    lost,
                    run,
                });
            }
        }
        let cleared = clearing.cleared.iter().map(|cleared| cleared.run.number);
        let after = check.in_turn_without(&cleared.collect()).map_err(failed)?;
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

    fn bytes(&self) -> u64 {
        self.cleared.iter().map(|cleared| cleared.bytes).sum()
    }

    /// Shows the runs that are cleared, and warns of the files that nothing restores.
    fn show(&self, deployment: &Path, line: fn(&str)) {
        for (name, state) in &self.open {
            line(&format!("skipped: run {name} is {state}"));
        }
        if self.cleared.is_empty() {
            return;
        }
        let runs = count(self.cleared.len(), "run", "runs");
        line(&format!(
            "{} bytes of {runs} will be cleared:",
            out::number(self.bytes())
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
            match &cleared.lost {
                Err(why) => out::warn(format_args!(
                    "cannot determine which other files would be lost with run {}: {why}",
                    cleared.run.name()
                )),
                Ok(lost) => {
                    all += lost.len();
                    for LostFile { path, description } in lost {
                        let path = deployment.join(path).display().to_string();
                        out::message(format_args!(
                            "{}: `{}` {description}",
                            styled(BAD, "would be lost"),
                            Escaped(&path)
                        ));
                    }
                }
            }
        }
        if all > 0 {
            let files = count(all, "file", "files");
            out::warn(format_args!(
                "the {files} named above cannot be restored afterwards: first copy those you want to keep"
            ));
        }
    }

    fn json(&self, changed: bool) -> Value {
        let cleared: Vec<Value> = self.cleared.iter().map(ClearedRun::json).collect();
        let open: Vec<&String> = self.open.iter().map(|(name, _)| name).collect();
        json!({ "schema": 1, "outcome": Exit::Ok.name(), "exit_code": Exit::Ok as u8, "changed": changed,
                "bytes": self.bytes(), "runs": cleared, "no_longer_undoable": self.no_longer_undoable,
                "still_undoable": self.undoable, "skipped": open })
    }
}

impl ClearedRun {
    fn json(&self) -> Value {
        let lost = self.lost.as_ref().ok();
        let lost = lost.map(|lost| {
            lost.iter()
                .map(|lost| json!({ "path": lost.path, "description": lost.description }))
        });
        json!({ "run": self.run.name(), "state": self.run.state().word(), "bytes": self.bytes,
                "was_undoable": self.was_undoable, "lost": lost.map(Iterator::collect::<Vec<_>>),
                "plan_fault": self.lost.as_ref().err() })
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

/// Runs `rollup prune`.
pub(super) fn prune(args: &PruneArgs) -> Result<Exit, Failure> {
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
    let finish = |clearing: &Clearing, changed: bool| {
        if args.format == Format::Json {
            out::line(format_args!("{:#}", clearing.json(changed)));
        }
        Ok(Exit::Ok)
    };
    if args.dry_run {
        let clearing =
            inputs::read_consistently(&site.tree, || Clearing::read(&site.tree, args.keep))?;
        clearing.show(&directory, line);
        has_nothing_to_do(&clearing, line);
        out::message("this was a dry run: nothing was changed");
        return finish(&clearing, false);
    }
    if !args.yes {
        require_terminal("`--yes` clears without asking; `--dry-run` only shows the runs")?;
    }
    let wait = Duration::from_secs(args.lock.lock_timeout);
    let disk = LockedDeployment::lock(site.tree, "prune", wait)
        .map_err(|error| inputs::lock_failure(&error))?;
    report_cleared_runs(
        &clear_interrupted_staging(&disk).map_err(|error| inputs::run_failure(&error))?,
    );
    let clearing = Clearing::read(disk.tree(), args.keep)?;
    clearing.show(&directory, line);
    if has_nothing_to_do(&clearing, line) {
        return finish(&clearing, false);
    }
    confirm_to_continue(args.yes)?;
    let runs: Vec<&Run> = clearing
        .cleared
        .iter()
        .map(|cleared| &cleared.run)
        .collect();
    run::prune(&disk, &runs).map_err(|error| stopped(&error, disk.tree(), &clearing))?;
    let cleared = count(clearing.cleared.len(), "run", "runs");
    line(&format!(
        "cleared {} bytes of {cleared}",
        out::number(clearing.bytes())
    ));
    match clearing.no_longer_undoable.as_slice() {
        [] => line("every run that could be undone still can be"),
        names => line(&format!("can no longer be undone: {}", names.join(", "))),
    }
    finish(&clearing, true)
}

/// Reports if no run has anything to clear, and returns that.
fn has_nothing_to_do(clearing: &Clearing, line: impl Fn(&str)) -> bool {
    if clearing.cleared.is_empty() {
        line("nothing to do: no finished run has anything to clear, except the runs to keep");
    }
    clearing.cleared.is_empty()
}

/// Describes a prune that did not finish: the disk shows which runs lost their slots.
fn stopped(error: &DiskError, tree: &Tree, clearing: &Clearing) -> Failure {
    let is_gone = |cleared: &&ClearedRun| {
        let slots = cleared.run.directory.slots();
        tree.metadata(&slots)
            .is_ok_and(|metadata| metadata.is_none())
    };
    let gone: Vec<&str> = clearing
        .cleared
        .iter()
        .filter(is_gone)
        .map(|cleared| cleared.run.name())
        .collect();
    let mut failure = inputs::mount_or_disk_failure(error);
    failure.changed = !gone.is_empty();
    let now = match gone.as_slice() {
        [] => "nothing was cleared".to_owned(),
        names => format!(
            "the old objects of {} are gone; all other runs are unchanged",
            names.join(", ")
        ),
    };
    match failure.next.is_empty() {
        true => failure
            .now(now)
            .next("fix the problem, then run the same command again; every command that writes also empties the trash"),
        false => failure.now(now),
    }
}
