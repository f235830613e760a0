//! Crashes of an apply, with a torn last record of its journal.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use rollup::journal::{Damaged, Direction, RunState};
use rollup::names::RelPath;
use rollup::run::{Ended, RunError};

use super::choose::cases;
use super::drive::{
    CommandObserver, ReadyRollup, all_runs, closed_direction, recover, tear_last_record,
};
use super::hold::hold;
use super::model::Case;
use super::reference::{ChangePosition, Reference, change_positions};
use super::same;
use super::world::RandomDeployment;
use crate::crash::tree::Tree;

/// Crash of an apply, and the direction of its recovery.
#[derive(Debug, Clone)]
struct CrashCase {
    at: ChangePosition,
    /// Number of bytes of the last record of its journal that are on disk, if not all are.
    torn: Option<u16>,
    direction: Direction,
}

fn crash_cases() -> impl Strategy<Value = CrashCase> {
    let direction = select(vec![Direction::Forward, Direction::Back]);
    (
        change_positions(),
        proptest::option::of(0_u16..500),
        direction,
    )
        .prop_map(|(at, torn, direction)| CrashCase {
            at,
            torn,
            direction,
        })
}

/// Returns what the slots show if they are further than the records.
fn lost_its_record(at: &Path) -> Option<Damaged> {
    match all_runs(at).last()?.state() {
        RunState::Damaged(damaged) => Some(damaged),
        _ => None,
    }
}

/// Recovers an apply that crashed. Returns false if the recovery refused a damaged journal.
fn is_recovered(
    reference: &Reference,
    rollup: &ReadyRollup<'_>,
    case: &Case,
    crash_case: &CrashCase,
) -> Result<bool, TestCaseError> {
    let world = RandomDeployment::of(case);
    let at = world.deployment();
    let mut observer = CommandObserver::with(Some(reference.crash_at(crash_case.at)));
    let crashed = rollup.apply(at, &reference.plan, &mut observer);
    prop_assert_eq!(
        observer.was_interrupted(&crashed),
        Ok(true),
        "{:?}",
        crash_case
    );
    let uninterrupted = CommandObserver::uninterrupted;
    if let (Some(run), Some(stay)) = (all_runs(at).last(), crash_case.torn) {
        let journal = at.join(run.directory.to_path()).join("journal");
        // Without a journal there is nothing to tear.
        let bytes = std::fs::read(&journal).unwrap_or_default();
        tear_last_record(at, run, usize::from(stay));
        if let Some(damaged) = lost_its_record(at) {
            let before = Tree::of(at);
            let refused = recover(at, crash_case.direction, &mut uninterrupted());
            let is_refused = match damaged {
                Damaged::Interrupted => matches!(refused, Err(RunError::DamagedJournal { .. })),
                _ => matches!(refused, Ok(None)),
            };
            prop_assert!(is_refused, "the journal lost a record: {refused:?}");
            same(
                &before,
                &Tree::of(at),
                "nothing is touched if the journal is damaged",
            )?;
            return Ok(false);
        }
        // The record is on disk before the containers are made that it lists.
        let is_made = |container: &RelPath| {
            let container = container.to_path();
            at.join(&container).exists() && !reference.had(&container)
        };
        if run.journal.containers().iter().any(is_made) {
            std::fs::write(&journal, bytes).expect("the test owns it");
        }
    }
    let last = match (
        crash_case.direction,
        recover(at, crash_case.direction, &mut uninterrupted()),
    ) {
        (Direction::Forward, Ok(Some(Ended::Applied { .. }))) => Direction::Forward,
        (Direction::Back, Ok(Some(Ended::Undone { because: None }))) => Direction::Back,
        // There is nothing to recover: the run had not begun its commit, or is finished.
        (_, Ok(None)) => closed_direction(at).expect("no run is in progress"),
        (_, other) => return Err(TestCaseError::fail(format!("{crash_case:?}: {other:?}"))),
    };
    reference.check_state(at, last, &format!("{crash_case:?}"))?;
    prop_assert_eq!(closed_direction(at), Some(last), "the state in the journal");
    let trash = std::fs::read_dir(at.join(".rollup/trash"))
        .into_iter()
        .flatten()
        .count();
    let names = std::fs::read_dir(at)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let incomplete = names
        .filter(|name| name.to_string_lossy().starts_with(".rollup-"))
        .count();
    prop_assert!(trash == 0 && incomplete == 0, "something was not cleared");
    for direction in [Direction::Forward, Direction::Back] {
        prop_assert!(
            matches!(recover(at, direction, &mut uninterrupted()), Ok(None)),
            "there is still something to recover"
        );
    }
    reference.check_state(at, last, "recovered again")?;
    Ok(true)
}

#[test]
fn an_apply_that_crashes_at_any_change_is_recovered_even_if_its_last_record_is_torn() {
    let tally = hold(
        40,
        &(cases(1), vec(crash_cases(), 1..=4)),
        |(case, crash_cases), payloads, tally| {
            let rollup = &ReadyRollup::all(&case, payloads)?[0];
            let reference = Reference::of(&case, rollup, tally)?;
            for crash_case in crash_cases {
                if !is_recovered(&reference, rollup, &case, &crash_case)? {
                    tally.count_special();
                }
            }
            Ok(())
        },
    );
    assert!(
        tally.special.get() > 0,
        "no journal lost the record that begins the renames"
    );
}
