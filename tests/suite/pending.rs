//! Restarts that a person has to do: a run leaves them, `status` shows them, `ack` and later runs
//! take them away.

use serde_json::json;

use crate::small::{APPLY_SMALL, TOOL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const RESTART: &str = "[[steps]]\nid = \"restart\"\naction = \"restart\"\nservice = \"Engine\"\n";

const PENDING: &str = "ACTION REQUIRED: restart Engine on ENG01, ENG02";

/// Makes a world in which a run with a restart was undone.
fn undone() -> World {
    let world = small_world(RESTART);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let ran = world.run("undo last --yes").exits_with(exit::OK);
    ran.prints("restart required: Engine on ENG01, ENG02")
        .prints("action required: restart Engine on ENG01, ENG02")
        .prints("rollup ack -d deployment");
    world
}

fn pending(world: &World) -> serde_json::Value {
    world
        .run("status --format json")
        .exits_with(exit::OK)
        .json()["pending"]
        .take()
}

#[test]
fn a_restart_is_pending_until_it_is_acknowledged() {
    let world = undone();
    for _ in 0..2 {
        let ran = world
            .run("status")
            .exits_with(exit::OK)
            .nothing_was_touched();
        ran.prints(PENDING)
            .prints("no run in progress; left by run 0001-KB100001")
            .prints("next: rollup ack -d deployment --yes once the restarts are done")
            .does_not_print("clean:");
    }
    let expected = json!([{ "run": "0001-KB100001", "actions": [
        { "restart": "service", "service": "Engine", "server": "ENG01" },
        { "restart": "service", "service": "Engine", "server": "ENG02" },
    ] }]);
    assert_eq!(pending(&world), expected);
    let status = world.run("status --format json").json();
    assert_eq!(status["state"], "action-required");
    world
        .run("ack --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged()
        .prints("acknowledged as restarted: Engine on ENG01, ENG02");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
    world
        .run("ack")
        .exits_with(exit::OK)
        .prints("nothing to do: no restart is pending");
    world
        .run("history 1")
        .exits_with(exit::OK)
        .prints("undone")
        .prints("restarted, by");
}

#[test]
fn ack_takes_one_run_and_asks() {
    let world = undone();
    world
        .run("ack 1")
        .exits_with(exit::USAGE)
        .tree_is_unchanged()
        .prints("cannot prompt: standard input is not a terminal");
    world
        .at_terminal("ack 1", "n\n")
        .exits_with(exit::INTERRUPTED)
        .prints("Acknowledge these restarts of small in deployment? [y/N]");
    world
        .run("ack 7 --yes")
        .exits_with(exit::USAGE)
        .prints("there is no run `7`");
    world.run("status").prints(PENDING);
    world.at_terminal("ack 1", "y\n").exits_with(exit::OK);
    world.run("status").prints("clean: no run in progress");
}

#[test]
fn a_later_run_that_restarts_the_service_does_it() {
    let world = undone().manifest("later", &small("KB100002", RESTART));
    world.run("apply later.toml --yes").exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
    assert_eq!(pending(&world), json!([]));
    // Its own undo leaves a restart again, and only its own.
    world.run("undo last --yes").exits_with(exit::OK);
    let status = world.run("status").exits_with(exit::OK);
    status.prints(PENDING).prints("left by run 0002-KB100002");
}

#[test]
fn a_later_run_that_does_not_touch_the_service_leaves_it_pending() {
    let world = undone().manifest("later", &small("KB100002", UPDATE_PROVIDER));
    world
        .run("apply later.toml --yes")
        .exits_with(exit::OK)
        .prints("action required: restart Engine");
    world.run("status").exits_with(exit::OK).prints(PENDING);
}

#[test]
fn an_undo_that_stopped_no_service_leaves_nothing_pending() {
    let world = small_world(&TOOL.replace("[payload]", RESTART_FIRST));
    world
        .run("apply small.toml --yes --stop-before restart")
        .exits_with(exit::STOPPED);
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .does_not_print("restart required");
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
}

/// The restart between the steps and the file table.
const RESTART_FIRST: &str =
    "[[steps]]\nid = \"restart\"\naction = \"restart\"\nservice = \"Engine\"\n[payload]";

#[test]
fn a_required_restart_of_computers_is_pending_on_each_changed_server() {
    let head = "computer_restart = \"required\"\nregistry_changes = \"a key below Run\"\n";
    let world = small_world(&format!("{head}{TOOL}"));
    let ran = world.run("plan small.toml").exits_with(exit::OK);
    ran.prints("computer restart: required")
        .prints("registry: a key below Run");
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.prints("restart required: the computers ENG01, ENG02");
    let ran = world.run("status").exits_with(exit::OK);
    ran.prints("ACTION REQUIRED: restart the computers ENG01, ENG02");
    let ran = world.run("report last").exits_with(exit::OK);
    ran.prints("restart required: the computers ENG01, ENG02")
        .prints("computer restart: required");
    world.run("ack --yes").exits_with(exit::OK);
    world.run("status").prints("clean: no run in progress");
    // The rollback changes the files again.
    world.run("undo last --yes").exits_with(exit::OK);
    world
        .run("status")
        .prints("ACTION REQUIRED: restart the computers ENG01, ENG02");
}

#[test]
fn a_restart_that_depends_on_files_in_use_is_shown_and_not_pending() {
    let world = small_world(&format!("computer_restart = \"if-in-use\"\n{TOOL}"));
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("computer restart: only if files were in use");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("status").prints("clean: no run in progress");
    std::fs::write(
        world.at("other.toml"),
        small(
            "KB100002",
            &format!("computer_restart = \"perhaps\"\n{TOOL}"),
        ),
    )
    .expect("written");
    world
        .run("validate other.toml")
        .exits_with(exit::INVALID)
        .prints("`perhaps` is not one of no, required, if-in-use");
}
