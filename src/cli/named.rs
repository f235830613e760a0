//! Selection of a run by its number, its rollup, its name, or `last`; and of a step by its id.

use super::failure::Failure;
use crate::document::nearest;
use crate::journal::Run;
use crate::manifest::Manifest;
use crate::names::{Escaped, Kb};

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
        let by_name = |run: &&Run| run.name().eq_ignore_ascii_case(named);
        let by_number = |run: &&Run| Some(run.number) == number;
        let exact = runs.iter().find(by_name);
        let exact = exact.or_else(|| runs.iter().find(by_number));
        exact.or_else(|| newest_of_rollup(runs, named.parse().ok()?, is_wanted))
    };
    found.ok_or_else(|| unknown_run(runs, named, newest))
}

/// Returns the newest wanted run of a rollup, or else its newest run.
fn newest_of_rollup(runs: &[Run], kb: Kb, is_wanted: impl Fn(&&Run) -> bool) -> Option<&Run> {
    let is_of_rollup = |run: &&Run| run.kb == Some(kb) || run.recorded_by_hand() == Some(kb);
    let mut newest_first = runs.iter().rev().filter(is_of_rollup);
    let newest = newest_first.clone().next();
    newest_first.find(is_wanted).or(newest)
}

fn unknown_run(runs: &[Run], named: &str, newest: Newest) -> Failure {
    let is_last = named.eq_ignore_ascii_case("last");
    let reason = match newest {
        Newest::Finished if is_last => "there is no finished run".to_owned(),
        Newest::Any if is_last => "there is no run yet".to_owned(),
        _ => format!("there is no run `{}`", Escaped(named)),
    };
    let mut failure = Failure::usage(reason);
    let names: Vec<&str> = runs.iter().map(Run::name).collect();
    let kbs = runs.iter().filter_map(|run| run.kb);
    let kbs: Vec<String> = kbs.map(|kb| kb.to_string()).collect();
    let candidates = names.iter().copied().chain(kbs.iter().map(String::as_str));
    if let Some(meant) = nearest(named, candidates.chain(["last"]))
        && !meant.eq_ignore_ascii_case(named)
    {
        failure = failure.next(format!("did you mean `{meant}`?"));
    }
    if names.is_empty() {
        return failure.next("`rollup apply` makes the first one");
    }
    let known = names.join(", ");
    failure.next(format!(
        "name a run by its number, its rollup, or `last`; known: {known}"
    ))
}

/// Checks that the manifest has the step that an option names. `otherwise` is what else may be named.
pub(super) fn require_step(
    manifest: &Manifest,
    named: &str,
    option: &str,
    otherwise: &str,
) -> Result<(), Failure> {
    let ids: Vec<&str> = manifest.steps.iter().map(|step| step.id.as_str()).collect();
    if ids.iter().any(|id| id.eq_ignore_ascii_case(named)) {
        return Ok(());
    }
    let reason = format!("the manifest has no step `{}`", Escaped(named));
    let mut failure = Failure::usage(reason);
    if let Some(id) = nearest(named, ids.iter().copied()) {
        failure = failure.next(format!("did you mean `{option} {id}`?"));
    }
    let ids = ids.join(", ");
    Err(failure.next(format!("the steps are {ids}{otherwise}")))
}
