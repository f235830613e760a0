//! Selection of a run by its number, its rollup, its name, or `last`.

use super::exit::Exit;
use super::failure::Failure;
use crate::document::nearest;
use crate::journal::Run;
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
    let is_named = |run: &&Run| run.name().eq_ignore_ascii_case(named);
    let by_number = || {
        named
            .parse()
            .ok()
            .and_then(|number: u32| runs.iter().find(|run| run.number == number))
    };
    let by_rollup = || {
        let kb: Kb = named.parse().ok()?;
        let is_of_rollup = |run: &&Run| run.kb == Some(kb) || run.recorded_by_hand() == Some(kb);
        let newest = runs.iter().rev().filter(is_of_rollup).find(is_wanted);
        newest.or_else(|| runs.iter().rev().find(is_of_rollup))
    };
    let found = if named.eq_ignore_ascii_case("last") {
        runs.iter().rev().find(is_wanted)
    } else {
        runs.iter()
            .find(is_named)
            .or_else(by_number)
            .or_else(by_rollup)
    };
    found.ok_or_else(|| unknown_run(runs, named, newest))
}

fn unknown_run(runs: &[Run], named: &str, newest: Newest) -> Failure {
    let reason = match (named.eq_ignore_ascii_case("last"), newest) {
        (true, Newest::Finished) => "there is no finished run".to_owned(),
        (true, Newest::Any) => "there is no run yet".to_owned(),
        (false, _) => format!("there is no run `{}`", Escaped(named)),
    };
    let names: Vec<&str> = runs.iter().map(Run::name).collect();
    let known = names.join(", ");
    let kbs: Vec<String> = runs
        .iter()
        .filter_map(|run| run.kb)
        .map(|kb| kb.to_string())
        .collect();
    let candidates = names
        .iter()
        .copied()
        .chain(kbs.iter().map(String::as_str))
        .chain(["last"]);
    let failure = Failure::new(Exit::Usage, reason);
    let failure = match nearest(named, candidates) {
        Some(candidate) if !candidate.eq_ignore_ascii_case(named) => {
            failure.next(format!("did you mean `{candidate}`?"))
        }
        _ => failure,
    };
    if names.is_empty() {
        return failure.next("`rollup apply` makes the first one");
    }
    failure.next(format!(
        "name a run by its number, its rollup, or `last`; known: {known}"
    ))
}
