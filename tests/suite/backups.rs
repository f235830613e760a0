//! `apply --backup-dir`: a copy of every replaced file is in the backup before anything changes;
//! otherwise nothing changes.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use rollup::deployment::tree::Tree;
use rollup::journal::runs;
use rollup::run::{self, BackupError, BackupTarget, Event, Listener, Question, Reply};
use serde_json::Value;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, World, exit, set_modified};

const BACK_UP: &str = "apply small.toml --yes --backup-dir backups";
const RUN: &str = "0001-KB100001";

/// Asserts that a backup directory is refused with this code and these words, that nothing has
/// changed, and that no run is left.
#[track_caller]
fn is_refused(world: &World, directory: &str, code: i32, words: &str) {
    let before = Listing::strict(&world.at("")).only(|path| !path.starts_with("deployment"));
    let ran = world.run(&format!("apply small.toml --yes --backup-dir {directory}"));
    ran.exits_with(code).prints(words).tree_is_unchanged();
    before
        .assert_same(&Listing::strict(&world.at("")).only(|path| !path.starts_with("deployment")));
    assert!(!world.run_directory(RUN).exists());
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
}

#[test]
fn a_backup_holds_what_was_replaced_with_times_and_modes() {
    let world = World::with_deployment().with(|world| {
        let share = world.live("MSIShare/HostedEmail2007NS.msi");
        set_modified(
            &share,
            SystemTime::UNIX_EPOCH + Duration::new(1_000_000, 123_456_789),
        );
        fs::set_permissions(&share, fs::Permissions::from_mode(0o640)).expect("a mode");
        let directory = world.live("Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o750)).expect("a mode");
        fs::write(directory.join("files/notes.txt"), "unmanaged").expect("written");
    });
    let plan = world.plan("kb952076.toml");
    let ran = world
        .run(&format!("{APPLY} --backup-dir backups"))
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    let backup = Listing::of(&world.at("backups/0001-KB952076"));
    let live: Vec<&Path> = plan["swaps"]
        .as_array()
        .expect("swaps")
        .iter()
        .map(|swap| Path::new(swap["live"].as_str().expect("a live path")))
        .collect();
    let replaced = ran.before().paths(|path, entry| {
        entry.kind == "file"
            && live.iter().any(|live| path.starts_with(live))
            && !path.ends_with("notes.txt")
    });
    assert_eq!(backup.paths(|_, entry| entry.kind == "file"), replaced);
    assert!(replaced.len() > 100);
    // Files with their times, the directories around them with their permissions, and nothing else.
    let is_backed_up = |path: &Path| replaced.iter().any(|file| file.starts_with(path));
    ran.before().clone().only(is_backed_up).assert_same(&backup);
    let bytes: u64 = replaced
        .iter()
        .filter_map(|path| backup.get(path))
        .map(|entry| entry.size)
        .sum();
    let events = fs::read_to_string(world.run_directory("0001-KB952076").join("events.ndjson"))
        .expect("events");
    let mut events = events
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let event = events
        .find(|event| event["event"] == "backed-up")
        .expect("an event for the backup");
    assert_eq!(
        (event["files"].as_u64(), event["bytes"].as_u64()),
        (Some(replaced.len() as u64), Some(bytes))
    );
    let line = format!("backup: {} replaced files with", replaced.len());
    assert!(ran.stdout().contains(&line), "{}", ran.stdout());
    assert!(
        ran.stdout().contains("backups/0001-KB952076"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn the_backup_of_a_staged_run_is_made_before_its_commit() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    let ran = world
        .run(BACK_UP)
        .exits_with(exit::OK)
        .prints("backup: ")
        .prints("the result matches the plan");
    let backup = Listing::of(&world.at("backups").join(RUN));
    let share = backup.get("Share/Provider.msi");
    assert!(share.is_some() && share == ran.before().get("Share/Provider.msi"));
}

#[test]
fn a_backup_may_be_in_an_existing_directory_with_other_files() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        fs::create_dir(world.at("backups")).expect("made");
        fs::write(world.at("backups/other"), "").expect("written");
        symlink("backups", world.at("link")).expect("linked");
    });
    world
        .run("apply small.toml --yes --backup-dir link")
        .exits_with(exit::OK);
    assert!(world.at("backups/other").exists() && world.at("backups").join(RUN).is_dir());
}

#[test]
fn a_dry_run_shows_the_size_of_the_backup_and_makes_nothing() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("apply small.toml --dry-run --backup-dir backups")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("that will be replaced")
        .prints(&format!("backups/{RUN} first"));
    assert!(!world.at("backups").exists());
    fs::create_dir_all(world.at("backups").join(RUN)).expect("made");
    world
        .run("apply small.toml --dry-run --backup-dir backups")
        .exits_with(exit::OK)
        .prints("`rollup apply` would be refused now")
        .prints("already exists");
}

#[test]
fn a_backup_inside_the_deployment_is_refused_under_any_name() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        symlink("deployment/Share", world.at("link")).expect("linked");
        fs::create_dir(world.at("beside")).expect("made");
    });
    for directory in [
        "deployment",
        "deployment/backups",
        "deployment/Share",
        "deployment/.rollup",
        "beside/../deployment/backups",
        "link",
        "link/backups",
        "./deployment/../deployment/Things/new",
    ] {
        is_refused(&world, directory, exit::USAGE, "is inside the deployment");
    }
}

#[test]
fn a_backup_directory_that_cannot_exist_is_refused() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        fs::write(world.at("file"), "").expect("written");
        symlink("nowhere", world.at("dangling")).expect("linked");
    });
    for (directory, words) in [
        (
            "missing/backups",
            "there is no directory to make `missing/backups` in",
        ),
        ("file", "`file` is not a directory"),
        (
            "file/backups",
            "there is no directory to make `file/backups` in",
        ),
        ("dangling", "`dangling` is not a directory"),
        (
            "missing/..",
            "there is no directory to make `missing/..` in",
        ),
    ] {
        is_refused(&world, directory, exit::NO_INPUT, words);
    }
}

#[test]
fn a_backup_that_exists_already_is_refused_by_name() {
    for name in [RUN.to_owned(), format!("{RUN}.unfinished")] {
        let world = small_world(UPDATE_PROVIDER)
            .with(|world| fs::create_dir_all(world.at("backups").join(&name)).expect("made"));
        is_refused(
            &world,
            "backups",
            exit::NOT_READY,
            &format!("backups/{name}` already exists"),
        );
    }
}

#[test]
fn a_backup_directory_that_is_not_writable_changes_nothing() {
    let world = small_world(UPDATE_PROVIDER);
    // Even root cannot make a directory there.
    is_refused(
        &world,
        "/sys/rollup-backups",
        exit::IO,
        "cannot create the directory `/sys/rollup-backups`",
    );
    is_refused(
        &world,
        "/sys",
        exit::IO,
        "cannot create the directory `/sys/0001-KB100001.unfinished`",
    );
}

#[test]
fn a_staged_run_stays_staged_if_the_backup_fails() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    world
        .run("apply small.toml --yes --backup-dir /sys/rollup-backups")
        .exits_with(exit::IO)
        .prints("now: this command changed nothing; run 0001-KB100001 is staged")
        .tree_is_unchanged();
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints("staged and not begun");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("as run 0001-KB100001");
}

#[test]
fn a_run_that_stops_shows_the_path_of_its_backup() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run(&format!("{BACK_UP} --stop-before install"))
        .exits_with(exit::STOPPED);
    ran.prints("backup: ").prints(&format!("backups/{RUN}"));
    world.run("undo --yes").exits_with(exit::OK);
    assert!(world.at("backups").join(RUN).is_dir());
}

/// Listener that ignores events, and may request a stop.
struct InterruptibleListener {
    stopped: bool,
}

impl Listener for InterruptibleListener {
    fn report(&mut self, _: &Event) {}

    fn ask(&mut self, _: &Question<'_>) -> Reply {
        Reply::Stop
    }

    fn is_stopped(&self) -> bool {
        self.stopped
    }
}

/// Backs up the staged run, with the library alone.
fn back_up(world: &World, stopped: bool) -> Result<run::CompletedBackup, BackupError> {
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let runs = runs(&tree).expect("the journals can be read");
    let plan = run::load_plan(&tree, &runs[0].directory).expect("a plan");
    let place = BackupTarget::resolve(&world.at("backups"), &tree)?;
    place.back_up(
        &tree,
        &plan,
        runs[0].name(),
        &mut InterruptibleListener { stopped },
    )
}

#[test]
fn a_file_that_changed_since_the_plan_stops_the_backup_and_nothing_is_left_of_it() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    let world = world.write_file("Share/Provider.msi", "a hotfix");
    let failed = back_up(&world, false);
    let Err(BackupError::Stale { path, .. }) = failed else {
        panic!("{failed:?}")
    };
    assert!(path.ends_with("Share/Provider.msi"), "{path}");
    assert!(!world.at("backups").exists());
    let world = world.remove("Share/Provider.msi");
    fs::create_dir(world.at("backups")).expect("made");
    assert!(matches!(
        back_up(&world, false),
        Err(BackupError::Stale { .. })
    ));
    assert_eq!(
        fs::read_dir(world.at("backups"))
            .expect("it existed before")
            .count(),
        0
    );
}

#[test]
fn a_backup_that_is_stopped_leaves_nothing() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    assert!(matches!(
        back_up(&world, true),
        Err(BackupError::Interrupted)
    ));
    assert!(!world.at("backups").exists());
}

#[test]
#[ignore = "needs root and mounts"]
fn a_backup_disk_that_is_too_small_is_refused_with_sizes_and_nothing_is_staged() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let script = "mkdir small; mount -t tmpfs -o size=16k none small; \
                  exec $ROLLUP apply small.toml --yes --backup-dir small";
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-ec", script])
        .current_dir(world.at(""))
        .stdin(Stdio::null());
    command
        .env("ROLLUP", env!("CARGO_BIN_EXE_rollup"))
        .env("ROLLUP_DEPLOYMENT", "deployment")
        .env("COLUMNS", "400");
    let output = command.output().expect("unshare can be run");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(exit::NOT_READY), "{stderr}");
    assert!(
        stderr.contains("small` is too small for the backup: ")
            && stderr.contains(", 16384 are free"),
        "{stderr}"
    );
    before.assert_same(&Listing::of(&world.deployment()));
    assert!(!world.live(".rollup").exists());
}
