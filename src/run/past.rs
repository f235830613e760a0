//! What earlier runs left behind, told by their journals and plans.

use super::measure::{Difference, differences};
use super::swap::slot_folder;
use super::{RunError, executor::load_plan};
use crate::deployment::snapshot::{OpenRun, Past, PastRun};
use crate::deployment::tree::{DiskError, Tree};
use crate::journal::{Direction, Outcome, Run, RunState, runs};
use crate::names::{Kb, RelPath};
use crate::plan::{Entry, Plan, Swap, What};

/// Reads what a plan for this rollup has to know about earlier runs.
pub fn past(tree: &Tree, kb: Kb) -> Result<Past, RunError> {
    let runs = runs(tree)?;
    let applied = runs.iter().filter(|run| run.state() == RunState::Closed(Outcome::Applied));
    let told = applied.clone().filter_map(|run| {
        let opened = run.journal.opened()?;
        Some(PastRun {
            number: run.number,
            kb: opened.kb,
            revision: opened.revision.clone(),
            includes: opened.includes.clone(),
            replaces: opened.replaces.clone(),
        })
    });
    let open = runs.iter().find(|run| run.is_open() && run.state() != RunState::Staging);
    let open = open.map(|run| OpenRun { name: run.name().to_owned(), standing: standing(run).to_owned() });
    let known = applied.clone().any(|run| run.kb == kb);
    let drift = match known && open.is_none() {
        true => Some(drift(tree, kb, applied.clone())?),
        false => None,
    };
    Ok(Past { applied: told.collect(), open, drift })
}

/// How many swaps of a run are in place, and the first one that is not. Looks only; a run that goes on
/// meanwhile is further than this says.
pub fn how_far<'a>(tree: &Tree, run: &RelPath, plan: &'a Plan) -> Result<(usize, Option<&'a Swap>), DiskError> {
    let mut done = 0;
    let mut first = None;
    for swap in &plan.swaps {
        let new = slot_folder(run, swap.number).join("new").expect("a plain name");
        match tree.look(&new)? {
            None => done += 1,
            Some(_) => first = first.or(Some(swap)),
        }
    }
    Ok((done, first))
}

/// Where an open run stands, in words.
pub fn standing(run: &Run) -> &'static str {
    match run.state() {
        RunState::Staging => "being staged, or died there; nothing has changed",
        RunState::Staged => "staged and not begun; nothing has changed",
        RunState::Unfinished(Direction::Forward) => "unfinished",
        RunState::Unfinished(Direction::Back) => "unfinished, on the way back",
        RunState::Closed(Outcome::Applied) => "finished",
        RunState::Closed(Outcome::Undone) => "undone",
    }
}

/// What the runs of a rollup brought and no run of another one replaced since, compared with the disk.
fn drift<'a>(tree: &Tree, kb: Kb, applied: impl Iterator<Item = &'a Run>) -> Result<Vec<String>, RunError> {
    let mut expected: Vec<(Entry, Kb)> = Vec::new();
    for run in applied {
        let plan = load_plan(tree, &run.folder)?;
        let live = plan.live_paths().into_iter().collect();
        expected.retain(|(entry, _)| !entry.path.lies_in(&live));
        let brought = plan.prediction.into_iter().flat_map(|prediction| prediction.entries);
        expected.extend(brought.filter(|entry| entry.what != What::Traveller).map(|entry| (entry, run.kb)));
    }
    let ours: Vec<Entry> = expected.into_iter().filter(|(_, by)| *by == kb).map(|(entry, _)| entry).collect();
    Ok(differences(tree, &ours)?.iter().map(Difference::to_string).collect())
}
