//! Selection of a run by its number, its rollup, its name, or `last`; and of a step by its id.

use std::collections::BTreeSet;

use super::failure::Failure;
use super::near_misses;
use crate::cli::terminal::out::{first_few, list};
use crate::deployment::description::Description;
use crate::journal::{Answer, Direction, Run};
use crate::manifest::{Manifest, Within, author_id};
use crate::names::{Escaped, Kb, same_name};
use crate::plan::{Plan, PlannedStep, may_mean};

/// Run that `last` or a rollup refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Newest {
    /// Newest finished run, for a rollback.
    Finished,
    /// Newest run with any outcome, for a report.
    Any,
}

/// Finds the run that an argument names.
pub(super) fn find_run<'a>(
    runs: &'a [Run],
    named: &str,
    newest: Newest,
) -> Result<&'a Run, Failure> {
    let is_wanted = |run: &&Run| newest == Newest::Any || run.is_done();
    let mut newest_first = runs.iter().rev();
    let found = if named.eq_ignore_ascii_case("last") {
        newest_first.find(is_wanted)
    } else {
        let number = named.parse().ok();
        let by_number = |run: &&Run| Some(run.number) == number;
        let exact = runs
            .iter()
            .find(|run| run.name().eq_ignore_ascii_case(named))
            .or_else(|| runs.iter().find(by_number));
        exact.or_else(|| newest_of_rollup(runs, named.parse().ok()?, is_wanted))
    };
    found.ok_or_else(|| unknown_run(runs, named, newest))
}

/// Returns the newest wanted run of a rollup, or else its newest run.
fn newest_of_rollup(runs: &[Run], kb: Kb, is_wanted: impl Fn(&&Run) -> bool) -> Option<&Run> {
    let mut newest_first = runs
        .iter()
        .rev()
        .filter(|run| run.kb == Some(kb) || run.recorded_by_hand() == Some(kb));
    let newest = newest_first.clone().next();
    newest_first.find(is_wanted).or(newest)
}

fn unknown_run(runs: &[Run], named: &str, newest: Newest) -> Failure {
    let known = match runs {
        [] => "`rollup apply` makes the first run".to_owned(),
        _ => format!(
            "name a run by its number, its rollup, or `last`; known: {}",
            list(runs.iter().map(Run::name))
        ),
    };
    if let Some(failure) = near_misses::file_for_run(named) {
        return failure.next(known);
    }
    let is_last = named.eq_ignore_ascii_case("last");
    let reason = match newest {
        Newest::Finished if is_last => "there is no finished run".to_owned(),
        Newest::Any if is_last => "there is no run yet".to_owned(),
        _ => format!("there is no run `{}`", Escaped(named)),
    };
    let kbs = runs.iter().filter_map(|run| run.kb);
    let kbs: Vec<String> = kbs.map(|kb| kb.to_string()).collect();
    let names = runs.iter().map(Run::name);
    let names = names.chain(kbs.iter().map(String::as_str)).chain(["last"]);
    Failure::usage(reason).meant("", named, names).next(known)
}

/// Checks that the manifest has the step that an option names, for this deployment. `otherwise` is what
/// else may be named.
pub(super) fn require_step(
    manifest: &Manifest,
    site: &Description,
    named: &str,
    option: &str,
    otherwise: &str,
) -> Result<(), Failure> {
    // Faults of the manifest are reported when it is planned.
    let Ok(bound) = manifest.clone().bind(site) else {
        return Ok(());
    };
    let mut ids = BTreeSet::new();
    for step in &bound.steps {
        let server = |within: &Within| site[within.server].name.as_str();
        let within = step.within.as_ref();
        let within = within.map(|within| (within.step.as_str(), server(within)));
        if may_mean(named, author_id(&step.id), within) {
            return Ok(());
        }
        ids.extend(within.map(|(outer, _)| outer));
        ids.extend([author_id(&step.id), step.id.as_str()]);
    }
    let nested = if ids.iter().any(|id| id.contains('@')) {
        "; a nested step is `STEP@SERVER`"
    } else {
        ""
    };
    let steps = list(manifest.steps.iter().map(|step| &step.id));
    let reason = format!("the manifest has no step `{}`", Escaped(named));
    Err(Failure::usage(reason)
        .meant(&format!("{option} "), named, ids.iter().copied())
        .next(format!("the steps are {steps}{nested}{otherwise}")))
}

/// Returns the steps about which a run still asks a person in this direction, in the run's order.
/// `is_done` is true for the swaps that are done.
pub(super) fn open_questions<'p>(
    plan: &'p Plan,
    run: &Run,
    direction: Direction,
    is_done: impl Fn(u32) -> bool,
) -> Vec<&'p PlannedStep> {
    let answers = run.journal.answers();
    let is_open = |step: &&PlannedStep| {
        let answer = answers.get(step.id.as_str()).copied();
        match (direction, &step.manual) {
            (Direction::Forward, Some(_)) => {
                !matches!(answer, Some(Answer::Done | Answer::Skipped))
            }
            (Direction::Back, Some(_)) => answer == Some(Answer::Done),
            (_, None) if step.undo.is_none() => false,
            (Direction::Forward, None) => answer == Some(Answer::RolledBack),
            (Direction::Back, None) => {
                let is_undone = answer == Some(Answer::RolledBack);
                !is_undone && step.operations.iter().any(|one| is_done(one.swap))
            }
        }
    };
    let mut open: Vec<&PlannedStep> = plan.steps.iter().filter(is_open).collect();
    if direction == Direction::Back {
        open.reverse();
    }
    open
}

/// Returns the ids of the steps that the answers on the command line mean: `STEP` alone means the next
/// nested step of this name among the open questions.
///
/// # Errors
///
/// The run does not ask about a step of this name in this direction.
pub(super) fn answered_steps(
    given: &[String],
    plan: &Plan,
    mut open: Vec<&PlannedStep>,
) -> Result<Vec<String>, Failure> {
    let asked: Vec<&PlannedStep> = plan
        .steps
        .iter()
        .filter(|step| step.manual.is_some() || step.undo.is_some())
        .collect();
    let mut answered: Vec<String> = Vec::new();
    for word in given {
        let exact = asked.iter().find(|step| same_name(&step.id, word));
        let next = || open.iter().find(|step| step.may_be(word));
        let Some(&step) = exact.or_else(next) else {
            return Err(unknown_answer(word, &asked));
        };
        open.retain(|one| one.id != step.id);
        answered.push(step.id.clone());
    }
    Ok(answered)
}

/// Returns the failure of an answer for a step that is not asked about.
fn unknown_answer(word: &str, asked: &[&PlannedStep]) -> Failure {
    /// Most names that are listed.
    const LISTED: usize = 10;
    let name = Escaped(word);
    let failure = Failure::usage(if asked.iter().any(|step| step.may_be(word)) {
        format!("the run does not ask about a step named `{name}` any more")
    } else {
        format!("there is no manual step named `{name}`")
    });
    if asked.is_empty() {
        return failure.next("leave `--done` out");
    }
    let names = asked
        .iter()
        .flat_map(|step| [&*step.id, author_id(&step.id)]);
    let names: BTreeSet<&str> = names.collect();
    let listed = first_few(names.iter().map(ToString::to_string), LISTED);
    failure
        .meant("--done ", word, names.iter().copied())
        .next(format!("known: {}", listed.join(", ")))
}
