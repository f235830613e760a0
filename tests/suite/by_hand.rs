//! Recovery by hand, as `rollup explain recovery` describes it: its lines of shell finish or undo a killed run,
//! and rollup accepts the result. rollup itself reaches the same two states.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollup::names::Digest;
use walkdir::WalkDir;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::temporary::temporary;
use crate::transcripts::{blocks, program};
use crate::world::{World, exit};

/// Numbers of the renames at which `apply` is killed: the first of the commit, the last, those of unmanaged files
/// and their neighbours, and some others, odd and even.
const KILLED_AT_RENAME: [u32; 8] = [3, 16, 20, 21, 53, 54, 92, 157];

/// Reads kind, permissions and contents of everything but `.rollup`.
fn entries_of(deployment: &Path) -> BTreeMap<PathBuf, (u32, Option<Digest>)> {
    let walk = WalkDir::new(deployment).min_depth(1).into_iter();
    let walk = walk.filter_entry(|entry| entry.depth() != 1 || entry.file_name() != ".rollup");
    let entries = walk.map(|entry| {
        let entry = entry.expect("a readable entry");
        let mode = entry.metadata().expect("metadata").mode();
        let contents = entry
            .file_type()
            .is_file()
            .then(|| Digest::of(&fs::read(entry.path()).expect("a file")));
        (
            entry
                .path()
                .strip_prefix(deployment)
                .expect("a path below")
                .to_owned(),
            (mode, contents),
        )
    });
    entries.collect()
}

fn run(command: &mut Command) {
    let output = command.output().expect("the command runs");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// Returns the blocks of shell that `rollup explain recovery` prints.
fn shell_blocks() -> Vec<String> {
    let output = program(Path::new(env!("CARGO_MANIFEST_DIR")))
        .args(["explain", "recovery"])
        .output()
        .expect("rollup runs");
    blocks(&String::from_utf8(output.stdout).expect("UTF-8"), "sh")
}

const APPLY: [&str; 7] = [
    "apply",
    "manifests/kb952076.toml",
    "-d",
    "lab/deployment",
    "-p",
    "lab/payload",
    "--yes",
];

#[test]
#[ignore = "needs strace"]
fn a_killed_run_is_finished_and_undone_by_hand_and_by_rollup() {
    let shell_blocks = shell_blocks();
    let [tools, finish, undo] = shell_blocks.as_slice() else {
        panic!("three blocks of shell: {shell_blocks:#?}")
    };
    let directory = temporary();
    let here = directory.path();
    let (deployment, saved_deployment) = (here.join("lab/deployment"), here.join("kept"));
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"),
        here,
    );
    run(program(here).args(["rehearse", "manifests/kb952076.toml", "--prepare"]));
    // Unmanaged files, which have to move along.
    let provider =
        deployment.join("Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files");
    fs::write(provider.join("operator.txt"), "mine").expect("a file");
    let web =
        deployment.join("MPS Web Services/Hosted Email 2007 Web Service/PROV01/files/own logs");
    fs::create_dir(&web)
        .and_then(|()| fs::write(web.join("web.log"), "mine"))
        .expect("a file");
    copy(&deployment, &saved_deployment);
    let before = entries_of(&deployment);
    run(program(here).args(APPLY));
    let after = entries_of(&deployment);

    for number in KILLED_AT_RENAME {
        let scripts = [
            (Some(finish), "resume", &after),
            (Some(undo), "undo", &before),
        ];
        for (script, closing, expected) in scripts
            .into_iter()
            .chain([(None, "resume", &after), (None, "undo", &before)])
        {
            fs::remove_dir_all(&deployment).expect("removed");
            copy(&saved_deployment, &deployment);
            let injection = format!("inject=renameat2:signal=KILL:when={number}");
            let mut strace = Command::new("strace");
            strace.args([
                "-f",
                "-o",
                "/dev/null",
                "-e",
                "trace=renameat2",
                "-e",
                &injection,
            ]);
            strace
                .arg(env!("CARGO_BIN_EXE_rollup"))
                .args(APPLY)
                .current_dir(here);
            let killed = strace.stdin(Stdio::null()).output().expect("strace runs");
            assert!(
                !killed.status.success(),
                "{}",
                String::from_utf8_lossy(&killed.stderr)
            );
            let status = program(here)
                .args(["status", "-d", "lab/deployment"])
                .output()
                .expect("the program runs");
            assert_eq!(status.status.code(), Some(12), "rename {number}");

            if let Some(script) = script {
                run(Command::new("bash")
                    .args(["-c", &format!("{tools}{script}")])
                    .current_dir(&deployment));
                assert!(
                    entries_of(&deployment) == *expected,
                    "{closing} by hand, killed at rename {number}"
                );
            }
            run(program(here).args([closing, "-d", "lab/deployment", "--yes"]));
            assert!(
                entries_of(&deployment) == *expected,
                "{closing}, killed at rename {number}"
            );
            run(program(here).args(["status", "-d", "lab/deployment"]));
        }
    }
}

/// Returns the shell of the page for the run of the small rollup: its functions, with the lines that finish it, or
/// that roll it back.
fn scripts_of_small() -> [String; 2] {
    let shell_blocks = shell_blocks();
    let [tools, finish, undo] = shell_blocks.as_slice() else {
        panic!("three blocks of shell: {shell_blocks:#?}")
    };
    let tools = tools.replace("0001-KB952076", "0001-KB100001");
    [finish, undo].map(|lines| format!("{tools}{lines}"))
}

fn bash(world: &World, script: &str) -> String {
    let mut bash = Command::new("bash");
    let bash = bash.args(["-c", script]).current_dir(world.deployment());
    let output = bash.output().expect("bash runs");
    String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
}

#[test]
fn the_lines_stop_at_a_slot_with_neither_object() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    let slot = world.run_directory("0001-KB100001").join("slots/1/old");
    fs::remove_dir_all(slot).expect("an old object");
    for script in scripts_of_small() {
        let printed = bash(&world.copy(), &script);
        let expected = "stopped at swap 1: its slot has neither object, the run is damaged";
        assert!(printed.contains(expected), "{printed}");
    }
}

#[test]
fn an_unmanaged_file_that_an_undo_listed_moves_along() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file("Things/Provider/files/new.txt", "mine");
    // The first change after which the undo has listed the file, and swapped nothing.
    let killed = (1..30).find_map(|change| {
        let copy = world.copy();
        copy.run(&format!("undo last --yes --die-at-change {change}"));
        let journal = copy.run_directory("0001-KB100001").join("journal");
        let journal = fs::read_to_string(journal).expect("a journal");
        journal.contains("\"reopened\"").then_some(copy)
    });
    let killed = killed.expect("the undo begins");
    let [_, undo] = scripts_of_small();
    let printed = bash(&killed, &undo);
    assert_eq!(
        killed.read("Things/Provider/files/new.txt"),
        "mine",
        "{printed}"
    );
    killed.run("undo --yes").exits_with(exit::OK);
    killed.run("verify").exits_with(exit::OK);
}
