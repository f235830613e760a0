//! Messages and the streams that they go to: a closed or full terminal never fails a run.

use std::fs::File;
use std::io::Read;
use std::process::Stdio;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit};

#[test]
fn a_full_terminal_never_fails_a_run() {
    let world = World::with_deployment();
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full device")
    };
    let status = world
        .command(APPLY)
        .stdin(Stdio::null())
        .stdout(full())
        .stderr(full())
        .status();
    assert_eq!(status.expect("the program runs").code(), Some(exit::OK));
    world.run("verify").exits_with(exit::OK);
    let exit_code = |command: &str| {
        let status = world
            .command(command)
            .stdin(Stdio::null())
            .stdout(full())
            .stderr(full())
            .status();
        status.expect("the program runs").code()
    };
    // The result of these is also their exit code; that of the others is only their output.
    for (command, code) in [
        ("status", exit::OK),
        ("verify", exit::OK),
        ("tree", exit::IO),
        ("history", exit::IO),
    ] {
        assert_eq!(exit_code(command), Some(code), "{command}");
    }
}

#[test]
fn a_closed_pipe_never_fails_a_run() {
    let world = World::with_deployment();
    let mut command = world.command(APPLY);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // Reads one byte, and closes both pipes.
    let mut first_byte = [0];
    child
        .stderr
        .take()
        .expect("a pipe")
        .read_exact(&mut first_byte)
        .expect("output");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("an exit status").code(), Some(exit::OK));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn output_that_is_not_for_a_terminal_has_no_colour() {
    let world = small_world(UPDATE_PROVIDER);
    for arguments in [
        "plan small.toml",
        "status",
        "tree",
        "verify",
        APPLY_SMALL,
        "verify",
        "history",
        "status -d nowhere",
    ] {
        // The streams are not terminals, whatever the environment has.
        let output = world
            .command(arguments)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        assert!(
            !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
            "{arguments}"
        );
    }
    assert!(
        !world.at_terminal("verify", "").output_contains("\u{1b}[3"),
        "NO_COLOR is set"
    );
}

#[test]
fn results_go_to_one_stream_and_messages_to_the_other() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("plan small.toml --format json")
        .exits_with(exit::OK)
        .prints("deployment deployment (as given)");
    assert!(ran.stdout().starts_with('{') && ran.json()["schema"] == 1);
    let ran = world.run("status -d nowhere").exits_with(exit::NO_INPUT);
    assert_eq!(ran.stdout(), "");
}

#[test]
fn a_failure_has_the_lines_error_now_and_next() {
    let world = World::with_deployment().truncate_payload("HostedEmail2007NS.msi");
    world
        .run(APPLY)
        .exits_with(exit::MISMATCH)
        .prints("error: `Hostedemail2007ns.msi`")
        .prints("now: ")
        .prints("next: ");
    World::with_deployment()
        .run("apply kb952076.toml")
        .exits_with(exit::USAGE)
        .prints("error: ")
        .prints("now: ")
        .prints("next: ");
}

#[test]
fn control_characters_of_a_manifest_are_escaped() {
    let title = "title = \"Update \\u001B[2J\\u0007 3\"";
    let world = World::with_deployment();
    let old = "title = \"Update Rollup 3 for the Hosted Exchange services\"";
    let world = world.edit("kb952076.toml", old, title);
    for arguments in [
        "validate kb952076.toml",
        "plan kb952076.toml",
        APPLY,
        "history",
        "status",
    ] {
        let output = world
            .command(arguments)
            .stdin(Stdio::null())
            .output()
            .expect("the program runs");
        let printed = [output.stdout, output.stderr].concat();
        assert!(
            !printed.contains(&0x1b) && !printed.contains(&0x07),
            "{arguments}: {}",
            String::from_utf8_lossy(&printed)
        );
    }
}

#[test]
fn the_events_of_a_run_have_their_times() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let events = world.read(".rollup/runs/0001-KB100001/events.ndjson");
    let events: Vec<serde_json::Value> = events
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!(
        (
            of("opened"),
            of("staged"),
            of("committing"),
            of("closed"),
            of("ended")
        ),
        (1, 1, 1, 1, 1)
    );
    // Three operations and the record of the applied rollup.
    assert_eq!((of("swap"), of("sync")), (4, 4));
    assert!(
        events
            .iter()
            .all(|event| event["at"].is_string() && event["elapsed_us"].is_u64())
    );
}

#[test]
fn a_document_that_cannot_be_written_is_a_failure() {
    let world = World::with_deployment();
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let output = world
        .command("status --format json")
        .stdout(full)
        .output()
        .expect("the program runs");
    assert_eq!(
        output.status.code(),
        Some(74),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
