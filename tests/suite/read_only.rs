//! The commands that read change nothing: not a byte, name, mode, or time; they do not even leave a
//! `.rollup` behind.

use std::fs;
use std::process::{Command, Stdio};

use crate::small::{APPLY_SMALL, small_world};
use crate::world::{APPLY, World, exit};

/// Every command that only reads.
const READING: [&str; 15] = [
    "plan kb952076.toml",
    "plan kb952076.toml --why",
    "plan kb952076.toml --format json",
    "plan kb952076.toml --format html",
    "plan kb952076.toml --tree",
    "plan kb952076.toml --undo",
    "apply kb952076.toml --dry-run",
    "status",
    "status --format json",
    "history",
    "tree",
    "tree --format json",
    "verify",
    "verify --format json",
    "validate kb952076.toml -d deployment -p KB952076",
];

/// Those that need a run.
const READING_A_RUN: [&str; 4] = [
    "history last",
    "report last",
    "report last --format json",
    "report last --format html",
];

#[test]
fn no_reading_command_touches_a_deployment_that_nothing_was_applied_to() {
    let world = World::with_deployment();
    for words in READING {
        world.run(words).exits_with(exit::OK).nothing_was_touched();
        assert!(
            !world.live(".rollup").exists(),
            "`{words}` made a `.rollup`"
        );
    }
}

#[test]
fn no_reading_command_touches_a_deployment_with_runs() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    for words in READING.iter().chain(&READING_A_RUN) {
        world.run(words).exits_with(exit::OK).nothing_was_touched();
    }
}

#[test]
fn a_preview_without_payload_says_what_it_cannot_know() {
    let world = World::with_deployment().with(|world| {
        std::fs::rename(world.at("KB952076"), world.at("elsewhere")).expect("renamed");
    });
    let ran = world
        .run("plan kb952076.toml")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("no payload")
        .says("a preview without digest")
        .says("75 operations in 5 steps");
    world
        .run("plan kb952076.toml -p elsewhere")
        .exits_with(exit::OK)
        .says("payload elsewhere")
        .says("75 operations");
}

#[test]
fn a_dry_run_shows_the_plan_that_plan_shows() {
    let world = World::with_deployment();
    let plan = world.run("plan kb952076.toml");
    let dry = world
        .run("apply kb952076.toml --dry-run")
        .says("this was a dry run: nothing was touched");
    assert_eq!(plan.stdout(), dry.stdout());
    assert!(plan.stdout().contains("76 swaps"));
}

#[test]
fn the_tree_shows_every_instance_with_its_state() {
    let world = World::with_deployment();
    let tree = world.run("tree --format json").exits_with(exit::OK).json();
    let instances = tree["instances"].as_array().expect("instances");
    let count = |state: &str| {
        instances
            .iter()
            .filter(|instance| instance["state"] == state)
            .count()
    };
    assert_eq!(
        (instances.len(), count("verified"), count("not-installed")),
        (41, 38, 3)
    );
    world
        .run("tree")
        .says("Exchange 2003 Coexistence Provider not-installed")
        .says("verified 4.0.200");
    world.run(APPLY).exits_with(exit::OK);
    world
        .run("tree")
        .says("verified 4.0.300")
        .says("verified 4.0.200");
}

#[test]
fn verify_counts_what_it_compared() {
    let world = World::with_deployment();
    let before = world
        .run("verify --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(before["drift"], serde_json::json!([]));
    assert_eq!(before["beside"], serde_json::json!([]));
    // All but the three instances that are not installed and the five procedures.
    assert_eq!(before["items"], 33);
    world
        .run("verify")
        .says("everything matches: 33 installed items");
}

#[test]
fn verify_looks_in_no_share_for_what_a_step_ran() {
    // The share has an older `Extra.msi`, and no `Tool.msi`.
    let run = "[[steps]]\nid = \"run\"\naction = \"run\"\non = \"engine\"\nfiles = [\"Tool.msi\", \"Extra.msi\"]\n\
               [payload]\nfiles = [{ name = \"Tool.msi\" }, { name = \"Extra.msi\" }]\n";
    let world = small_world(run);
    fs::rename(world.live("Servers"), world.live("SERVERS")).expect("another spelling of it");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("verify")
        .exits_with(exit::OK)
        .says("everything matches");
}

#[test]
fn verify_tells_every_kind_of_drift_by_path() {
    let directory = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files";
    let world = World::with_deployment();
    let files = world
        .run("status")
        .after()
        .paths(|path, entry| path.starts_with(directory) && entry.kind == "file");
    let [changed, gone, ..] = &files[..] else {
        panic!("{files:?}")
    };
    let (changed, gone) = (
        changed.to_str().expect("plain"),
        gone.to_str().expect("plain"),
    );
    let world = world
        .put(changed, "other bytes")
        .remove(gone)
        .put("MSIShare/HostedEmail2007NS.msi", "no installer");
    let ran = world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .nothing_was_touched();
    ran.says(&format!("drift: `{changed}` has other contents"))
        .says(&format!("drift: `{gone}` is gone"))
        .says("drift: `MSIShare/HostedEmail2007NS.msi` has other contents")
        .says("3 differences in 33 installed items");
    let told = world
        .run("verify --format json")
        .exits_with(exit::MISMATCH)
        .json();
    assert_eq!(told["drift"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        (&told["outcome"], &told["exit_code"]),
        (&"mismatch".into(), &13.into())
    );
}

#[test]
#[ignore = "needs root and mounts"]
fn reading_works_where_nobody_can_write() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    for words in READING.iter().chain(&READING_A_RUN) {
        let script = format!(
            "mount --bind deployment deployment && mount -o remount,bind,ro deployment && \
             ! touch deployment/x 2>/dev/null && exec {} {words}",
            env!("CARGO_BIN_EXE_rollup")
        );
        let mut command = Command::new("unshare");
        command
            .args(["--mount", "sh", "-c", &script])
            .current_dir(world.at(""))
            .stdin(Stdio::null());
        let output = command
            .env("ROLLUP_DEPLOYMENT", "deployment")
            .output()
            .expect("unshare can be run");
        assert!(
            output.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
