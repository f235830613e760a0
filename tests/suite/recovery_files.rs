//! Recovery reads the run's own records only: faults in files that people edit are reported, and
//! stop no recovery.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Function that damages a file that people edit.
type Damage = fn(&World, &str);

/// Kinds of damage to `deployment.toml` while a run is open.
const DAMAGES: [(&str, Damage); 9] = [
    ("a typing mistake", |world, file| {
        let text = fs::read_to_string(world.live(file)).expect("a text");
        fs::write(world.live(file), format!("{text}\nservers = \"x\"\n")).expect("written");
    }),
    ("another console", |world, file| {
        fs::write(world.live(file), "schema = 1\nname = \"x\"\n").expect("written")
    }),
    ("a later schema", |world, file| {
        fs::write(world.live(file), "schema = 99\n").expect("written")
    }),
    ("an empty file", |world, file| {
        fs::write(world.live(file), "").expect("written")
    }),
    ("not UTF-8", |world, file| {
        fs::write(world.live(file), [0xff, 0xfe, 0x00]).expect("written")
    }),
    ("nothing", |world, file| {
        fs::remove_file(world.live(file)).expect("removed")
    }),
    ("a directory", |world, file| {
        fs::remove_file(world.live(file)).expect("removed");
        fs::create_dir(world.live(file)).expect("made");
    }),
    ("a link to nowhere", |world, file| {
        fs::remove_file(world.live(file)).expect("removed");
        symlink("nowhere", world.live(file)).expect("linked");
    }),
    ("a pipe", |world, file| {
        fs::remove_file(world.live(file)).expect("removed");
        mknodat(CWD, world.live(file), FileType::Fifo, Mode::RUSR, 0).expect("made");
    }),
];

fn repair(world: &World, file: &str, bytes: &[u8]) {
    let at = world.live(file);
    let _ = fs::remove_file(&at);
    let _ = fs::remove_dir(&at);
    fs::write(at, bytes).expect("written");
}

/// Returns a world whose run is stopped in the middle.
fn stopped_world() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run(&format!("{APPLY_SMALL} --stop-before install"))
        .exits_with(exit::STOPPED);
    world
}

#[test]
fn an_open_run_is_finished_or_rolled_back_with_any_damage_to_the_description() {
    for (_, damage) in DAMAGES {
        let world = stopped_world();
        let good = fs::read(world.live("deployment.toml")).expect("a description");
        let (forward, closed) = (world.copy(), world.copy());
        [&world, &forward, &closed]
            .into_iter()
            .for_each(|world| damage(world, "deployment.toml"));
        let ran = world
            .run("status")
            .exits_with(exit::STOPPED)
            .prints("rollup resume")
            .prints("rollup undo");
        ran.prints("warning: ")
            .does_not_print("nothing was begun")
            .nothing_was_touched();
        assert_eq!(
            world
                .run("status --format json")
                .exits_with(exit::STOPPED)
                .json()["open"]["run"],
            "0001-KB100001"
        );
        for words in [
            "history",
            "history last",
            "report last",
            "prune --keep 0 --yes",
        ] {
            world.run(words).exits_with(exit::OK).prints("warning: ");
        }
        // A command that needs the description names the open run and a command that works.
        for words in [
            "tree",
            "verify",
            "plan small.toml",
            "apply small.toml --yes",
            "stage small.toml --yes",
        ] {
            let ran = world
                .run(words)
                .does_not_print("nothing was begun")
                .nothing_was_touched();
            ran.prints("run 0001-KB100001 is").prints("rollup status");
        }
        forward
            .run("resume --yes")
            .exits_with(exit::OK)
            .prints("warning: ");
        repair(&forward, "deployment.toml", &good);
        forward.run("verify").exits_with(exit::OK);
        closed
            .run("accept --reason x --yes")
            .exits_with(exit::OK)
            .prints("warning: ");
        world
            .run("undo --yes")
            .exits_with(exit::OK)
            .prints("the deployment is as it was before");
        repair(&world, "deployment.toml", &good);
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn a_finished_run_is_undone_with_any_damage_to_the_description() {
    for (_, damage) in DAMAGES {
        let world = small_world(UPDATE_PROVIDER);
        world.run(APPLY_SMALL).exits_with(exit::OK);
        let good = fs::read(world.live("deployment.toml")).expect("a description");
        damage(&world, "deployment.toml");
        world.run("history").exits_with(exit::OK);
        world.run("report last").exits_with(exit::OK);
        world
            .run("undo last --yes")
            .exits_with(exit::OK)
            .prints("the deployment is as it was before");
        repair(&world, "deployment.toml", &good);
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn an_open_run_is_reported_with_any_damage_to_its_applied_record() {
    // The first run makes `applied/KB100001.toml`, so a missing one is not damage here.
    for (_, damage) in DAMAGES
        .into_iter()
        .filter(|(damaged, _)| *damaged != "nothing")
    {
        let record = "applied/KB100001.toml";
        let world = stopped_world();
        fs::write(world.live(record), "schema = 1\nkb = \"KB100001\"\n").expect("written");
        damage(&world, record);
        // The record is a live path of the run, and not what the plan saw.
        let ran = world
            .run("status")
            .exits_with(exit::NEEDS_ATTENTION)
            .prints("look at `applied/KB100001.toml`");
        ran.prints("rollup resume")
            .does_not_print("nothing was begun")
            .nothing_was_touched();
        world.run("history").exits_with(exit::OK);
        world.run("report last").exits_with(exit::OK);
    }
}

#[test]
fn a_deployment_is_found_by_its_runs_if_its_description_is_gone() {
    let world = stopped_world();
    fs::remove_file(world.live("deployment.toml")).expect("removed");
    fs::create_dir_all(world.live("Things/deep")).expect("made");
    let mut status = world.command("status");
    let status = status
        .env_remove("ROLLUP_DEPLOYMENT")
        .current_dir(world.live("Things/deep"))
        .output();
    assert_eq!(status.expect("it ran").status.code(), Some(exit::STOPPED));
}

#[test]
fn without_an_open_run_a_damaged_description_is_an_error() {
    let world = small_world(UPDATE_PROVIDER);
    fs::write(
        world.live("deployment.toml"),
        "schema = 1\nservers = \"x\"\n",
    )
    .expect("written");
    let ran = world
        .run("status")
        .exits_with(exit::INVALID)
        .prints("this command changed nothing");
    ran.does_not_print("run 0").nothing_was_touched();
    world
        .run("accept --reason x --yes")
        .exits_with(exit::INVALID)
        .nothing_was_touched();
}

/// Returns a world with a finished run, and the path of one of its old files.
fn finished() -> (World, std::path::PathBuf) {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let slots = world.run_directory("0001-KB100001").join("slots");
    let old = walkdir::WalkDir::new(slots)
        .sort_by_file_name()
        .into_iter()
        .filter_map(Result::ok);
    let mut old = old.filter(|entry| {
        entry.file_type().is_file() && entry.path().iter().any(|part| part == "old")
    });
    let old = old.next().expect("an old file").into_path();
    (world, old)
}

#[test]
fn the_undo_of_a_finished_run_that_cannot_begin_says_why_and_what_to_type_again() {
    // A changed old file.
    let (world, old) = finished();
    fs::write(&old, "changed").expect("written");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints("run 0001-KB100001 is finished")
        .prints("rollup undo 1 -d deployment")
        .does_not_print("rollup resume");
    // An old object that is a directory now, or missing.
    for change in [
        KeptObjectChange::Replaced,
        KeptObjectChange::Gone,
        KeptObjectChange::SlotGone,
    ] {
        let (world, old) = finished();
        let slot = old
            .ancestors()
            .find(|above| above.ends_with("old"))
            .expect("an old object");
        let slot = slot.parent().expect("a slot");
        match change {
            KeptObjectChange::Replaced => fs::remove_file(&old).and_then(|()| fs::create_dir(&old)),
            KeptObjectChange::Gone => fs::rename(slot.join("old"), world.at("gone")),
            KeptObjectChange::SlotGone => fs::rename(slot, world.at("gone")),
        }
        .expect("changed");
        let ran = world.run("undo last --yes").tree_is_unchanged();
        ran.prints("run 0001-KB100001 is finished")
            .does_not_print("were pruned")
            .does_not_print("rollup resume")
            .does_not_print("rollup accept");
    }
    // An object beside the old one that no run left there.
    let (world, old) = finished();
    let kept = old
        .ancestors()
        .find(|above| above.ends_with("old"))
        .expect("an old object");
    fs::write(kept.with_file_name("new"), "x").expect("written");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints("/new` is unexpected: the run did not leave it there")
        .prints("is finished");
    world
        .run("history 1")
        .exits_with(exit::OK)
        .prints("cannot be undone: ");
    // An unexpected file at a live path.
    let (world, _) = finished();
    let world = world
        .remove("Share/Provider.msi")
        .write_file("Share/Provider.msi/x", "x");
    let ran = world.run("undo last --yes").tree_is_unchanged();
    ran.prints("run 0001-KB100001 is finished")
        .does_not_print("rollup resume")
        .does_not_print("rollup accept");
    let status = world
        .run("status --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(status["open"], serde_json::Value::Null);
}

/// Change of an old object in its slot.
#[derive(Clone, Copy)]
enum KeptObjectChange {
    Replaced,
    Gone,
    SlotGone,
}

#[test]
fn a_directory_that_only_has_the_name_of_a_run_is_not_debris() {
    let (world, _) = finished();
    for (path, named) in [
        (
            ".rollup/runs/0002-KB111111/precious",
            "0002-KB111111/precious",
        ),
        (
            ".rollup/runs/0002-KB111111/slots.staging/notes.txt",
            "slots.staging/notes.txt",
        ),
    ] {
        let world = world.copy().write_file(path, "precious");
        for words in [
            "undo last --yes",
            "undo --yes",
            APPLY_SMALL,
            "resume --yes",
            "prune --keep 0 --yes",
        ] {
            let ran = world
                .run(words)
                .exits_with(exit::NOT_READY)
                .prints(named)
                .tree_is_unchanged();
            ran.prints("move it elsewhere")
                .does_not_print("was removed");
        }
        assert_eq!(world.read(path), "precious");
    }
}

#[test]
#[ignore = "needs root, to run as a user who may not read a file"]
fn the_undo_of_a_finished_run_that_may_not_read_ends_with_74() {
    let (world, old) = finished();
    let everything = walkdir::WalkDir::new(world.at("."))
        .into_iter()
        .filter_map(Result::ok);
    for entry in everything {
        std::os::unix::fs::lchown(entry.path(), Some(65534), Some(65534)).expect("given away");
    }
    fs::set_permissions(&old, fs::Permissions::from_mode(0o000)).expect("set");
    let mut undo = std::process::Command::new("setpriv");
    undo.args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        env!("CARGO_BIN_EXE_rollup"),
    ]);
    undo.args(["undo", "last", "--yes", "-d"])
        .arg(world.deployment())
        .env("NO_COLOR", "1");
    let ran = undo.output().expect("setpriv");
    let stderr = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(exit::IO), "{stderr}");
    assert!(
        stderr.contains("is finished") && stderr.contains("next: fix the cause, then `rollup undo"),
        "{stderr}"
    );
    assert!(
        !stderr.contains("rollup resume") && !stderr.contains("rollup accept"),
        "{stderr}"
    );
}
