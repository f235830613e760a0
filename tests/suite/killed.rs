//! `rehearse --crash-everywhere`: real processes are killed at every change of the disk, and a
//! recovery that goes wrong is told. And a change is one call of the system, neither more nor less.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollup::journal::Direction;
use rollup::plan;
use rollup::rehearse::{Crashes, Place, Program, Report, Row, crash_everywhere};
use tempfile::TempDir;

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::transcripts::{blocks, program, readme};
use crate::world::exit;

/// The least that an apply can do: one file into the share.
const ONE_FILE: &str = r#"
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Notes.txt"]
[payload]
files = [{ name = "Notes.txt", size = 100 }]
"#;

/// The rows of the table.
const PLACES: [&str; 5] = [
    "apply, while staging",
    "apply, while committing",
    "resume",
    "undo",
    "undo of the finished run",
];

/// A directory in memory where there is one: death is tried here, and a sync would only take its
/// time.
fn lab() -> TempDir {
    let memory = Path::new("/dev/shm");
    let directory = if memory.is_dir() {
        TempDir::new_in(memory)
    } else {
        TempDir::new()
    };
    directory.expect("a temporary directory")
}

/// Rehearse `small.toml` on a copy of the world's deployment, in a lab.
fn everywhere(lab: &TempDir) -> String {
    format!(
        "rehearse small.toml -d deployment -p KB100001 --lab {} --crash-everywhere",
        lab.path().display()
    )
}

/// The numbers in a row of the table.
fn numbers(table: &str, row: &str) -> Vec<u64> {
    let line = table
        .lines()
        .find_map(|line| line.strip_prefix(row))
        .unwrap_or_else(|| panic!("no {row}: {table}"));
    line.split_whitespace()
        .map(|number| number.replace(',', "").parse().expect("a number"))
        .collect()
}

#[test]
fn every_point_of_a_small_rollup_recovers_both_ways() {
    let world = small_world(UPDATE_PROVIDER).put("Things/Provider/files/his.txt", "his own");
    let lab = lab();
    let ran = world
        .run(&everywhere(&lab))
        .exits_with(exit::OK)
        .nothing_was_touched();
    for place in PLACES {
        let [
            points,
            resumed_before,
            resumed_after,
            undone_before,
            undone_after,
            failing,
        ] = numbers(ran.stdout(), place)[..]
        else {
            panic!("six numbers: {}", ran.stdout())
        };
        assert!(points >= 15, "{place}: {points} points");
        assert_eq!(
            (
                resumed_before + resumed_after,
                undone_before + undone_after,
                failing
            ),
            (points, points, 0)
        );
        // Only what had not begun goes back by `resume`, and only what was closed stays by `undo`.
        let (few, many) = if place.ends_with("staging") {
            (resumed_after, undone_before)
        } else {
            (undone_after, resumed_after)
        };
        assert!(few <= 2 && many >= points - 2, "{place}: {}", ran.stdout());
        assert!(
            ran.said(&format!("killed in {place}: {points} points, all recover")),
            "{place}"
        );
    }
    let last = ran.stdout().lines().last().expect("a last line");
    let (recover, rest) = last
        .split_once(" of ")
        .expect("how many recover, and of how many");
    assert_eq!(rest, format!("{recover} points recover"));
    let wide: Vec<&str> = ran
        .stdout()
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
    // The lab is left as it would be before the apply.
    Listing::of(&world.deployment()).assert_same(&Listing::of(&lab.path().join("deployment")));
    let left = fs::read_dir(lab.path())
        .expect("a lab")
        .map(|entry| entry.expect("an entry").file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, [".rollup-lab", "deployment"]);
}

/// A prerequisite that only a person can check, and manual steps around the copy: the first can be
/// taken back, the second cannot.
fn by_hand() -> String {
    let manual = |id: &str, more: &str| {
        format!(
            "[[steps]]\nid = \"{id}\"\naction = \"manual\"\ninstructions = \"Run the script {id}.\"\n{more}\n"
        )
    };
    let confirm = "[[prerequisites]]\nconfirm = \"Is there a backup?\"\nid = \"backup\"\n";
    let (copy, payload) = ONE_FILE
        .split_once("[payload]")
        .expect("steps, and a payload");
    let before = manual("before", "undo = \"Run the script that takes it back.\"");
    format!(
        "{confirm}{before}{copy}{}[payload]{payload}",
        manual("after", "")
    )
}

#[test]
fn manual_steps_count_as_done_and_a_point_of_no_return_is_told() {
    let world = small_world(&by_hand());
    let lab = lab();
    let ran = world
        .run(&everywhere(&lab))
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.says("`backup` is not confirmed: Is there a backup?");
    let ran = world
        .run(&format!("{} --replace --confirm backup", everywhere(&lab)))
        .exits_with(exit::OK);
    let ran = ran
        .says("manual step before counts as done each time, or as taken back")
        .says(
            "`undo` stopped behind step `after`, which cannot be taken back, and `resume` went on",
        )
        .says("The finished run was not undone, since step `after` cannot be taken back.")
        .does_not_say("undo of the finished run");
    let points = numbers(ran.stdout(), "undo");
    assert_eq!(
        points[0],
        points[3],
        "it is an undo that can go all the way: {}",
        ran.stdout()
    );
}

#[test]
fn where_nothing_is_to_be_done_nothing_is_killed() {
    let world = small_world(ONE_FILE);
    world.run("apply small.toml --yes").exits_with(exit::OK);
    let lab = lab();
    world
        .run(&everywhere(&lab))
        .exits_with(exit::OK)
        .says("nothing to do")
        .does_not_say("killed");
}

#[test]
fn crashes_go_together_with_no_other_rehearsal() {
    let world = small_world(ONE_FILE);
    for other in ["--prepare", "--inject-failure copy"] {
        let lab = lab();
        world
            .run(&format!("{} {other}", everywhere(&lab)))
            .exits_with(exit::USAGE)
            .says("cannot be used with");
        assert!(
            fs::read_dir(lab.path())
                .expect("an empty directory")
                .next()
                .is_none()
        );
    }
}

/// Kills everywhere with a program that stands before ours: where it recovers, it does `instead`.
/// The deployment is `$3`.
fn with_a_faulty(recovery: &str, instead: &str) -> (TempDir, Report) {
    let world = small_world(ONE_FILE);
    let lab = lab();
    let applied = format!(
        "rehearse small.toml -d deployment -p KB100001 --lab {}/applied",
        lab.path().display()
    );
    world.run(&applied).exits_with(exit::OK);
    let run = lab
        .path()
        .join("applied/deployment/.rollup/runs/0001-KB100001");
    let plan = plan::parse(&fs::read_to_string(run.join("plan.json")).expect("a plan"))
        .expect("a whole one");
    let rollup = env!("CARGO_BIN_EXE_rollup");
    let script = format!(
        "#!/bin/sh\nrollup={rollup}\ncase \"$*\" in\n  *--die-at-change*) ;;\n  {recovery}*) {instead} ;;\nesac\n\
         exec $rollup \"$@\"\n"
    );
    let text = lab.path().join("script.txt");
    fs::write(&text, script).expect("written");
    // Whatever another test starts at this moment cannot hold the program open.
    let path = lab.path().join("faulty");
    let installed = Command::new("install")
        .arg("-m755")
        .args([&text, &path])
        .status()
        .expect("it runs");
    assert!(installed.success());
    let apply = vec![
        world.at("small.toml").into(),
        "-p".into(),
        world.at("KB100001").into(),
    ];
    let program = Program { path, apply };
    let crashes = Crashes {
        program: &program,
        deployment: &world.deployment(),
        directory: lab.path(),
        plan: &plan,
        tell: &|_| {},
        is_stopped: &|| false,
    };
    let report = crash_everywhere(crashes).expect("the points can be tried");
    (lab, report)
}

/// How many points of a kind there are, and how many of them fail.
fn row(report: &Report, place: Place) -> (u64, u64) {
    let row: &Row = report
        .rows
        .iter()
        .find(|row| row.place == place)
        .expect("a row for every place");
    (row.points, row.failing)
}

#[test]
fn a_recovery_that_does_nothing_is_found_out_where_something_was_to_do() {
    let (lab, report) = with_a_faulty("undo", "exit 0");
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.way == Direction::Back),
        "{:#?}",
        report.failing
    );
    for place in [
        Place::Commit,
        Place::Resume,
        Place::Undo,
        Place::UndoFinished,
    ] {
        // The last one had closed its run already; the first ones have not reopened it yet.
        let (points, failing) = row(&report, place);
        assert!(
            (points - 3..points).contains(&failing),
            "{place:?}: {report:#?}"
        );
    }
    let is_told = |wrong: &String| {
        wrong.starts_with("run 0001-KB100001 is ") || wrong.starts_with("`.rollup-")
    };
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.wrong.iter().any(is_told)),
        "{report:#?}"
    );
    assert_eq!(
        report.recovering(),
        report.points() - report.failing.len() as u64
    );
    let kept = report.kept.as_ref().expect("the first failure is kept");
    assert_eq!(*kept, lab.path().join("first-failure"));
    assert!(kept.join("deployment/deployment.toml").is_file());
    let told = fs::read_to_string(kept.join("what-happened.txt")).expect("it is told");
    assert!(
        told.contains("$ rollup undo -d ") && told.contains("(was ended by signal 9)"),
        "{told}"
    );
}

#[test]
fn the_slightest_difference_is_found_out() {
    let (_lab, report) = with_a_faulty(
        "undo",
        "$rollup \"$@\"; touch \"$3/Share/Core.msi\"; exit 0",
    );
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.way == Direction::Back),
        "{:#?}",
        report.failing
    );
    let wrong: Vec<_> = report
        .failing
        .iter()
        .map(|failing| failing.wrong.join("; "))
        .collect();
    let points: u64 = report.rows.iter().map(|row| row.points).sum();
    // Where the apply was closed already, times are left out.
    let closed: u64 = report.rows.iter().map(|row| row.undone.after).sum();
    assert_eq!(wrong.len() as u64, points - closed);
    assert!(
        wrong
            .iter()
            .all(|wrong| wrong == "`Share/Core.msi` has another time"),
        "{wrong:#?}"
    );
}

#[test]
fn a_recovery_that_fails_is_found_out() {
    let (_lab, report) = with_a_faulty(
        "resume",
        "$rollup \"$@\"; echo 'error: the roof is on fire' >&2; exit 74",
    );
    assert!(
        report.rows.iter().all(|row| row.failing == row.points),
        "{:#?}",
        report.rows
    );
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.way == Direction::Forward)
    );
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.wrong == ["`resume` ended with 74", "the roof is on fire"])
    );
}

#[test]
#[ignore = "takes minutes"]
fn every_point_of_kb952076_recovers_both_ways_as_the_readme_shows() {
    let lab = lab();
    fs::create_dir(lab.path().join("manifests")).expect("made");
    let manifest = "manifests/kb952076.toml";
    fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join(manifest),
        lab.path().join(manifest),
    )
    .expect("copied");
    let output = program(lab.path())
        .args(["rehearse", manifest, "--crash-everywhere"])
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let table = String::from_utf8(output.stdout).expect("text");
    let page = readme();
    let shown = blocks(&page, "text")
        .into_iter()
        .find(|block| block.contains("\nkilled at every change"));
    let shown = shown.expect("the README shows the table");
    assert_eq!(
        without_numbers(table.trim()),
        without_numbers(shown.trim()),
        "{table}"
    );
    // In either of them nothing fails.
    for table in [&table, &shown] {
        for place in PLACES {
            assert_eq!(numbers(table, place).last(), Some(&0), "{table}");
        }
    }
}

/// A text with a `0` for every number and one space for several; the numbers change with every
/// version.
fn without_numbers(text: &str) -> Vec<String> {
    let is_number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let masked = |word: &str| {
        if is_number(word) {
            "0".to_owned()
        } else {
            word.to_owned()
        }
    };
    let line = |line: &str| {
        // The digest of the plan is another one, too.
        let line = if line.starts_with("plan ") {
            "plan"
        } else {
            line
        };
        line.split_whitespace()
            .map(masked)
            .collect::<Vec<_>>()
            .join(" ")
    };
    text.lines().map(line).collect()
}

/// The calls that change something, other than those that open a file to make it.
const MUTATING: &str = "write,writev,pwrite64,pwritev,pwritev2,copy_file_range,sendfile,splice,ftruncate,truncate,\
    fallocate,fchmod,fchmodat,chmod,fchown,fchownat,chown,lchown,utimensat,futimesat,utimes,mkdir,mkdirat,mknod,\
    mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,fsync,fdatasync,sync,\
    syncfs,sync_file_range,msync,setxattr,fsetxattr,lsetxattr,removexattr,fremovexattr,ioctl";
/// The calls that open a file, and make it if they are told so.
const OPENING: &str = "open,openat,openat2,creat";

/// How many calls of a command change something in the deployment. Left out is what is never
/// needed, by its name: word of who is at work, and the events.
fn mutating_calls(directory: &Path, deployment: &Path, words: &[&str]) -> Vec<String> {
    let trace = directory.join("trace");
    let mut strace = Command::new("strace");
    strace
        .args([
            "-f",
            "-y",
            "-s0",
            "-e",
            &format!("trace={MUTATING},{OPENING}"),
            "-o",
        ])
        .arg(&trace);
    strace
        .arg(env!("CARGO_BIN_EXE_rollup"))
        .args(words)
        .current_dir(directory)
        .stdin(Stdio::null());
    let output = strace.output().expect("strace runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let below = deployment
        .canonicalize()
        .expect("it is there")
        .display()
        .to_string();
    let trace = fs::read_to_string(trace).expect("what was called");
    let changes = |line: &&str| {
        let opens = OPENING
            .split(',')
            .any(|call| line.contains(&format!(" {call}(")));
        line.contains(&below)
            && !line.contains("<... ")
            && !line.contains(" = -1 ")
            && (!line.contains(" ioctl(") || line.contains("FICLONE"))
            && (!opens || line.contains("O_CREAT") || line.contains("O_TRUNC"))
            && !["lock.owner", "events.ndjson"]
                .iter()
                .any(|never_needed| line.contains(never_needed))
    };
    trace.lines().filter(changes).map(str::to_owned).collect()
}

#[test]
#[ignore = "needs strace"]
fn one_change_is_one_call_that_changes_something() {
    let directory = TempDir::new().expect("a directory");
    let here = directory.path();
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests/kb952076.toml");
    let manifest = manifest.to_str().expect("a plain path");
    let prepare = |lab: &str| -> PathBuf {
        let made = program(here)
            .args(["rehearse", manifest, "--prepare", "--lab", lab])
            .output()
            .expect("it runs");
        assert!(made.status.success());
        let deployment = here.join(lab).join("deployment");
        // What replaces it gets its permissions, and its owner where that may be given.
        let file = deployment.join("MSIShare/HostedEmail2007NS.msi");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        let _ = chown(&file, Some(1), Some(1));
        // What no installer brought, so that it has to travel.
        let his = deployment
            .join("MPS Web Services/Hosted Email 2007 Web Service/PROV01/files/own logs/web.log");
        fs::create_dir(his.parent().expect("a directory"))
            .and_then(|()| fs::write(&his, "mine"))
            .expect("a file");
        deployment
    };
    let run = |words: &[&str], more: &[String]| {
        let output = program(here)
            .args(words)
            .args(more)
            .stdin(Stdio::null())
            .output()
            .expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let counted = said
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("changes of the disk: ")?.parse().ok());
        (output.status, counted)
    };
    let apply = [
        "apply",
        manifest,
        "-d",
        "one/deployment",
        "-p",
        "one/payload",
        "--yes",
    ];
    let resume = ["resume", "-d", "one/deployment", "--yes"];
    let undo = ["undo", "-d", "one/deployment", "--yes"];
    // Dying in the middle of the commit leaves much to do both ways.
    let in_the_commit = 1000;
    for (words, earlier_death) in [
        (&apply[..], None),
        (&resume, Some(in_the_commit)),
        (&undo, Some(in_the_commit)),
    ] {
        let again = || {
            let _ = fs::remove_dir_all(here.join("one"));
            let deployment = prepare("one");
            if let Some(at) = earlier_death {
                assert!(!run(&apply, &[format!("--die-at-change={at}")]).0.success());
            }
            deployment
        };
        again();
        let (_, counted) = run(words, &[format!("--die-at-change={}", u64::MAX)]);
        let counted: u64 = counted.expect("it tells what it counted");
        let deployment = again();
        let calls = mutating_calls(here, &deployment, words);
        assert_eq!(
            calls.len() as u64,
            counted,
            "{words:?}\n{}",
            calls.join("\n")
        );
        assert!(words[0] != "apply" || calls.iter().any(|call| call.contains(" fchmod(")));
        // The last one kills, and there is no other.
        for (at, survives) in [(counted, false), (counted + 1, true)] {
            again();
            let (status, _) = run(words, &[format!("--die-at-change={at}")]);
            assert_eq!(status.success(), survives, "{words:?} at {at}");
        }
    }
}
