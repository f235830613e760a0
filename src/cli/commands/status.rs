//! `status`: clean, interrupted and at which operation, or in need of attention and why.

use serde_json::{Value, json};

use crate::cli::args::{Format, Reading};
use crate::cli::exit::{Exit, Failure};
use crate::cli::inputs::{self, RunSite};
use crate::cli::next::Next;
use crate::cli::terminal::out::{self, BAD, BOLD, DIM, GOOD, WARN, count, styled};
use crate::cli::views::steps::step_line;
use crate::deployment::lock::{Holder, holder};
use crate::deployment::records::{AppliedUpdate, AppliedUpdates};
use crate::deployment::tree::{Tree, path as rel};
use crate::journal::{Answer, Direction, Run, RunState};
use crate::names::{Escaped, error_chain};
use crate::plan::{Operation, Plan, PlannedStep};
use crate::run::{Examined, Progress, describe_state, examine, kept, load_plan};

/// Number of problems that are listed one by one.
const TOLD: usize = 5;

/// Everything that `status` reports.
struct Status {
    tree: Tree,
    /// Name of the deployment, if its description or the open run has it.
    name: Option<String>,
    /// Applied rollups; unknown only while a run is open.
    applied: Option<AppliedUpdates>,
    holder: Option<Holder>,
    open: Option<Open>,
    slots: Slots,
}

/// Run that is neither finished nor undone.
struct Open {
    run: Run,
    /// Progress of the run; absent if nothing has begun.
    progress: Option<(Plan, Examined)>,
    /// Problems that keep the run from continuing in either direction.
    troubles: Vec<String>,
}

/// Old objects that the slots of finished runs keep.
#[derive(Default)]
struct Slots {
    runs: usize,
    bytes: u64,
}

impl Status {
    /// Reads the status. An open run is reported from its own records, whatever else cannot be
    /// read.
    fn read(site: RunSite) -> Result<Self, Failure> {
        let (applied, runs) = inputs::quietly(&site.tree, || {
            Ok((applied(&site), inputs::sound_runs(&site.tree)?))
        })?;
        let is_open = runs.iter().any(Run::is_open);
        let RunSite {
            tree, description, ..
        } = site;
        let description = unless_open(description, is_open)?;
        let applied = unless_open(applied, is_open)?.flatten();
        let holder = holder(&tree).map_err(|error| inputs::disk(&error))?;
        let slots = slots(&tree, &runs)?;
        let open = runs.into_iter().find(Run::is_open);
        let open = open
            .map(|run| Open::metadata(&tree, run, holder.is_some()))
            .transpose()?;
        let planned = || Some(open.as_ref()?.progress.as_ref()?.0.deployment.clone());
        let name = description
            .map(|description| description.name)
            .or_else(planned);
        Ok(Self {
            tree,
            name,
            applied,
            holder,
            open,
            slots,
        })
    }

    fn exit(&self) -> Exit {
        match &self.open {
            None => Exit::Ok,
            Some(open) if !open.troubles.is_empty() => Exit::NeedsAttention,
            // It died before anything was begun; the next command clears it away.
            Some(open) if open.run.state() == RunState::Staging && self.holder.is_none() => {
                Exit::Ok
            }
            Some(_) => Exit::Stopped,
        }
    }
}

impl Open {
    fn metadata(tree: &Tree, run: Run, at_work: bool) -> Result<Self, Failure> {
        if !matches!(run.state(), RunState::Unfinished(_)) {
            return Ok(Self {
                run,
                progress: None,
                troubles: Vec::new(),
            });
        }
        let plan = match load_plan(tree, &run.directory) {
            Ok(plan) => plan,
            Err(error) => {
                return Ok(Self {
                    run,
                    progress: None,
                    troubles: vec![error_chain(&error)],
                });
            }
        };
        let mut examined =
            examine(tree, &run.directory, &plan).map_err(|error| inputs::disk(&error))?;
        let troubles = std::mem::take(&mut examined.troubles);
        // Between two renames of a process that is running, everything may look wrong.
        let troubles = if at_work { Vec::new() } else { troubles };
        Ok(Self {
            run,
            progress: Some((plan, examined)),
            troubles,
        })
    }

    /// Returns the next operation: forward the first one that is not done, backward the last one
    /// that is not rolled back.
    fn at(&self) -> Option<(&PlannedStep, &Operation)> {
        let (plan, examined) = self.progress.as_ref()?;
        let mut operations = plan
            .steps
            .iter()
            .flat_map(|step| step.operations.iter().map(move |o| (step, o)));
        match self.run.state() {
            RunState::Unfinished(Direction::Back) => operations.rfind(|(_, operation)| {
                examined.swaps.get(&operation.swap) != Some(&Progress::NotBegun)
            }),
            _ => operations.find(|(_, operation)| !examined.is_done(operation.swap)),
        }
    }

    /// Returns the manual step that the run waits at, with its text; backward the one to be rolled
    /// back.
    fn waits_at(&self) -> Option<(&PlannedStep, &str)> {
        let (plan, examined) = self.progress.as_ref()?;
        let back = self.run.state() == RunState::Unfinished(Direction::Back);
        let steps: Vec<&PlannedStep> = if back {
            plan.steps.iter().rev().collect()
        } else {
            plan.steps.iter().collect()
        };
        for step in steps {
            let is_past = |operation: &Operation| match back {
                true => examined.swaps.get(&operation.swap) == Some(&Progress::NotBegun),
                false => examined.is_done(operation.swap),
            };
            let answer = self.run.journal.confirmed(&step.id);
            match (&step.manual, back) {
                (Some(manual), true) if answer == Some(Answer::Done) => {
                    return Some((step, manual.undo.as_deref()?));
                }
                (Some(manual), false)
                    if !matches!(answer, Some(Answer::Done | Answer::Skipped)) =>
                {
                    return Some((step, &manual.instructions));
                }
                _ if !step.operations.iter().all(is_past) => return None,
                _ => {}
            }
        }
        None
    }

    /// Returns the manual step that was done, and that cannot be rolled back.
    fn no_way_back(&self) -> Option<&PlannedStep> {
        let (plan, _) = self.progress.as_ref()?;
        plan.steps.iter().find(|step| {
            let without = step
                .manual
                .as_ref()
                .is_some_and(|manual| manual.undo.is_none());
            without && self.run.journal.confirmed(&step.id) == Some(Answer::Done)
        })
    }
}

/// Returns what was read from a file of the deployment; while a run is open its faults are
/// warnings.
fn unless_open<T>(read: Result<T, Failure>, is_open: bool) -> Result<Option<T>, Failure> {
    match read {
        Err(failure) if is_open => {
            out::warn(failure.reasons.join("; "));
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// Reads the applied rollups from `applied.toml`, or before the first run from the description.
fn applied(site: &RunSite) -> Result<Option<AppliedUpdates>, Failure> {
    let at = rel("applied.toml");
    let text = site
        .tree
        .text(&at, 16 << 20)
        .map_err(|error| inputs::disk(&error))?;
    let Some(text) = text else {
        let described = site.description.as_ref().ok();
        let before = described.map(|description| {
            description
                .applied
                .iter()
                .copied()
                .map(AppliedUpdate::before_records)
        });
        return Ok(before.map(|entries| AppliedUpdates::new(entries.collect())));
    };
    let applied = AppliedUpdates::parse(&text).map_err(|fault| {
        Failure::new(
            Exit::Invalid,
            format_args!("`{}` cannot be used: {fault}", site.tree.shown(Some(&at))),
        )
    });
    applied.map(Some)
}

fn slots(tree: &Tree, runs: &[Run]) -> Result<Slots, Failure> {
    let mut slots = Slots::default();
    for run in runs.iter().filter(|run| !run.is_open()) {
        if let Some(bytes) = kept(tree, run).map_err(|error| inputs::disk(&error))? {
            slots.runs += 1;
            slots.bytes += bytes;
        }
    }
    Ok(slots)
}

/// Runs `rollup status`.
pub(super) fn status(args: &Reading) -> Result<Exit, Failure> {
    let status = Status::read(inputs::run_site(args.deployment.deployment.as_deref())?)?;
    match args.format {
        Format::Json => out::line(format_args!("{:#}", document(&status))),
        Format::Text => text(&status),
    }
    Ok(status.exit())
}

fn document(status: &Status) -> Value {
    let exit = status.exit();
    let in_effect = status.applied.as_ref().map(|applied| {
        applied
            .in_effect()
            .map(|entry| json!({ "kb": entry.kb, "revision": entry.revision }))
            .collect::<Vec<_>>()
    });
    let open = status.open.as_ref().map(|open| {
        let swaps = open.progress.as_ref().map(|(plan, examined)| (examined.done(), plan.swaps.len()));
        let waits = open.waits_at().map(|(step, text)| json!({ "step": step.id, "text": text }));
        let at = open.at().map(|(step, operation)| {
            json!({ "step": step.id, "operation": operation.kind.word(), "target": operation.target,
                    "server": operation.server, "swap": operation.swap })
        });
        json!({ "run": open.run.name(), "state": describe_state(&open.run), "at": at, "waits_at": waits, "troubles": open.troubles,
                "swaps_done": swaps.map(|(done, _)| done), "swaps": swaps.map(|(_, all)| all) })
    });
    json!({ "schema": 1, "outcome": exit.name(), "exit_code": exit as u8, "changed": false,
            "applied": in_effect, "open": open, "at_work": status.holder.as_ref().map(|holder| holder.process),
            "old_objects": { "runs": status.slots.runs, "bytes": status.slots.bytes } })
}

fn text(status: &Status) {
    let shown = status.tree.path().display();
    match &status.name {
        Some(name) => out::line(format_args!(
            "deployment {} in {shown}",
            styled(BOLD, Escaped(name))
        )),
        None => out::line(format_args!("deployment in {shown}")),
    }
    status.applied.iter().for_each(applied_lines);
    let next = Next(status.tree.path());
    if status.slots.runs > 0 {
        let bytes = out::number(status.slots.bytes);
        let runs = count(status.slots.runs, "run", "runs");
        out::line(format_args!(
            "slots: {bytes} bytes of {runs}; `{}` clears them",
            next.prune()
        ));
    }
    if let Some(holder) = &status.holder {
        out::line(format_args!(
            "{}: {holder} is changing it at this moment",
            styled(WARN, "at work")
        ));
    }
    match &status.open {
        None => out::line(styled(GOOD, "at rest")),
        Some(open) => open_lines(open, &next, status.holder.is_some()),
    }
}

fn applied_lines(applied: &AppliedUpdates) {
    if applied.rollups.is_empty() {
        out::line("no rollup is in force");
    }
    for entry in &applied.rollups {
        let revision = entry
            .revision
            .as_ref()
            .map(|revision| format!(" revision {revision}"))
            .unwrap_or_default();
        let before = if entry.manifest.is_none() {
            " (applied before rollup kept the record)"
        } else {
            ""
        };
        match entry.superseded_by {
            None => out::line(format_args!("in force: {}{revision}{before}", entry.kb)),
            Some(by) => out::line(styled(
                DIM,
                format_args!("superseded: {}{revision}{before}, by {by}", entry.kb),
            )),
        }
    }
}

/// Prints how far an open run is, and what to type.
fn open_lines(open: &Open, next: &Next<'_>, at_work: bool) {
    let label = match (open.run.state(), at_work) {
        (RunState::Unfinished(_), false) if open.waits_at().is_none() => "interrupted",
        _ => "open",
    };
    out::line(format_args!(
        "{}: run {} is {}",
        styled(WARN, label),
        open.run.name(),
        describe_state(&open.run)
    ));
    if let Some((plan, examined)) = &open.progress {
        plan.steps
            .iter()
            .for_each(|step| out::line(format_args!("  {}", step_line(step, examined, &open.run))));
        if let Some((step, operation)) = open.at() {
            let on = operation
                .server
                .as_ref()
                .map(|server| format!(" on {}", Escaped(server)))
                .unwrap_or_default();
            let what = format!(
                "{} of {}{on}",
                operation.kind.word(),
                Escaped(&operation.target)
            );
            out::line(format_args!(
                "  at: {what} (step {}, swap {})",
                step.id, operation.swap
            ));
        }
        let all = count(plan.swaps.len(), "swap", "swaps");
        out::line(format_args!("  {} of {all} are in place", examined.done()));
    }
    let waits = open.waits_at().filter(|_| !at_work);
    if let Some((step, text)) = waits {
        out::line(format_args!(
            "waits for a person at step {}:",
            styled(BOLD, &step.id)
        ));
        text.lines()
            .for_each(|line| out::line(format_args!("  {}", Escaped(line))));
    }
    for trouble in open.troubles.iter().take(TOLD) {
        out::line(format_args!(
            "{}: {}",
            styled(BAD, "needs attention"),
            Escaped(trouble)
        ));
    }
    if let Some(more @ 1..) = open.troubles.len().checked_sub(TOLD) {
        out::line(format_args!("and {more} more like these"));
    }
    if at_work {
        return;
    }
    if !open.troubles.is_empty() {
        let what = match open.progress {
            Some(_) => "mend what is named first; then",
            None => "the slots still tell how far it is: see \"By hand\" in the README",
        };
        out::line(format_args!("next: {what}"));
    }
    match open.run.state() {
        RunState::Unfinished(_) if open.progress.is_none() => {
            out::line(format_args!(
                "  or: {}    sets the run's directory aside",
                next.accept()
            ));
        }
        RunState::Staging => {
            out::line(format_args!(
                "next: {}    clears it away, and so does the next apply",
                next.undo()
            ));
        }
        state => {
            let (mut resume, mut undo) = (next.resume(), next.undo());
            let is_back = state == RunState::Unfinished(Direction::Back);
            if let Some((step, _)) = waits {
                let way = if is_back { &mut undo } else { &mut resume };
                way.push_str(&format!(" --done {}", step.id));
            }
            let back = if state == RunState::Staged {
                "throws it away"
            } else {
                "takes it back"
            };
            let resume = format!("{resume}    takes it to its end");
            let undo = match open.no_way_back() {
                Some(step) => {
                    out::line(format_args!(
                        "the manual step `{}` was done, and cannot be taken back",
                        step.id
                    ));
                    None
                }
                None => Some(format!("{undo}      {back}")),
            };
            let ways = [Some(resume), undo].into_iter().flatten();
            // The direction of the run comes first.
            let ways: Vec<String> = if is_back {
                ways.rev().collect()
            } else {
                ways.collect()
            };
            for (at, way) in ways.iter().enumerate() {
                out::line(format_args!(
                    "{}: {way}",
                    if at == 0 { "next" } else { "  or" }
                ));
            }
            if !open.troubles.is_empty() {
                out::line(format_args!(
                    "  or: {}    closes the run as it stands",
                    next.accept()
                ));
            }
        }
    }
}
