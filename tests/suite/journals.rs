//! Damaged journals: a torn last line counts as not written; other damage stops only what it concerns.

use std::fs;

use crate::listing::Listing;
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

/// Changes one byte in the second line.
fn damaged(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes
        .iter()
        .position(|&byte| byte == b'\n')
        .expect("two lines");
    bytes[end + 30] ^= 1;
    bytes
}

#[test]
fn an_interrupted_run_with_a_damaged_journal_is_named_and_left_alone() {
    let world = interrupted();
    let bytes = damaged(journal(&world));
    let world = with_journal(world, &bytes);
    for (command, code) in [
        ("status", exit::NEEDS_ATTENTION),
        ("history", exit::OK),
        ("report last", exit::OK),
        ("resume --yes", exit::NEEDS_ATTENTION),
        ("undo --yes", exit::NEEDS_ATTENTION),
        ("undo 1 --yes", exit::NEEDS_ATTENTION),
    ] {
        let ran = world.run(command).exits_with(code).tree_is_unchanged();
        ran.prints("is damaged in line 2");
    }
    for (command, code) in [
        (APPLY_SMALL, exit::NOT_READY),
        ("verify", exit::NEEDS_ATTENTION),
        ("tree", exit::OK),
    ] {
        world.run(command).exits_with(code).tree_is_unchanged();
    }
    world.run("verify").does_not_print("everything matches");
    assert_eq!(journal(&world), bytes, "a damaged journal was written to");
}

#[test]
fn an_interrupted_run_is_finished_or_rolled_back_from_its_slots() {
    let before = Listing::of(&small_world(UPDATE_PROVIDER).deployment());
    let done = small_world(UPDATE_PROVIDER);
    done.run(APPLY_SMALL).exits_with(exit::OK);
    let after = Listing::of(&done.deployment());
    for (command, tree) in [("undo", before), ("resume", after.without_times())] {
        for damage in [
            damaged,
            |_| Vec::new(),
            |bytes: Vec<u8>| bytes[..10].to_vec(),
        ] {
            let world = interrupted();
            let bytes = damage(journal(&world));
            let world = with_journal(world, &bytes);
            world
                .run(&format!("{command} --yes --from-slots"))
                .exits_with(exit::OK);
            let found = Listing::of(&world.deployment());
            match command {
                "undo" => tree.assert_same(&found),
                _ => tree.assert_same(&found.without_times()),
            }
            world.run("status").exits_with(exit::OK).prints("clean");
            let kept = fs::read(world.live(RUN).join("journal.damaged.1"));
            assert_eq!(kept.expect("the damaged journal is kept"), bytes);
            world.run("verify").exits_with(exit::OK);
        }
    }
}

#[test]
fn every_damaged_journal_of_a_run_is_kept() {
    let mut world = interrupted();
    for (number, command) in [(1, "resume"), (2, "undo 1")] {
        let bytes = damaged(journal(&world));
        world = with_journal(world, &bytes);
        world
            .run(&format!("{command} --yes --from-slots"))
            .exits_with(exit::OK);
        let kept = fs::read(world.live(RUN).join(format!("journal.damaged.{number}")));
        assert_eq!(kept.expect("the damaged journal is kept"), bytes);
    }
}

#[test]
fn a_missing_journal_is_rebuilt_too() {
    let before = Listing::of(&small_world(UPDATE_PROVIDER).deployment());
    let world = interrupted().remove(&format!("{RUN}/journal"));
    world
        .run("undo --yes")
        .exits_with(exit::NEEDS_ATTENTION)
        .tree_is_unchanged();
    world.run("undo --yes --from-slots").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_finished_run_with_a_damaged_journal_stops_only_its_own_undo() {
    let before = Listing::of(&small_world(UPDATE_PROVIDER).deployment());
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let bytes = damaged(journal(&world));
    let world = with_journal(world, &bytes);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("finished, by its slots: its journal is damaged");
    world.run("verify").exits_with(exit::OK);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged()
        .prints("--from-slots");
    world
        .run("apply small.toml --yes --reapply")
        .exits_with(exit::OK);
    world.run("undo 2 --yes").exits_with(exit::OK);
    world.run("undo 1 --yes --from-slots").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

/// A run that lost its closing record is not open beneath a later one: its rollback would take that one's
/// objects away.
#[test]
fn an_older_run_without_its_last_record_is_not_walked_beneath_later_ones() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("apply small.toml --yes --reapply")
        .exits_with(exit::OK);
    let text = String::from_utf8(journal(&world)).expect("text");
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let world = with_journal(world, lines[..lines.len() - 1].concat().as_bytes());
    let after = Listing::of(&world.deployment());
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("a later run exists");
    for command in ["undo --yes", "undo --yes --discard-changes", "resume --yes"] {
        world
            .run(command)
            .exits_with(exit::OK)
            .prints("nothing to do")
            .tree_is_unchanged();
    }
    world
        .run("undo 1 --yes --discard-changes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    after.assert_same(&Listing::of(&world.deployment()));
    // In order, both come back.
    world.run("undo 2 --yes").exits_with(exit::OK);
    world.run("undo 1 --yes --from-slots").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

/// Such a run looks like one that died while staging: no old object is in its slots.
#[test]
fn a_run_that_only_brought_new_files_keeps_its_directory_without_its_journal() {
    let copy = "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"web\"\nfiles = [\"Tool.txt\"]\n\
                [payload]\nfiles = [{ name = \"Tool.txt\" }]\n";
    for left in [0, 1] {
        let world = small_world(copy);
        let before = Listing::of(&world.deployment());
        world.run(APPLY_SMALL).exits_with(exit::OK);
        let text = String::from_utf8(journal(&world)).expect("text");
        let kept: Vec<&str> = text.split_inclusive('\n').take(left).collect();
        let world = with_journal(world, kept.concat().as_bytes());
        world
            .run(APPLY_SMALL)
            .exits_with(exit::OK)
            .does_not_print("died while staging")
            .tree_is_unchanged();
        world.run("undo 1 --yes --from-slots").exits_with(exit::OK);
        before.assert_same(&Listing::of(&world.deployment()));
    }
}

#[test]
fn a_slot_that_a_rollback_does_not_need_does_not_stop_it() {
    let before = Listing::of(&small_world(UPDATE_PROVIDER).deployment());
    let world = interrupted();
    let slots = fs::read_dir(world.live(RUN).join("slots")).expect("slots");
    let last = slots.filter_map(|slot| {
        let slot = slot.expect("listed").path();
        let is_waiting = slot.join("new").exists() && !slot.join("old").exists();
        is_waiting.then(|| slot.join("new"))
    });
    for new in last {
        match new.is_dir() {
            true => fs::remove_dir_all(new),
            false => fs::remove_file(new),
        }
        .expect("removed");
    }
    world
        .run("resume --yes")
        .exits_with(exit::NEEDS_ATTENTION)
        .tree_is_unchanged();
    world.run("undo --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_missing_directory_of_runs_is_damage() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.rename(".rollup/runs", "elsewhere");
    for command in [
        "status",
        "history",
        "verify",
        "undo last --yes",
        APPLY_SMALL,
    ] {
        world
            .run(command)
            .exits_with(exit::NEEDS_ATTENTION)
            .tree_is_unchanged()
            .prints("runs` is missing");
    }
}

#[test]
fn the_plan_of_a_closed_run_is_needed_by_its_own_undo_and_comparison_only() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file(&format!("{RUN}/plan.json"), "{}");
    world
        .run("verify")
        .exits_with(exit::NEEDS_ATTENTION)
        .prints("plan.json")
        .does_not_print("everything matches");
    world.run("undo last --yes").tree_is_unchanged();
    world
        .run("apply small.toml --yes --reapply")
        .exits_with(exit::OK);
}

#[test]
fn a_quarantined_run_with_objects_of_empty_paths_is_a_fault_for_verify() {
    let world = interrupted();
    let bytes = damaged(journal(&world));
    let world = with_journal(world, &bytes);
    world
        .run("accept --yes --reason broken")
        .exits_with(exit::OK)
        .prints("is quarantined");
    // The provider was uninstalled and is installed again later; its directory is there.
    let world = world.remove("Share/Provider.msi");
    let slots = world.live(".rollup/runs/0001-KB100001.quarantined/slots");
    let holds = walkdir::WalkDir::new(slots).into_iter().flatten();
    assert!(holds.into_iter().any(|entry| entry.file_name() == "old"));
    world
        .run("verify")
        .exits_with(exit::NEEDS_ATTENTION)
        .prints("`Share/Provider.msi` is gone")
        .does_not_print("everything matches");
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
        ran.prints("its slots show that the run is further");
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
fn a_journal_that_lost_the_record_of_its_commit_is_named() {
    let world = interrupted();
    let text = String::from_utf8(journal(&world)).expect("text");
    let staged: Vec<&str> = text.split_inclusive('\n').take(2).collect();
    for left in [staged.concat().into_bytes(), Vec::new()] {
        let world = with_journal(interrupted(), &left);
        for command in ["status", "undo --yes", "resume --yes"] {
            let ran = world
                .run(command)
                .exits_with(exit::NEEDS_ATTENTION)
                .tree_is_unchanged();
            ran.prints("its slots show that the run is further");
        }
    }
}

#[test]
fn damaged_attributes_beside_a_damaged_journal_are_refused_by_name() {
    let world = interrupted();
    let bytes = damaged(journal(&world));
    let world = with_journal(world, &bytes);
    let attributes = world.live(RUN).join("attributes");
    let kept = fs::read(&attributes).expect("the attributes");
    fs::write(&attributes, "{\"path\": \"Th").expect("written");
    for command in ["resume --yes --from-slots", "undo --yes --from-slots"] {
        let ran = world.run(command).tree_is_unchanged();
        ran.exits_with(exit::IO)
            .prints("0001-KB100001/attributes`")
            .prints("now: this command changed nothing");
    }
    fs::write(&attributes, kept).expect("written");
    world.run("undo --yes --from-slots").exits_with(exit::OK);
}
