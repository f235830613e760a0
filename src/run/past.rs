//! What earlier runs left behind, told by their journals and plans.

use super::measure::{Difference, differences};
use super::{RunError, executor::load_plan};
use crate::deployment::snapshot::{OpenRun, Past, PastRun};
use crate::deployment::tree::Tree;
use crate::journal::{Direction, Outcome, Run, RunState, runs};
use crate::names::Kb;
use crate::plan::Entry;

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
    let of_kb = applied.clone().rfind(|run| run.kb == kb);
    let drift = match of_kb {
        Some(run) if open.is_none() => Some(drift(tree, run, applied.clone())?),
        _ => None,
    };
    Ok(Past { applied: told.collect(), open, drift })
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

/// What a run brought and no later run replaced, compared with the disk.
fn drift<'a>(tree: &Tree, run: &Run, applied: impl Iterator<Item = &'a Run>) -> Result<Vec<String>, RunError> {
    let plan = load_plan(tree, &run.folder)?;
    let mut expected: Vec<Entry> = plan.prediction.map(|prediction| prediction.entries).unwrap_or_default();
    for later in applied.filter(|later| later.number > run.number) {
        let plan = load_plan(tree, &later.folder)?;
        let live = plan.live_paths().into_iter().collect();
        expected.retain(|entry| !entry.path.lies_in(&live));
    }
    expected.retain(|entry| entry.what != crate::plan::What::Traveller);
    Ok(differences(tree, &expected)?.iter().map(Difference::to_string).collect())
}
