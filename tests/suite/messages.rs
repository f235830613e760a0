//! What is said, and that nobody has to listen: a closed or full terminal never fails a run.

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
    assert_eq!(
        status.expect("the program can be run").code(),
        Some(exit::OK)
    );
    world.run("verify").exits_with(exit::OK);
    let ended = |command: &str| {
        let status = world
            .command(command)
            .stdin(Stdio::null())
            .stdout(full())
            .stderr(full())
            .status();
        status.expect("the program can be run").code()
    };
    // These answer by their exit codes, too; the others only by what they print.
    for (command, code) in [
        ("status", exit::OK),
        ("verify", exit::OK),
        ("tree", exit::IO),
        ("history", exit::IO),
    ] {
        assert_eq!(ended(command), Some(code), "{command}");
    }
}

#[test]
fn a_reader_that_went_away_never_fails_a_run() {
    let world = World::with_deployment();
    let mut command = world.command(APPLY);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    // Everything it says from the second byte on goes nowhere.
    let mut one = [0];
    child
        .stderr
        .take()
        .expect("a pipe")
        .read_exact(&mut one)
        .expect("it says something");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("it ends").code(), Some(exit::OK));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn nothing_is_told_by_colour_where_nobody_sees_it() {
    let world = small_world(UPDATE_PROVIDER);
    for words in [
        "plan small.toml",
        "status",
        "tree",
        "verify",
        APPLY_SMALL,
        "verify",
        "history",
        "status -d nowhere",
    ] {
        // Whatever the environment says: the streams are no terminal.
        let output = world
            .command(words)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        assert!(
            !output.stdout.contains(&0x1b) && !output.stderr.contains(&0x1b),
            "{words}"
        );
    }
    assert!(
        !world.at_terminal("verify", "").said("\u{1b}[3"),
        "NO_COLOR is set"
    );
}

#[test]
fn results_go_to_one_stream_and_messages_to_the_other() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("plan small.toml --format json")
        .exits_with(exit::OK)
        .says("deployment deployment (as given)");
    assert!(ran.stdout().starts_with('{') && ran.json()["schema"] == 1);
    let ran = world.run("status -d nowhere").exits_with(exit::NO_INPUT);
    assert_eq!(ran.stdout(), "");
}

#[test]
fn a_failure_says_what_is_wrong_what_is_true_now_and_what_to_type() {
    let world = World::with_deployment().truncate_payload("HostedEmail2007NS.msi");
    world
        .run(APPLY)
        .exits_with(exit::MISMATCH)
        .says("error: `Hostedemail2007ns.msi`")
        .says("now: ")
        .says("next: ");
    world
        .run("apply kb952076.toml")
        .exits_with(exit::USAGE)
        .says("error: ")
        .says("now: ")
        .says("next: ");
}

#[test]
fn the_vendors_control_characters_are_escaped() {
    let title = "title = \"Update \\u001B[2J\\u0007 3\"";
    let world = World::with_deployment();
    let old = "title = \"Update Rollup 3 for the Hosted Exchange services\"";
    let world = world.edit("kb952076.toml", old, title);
    for words in [
        "validate kb952076.toml",
        "plan kb952076.toml",
        APPLY,
        "history",
        "status",
    ] {
        let output = world
            .command(words)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let said = [output.stdout, output.stderr].concat();
        assert!(
            !said.contains(&0x1b) && !said.contains(&0x07),
            "{words}: {}",
            String::from_utf8_lossy(&said)
        );
    }
}

#[test]
fn the_events_of_a_run_are_kept_with_their_times() {
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
    // Three operations and the level.
    assert_eq!((of("swap"), of("sync")), (4, 4));
    assert!(
        events
            .iter()
            .all(|event| event["at"].is_string() && event["elapsed_us"].is_u64())
    );
}

#[test]
fn a_document_that_could_not_be_written_is_no_success() {
    let world = World::with_deployment();
    let full = File::options()
        .write(true)
        .open("/dev/full")
        .expect("a full device");
    let output = world
        .command("status --format json")
        .stdout(full)
        .output()
        .expect("it runs");
    assert_eq!(
        output.status.code(),
        Some(74),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
