//! Power cuts at every change of the disk: from every state that a cut can leave, `undo` restores
//! the tree before the run and `resume` reaches the tree after it.
//!
//! A real run in a real directory is recorded change by change. From the disk before it and those
//! changes every disk is made that a cut could leave, and the run is recovered there.

mod cut;
mod disk;
mod scenario;
mod trace;
mod trial;

use std::path::Path;

use rollup::journal::Direction;

use crate::crash::site::DeploymentCopy;
use crate::temporary::temporary;
use scenario::{ProcessCommand, Scenario};
use trace::{Effect, ProcessFault};
use trial::{Sample, Trial};

/// Sample that every run of the suite has time for.
const SAMPLE: Sample = Sample {
    few: 8,
    every: usize::MAX,
    random: 1,
    one_of: 10,
    both_directions: false,
};
/// Every cut, except for those that are very similar.
const CAMPAIGN: Sample = Sample {
    few: 30,
    every: 50,
    random: 10,
    one_of: 1,
    both_directions: true,
};

/// Records a scenario in a copy of the trial's deployment.
fn scenario(trial: &Trial, processes: &[(ProcessCommand, ProcessFault)]) -> Scenario {
    Scenario::of(
        &trial.site,
        DeploymentCopy::of(trial.start.path()).path(),
        processes,
    )
}

/// Records an apply that crashes, and its recovery by another process.
fn crash_and_recover(trial: &Trial, crash_at: usize, direction: Direction) -> Scenario {
    scenario(
        trial,
        &[
            (ProcessCommand::Apply, ProcessFault::CrashAt(crash_at)),
            (ProcessCommand::Recover(direction), ProcessFault::None),
        ],
    )
}

/// Records an apply that crashes, and another process that closes its run with `accept`.
fn crash_and_accept(trial: &Trial, crash_at: usize) -> Scenario {
    scenario(
        trial,
        &[
            (ProcessCommand::Apply, ProcessFault::CrashAt(crash_at)),
            (ProcessCommand::Accept, ProcessFault::None),
        ],
    )
}

/// Returns the numbers of an apply's changes from the sync of `staged` on: of all of them, and of
/// the syncs.
fn changes_since_staged(trial: &Trial) -> (Vec<usize>, Vec<usize>) {
    let apply = scenario(trial, &[(ProcessCommand::Apply, ProcessFault::None)]);
    let events = &apply.trace.events;
    let staged = events
        .iter()
        .position(|event| matches!(event.effect, Effect::SyncFile { .. }))
        .expect("the journal is synced");
    let is_change = |at: &usize| events[*at].effect != Effect::Report;
    let is_sync = |at: &usize| events[*at].effect == Effect::Sync;
    let changes = (staged..events.len()).filter(is_change);
    let syncs = changes.clone().filter(is_sync);
    (
        changes.clone().map(|at| apply.number_of(at)).collect(),
        syncs.map(|at| apply.number_of(at)).collect(),
    )
}

/// Returns those changes since `staged` before which the run is in progress: from behind the sync
/// of `committing` up to the record that closes it.
fn unfinished(changes: &[usize]) -> &[usize] {
    &changes[4..changes.len() - 1]
}

/// Recovers some of the disks that a cut left, and cuts the power again during the recovery.
fn cut_again(trial: &mut Trial, directions: &[Direction], most: usize) {
    let kept = std::mem::take(&mut trial.kept);
    let disks: Vec<_> = kept
        .iter()
        .step_by(kept.len().div_ceil(most).max(1))
        .collect();
    for (at, survivor) in disks.iter().enumerate() {
        let directory = temporary();
        let deployment = directory.path().join("deployment");
        survivor.write(&deployment);
        let direction = directions[at % directions.len()];
        let recovery = Scenario::of(
            &trial.site,
            &deployment,
            &[(ProcessCommand::Recover(direction), ProcessFault::None)],
        );
        trial.cut(&recovery, usize::MAX);
        print_progress(trial, "again", at + 1, disks.len());
    }
}

#[test]
fn an_apply_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 9,
            ..SAMPLE
        },
        1,
    );
    let apply = scenario(&trial, &[(ProcessCommand::Apply, ProcessFault::None)]);
    trial.cut(&apply, usize::MAX);
    assert!(
        trial.unfinished > 50 && trial.clean > 20,
        "{} {}",
        trial.unfinished,
        trial.clean
    );
}

#[test]
fn an_undo_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(SAMPLE, 2);
    let (changes, _) = changes_since_staged(&trial);
    // The apply crashes before the record that closes it, so everything is to roll back.
    let undo = crash_and_recover(&trial, changes[changes.len() - 2], Direction::Back);
    trial.cut(&undo, usize::MAX);
    assert!(trial.unfinished > 50, "{}", trial.unfinished);
}

#[test]
fn an_undo_of_a_finished_run_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 9,
            ..SAMPLE
        },
        8,
    );
    let undo = scenario(
        &trial,
        &[
            (ProcessCommand::Apply, ProcessFault::None),
            (ProcessCommand::Reopen, ProcessFault::None),
        ],
    );
    trial.cut(&undo, usize::MAX);
    assert!(trial.unfinished > 50, "{}", trial.unfinished);
}

/// The record that closes the run may not be on disk yet when its slots are cleared.
#[test]
fn runs_beside_the_record_of_another_rollup_survive_a_power_cut_anywhere() {
    let sample = Sample {
        one_of: 17,
        ..SAMPLE
    };
    let mut trial = Trial::beside_another_record(sample, 11);
    let apply = scenario(&trial, &[(ProcessCommand::Apply, ProcessFault::None)]);
    trial.cut(&apply, usize::MAX);
    let undo = scenario(
        &trial,
        &[
            (ProcessCommand::Apply, ProcessFault::None),
            (ProcessCommand::Reopen, ProcessFault::None),
        ],
    );
    trial.cut(&undo, usize::MAX);
    assert!(trial.unfinished > 50, "{}", trial.unfinished);
}

#[test]
fn a_prune_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 2,
            ..SAMPLE
        },
        9,
    );
    let (changes, _) = changes_since_staged(&trial);
    for fault in [
        ProcessFault::None,
        ProcessFault::CrashAt(changes[changes.len() - 1]),
    ] {
        let pruned = scenario(
            &trial,
            &[
                (ProcessCommand::Apply, fault),
                (ProcessCommand::Prune, ProcessFault::None),
            ],
        );
        trial.cut(&pruned, 12);
    }
    assert!(trial.clean > 5, "{}", trial.clean);
}

/// Drift is accepted by a run of its own, which can be undone.
#[test]
fn an_acceptance_survives_a_power_cut_anywhere() {
    let mut trial = Trial::of_drift(
        Sample {
            one_of: 5,
            ..SAMPLE
        },
        11,
    );
    let accept = scenario(&trial, &[(ProcessCommand::Accept, ProcessFault::None)]);
    trial.cut(&accept, usize::MAX);
    assert!(
        trial.unfinished > 10 && trial.clean > 8,
        "{} {}",
        trial.unfinished,
        trial.clean
    );
}

/// The changes of the crashed process may not be on disk yet when its run is closed.
#[test]
fn a_run_that_accept_closes_survives_a_power_cut() {
    let mut trial = Trial::new(
        Sample {
            one_of: 3,
            ..SAMPLE
        },
        12,
    );
    let (changes, _) = changes_since_staged(&trial);
    for &at in unfinished(&changes).iter().step_by(13) {
        let accepted = crash_and_accept(&trial, at);
        trial.cut(&accepted, usize::MAX);
    }
    assert!(
        trial.unfinished > 20 && trial.clean > 3,
        "{} {}",
        trial.unfinished,
        trial.clean
    );
}

#[test]
fn a_run_that_stops_has_everything_on_disk() {
    let trial = Trial::new(SAMPLE, 10);
    let (changes, _) = changes_since_staged(&trial);
    for &at in changes.iter().skip(5).step_by(13) {
        for fault in [ProcessFault::FailAndStopAt(at), ProcessFault::StopAt(at)] {
            scenario(&trial, &[(ProcessCommand::Apply, fault)]);
        }
    }
}

/// The changes of the crashed process may not be on disk yet when another one continues.
#[test]
fn the_recovery_of_a_crashed_run_survives_a_power_cut() {
    let mut trial = Trial::new(SAMPLE, 3);
    let (changes, syncs) = changes_since_staged(&trial);
    // The first one is staged and has not begun its commit.
    for &crash_at in [changes[1]].iter().chain(&syncs) {
        for direction in [Direction::Forward, Direction::Back] {
            let scenario = crash_and_recover(&trial, crash_at, direction);
            trial.cut(&scenario, 3);
        }
    }
    assert!(trial.unfinished > 60, "{}", trial.unfinished);
}

/// The changes of a crashed undo may not be on disk yet when another one continues. The other one
/// finds nothing to do in its last step.
#[test]
fn the_recovery_of_a_crashed_undo_survives_a_power_cut() {
    let mut trial = Trial::new(SAMPLE, 14);
    let (changes, _) = changes_since_staged(&trial);
    let crash_at = changes[changes.len() - 2];
    let undo = crash_and_recover(&trial, crash_at, Direction::Back);
    let events = undo.trace.events.iter().enumerate().skip(undo.last);
    let syncs = events.filter(|(_, event)| event.effect == Effect::Sync);
    let before = undo.number_of(undo.last - 1);
    let numbers: Vec<usize> = syncs.map(|(at, _)| undo.number_of(at) - before).collect();
    for &number in &numbers {
        let processes = [
            (ProcessCommand::Apply, ProcessFault::CrashAt(crash_at)),
            (
                ProcessCommand::Recover(Direction::Back),
                ProcessFault::CrashAt(number),
            ),
            (ProcessCommand::Recover(Direction::Back), ProcessFault::None),
        ];
        let second_undo = scenario(&trial, &processes);
        trial.cut(&second_undo, 3);
    }
    assert!(trial.unfinished > 30, "{}", trial.unfinished);
}

/// The directory of a staged run is discarded as a whole, or not at all.
#[test]
fn a_staged_run_that_is_discarded_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 5,
            ..SAMPLE
        },
        15,
    );
    let (changes, _) = changes_since_staged(&trial);
    let discarded = crash_and_recover(&trial, changes[1], Direction::Back);
    trial.cut(&discarded, usize::MAX);
    assert!(trial.clean > 20, "{}", trial.clean);
}

#[test]
fn a_run_that_fails_and_rolls_back_survives_a_power_cut() {
    let mut trial = Trial::new(SAMPLE, 4);
    let (changes, _) = changes_since_staged(&trial);
    for &fail_at in changes.iter().step_by(23) {
        let scenario = scenario(
            &trial,
            &[(ProcessCommand::Apply, ProcessFault::FailAt(fail_at))],
        );
        trial.cut(&scenario, 8);
    }
    assert!(trial.unfinished > 20, "{}", trial.unfinished);
}

#[test]
fn a_recovery_from_a_power_cut_survives_another() {
    let mut trial = Trial::new(
        Sample {
            one_of: 12,
            ..SAMPLE
        },
        5,
    );
    let apply = scenario(&trial, &[(ProcessCommand::Apply, ProcessFault::None)]);
    trial.cut(&apply, usize::MAX);
    let before = trial.unfinished;
    cut_again(
        &mut trial,
        &[Direction::Back, Direction::Forward],
        usize::MAX,
    );
    assert!(
        trial.unfinished > before + 30,
        "{}",
        trial.unfinished - before
    );
}

/// Unmanaged files in directories that the plan did not see, in the new object and in the old one;
/// the run makes their parent directories.
#[test]
fn an_unmanaged_file_added_during_a_run_survives_a_power_cut() {
    for (at, direction, one_of, is_staged) in [
        ("Web/Site/W2", Direction::Back, 7, false),
        (
            ".rollup/runs/0001-KB1/slots/3/old",
            Direction::Forward,
            1,
            false,
        ),
        // Its directory is not in the object that the first swap moves in.
        (
            "Web/Site/W2/files/Program Files/Site",
            Direction::Forward,
            7,
            true,
        ),
    ] {
        let mut trial = Trial::new(
            Sample {
                one_of,
                random: 0,
                ..SAMPLE
            },
            6,
        );
        let (changes, _) = changes_since_staged(&trial);
        let add = |directory: &Path| {
            std::fs::create_dir_all(directory.join("local/own")).expect("a new directory");
            std::fs::write(directory.join("local/own/file.txt"), "unmanaged").expect("a new file");
        };
        let place = if is_staged { at } else { "Web/Site/W2" };
        trial.expect_unmanaged(|deployment| add(&deployment.join(place)));
        let copy = trial.site.copy();
        let last = if is_staged { 3 } else { changes.len() - 2 };
        let crash_at = ProcessFault::CrashAt(changes[last]);
        Scenario::of(
            &trial.site,
            copy.path(),
            &[(ProcessCommand::Apply, crash_at)],
        );
        add(&copy.path().join(at));
        let scenario = Scenario::of(
            &trial.site,
            copy.path(),
            &[(ProcessCommand::Recover(direction), ProcessFault::None)],
        );
        trial.cut_near(&scenario, "local");
        assert!(trial.unfinished > 1, "{}", trial.unfinished);
    }
}

/// Prints how far a campaign has got.
#[expect(clippy::print_stderr, reason = "a campaign is run by hand")]
fn print_progress(trial: &Trial, part: &str, done: usize, of: usize) {
    let Trial {
        unfinished, clean, ..
    } = trial;
    eprintln!(
        "{part}, {done} of {of}: so far {unfinished} open runs were recovered, {clean} were clean"
    );
}

/// Crashes or fails at one of eight changes, which takes a quarter of an hour; `POWER_ONE_OF=1`
/// tries all of them, which takes much longer.
#[test]
#[ignore = "takes a quarter of an hour"]
fn whatever_happens_survives_a_power_cut_anywhere() {
    let one_of = std::env::var("POWER_ONE_OF").map_or(8, |one_of| {
        one_of.parse().expect("POWER_ONE_OF is a number")
    });
    let mut drifted = Trial::of_drift(CAMPAIGN, 13);
    let accept = scenario(&drifted, &[(ProcessCommand::Accept, ProcessFault::None)]);
    drifted.cut(&accept, usize::MAX);
    print_progress(&drifted, "an acceptance", 1, 1);
    let mut trial = Trial::new(CAMPAIGN, 7);
    let (changes, _) = changes_since_staged(&trial);
    // The last changes, which close the run, are always among them.
    let sample = |every: usize| {
        changes
            .iter()
            .rev()
            .step_by(every * one_of)
            .copied()
            .collect::<Vec<usize>>()
    };
    let apply = scenario(&trial, &[(ProcessCommand::Apply, ProcessFault::None)]);
    trial.cut(&apply, usize::MAX);
    print_progress(&trial, "an apply", 1, 1);
    let faults = [
        ProcessFault::None,
        ProcessFault::CrashAt(changes[changes.len() - 1]),
    ];
    for (done, fault) in faults.into_iter().enumerate() {
        for command in [ProcessCommand::Reopen, ProcessCommand::Prune] {
            let finished = scenario(
                &trial,
                &[
                    (ProcessCommand::Apply, fault),
                    (command, ProcessFault::None),
                ],
            );
            trial.cut(&finished, usize::MAX);
        }
        print_progress(
            &trial,
            "undo and prune of a finished run",
            done + 1,
            faults.len(),
        );
    }
    let (one_process, two_processes) = (sample(1), sample(3));
    for (done, &at) in one_process.iter().enumerate() {
        cut_failure_and_crash(&mut trial, &changes, at);
        print_progress(
            &trial,
            "a change fails, or its process crashes there",
            done + 1,
            one_process.len(),
        );
    }
    for (done, &at) in two_processes.iter().enumerate() {
        cut_two_crashes(&mut trial, at);
        print_progress(&trial, "two processes crash", done + 1, two_processes.len());
    }
    cut_again(
        &mut trial,
        &[Direction::Forward],
        120_usize.div_ceil(one_of),
    );
    cut_again(
        &mut trial,
        &[Direction::Back, Direction::Forward],
        120_usize.div_ceil(one_of),
    );
    assert!(
        trial.unfinished > 8000 / one_of && trial.clean > 5000,
        "{} {}",
        trial.unfinished,
        trial.clean
    );
}

/// Cuts the power in the rollback after a failing change of an apply, and in every recovery after
/// a crash there.
fn cut_failure_and_crash(trial: &mut Trial, changes: &[usize], at: usize) {
    for fault in [ProcessFault::FailAndStopAt(at), ProcessFault::StopAt(at)] {
        scenario(trial, &[(ProcessCommand::Apply, fault)]);
    }
    let mut scenarios = vec![scenario(
        trial,
        &[(ProcessCommand::Apply, ProcessFault::FailAt(at))],
    )];
    scenarios.extend(
        [Direction::Forward, Direction::Back]
            .map(|direction| crash_and_recover(trial, at, direction)),
    );
    scenarios.extend(
        unfinished(changes)
            .contains(&at)
            .then(|| crash_and_accept(trial, at)),
    );
    scenarios
        .iter()
        .for_each(|scenario| trial.cut(scenario, usize::MAX));
}

/// Cuts the power in the recovery by a third process, after the second one crashed, too.
fn cut_two_crashes(trial: &mut Trial, at: usize) {
    for (first, second) in [
        (Direction::Forward, Direction::Back),
        (Direction::Back, Direction::Forward),
        (Direction::Back, Direction::Back),
    ] {
        for crash_at in (3..40).step_by(5) {
            let processes = [
                (ProcessCommand::Apply, ProcessFault::CrashAt(at)),
                (
                    ProcessCommand::Recover(first),
                    ProcessFault::CrashAt(crash_at),
                ),
                (ProcessCommand::Recover(second), ProcessFault::None),
            ];
            let third = scenario(trial, &processes);
            trial.cut(&third, 12);
        }
    }
}
