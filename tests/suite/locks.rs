//! One writer at a time: the second one names the first, or waits.

use std::fs::File;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

/// Takes the lock as another process of the program does.
fn locked(world: &World, doing: &str) -> LockedDeployment {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    LockedDeployment::lock(tree, doing, Duration::ZERO).expect("the lock is free")
}

#[test]
fn the_rename_that_creates_rollups_directory_decides_who_is_first() {
    let world = World::with_deployment();
    let (mut first, mut second) = (locked(&world, "one"), locked(&world, "two"));
    first.create_rollup_directory("one").expect("it is first");
    let refused = second.create_rollup_directory("two").expect_err("a second");
    let message = format!("process {} of ", std::process::id());
    assert!(refused.to_string().contains(&message), "{refused}");
    assert_eq!(
        world.live(".rollup/lock").exists(),
        first.has_rollup_directory().expect("read")
    );
    let names = std::fs::read_dir(world.deployment()).expect("a directory");
    let unfinished = names.filter(|entry| {
        let name = entry.as_ref().expect("read").file_name();
        name.to_string_lossy().starts_with(".rollup-")
    });
    assert_eq!(unfinished.count(), 0);
    drop(first);
    world.run(APPLY).exits_with(exit::OK);
}

#[test]
fn there_is_no_lock_before_rollups_directory_exists() {
    let world = World::with_deployment();
    let root = File::open(world.deployment()).expect("a directory");
    root.try_lock().expect("the lock is free");
    world
        .run("apply kb952076.toml --dry-run")
        .exits_with(exit::OK);
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
        ran.prints(&format!("process {} of ", std::process::id()))
            .prints("(apply KB123456)")
            .prints("now: this command changed nothing");
    }
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("in progress: process")
        .prints("apply KB123456");
    drop(first);
    world
        .run("status")
        .exits_with(exit::OK)
        .does_not_print("in progress: process");
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn a_name_left_by_a_dead_process_does_not_hold_the_lock() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    drop(locked(&world, "apply KB123456"));
    assert!(world.read(".rollup/lock.owner").contains("KB123456"));
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .prints("nothing to do");
    world.run("status").does_not_print("in progress: process");
}

#[test]
fn a_later_process_with_the_same_number_is_not_the_owner_of_the_lock() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let held = locked(&world, "apply KB123456");
    let owner = world.read(".rollup/lock.owner");
    let started = owner.lines().find(|line| line.starts_with("started = "));
    let started = started.expect("the start of the process").to_owned();
    let world = world.edit("deployment/.rollup/lock.owner", &started, "started = 1");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints(&format!("in progress: process {}", std::process::id()))
        .does_not_print("KB123456");
    drop(held);
}

#[test]
fn readers_do_not_wait_for_the_lock() {
    let world = World::with_deployment();
    let mut first = locked(&world, "apply KB123456");
    first
        .create_rollup_directory("apply KB123456")
        .expect("made");
    for command in [
        "plan kb952076.toml",
        "apply kb952076.toml --dry-run",
        "status",
        "history",
        "tree",
        "verify",
    ] {
        world.run(command).exits_with(exit::OK).tree_is_unchanged();
    }
}

#[test]
fn a_second_apply_waits_as_long_as_the_timeout() {
    let world = World::with_deployment();
    let mut first = locked(&world, "apply KB123456");
    first
        .create_rollup_directory("apply KB123456")
        .expect("made");
    let begun = Instant::now();
    world
        .run("apply kb952076.toml --yes --lock-timeout 1")
        .exits_with(exit::LOCKED)
        .tree_is_unchanged();
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
    assert!(!world.live("applied").exists(), "it did not wait");
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
fn only_one_of_many_concurrent_applies_does_the_work() {
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
    let mut nothing_to_do: Vec<bool> = Vec::new();
    for output in outputs {
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{stdout}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        nothing_to_do.push(stdout.contains("nothing to do: KB952076"));
    }
    assert_eq!(nothing_to_do.iter().filter(|nothing| !**nothing).count(), 1);
    assert!(
        world.run_directory("0001-KB952076").exists()
            && !world.run_directory("0002-KB952076").exists()
    );
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn one_of_two_concurrent_applies_wins_and_the_other_names_the_holder_of_the_lock() {
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
    let (mut refused, mut named) = (0, 0);
    for round in 1..=40 {
        let children = [start(), start()];
        let other = [children[1].id(), children[0].id()];
        let mut applied = 0;
        for (child, other) in children.into_iter().zip(other) {
            let output = child.wait_with_output().expect("it ends");
            let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            match output.status.code() {
                Some(exit::OK) => {
                    applied += usize::from(stdout.contains("the result matches the plan"))
                }
                Some(exit::LOCKED) => {
                    refused += 1;
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
        refused > 20 && named > refused / 2,
        "{refused} were refused, {named} with a name"
    );
}

#[test]
fn a_missing_lock_file_blocks_no_command() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.remove(".rollup/lock");
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .prints("is undone");
}

#[test]
fn who_it_was_is_asked_of_the_system_and_not_of_the_environment() {
    let world = small_world(UPDATE_PROVIDER);
    let mut apply = world.command(APPLY_SMALL);
    for (name, claimed) in [
        ("USER", "alice"),
        ("LOGNAME", "alice"),
        ("SUDO_USER", "bob"),
    ] {
        apply.env(name, claimed);
    }
    assert!(apply.output().expect("it runs").status.success());
    let has_login = std::fs::read_to_string("/proc/self/loginuid")
        .is_ok_and(|uid| uid.trim() != u32::MAX.to_string());
    let is_claimed = rustix::process::getuid().is_root() && !has_login;
    for command in ["history", "report last"] {
        let ran = world
            .run(command)
            .exits_with(exit::OK)
            .does_not_print("alice");
        assert_eq!(
            ran.output_contains("(claimed: bob)"),
            is_claimed,
            "{command}"
        );
    }
}
