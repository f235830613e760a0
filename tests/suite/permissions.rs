//! Who may write, read and lock what rollup keeps in `.rollup`, whatever the umask of the one who made it.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, TOOL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

const ACCESS_ACL: &str = "system.posix_acl_access";

/// Returns a POSIX ACL in the kernel's form: the owner and one user may do everything, all others read.
fn acl(user: u32) -> Vec<u8> {
    let mut bytes = 2_u32.to_le_bytes().to_vec();
    for (tag, permissions, id) in [
        (0x01_u16, 7_u16, u32::MAX),
        (0x02, 7, user),
        (0x04, 5, u32::MAX),
        (0x10, 7, u32::MAX),
        (0x20, 5, u32::MAX),
    ] {
        bytes.extend(tag.to_le_bytes());
        bytes.extend(permissions.to_le_bytes());
        bytes.extend(id.to_le_bytes());
    }
    bytes
}

/// User and group without any rights of their own.
const NOBODY: u32 = 65534;

/// Runs the program through another one, such as `setpriv`, which gets the command as its arguments.
fn through(wrapper: &[&str], world: &World, arguments: &str) -> Output {
    let command = world.command(arguments);
    let mut wrapped = Command::new(wrapper[0]);
    wrapped.args(&wrapper[1..]).arg(command.get_program());
    wrapped.args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => wrapped.env(name, value),
            None => wrapped.env_remove(name),
        };
    }
    wrapped.current_dir(world.at(""));
    wrapped.output().expect("the program can be run")
}

fn with_umask(umask: &str, world: &World, arguments: &str) -> Output {
    let script = format!("umask {umask}; exec \"$0\" \"$@\"");
    through(&["sh", "-c", &script], world, arguments)
}

/// Runs the program as another user, who has these groups.
fn as_user(user: u32, groups: &str, world: &World, arguments: &str) -> Output {
    let user = format!("--reuid={user}");
    let first = groups.split(',').next().unwrap_or_default();
    let (group, groups) = (format!("--regid={first}"), format!("--groups={groups}"));
    through(&["setpriv", &user, &group, &groups], world, arguments)
}

#[track_caller]
fn ends(output: &Output, code: i32, words: &str) {
    let text = [output.stdout.as_slice(), &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(code), "{text}");
    assert!(text.contains(words), "`{words}` is not in: {text}");
}

fn set_mode(at: &Path, mode: u32) {
    fs::set_permissions(at, Permissions::from_mode(mode)).expect("a mode");
}

/// Returns path and mode of everything in `.rollup`, but for the objects of the deployment in the slots.
fn own_modes(world: &World) -> Vec<(String, u32)> {
    let rollup = world.live(".rollup");
    let entries = walkdir::WalkDir::new(&rollup).sort_by_file_name();
    let entries = entries.into_iter().filter_entry(|entry| {
        let above = entry.path().parent().and_then(Path::file_name);
        !(entry.depth() > 3 && above.is_some_and(|above| above == "slots"))
    });
    let mode = |entry: walkdir::DirEntry| {
        let path = entry.path().strip_prefix(&rollup).expect("below");
        let mode = entry.metadata().expect("metadata").mode() & 0o7777;
        (path.display().to_string(), mode)
    };
    entries.map(|entry| mode(entry.expect("read"))).collect()
}

fn mode_of(modes: &[(String, u32)], path: &str) -> u32 {
    let found = modes.iter().find(|(at, _)| at == path);
    found.unwrap_or_else(|| panic!("no {path} in {modes:?}")).1
}

#[test]
fn the_umask_plays_no_part_in_the_modes_of_rollups_own_files() {
    let expected = [
        ("", 0o755),
        ("format", 0o644),
        ("lock", 0o600),
        ("lock.owner", 0o644),
        ("runs", 0o755),
        ("trash", 0o700),
        ("runs/0001-KB100001", 0o755),
        ("runs/0001-KB100001/attributes", 0o644),
        ("runs/0001-KB100001/events.ndjson", 0o644),
        ("runs/0001-KB100001/journal", 0o644),
        ("runs/0001-KB100001/manifest.toml", 0o644),
        ("runs/0001-KB100001/plan.json", 0o644),
        ("runs/0001-KB100001/slots", 0o700),
    ];
    for umask in ["0", "077"] {
        let world = small_world(TOOL);
        set_mode(&world.deployment(), 0o755);
        ends(&with_umask(umask, &world, APPLY_SMALL), exit::OK, "applied");
        let modes = own_modes(&world);
        for (path, mode) in expected {
            assert_eq!(mode_of(&modes, path), mode, "{path} with umask {umask}");
        }
    }
}

#[test]
fn rollups_own_files_have_the_access_of_the_root_and_never_more() {
    // Mode of the root, of a directory, of a file, and of what is closed to those who only read.
    for (root, directory, file, lock, slots) in [
        (0o700, 0o700, 0o600, 0o600, 0o700),
        (0o750, 0o750, 0o640, 0o600, 0o700),
        (0o775, 0o775, 0o664, 0o660, 0o770),
        (0o2770, 0o2770, 0o660, 0o660, 0o2770),
        (0o1777, 0o775, 0o664, 0o660, 0o770),
    ] {
        let world = small_world(TOOL);
        set_mode(&world.deployment(), root);
        world.run(APPLY_SMALL).exits_with(exit::OK);
        let modes = own_modes(&world);
        let run = "runs/0001-KB100001";
        for (path, mode) in [
            (run.to_owned(), directory),
            (format!("{run}/journal"), file),
            ("lock".to_owned(), lock),
            (format!("{run}/slots"), slots),
        ] {
            assert_eq!(mode_of(&modes, &path), mode, "{path} below mode {root:o}");
        }
        world.run("undo last --yes").exits_with(exit::OK);
    }
}

#[test]
fn what_others_may_have_changed_in_rollups_directory_is_refused_by_name() {
    let world = small_world(TOOL);
    set_mode(&world.deployment(), 0o755);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let run = ".rollup/runs/0001-KB100001";
    for path in [
        ".rollup",
        ".rollup/runs",
        ".rollup/lock",
        ".rollup/lock.owner",
        run,
        &format!("{run}/journal"),
        &format!("{run}/plan.json"),
        &format!("{run}/slots"),
    ] {
        for (bits, whom) in [(0o002, "others"), (0o020, "group ")] {
            let at = world.live(path);
            let mode = at.metadata().expect("metadata").mode() & 0o7777;
            set_mode(&at, mode | bits);
            for command in ["status", "history", "undo last --yes", APPLY_SMALL] {
                let ran = world.run(command).exits_with(exit::NOT_READY);
                ran.prints(&format!("`{path}` can be written by {whom}"))
                    .prints("next: find out what was changed there")
                    .tree_is_unchanged();
            }
            set_mode(&at, mode);
        }
    }
    world.run("undo last --yes").exits_with(exit::OK);
}

#[test]
fn a_fifo_or_link_in_the_place_of_rollups_own_is_refused_without_waiting() {
    let world = small_world(TOOL);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let run = ".rollup/runs/0001-KB100001";
    for path in [
        ".rollup",
        ".rollup/format",
        ".rollup/lock",
        ".rollup/lock.owner",
        ".rollup/runs",
        run,
        &format!("{run}/journal"),
        &format!("{run}/plan.json"),
        &format!("{run}/slots"),
    ] {
        let (at, kept) = (world.live(path), world.at("kept"));
        for kind in ["a FIFO", "a symbolic link"] {
            fs::rename(&at, &kept).expect("moved");
            if kind == "a FIFO" {
                let mode = Mode::RUSR | Mode::WUSR;
                mknodat(CWD, &at, FileType::Fifo, mode, 0).expect("a FIFO");
            } else {
                symlink(&kept, &at).expect("a link");
            }
            for command in [
                "status",
                "history",
                "report 1",
                "undo last --yes",
                APPLY_SMALL,
            ] {
                let ran = world.run(command).exits_with(exit::NOT_READY);
                ran.prints(&format!("`{path}` is {kind}, not a"));
            }
            fs::remove_file(&at).expect("removed");
            fs::rename(&kept, &at).expect("moved back");
        }
    }
    world.run("undo last --yes").exits_with(exit::OK);
}

#[test]
fn a_user_whom_the_acl_of_the_root_names_is_no_reason_to_refuse() {
    let world = small_world(TOOL);
    set_mode(&world.deployment(), 0o755);
    xattr::set(world.deployment(), ACCESS_ACL, &acl(33)).expect("an ACL");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let acl_of = |path: &str| xattr::get(world.live(path), ACCESS_ACL).expect("ACLs");
    for path in [".rollup/lock", ".rollup/runs/0001-KB100001/journal"] {
        assert!(acl_of(path).is_some(), "{path}");
    }
    world.run("status").exits_with(exit::OK);
    // Another user than the one whom the root names.
    let journal = ".rollup/runs/0001-KB100001/journal";
    let kept = acl_of(journal).expect("an ACL");
    xattr::set(world.live(journal), ACCESS_ACL, &acl(34)).expect("an ACL");
    let ran = world.run("undo last --yes").exits_with(exit::NOT_READY);
    ran.prints(&format!("`{journal}` can be written by user 34"));
    xattr::set(world.live(journal), ACCESS_ACL, &kept).expect("an ACL");
    world.run("undo last --yes").exits_with(exit::OK);
}

#[test]
#[ignore = "needs root"]
fn whoever_may_write_the_root_can_continue_what_another_began() {
    // Root first and the owner later; two members of a group in turn.
    for (owner, mode, first, second) in [
        (1000, 0o755, None, (1000, "1000")),
        (0, 0o2775, Some((1001, "1001,5000")), (1002, "1002,5000")),
        (0, 0o2775, Some((1001, "5000")), (0, "0")),
    ] {
        let world = small_world(UPDATE_PROVIDER);
        for entry in walkdir::WalkDir::new(world.at("")) {
            let entry = entry.expect("read");
            lchown(entry.path(), Some(owner), Some(5000)).expect("given");
            let is_directory = entry.file_type().is_dir();
            set_mode(entry.path(), if is_directory { mode } else { 0o664 });
        }
        let before = Listing::of(&world.deployment());
        let apply = "apply small.toml --yes --stop-before install";
        let ran = match first {
            None => through(&["env"], &world, apply),
            Some((user, groups)) => as_user(user, groups, &world, apply),
        };
        ends(&ran, exit::STOPPED, "stopped");
        let (user, groups) = second;
        let ran = as_user(user, groups, &world, "status");
        ends(&ran, exit::STOPPED, "2 of");
        let ran = as_user(user, groups, &world, "resume --yes");
        ends(&ran, exit::OK, "is finished");
        let ran = as_user(user, groups, &world, "undo last --yes");
        ends(&ran, exit::OK, "is undone");
        let paths = |listing: &Listing| listing.paths(|_, _| true);
        assert_eq!(paths(&before), paths(&Listing::of(&world.deployment())));
    }
}

#[test]
#[ignore = "needs root"]
fn a_plan_page_of_a_user_without_rights_does_not_say_that_every_check_passed() {
    let world = small_world(UPDATE_PROVIDER);
    set_mode(&world.at(""), 0o755);
    set_mode(&world.deployment(), 0o755);
    let page = "plan small.toml --format html";
    ends(
        &as_user(NOBODY, "65534", &world, page),
        exit::OK,
        "Can be applied, but not by this user",
    );
    world.run(page).prints("Can be applied: every check passed");
}

#[test]
#[ignore = "needs root"]
fn who_may_only_read_sees_the_state_and_cannot_lock() {
    let world = small_world(UPDATE_PROVIDER);
    set_mode(&world.at(""), 0o755);
    set_mode(&world.deployment(), 0o755);
    let stopped = "apply small.toml --yes --stop-before install";
    world.run(stopped).exits_with(exit::STOPPED);
    let nobody = |arguments: &str| as_user(NOBODY, "65534", &world, arguments);
    ends(
        &nobody("status"),
        exit::STOPPED,
        "by the events alone: the slots are closed to this user",
    );
    ends(&nobody("status"), exit::STOPPED, "2 of");
    ends(&nobody("report last"), exit::OK, "unfinished");
    for command in ["resume --yes", "undo --yes", "prune --keep 0 --yes"] {
        ends(&nobody(command), exit::NOT_READY, "Permission denied");
    }
    world.run("resume --yes").exits_with(exit::OK);
    ends(
        &nobody("history last"),
        exit::OK,
        "cannot be undone: the old objects of run 0001-KB100001 are closed to this user",
    );
    ends(&nobody("status"), exit::OK, "undo data of 1 run: closed");
    ends(&nobody("verify"), exit::OK, "everything matches");
    ends(
        &nobody("plan small.toml --reapply"),
        exit::OK,
        "`rollup apply` would refuse this user",
    );
    ends(
        &nobody("apply small.toml --reapply --dry-run"),
        exit::NOT_READY,
        "cannot be written to: Permission denied",
    );
}

#[test]
#[ignore = "needs root"]
fn the_owner_of_an_item_cannot_reach_what_an_undo_needs() {
    let world = small_world(UPDATE_PROVIDER);
    set_mode(&world.at(""), 0o755);
    set_mode(&world.deployment(), 0o755);
    let item = world.live("Things/Provider");
    for entry in walkdir::WalkDir::new(&item) {
        lchown(entry.expect("read").path(), Some(NOBODY), None).expect("given");
    }
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let slots = world.run_directory("0001-KB100001").join("slots");
    let remove = format!("rm -rf {}/*/old/*", slots.display());
    let user = format!("--reuid={NOBODY}");
    let mut command = Command::new("setpriv");
    command.args([&user, "--clear-groups", "sh", "-c", &remove]);
    assert!(command.output().expect("setpriv").status.code().is_some());
    world.run("undo last --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}
