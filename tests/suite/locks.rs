//! One writer at a time; the second names the first, or waits.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

/// Takes the lock as another program of ours would.
fn locked(world: &World, doing: &str) -> LockedDeployment {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    LockedDeployment::lock(tree, doing, Duration::ZERO).expect("nobody has the lock")
}

#[test]
fn a_second_apply_is_told_that_somebody_is_at_work() {
    let world = World::with_deployment();
    let first = File::open(world.deployment()).expect("a directory");
    first.try_lock().expect("nobody has the lock");
    let ran = world
        .run(APPLY)
        .exits_with(exit::LOCKED)
        .nothing_was_touched();
    // Nobody could leave word yet of who he is; the system knows his number.
    let told = format!(
        "process {} is at work on this deployment",
        std::process::id()
    );
    ran.says(&told).says("--lock-timeout");
    drop(first);
    world.run(APPLY).exits_with(exit::OK);
}

#[test]
fn the_owner_of_the_lock_is_named() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let first = locked(&world, "apply KB123456");
    for command in [APPLY, "undo --yes", "resume --yes", "prune --keep 0 --yes"] {
        let ran = world
            .run(command)
            .exits_with(exit::LOCKED)
            .tree_is_unchanged();
        ran.says(&format!("process {} of ", std::process::id()))
            .says("(apply KB123456)")
            .says("now: this command changed nothing");
    }
    world
        .run("status")
        .exits_with(exit::OK)
        .says("at work")
        .says("apply KB123456");
    drop(first);
    world
        .run("status")
        .exits_with(exit::OK)
        .does_not_say("at work");
    world.run(APPLY).exits_with(exit::OK).says("nothing to do");
}

#[test]
fn the_lock_is_not_held_by_a_name_that_a_dead_process_left() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    drop(locked(&world, "apply KB123456"));
    assert!(world.read(".rollup/lock.owner").contains("KB123456"));
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .says("nothing to do");
    world.run("status").does_not_say("at work");
}

#[test]
fn reading_waits_for_nobody() {
    let world = World::with_deployment();
    let first = File::open(world.deployment()).expect("a directory");
    first.try_lock().expect("nobody has the lock");
    for command in [
        "plan kb952076.toml",
        "apply kb952076.toml --dry-run",
        "status",
        "history",
        "tree",
        "verify",
    ] {
        world
            .run(command)
            .exits_with(exit::OK)
            .nothing_was_touched();
    }
}

#[test]
fn a_second_apply_waits_as_long_as_it_is_told() {
    let world = World::with_deployment();
    let first = File::open(world.deployment()).expect("a directory");
    first.try_lock().expect("nobody has the lock");
    let begun = Instant::now();
    world
        .run("apply kb952076.toml --yes --lock-timeout 1")
        .exits_with(exit::LOCKED)
        .nothing_was_touched();
    assert!(
        begun.elapsed() >= Duration::from_secs(1),
        "it waited only {:?}",
        begun.elapsed()
    );
    let mut second = world.command("apply kb952076.toml --yes --lock-timeout 60");
    let second = second
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    std::thread::sleep(Duration::from_millis(300));
    assert!(!world.live("applied.toml").exists(), "it did not wait");
    drop(first);
    let output = second.wait_with_output().expect("it ends");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn of_many_applies_at_once_one_does_the_work() {
    let world = World::with_deployment();
    let start = || {
        let mut command = world.command("apply kb952076.toml --yes --lock-timeout 60");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs")
    };
    let all: Vec<_> = (0..4).map(|_| start()).collect();
    let outputs = all
        .into_iter()
        .map(|child| child.wait_with_output().expect("it ends"));
    let mut said: Vec<bool> = Vec::new();
    for output in outputs {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        said.push(stdout.contains("nothing to do: KB952076"));
    }
    assert_eq!(said.iter().filter(|nothing| !**nothing).count(), 1);
    assert!(
        world.run_directory("0001-KB952076").exists()
            && !world.run_directory("0002-KB952076").exists()
    );
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn of_two_applies_started_together_one_wins_and_the_other_says_who_holds_the_lock() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let start = || {
        let mut command = world.command(APPLY_SMALL);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs")
    };
    let (mut turned_away, mut named) = (0, 0);
    for round in 1..=40 {
        let children = [start(), start()];
        let other = [children[1].id(), children[0].id()];
        let mut applied = 0;
        for (child, other) in children.into_iter().zip(other) {
            let output = child.wait_with_output().expect("it ends");
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                Some(exit::OK) => applied += usize::from(stdout.contains("as previewed")),
                Some(exit::LOCKED) => {
                    turned_away += 1;
                    // A holder that is about to end may be gone before it can be named.
                    named += usize::from(stderr.contains(&format!("process {other}")));
                    assert!(stderr.contains("is at work on this deployment"), "{stderr}");
                }
                code => panic!("round {round}: {code:?}\n{stdout}{stderr}"),
            }
        }
        assert_eq!(applied, 1, "round {round}");
        if round % 10 == 0 {
            world.run("verify").exits_with(exit::OK);
        }
        world.run("undo last --yes").exits_with(exit::OK);
        before.assert_same(&Listing::of(&world.deployment()));
    }
    assert!(
        turned_away > 20 && named > turned_away / 2,
        "{turned_away} were turned away, {named} with a name"
    );
}

#[test]
fn a_lock_file_that_somebody_removed_keeps_nobody_out() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.remove(".rollup/lock");
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .says("is undone");
}
