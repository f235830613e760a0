//! Commands that only read: they change no byte, name, mode or time, and do not make `.rollup`.

use std::fs;
use std::process::{Command, Stdio};

use crate::small::{APPLY_SMALL, TOOL, small_world};
use crate::world::{APPLY, World, exit};

/// Commands that only read.
const READING_COMMANDS: [&str; 15] = [
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

/// Commands that only read, and need a run.
const COMMANDS_THAT_READ_A_RUN: [&str; 4] = [
    "history last",
    "report last",
    "report last --format json",
    "report last --format html",
];

#[test]
fn no_reading_command_changes_a_new_deployment() {
    let world = World::with_deployment();
    for arguments in READING_COMMANDS {
        world
            .run(arguments)
            .exits_with(exit::OK)
            .nothing_was_touched();
        assert!(
            !world.live(".rollup").exists(),
            "`{arguments}` made a `.rollup`"
        );
    }
}

#[test]
fn no_reading_command_changes_a_deployment_with_runs() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    for arguments in READING_COMMANDS.iter().chain(&COMMANDS_THAT_READ_A_RUN) {
        world
            .run(arguments)
            .exits_with(exit::OK)
            .nothing_was_touched();
    }
}

#[test]
fn a_preview_without_a_payload_has_no_digest() {
    let world = World::with_deployment().with(|world| {
        std::fs::rename(world.at("KB952076"), world.at("elsewhere")).expect("renamed");
    });
    let ran = world
        .run("plan kb952076.toml")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("no payload")
        .prints("a preview without a digest")
        .prints("75 operations in 5 steps");
    world
        .run("plan kb952076.toml -p elsewhere")
        .exits_with(exit::OK)
        .prints("payload elsewhere")
        .prints("75 operations");
}

#[test]
fn a_dry_run_prints_the_same_plan_as_plan() {
    let world = World::with_deployment();
    let plan = world.run("plan kb952076.toml");
    let dry_run = world
        .run("apply kb952076.toml --dry-run")
        .prints("this was a dry run: nothing was changed");
    assert_eq!(plan.stdout(), dry_run.stdout());
    assert!(plan.stdout().contains("75 operations in 5 steps"));
}

#[test]
fn tree_prints_every_instance_with_its_state() {
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
        .prints("Exchange 2003 Coexistence Provider not-installed")
        .prints("verified 4.0.200");
    world.run(APPLY).exits_with(exit::OK);
    world
        .run("tree")
        .prints("verified 4.0.300")
        .prints("verified 4.0.200");
}

#[test]
fn tree_by_server_prints_everything_on_each_server() {
    let run = "[[steps]]\nid = \"run\"\naction = \"run\"\nfiles = [\"Agent.msi\"]\non = \"engine\"\nplatform = \"x64\"\n\
               [[steps]]\nid = \"stop\"\naction = \"stop\"\nservice = \"IIS\"\n[[steps]]\nid = \"off\"\naction = \"disable\"\nservice = \"IIS\"\n";
    let rows = "files = [{ name = \"Tool.txt\" }, { name = \"Agent.msi\" }]";
    let rest = TOOL.replace("files = [{ name = \"Tool.txt\" }]", rows);
    let world = small_world(&format!("{run}{rest}")).edit(
        "deployment/deployment.toml",
        "{ name = \"ENG01\", roles = [\"engine\"] }",
        "{ name = \"ENG01\", roles = [\"engine\"], offline = true }",
    );
    world.run("apply small.toml --yes").exits_with(exit::OK);
    let world = world
        .write_file("Servers/ENG02/Files/Tools/notes.txt", "mine")
        // The run left the offline server out.
        .write_file("Servers/ENG01/Files/Tools/Tool.txt", "mine");
    let ran = world
        .run("tree --by server")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("ENG01: engine, x86, offline files Tools/Tool.txt unmanaged services Engine running, enabled")
        .prints("ENG02: engine, x64 programs Agent verified 4.0.300")
        .prints("files Tools/notes.txt unmanaged Tools/Tool.txt services Engine running, enabled")
        .prints("WEB01: web, x86 Site verified 4.0.200 services IIS stopped, disabled")
        .prints("items that the servers share: `rollup tree -d deployment` prints them");
    let document = world.run("tree --by server --format json").json();
    let server = &document["servers"][1];
    assert_eq!(
        *server,
        serde_json::json!({
            "name": "ENG02", "roles": ["engine"], "platform": "x64", "offline": false, "instances": [],
            "programs": [{ "name": "Agent", "path": "Servers/ENG02/Programs/Agent", "state": "verified", "version": "4.0.300" }],
            "files": [
                { "path": "Servers/ENG02/Files/Tools/notes.txt", "managed": false },
                { "path": "Servers/ENG02/Files/Tools/Tool.txt", "managed": true },
            ],
            "services": [{ "name": "Engine", "running": true, "enabled": true }],
        })
    );
    assert_eq!(document["servers"][2]["instances"][0]["item"], "Site");
    // Without the option the document has the instances only.
    let document = world.run("tree --format json").json();
    assert_eq!(document["servers"], serde_json::Value::Null);
    world.run("tree").does_not_print("Agent");
}

#[test]
fn verify_prints_the_number_of_compared_items() {
    let world = World::with_deployment();
    let before = world
        .run("verify --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(before["drift"], serde_json::json!([]));
    assert_eq!(before["unmanaged"], serde_json::json!([]));
    // All but the three instances that are not installed and the five procedures.
    assert_eq!(before["items"], 33);
    world
        .run("verify")
        .prints("everything matches: 33 installed items");
}

#[test]
fn verify_does_not_need_the_package_of_a_program_in_the_share() {
    // The share has an older `Extra.msi`, and no `Tool.msi`.
    let run = "[[steps]]\nid = \"run\"\naction = \"run\"\non = \"engine\"\nfiles = [\"Tool.msi\", \"Extra.msi\"]\n\
               [payload]\nfiles = [{ name = \"Tool.msi\" }, { name = \"Extra.msi\" }]\n";
    let world = small_world(run);
    fs::rename(world.live("Servers"), world.live("SERVERS")).expect("renamed");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("verify")
        .exits_with(exit::OK)
        .prints("everything matches");
}

#[test]
fn verify_reports_every_kind_of_drift_with_its_path() {
    let directory = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files";
    let world = World::with_deployment();
    let files = world
        .run("status")
        .after()
        .paths(|path, entry| path.starts_with(directory) && entry.kind == "file");
    let [changed, removed, ..] = &files[..] else {
        panic!("{files:?}")
    };
    let (changed, removed) = (
        changed.to_str().expect("a UTF-8 path"),
        removed.to_str().expect("a UTF-8 path"),
    );
    let world = world
        .write_file(changed, "other bytes")
        .remove(removed)
        .write_file("MSIShare/HostedEmail2007NS.msi", "no installer");
    let ran = world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .nothing_was_touched();
    ran.prints(&format!("drift: `{changed}` has other contents"))
        .prints(&format!("drift: `{removed}` is gone"))
        .prints("drift: `MSIShare/HostedEmail2007NS.msi` has other contents")
        .prints("3 differences in 33 installed items");
    let document = world
        .run("verify --format json")
        .exits_with(exit::MISMATCH)
        .json();
    assert_eq!(document["drift"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        (&document["outcome"], &document["exit_code"]),
        (&"mismatch".into(), &13.into())
    );
}

#[test]
#[ignore = "needs root and mounts"]
fn reading_commands_work_on_a_read_only_file_system() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    for arguments in READING_COMMANDS.iter().chain(&COMMANDS_THAT_READ_A_RUN) {
        let script = format!(
            "mount --bind deployment deployment && mount -o remount,bind,ro deployment && \
             ! touch deployment/x 2>/dev/null && exec {} {arguments}",
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
            .expect("unshare runs");
        assert!(
            output.status.success(),
            "{arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}
