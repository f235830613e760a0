//! `prune` clears the slots of old runs, and nothing else: all other runs can be undone as before.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::{DiskError, Tree};
use rollup::journal::{Run, runs};
use rollup::run;
use serde_json::json;

use crate::crash::CrashInjector;
use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const REAPPLY: &str = "apply small.toml --yes --reapply";
/// Record of the provider, which the rollup installs.
const RECORD: &str = "Things/Provider/state.toml";

fn run_name(number: usize) -> String {
    format!("{number:04}-KB100001")
}

/// Returns a world with that many finished runs of one rollup, and the trees before each of them
/// and after the last one.
fn with_runs(number: usize) -> (World, Vec<Listing>) {
    let world = small_world(UPDATE_PROVIDER);
    let mut states = vec![Listing::of(&world.deployment())];
    for _ in 0..number {
        world.run(REAPPLY).exits_with(exit::OK);
        states.push(Listing::of(&world.deployment()));
    }
    (world, states)
}

/// Returns the numbers of the runs that have slots.
fn with_slots(world: &World) -> Vec<usize> {
    (1..9)
        .filter(|&number| {
            world
                .run_directory(&run_name(number))
                .join("slots")
                .exists()
        })
        .collect()
}

/// Returns the records of a run that `prune` keeps.
fn records(world: &World, number: usize) -> Listing {
    let kept = ["manifest.toml", "plan.json", "journal", "events.ndjson"];
    Listing::strict(&world.run_directory(&run_name(number)))
        .only(|path| kept.iter().any(|name| path == Path::new(name)))
}

#[test]
fn prune_keeps_the_newest_runs_and_the_records_of_all() {
    let (world, _) = with_runs(3);
    let before: Vec<_> = (1..=3).map(|number| records(&world, number)).collect();
    let ran = world
        .run("prune --keep 1 --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    ran.prints("kB of 2 runs will be cleared")
        .prints("0001-KB100001 finished")
        .prints("afterwards these runs can be undone, newest first: 0003-KB100001")
        .prints("can no longer be undone: 0001-KB100001, 0002-KB100001");
    assert_eq!(with_slots(&world), [3]);
    for (number, before) in (1..=3).zip(before) {
        before.assert_same(&records(&world, number));
    }
    let names = |number| {
        let directory =
            fs::read_dir(world.run_directory(&run_name(number))).expect("a run's directory");
        let mut names: Vec<_> = directory
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        names.sort();
        names
    };
    assert_eq!(
        names(1),
        [
            "attributes",
            "events.ndjson",
            "journal",
            "manifest.toml",
            "plan.json"
        ]
    );
    assert_eq!(
        names(3),
        [
            "attributes",
            "events.ndjson",
            "journal",
            "manifest.toml",
            "plan.json",
            "reserve",
            "slots"
        ]
    );
    assert_eq!(
        fs::read_dir(world.live(".rollup/trash"))
            .expect("a directory")
            .count(),
        0
    );
}

#[test]
fn the_undo_of_a_pruned_run_is_refused_with_the_reason() {
    let (world, _) = with_runs(2);
    world.run("prune --keep 1 --yes").exits_with(exit::OK);
    world.run("undo 2 --yes").exits_with(exit::OK);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("the old objects of run 0001-KB100001 were pruned")
        .tree_is_unchanged();
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .prints("no run in progress")
        .does_not_print("rolls back");
}

#[test]
fn a_kept_run_is_undone_to_the_byte() {
    let (world, states) = with_runs(3);
    world.run("prune --keep 2 --yes").exits_with(exit::OK);
    for (number, before) in [(3, &states[2]), (2, &states[1])] {
        world
            .run(&format!("undo {number} --yes"))
            .exits_with(exit::OK);
        before.assert_same(&Listing::of(&world.deployment()));
    }
}

#[test]
fn all_other_commands_work_after_a_prune() {
    let (world, _) = with_runs(2);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .prints("afterwards no run can be undone");
    world
        .run("verify")
        .exits_with(exit::OK)
        .prints("everything matches")
        .nothing_was_touched();
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("nothing to do")
        .nothing_was_touched();
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress")
        .does_not_print("undo data: ")
        .nothing_was_touched();
    world
        .run("history")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let before = Listing::of(&world.deployment());
    world
        .run(REAPPLY)
        .exits_with(exit::OK)
        .prints("as run 0003-KB100001");
    world.run("undo last --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn history_shows_which_runs_can_still_be_undone() {
    let (world, _) = with_runs(3);
    let undoable = || {
        let document = world
            .run("history --format json")
            .exits_with(exit::OK)
            .json();
        let runs = document["runs"]
            .as_array()
            .expect("runs")
            .iter()
            .rev()
            .map(|run| run["undoable"].as_bool());
        runs.collect::<Vec<_>>()
    };
    // Each run changed what the one before it had left, so only the newest can be undone now.
    assert_eq!(undoable(), [Some(false), Some(false), Some(true)]);
    world.run("prune --keep 2 --yes").exits_with(exit::OK);
    let ran = world
        .run("history")
        .exits_with(exit::OK)
        .prints("3 runs, 1 can be undone")
        .nothing_was_touched();
    ran.prints("no: later run 3 first");
    for (history, why) in [
        (
            "history 1",
            "the old objects of run 0001-KB100001 were pruned",
        ),
        (
            "history 2",
            "run 0003-KB100001 is later than 0002-KB100001 and changed",
        ),
    ] {
        let why = format!("cannot be undone: {why}");
        world.run(history).exits_with(exit::OK).prints(&why);
    }
    world.run("undo 3 --yes").exits_with(exit::OK);
    assert_eq!(
        undoable(),
        [Some(false), Some(true), Some(false)],
        "an undone run cannot be undone again"
    );
}

#[test]
fn a_run_before_one_that_cannot_be_undone_cannot_be_undone() {
    let (world, _) = with_runs(2);
    let world = world.remove(".rollup/runs/0002-KB100001/slots");
    for (history, why) in [
        (
            "history 2",
            "the old objects of run 0002-KB100001 were pruned",
        ),
        (
            "history 1",
            "run 0002-KB100001 is later than 0001-KB100001 and changed",
        ),
    ] {
        let why = format!("cannot be undone: {why}");
        world.run(history).exits_with(exit::OK).prints(&why);
    }
}

#[test]
fn an_undone_run_does_not_count_as_kept() {
    let (world, _) = with_runs(3);
    world.run("undo 3 --yes").exits_with(exit::OK);
    world
        .run("prune --keep 1 --yes")
        .exits_with(exit::OK)
        .prints("can no longer be undone: 0001-KB100001");
    assert_eq!(with_slots(&world), [2, 3]);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .prints("can no longer be undone: 0002-KB100001");
    assert_eq!(with_slots(&world), [0; 0]);
}

#[test]
fn what_was_rolled_back_is_cleared_without_the_undo_of_the_last_finished_run() {
    let (world, states) = with_runs(1);
    for _ in 0..2 {
        world.run(REAPPLY).exits_with(exit::OK);
        world.run("undo last --yes").exits_with(exit::OK);
    }
    world
        .run("prune --rolled-back --yes")
        .exits_with(exit::OK)
        .prints("every run that could be undone still can be");
    assert_eq!(with_slots(&world), [1]);
    world.run("undo last --yes").exits_with(exit::OK);
    states[0].assert_same(&Listing::of(&world.deployment()));
    world
        .run("prune --rolled-back --keep 1 --yes")
        .exits_with(exit::USAGE);
}

#[test]
fn prune_needs_a_number_and_a_confirmation() {
    let (world, _) = with_runs(1);
    world
        .run("prune --yes")
        .exits_with(exit::USAGE)
        .prints("--keep <N>")
        .nothing_was_touched();
    world
        .run("prune --keep 0")
        .exits_with(exit::USAGE)
        .prints("--yes` does it without asking")
        .tree_is_unchanged();
    world
        .at_terminal("prune --keep 0", "n\n")
        .exits_with(exit::INTERRUPTED)
        .prints("will be cleared");
    assert_eq!(with_slots(&world), [1]);
    world
        .at_terminal("prune --keep 0", "y\n")
        .exits_with(exit::OK)
        .prints("can no longer be undone: 0001-KB100001");
    assert_eq!(with_slots(&world), [0; 0]);
}

#[test]
fn a_dry_run_shows_the_runs_and_touches_nothing() {
    let (world, _) = with_runs(2);
    world
        .run("prune --keep 1 --dry-run")
        .exits_with(exit::OK)
        .prints("0001-KB100001 finished")
        .prints("this was a dry run")
        .nothing_was_touched();
}

#[test]
fn prune_does_nothing_if_nothing_is_left_to_clear() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .prints("nothing to do")
        .nothing_was_touched();
    let (world, _) = with_runs(2);
    world
        .run("prune --keep 2 --yes")
        .exits_with(exit::OK)
        .prints("nothing to do")
        .tree_is_unchanged();
    assert_eq!(with_slots(&world), [1, 2]);
}

#[test]
fn json_lists_the_pruned_runs() {
    let (world, _) = with_runs(2);
    let kept = world
        .run("status --format json")
        .exits_with(exit::OK)
        .json();
    let document = world
        .run("prune --keep 1 --dry-run --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (
            &document["schema"],
            &document["outcome"],
            &document["changed"]
        ),
        (&json!(1), &json!("ok"), &json!(false))
    );
    let document = world
        .run("prune --keep 1 --yes --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&document["exit_code"], &document["changed"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(document["no_longer_undoable"], json!([run_name(1)]));
    assert_eq!(document["still_undoable"], json!([run_name(2)]));
    assert_eq!(document["runs"][0]["lost"], json!([]));
    let left = world
        .run("status --format json")
        .exits_with(exit::OK)
        .json();
    let bytes =
        |document: &serde_json::Value| document["undo_data"]["bytes"].as_u64().expect("bytes");
    assert_eq!(
        bytes(&kept) - bytes(&left),
        document["bytes"].as_u64().expect("bytes")
    );
    assert_eq!(left["undo_data"]["runs"], 1);
    let refused = world
        .run("prune --keep 0 --format json")
        .exits_with(exit::USAGE)
        .json();
    assert_eq!(
        (&refused["outcome"], &refused["changed"]),
        (&json!("usage"), &json!(false))
    );
}

#[test]
fn an_unmanaged_file_among_the_old_objects_is_named_first() {
    let (world, _) = with_runs(1);
    let late = ".rollup/runs/0001-KB100001/slots/1/old/files/late.log";
    let world = world.write_file(late, "unmanaged");
    world
        .run("prune --keep 0 --dry-run")
        .exits_with(exit::OK)
        .prints(&format!(
            "would be lost: `deployment/{late}` is an unmanaged file"
        ))
        .prints("the 1 file named above cannot be restored afterwards");
    let document = world
        .run("prune --keep 0 --dry-run --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        document["runs"][0]["lost"],
        json!([{ "path": late, "description": "is an unmanaged file" }])
    );
}

#[test]
fn a_changed_file_that_an_undo_kept_is_named_first() {
    let (world, _) = with_runs(1);
    let world = world.write_file(RECORD, "changed");
    world.run("undo 1 --yes").exits_with(exit::MISMATCH);
    world
        .run("undo 1 --yes --discard-changes")
        .exits_with(exit::OK);
    let ran = world
        .run("prune --keep 0 --dry-run")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("new/state.toml` was changed by hand")
        .prints("the 1 file named above cannot be restored afterwards");
}

#[test]
fn files_that_the_plans_know_are_not_reported_as_lost() {
    let (world, _) = with_runs(3);
    world.run("undo 3 --yes").exits_with(exit::OK);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .does_not_print("lost")
        .does_not_print("warning");
}

#[test]
fn an_open_run_is_not_pruned_and_is_reported() {
    let (world, _) = with_runs(2);
    world
        .run("stage small.toml --yes --reapply")
        .exits_with(exit::OK);
    let staged = Listing::strict(&world.run_directory(&run_name(3)));
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .prints("skipped: run 0003-KB100001 is staged");
    staged.assert_same(&Listing::strict(&world.run_directory(&run_name(3))));
    assert_eq!(with_slots(&world), [3]);

    let (world, states) = with_runs(1);
    world
        .run(&format!("{REAPPLY} --stop-before install"))
        .exits_with(exit::STOPPED);
    let unfinished = Listing::strict(&world.run_directory(&run_name(2)));
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .prints("skipped: run 0002-KB100001 is unfinished");
    unfinished.assert_same(&Listing::strict(&world.run_directory(&run_name(2))));
    world.run("undo --yes").exits_with(exit::OK);
    states[1].assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn slots_of_an_open_run_are_not_cleared_even_if_it_is_requested() {
    let (world, _) = with_runs(1);
    world
        .run(&format!("{REAPPLY} --stop-before install"))
        .exits_with(exit::STOPPED);
    let tree = Tree::open(&world.deployment()).expect("the deployment exists");
    let disk =
        LockedDeployment::lock(tree, "prune", Duration::from_secs(10)).expect("the lock is free");
    let runs = runs(disk.tree()).expect("the journals can be read");
    run::prune(&disk, &runs.iter().collect::<Vec<_>>()).expect("the finished run can be pruned");
    assert_eq!(with_slots(&world), [2]);
}

#[test]
#[ignore = "needs root and chattr"]
fn a_file_that_cannot_be_removed_is_reported_and_stops_no_later_command() {
    let (world, states) = with_runs(2);
    let chattr = |at: &Path, mark: &str| {
        let status = Command::new("chattr").arg(mark).arg(at).status();
        assert!(
            status.expect("chattr can be run").success(),
            "this file system has no such marks"
        );
    };
    chattr(
        &world
            .run_directory(&run_name(1))
            .join("slots/1/old/state.toml"),
        "+i",
    );
    let ran = world
        .run("prune --keep 1 --yes")
        .exits_with(exit::IO)
        .prints("cannot remove");
    ran.prints("now: the old objects of 0001-KB100001 are gone");
    world.run("undo 2 --yes").exits_with(exit::OK);
    states[1].assert_same(&Listing::of(&world.deployment()));
    chattr(&world.live(".rollup/trash/slots/1/old/state.toml"), "-i");
    world.run("prune --keep 1 --yes").exits_with(exit::OK);
    assert_eq!(
        fs::read_dir(world.live(".rollup/trash"))
            .expect("a directory")
            .count(),
        0
    );
}

/// Prunes all but the newest run as the command does, and crashes at a change. Returns the number
/// of changes that were tried.
fn prune(deployment: &Path, at: usize) -> (Result<(), DiskError>, usize) {
    let tree = Tree::open(deployment).expect("the deployment exists");
    // A process that another test starts holds every lock of this one until it runs its own
    // program.
    let disk =
        LockedDeployment::lock(tree, "prune", Duration::from_secs(10)).expect("the lock is free");
    let seen = Arc::new(AtomicUsize::new(0));
    let disk = disk.with_injector(Arc::new(CrashInjector {
        seen: Arc::clone(&seen),
        at,
    }));
    let cleared = run::clear_interrupted_staging(&disk);
    let runs = runs(disk.tree()).expect("the journals can be read");
    let old: Vec<&Run> = runs.iter().rev().skip(1).collect();
    let pruned = run::prune(&disk, &old);
    assert!(cleared.is_ok(), "{cleared:?}");
    (pruned, seen.load(Ordering::SeqCst))
}

#[test]
fn a_prune_that_crashes_at_any_change_can_be_run_again_and_leaves_every_other_run_intact() {
    let (world, states) = with_runs(3);
    let (pruned, changes) = prune(world.copy().at("deployment").as_path(), usize::MAX);
    assert!(pruned.is_ok() && changes > 30, "{changes}: {pruned:?}");
    for at in 1..=changes {
        let world = world.copy();
        let (crashed, _) = prune(&world.deployment(), at);
        assert!(crashed.is_err(), "no error from the crash at change {at}");
        states[3].assert_same(&Listing::of(&world.deployment()));
        for number in with_slots(&world) {
            // The slots are complete, or gone: an undo down to this run has all its objects.
            let context = format!("crash at change {at}, run {number}");
            let tree = Tree::open(&world.deployment()).expect("the deployment exists");
            let runs = runs(&tree).expect(&context);
            let check = run::UndoCheck::new(&tree, &runs, None);
            let undoable = check.in_turn().expect(&context);
            assert!(
                undoable.contains(&(number as u32)),
                "{context}: {undoable:?}"
            );
            assert_eq!(
                run::lost_files(&tree, &runs[number - 1]).expect(&context),
                []
            );
        }
        let is_undone = at % 7 == 1;
        if is_undone {
            world
                .run("status")
                .exits_with(exit::OK)
                .prints("clean: no run in progress");
            world.run("verify").exits_with(exit::OK);
            world.run("undo 3 --yes").exits_with(exit::OK);
            states[2].assert_same(&Listing::of(&world.deployment()));
        }
        let (keep, left): (usize, &[usize]) = if is_undone { (0, &[]) } else { (1, &[3]) };
        world
            .run(&format!("prune --keep {keep} --yes"))
            .exits_with(exit::OK);
        assert_eq!(with_slots(&world), left, "crash at change {at}");
        assert_eq!(
            fs::read_dir(world.live(".rollup/trash"))
                .expect("a directory")
                .count(),
            0
        );
        for number in [1, 2] {
            assert!(
                !world
                    .run_directory(&run_name(number))
                    .join("reserve")
                    .exists(),
                "crash at change {at}"
            );
        }
    }
}
