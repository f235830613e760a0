//! A commit never waits for the reader of its output: a terminal or a pipe that takes nothing loses
//! lines, and the run ends. A process that is killed or halted in the commit leaves events that can
//! be read.

use std::fs;
use std::io::{PipeReader, Read, Write, pipe};
use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::events::{events, lines_of};
use crate::listing::Listing;
use crate::world::{World, exit};

/// Number of items of the site: it prints more lines than a page of a pipe holds.
const ITEMS: usize = 60;
/// Name of the run.
const RUN: &str = "0001-KB900001";
/// Arguments that apply the rollup.
const APPLY_WIDE: &str = "apply wide.toml --yes";
/// Longest time that a test waits for the program.
const PATIENCE: Duration = Duration::from_secs(60);

/// Makes a world with many items, and a rollup that uninstalls, copies and installs each of them.
fn wide_world() -> World {
    let each =
        |format: &dyn Fn(usize) -> String| (0..ITEMS).map(format).collect::<Vec<_>>().join(", ");
    let items =
        each(&|n| format!("{{ name = \"Component {n:03}\", installer = \"c{n:03}.msi\" }}"));
    let names = each(&|n| format!("\"Component {n:03}\""));
    let files = each(&|n| format!("\"c{n:03}.msi\""));
    let payload = each(&|n| format!("{{ name = \"c{n:03}.msi\" }}"));
    World::with_site(&format!(
        "schema = 1\nname = \"wide\"\nproduct = \"P\"\nproduct_version = \"1.0\"\nshare = \"S\"\n\
         roles = [{{ name = \"r\" }}]\nservers = [{{ name = \"A\", roles = [\"r\"] }}]\n\
         [[groups]]\npath = \"G\"\nitems = [{items}]\n"
    ))
    .manifest(
        "wide",
        &format!(
            "schema = 1\n[rollup]\nkb = \"KB900001\"\ntitle = \"wide\"\nproduct = \"P\"\n\
             product_versions = [\"1.0\"]\n\
             [[steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"G\" = [{names}]\n\
             [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nfiles = [{files}]\n\
             [[steps]]\nid = \"in\"\naction = \"install\"\nremoved_by = \"out\"\n\
             [payload]\nfiles = [{payload}]\n"
        ),
    )
}

/// Returns a command without a terminal, whose messages go to `stderr`.
fn command(world: &World, stderr: impl Into<Stdio>) -> Command {
    let mut command = world.command(APPLY_WIDE);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(stderr);
    command
}

/// Asserts that the run is complete, and that its events have every swap, the exit code and no
/// notice of missing lines.
#[track_caller]
fn assert_applied_with_all_events(world: &World) {
    world.run("verify").exits_with(exit::OK);
    let lines = events(world, RUN);
    let plan: Value =
        serde_json::from_str(&world.read(&format!(".rollup/runs/{RUN}/plan.json"))).expect("JSON");
    let swaps = plan["swaps"].as_array().expect("swaps").len();
    assert_eq!(
        (
            lines_of(&lines, "swap").len(),
            lines_of(&lines, "notice").len()
        ),
        (swaps, 0)
    );
    let last = lines.last().expect("lines");
    assert_eq!(
        (&last["event"], &last["exit_code"]),
        (&"ended".into(), &0.into())
    );
}

/// Makes a pipe that has room for one page only, and returns its ends with the number of bytes that
/// are in it already.
fn almost_full_pipe() -> (PipeReader, OwnedFd, usize) {
    let (mut reader, mut writer) = pipe().expect("a pipe");
    let flags = fcntl_getfl(writer.as_fd()).expect("flags");
    fcntl_setfl(writer.as_fd(), flags | OFlags::NONBLOCK).expect("set");
    let mut page = [b'.'; 4096];
    let mut inside = 0;
    while writer.write_all(&page).is_ok() {
        inside += page.len();
    }
    fcntl_setfl(writer.as_fd(), flags).expect("set");
    reader.read_exact(&mut page).expect("a page");
    (reader, writer.into(), inside - page.len())
}

/// Both wait until the program gives their reader up, so they do it at the same time.
#[test]
fn a_reader_that_takes_nothing_does_not_stop_a_commit_and_costs_no_event() {
    std::thread::scope(|threads| {
        threads.spawn(apply_to_a_full_pipe);
        threads.spawn(apply_on_a_halted_terminal);
    });
}

fn apply_to_a_full_pipe() {
    let world = wide_world();
    let (mut reader, writer, inside) = almost_full_pipe();
    let code = command(&world, writer).status().expect("it runs").code();
    assert_eq!(code, Some(exit::OK));
    let mut text = String::new();
    reader.read_to_string(&mut text).expect("text");
    // The run stalled the pipe in its commit.
    let printed = &text[inside..];
    assert!(printed.contains("committing"), "{printed}");
    assert!(!printed.contains("step in:"), "{printed}");
    assert_applied_with_all_events(&world);
}

fn apply_on_a_halted_terminal() {
    let world = wide_world();
    // Ctrl-S.
    let ran = world.typed_after(APPLY_WIDE, "events in", "\x13");
    ran.exits_with(exit::OK)
        .does_not_print("the result matches the plan");
    assert_applied_with_all_events(&world);
}

#[test]
fn a_reader_that_goes_away_does_not_stop_a_commit() {
    let world = wide_world();
    let (mut reader, writer) = pipe().expect("a pipe");
    let mut child = command(&world, writer).spawn().expect("it runs");
    let (mut printed, mut chunk) = (Vec::new(), [0; 64]);
    while !String::from_utf8_lossy(&printed).contains("committing") {
        let read = reader.read(&mut chunk).expect("text");
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&printed));
        printed.extend_from_slice(&chunk[..read]);
    }
    drop(reader);
    let code = child.wait().expect("it ends").code();
    assert_eq!(code, Some(exit::OK));
    assert_applied_with_all_events(&world);
}

#[test]
fn every_event_that_cannot_be_written_is_counted() {
    let world = wide_world();
    world.run("stage wide.toml --yes").exits_with(exit::OK);
    let at = world.run_directory(RUN).join("events.ndjson");
    let complete_lines = |world: &World| {
        let text = fs::read(world.run_directory(RUN).join("events.ndjson")).expect("events");
        text.split_inclusive(|byte| *byte == b'\n')
            .filter(|line| serde_json::from_slice::<Value>(line).is_ok())
            .count()
    };
    let whole = world.copy();
    whole.run(APPLY_WIDE).exits_with(exit::OK);
    let room = fs::metadata(&at).expect("events").len() + 30_000;
    let mut shell = Command::new("prlimit");
    let program = world.command(APPLY_WIDE);
    shell
        .arg(format!("--fsize={room}"))
        .arg(program.get_program())
        .args(program.get_args())
        .current_dir(world.at(""))
        .env("ROLLUP_DEPLOYMENT", "deployment")
        .stdin(Stdio::null());
    let output = shell.output().expect("it runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit::OK), "{stderr}");
    // The notice that counts them is one more line that cannot be written.
    let missing = complete_lines(&whole) - complete_lines(&world) + 1;
    assert!(missing > 10, "{missing}");
    let warning = format!("warning: {missing} lines could not be written to `deployment/");
    assert!(stderr.contains(&warning), "{warning}\n{stderr}");
    world
        .run("report last")
        .exits_with(exit::OK)
        .prints("incomplete");
}

/// Starts an apply, and halts it in its commit.
fn halted_in_the_commit(world: &World) -> Child {
    let child = command(world, Stdio::piped()).spawn().expect("it runs");
    let events = world.run_directory(RUN).join("events.ndjson");
    let begun = Instant::now();
    while !fs::read_to_string(&events).is_ok_and(|text| text.contains("\"swap\":1,")) {
        assert!(begun.elapsed() < PATIENCE, "no swap");
        std::thread::sleep(Duration::from_micros(200));
    }
    signal(&child, Signal::STOP);
    let journal = world.read(&format!(".rollup/runs/{RUN}/journal"));
    assert!(!journal.contains("closed"), "the run has ended already");
    child
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("a running program");
}

#[test]
fn a_halted_process_continues_its_commit() {
    let world = wide_world();
    let child = halted_in_the_commit(&world);
    std::thread::sleep(Duration::from_millis(300));
    signal(&child, Signal::CONT);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(exit::OK));
    assert_applied_with_all_events(&world);
}

#[test]
fn the_events_of_a_process_that_was_killed_in_its_commit_can_be_read() {
    for command in ["resume --yes", "undo --yes"] {
        let world = wide_world();
        let before = Listing::of(&world.deployment());
        let child = halted_in_the_commit(&world);
        signal(&child, Signal::KILL);
        child.wait_with_output().expect("it ends");
        world.run(command).exits_with(exit::OK);
        match command {
            "undo --yes" => before.assert_same(&Listing::of(&world.deployment())),
            _ => drop(world.run("verify").exits_with(exit::OK)),
        }
        let text = fs::read_to_string(world.run_directory(RUN).join("events.ndjson"));
        let text = text.expect("events");
        let torn = text
            .lines()
            .filter(|line| serde_json::from_str::<Value>(line).is_err());
        assert!(torn.count() <= 1, "{text}");
        world.run("report last").exits_with(exit::OK);
    }
}
