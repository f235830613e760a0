//! The README's page "By hand" is true: a run that was killed is finished or undone with its lines
//! of shell, and rollup agrees afterwards; or rollup takes it either way by itself.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollup::names::Digest;
use tempfile::TempDir;
use walkdir::WalkDir;

use crate::transcripts::{blocks, program, readme};

/// The renames before which `apply` is killed: the first, the last, those of an operator's file and
/// their neighbours, and some others, of odd and even number.
const KILLED_BEFORE: [u32; 8] = [2, 15, 19, 20, 52, 53, 91, 156];

/// Kind, permissions and contents of everything but `.rollup`.
fn tree(deployment: &Path) -> BTreeMap<PathBuf, (u32, Option<Digest>)> {
    let walk = WalkDir::new(deployment).min_depth(1).into_iter();
    let walk = walk.filter_entry(|entry| entry.depth() != 1 || entry.file_name() != ".rollup");
    let entries = walk.map(|entry| {
        let entry = entry.expect("a readable entry");
        let mode = entry.metadata().expect("an entry that is there").mode();
        let contents = entry
            .file_type()
            .is_file()
            .then(|| Digest::of(&fs::read(entry.path()).expect("a file")));
        (
            entry
                .path()
                .strip_prefix(deployment)
                .expect("below it")
                .to_owned(),
            (mode, contents),
        )
    });
    entries.collect()
}

fn run(command: &mut Command) {
    let output = command.output().expect("it runs");
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn copy(from: &Path, to: &Path) {
    run(Command::new("cp").arg("-a").arg(from).arg(to));
}

/// The lines of shell of the page, from its own heading on.
fn lines() -> Vec<String> {
    let readme = readme();
    let (_, page) = readme
        .split_once("\n## By hand\n")
        .expect("there is such a page");
    let page = page.split_once("\n## ").map_or(page, |(page, _)| page);
    blocks(page, "sh")
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
fn a_killed_run_is_taken_both_ways_with_mv_alone_and_without_a_hand() {
    let lines = lines();
    let [tools, finish, undo] = lines.as_slice() else {
        panic!("three blocks of shell: {lines:#?}")
    };
    let directory = TempDir::new().expect("a directory");
    let here = directory.path();
    let (deployment, kept) = (here.join("lab/deployment"), here.join("kept"));
    copy(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests"),
        here,
    );
    run(program(here).args(["rehearse", "manifests/kb952076.toml", "--prepare"]));
    // What no installer brought, so that it has to travel.
    let provider =
        deployment.join("Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files");
    fs::write(provider.join("operator.txt"), "mine").expect("a file");
    let web =
        deployment.join("MPS Web Services/Hosted Email 2007 Web Service/PROV01/files/own logs");
    fs::create_dir(&web)
        .and_then(|()| fs::write(web.join("web.log"), "mine"))
        .expect("a file");
    copy(&deployment, &kept);
    let before = tree(&deployment);
    run(program(here).args(APPLY));
    let after = tree(&deployment);

    for number in KILLED_BEFORE {
        let by_hand = [
            (Some(finish), "resume", &after),
            (Some(undo), "undo", &before),
        ];
        for (way, closing, wanted) in by_hand
            .into_iter()
            .chain([(None, "resume", &after), (None, "undo", &before)])
        {
            fs::remove_dir_all(&deployment).expect("a directory that goes");
            copy(&kept, &deployment);
            let killing = format!("inject=renameat2:signal=KILL:when={number}");
            let mut strace = Command::new("strace");
            strace.args([
                "-f",
                "-o",
                "/dev/null",
                "-e",
                "trace=renameat2",
                "-e",
                &killing,
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
                .expect("it runs");
            assert_eq!(status.status.code(), Some(12), "rename {number}");

            if let Some(way) = way {
                run(Command::new("bash")
                    .args(["-c", &format!("{tools}{way}")])
                    .current_dir(&deployment));
                assert!(
                    tree(&deployment) == *wanted,
                    "{closing} by hand, killed at rename {number}"
                );
            }
            run(program(here).args([closing, "-d", "lab/deployment", "--yes"]));
            assert!(
                tree(&deployment) == *wanted,
                "{closing}, killed at rename {number}"
            );
            run(program(here).args(["status", "-d", "lab/deployment"]));
        }
    }
}
