//! The preflight checks the disk at and above every live path, and names the path of each conflict.

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output, Stdio};

use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::temporary::temporary;
use crate::world::{APPLY, World, exit};

/// An installed item of the sample.
const PROVIDER: &str = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider";

/// Asserts that `plan` and `apply` refuse the deployment as not ready, with these words.
#[track_caller]
fn is_refused(world: &World, words: &str) {
    for command in [APPLY, "plan kb952076.toml"] {
        world
            .run(command)
            .exits_with(exit::NOT_READY)
            .prints(words)
            .nothing_was_touched();
    }
}

fn make_fifo(world: &World, path: &str) {
    mknodat(
        CWD,
        world.live(path),
        FileType::Fifo,
        Mode::RUSR | Mode::WUSR,
        0,
    )
    .expect("a FIFO can be made");
}

/// A copy has other inodes and times, and may be elsewhere: a run in it goes on all the same.
#[test]
fn a_run_is_finished_or_rolled_back_in_a_copy_of_its_deployment() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment()).without_times();
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    let done = small_world(UPDATE_PROVIDER);
    done.run(APPLY_SMALL).exits_with(exit::OK);
    let after = Listing::of(&done.deployment()).without_times();
    for (command, expected) in [("undo", &before), ("resume", &after)] {
        let at = world.at(&format!("copy for {command}/deployment"));
        fs::create_dir_all(at.parent().expect("it has one")).expect("made");
        let copied = Command::new("cp")
            .arg("-r")
            .arg(world.deployment())
            .arg(&at)
            .status();
        assert!(copied.expect("cp runs").success());
        let mut typed = world.command(&format!("{command} --yes -d"));
        let recovered = typed.arg(&at).output().expect("it runs");
        let said = String::from_utf8_lossy(&recovered.stderr);
        assert!(recovered.status.success(), "{command}: {said}");
        expected.assert_same(&Listing::of(&at).without_times());
    }
}

#[test]
fn a_link_in_place_of_a_group_is_not_followed() {
    let world = World::with_deployment().with(|world| {
        fs::rename(world.live("Hosted Exchange"), world.at("elsewhere")).expect("renamed");
        symlink(world.at("elsewhere"), world.live("Hosted Exchange")).expect("linked");
    });
    let elsewhere = Listing::strict(&world.at("elsewhere"));
    is_refused(&world, "`Hosted Exchange` is a symbolic link");
    elsewhere.assert_same(&Listing::strict(&world.at("elsewhere")));
}

#[test]
fn a_link_in_place_of_an_item_a_file_or_the_share_is_not_followed() {
    for path in [
        PROVIDER,
        "MSIShare/HostedEmail2007NS.msi",
        "Servers/MPS01/Services/Provisioning Engine.toml",
        "MSIShare",
    ] {
        let world = World::with_deployment().with(|world| {
            fs::rename(world.live(path), world.at("elsewhere")).expect("renamed");
            symlink(world.at("elsewhere"), world.live(path)).expect("linked");
        });
        is_refused(&world, &format!("`{path}` is a symbolic link"));
    }
}

#[test]
fn a_link_among_the_files_of_an_item_is_refused() {
    for target in ["/etc/passwd", "nowhere", "."] {
        let world = World::with_deployment().with(|world| {
            symlink(target, world.live(PROVIDER).join("files/shortcut")).expect("linked");
        });
        is_refused(
            &world,
            &format!("`{PROVIDER}/files/shortcut` is a symbolic link"),
        );
    }
}

#[test]
fn a_link_outside_of_the_plan_is_accepted() {
    let world = World::with_deployment().with(|world| {
        symlink("/etc", world.live("Servers/EXHUB01/Files/shortcut")).expect("linked");
        symlink("nowhere", world.live("MSIShare/dangling")).expect("linked");
    });
    world.run(APPLY).exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_fifo_is_refused_without_waiting_for_it() {
    let share = "MSIShare/HostedEmail2007NS.msi";
    for path in [
        share.to_owned(),
        format!("{PROVIDER}/files/pipe"),
        format!("{PROVIDER}/state.toml"),
    ] {
        let world = World::with_deployment().with(|world| {
            let _ = fs::remove_file(world.live(&path));
            make_fifo(world, &path);
        });
        is_refused(&world, &format!("`{path}` is a FIFO"));
    }
}

#[test]
fn a_socket_is_refused() {
    let at = format!("{PROVIDER}/files/s");
    let world = World::with_deployment().with(|world| {
        // The address of a socket must be short; the path in the deployment may be too long.
        let short = temporary();
        drop(UnixListener::bind(short.path().join("s")).expect("a socket can be made"));
        fs::rename(short.path().join("s"), world.live(&at)).expect("renamed");
    });
    assert!(
        fs::symlink_metadata(world.live(&at))
            .expect("it exists")
            .file_type()
            .is_socket()
    );
    is_refused(&world, &format!("`{at}` is a socket"));
}

#[test]
fn a_file_instead_of_a_directory_is_refused_and_the_reverse() {
    let world = World::with_deployment()
        .remove(PROVIDER)
        .write_file(PROVIDER, "a file");
    is_refused(&world, &format!("`{PROVIDER}` is a file"));
    let share = "MSIShare/HostedEmail2007NS.msi";
    let world = World::with_deployment()
        .remove(share)
        .write_file(&format!("{share}/inside"), "a directory");
    is_refused(&world, &format!("`{share}` is a directory"));
}

#[test]
fn two_entries_that_differ_only_in_case_are_both_named() {
    let world =
        World::with_deployment().write_file("MSIShare/HOSTEDEMAIL2007NS.msi", "another one");
    is_refused(
        &world,
        "`MSIShare/HOSTEDEMAIL2007NS.msi` and `MSIShare/HostedEmail2007NS.msi` differ only in case",
    );
    let world = World::with_deployment().write_file("HOSTED EXCHANGE/inside", "another one");
    is_refused(
        &world,
        "`HOSTED EXCHANGE` and `Hosted Exchange` differ only in case",
    );
    let world = World::with_deployment()
        .write_file(&format!("{PROVIDER}/files/A"), "")
        .write_file(&format!("{PROVIDER}/files/a"), "");
    is_refused(
        &world,
        &format!("`{PROVIDER}/files/A` and `{PROVIDER}/files/a` differ only in case"),
    );
}

#[test]
fn two_entries_outside_of_the_plan_may_differ_only_in_case() {
    let world = World::with_deployment()
        .write_file("Servers/EXHUB01/Files/A", "")
        .write_file("Servers/EXHUB01/Files/a", "");
    world.run(APPLY).exits_with(exit::OK);
}

#[test]
fn a_name_that_is_not_utf8_is_refused_if_it_would_move() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9.txt");
    let world = World::with_deployment().with(|world| {
        fs::write(world.live(PROVIDER).join("files").join(name), "").expect("written");
    });
    is_refused(&world, "is not UTF-8");
    let world = World::with_deployment().with(|world| {
        fs::write(world.live("Servers/EXHUB01/Files").join(name), "").expect("written");
    });
    world.run(APPLY).exits_with(exit::OK);
}

#[test]
fn an_unmanaged_file_at_the_path_of_a_new_one_is_refused_with_both_names() {
    // The new package has the file, the old one does not.
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let is_new = |path: &std::path::Path| {
        path.starts_with("Things/Provider/files") && path.ends_with("Provider.dll")
    };
    let after = Listing::of(&world.deployment());
    let [dll] = &after.paths(|path, _| is_new(path))[..] else {
        panic!("one library is installed")
    };
    let dll = dll.to_str().expect("a plain path");
    for unmanaged in [dll.to_owned(), dll.replace("Provider.dll", "PROVIDER.DLL")] {
        let world = small_world(UPDATE_PROVIDER)
            .with(|world| unlist(world, "Provider.dll"))
            .remove(dll)
            .write_file(&unmanaged, "unmanaged");
        let ran = world
            .run(APPLY_SMALL)
            .exits_with(exit::NOT_READY)
            .nothing_was_touched();
        ran.prints(&format!(
            "the installer contains `{dll}`, which conflicts with the unmanaged `{unmanaged}`"
        ));
    }
}

#[test]
fn an_unmanaged_directory_at_the_path_of_a_new_file_is_refused() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let condition = |path: &std::path::Path| {
        path.starts_with("Things/Provider/files") && path.ends_with("Provider.dll")
    };
    let [dll] = &before.paths(|path, _| condition(path))[..] else {
        panic!("one library is installed")
    };
    let dll = dll.to_str().expect("a plain path");
    let world = world
        .with(|world| unlist(world, "Provider.dll"))
        .remove(dll)
        .write_file(&format!("{dll}/notes.txt"), "");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .prints(dll)
        .nothing_was_touched();
}

/// Removes a file from the record of the installed provider, as if its package did not have it.
fn unlist(world: &World, name: &str) {
    let at = world.live("Things/Provider/state.toml");
    let text = fs::read_to_string(&at).expect("a record");
    let kept: Vec<&str> = text
        .lines()
        .filter(|line| !line.contains(&format!("{name}\" =")))
        .collect();
    assert_ne!(kept.len(), text.lines().count());
    fs::write(at, kept.join("\n")).expect("written");
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
#[ignore = "needs root and mounts"]
fn a_mount_above_a_live_path_is_named() {
    for (path, named) in [
        ("MSIShare", "MSIShare"),
        (PROVIDER, PROVIDER),
        (
            "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files",
            "Exchange 2007 Provider/files",
        ),
        ("Servers/MPS01/Services", "Servers/MPS01/Services"),
    ] {
        let world = World::with_deployment();
        let before = Listing::of(&world.deployment());
        let script =
            format!("mount --bind 'deployment/{path}' 'deployment/{path}'; exec $ROLLUP {APPLY}");
        let output = in_own_mounts(&world, &script);
        ends(
            &output,
            exit::NOT_READY,
            &format!("{named}` is on another mount than the deployment"),
        );
        before.assert_same(&Listing::of(&world.deployment()));
    }
}

#[test]
#[ignore = "needs root and mounts"]
fn a_mount_below_an_item_is_named() {
    let world = World::with_deployment().write_file(&format!("{PROVIDER}/files/own/data"), "");
    let script =
        format!("mount -t tmpfs none 'deployment/{PROVIDER}/files/own'; exec $ROLLUP {APPLY}");
    ends(
        &in_own_mounts(&world, &script),
        exit::NOT_READY,
        "files/own` is on another mount",
    );
}

#[test]
#[ignore = "needs root and mounts"]
fn a_mounted_file_is_named() {
    let world = World::with_deployment()
        .with(|world| fs::write(world.at("other.msi"), "").expect("written"));
    let before = Listing::of(&world.deployment());
    let script = format!(
        "cp deployment/MSIShare/HostedEmail2007NS.msi other.msi; \
         mount --bind other.msi deployment/MSIShare/HostedEmail2007NS.msi; exec $ROLLUP {APPLY}"
    );
    ends(
        &in_own_mounts(&world, &script),
        exit::NOT_READY,
        "HostedEmail2007NS.msi` is on another mount",
    );
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
#[ignore = "needs root"]
fn a_directory_without_write_permission_is_named() {
    for path in [
        "MSIShare",
        PROVIDER,
        "Servers/MPS02/Services",
        "MPS Web Services/Hosted Email 2007 Web Service",
        "",
    ] {
        let world = World::with_deployment();
        let before = Listing::of(&world.deployment());
        let chown = Command::new("chown")
            .args(["-R", "65534:65534"])
            .arg(world.at(""))
            .status();
        assert!(chown.expect("chown can be run").success());
        let directory = world.live(path);
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o555)).expect("a mode");
        let mut command = Command::new("setpriv");
        command.args([
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            env!("CARGO_BIN_EXE_rollup"),
        ]);
        command
            .args(APPLY.split(' '))
            .current_dir(world.at(""))
            .env("ROLLUP_DEPLOYMENT", "deployment");
        let output = command
            .env("COLUMNS", "400")
            .stdin(Stdio::null())
            .output()
            .expect("setpriv can be run");
        ends(
            &output,
            exit::NOT_READY,
            format!("deployment/{path}").trim_end_matches('/'),
        );
        let paths = |listing: &Listing| listing.paths(|_, _| true);
        assert_eq!(paths(&before), paths(&Listing::of(&world.deployment())));
        assert!(!world.live(".rollup").exists());
    }
}

#[test]
#[ignore = "needs root and chattr"]
fn an_immutable_file_is_named() {
    for (path, mark, words) in [
        (
            "MSIShare/HostedEmail2007NS.msi",
            "+i",
            "is marked immutable or append-only",
        ),
        (
            "Servers/MPS01/Services/Provisioning Engine.toml",
            "+a",
            "is marked immutable or append-only",
        ),
        (PROVIDER, "+i", "is marked immutable or append-only"),
        (PROVIDER, "+a", "is marked immutable or append-only"),
        (
            &format!("{PROVIDER}/files/notes.txt"),
            "+i",
            "is marked immutable or append-only",
        ),
        ("MSIShare", "+a", "is marked immutable or append-only"),
    ] {
        let world = World::with_deployment()
            .write_file(&format!("{PROVIDER}/files/notes.txt"), "unmanaged");
        let chattr = |mark: &str| {
            let status = Command::new("chattr")
                .arg(mark)
                .arg(world.live(path))
                .status();
            assert!(
                status.expect("chattr can be run").success(),
                "this file system has no such marks"
            );
        };
        chattr(mark);
        let ran = world.run(APPLY);
        chattr(&mark.replace('+', "-"));
        ran.exits_with(exit::NOT_READY)
            .prints(&format!("{path}` {words}"))
            .tree_is_unchanged();
    }
}

#[test]
#[ignore = "needs root and mounts"]
fn a_disk_that_is_too_small_is_refused_before_anything_changes() {
    // Enough for the deployment, but not for the staged files as well.
    let world = World::with_deployment();
    let script = format!(
        "mkdir small; mount -t tmpfs -o size=12m none small; cp -a deployment small/; \
         find small -printf '%p %s %T@ %i\\n' | sort > before; \
         code=0; $ROLLUP {APPLY} -d small/deployment || code=$?; \
         find small -printf '%p %s %T@ %i\\n' | sort > after; cmp before after; exit $code"
    );
    ends(
        &in_own_mounts(&world, &script),
        exit::NOT_READY,
        "the disk is too small",
    );
}

#[test]
#[ignore = "needs root and mounts"]
fn a_disk_without_room_for_more_files_is_refused() {
    let world = World::with_deployment();
    let script = format!(
        "mkdir small; mount -t tmpfs -o size=100m,nr_inodes=600 none small; cp -a deployment small/; \
         exec $ROLLUP {APPLY} -d small/deployment"
    );
    ends(
        &in_own_mounts(&world, &script),
        exit::NOT_READY,
        "more files and directories are needed",
    );
}
