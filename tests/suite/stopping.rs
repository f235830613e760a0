//! A run that is requested to stop finishes the current swap, leaves everything so far on disk, and
//! prints the commands that continue it.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

#[test]
fn a_run_stops_before_a_step_and_can_be_resumed_and_undone() {
    for (command, then) in [
        ("resume --yes", "the result matches the plan"),
        ("undo --yes", "is undone"),
    ] {
        let world = small_world(UPDATE_PROVIDER);
        let ran = world
            .run("apply small.toml --yes --stop-before INSTALL")
            .exits_with(exit::STOPPED);
        ran.prints("stopped: before step `install`, as requested")
            .prints("now: run 0001-KB100001 is unfinished, 2 of 3 operations done; unavailable: Provider")
            .prints("`rollup resume -d deployment --yes` continues, `rollup undo -d deployment --yes` rolls back as far as possible");
        let ran = world
            .run("status")
            .exits_with(exit::STOPPED)
            .nothing_was_touched();
        ran.prints("interrupted: run 0001-KB100001 is unfinished")
            .prints("step remove: done, 1 operation")
            .prints("step install: not begun, 1 operation")
            .prints("at operation 3 of 3: install Provider (step install)")
            .prints("2 of 3 operations done");
        world.run(command).exits_with(exit::OK).prints(then);
        world.run("verify").exits_with(exit::OK);
        world
            .run("status")
            .exits_with(exit::OK)
            .prints("clean: no run in progress");
    }
}

#[test]
fn an_unknown_step_is_refused_before_anything_is_begun() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("apply small.toml --yes --stop-before instal")
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    ran.prints("the manifest has no step `instal`")
        .prints("did you mean `--stop-before install`?")
        .prints("remove, copy, install");
}

#[test]
fn every_command_names_the_next_command_while_a_run_is_open() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    for command in [
        "plan small.toml",
        "apply small.toml --yes",
        "stage small.toml --yes",
    ] {
        let ran = world
            .run(command)
            .exits_with(exit::NOT_READY)
            .tree_is_unchanged();
        ran.prints("run 0001-KB100001 is unfinished")
            .prints("`rollup resume -d deployment --yes`")
            .prints("`rollup undo");
    }
    world
        .run("verify")
        .prints("`rollup status` shows the next command");
    world
        .run("tree")
        .prints("`rollup status` shows the next command");
    world
        .run("history")
        .prints("1 KB100001 unfinished")
        .prints("`rollup status` shows the next command");
}

#[test]
fn an_unexpected_file_at_a_live_path_of_an_open_run_needs_attention() {
    let copy = "[[steps]]\nid = \"stop\"\naction = \"stop\"\nservice = \"Engine\"\n\
                [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"web\"\nfiles = [\"Tool.txt\"]\n\
                [[steps]]\nid = \"start\"\naction = \"start\"\nservice = \"Engine\"\n\
                [payload]\nfiles = [{ name = \"Tool.txt\" }]\n";
    let world = small_world(copy);
    let before = Listing::of(&world.deployment());
    world
        .run("apply small.toml --yes --stop-before copy")
        .exits_with(exit::STOPPED);
    let world = world.write_file("Servers/WEB01/Files/Tools/Tool.txt", "unmanaged");
    let ran = world
        .run("status")
        .exits_with(exit::NEEDS_ATTENTION)
        .nothing_was_touched();
    ran.prints("problem: an unexpected file or directory is at the live path")
        .prints("`Servers/WEB01/Files/Tools/Tool.txt`")
        .prints("fix the problems above first");
    let ran = world
        .run("resume --yes")
        .exits_with(exit::NEEDS_ATTENTION)
        .tree_is_unchanged();
    ran.prints(
        "Servers/WEB01/Files/Tools/Tool.txt` differs from the plan: it exists, and did not when the plan was made",
    );
    // The unexpected file does not block the rollback.
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .prints("is undone");
    let world = world.remove("Servers/WEB01/Files/Tools");
    before.assert_same(&Listing::of(&world.deployment()));
}

/// Starts the program, and waits until a path of the deployment exists.
fn start(world: &World, words: &str, until: &str) -> Child {
    let mut command = world.command(words);
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let begun = Instant::now();
    while !world.live(until).exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(30),
            "`{until}` was never made"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
    child
}

fn signal(child: &Child, signal: Signal) {
    let process = Pid::from_raw(child.id().cast_signed()).expect("a process");
    kill_process(process, signal).expect("the process runs");
}

/// Waits for the end of the program. Returns its exit code and its standard error.
fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("it ends");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Directory of the first run of a small rollup.
const RUN: &str = ".rollup/runs/0001-KB100001";

/// Returns a world whose staging takes longer than a signal: it hashes and copies a large file.
fn slow_to_stage() -> World {
    let copy = "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"engine\"\n\
                files = [\"Large.bin\"]\n[payload]\nfiles = [{ name = \"Large.bin\" }]\n";
    let world = small_world(copy);
    let large = std::fs::File::create(world.at("KB100001/Large.bin")).expect("made");
    large.set_len(256 << 20).expect("a large file");
    world
}

#[test]
fn a_signal_while_staging_leaves_nothing_behind() {
    let world = slow_to_stage();
    for which in [Signal::INT, Signal::TERM, Signal::HUP] {
        let before = Listing::of(&world.deployment());
        let child = start(&world, APPLY_SMALL, RUN);
        // The process is halted until the signal is pending: otherwise it could finish first.
        signal(&child, Signal::STOP);
        signal(&child, which);
        signal(&child, Signal::CONT);
        let (code, stderr) = ended(child);
        assert_eq!(code, Some(exit::INTERRUPTED), "{stderr}");
        assert!(
            stderr.contains("stopped by a signal")
                && stderr.contains("now: this command changed nothing"),
            "{stderr}"
        );
        before.assert_same(&Listing::of(&world.deployment()));
        assert!(!world.live(RUN).exists());
        world
            .run("status")
            .exits_with(exit::OK)
            .prints("clean: no run in progress");
    }
}

#[test]
fn a_second_signal_ends_the_process_at_once() {
    let world = slow_to_stage();
    let before = Listing::of(&world.deployment());
    let child = start(&world, APPLY_SMALL, RUN);
    signal(&child, Signal::STOP);
    signal(&child, Signal::INT);
    signal(&child, Signal::TERM);
    signal(&child, Signal::CONT);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(exit::INTERRUPTED), "{stderr}");
    assert!(
        !stderr.contains("now:"),
        "it continued after the second signal: {stderr}"
    );
    world.run("undo --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
    world.run(APPLY_SMALL).exits_with(exit::OK);
}

#[test]
fn a_signal_at_a_manual_step_stops_the_run_there() {
    let manual = "[[steps]]\nid = \"script\"\naction = \"manual\"\ninstructions = \"Run it.\"\n";
    let world = small_world(&format!("{manual}{UPDATE_PROVIDER}"));
    let ran = world
        .signalled("apply small.toml --yes", "Is it done?", Signal::INT)
        .exits_with(exit::STOPPED);
    ran.prints("resume -d deployment --done script");
    world
        .run("resume --yes --done script")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn a_hangup_is_ignored_if_the_caller_ignores_it() {
    let world = World::with_deployment();
    let mut command = std::process::Command::new("sh");
    let program = env!("CARGO_BIN_EXE_rollup");
    command.args([
        "-c",
        "trap '' HUP; exec \"$0\" apply kb952076.toml --yes",
        program,
    ]);
    command
        .current_dir(world.at("."))
        .env("ROLLUP_DEPLOYMENT", "deployment");
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let begun = Instant::now();
    while !world.live(".rollup/runs/0001-KB952076").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never began");
        std::thread::sleep(Duration::from_micros(200));
    }
    signal(&child, Signal::HUP);
    let (code, stderr) = ended(child);
    assert_eq!(code, Some(exit::OK), "{stderr}");
}
