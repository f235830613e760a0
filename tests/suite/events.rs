//! Events of a run in `events.ndjson`: every line conforms to the schema, the first describes the
//! run, the last has the exit code, and no run depends on the file.

use std::fs;
use std::sync::LazyLock;

use jsonschema::Validator;
use rustix::process::Signal;
use serde_json::Value;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::transcripts::program;
use crate::world::{APPLY, World, exit};

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let output = program(std::path::Path::new("."))
        .args(["schema", "event"])
        .output()
        .expect("the program runs");
    let schema = serde_json::from_slice(&output.stdout).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of draft 2020-12");
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema")
});

/// Steps of an update with a manual step and a restart.
pub(crate) const WITH_MANUAL_STEP: &str = r#"
[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Namespace", "Provider"]
items."Web" = ["Site"]
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Provider.msi"]
[[steps]]
id = "database"
action = "manual"
instructions = "Run the script."
undo = "Run the other script."
[[steps]]
id = "install"
action = "install"
removed_by = "remove"
[[steps]]
id = "restart"
action = "restart"
service = "Engine"
[payload]
files = [{ name = "Provider.msi" }]
"#;

/// Reads the events of a run, and asserts that each conforms to the schema.
#[track_caller]
pub(crate) fn events(world: &World, run: &str) -> Vec<Value> {
    let text = fs::read_to_string(world.run_directory(run).join("events.ndjson")).expect("events");
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for line in &lines {
        let faults: Vec<String> = SCHEMA
            .iter_errors(line)
            .map(|fault| fault.to_string())
            .collect();
        assert!(faults.is_empty(), "{line}\n{faults:#?}");
    }
    lines
}

/// Returns the lines of one kind of event.
pub(crate) fn lines_of<'l>(lines: &'l [Value], kind: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["event"] == kind).collect()
}

/// Returns the names of the events in order, without repetitions in a row.
fn event_names(lines: &[Value]) -> Vec<&str> {
    let mut event_names: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().expect("a kind"))
        .collect();
    event_names.dedup();
    event_names
}

fn exit_codes(lines: &[Value]) -> Vec<i64> {
    let exit_codes = lines.iter().filter(|line| line["event"] == "ended");
    exit_codes
        .map(|line| line["exit_code"].as_i64().expect("a code"))
        .collect()
}

/// Runs a command that would succeed, and kills it a few changes of the disk before its end.
pub(crate) fn kill_near_the_end(world: &World, command_line: &str) {
    let counting = format!("{command_line} --die-at-change {}", u64::MAX);
    let counted = world
        .copy()
        .command(&counting)
        .output()
        .expect("the program runs");
    let stderr = String::from_utf8_lossy(&counted.stderr).into_owned();
    let changes: u64 = stderr
        .lines()
        .find_map(|line| line.strip_prefix("changes of the disk: ")?.parse().ok())
        .expect("a number");
    let arguments = format!("{command_line} --die-at-change {}", changes - 6);
    assert_eq!(
        world
            .command(&arguments)
            .output()
            .expect("the program runs")
            .status
            .code(),
        None
    );
}

#[test]
fn the_path_of_the_events_is_printed_before_any_change() {
    let world = small_world(UPDATE_PROVIDER);
    let at = "events in deployment/.rollup/runs/0001-KB100001/events.ndjson";
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints(&format!("{at} staging run 0001-KB100001"));
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .prints(&format!("{at} rolling back"));
}

#[test]
fn the_events_of_an_apply_are_complete() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let lines = events(&world, "0001-KB952076");
    let (first, last) = (&lines[0], lines.last().expect("lines"));
    assert_eq!(
        (&first["event"], &first["schema"], &first["command"]),
        (&"began".into(), &1.into(), &"apply".into())
    );
    assert_eq!(first["subject"]["rollup"]["kb"], "KB952076");
    assert_eq!(first["deployment"], "hmc40");
    assert_eq!(
        (&last["event"], &last["exit_code"], &last["exit"]),
        (&"ended".into(), &0.into(), &"ok".into())
    );
    let of = |kind| lines_of(&lines, kind);
    let plan: Value =
        serde_json::from_str(&world.read(".rollup/runs/0001-KB952076/plan.json")).expect("a plan");
    let swaps: Vec<u64> = of("swap")
        .iter()
        .map(|line| line["swap"].as_u64().expect("a number"))
        .collect();
    assert_eq!(
        swaps,
        (1..=plan["swaps"].as_array().expect("swaps").len() as u64).collect::<Vec<_>>()
    );
    let operations: usize = of("swap")
        .iter()
        .map(|line| line["operations"].as_array().expect("a list").len())
        .sum();
    let steps = plan["steps"].as_array().expect("steps");
    let planned: usize = steps
        .iter()
        .map(|step| step["operations"].as_array().expect("a list").len())
        .sum();
    assert_eq!(operations, planned);
    // One for every step and one for the record of the applied rollup.
    assert_eq!(of("sync").len(), steps.len() + 1);
    let compared = of("compared")[0];
    assert_eq!(compared["expected"], plan["expected_state"]["digest"]);
    assert_eq!(compared["expected"], compared["measured"]);
    let clock: Vec<u64> = lines
        .iter()
        .map(|line| line["elapsed_us"].as_u64().expect("a number"))
        .collect();
    assert!(clock.is_sorted());
}

#[test]
fn the_last_line_of_every_command_has_its_exit_code() {
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    let run = "0001-KB100001";
    let lines = events(&world, run);
    assert_eq!(
        event_names(&lines),
        [
            "began",
            "opened",
            "staged",
            "committing",
            "step",
            "swap",
            "sync",
            "step",
            "swap",
            "sync",
            "step",
            "asked",
            "ended"
        ]
    );
    world
        .run("resume --yes --done database")
        .exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::STOPPED);
    world.run("undo --yes --done database").exits_with(exit::OK);
    let lines = events(&world, run);
    assert_eq!(exit_codes(&lines), [12, 0, 12, 0]);
    let commands = lines
        .iter()
        .filter(|line| line["event"] == "began")
        .map(|line| line["command"].as_str());
    assert_eq!(
        commands.flatten().collect::<Vec<_>>(),
        ["apply", "resume", "undo", "undo"]
    );
    let answers = lines
        .iter()
        .filter(|line| line["event"] == "answered")
        .map(|line| line["answer"].as_str());
    assert_eq!(
        answers.flatten().collect::<Vec<_>>(),
        ["done", "rolled-back"]
    );
    let back: Vec<_> = lines
        .iter()
        .filter(|line| line["event"] == "swap" && line["direction"] == "back")
        .collect();
    let numbers: Vec<_> = back.iter().map(|line| line["swap"].as_i64()).collect();
    assert!(
        numbers.iter().rev().is_sorted()
            && numbers.len() == lines[0]["swaps"].as_u64().expect("swaps") as usize
    );
}

#[test]
fn the_events_of_a_run_that_was_rolled_back_have_its_reason() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml --inject-failure install")
        .exits_with(exit::ROLLED_BACK);
    let lab = world.at("lab/deployment/.rollup/runs/0001-KB952076");
    let here = world.run_directory("0001-KB952076");
    fs::create_dir_all(&here).expect("made");
    fs::copy(lab.join("events.ndjson"), here.join("events.ndjson")).expect("copied");
    let lines = events(&world, "0001-KB952076");
    let turned_event = lines
        .iter()
        .find(|line| line["event"] == "turned")
        .expect("a `turned` event");
    let last = lines.last().expect("lines");
    assert_eq!(
        (&last["exit_code"], &last["exit"]),
        (&10.into(), &"rolled-back".into())
    );
    assert!(
        last["reasons"][0]
            .as_str()
            .expect("a reason")
            .starts_with(turned_event["why"].as_str().expect("a reason"))
    );
    assert_eq!(lines[0]["command"], "rehearse");
    let compared = lines
        .iter()
        .find(|line| line["event"] == "compared")
        .expect("a `compared` event");
    assert_eq!(
        (&compared["direction"], &compared["expected"]),
        (&"back".into(), &compared["measured"])
    );
}

#[test]
fn the_next_command_continues_the_events_of_a_killed_run() {
    let world = small_world(UPDATE_PROVIDER);
    kill_near_the_end(&world, APPLY_SMALL);
    let run = "0001-KB100001";
    assert_eq!(exit_codes(&events(&world, run)), Vec::<i64>::new());
    // A killed process can leave an incomplete last line.
    let at = world.run_directory(run).join("events.ndjson");
    let torn = fs::read_to_string(&at).expect("events") + "{\"at\":\"2026";
    fs::write(&at, torn).expect("written");
    world.run("resume --yes").exits_with(exit::OK);
    let text = fs::read_to_string(&at).expect("events");
    let broken: Vec<&str> = text
        .lines()
        .filter(|line| serde_json::from_str::<Value>(line).is_err())
        .collect();
    assert_eq!(broken, ["{\"at\":\"2026"]);
    assert!(
        text.trim_end()
            .lines()
            .last()
            .expect("lines")
            .contains("\"exit_code\":0")
    );
}

#[test]
fn an_accepted_drift_has_events() {
    let world = small_world(UPDATE_PROVIDER).write_file(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "other",
    );
    world
        .run("accept --reason 'a hotfix' --yes")
        .exits_with(exit::OK);
    let lines = events(&world, "0001-accept");
    assert_eq!(lines[0]["subject"]["accept"]["reason"], "a hotfix");
    assert_eq!(exit_codes(&lines), [0]);
    let world = small_world(WITH_MANUAL_STEP);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("accept --reason 'repaired by hand' --yes")
        .exits_with(exit::OK);
    let lines = events(&world, "0001-KB100001");
    let closed = lines
        .iter()
        .find(|line| line["event"] == "closed")
        .expect("a `closed` event");
    assert_eq!(
        (&closed["outcome"], &closed["reason"]),
        (&"accepted".into(), &"repaired by hand".into())
    );
}

#[test]
fn a_signal_ends_the_events_with_the_exit_code() {
    let world = small_world(WITH_MANUAL_STEP);
    world
        .signalled("apply small.toml --yes", "Is it done?", Signal::INT)
        .exits_with(exit::STOPPED);
    assert_eq!(exit_codes(&events(&world, "0001-KB100001")), [12]);
}

#[test]
fn no_run_depends_on_its_events() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    let at = world.run_directory("0001-KB100001").join("events.ndjson");
    fs::remove_file(&at)
        .and_then(|()| fs::create_dir(&at))
        .expect("a directory in its place");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("the result matches the plan")
        .does_not_print("events in");
}

#[test]
fn a_rollback_reports_each_step_once_and_the_last_step_first() {
    let by_hand = "[[steps]]\nid = \"database\"\naction = \"manual\"\ninstructions = \"Run the script.\"\n\
                   undo = \"Run the other script.\"\n";
    let world = small_world(&WITH_MANUAL_STEP.replace(by_hand, ""));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    let lines = events(&world, "0001-KB100001");
    let steps: Vec<Option<&str>> = lines_of(&lines, "step")
        .into_iter()
        .filter(|line| line["direction"] == "back")
        .map(|line| line["step"].as_str())
        .collect();
    // The record of the rollup belongs to no step.
    let expected = ["restart", "install", "copy", "remove"].map(Some);
    assert_eq!(steps, [&[None][..], &expected].concat());
}
