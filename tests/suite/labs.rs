//! A lab lists everything that was made in it, and is replaced only if it contains nothing else.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::process::{Pid, Signal, kill_process};

use crate::listing::Listing;
use crate::small::{SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const PREPARE: &str = "rehearse small.toml --lab lab --prepare";

fn world() -> World {
    small_world(UPDATE_PROVIDER)
        .with(|world| fs::write(world.at("site.toml"), SMALL).expect("written"))
}

/// Returns a world with a lab in which the rollup was rehearsed.
fn with_lab() -> World {
    let world = world();
    world
        .run("rehearse small.toml --lab lab -d site.toml")
        .exits_with(exit::OK);
    world
}

#[test]
fn a_lab_with_several_runs_is_replaced() {
    let world = with_lab();
    for command in [
        "undo last --yes -d lab/deployment",
        "apply small.toml --yes -d lab/deployment -p lab/payload",
        "apply small.toml --yes --reapply --stop-before install -d lab/deployment -p lab/payload",
        "undo --yes -d lab/deployment",
        "stage small.toml --yes --reapply -d lab/deployment -p lab/payload",
    ] {
        world.run(command);
    }
    // Files that the rehearsal made may be missing, or have other contents.
    fs::remove_file(world.at("lab/payload/Provider.msi")).expect("it was made");
    fs::write(world.at("lab/deployment/Share/Core.msi"), "another one").expect("written");
    fs::create_dir(world.at("lab/deployment/.rollup-00112233aabbccdd")).expect("made");
    world
        .run(&format!("{PREPARE} -d site.toml --replace"))
        .exits_with(exit::OK);
    world.run("history -d lab/deployment").prints("no run yet");
    assert!(!world.at("lab/deployment/.rollup-00112233aabbccdd").exists());
}

#[test]
fn a_file_that_rollup_did_not_make_in_a_lab_stops_its_replacement() {
    let places = [
        "notes.md",
        "keep/notes.md",
        "deployment/notes.md",
        "deployment/Things/Provider/files/notes.md",
        "deployment/Things/Provider/notes.md",
        "deployment/Share/notes.msi",
        "deployment/.rollup/notes.md",
        "deployment/.rollup-backup/notes.md",
        "payload/notes.md",
        "worker-1/notes.md",
        "worker-1/deployment/notes.md",
        "first-failure/notes.md",
        "start-state/notes.md",
    ];
    for place in places {
        let world = with_lab();
        fs::create_dir_all(world.at("lab").join(place).parent().expect("a parent")).expect("made");
        fs::write(world.at("lab").join(place), "years").expect("written");
        let before = Listing::strict(&world.at("lab"));
        let ran = world
            .run(&format!("{PREPARE} -d site.toml --replace"))
            .exits_with(exit::USAGE);
        ran.prints("error: `lab` contains files that `rollup rehearse` did not make")
            .prints(&format!("`lab/{place}`"))
            .prints("now: `lab` is a complete lab")
            .prints("next: move these files elsewhere");
        before.assert_same(&Listing::strict(&world.at("lab")));
    }
}

/// Change of an object in a lab.
type LabChange<'a> = &'a dyn Fn(&Path);

#[test]
fn an_empty_directory_a_link_and_another_kind_of_object_stop_the_replacement() {
    let changes: [(&str, LabChange<'_>); 4] = [
        ("deployment/empty", &|at| fs::create_dir(at).expect("made")),
        ("payload/Provider.msi", &|at| {
            fs::remove_file(at)
                .and_then(|()| symlink("/etc/passwd", at))
                .expect("linked");
        }),
        ("deployment/Share", &|at| {
            fs::rename(at, at.with_file_name("../elsewhere"))
                .and_then(|()| symlink("../elsewhere", at))
                .expect("linked");
        }),
        ("deployment/deployment.toml", &|at| {
            fs::remove_file(at).expect("it was made");
            mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
                .expect("a FIFO can be made");
        }),
    ];
    for (place, change) in changes {
        let world = with_lab();
        change(&world.at("lab").join(place));
        let ran = world
            .run("rehearse small.toml --lab lab --replace --prepare -d site.toml")
            .exits_with(exit::USAGE);
        ran.prints(&format!("`lab/{place}`"));
        assert!(world.at("lab").join(place).symlink_metadata().is_ok());
    }
}

#[test]
fn the_first_eight_are_named_and_all_are_counted() {
    let world = with_lab();
    for number in 10..30 {
        fs::write(world.at(&format!("lab/{number}.txt")), "").expect("written");
    }
    let ran = world
        .run(&format!("{PREPARE} -d site.toml --replace"))
        .exits_with(exit::USAGE);
    ran.prints("`lab/17.txt`")
        .does_not_print("`lab/18.txt`")
        .prints("and 12 more");
}

#[test]
fn a_lab_of_an_older_version_is_not_replaced() {
    let world = with_lab();
    fs::write(
        world.at("lab/.rollup-lab"),
        "made by `rollup rehearse`, which may replace it\n",
    )
    .expect("written");
    for options in ["", "--replace"] {
        let ran = world
            .run(&format!("{PREPARE} -d site.toml {options}"))
            .exits_with(exit::USAGE);
        ran.prints(
            "was made by another version of rollup, which did not list the files that it made",
        );
    }
    for mark in ["", "thesis\n"] {
        fs::write(world.at("lab/.rollup-lab"), mark).expect("written");
        let ran = world
            .run(&format!("{PREPARE} -d site.toml --replace"))
            .exits_with(exit::USAGE);
        ran.prints("was not made by `rollup rehearse`")
            .prints("now: `lab` is not a lab");
    }
}

#[test]
fn the_directory_may_be_this_one_a_link_or_nested_and_is_kept() {
    let world = world();
    fs::create_dir(world.at("empty")).expect("made");
    symlink("empty", world.at("link")).expect("linked");
    for lab in ["link", "a/b/c", "./d/../e"] {
        for _ in 0..2 {
            world
                .run(&format!(
                    "rehearse small.toml --lab {lab} --prepare --replace -d site.toml"
                ))
                .exits_with(exit::OK);
        }
    }
    assert!(
        world
            .at("link")
            .symlink_metadata()
            .expect("it exists")
            .is_symlink()
    );
    fs::create_dir(world.at("here")).expect("made");
    let here = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
        command.args([
            "rehearse",
            "../small.toml",
            "-d",
            "../site.toml",
            "--prepare",
            "--lab",
            ".",
        ]);
        command
            .args(words.split_whitespace())
            .current_dir(world.at("here"))
            .stdin(Stdio::null());
        command.output().expect("it can be run")
    };
    ends(&here(""), exit::OK, "made ./deployment and ./payload");
    ends(&here(""), exit::USAGE, "`.` exists already");
    ends(&here("--replace"), exit::OK, "prepared");
    fs::write(world.at("here/notes.md"), "years").expect("written");
    ends(&here("--replace"), exit::USAGE, "`./notes.md`");
    for place in ["/", "..", "."] {
        let ran = world.run(&format!(
            "rehearse small.toml --lab {place} --prepare --replace -d site.toml"
        ));
        ran.exits_with(exit::USAGE).nothing_was_touched();
    }
}

#[track_caller]
fn ends(output: &Output, code: i32, words: &str) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(
        text.contains(words),
        "`{words}` is not in the output: {text}"
    );
}

#[test]
fn a_directory_that_all_users_can_write_to_is_refused_as_a_lab() {
    let world = world();
    fs::create_dir(world.at("lab")).expect("made");
    for mode in [0o777, 0o1777] {
        fs::set_permissions(world.at("lab"), Permissions::from_mode(mode)).expect("a mode");
        let ran = world
            .run(&format!("{PREPARE} -d site.toml"))
            .exits_with(exit::USAGE);
        ran.prints("`lab` is writable by all users")
            .prints("now: nothing was made: `lab` is empty");
    }
    // A new lab is not, with any umask.
    let script = format!(
        "umask 0; exec \"$ROLLUP\" {} -d site.toml",
        PREPARE.replace(" lab", " lab2")
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env("ROLLUP", env!("CARGO_BIN_EXE_rollup"))
        .current_dir(world.at(""));
    ends(
        &command.output().expect("it can be run"),
        exit::OK,
        "prepared",
    );
    assert_eq!(
        fs::metadata(world.at("lab2"))
            .expect("made")
            .permissions()
            .mode()
            & 0o002,
        0
    );
}

#[test]
#[ignore = "needs root"]
fn a_directory_or_a_link_of_another_user_is_refused_as_a_lab() {
    let world = world();
    fs::create_dir(world.at("empty")).expect("made");
    fs::create_dir(world.at("lab")).expect("made");
    symlink("empty", world.at("link")).expect("linked");
    for name in ["lab", "link"] {
        let chown = Command::new("chown")
            .args(["-h", "65534:65534", name])
            .current_dir(world.at(""))
            .status();
        assert!(chown.expect("chown can be run").success());
        let ran = world
            .run(&format!(
                "rehearse small.toml --lab {name} --prepare -d site.toml"
            ))
            .exits_with(exit::USAGE);
        ran.prints(&format!("`{name}` belongs to another user"));
    }
    assert_eq!(
        fs::read_dir(world.at("empty")).expect("it exists").count(),
        0
    );
}

#[test]
fn a_site_that_cannot_be_built_is_refused_before_a_lab_is_made_or_replaced() {
    let world = world();
    let row = "  { name = \"Provider\",";
    let faulty = SMALL.replacen(
        row,
        &format!("  {{ name = \"zero\\u200bwidth\", installer = \"zw.msi\" }},\n{row}"),
        1,
    );
    assert_ne!(faulty, SMALL);
    fs::write(world.at("faulty.toml"), faulty).expect("written");
    let ran = world
        .run(&format!("{PREPARE} -d faulty.toml"))
        .exits_with(exit::MISMATCH);
    ran.prints("now: nothing was made: `lab` does not exist");
    assert!(!world.at("lab").exists());
    world
        .run(&format!("{PREPARE} -d site.toml"))
        .exits_with(exit::OK);
    let before = Listing::strict(&world.at("lab"));
    let ran = world
        .run(&format!("{PREPARE} -d faulty.toml --replace"))
        .exits_with(exit::MISMATCH);
    ran.prints("now: `lab` is a complete lab");
    before.assert_same(&Listing::strict(&world.at("lab")));
}

/// Runs a shell script as root in mounts of its own; `$ROLLUP` is the program.
fn in_own_mounts(world: &World, script: &str) -> Output {
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec", script])
        .current_dir(world.at(""))
        .stdin(Stdio::null());
    command
        .env("ROLLUP", env!("CARGO_BIN_EXE_rollup"))
        .env("COLUMNS", "400");
    command.output().expect("unshare can be run")
}

#[test]
#[ignore = "needs root and mounts"]
fn a_lab_that_a_full_disk_interrupted_is_removed_and_the_next_try_works() {
    for from in ["-d site.toml", "-d deployment", "-d deployment -p KB100001"] {
        for size in ["16k", "64k", "128k"] {
            let script = format!(
                "mkdir small; mount -t tmpfs -o size={size} none small; code=0; \
                 $ROLLUP rehearse small.toml {from} --prepare --lab small/a/lab || code=$?; \
                 find small -mindepth 1 >&2; test -z \"$(ls -A small)\"; mount -o remount,size=100m small; \
                 $ROLLUP rehearse small.toml {from} --prepare --lab small/a/lab; exit $code"
            );
            let output = in_own_mounts(&world(), &script);
            ends(
                &output,
                exit::IO,
                "now: nothing was made: `small/a/lab` does not exist",
            );
        }
    }
}

#[test]
#[ignore = "needs root and mounts"]
fn a_mount_in_a_lab_stops_its_replacement_before_anything_is_removed() {
    for (at, mount) in [
        (
            "lab/deployment/Share",
            "mount -t tmpfs none lab/deployment/Share",
        ),
        ("lab/payload", "mount --bind theirs lab/payload"),
        (
            "lab/deployment/Things/Provider/files",
            "mount --bind theirs lab/deployment/Things/Provider/files",
        ),
    ] {
        let world = with_lab();
        fs::create_dir(world.at("theirs"))
            .and_then(|()| fs::write(world.at("theirs/a"), ""))
            .expect("written");
        let before = Listing::of(&world.at("lab"));
        let script = format!("{mount}; exec $ROLLUP {PREPARE} -d site.toml --replace");
        let output = in_own_mounts(&world, &script);
        ends(
            &output,
            exit::NOT_READY,
            &format!("cannot remove `{at}`: a file system is mounted there"),
        );
        ends(&output, exit::NOT_READY, &format!("next: `umount {at}`"));
        before.assert_same(&Listing::of(&world.at("lab")));
        assert!(world.at("theirs/a").exists());
    }
    // The directory of the lab itself may be a mount.
    let script = format!(
        "mkdir lab; mount -t tmpfs -o mode=755 none lab; $ROLLUP {PREPARE} -d site.toml; exec $ROLLUP {PREPARE} -d site.toml --replace"
    );
    ends(&in_own_mounts(&world(), &script), exit::OK, "prepared");
}

/// Starts the program, sends it a signal as soon as a path exists, and waits for its end.
fn interrupted(world: &World, words: &str, signal: Signal, when: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
    command
        .args(words.split_whitespace())
        .current_dir(world.at(""))
        .stdin(Stdio::null());
    let child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be run");
    let begun = Instant::now();
    while !world.at(when).exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "`{when}` was never made"
        );
        thread::sleep(Duration::from_millis(1));
    }
    kill_process(Pid::from_child(&child), signal).expect("it runs");
    child.wait_with_output().expect("it ends")
}

#[test]
fn ctrl_c_while_the_lab_is_made_leaves_nothing_and_a_kill_blocks_no_new_lab() {
    let world = world();
    fs::create_dir(world.at("large")).expect("made");
    for number in 0..4_000 {
        fs::write(world.at(&format!("deployment/Share/{number}.txt")), "").expect("written");
    }
    let output = interrupted(
        &world,
        &format!("{PREPARE} -d deployment"),
        Signal::INT,
        "lab/deployment",
    );
    ends(
        &output,
        exit::INTERRUPTED,
        "now: nothing was made: `lab` does not exist",
    );
    assert!(!world.at("lab").exists());
    interrupted(
        &world,
        &format!("{PREPARE} -d deployment"),
        Signal::KILL,
        "lab/deployment",
    );
    assert!(world.at("lab/deployment").exists());
    world
        .run(&format!("{PREPARE} -d deployment"))
        .exits_with(exit::OK);
}

#[test]
fn ctrl_c_while_processes_are_killed_leaves_no_copies_and_a_kill_blocks_no_new_lab() {
    let world = world();
    let everywhere = "rehearse small.toml -d site.toml --lab lab --replace --crash-everywhere";
    let output = interrupted(
        &world,
        everywhere,
        Signal::INT,
        "lab/worker-1/deployment/.rollup/runs",
    );
    ends(&output, exit::INTERRUPTED, "now: `lab` is a complete lab");
    let mut left: Vec<_> = fs::read_dir(world.at("lab"))
        .expect("a lab")
        .map(|e| e.expect("an entry").file_name())
        .collect();
    left.sort();
    assert_eq!(left, [".rollup-lab", "deployment", "payload"]);
    interrupted(
        &world,
        everywhere,
        Signal::KILL,
        "lab/worker-1/deployment/.rollup/runs",
    );
    // A child process may still run.
    thread::sleep(Duration::from_secs(1));
    assert!(world.at("lab/worker-1").exists());
    world
        .run(&format!("{PREPARE} -d site.toml --replace"))
        .exits_with(exit::OK);
    assert!(!world.at("lab/worker-1").exists());
}

#[test]
fn a_file_that_rollup_did_not_make_among_the_records_of_a_lab_stops_its_replacement() {
    let world = world();
    world
        .run(&format!("{PREPARE} -d site.toml"))
        .exits_with(exit::OK);
    let apply = "apply small.toml -d lab/deployment -p lab/payload --yes";
    for (applied, path) in [
        (false, ".rollup/runs/report.txt"),
        (false, ".rollup/runs/mine/p"),
        (true, ".rollup/runs/notes.txt"),
        (true, ".rollup/runs/0001-KB100001/notes.txt"),
        (true, ".rollup/runs/0001-KB100001/slots/1/mine"),
        (true, ".rollup/trash/t/p"),
        (true, "SHARE/Provider.MSI"),
    ] {
        if applied && !world.at("lab/deployment/.rollup/format").exists() {
            world.run(apply).exits_with(exit::OK);
        }
        let at = world.at("lab/deployment").join(path);
        let above: Vec<_> = at
            .ancestors()
            .skip(1)
            .take_while(|above| !above.exists())
            .collect();
        fs::create_dir_all(at.parent().expect("a parent")).expect("made");
        fs::write(&at, "precious").expect("written");
        let ran = world
            .run(&format!("{PREPARE} -d site.toml --replace"))
            .exits_with(exit::USAGE);
        ran.prints(path);
        assert_eq!(fs::read_to_string(&at).expect("it is kept"), "precious");
        fs::remove_file(&at).expect("removed");
        above
            .iter()
            .for_each(|above| fs::remove_dir(above).expect("removed"));
        if path.starts_with(".rollup/runs/mine") || path.ends_with("report.txt") {
            let _ = fs::remove_dir_all(world.at("lab/deployment/.rollup"));
        }
    }
    world
        .run(&format!("{PREPARE} -d site.toml --replace"))
        .exits_with(exit::OK);
}
