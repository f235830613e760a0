//! Runs of every released format stay readable, and can be resumed and undone.
//! `fixtures/runs/FORMAT` has deployments that a rollup of that format left: every path with its
//! text, directories without one.
//!
//! `SNAPSHOTS=overwrite` writes missing states of the current format, and replaces none.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use crate::small::small;
use crate::world::{World, exit};

/// Contents of a directory by path; `None` is a directory.
type StoredTree = BTreeMap<PathBuf, Option<String>>;

const SITE: &str = r#"
schema = 1
name = "stored"
product = "Sample"
product_version = "1.0"
share = "Share"
roles = [{ name = "engine" }]
servers = [{ name = "ENG01", roles = ["engine"] }]
services = [{ name = "Engine", on = "engine" }]

[[groups]]
path = "Things"
items = [{ name = "Provider", installer = "Provider.msi" }]
procedures = [{ name = "Prepare" }]
"#;

/// Steps that uninstall an item with an unmanaged file, copy a file into a new directory, wait at a
/// manual step, and restart the engine.
const STEPS: &str = r#"
[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Provider"]
[[steps]]
id = "copy"
action = "copy"
to = "Tools"
on = "engine"
files = ["Tool.txt"]
[[steps]]
id = "script"
action = "manual"
instructions = "Run the script."
undo = "Run the other script."
[[steps]]
id = "prepare"
action = "initialize"
items."Things" = ["Prepare"]
[[steps]]
id = "restart"
action = "restart"
service = "Engine"
[payload]
files = [{ name = "Tool.txt", size = 40 }]
"#;

const APPLY: &str = "apply stored.toml --yes";
const FINISH: &str = "resume --yes --done script";
/// Undo that stops at the manual step, because no `--done` confirms its rollback.
const UNDO: &str = "undo last --yes";

/// State of a run that is stored, with the commands that lead to it.
struct StoredState {
    name: &'static str,
    commands: &'static [&'static str],
    /// Condition of the run's directory; the last command is killed at the first change that leaves
    /// it true.
    killed_at: Option<fn(&Path) -> bool>,
}

const STATES: [StoredState; 9] = [
    StoredState {
        name: "before",
        commands: &[],
        killed_at: None,
    },
    StoredState {
        name: "staging",
        commands: &[APPLY],
        killed_at: Some(|run| run.join("plan.json").exists()),
    },
    StoredState {
        name: "staged",
        commands: &["stage stored.toml --yes"],
        killed_at: None,
    },
    StoredState {
        name: "between",
        commands: &[APPLY],
        killed_at: Some(|run| run.join("slots/1/old").exists()),
    },
    StoredState {
        name: "waiting",
        commands: &[APPLY],
        killed_at: None,
    },
    StoredState {
        name: "confirmed",
        commands: &[APPLY, FINISH],
        killed_at: Some(|run| !run.join("slots/4/new").exists()),
    },
    StoredState {
        name: "turned",
        commands: &[APPLY, FINISH, UNDO],
        killed_at: None,
    },
    StoredState {
        name: "finished",
        commands: &[APPLY, FINISH],
        killed_at: None,
    },
    StoredState {
        name: "closed",
        commands: &[APPLY, "accept --reason 'repaired by hand' --yes"],
        killed_at: None,
    },
];

/// Returns the deployment before, with the manifest and its payload beside it.
fn world() -> World {
    let world = World::with_site(SITE).manifest("stored", &small("KB100001", STEPS));
    let world = world.write_file("Things/Provider/files/notes.txt", "unmanaged");
    world.remove("Share/Provider.msi")
}

/// Leads a world to a state. Returns `None` if the command ended before the change to be killed at.
fn lead(state: &StoredState, change: Option<u64>) -> Option<World> {
    let world = world();
    for (at, command) in state.commands.iter().enumerate() {
        let is_last = at + 1 == state.commands.len();
        let dying = change
            .filter(|_| is_last)
            .map(|change| format!(" --die-at-change {change}"))
            .unwrap_or_default();
        let mut command = world.command(&format!("{command}{dying}"));
        let output = command.output().expect("the program can be run");
        if is_last && change.is_some() && output.status.code().is_some() {
            return None;
        }
    }
    Some(world)
}

fn reached(state: &StoredState) -> World {
    let Some(is_there) = state.killed_at else {
        return lead(state, None).expect("no command is killed");
    };
    let worlds = (1..).map_while(|change| lead(state, Some(change)));
    let mut reached = worlds.filter(|world| is_there(&world.run_directory("0001-KB100001")));
    reached
        .next()
        .unwrap_or_else(|| panic!("no kill leads to `{}`", state.name))
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/runs")
        .join(rollup::journal::FORMAT.to_string())
}

fn stored_tree(world: &World) -> StoredTree {
    let entries = WalkDir::new(world.deployment())
        .min_depth(1)
        .into_iter()
        .map(|entry| {
            let entry = entry.expect("a readable tree");
            let below = entry
                .path()
                .strip_prefix(world.deployment())
                .expect("it is below the deployment")
                .to_owned();
            (
                below,
                entry
                    .file_type()
                    .is_file()
                    .then(|| fs::read_to_string(entry.path()).expect("a text")),
            )
        });
    // The reserve for a full disk has no information.
    let is_stored = |path: &Path| !path.ends_with("reserve");
    entries.filter(|(path, _)| is_stored(path)).collect()
}

/// Returns everything outside `.rollup`.
fn deployed(stored: &StoredTree) -> StoredTree {
    let is_rollup_directory = |path: &Path| path.starts_with(".rollup");
    stored
        .iter()
        .filter(|(path, _)| !is_rollup_directory(path))
        .map(|(path, text)| (path.clone(), text.clone()))
        .collect()
}

fn read(format: &Path, name: &str) -> StoredTree {
    let text = fs::read_to_string(format.join(format!("{name}.json"))).expect("a stored run");
    serde_json::from_str(&text).expect("paths and texts")
}

/// Writes a stored deployment to disk.
fn restored(format: &Path, name: &str) -> World {
    let world = World::with_site(SITE);
    fs::remove_dir_all(world.deployment()).expect("removed");
    fs::create_dir(world.deployment()).expect("made");
    for (path, text) in read(format, name) {
        let at = world.live(path.to_str().expect("text"));
        match text {
            None => fs::create_dir(at).expect("made"),
            Some(text) => fs::write(at, text).expect("written"),
        }
    }
    world
}

/// Returns the directories of all formats that were ever released.
fn formats() -> Vec<PathBuf> {
    let parent = directory().parent().expect("it has one").to_owned();
    fs::read_dir(parent)
        .expect("stored runs")
        .map(|entry| entry.expect("listed").path())
        .collect()
}

#[test]
fn every_state_of_the_current_format_is_stored() {
    for state in &STATES {
        let at = directory().join(format!("{}.json", state.name));
        if !at.exists() && std::env::var_os("SNAPSHOTS").is_some_and(|mode| mode == "overwrite") {
            fs::create_dir_all(directory()).expect("made");
            let text = serde_json::to_string_pretty(&stored_tree(&reached(state)))
                .expect("paths and texts");
            fs::write(&at, text + "\n").expect("written");
        }
        assert!(
            at.exists(),
            "`{}` is not stored; SNAPSHOTS=overwrite writes what is missing",
            at.display()
        );
    }
}

#[test]
fn stored_runs_are_reported() {
    let expected_status = [
        (
            "staging",
            exit::OK,
            "being staged, or interrupted while staging",
        ),
        ("staged", exit::STOPPED, "staged and not begun"),
        ("between", exit::STOPPED, "step remove: not begun"),
        ("waiting", exit::STOPPED, "step script: to be done by hand"),
        ("confirmed", exit::STOPPED, "step script: done by"),
        ("turned", exit::STOPPED, "unfinished, rolling back"),
        ("finished", exit::OK, "clean: no run in progress"),
        ("closed", exit::OK, "clean: no run in progress"),
    ];
    for format in formats() {
        for (name, code, words) in expected_status {
            let world = restored(&format, name);
            world
                .run("status")
                .exits_with(code)
                .nothing_was_touched()
                .prints(words);
            world
                .run("history")
                .exits_with(exit::OK)
                .nothing_was_touched();
            world
                .run("history last")
                .exits_with(exit::OK)
                .nothing_was_touched()
                .prints("records");
            let report = world
                .run("report last")
                .exits_with(exit::OK)
                .nothing_was_touched();
            report.prints("KB100001 revision 1.0");
        }
    }
}

#[test]
fn stored_runs_can_be_resumed() {
    for format in formats() {
        let finished = deployed(&read(&format, "finished"));
        for name in ["staged", "between", "waiting", "confirmed", "turned"] {
            let world = restored(&format, name);
            world
                .run("resume --yes --done script")
                .exits_with(exit::OK)
                .prints("the result matches the plan");
            assert_eq!(deployed(&stored_tree(&world)), finished, "{name}");
            world
                .run("status")
                .exits_with(exit::OK)
                .prints("clean: no run in progress");
        }
    }
}

#[test]
fn stored_runs_can_be_undone() {
    for format in formats() {
        let before = deployed(&read(&format, "before"));
        for name in [
            "staging",
            "staged",
            "between",
            "waiting",
            "confirmed",
            "turned",
            "finished",
        ] {
            let world = restored(&format, name);
            let named = if name == "finished" { "last" } else { "" };
            world
                .run(&format!("undo {named} --yes --done script"))
                .exits_with(exit::OK);
            assert_eq!(deployed(&stored_tree(&world)), before, "{name}");
            world
                .run("status")
                .exits_with(exit::OK)
                .prints("no run in progress");
        }
    }
}
