//! Verdict on a run: its result, and what has to be known with it.

use std::collections::BTreeSet;

use super::attempt::describe_turn;
use super::words::{at_least, format_duration, format_moment, format_time, unavailable_since};
use crate::cli::advice::command_for;
use crate::cli::terminal::out::{first_few, number, on_servers};
use crate::cli::views::escapers::sentence;
use crate::cli::views::plan::{describe_left_elsewhere, unavailable_count};
use crate::cli::views::restarts::describe_restarts;
use crate::cli::views::undo::describe_undo;
use crate::cli::views::verdict::{Tone, Verdict};
use crate::deployment::tree::Tree;
use crate::events::{
    AcknowledgedRestarts, Attempt, RunSummary, StateComparison, TargetKind, TargetOutages,
};
use crate::journal::{Direction, Outcome, RunState};
use crate::plan::Plan;
use crate::run::describe_run_state;

/// Largest number of targets or differences that are named; the tables have all.
const NAMED: usize = 6;

/// Returns the verdict on a run. `writer` describes the process that changes the deployment now.
pub(super) fn verdict(
    tree: &Tree,
    summary: &RunSummary,
    plan: Option<&Plan>,
    writer: Option<&str>,
) -> Verdict {
    let newest = summary.attempts.last();
    let (tone, headline) = match (summary.state, writer) {
        (RunState::Closed(outcome), _) => closed(outcome, newest),
        (_, Some(writer)) => (
            Tone::Warn,
            format!("In progress: {writer} is changing the deployment"),
        ),
        (RunState::Staged, None) => (
            Tone::Warn,
            "Staged and not begun: nothing has changed".to_owned(),
        ),
        (RunState::Staging, None) => (
            Tone::Bad,
            "Died while staging: nothing has changed".to_owned(),
        ),
        (RunState::Unfinished(_), None) => {
            let at_least = newest.map_or("", at_least);
            let done = newest.map_or(0, operations_done);
            let planned = summary.steps.iter().map(|step| step.operations).sum();
            let (done, planned) = (number(done), number(planned));
            (
                Tone::Bad,
                format!("Unfinished: {at_least}{done} of {planned} operations are done"),
            )
        }
        (state @ RunState::Damaged(_), None) => {
            let state = describe_run_state(state);
            (Tone::Bad, format!("Not known with certainty: {state}"))
        }
    };
    Verdict {
        tone,
        headline,
        points: points(tree, summary, plan, newest),
    }
}

/// Counts the operations that are done and not rolled back.
pub(super) fn operations_done(attempt: &Attempt) -> u64 {
    let of = |direction: Direction| -> u64 {
        attempt
            .steps
            .iter()
            .filter(|step| step.direction == direction)
            .map(|step| step.operations)
            .sum()
    };
    of(Direction::Forward).saturating_sub(of(Direction::Back))
}

fn closed(outcome: Outcome, attempt: Option<&Attempt>) -> (Tone, String) {
    let compared = attempt.and_then(|attempt| attempt.compared.as_ref());
    let (tone, result) = match compared {
        None => (
            Tone::Warn,
            "its comparison with the expected state is not recorded".to_owned(),
        ),
        Some(compared) => describe_comparison(compared),
    };
    let failed = attempt.is_some_and(|attempt| failures(attempt).next().is_some());
    match outcome {
        Outcome::Applied if tone == Tone::Good => (tone, format!("Succeeded: {result}")),
        Outcome::Applied => (tone, format!("Finished: {result}")),
        Outcome::Undone if failed => (Tone::Bad, format!("Failed, and rolled back: {result}")),
        Outcome::Undone => (Tone::Warn.max(tone), format!("Rolled back: {result}")),
        Outcome::Accepted => {
            let by = attempt.and_then(|attempt| attempt.accepted.as_ref());
            let by = by
                .map(|(by, reason)| format!(" by {by}: {reason}"))
                .unwrap_or_default();
            (Tone::Warn, format!("Closed in its current state{by}"))
        }
    }
}

/// Describes the result of a comparison.
pub(super) fn describe_comparison(compared: &StateComparison) -> (Tone, String) {
    let (matches, differs) = match compared.direction {
        Direction::Forward => (
            "the result matches the plan",
            "the result differs from the plan",
        ),
        Direction::Back => (
            "everything is as it was before",
            "something differs from the state before",
        ),
    };
    let except = "except for unmanaged files that appeared or disappeared during the run";
    if !compared.differs.is_empty() {
        (Tone::Bad, differs.to_owned())
    } else if compared.is_same() {
        (Tone::Good, matches.to_owned())
    } else {
        (Tone::Good, format!("{matches}, {except}"))
    }
}

/// Returns the failures because of which an attempt turned back.
fn failures(attempt: &Attempt) -> impl Iterator<Item = String> {
    attempt
        .turns
        .iter()
        .map(|turn| describe_turn(turn, attempt))
        .filter_map(|(tone, text)| tone.is_bad().then_some(text))
}

/// Returns what has to be known with the result: failures first.
fn points(
    tree: &Tree,
    summary: &RunSummary,
    plan: Option<&Plan>,
    newest: Option<&Attempt>,
) -> Vec<String> {
    let mut points = Vec::new();
    points.extend(newest.into_iter().flat_map(failures));
    let mut commands = summary.commands.iter().map(|one| one.command.as_deref());
    if commands.any(|command| command == Some("rehearse")) {
        points.push("A rehearsal: this deployment is a lab".to_owned());
    } else if let Some(reason) = &summary.signatures.without_approval {
        points.push(format!("Begun WITHOUT APPROVAL: {reason}"));
    }
    if let Some(attempt) = newest {
        if attempt.outcome.is_none() {
            let last = summary.commands.last();
            points.extend(last.into_iter().flat_map(|last| last.reasons.clone()));
        }
        points.extend(left_unavailable(attempt));
        points.extend(outage(attempt, "Unavailable"));
        for (number, earlier) in (1..summary.attempts.len()).zip(&summary.attempts).rev() {
            let label = format!("Unavailable before, in attempt {number}");
            points.extend(outage(earlier, &label));
        }
        points.extend(plan.and_then(|plan| left_elsewhere(attempt, plan)));
        if let Some(compared) = &attempt.compared
            && !compared.differs.is_empty()
        {
            let differs = first_few(compared.differs.iter().cloned(), NAMED);
            points.push(format!("Different: {}", differs.join("; ")));
        }
    }
    if summary.pending.is_empty() {
        for AcknowledgedRestarts { at, by, actions } in &summary.acknowledged {
            let restarts = describe_restarts(actions);
            points.push(format!(
                "Restarted, acknowledged by {by} at {}: {restarts}",
                format_time(at)
            ));
        }
        if matches!(summary.state, RunState::Closed(_)) {
            points.push("Nothing is pending".to_owned());
        }
    } else {
        let restarts = describe_restarts(&summary.pending);
        let ack = command_for(tree.path(), &format!("ack {}", summary.run));
        points.push(format!("Action required: restart {restarts}, then `{ack}`"));
    }
    if let Some(undo) = &summary.undo {
        let command = command_for(tree.path(), &format!("undo {}", summary.run));
        let answer = sentence(&describe_undo(undo));
        points.push(if undo.possible {
            format!("{answer}. To undo it: `{command}`")
        } else {
            answer
        });
    }
    points
}

/// Names what is unavailable until the run is finished, and since when; or what a closed run left
/// unavailable, if all its swaps are recorded.
fn left_unavailable(attempt: &Attempt) -> Option<String> {
    let label = match (attempt.outcome, unavailable_since(attempt)) {
        (None, Some(since)) => format!("Unavailable since {since}"),
        (Some(_), _) if !attempt.partial => "Unavailable after the run".to_owned(),
        _ => return None,
    };
    let ongoing = attempt.outages.iter().filter(|one| one.since_us.is_some());
    let targets = first_few(ongoing.map(describe_target), NAMED);
    (!targets.is_empty()).then(|| format!("{label}: {}", targets.join("; ")))
}

fn describe_target(outages: &TargetOutages) -> String {
    on_servers(&outages.target, outages.server.as_deref())
}

/// Counts what was unavailable during an attempt, and is available again.
pub(super) fn unavailable(attempt: &Attempt) -> String {
    let of = |kind: TargetKind| {
        attempt
            .outages
            .iter()
            .filter(|one| one.of == kind)
            .filter(|one| !one.spans.is_empty())
            .map(|one| &one.target)
            .collect()
    };
    unavailable_count(&of(TargetKind::Item), &of(TargetKind::Service))
}

/// Describes what procedures changed that were rolled back, if any were.
fn left_elsewhere(attempt: &Attempt, plan: &Plan) -> Option<String> {
    let targets: BTreeSet<&str> = attempt
        .swaps
        .iter()
        .filter(|swap| swap.direction == Direction::Back)
        .flat_map(|swap| &swap.operations)
        .map(|operation| operation.target.as_str())
        .collect();
    let ran = plan.unmarked_procedures_run(|operation| targets.contains(&*operation.target));
    describe_left_elsewhere(ran).map(|left| sentence(&left))
}

/// Describes the outage of an attempt after a label: the targets, and the time in which at least one of them was
/// unavailable.
fn outage(attempt: &Attempt, label: &str) -> Option<String> {
    let Some(outage) = attempt.outage else {
        let is_over = attempt.outcome.is_some() && attempt.outages.is_empty();
        let was_tried = !attempt.swaps.is_empty() && !attempt.partial;
        return (is_over && was_tried).then(|| format!("{label}: nothing, at any time"));
    };
    let what = unavailable(attempt);
    let took = format_duration(attempt.outage_us);
    let (at_least, from) = (at_least(attempt), format_moment(attempt, outage.from_us));
    let waited = match attempt
        .waits
        .iter()
        .map(|wait| wait.span.within(&outage))
        .sum()
    {
        0 => String::new(),
        us => format!("; {} of it the run waited for people", format_duration(us)),
    };
    Some(format!(
        "{label}: {what}, for {at_least}{took} from {from}{waited}"
    ))
}
