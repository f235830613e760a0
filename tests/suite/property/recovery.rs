//! Death of an apply, and what is left of its journal.

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseError;
use rollup::journal::{Record, RunState};
use rollup::run::{Ended, RunError};

use super::choose::cases;
use super::drive::{Course, Ready, Way, all_runs, recover, rests, tear_last_record};
use super::hold::hold;
use super::model::Case;
use super::reference::{Moment, Reference, moments};
use super::same;
use super::world::World;
use crate::crash::tree::Tree;

/// How an apply is interrupted and recovered.
#[derive(Debug, Clone)]
struct Blow {
    at: Moment,
    /// How many bytes of the last record of its journal get to disk, where not all do.
    torn: Option<u16>,
    way: Way,
}

fn blows() -> impl Strategy<Value = Blow> {
    let way = select(vec![Way::Forward, Way::Back]);
    (moments(), proptest::option::of(0_u16..500), way).prop_map(|(at, torn, way)| Blow {
        at,
        torn,
        way,
    })
}

/// Whether a run that is said to be staged has begun its renames all the same.
fn lost_its_beginning(at: &Path, whole: Option<&Record>) -> bool {
    let runs = all_runs(at);
    let Some(run) = runs.last() else { return false };
    if run.state() != RunState::Staged || whole != Some(&Record::Committing) {
        return false;
    }
    let slots = at.join(run.directory.to_path()).join("slots");
    let slots = std::fs::read_dir(slots)
        .expect("a staged run has slots")
        .map(|slot| slot.expect("listed").path());
    slots
        .into_iter()
        .any(|slot| slot.join("old").exists() || !slot.join("new").exists())
}

/// `false` where the journal was damaged so that nothing could be recovered, which was told.
fn is_recovered(
    reference: &Reference,
    rollup: &Ready<'_>,
    case: &Case,
    blow: &Blow,
) -> Result<bool, TestCaseError> {
    let world = World::of(case);
    let at = world.deployment();
    let mut course = Course::with(Some(reference.death(blow.at)));
    let died = rollup.apply(at, &reference.plan, &mut course);
    prop_assert_eq!(course.was_interrupted(&died), Ok(true), "{:?}", blow);
    let free = || Course::free();
    if let (Some(run), Some(stay)) = (all_runs(at).last(), blow.torn) {
        let whole = run.journal.last().cloned();
        tear_last_record(at, run, usize::from(stay));
        if lost_its_beginning(at, whole.as_ref()) {
            let stood = Tree::of(at);
            let refused = recover(at, blow.way, &mut free());
            prop_assert!(
                matches!(refused, Err(RunError::Journal(_))),
                "the journal lost a record: {refused:?}"
            );
            same(
                &stood,
                &Tree::of(at),
                "nothing is touched where the journal is damaged",
            )?;
            return Ok(false);
        }
    }
    let stands = match (blow.way, recover(at, blow.way, &mut free())) {
        (Way::Forward, Ok(Some(Ended::Applied { .. }))) => Way::Forward,
        (Way::Back, Ok(Some(Ended::Undone { because: None }))) => Way::Back,
        // There was nothing to recover: it was not begun, or it is finished.
        (_, Ok(None)) => rests(at).expect("no run is open"),
        (_, other) => return Err(TestCaseError::fail(format!("{blow:?}: {other:?}"))),
    };
    reference.stands(at, stands, &format!("{blow:?}"))?;
    prop_assert_eq!(rests(at), Some(stands), "the journal says otherwise");
    let trash = std::fs::read_dir(at.join(".rollup/trash"))
        .into_iter()
        .flatten()
        .count();
    let names = std::fs::read_dir(at)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name());
    let half_made = names
        .filter(|name| name.to_string_lossy().starts_with(".rollup-"))
        .count();
    prop_assert!(
        trash == 0 && half_made == 0,
        "something was not cleared away"
    );
    for way in [Way::Forward, Way::Back] {
        prop_assert!(
            matches!(recover(at, way, &mut free()), Ok(None)),
            "there is something to recover still"
        );
    }
    reference.stands(at, stands, "recovered once more")?;
    Ok(true)
}

#[test]
fn any_death_of_any_apply_is_recovered_whatever_is_left_of_the_last_record() {
    let tally = hold(
        80,
        &(cases(1), vec(blows(), 1..=4)),
        |(case, blows), payloads, tally| {
            let rollup = &Ready::all(&case, payloads)?[0];
            let reference = Reference::of(&case, rollup, tally)?;
            for blow in blows {
                if !is_recovered(&reference, rollup, &case, &blow)? {
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
