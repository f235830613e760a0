//! Damaged journals: a torn last line counts as not written; every command reports any other damage
//! and refuses to continue.

use std::fs;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const RUN: &str = ".rollup/runs/0001-KB100001";

/// Returns a world with a run that is stopped in the middle.
fn interrupted() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    world
}

fn journal(world: &World) -> Vec<u8> {
    fs::read(world.live(RUN).join("journal")).expect("a journal")
}

fn with_journal(world: World, bytes: &[u8]) -> World {
    fs::write(world.live(RUN).join("journal"), bytes).expect("written");
    world
}

#[test]
fn damage_in_the_middle_is_reported_and_refused_by_every_command() {
    let world = interrupted();
    let mut bytes = journal(&world);
    let second = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("two lines")
        + 30;
    bytes[second] ^= 1;
    let world = with_journal(world, &bytes);
    let commands = [
        "status",
        "history",
        "tree",
        "verify",
        "resume --yes",
        "undo --yes",
        "undo 1 --yes",
        APPLY_SMALL,
    ];
    for command in commands {
        let ran = world
            .run(command)
            .exits_with(exit::NEEDS_ATTENTION)
            .tree_is_unchanged();
        ran.prints("is damaged in line 2")
            .prints("rollup explain recovery");
    }
    assert_eq!(journal(&world), bytes, "a damaged journal was written to");
}

#[test]
fn damage_after_a_closed_run_was_reopened_is_not_a_torn_line() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    let mut bytes = journal(&world);
    let reopened = bytes
        .windows(8)
        .position(|word| word == b"reopened")
        .expect("the undo is recorded");
    bytes[reopened] ^= 1;
    let world = with_journal(world, &bytes);
    for command in ["status", "history", "undo last --yes", APPLY_SMALL] {
        world
            .run(command)
            .exits_with(exit::NEEDS_ATTENTION)
            .tree_is_unchanged()
            .prints("is damaged in line 5");
    }
}

#[test]
fn a_lost_line_is_damage() {
    let world = interrupted();
    let text = String::from_utf8(journal(&world)).expect("text");
    let kept: Vec<&str> = text
        .split_inclusive('\n')
        .enumerate()
        .filter(|(at, _)| *at != 1)
        .map(|(_, l)| l)
        .collect();
    let world = with_journal(world, kept.concat().as_bytes());
    // Only two lines are left, and the second one could be torn: the slots show that it is not.
    world
        .run("resume --yes")
        .exits_with(exit::NEEDS_ATTENTION)
        .tree_is_unchanged()
        .prints("damaged");
}

#[test]
fn a_line_of_another_journal_is_damage() {
    let other = String::from_utf8(journal(&interrupted())).expect("text");
    let world = interrupted();
    let text = String::from_utf8(journal(&world)).expect("text");
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines[1] = other.split_inclusive('\n').nth(1).expect("two lines");
    let world = with_journal(world, lines.concat().as_bytes());
    world
        .run("status")
        .exits_with(exit::NEEDS_ATTENTION)
        .tree_is_unchanged()
        .prints("is damaged in line 2");
}

#[test]
fn a_torn_last_line_is_normal() {
    for cut in [1, 20, 60] {
        let world = interrupted();
        // The undo adds records; the last one is torn.
        world.run("undo --yes").exits_with(exit::OK);
        let bytes = journal(&world);
        let world = with_journal(world, &bytes[..bytes.len() - cut]);
        world
            .run("status")
            .exits_with(exit::STOPPED)
            .prints("unfinished, rolling back");
        world
            .run("undo --yes")
            .exits_with(exit::OK)
            .prints("is undone");
        world
            .run("status")
            .exits_with(exit::OK)
            .prints("clean: no run in progress");
    }
}

#[test]
fn a_damaged_last_line_is_a_torn_line() {
    let world = interrupted();
    world.run("undo --yes").exits_with(exit::OK);
    let mut bytes = journal(&world);
    let middle = bytes.len() - 30;
    bytes[middle] ^= 1;
    let world = with_journal(world, &bytes);
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints("unfinished, rolling back");
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .prints("is undone");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
}

#[test]
fn a_staged_run_that_lost_an_object_is_damaged() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    let slot = world.live(RUN).join("slots/1");
    fs::rename(slot.join("new"), slot.join("lost")).expect("every slot has a new object");
    for command in ["status", "resume --yes", "undo --yes"] {
        let ran = world
            .run(command)
            .exits_with(exit::NEEDS_ATTENTION)
            .tree_is_unchanged();
        ran.prints("its slots show that the commit began, and no record announces it");
    }
}

#[test]
fn a_newer_format_is_refused_and_named() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file(".rollup/format", "2\n");
    for command in ["status", "undo last --yes", APPLY_SMALL, "verify"] {
        let ran = world
            .run(command)
            .exits_with(exit::INVALID)
            .tree_is_unchanged();
        ran.prints("`.rollup` has format 2; this rollup understands format 1")
            .prints("use the version of rollup that wrote it");
    }
}

#[test]
fn a_plan_that_was_changed_by_hand_is_refused() {
    let world = interrupted();
    let plan = fs::read_to_string(world.live(RUN).join("plan.json")).expect("a plan");
    let world = world.write_file(
        &format!("{RUN}/plan.json"),
        plan.replacen("Things/Provider", "Things/Provoder", 1),
    );
    for command in ["resume --yes", "undo --yes"] {
        let ran = world
            .run(command)
            .exits_with(exit::NEEDS_ATTENTION)
            .tree_is_unchanged();
        ran.prints("its digests do not match its contents");
    }
    world
        .run("status")
        .exits_with(exit::NEEDS_ATTENTION)
        .prints("needs attention")
        .prints("rollup explain recovery");
}

#[test]
fn a_journal_that_lost_the_record_of_its_commit_is_reported_by_every_command() {
    let world = interrupted();
    let text = String::from_utf8(journal(&world)).expect("text");
    let staged: Vec<&str> = text.split_inclusive('\n').take(2).collect();
    for left in [staged.concat().into_bytes(), Vec::new()] {
        let world = with_journal(interrupted(), &left);
        for command in [
            "status",
            "history",
            "tree",
            "verify",
            "undo --yes",
            "resume --yes",
        ] {
            let ran = world
                .run(command)
                .exits_with(exit::NEEDS_ATTENTION)
                .tree_is_unchanged();
            ran.prints("its slots show that the commit began, and no record announces it");
        }
    }
}
