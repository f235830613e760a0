//! `prune` clears what old runs keep, and nothing else: whatever it leaves can be undone as before.

use std::fs;
use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollup::deployment::fault_injection::{Change, FaultInjector};
use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::{DiskError, Tree};
use rollup::journal::{Run, runs};
use rollup::run;
use serde_json::json;

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const AGAIN: &str = "apply small.toml --yes --reapply";
/// An installed file of the provider, as the rollup brings it.
const RECORD: &str = "Things/Provider/state.toml";

fn run_name(number: usize) -> String {
    format!("{number:04}-KB100001")
}

/// A world with that many finished runs of one rollup, and what stood before each of them and after
/// the last.
fn with_runs(number: usize) -> (World, Vec<Listing>) {
    let world = small_world(UPDATE_PROVIDER);
    let mut states = vec![Listing::of(&world.deployment())];
    for _ in 0..number {
        world.run(AGAIN).exits_with(exit::OK);
        states.push(Listing::of(&world.deployment()));
    }
    (world, states)
}

/// The runs, by number, that have slots.
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

/// What stays of a run.
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
    ran.says("bytes of 2 runs will be cleared")
        .says("0001-KB100001 finished")
        .says("still to be undone then, newest first: 0003-KB100001")
        .says("can no longer be undone: 0001-KB100001, 0002-KB100001");
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
        ["events.ndjson", "journal", "manifest.toml", "plan.json"]
    );
    assert_eq!(
        names(3),
        [
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
fn a_run_that_was_pruned_is_not_undone_and_says_why() {
    let (world, _) = with_runs(2);
    world.run("prune --keep 1 --yes").exits_with(exit::OK);
    world.run("undo 2 --yes").exits_with(exit::OK);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .says("the old objects of run 0001-KB100001 were cleared away")
        .tree_is_unchanged();
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .says("no run is unfinished")
        .does_not_say("takes back");
}

#[test]
fn what_is_kept_is_undone_to_the_byte() {
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
fn everything_else_works_on_after_a_prune() {
    let (world, _) = with_runs(2);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .says("no run can be undone then");
    world
        .run("verify")
        .exits_with(exit::OK)
        .says("everything matches")
        .nothing_was_touched();
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .says("nothing to do")
        .nothing_was_touched();
    world
        .run("status")
        .exits_with(exit::OK)
        .says("at rest")
        .does_not_say("slots: ")
        .nothing_was_touched();
    world
        .run("history")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let before = Listing::of(&world.deployment());
    world
        .run(AGAIN)
        .exits_with(exit::OK)
        .says("as run 0003-KB100001");
    world.run("undo last --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn history_tells_which_runs_can_still_be_undone() {
    let (world, _) = with_runs(3);
    let undoable = || {
        let told = world
            .run("history --format json")
            .exits_with(exit::OK)
            .json();
        let runs = told["runs"]
            .as_array()
            .expect("runs")
            .iter()
            .map(|run| run["undoable"].as_bool());
        runs.collect::<Vec<_>>()
    };
    assert_eq!(undoable(), [Some(true), Some(true), Some(true)]);
    world.run("prune --keep 2 --yes").exits_with(exit::OK);
    assert_eq!(undoable(), [Some(false), Some(true), Some(true)]);
    let ran = world
        .run("history")
        .exits_with(exit::OK)
        .says("can be undone")
        .nothing_was_touched();
    ran.says("cannot be undone any more: the old objects of run 0001-KB100001 were cleared away");
    world.run("undo 3 --yes").exits_with(exit::OK);
    assert_eq!(
        undoable(),
        [Some(false), Some(true), Some(false)],
        "what is undone is not undone again"
    );
}

#[test]
fn a_run_below_one_that_cannot_be_undone_cannot_be_either() {
    let (world, _) = with_runs(2);
    let world = world.remove(".rollup/runs/0002-KB100001/slots");
    world
        .run("history")
        .exits_with(exit::OK)
        .says("cannot be undone any more: run 0002-KB100001 came after it and cannot be undone");
}

#[test]
fn an_undone_run_takes_no_finished_ones_place() {
    let (world, _) = with_runs(3);
    world.run("undo 3 --yes").exits_with(exit::OK);
    world
        .run("prune --keep 1 --yes")
        .exits_with(exit::OK)
        .says("can no longer be undone: 0001-KB100001");
    assert_eq!(with_slots(&world), [2, 3]);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .says("can no longer be undone: 0002-KB100001");
    assert_eq!(with_slots(&world), [0; 0]);
}

#[test]
fn prune_needs_to_be_told_how_many_and_to_be_confirmed() {
    let (world, _) = with_runs(1);
    world
        .run("prune --yes")
        .exits_with(exit::USAGE)
        .says("--keep <N>")
        .nothing_was_touched();
    world
        .run("prune --keep 0")
        .exits_with(exit::USAGE)
        .says("`--yes` clears without asking")
        .nothing_was_touched();
    world
        .at_terminal("prune --keep 0", "n\n")
        .exits_with(exit::INTERRUPTED)
        .says("will be cleared");
    assert_eq!(with_slots(&world), [1]);
    world
        .at_terminal("prune --keep 0", "y\n")
        .exits_with(exit::OK)
        .says("can no longer be undone: 0001-KB100001");
    assert_eq!(with_slots(&world), [0; 0]);
}

#[test]
fn a_dry_run_shows_what_would_go_and_touches_nothing() {
    let (world, _) = with_runs(2);
    world
        .run("prune --keep 1 --dry-run")
        .exits_with(exit::OK)
        .says("0001-KB100001 finished")
        .says("this was a dry run")
        .nothing_was_touched();
}

#[test]
fn prune_does_nothing_where_nothing_is_left_to_clear() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .says("nothing to do")
        .nothing_was_touched();
    let (world, _) = with_runs(2);
    world
        .run("prune --keep 2 --yes")
        .exits_with(exit::OK)
        .says("nothing to do")
        .tree_is_unchanged();
    assert_eq!(with_slots(&world), [1, 2]);
}

#[test]
fn programs_are_told_what_went() {
    let (world, _) = with_runs(2);
    let kept = world
        .run("status --format json")
        .exits_with(exit::OK)
        .json();
    let told = world
        .run("prune --keep 1 --dry-run --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&told["schema"], &told["outcome"], &told["changed"]),
        (&json!(1), &json!("ok"), &json!(false))
    );
    let told = world
        .run("prune --keep 1 --yes --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&told["exit_code"], &told["changed"]),
        (&json!(0), &json!(true))
    );
    assert_eq!(told["given_up"], json!([run_name(1)]));
    assert_eq!(told["still_undoable"], json!([run_name(2)]));
    assert_eq!(told["runs"][0]["lost"], json!([]));
    let left = world
        .run("status --format json")
        .exits_with(exit::OK)
        .json();
    let bytes =
        |document: &serde_json::Value| document["old_objects"]["bytes"].as_u64().expect("bytes");
    assert_eq!(
        bytes(&kept) - bytes(&left),
        told["bytes"].as_u64().expect("bytes")
    );
    assert_eq!(left["old_objects"]["runs"], 1);
    let refused = world
        .run("prune --keep 1 --format json")
        .exits_with(exit::USAGE)
        .json();
    assert_eq!(
        (&refused["outcome"], &refused["changed"]),
        (&json!("usage"), &json!(false))
    );
}

#[test]
fn an_operators_late_file_among_the_old_objects_is_named_first() {
    let (world, _) = with_runs(1);
    let late = ".rollup/runs/0001-KB100001/slots/1/old/files/late.log";
    let world = world.put(late, "his own");
    world
        .run("prune --keep 0 --dry-run")
        .exits_with(exit::OK)
        .says(&format!(
            "would be lost: `deployment/{late}` is an operator's"
        ))
        .says("nothing brings back the 1 file named above");
    let told = world
        .run("prune --keep 0 --dry-run --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        told["runs"][0]["lost"],
        json!([{ "path": late, "what": "is an operator's" }])
    );
}

#[test]
fn a_file_changed_by_hand_that_an_undo_set_aside_is_named_first() {
    let (world, _) = with_runs(1);
    let world = world.put(RECORD, "changed");
    world.run("undo 1 --yes").exits_with(exit::MISMATCH);
    world
        .run("undo 1 --yes --discard-changes")
        .exits_with(exit::OK);
    let ran = world
        .run("prune --keep 0 --dry-run")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("new/state.toml` was changed by hand")
        .says("nothing brings back the 1 file named above");
}

#[test]
fn what_the_plans_know_is_not_called_lost() {
    let (world, _) = with_runs(3);
    world.run("undo 3 --yes").exits_with(exit::OK);
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .does_not_say("lost")
        .does_not_say("warning");
}

#[test]
fn a_run_that_is_open_is_left_alone_and_told() {
    let (world, _) = with_runs(2);
    world
        .run("stage small.toml --yes --reapply")
        .exits_with(exit::OK);
    let staged = Listing::strict(&world.run_directory(&run_name(3)));
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .says("left alone: run 0003-KB100001, which is staged");
    staged.assert_same(&Listing::strict(&world.run_directory(&run_name(3))));
    assert_eq!(with_slots(&world), [3]);

    let (world, states) = with_runs(1);
    world
        .run(&format!("{AGAIN} --stop-before install"))
        .exits_with(exit::STOPPED);
    let unfinished = Listing::strict(&world.run_directory(&run_name(2)));
    world
        .run("prune --keep 0 --yes")
        .exits_with(exit::OK)
        .says("left alone: run 0002-KB100001, which is unfinished");
    unfinished.assert_same(&Listing::strict(&world.run_directory(&run_name(2))));
    world.run("undo --yes").exits_with(exit::OK);
    states[1].assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn slots_of_an_open_run_are_not_cleared_even_if_it_is_asked_for() {
    let (world, _) = with_runs(1);
    world
        .run(&format!("{AGAIN} --stop-before install"))
        .exits_with(exit::STOPPED);
    let tree = Tree::open(&world.deployment()).expect("the deployment exists");
    let disk = LockedDeployment::lock(tree, "prune", Duration::from_secs(10))
        .expect("nobody else is at work");
    let runs = runs(disk.tree()).expect("the journals can be read");
    run::prune(&disk, &runs.iter().collect::<Vec<_>>()).expect("the finished run can be pruned");
    assert_eq!(with_slots(&world), [2]);
}

#[test]
#[ignore = "needs root and chattr"]
fn what_cannot_be_removed_is_told_and_stops_no_later_command() {
    let (world, states) = with_runs(2);
    let fixed = |at: &Path, mark: &str| {
        let status = Command::new("chattr").arg(mark).arg(at).status();
        assert!(
            status.expect("chattr can be run").success(),
            "this file system has no such marks"
        );
    };
    fixed(
        &world
            .run_directory(&run_name(1))
            .join("slots/1/old/state.toml"),
        "+i",
    );
    let ran = world
        .run("prune --keep 1 --yes")
        .exits_with(exit::IO)
        .says("cannot remove");
    ran.says("now: the old objects of 0001-KB100001 are gone; all other runs are as they were");
    world.run("undo 2 --yes").exits_with(exit::OK);
    states[1].assert_same(&Listing::of(&world.deployment()));
    fixed(&world.live(".rollup/trash/slots/1/old/state.toml"), "-i");
    world.run("prune --keep 1 --yes").exits_with(exit::OK);
    assert_eq!(
        fs::read_dir(world.live(".rollup/trash"))
            .expect("a directory")
            .count(),
        0
    );
}

/// Counts changes; from the fatal one on, none gets through.
struct Death {
    seen: Arc<AtomicUsize>,
    at: usize,
}

impl FaultInjector for Death {
    fn before(&self, _: Change<'_>) -> io::Result<()> {
        match self.seen.fetch_add(1, Ordering::SeqCst) + 1 >= self.at {
            true => Err(io::Error::other("the process is dead")),
            false => Ok(()),
        }
    }
}

/// Prunes all but the newest run as the command does, and counts the changes.
fn prune(deployment: &Path, at: usize) -> (Result<(), DiskError>, usize) {
    let tree = Tree::open(deployment).expect("the deployment is there");
    // A process that another test starts holds every lock of this one until it runs its own
    // program.
    let disk = LockedDeployment::lock(tree, "prune", Duration::from_secs(10))
        .expect("nobody else is at work");
    let seen = Arc::new(AtomicUsize::new(0));
    let disk = disk.with_injector(Arc::new(Death {
        seen: Arc::clone(&seen),
        at,
    }));
    let cleared = run::clear_the_way(&disk);
    let runs = runs(disk.tree()).expect("the journals can be read");
    let old: Vec<&Run> = runs.iter().rev().skip(1).collect();
    let pruned = run::prune(&disk, &old);
    assert!(cleared.is_ok(), "{cleared:?}");
    (pruned, seen.load(Ordering::SeqCst))
}

#[test]
fn a_prune_that_dies_at_any_change_leaves_everything_working_and_is_done_again() {
    let (world, states) = with_runs(3);
    let (pruned, changes) = prune(world.copy().at("deployment").as_path(), usize::MAX);
    assert!(pruned.is_ok() && changes > 30, "{changes}: {pruned:?}");
    for at in 1..=changes {
        let world = world.copy();
        let (died, _) = prune(&world.deployment(), at);
        assert!(died.is_err(), "death at change {at} went by unnoticed");
        states[3].assert_same(&Listing::of(&world.deployment()));
        for number in with_slots(&world) {
            // Whole, or not there at all: an undo up to it would find everything.
            let told = format!("death at change {at}, run {number}");
            let tree = Tree::open(&world.deployment()).expect("the deployment is there");
            let runs = runs(&tree).expect(&told);
            let no_return = run::no_return(&tree, &runs).expect(&told);
            assert!(
                !no_return.contains_key(&(number as u32)),
                "{told}: {no_return:?}"
            );
            assert_eq!(run::lost(&tree, &runs[number - 1]).expect(&told), []);
        }
        let is_undone = at % 7 == 1;
        if is_undone {
            world.run("status").exits_with(exit::OK).says("at rest");
            world.run("verify").exits_with(exit::OK);
            world.run("undo 3 --yes").exits_with(exit::OK);
            states[2].assert_same(&Listing::of(&world.deployment()));
        }
        let (keep, left): (usize, &[usize]) = if is_undone { (0, &[]) } else { (1, &[3]) };
        world
            .run(&format!("prune --keep {keep} --yes"))
            .exits_with(exit::OK);
        assert_eq!(with_slots(&world), left, "death at change {at}");
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
                "death at change {at}"
            );
        }
    }
}
