//! `events.ndjson` of a run: every line is of the documented form, the first says what follows, the
//! last carries the exit code; and nothing ever depends on it.

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
        .expect("it runs");
    let schema = serde_json::from_slice(&output.stdout).expect("JSON");
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of draft 2020-12");
    jsonschema::draft202012::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema")
});

/// An update with a manual step and a restart.
pub(crate) const EVERYTHING: &str = r#"
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

/// The lines of a run's events; each conforms to the schema.
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

/// Which events were told, in order, without repetitions in a row.
fn told(lines: &[Value]) -> Vec<&str> {
    let mut told: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().expect("a kind"))
        .collect();
    told.dedup();
    told
}

fn ended(lines: &[Value]) -> Vec<i64> {
    let ended = lines.iter().filter(|line| line["event"] == "ended");
    ended
        .map(|line| line["exit_code"].as_i64().expect("a code"))
        .collect()
}

/// Kills a command that would go well a few changes of the disk before its end.
pub(crate) fn killed_near_the_end(world: &World, words: &str) {
    let counts = format!("{words} --die-at-change {}", u64::MAX);
    let counted = world.copy().command(&counts).output().expect("it runs");
    let said = String::from_utf8_lossy(&counted.stderr).into_owned();
    let changes: u64 = said
        .lines()
        .find_map(|line| line.strip_prefix("changes of the disk: ")?.parse().ok())
        .expect("a number");
    let dying = format!("{words} --die-at-change {}", changes - 6);
    assert_eq!(
        world
            .command(&dying)
            .output()
            .expect("it runs")
            .status
            .code(),
        None
    );
}

#[test]
fn their_path_is_told_before_anything_is_done() {
    let world = small_world(UPDATE_PROVIDER);
    let at = "events in deployment/.rollup/runs/0001-KB100001/events.ndjson";
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says(&format!("{at} staging run 0001-KB100001"));
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .says(&format!("{at} putting everything back"));
}

#[test]
fn an_apply_tells_itself_whole() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let lines = events(&world, "0001-KB952076");
    let (first, last) = (&lines[0], lines.last().expect("lines"));
    assert_eq!(
        (&first["event"], &first["schema"], &first["command"]),
        (&"began".into(), &1.into(), &"apply".into())
    );
    assert_eq!(first["about"]["rollup"]["kb"], "KB952076");
    assert_eq!(first["deployment"], "hmc40");
    assert_eq!(
        (&last["event"], &last["exit_code"], &last["exit"]),
        (&"ended".into(), &0.into(), &"ok".into())
    );
    let of = |kind: &str| {
        lines
            .iter()
            .filter(|line| line["event"] == kind)
            .collect::<Vec<_>>()
    };
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
    // One for every step and one for the level.
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
fn every_end_of_a_command_is_the_last_line() {
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    let run = "0001-KB100001";
    let lines = events(&world, run);
    assert_eq!(
        told(&lines),
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
    assert_eq!(ended(&lines), [12, 0, 12, 0]);
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
        ["done", "taken-back"]
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
fn a_failure_that_was_put_back_says_why() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml --inject-failure install")
        .exits_with(exit::UNDONE);
    let lab = world.at("lab/deployment/.rollup/runs/0001-KB952076");
    let here = world.run_directory("0001-KB952076");
    fs::create_dir_all(&here).expect("made");
    fs::copy(lab.join("events.ndjson"), here.join("events.ndjson")).expect("copied");
    let lines = events(&world, "0001-KB952076");
    let turned = lines
        .iter()
        .find(|line| line["event"] == "turned")
        .expect("it turned");
    let last = lines.last().expect("lines");
    assert_eq!(
        (&last["exit_code"], &last["exit"]),
        (&10.into(), &"undone".into())
    );
    assert!(
        last["reasons"][0]
            .as_str()
            .expect("a reason")
            .starts_with(turned["why"].as_str().expect("why"))
    );
    assert_eq!(lines[0]["command"], "rehearse");
    let compared = lines
        .iter()
        .find(|line| line["event"] == "compared")
        .expect("it was compared");
    assert_eq!(
        (&compared["direction"], &compared["expected"]),
        (&"back".into(), &compared["measured"])
    );
}

#[test]
fn what_was_killed_has_no_last_line_and_the_next_command_goes_on_in_the_same_file() {
    let world = small_world(UPDATE_PROVIDER);
    killed_near_the_end(&world, APPLY_SMALL);
    let run = "0001-KB100001";
    assert_eq!(ended(&events(&world, run)), Vec::<i64>::new());
    // A death may tear the last line.
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
fn what_is_accepted_is_told_too() {
    let world = small_world(UPDATE_PROVIDER).put(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "other",
    );
    world
        .run("accept --reason 'a hotfix' --yes")
        .exits_with(exit::OK);
    let lines = events(&world, "0001-accept");
    assert_eq!(lines[0]["about"]["accept"]["reason"], "a hotfix");
    assert_eq!(ended(&lines), [0]);
    let world = small_world(EVERYTHING);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("accept --reason 'mended by hand' --yes")
        .exits_with(exit::OK);
    let lines = events(&world, "0001-KB100001");
    let closed = lines
        .iter()
        .find(|line| line["event"] == "closed")
        .expect("it is closed");
    assert_eq!(
        (&closed["outcome"], &closed["reason"]),
        (&"accepted".into(), &"mended by hand".into())
    );
}

#[test]
fn a_signal_is_an_end_as_well() {
    let world = small_world(EVERYTHING);
    world
        .signalled("apply small.toml --yes", "Is it done?", Signal::INT)
        .exits_with(exit::STOPPED);
    assert_eq!(ended(&events(&world, "0001-KB100001")), [12]);
}

#[test]
fn no_run_depends_on_them() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    let at = world.run_directory("0001-KB100001").join("events.ndjson");
    fs::remove_file(&at)
        .and_then(|()| fs::create_dir(&at))
        .expect("a directory in its place");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("as previewed")
        .does_not_say("events in");
}
