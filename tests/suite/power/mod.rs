//! Lost power at every change of the disk: whatever survives of the last changes leads to the old
//! tree or to the new one, whichever way the run is taken.
//!
//! A real run in a real directory is noted change by change. From the disk before it and those
//! changes every disk is made that a cut could leave behind; there the run is recovered.

mod cut;
mod disk;
mod scenario;
mod trace;
mod trial;

use std::path::Path;

use crate::crash::Way;
use crate::crash::site::{Copy, temporary};
use scenario::{Doing, Story};
use trace::{Effect, Fate};
use trial::{Sample, Trial};

/// What every run of the suite has time for.
const SAMPLE: Sample = Sample {
    few: 16,
    every: usize::MAX,
    random: 1,
    one_of: 4,
    both_ways: false,
};
/// Everything, but for what is very much alike.
const CAMPAIGN: Sample = Sample {
    few: 30,
    every: 50,
    random: 10,
    one_of: 1,
    both_ways: true,
};

/// A story in a copy of what the trial begins with.
fn story(trial: &Trial, processes: &[(Doing, Fate)]) -> Story {
    Story::of(&trial.site, Copy::of(trial.start.path()).path(), processes)
}

/// Somebody dies in an apply, and somebody else takes it on.
fn taken_on(trial: &Trial, dies_at: usize, way: Way) -> Story {
    story(
        trial,
        &[
            (Doing::Apply, Fate::DiesAt(dies_at)),
            (Doing::Recover(way), Fate::Lives),
        ],
    )
}

/// Somebody dies in an apply, and somebody else closes the run as it stands.
fn closed(trial: &Trial, dies_at: usize) -> Story {
    story(
        trial,
        &[
            (Doing::Apply, Fate::DiesAt(dies_at)),
            (Doing::Accept, Fate::Lives),
        ],
    )
}

/// The numbers of an apply's changes from the first sync of its journal on, which says that it is
/// staged; of all of them, and of the syncs.
fn commit(trial: &Trial) -> (Vec<usize>, Vec<usize>) {
    let apply = story(trial, &[(Doing::Apply, Fate::Lives)]);
    let events = &apply.trace.events;
    let staged = events
        .iter()
        .position(|event| matches!(event.effect, Effect::SyncFile { .. }))
        .expect("it is staged");
    let is_change = |at: &usize| events[*at].effect != Effect::Told;
    let is_sync = |at: &usize| events[*at].effect == Effect::Sync;
    let changes = (staged..events.len()).filter(is_change);
    let syncs = changes.clone().filter(is_sync);
    (
        changes.clone().map(|at| apply.number_of(at)).collect(),
        syncs.map(|at| apply.number_of(at)).collect(),
    )
}

/// Those of the changes from `staged` on before which the run is begun and not closed: behind the
/// record that it begins, which is written and synced, up to the one that closes it.
fn unfinished(changes: &[usize]) -> &[usize] {
    &changes[2..changes.len() - 1]
}

/// Some of the disks that survived a cut are recovered, and the power fails again.
fn again(trial: &mut Trial, ways: &[Way], most: usize) {
    let kept = std::mem::take(&mut trial.kept);
    let disks: Vec<_> = kept
        .iter()
        .step_by(kept.len().div_ceil(most).max(1))
        .collect();
    for (at, survivor) in disks.iter().enumerate() {
        let directory = temporary();
        let deployment = directory.path().join("deployment");
        survivor.write(&deployment);
        let way = ways[at % ways.len()];
        let again = Story::of(
            &trial.site,
            &deployment,
            &[(Doing::Recover(way), Fate::Lives)],
        );
        trial.cut(&again, usize::MAX);
        tell(trial, "again", at + 1, disks.len());
    }
}

#[test]
fn an_apply_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 2,
            ..SAMPLE
        },
        1,
    );
    let apply = story(&trial, &[(Doing::Apply, Fate::Lives)]);
    trial.cut(&apply, usize::MAX);
    assert!(
        trial.unfinished > 200 && trial.at_rest > 100,
        "{} {}",
        trial.unfinished,
        trial.at_rest
    );
}

#[test]
fn an_undo_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(SAMPLE, 2);
    let (changes, _) = commit(&trial);
    // It dies when nothing is left to do but to say so.
    let undo = taken_on(&trial, changes[changes.len() - 2], Way::Back);
    trial.cut(&undo, usize::MAX);
    assert!(trial.unfinished > 100, "{}", trial.unfinished);
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
    let undo = story(
        &trial,
        &[(Doing::Apply, Fate::Lives), (Doing::Reopen, Fate::Lives)],
    );
    trial.cut(&undo, usize::MAX);
    assert!(trial.unfinished > 50, "{}", trial.unfinished);
}

/// The record that closes the run is not on disk when somebody clears what it keeps.
#[test]
fn clearing_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 1,
            ..SAMPLE
        },
        9,
    );
    let (changes, _) = commit(&trial);
    for fate in [Fate::Lives, Fate::DiesAt(changes[changes.len() - 1])] {
        let pruned = story(&trial, &[(Doing::Apply, fate), (Doing::Prune, Fate::Lives)]);
        trial.cut(&pruned, 12);
    }
    assert!(trial.at_rest > 5, "{}", trial.at_rest);
}

/// What drifted is taken for true by a run of its own, and that can be taken back.
#[test]
fn an_acceptance_survives_a_power_cut_anywhere() {
    let mut trial = Trial::of_drift(
        Sample {
            one_of: 2,
            ..SAMPLE
        },
        11,
    );
    let accept = story(&trial, &[(Doing::Accept, Fate::Lives)]);
    trial.cut(&accept, usize::MAX);
    assert!(
        trial.unfinished > 20 && trial.at_rest > 50,
        "{} {}",
        trial.unfinished,
        trial.at_rest
    );
}

/// What the dead process did was not yet on disk when somebody closed its run.
#[test]
fn a_run_that_is_closed_as_it_stands_survives_a_power_cut() {
    let mut trial = Trial::new(
        Sample {
            one_of: 1,
            ..SAMPLE
        },
        12,
    );
    let (changes, _) = commit(&trial);
    for &at in unfinished(&changes).iter().step_by(7) {
        let closed = closed(&trial, at);
        trial.cut(&closed, usize::MAX);
    }
    assert!(
        trial.unfinished > 50 && trial.at_rest > 5,
        "{} {}",
        trial.unfinished,
        trial.at_rest
    );
}

#[test]
fn a_run_that_stops_has_everything_on_disk() {
    let trial = Trial::new(SAMPLE, 10);
    let (changes, _) = commit(&trial);
    for &at in changes.iter().skip(5).step_by(13) {
        for fate in [Fate::StaysAt(at), Fate::StopsAt(at)] {
            story(&trial, &[(Doing::Apply, fate)]);
        }
    }
}

/// What the dead process did was not yet on disk when another one went on.
#[test]
fn a_run_that_is_taken_on_where_it_died_survives_a_power_cut() {
    let mut trial = Trial::new(SAMPLE, 3);
    let (changes, syncs) = commit(&trial);
    // Also one that is staged and not begun.
    for &dies_at in [changes[1]].iter().chain(&syncs) {
        for way in [Way::Forward, Way::Back] {
            let story = taken_on(&trial, dies_at, way);
            trial.cut(&story, 5);
        }
    }
    assert!(trial.unfinished > 100, "{}", trial.unfinished);
}

/// What a dead undo did was not yet on disk when another one went on. That one finds nothing to do
/// in its last step.
#[test]
fn an_undo_that_is_taken_on_where_it_died_survives_a_power_cut() {
    let mut trial = Trial::new(SAMPLE, 14);
    let (changes, _) = commit(&trial);
    let dies_at = changes[changes.len() - 2];
    let undo = taken_on(&trial, dies_at, Way::Back);
    let events = undo.trace.events.iter().enumerate().skip(undo.last);
    let syncs = events.filter(|(_, event)| event.effect == Effect::Sync);
    let before = undo.number_of(undo.last - 1);
    let numbers: Vec<usize> = syncs.map(|(at, _)| undo.number_of(at) - before).collect();
    for &number in &numbers {
        let died = [
            (Doing::Apply, Fate::DiesAt(dies_at)),
            (Doing::Recover(Way::Back), Fate::DiesAt(number)),
        ];
        let again = story(
            &trial,
            &[died[0], died[1], (Doing::Recover(Way::Back), Fate::Lives)],
        );
        trial.cut(&again, 5);
    }
    assert!(trial.unfinished > 50, "{}", trial.unfinished);
}

/// The directory of a staged run is there completely, or not at all.
#[test]
fn a_staged_run_that_is_discarded_survives_a_power_cut_anywhere() {
    let mut trial = Trial::new(
        Sample {
            one_of: 2,
            ..SAMPLE
        },
        15,
    );
    let (changes, _) = commit(&trial);
    let discarded = taken_on(&trial, changes[1], Way::Back);
    trial.cut(&discarded, usize::MAX);
    assert!(trial.at_rest > 20, "{}", trial.at_rest);
}

#[test]
fn a_run_that_fails_and_turns_back_survives_a_power_cut() {
    let mut trial = Trial::new(SAMPLE, 4);
    let (changes, _) = commit(&trial);
    for &fails_at in changes.iter().step_by(9) {
        let story = story(&trial, &[(Doing::Apply, Fate::FailsAt(fails_at))]);
        trial.cut(&story, 8);
    }
    assert!(trial.unfinished > 60, "{}", trial.unfinished);
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
    let apply = story(&trial, &[(Doing::Apply, Fate::Lives)]);
    trial.cut(&apply, usize::MAX);
    let before = trial.unfinished;
    again(&mut trial, &[Way::Back, Way::Forward], usize::MAX);
    assert!(
        trial.unfinished > before + 30,
        "{}",
        trial.unfinished - before
    );
}

/// An operator's files that came into directories which the plan did not see, in the new object and
/// in the old one; their directories are made while the run goes on.
#[test]
fn a_file_that_came_meanwhile_survives_a_power_cut() {
    for (at, way, one_of) in [
        ("Web/Site/W2", Way::Back, 7),
        (".rollup/runs/0001-KB1/slots/3/old", Way::Forward, 1),
    ] {
        let mut trial = Trial::new(
            Sample {
                one_of,
                random: 0,
                ..SAMPLE
            },
            6,
        );
        let (changes, _) = commit(&trial);
        let put = |directory: &Path| {
            std::fs::create_dir_all(directory.join("his/own")).expect("a new directory");
            std::fs::write(directory.join("his/own/file.txt"), "his").expect("a new file");
        };
        trial.expects_more(|deployment| put(&deployment.join("Web/Site/W2")));
        let copy = trial.site.copy();
        let dies_at = Fate::DiesAt(changes[changes.len() - 2]);
        Story::of(&trial.site, copy.path(), &[(Doing::Apply, dies_at)]);
        put(&copy.path().join(at));
        let story = Story::of(
            &trial.site,
            copy.path(),
            &[(Doing::Recover(way), Fate::Lives)],
        );
        trial.cut_near(&story, "his");
        assert!(trial.unfinished > 3, "{}", trial.unfinished);
    }
}

/// A campaign says how far it is.
#[expect(clippy::print_stderr, reason = "it is run by hand, to hear this")]
fn tell(trial: &Trial, part: &str, done: usize, of: usize) {
    let Trial {
        unfinished,
        at_rest,
        ..
    } = trial;
    eprintln!(
        "{part}, {done} of {of}: so far {unfinished} open runs were taken on, {at_rest} disks were at rest"
    );
}

/// Of the changes at which somebody dies or something fails, one of eight is tried, which takes a
/// quarter of an hour; `POWER_ONE_OF=1` tries all of them, which takes much longer.
#[test]
#[ignore = "takes a quarter of an hour"]
fn whatever_happens_survives_a_power_cut_anywhere() {
    let one_of = std::env::var("POWER_ONE_OF").map_or(8, |one_of| {
        one_of.parse().expect("POWER_ONE_OF is a number")
    });
    let mut drifted = Trial::of_drift(CAMPAIGN, 13);
    let accept = story(&drifted, &[(Doing::Accept, Fate::Lives)]);
    drifted.cut(&accept, usize::MAX);
    tell(&drifted, "an acceptance", 1, 1);
    let mut trial = Trial::new(CAMPAIGN, 7);
    let (changes, _) = commit(&trial);
    // The last ones, which close the run, are always among them.
    let some = |every: usize| {
        changes
            .iter()
            .rev()
            .step_by(every * one_of)
            .copied()
            .collect::<Vec<usize>>()
    };
    let apply = story(&trial, &[(Doing::Apply, Fate::Lives)]);
    trial.cut(&apply, usize::MAX);
    tell(&trial, "an apply", 1, 1);
    let fates = [Fate::Lives, Fate::DiesAt(changes[changes.len() - 1])];
    for (done, fate) in fates.into_iter().enumerate() {
        for doing in [Doing::Reopen, Doing::Prune] {
            let finished = story(&trial, &[(Doing::Apply, fate), (doing, Fate::Lives)]);
            trial.cut(&finished, usize::MAX);
        }
        tell(
            &trial,
            "undo and prune of a finished run",
            done + 1,
            fates.len(),
        );
    }
    let (one_process, two_processes) = (some(1), some(3));
    for (done, &at) in one_process.iter().enumerate() {
        fails_or_dies(&mut trial, &changes, at);
        tell(
            &trial,
            "a change fails, or its process dies there",
            done + 1,
            one_process.len(),
        );
    }
    for (done, &at) in two_processes.iter().enumerate() {
        dies_twice(&mut trial, at);
        tell(&trial, "two processes die", done + 1, two_processes.len());
    }
    again(&mut trial, &[Way::Forward], 120_usize.div_ceil(one_of));
    again(
        &mut trial,
        &[Way::Back, Way::Forward],
        120_usize.div_ceil(one_of),
    );
    assert!(
        trial.unfinished > 8000 / one_of && trial.at_rest > 5000,
        "{} {}",
        trial.unfinished,
        trial.at_rest
    );
}

/// One of the changes of an apply fails, or its process dies there and somebody decides what
/// becomes of the run.
fn fails_or_dies(trial: &mut Trial, changes: &[usize], at: usize) {
    for fate in [Fate::StaysAt(at), Fate::StopsAt(at)] {
        story(trial, &[(Doing::Apply, fate)]);
    }
    let mut stories = vec![story(trial, &[(Doing::Apply, Fate::FailsAt(at))])];
    stories.extend([Way::Forward, Way::Back].map(|way| taken_on(trial, at, way)));
    stories.extend(unfinished(changes).contains(&at).then(|| closed(trial, at)));
    stories
        .iter()
        .for_each(|story| trial.cut(story, usize::MAX));
}

/// One who takes it on dies, too, and a third one turns.
fn dies_twice(trial: &mut Trial, at: usize) {
    for (first, second) in [
        (Way::Forward, Way::Back),
        (Way::Back, Way::Forward),
        (Way::Back, Way::Back),
    ] {
        for dies_at in (3..40).step_by(5) {
            let died = [
                (Doing::Apply, Fate::DiesAt(at)),
                (Doing::Recover(first), Fate::DiesAt(dies_at)),
            ];
            let turned = story(
                trial,
                &[died[0], died[1], (Doing::Recover(second), Fate::Lives)],
            );
            trial.cut(&turned, 12);
        }
    }
}
