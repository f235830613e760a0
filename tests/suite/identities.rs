//! Rollups of vendors without KB numbers: an id in place of `kb`, in any case.

use std::fs;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const BY_NUMBER: &str = "kb = \"KB100001\"";

/// Makes a world with a rollup whose id is `ACME-2024.7`.
fn with_id() -> World {
    let world = small_world(UPDATE_PROVIDER);
    fs::rename(world.at("KB100001"), world.at("acme-2024.7")).expect("renamed");
    world.edit("small.toml", BY_NUMBER, "id = \"ACME-2024.7\"")
}

#[test]
fn a_rollup_is_known_by_its_id() {
    let world = with_id();
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("applied ACME-2024.7 as run 0001-ACME-2024.7");
    let record = fs::read_to_string(world.live("applied/ACME-2024.7.toml")).expect("a record");
    assert!(record.contains("\nid = \"ACME-2024.7\"\n"), "{record}");
    let state = fs::read_to_string(world.live("Things/Provider/state.toml")).expect("a record");
    assert!(state.contains("\nid = \"ACME-2024.7\"\n"), "{state}");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("applied: ACME-2024.7 revision 1.0");
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    world
        .run("report acme-2024.7")
        .exits_with(exit::OK)
        .prints("ACME-2024.7 revision 1.0");
    world
        .run("undo acme-2024.7 --yes")
        .exits_with(exit::OK)
        .prints("is undone");
}

#[test]
fn other_rollups_refer_to_an_id() {
    let world = with_id();
    let later = small(
        "KB100002",
        &format!("requires = [\"acme-2024.7 >= 1.0\"]\n{UPDATE_PROVIDER}"),
    );
    let world = world.manifest("later", &later);
    world
        .run("plan later.toml")
        .exits_with(exit::NOT_READY)
        .prints("acme-2024.7 >= 1.0");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("plan later.toml").exits_with(exit::OK);
}

#[test]
fn a_rollup_is_recorded_by_hand_by_its_id() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("accept --applied HMC45-RU4 --yes --reason hand")
        .exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("applied: HMC45-RU4 (by hand)");
    world
        .run("accept --applied nowhere.toml --yes --reason hand")
        .exits_with(exit::NO_INPUT);
}

#[test]
fn a_manifest_has_one_identity() {
    let world = small_world(UPDATE_PROVIDER);
    for (line, words) in [
        (
            "kb = \"KB1\"\nid = \"acme\"",
            "`kb` and `id` exclude each other",
        ),
        ("", "[rollup] lacks `kb`"),
        ("id = \"952076\"", "`952076` is not an id"),
        ("id = \"last\"", "`last` is not an id"),
        ("kb = \"acme\"", "`acme` is not a KB number"),
    ] {
        let text = small("KB100001", UPDATE_PROVIDER).replace(BY_NUMBER, line);
        fs::write(world.at("other.toml"), text).expect("written");
        world
            .run("validate other.toml")
            .exits_with(exit::INVALID)
            .prints(words);
    }
}
