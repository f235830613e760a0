//! `prune`: clears what old runs keep, and reports what can no longer be undone.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::answers::{asked, can_be_asked};
use crate::cli::args::{Format, Prune};
use crate::cli::ending::told_cleared;
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs;
use crate::cli::terminal::out::{self, BAD, count, styled};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Outcome, Run, RunState, runs};
use crate::names::Escaped;
use crate::run::{
    self, Lost, clear_the_way, describe_state, kept, lost, no_return, refuse_mounted,
};

/// Runs that a prune clears, and runs that it leaves.
struct Clearing {
    old: Vec<Old>,
    /// Finished runs that can still be undone afterwards, oldest first.
    undoable: Vec<String>,
    /// Runs that are staged or unfinished, and their state.
    open: Vec<(String, &'static str)>,
}

/// Run whose slots are cleared.
struct Old {
    run: Run,
    bytes: u64,
    /// True if the run could be undone before the prune.
    was_undoable: bool,
    /// Files that nothing restores, or why they cannot be determined.
    lost: Result<Vec<Lost>, String>,
}

impl Clearing {
    fn read(tree: &Tree, keep: usize) -> Result<Self, Failure> {
        let runs = runs(tree).map_err(|fault| inputs::journal(&fault))?;
        let no_return = no_return(tree, &runs).map_err(|error| inputs::not_begun(&error))?;
        let can_be_undone = |run: &Run| {
            run.state() == RunState::Closed(Outcome::Applied)
                && !no_return.contains_key(&run.number)
        };
        let (open, finished): (Vec<Run>, Vec<Run>) = runs.into_iter().partition(Run::is_open);
        let open = open
            .iter()
            .map(|run| (run.name().to_owned(), describe_state(run)))
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
            old: Vec::new(),
            undoable: Vec::new(),
            open,
        };
        for (at, run) in finished.into_iter().enumerate() {
            if at >= oldest {
                clearing
                    .undoable
                    .extend(can_be_undone(&run).then(|| run.name().to_owned()));
            } else if let Some(bytes) = kept(tree, &run).map_err(|error| inputs::disk(&error))? {
                refuse_mounted(tree, &run).map_err(|error| inputs::disk(&error))?;
                let lost = lost(tree, &run).map_err(|error| error.to_string());
                clearing.old.push(Old {
                    bytes,
                    was_undoable: can_be_undone(&run),
                    lost,
                    run,
                });
            }
        }
        Ok(clearing)
    }

    fn bytes(&self) -> u64 {
        self.old.iter().map(|old| old.bytes).sum()
    }

    /// Returns the runs that cannot be undone any more afterwards, and could before.
    fn given_up(&self) -> Vec<&str> {
        self.old
            .iter()
            .filter(|old| old.was_undoable)
            .map(|old| old.run.name())
            .collect()
    }

    /// Shows what is cleared, and warns of what nothing restores.
    fn show(&self, deployment: &Path, line: fn(&str)) {
        for (name, state) in &self.open {
            line(&format!("left alone: run {name}, which is {state}"));
        }
        if self.old.is_empty() {
            return;
        }
        let runs = count(self.old.len(), "run", "runs");
        line(&format!(
            "{} bytes of {runs} will be cleared:",
            out::number(self.bytes())
        ));
        for Old {
            run,
            bytes,
            was_undoable,
            ..
        } in &self.old
        {
            let undo = if *was_undoable {
                "; it can no longer be undone then"
            } else {
                ""
            };
            line(&format!(
                "  {}  {}, {} bytes{undo}",
                run.name(),
                describe_state(run),
                out::number(*bytes)
            ));
        }
        line(&still_undoable(&self.undoable));
        self.warn_of_losses(deployment);
    }

    fn warn_of_losses(&self, deployment: &Path) {
        let mut all = 0;
        for old in &self.old {
            match &old.lost {
                Err(why) => out::warn(format_args!(
                    "nobody can tell what else would be lost with run {}: {why}",
                    old.run.name()
                )),
                Ok(lost) => {
                    all += lost.len();
                    for Lost { path, what } in lost {
                        let path = deployment.join(path).display().to_string();
                        out::say(format_args!(
                            "{}: `{}` {what}",
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
                "nothing brings back the {files} named above: copy first what you want to keep"
            ));
        }
    }

    fn json(&self, changed: bool) -> Value {
        let cleared: Vec<Value> = self.old.iter().map(Old::json).collect();
        let open: Vec<&String> = self.open.iter().map(|(name, _)| name).collect();
        json!({ "schema": 1, "outcome": Exit::Ok.name(), "exit_code": Exit::Ok as u8, "changed": changed,
                "bytes": self.bytes(), "runs": cleared, "given_up": self.given_up(),
                "still_undoable": self.undoable, "left_alone": open })
    }
}

impl Old {
    fn json(&self) -> Value {
        let lost = self.lost.as_ref().ok();
        let lost = lost.map(|lost| {
            lost.iter()
                .map(|lost| json!({ "path": lost.path, "what": lost.what }))
        });
        json!({ "run": self.run.name(), "state": self.run.state().word(), "bytes": self.bytes,
                "was_undoable": self.was_undoable, "lost": lost.map(Iterator::collect::<Vec<_>>),
                "plan_fault": self.lost.as_ref().err() })
    }
}

fn still_undoable(names: &[String]) -> String {
    match names {
        [] => "no run can be undone then".to_owned(),
        names => format!("still to be undone then, newest first: {}", reversed(names)),
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
pub(super) fn prune(args: &Prune) -> Result<Exit, Failure> {
    let site = inputs::run_site(args.deployment.deployment.as_deref())?;
    out::say(format_args!(
        "deployment {} ({})",
        site.tree.path().display(),
        site.how
    ));
    site.warn();
    let directory = site.tree.path().to_owned();
    // Standard output has the document alone if a program reads it; people still see what is
    // cleared.
    let line: fn(&str) = match args.format {
        Format::Text => |text| out::line(text),
        Format::Json => |text| out::say(text),
    };
    let told = |clearing: &Clearing, changed: bool| {
        if args.format == Format::Json {
            out::line(format_args!("{:#}", clearing.json(changed)));
        }
        Ok(Exit::Ok)
    };
    if args.dry_run {
        let clearing = inputs::quietly(&site.tree, || Clearing::read(&site.tree, args.keep))?;
        clearing.show(&directory, line);
        told_if_nothing(&clearing, line);
        out::say("this was a dry run: nothing was touched");
        return told(&clearing, false);
    }
    if !args.yes {
        can_be_asked("`--yes` clears without asking; `--dry-run` only shows what would go")?;
    }
    let wait = Duration::from_secs(args.locking.lock_timeout);
    let disk =
        LockedDeployment::lock(site.tree, "prune", wait).map_err(|error| inputs::locked(&error))?;
    told_cleared(&clear_the_way(&disk).map_err(|error| inputs::not_begun(&error))?);
    let clearing = Clearing::read(disk.tree(), args.keep)?;
    clearing.show(&directory, line);
    if told_if_nothing(&clearing, line) {
        return told(&clearing, false);
    }
    asked(args.yes)?;
    let old: Vec<&Run> = clearing.old.iter().map(|old| &old.run).collect();
    run::prune(&disk, &old).map_err(|error| stopped(&error, disk.tree(), &clearing))?;
    let cleared = count(clearing.old.len(), "run", "runs");
    line(&format!(
        "cleared {} bytes of {cleared}",
        out::number(clearing.bytes())
    ));
    match clearing.given_up().as_slice() {
        [] => line("every run that could be undone still can"),
        names => line(&format!("can no longer be undone: {}", names.join(", "))),
    }
    told(&clearing, true)
}

fn told_if_nothing(clearing: &Clearing, line: impl Fn(&str)) -> bool {
    if clearing.old.is_empty() {
        line("nothing to do: no finished run but those to be kept has anything left to clear");
    }
    clearing.old.is_empty()
}

/// Describes a prune that did not finish: the disk shows which runs lost their slots.
fn stopped(error: &DiskError, tree: &Tree, clearing: &Clearing) -> Failure {
    let is_gone = |old: &&Old| {
        let slots = old.run.directory.join("slots").expect("a plain name");
        tree.metadata(&slots)
            .is_ok_and(|metadata| metadata.is_none())
    };
    let gone: Vec<&str> = clearing
        .old
        .iter()
        .filter(is_gone)
        .map(|old| old.run.name())
        .collect();
    let mut failure = inputs::from_disk(error);
    failure.changed = !gone.is_empty();
    let now = match gone.as_slice() {
        [] => "nothing was cleared".to_owned(),
        names => format!(
            "the old objects of {} are gone; all other runs are as they were",
            names.join(", ")
        ),
    };
    match failure.next.is_empty() {
        true => failure
            .now(now)
            .next("mend what is named, then the same again; every command that writes empties the trash, too"),
        false => failure.now(now),
    }
}
