//! A new journal for a run whose journal is damaged, made from its plan and its slots.
//!
//! The names in the slots show how far every swap is. What they do not show is made up for safely: a
//! manual step counts as answered if a swap behind it is begun; the steps at the boundary are asked
//! about again, in either direction.

use super::attributes;
use super::executor::load_plan;
use super::measure::measure;
use super::restarts::{after_run, started};
use super::stage::{opened, staged_digest};
use super::unmanaged::unmanaged_now;
use super::{RunError, RunRequest};
use crate::deployment::locked::LockedDeployment;
use crate::deployment::tree::Tree;
use crate::journal::{
    Answer, AnswerSource, Damaged, Direction, JournalWriter, Outcome, Record, Restarts, Run,
    RunState, SwapState, next_count, runs, swap_state,
};
use crate::phase::Phase;
use crate::plan::Plan;

/// Replaces the damaged journal of a run, which is kept beside the new one, and returns the run as it is
/// then. A run whose journal is sound is returned as it is.
///
/// # Errors
///
/// The plan cannot be used, or the journal cannot be written: the damaged one is still in place then.
pub fn rebuild_journal(
    disk: &LockedDeployment,
    run: Run,
    direction: Direction,
) -> Result<Run, RunError> {
    let RunState::Damaged(damaged) = run.state() else {
        return Ok(run);
    };
    let plan = load_plan(disk.tree(), &run.directory)?;
    let mut records = vec![
        Record::Opened(Box::new(opened(&plan, &RunRequest::default()))),
        Record::Staged {
            new: staged_digest(&plan),
        },
    ];
    if damaged != Damaged::NotBegun {
        records.push(Record::Committing {
            containers: attributes::containers(disk.tree(), &run.directory)?,
            unmanaged: unmanaged_now(disk.tree(), &plan, &run.directory)?,
        });
        records.extend(answers(disk.tree(), &run, &plan, direction)?);
    }
    if damaged == Damaged::Done {
        let known = plan
            .expected_state
            .as_ref()
            .map(|expected| expected.entries.as_slice());
        let measured = measure(
            disk.tree(),
            &plan.live_paths(),
            known.unwrap_or_default(),
            &Phase::hidden(),
        )?;
        records.push(Record::Closed {
            outcome: Outcome::Applied,
            measured: measured.digest,
            accepted: None,
            left: None,
            missing: Vec::new(),
            restarts: Restarts {
                pending: after_run(&plan),
                done: started(&plan),
                count: next_count(disk.tree())?,
            },
        });
    }
    JournalWriter::replace(disk, &run.directory, records)?;
    let rebuilt = runs(disk.tree())?
        .into_iter()
        .find(|now| now.number == run.number);
    Ok(rebuilt.unwrap_or(run))
}

/// Returns the answers to the manual steps that the slots show. Going back, those at the boundary count
/// as done, so that the rollback asks about them.
fn answers(
    tree: &Tree,
    run: &Run,
    plan: &Plan,
    direction: Direction,
) -> Result<Vec<Record>, RunError> {
    let mut is_behind_begun = false;
    let mut is_before_done = Vec::new();
    let mut all_done = true;
    let swaps = plan.swaps_by_step();
    for step in &plan.steps {
        is_before_done.push(all_done);
        for swap in swaps.of(Some(step)) {
            all_done &= swap_state(tree, &run.directory, swap)? == Some(SwapState::Done);
        }
    }
    let mut answers = Vec::new();
    for (step, is_before_done) in plan.steps.iter().zip(is_before_done).rev() {
        if step.manual.is_some() {
            let is_at_boundary = direction == Direction::Back && is_before_done;
            if is_behind_begun || is_at_boundary {
                answers.push(Record::Confirmed {
                    step: step.id.clone(),
                    by: None,
                    from: Some(AnswerSource::Slots),
                    answer: Answer::Done,
                });
            }
        }
        for swap in swaps.of(Some(step)) {
            let state = swap_state(tree, &run.directory, swap)?;
            is_behind_begun |= state != Some(SwapState::NotBegun);
        }
    }
    answers.reverse();
    Ok(answers)
}
