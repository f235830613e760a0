//! `rehearse --crash-everywhere`: real processes are killed at every change of the disk, and a
//! recovery that goes wrong is reported. A change is exactly one system call.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rollup::journal::Direction;
use rollup::plan;
use rollup::rehearse::{
    CrashPhase, CrashRehearsal, CrashReport, CrashRow, Program, crash_everywhere,
};
use tempfile::TempDir;

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::temporary::temporary;
use crate::transcripts::{blocks, manual, program};
use crate::world::exit;

/// Smallest rollup: it copies one file into the share.
const ONE_FILE: &str = r#"
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Notes.txt"]
[payload]
files = [{ name = "Notes.txt", size = 100 }]
"#;

/// Rows of the table.
const PHASES: [&str; 5] = [
    "apply, while staging",
    "apply, while committing",
    "resume",
    "undo",
    "undo of the finished run",
];

/// Returns a command that rehearses `small.toml` on a copy of the world's deployment, in a lab.
fn everywhere(lab: &TempDir) -> String {
    format!(
        "rehearse small.toml -d deployment -p KB100001 --lab {} --crash-everywhere",
        lab.path().display()
    )
}

/// Parses the numbers in a row of the table.
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
fn every_point_of_a_small_rollup_recovers_in_both_directions() {
    let world =
        small_world(UPDATE_PROVIDER).write_file("Things/Provider/files/notes.txt", "unmanaged");
    let lab = temporary();
    let ran = world
        .run(&everywhere(&lab))
        .exits_with(exit::OK)
        .nothing_was_touched();
    for phase in PHASES {
        let [
            points,
            resumed_before,
            resumed_after,
            undone_before,
            undone_after,
            failing,
        ] = numbers(ran.stdout(), phase)[..]
        else {
            panic!("six numbers: {}", ran.stdout())
        };
        assert!(points >= 15, "{phase}: {points} points");
        assert_eq!(
            (
                resumed_before + resumed_after,
                undone_before + undone_after,
                failing
            ),
            (points, points, 0)
        );
        // `resume` restores the state before only if the run was not staged completely, and `undo` keeps
        // the state after only if the run is closed.
        let (few, many) = if phase.ends_with("staging") {
            (resumed_after, undone_before)
        } else {
            (undone_after, resumed_after)
        };
        assert!(few <= 4 && many >= points - 4, "{phase}: {}", ran.stdout());
        assert!(
            ran.output_contains(&format!("killed in {phase}: {points} points, all recover")),
            "{phase}"
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
    // The lab is left in the state before the apply.
    Listing::of(&world.deployment()).assert_same(&Listing::of(&lab.path().join("deployment")));
    let left = fs::read_dir(lab.path())
        .expect("a lab")
        .map(|entry| entry.expect("an entry").file_name());
    let mut left: Vec<_> = left.collect();
    left.sort();
    assert_eq!(left, [".rollup-lab", "deployment"]);
}

/// Returns a rollup with a prerequisite to confirm, and with manual steps around the copy: the
/// first one can be rolled back, the second one cannot.
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
    let before = manual("before", "undo = \"Run the script that undoes it.\"");
    format!(
        "{confirm}{before}{copy}{}[payload]{payload}",
        manual("after", "")
    )
}

#[test]
fn manual_steps_count_as_done_and_a_point_of_no_return_is_reported() {
    let world = small_world(&by_hand());
    let lab = temporary();
    let ran = world
        .run(&everywhere(&lab))
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.prints("`backup` is not confirmed: Is there a backup?");
    let ran = world
        .run(&format!("{} --replace --confirm backup", everywhere(&lab)))
        .exits_with(exit::OK);
    let ran = ran
        .prints("manual step before counts as done every time, or as rolled back")
        .prints(
            "`undo` stopped behind step `after`, which cannot be rolled back, and `resume` continued",
        )
        .prints("The finished run was not undone, since step `after` cannot be rolled back.")
        .does_not_print("undo of the finished run");
    let points = numbers(ran.stdout(), "undo");
    assert_eq!(
        points[0],
        points[3],
        "only an undo that can be completed: {}",
        ran.stdout()
    );
}

#[test]
fn without_anything_to_do_nothing_is_killed() {
    let world = small_world(ONE_FILE);
    world.run("apply small.toml --yes").exits_with(exit::OK);
    let lab = temporary();
    world
        .run(&everywhere(&lab))
        .exits_with(exit::OK)
        .prints("nothing to do")
        .does_not_print("killed");
}

#[test]
fn crash_everywhere_conflicts_with_other_kinds_of_rehearsal() {
    let world = small_world(ONE_FILE);
    for other in ["--prepare", "--inject-failure copy"] {
        let lab = temporary();
        world
            .run(&format!("{} {other}", everywhere(&lab)))
            .exits_with(exit::USAGE)
            .prints("cannot be used with");
        assert!(
            fs::read_dir(lab.path())
                .expect("an empty directory")
                .next()
                .is_none()
        );
    }
}

/// Kills a program everywhere that calls the real one, but runs `instead` as its recovery. The
/// deployment is `$3`.
fn rehearse_with_faulty(recovery: &str, instead: &str) -> (TempDir, CrashReport) {
    let world = small_world(ONE_FILE);
    let lab = temporary();
    let applied = format!(
        "rehearse small.toml -d deployment -p KB100001 --lab {}/applied",
        lab.path().display()
    );
    world.run(&applied).exits_with(exit::OK);
    let run = lab
        .path()
        .join("applied/deployment/.rollup/runs/0001-KB100001");
    let plan = plan::parse(&fs::read_to_string(run.join("plan.json")).expect("a plan"))
        .expect("a complete plan");
    let rollup = env!("CARGO_BIN_EXE_rollup");
    let script = format!(
        "#!/bin/sh\nrollup={rollup}\ncase \"$*\" in\n  *--die-at-change*) ;;\n  {recovery}*) {instead} ;;\nesac\n\
         exec $rollup \"$@\"\n"
    );
    let text = lab.path().join("script.txt");
    fs::write(&text, script).expect("written");
    // A process that another test starts now cannot hold the program open.
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
    let crashes = CrashRehearsal {
        program: &program,
        deployment: &world.deployment(),
        directory: lab.path(),
        plan: &plan,
        on_progress: &|_| {},
        is_stopped: &|| false,
    };
    let report = crash_everywhere(crashes).expect("the points can be tried");
    (lab, report)
}

/// Returns the number of points in a row, and the number of failing ones.
fn row(report: &CrashReport, phase: CrashPhase) -> (u64, u64) {
    let row: &CrashRow = report
        .rows
        .iter()
        .find(|row| row.phase == phase)
        .expect("a row for every place");
    (row.points, row.failing)
}

#[test]
fn a_recovery_that_does_nothing_is_detected() {
    let (lab, report) = rehearse_with_faulty("undo", "exit 0");
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.direction == Direction::Back),
        "{:#?}",
        report.failing
    );
    for phase in [
        CrashPhase::Commit,
        CrashPhase::Resume,
        CrashPhase::Undo,
        CrashPhase::UndoFinished,
    ] {
        // At the last point the run is closed already; at the first ones it is not reopened yet.
        let (points, failing) = row(&report, phase);
        assert!(
            (points - 3..points).contains(&failing),
            "{phase:?}: {report:#?}"
        );
    }
    let is_state_or_rest = |differences: &String| {
        differences.starts_with("run 0001-KB100001 is ") || differences.starts_with("`.rollup-")
    };
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.differences.iter().any(is_state_or_rest)),
        "{report:#?}"
    );
    assert_eq!(
        report.recovering(),
        report.points() - report.failing.len() as u64
    );
    let kept = report.kept.as_ref().expect("the first failure is kept");
    assert_eq!(*kept, lab.path().join("first-failure"));
    assert!(kept.join("deployment/deployment.toml").is_file());
    let description = fs::read_to_string(kept.join("commands.txt")).expect("a description");
    assert!(
        description.contains("$ rollup undo -d ")
            && description.contains("(was ended by signal 9)"),
        "{description}"
    );
}

#[test]
fn the_smallest_difference_is_detected() {
    let (_lab, report) = rehearse_with_faulty(
        "undo",
        "$rollup \"$@\"; touch \"$3/Share/Core.msi\"; exit 0",
    );
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.direction == Direction::Back),
        "{:#?}",
        report.failing
    );
    let differences: Vec<_> = report
        .failing
        .iter()
        .map(|failing| failing.differences.join("; "))
        .collect();
    let points: u64 = report.rows.iter().map(|row| row.points).sum();
    // If the apply is closed already, times are not compared.
    let closed: u64 = report.rows.iter().map(|row| row.undone.after).sum();
    assert_eq!(differences.len() as u64, points - closed);
    assert!(
        differences
            .iter()
            .all(|differences| differences == "`Share/Core.msi` has a different time"),
        "{differences:#?}"
    );
}

#[test]
fn a_recovery_that_fails_is_detected() {
    let (_lab, report) = rehearse_with_faulty(
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
            .all(|failing| failing.direction == Direction::Forward)
    );
    assert!(
        report
            .failing
            .iter()
            .all(|failing| failing.differences == ["`resume` ended with 74", "the roof is on fire"])
    );
}

#[test]
#[ignore = "takes minutes"]
fn every_point_of_kb952076_recovers_in_both_directions_as_the_manual_shows() {
    let lab = temporary();
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
    let page = manual();
    let shown = blocks(&page, "text")
        .into_iter()
        .find(|block| block.contains("\nkilled at every change"));
    let shown = shown.expect("the manual shows the table");
    assert_eq!(
        without_numbers(table.trim()),
        without_numbers(shown.trim()),
        "{table}"
    );
    // Nothing fails in either table.
    for table in [&table, &shown] {
        for phase in PHASES {
            assert_eq!(numbers(table, phase).last(), Some(&0), "{table}");
        }
    }
}

/// Replaces every number by `0`, and several spaces by one; the numbers change with every version.
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
        // The digest of the plan changes, too.
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

/// System calls that change something, except for those that open a file to make it.
const MUTATING: &str = "write,writev,pwrite64,pwritev,pwritev2,copy_file_range,sendfile,splice,ftruncate,truncate,\
    fallocate,fchmod,fchmodat,chmod,fchown,fchownat,chown,lchown,utimensat,futimesat,utimes,mkdir,mkdirat,mknod,\
    mknodat,rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,rmdir,fsync,fdatasync,sync,\
    syncfs,sync_file_range,msync,setxattr,fsetxattr,lsetxattr,removexattr,fremovexattr,ioctl";
/// System calls that open a file, and may make it.
const OPENING: &str = "open,openat,openat2,creat";

/// Returns the system calls of a command that change something in the deployment. Files that
/// recovery never needs are left out: the owner of the lock, and the events.
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
        .expect("the deployment exists")
        .display()
        .to_string();
    let trace = fs::read_to_string(trace).expect("a trace");
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
    let directory = temporary();
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
        // The new file gets the permissions of the old one, and its owner if the user may set it.
        let file = deployment.join("MSIShare/HostedEmail2007NS.msi");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("a mode");
        let _ = chown(&file, Some(1), Some(1));
        // An unmanaged file, which has to move along.
        let unmanaged = deployment
            .join("MPS Web Services/Hosted Email 2007 Web Service/PROV01/files/own logs/web.log");
        fs::create_dir(unmanaged.parent().expect("a directory"))
            .and_then(|()| fs::write(&unmanaged, "unmanaged"))
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
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let counted = stderr
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
    // A crash in the middle of the commit leaves much to do for `resume` and for `undo`.
    let in_the_commit = 1000;
    for (words, earlier_crash) in [
        (&apply[..], None),
        (&resume, Some(in_the_commit)),
        (&undo, Some(in_the_commit)),
    ] {
        let prepare_again = || {
            let _ = fs::remove_dir_all(here.join("one"));
            let deployment = prepare("one");
            if let Some(at) = earlier_crash {
                assert!(!run(&apply, &[format!("--die-at-change={at}")]).0.success());
            }
            deployment
        };
        prepare_again();
        let (_, counted) = run(words, &[format!("--die-at-change={}", u64::MAX)]);
        let counted: u64 = counted.expect("it prints its number of changes");
        let deployment = prepare_again();
        let calls = mutating_calls(here, &deployment, words);
        assert_eq!(
            calls.len() as u64,
            counted,
            "{words:?}\n{}",
            calls.join("\n")
        );
        assert!(words[0] != "apply" || calls.iter().any(|call| call.contains(" fchmod(")));
        // The last change kills the process, and there is no further one.
        for (at, survives) in [(counted, false), (counted + 1, true)] {
            prepare_again();
            let (status, _) = run(words, &[format!("--die-at-change={at}")]);
            assert_eq!(status.success(), survives, "{words:?} at {at}");
        }
    }
}
