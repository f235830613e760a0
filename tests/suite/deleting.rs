//! Deletion never crosses a mount, works for deep trees, and removes no directory because of its
//! name alone.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, Mode, OFlags, mkdirat, openat};

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const APPLY: &str = "apply small.toml --yes --reapply";
/// Old object of the provider in a finished run of the small rollup.
const OLD: &str = "deployment/.rollup/runs/0001-KB100001/slots/1/old";

/// Returns a world with two finished runs.
fn with_two_runs() -> World {
    let world = small_world(UPDATE_PROVIDER);
    for _ in 0..2 {
        world.run(APPLY).exits_with(exit::OK);
    }
    world
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
        .env("ROLLUP_DEPLOYMENT", "deployment")
        .env("COLUMNS", "400");
    command.output().expect("unshare can be run")
}

#[track_caller]
fn ends(output: &Output, code: i32, words: &[&str]) {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(output.status.code(), Some(code), "{text}");
    for words in words {
        assert!(
            text.contains(words),
            "`{words}` is not in the output: {text}"
        );
    }
}

/// Mounts of unrelated files at `$at`: a directory of another device, one of the same device, and a
/// single file.
const MOUNTS: [(&str, &str); 3] = [
    (
        "mkdir -p \"$at\"; mount -t tmpfs none \"$at\"; echo precious > \"$at/theirs.txt\"",
        "cat \"$at/theirs.txt\"",
    ),
    (
        "mkdir -p \"$at\" theirs; echo precious > theirs/theirs.txt; mount --bind theirs \"$at\"",
        "cat theirs/theirs.txt",
    ),
    (
        "touch \"$at\"; echo precious > theirs.txt; mount --bind theirs.txt \"$at\"",
        "cat theirs.txt",
    ),
];

#[test]
#[ignore = "needs root and mounts"]
fn prune_refuses_a_mount_before_it_removes_anything() {
    for (mount, metadata) in MOUNTS {
        let world = with_two_runs();
        let before = Listing::strict(&world.at("deployment/.rollup/runs"));
        let at = format!("{OLD}/mnt");
        for options in ["--yes", "--dry-run"] {
            let script = format!(
                "at='{at}'; {mount}; code=0; $ROLLUP prune --keep 0 {options} || code=$?; {metadata} >&2; \
                 $ROLLUP status >&2; exit $code"
            );
            let words = [
                &format!("cannot remove `{at}`: a file system is mounted there"),
                &format!("next: `umount {at}`, then the same command again"),
                "precious",
                "clean: no run in progress",
            ];
            ends(&in_own_mounts(&world, &script), exit::NOT_READY, &words);
            let _ = fs::remove_dir(world.at(&at)).or_else(|_| fs::remove_file(world.at(&at)));
        }
        assert_eq!(
            before.paths(|_, _| true),
            Listing::strict(&world.at("deployment/.rollup/runs")).paths(|_, _| true),
            "{mount}"
        );
        world.run("prune --keep 0 --yes").exits_with(exit::OK);
    }
}

#[test]
#[ignore = "needs root and mounts"]
fn a_mount_in_the_trash_or_in_a_staged_run_is_not_deleted() {
    for (mount, metadata) in MOUNTS {
        let world = with_two_runs();
        let script = format!(
            "mkdir deployment/.rollup/trash/left; at=deployment/.rollup/trash/left/mnt; {mount}; \
             $ROLLUP {APPLY} >&2; {metadata} >&2; exit 99"
        );
        ends(
            &in_own_mounts(&world, &script),
            99,
            &["precious", "as run 0003-KB100001"],
        );
        let world = small_world(UPDATE_PROVIDER);
        world.run("stage small.toml --yes").exits_with(exit::OK);
        let script = format!(
            "at=deployment/.rollup/runs/0001-KB100001/mnt; {mount}; code=0; $ROLLUP undo --yes || code=$?; \
             {metadata} >&2; exit $code"
        );
        ends(
            &in_own_mounts(&world, &script),
            exit::NOT_READY,
            &["precious", "next: `umount"],
        );
    }
}

/// Makes nested directories, deeper than the longest path.
fn nest(at: &Path, depth: usize) {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = openat(CWD, at, flags, Mode::empty()).expect("a directory");
    for _ in 0..depth {
        mkdirat(&here, "a directory", Mode::RWXU).expect("made");
        here = openat(&here, "a directory", flags, Mode::empty()).expect("just made");
    }
    drop(
        openat(
            &here,
            "deep.txt",
            OFlags::CREATE | OFlags::WRONLY,
            Mode::RUSR,
        )
        .expect("made"),
    );
}

#[test]
fn a_slot_of_thousands_of_nested_directories_can_be_pruned() {
    // The listing of a test cannot follow that deep, so the program is started without one.
    let run = |world: &World, words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rollup"));
        command
            .args(words.split(' '))
            .current_dir(world.at(""))
            .env("ROLLUP_DEPLOYMENT", "deployment");
        command
            .stdin(Stdio::null())
            .output()
            .expect("it can be run")
    };
    let world = with_two_runs();
    nest(&world.at(OLD), 1_500);
    ends(
        &run(&world, "prune --keep 0 --dry-run"),
        exit::OK,
        &["deep.txt", "the 1 file named above"],
    );
    ends(
        &run(&world, "status"),
        exit::OK,
        &["clean: no run in progress"],
    );
    ends(&run(&world, "prune --keep 0 --yes"), exit::OK, &["cleared"]);
    assert!(!world.at(OLD).exists());
    assert_eq!(
        fs::read_dir(world.live(".rollup/trash"))
            .expect("a directory")
            .count(),
        0
    );
}

#[test]
fn a_directory_with_a_name_like_that_of_rollup_is_neither_deleted_nor_hidden() {
    let names = [
        ".rollup-new",
        ".rollup-backup",
        ".rollup.old",
        ".rollup-0123456789abcdef",
        ".rollupx",
    ];
    let mut world = small_world(UPDATE_PROVIDER);
    for name in names {
        world = world
            .write_file(&format!("{name}/runs/thesis.txt"), "years")
            .write_file(&format!("{name}/format"), "1\n");
    }
    let theirs = |listing: &Listing| {
        listing.paths(|path, _| {
            names.iter().any(|name| path.starts_with(name)) && !path.starts_with(".rollup")
        })
    };
    let before = theirs(&Listing::of(&world.deployment()));
    assert_eq!(before.len(), names.len() * 4);
    let commands = [
        "stage small.toml --yes",
        "undo --yes",
        "apply small.toml --yes --stop-before install",
        "undo --yes",
        "apply small.toml --yes",
        "verify",
        "status",
        "prune --keep 0 --yes",
        "accept --reason no --yes",
    ];
    for command in commands {
        world.run(command);
        assert_eq!(
            before,
            theirs(&Listing::of(&world.deployment())),
            "after `{command}`"
        );
    }
    world
        .run("rehearse small.toml -d deployment --lab lab --prepare")
        .exits_with(exit::OK);
    assert_eq!(before, theirs(&Listing::of(&world.at("lab/deployment"))));
}

#[test]
fn an_incomplete_rollup_directory_is_recognized_by_its_content_and_removed() {
    let world = small_world(UPDATE_PROVIDER);
    let half = ".rollup-00112233aabbccdd";
    for name in ["trash", "runs"] {
        fs::create_dir_all(world.live(half).join(name)).expect("made");
    }
    let world = world
        .write_file(&format!("{half}/format"), "1")
        .write_file(&format!("{half}/lock"), "");
    world.run("apply small.toml --yes").exits_with(exit::OK);
    assert!(!world.live(half).exists());
}
