//! Formats of a newer version of rollup: each is refused by its name before anything is read or
//! written, whatever else is in it.

use std::fs;

use rollup::names::Digest;
use serde_json::{Value, json};

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{CommandRun, World, exit};

const RUN: &str = ".rollup/runs/0001-KB100001";
const STOP: &str = "apply small.toml --yes --stop-before install";

/// Checks that a command refused something with a newer format, and changed nothing.
#[track_caller]
fn refused(ran: CommandRun<'_>, format: &str) {
    ran.exits_with(exit::INVALID)
        .tree_is_unchanged()
        .prints(format)
        .prints("made by a newer rollup; rollup 0.1.0 understands")
        .prints("next: install the rollup that made it, or a later one");
}

fn applied() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
}

fn stopped() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world.run(STOP).exits_with(exit::STOPPED);
    world
}

/// Gives a record, which may have keys that this version does not know, the next schema.
fn with_newer_record(world: World, path: &str) -> World {
    let text = world.read(path);
    assert!(text.starts_with("schema = 1\n"), "{text}");
    let newer = text.replacen("schema = 1\n", "schema = 2\nnews = { of = 2 }\n", 1);
    world.write_file(path, newer)
}

/// Gives a plan the next schema, and a key that this version does not know.
fn with_newer_plan(world: World, path: &str) -> World {
    let text = fs::read_to_string(world.at(path)).expect("a plan");
    let mut plan: Value = serde_json::from_str(&text).expect("JSON");
    plan["schema"] = json!(2);
    plan["news"] = json!({ "of": 2 });
    fs::write(world.at(path), plan.to_string()).expect("written");
    world
}

/// Gives the journal of the run the next format, and checksums that are right for it.
fn with_newer_journal(world: World) -> World {
    let path = format!("{RUN}/journal");
    let mut last = String::new();
    let mut text = String::new();
    for (number, line) in (1..).zip(world.read(&path).lines()) {
        let json = line.splitn(3, ' ').nth(2).expect("a record");
        let json = json.replacen("\"format\":1", "\"format\":2,\"news\":true", 1);
        last =
            Digest::of(format!("{last} {number} {json}").as_bytes()).to_string()[..16].to_owned();
        text += &format!("{number} {last} {json}\n");
    }
    world.write_file(&path, text)
}

#[test]
fn a_directory_of_a_newer_rollup_is_refused() {
    for world in [applied(), stopped()] {
        let world = world.write_file(".rollup/format", "2\n");
        for command in [
            "status",
            "history",
            "report last",
            "tree",
            "verify",
            "plan small.toml",
            APPLY_SMALL,
            "stage small.toml --yes",
            "resume --yes",
            "undo last --yes",
            "undo --from-slots --yes",
            "accept --reason test --yes",
            "prune --keep 0 --yes",
        ] {
            refused(world.run(command), "`.rollup` has format 2");
        }
    }
}

#[test]
fn a_format_that_is_not_a_number_is_damage_and_not_a_newer_rollup() {
    for text in ["", "0\n", "one\n", "1 2\n"] {
        let world = applied().write_file(".rollup/format", text);
        for command in ["status", "undo last --yes", APPLY_SMALL] {
            world
                .run(command)
                .exits_with(exit::NEEDS_ATTENTION)
                .nothing_was_touched()
                .prints("`.rollup/format` is damaged")
                .does_not_print("newer");
        }
    }
}

#[test]
fn a_journal_of_a_newer_rollup_is_refused() {
    for world in [applied(), stopped()] {
        let world = with_newer_journal(world);
        for command in [
            "status",
            "history",
            "report last",
            "verify",
            APPLY_SMALL,
            "resume --yes",
            "resume --from-slots --yes",
            "undo last --yes",
            "undo last --from-slots --yes",
            "accept --reason test --yes",
            "prune --keep 0 --yes",
        ] {
            refused(world.run(command), "0001-KB100001/journal` has format 2");
        }
    }
}

#[test]
fn the_plan_of_a_run_of_a_newer_rollup_is_refused() {
    let path = format!("deployment/{RUN}/plan.json");
    let world = with_newer_plan(applied(), &path);
    refused(world.run("undo last --yes"), "it has schema 2");
    let world = with_newer_plan(stopped(), &path);
    for command in [
        "status",
        "tree",
        "resume --yes",
        "resume --from-slots --yes",
        "undo --yes",
        "undo --from-slots --yes",
        "accept --reason test --yes",
    ] {
        refused(world.run(command), "it has schema 2");
    }
}

#[test]
fn a_saved_plan_of_a_newer_rollup_is_refused() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    let world = with_newer_plan(world, "plan.json");
    for command in [
        "show plan.json",
        "plan plan.json",
        "stage plan.json --yes",
        "apply plan.json --yes",
        "apply plan.json --dry-run",
    ] {
        refused(
            world.run(command),
            "`plan.json` cannot be used: it has schema 2",
        );
    }
}

#[test]
fn a_record_of_a_newer_rollup_is_refused() {
    for record in ["applied/KB100001.toml", "Things/Provider/state.toml"] {
        let world = with_newer_record(applied(), record);
        for command in [
            "plan small.toml",
            APPLY_SMALL,
            "stage small.toml --yes",
            "accept --applied KB100001 --reason test --yes",
        ] {
            refused(
                world.run(command),
                &format!("{record}` cannot be used: it has schema 2"),
            );
        }
        // These compare all that they can read.
        for command in ["verify", "undo last --yes", "accept --reason test --yes"] {
            let ran = world.run(command).tree_is_unchanged();
            ran.exits_with(exit::MISMATCH);
        }
    }
    let world = with_newer_record(applied(), "applied/KB100001.toml");
    refused(
        world.run("status"),
        "KB100001.toml` cannot be used: it has schema 2",
    );
}

#[test]
fn the_file_of_a_schema_that_never_was_is_not_of_a_newer_rollup() {
    let world = applied().edit(
        "deployment/applied/KB100001.toml",
        "schema = 1",
        "schema = 0",
    );
    world
        .run("plan small.toml")
        .exits_with(exit::INVALID)
        .prints("no version of rollup writes schema 0")
        .does_not_print("newer");
}

#[test]
fn a_manifest_and_a_description_of_a_newer_rollup_are_refused() {
    let manifest = small_world(UPDATE_PROVIDER).edit("small.toml", "schema = 1", "schema = 2");
    let site =
        small_world(UPDATE_PROVIDER).edit("deployment/deployment.toml", "schema = 1", "schema = 2");
    for world in [manifest, site] {
        for command in ["plan small.toml", APPLY_SMALL, "stage small.toml --yes"] {
            world
                .run(command)
                .exits_with(exit::INVALID)
                .nothing_was_touched()
                .prints("error[RU0008]: schema 2 is unknown")
                .prints("this version of rollup supports schema 1; a newer one may support it");
        }
    }
}

#[test]
fn events_of_a_newer_rollup_are_counted_and_left_out() {
    let world = applied();
    let path = format!("deployment/{RUN}/events.ndjson");
    let world = world.edit(&path, "\"schema\":1", "\"schema\":2");
    world
        .run("report last")
        .exits_with(exit::OK)
        .nothing_was_touched()
        .prints("lines of the events of a later version, which are left out: 1");
}
