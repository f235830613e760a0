//! Unmanaged files beside installed ones survive an update: the same files, unchanged.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::time::{Duration, SystemTime};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{APPLY, World, exit, set_modified};

const PROVIDER: &str = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider";
const WEB: &str = "MPS Web Services/Hosted Email 2007 Web Service/PROV02";

/// Returns paths of unmanaged files in the directories of items and procedures.
fn places() -> Vec<String> {
    vec![
        format!("{PROVIDER}/files/notes.txt"),
        format!("{PROVIDER}/notes beside the record.txt"),
        format!("{PROVIDER}/files/own/deep/er/notes.txt"),
        format!("{PROVIDER}/own/notes.txt"),
        format!("{PROVIDER}/files/Überblick – 日本.txt"),
        format!("{PROVIDER}/files/.hidden"),
        format!("{PROVIDER}/files/a b  c'\"$&;.txt"),
        format!("{PROVIDER}/files/line\nbreak.txt"),
        format!("{WEB}/files/web.config"),
        "Hosted Exchange/Exchange Provisioning Configuration/Initialize Hosted Email 2007/log.txt"
            .to_owned(),
    ]
}

/// Returns the identity of a file: inode, mode, owner, time and bytes.
fn identity(world: &World, path: &str) -> (u64, u32, u32, i64, i64, Vec<u8>) {
    let at = world.live(path);
    let metadata = fs::symlink_metadata(&at).unwrap_or_else(|error| panic!("`{path}`: {error}"));
    let bytes = fs::read(&at).expect("a readable file");
    (
        metadata.ino(),
        metadata.mode(),
        metadata.uid(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        bytes,
    )
}

/// Writes an unmanaged file at each of the places, with a mode and time of its own.
fn with_unmanaged(mut world: World) -> World {
    for (number, path) in (0_u32..).zip(places()) {
        world = world.write_file(&path, format!("unmanaged, number {number}"));
        let at = world.live(&path);
        let modified =
            SystemTime::UNIX_EPOCH + Duration::new(86_400 * u64::from(number + 1), 123_456_789);
        set_modified(&at, modified);
        fs::set_permissions(
            &at,
            fs::Permissions::from_mode([0o600, 0o444, 0o755][number as usize % 3]),
        )
        .expect("a mode");
    }
    world
}

#[test]
fn unmanaged_files_are_unchanged_after_an_update() {
    let world = with_unmanaged(World::with_deployment());
    let before: Vec<_> = places().iter().map(|path| identity(&world, path)).collect();
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    assert!(
        world
            .read(&format!("{PROVIDER}/state.toml"))
            .contains("4.0.300")
    );
    for (path, before) in places().iter().zip(before) {
        assert_eq!(identity(&world, path), before, "{path}");
    }
}

#[test]
fn verify_lists_unmanaged_files_and_reports_no_drift_for_them() {
    let world = with_unmanaged(World::with_deployment());
    for _ in 0..2 {
        let message = world
            .run("verify --format json")
            .exits_with(exit::OK)
            .json();
        let mut reported: Vec<&str> = message["unmanaged"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|path| path.as_str().expect("a path"))
            .collect();
        // A procedure has no installed files, and a directory without managed files is listed once.
        let mut expected = places();
        expected.retain(|path| !path.contains("Configuration"));
        let listed = ["files/own/deep/er/notes.txt", "own/notes.txt"];
        expected.retain(|path| {
            !listed
                .iter()
                .any(|listed| *path == format!("{PROVIDER}/{listed}"))
        });
        expected.extend([format!("{PROVIDER}/files/own"), format!("{PROVIDER}/own")]);
        reported.sort_unstable();
        expected.sort_unstable();
        assert_eq!(reported, expected);
        world
            .run("verify")
            .exits_with(exit::OK)
            .prints("everything matches")
            .prints(&format!(
                "unmanaged: `{PROVIDER}/files/notes.txt` has no record; rollup leaves it alone"
            ))
            .nothing_was_touched();
        world.run(APPLY).exits_with(exit::OK);
    }
}

#[test]
fn control_characters_in_unmanaged_names_do_not_reach_the_terminal() {
    let world = World::with_deployment()
        .write_file(&format!("{PROVIDER}/files/\u{1b}[31mred\u{7}.txt"), "");
    for command in [
        "verify",
        "plan kb952076.toml",
        APPLY,
        "verify",
        "tree",
        "history",
    ] {
        let ran = world.run(command).exits_with(exit::OK);
        assert!(
            !ran.stdout().contains('\u{1b}') && !ran.output_contains("\u{7}"),
            "{}",
            ran.stdout()
        );
    }
}

#[test]
fn unmanaged_empty_directories_are_kept() {
    let world = World::with_deployment().with(|world| {
        for (path, mode) in [
            ("files/empty", 0o700),
            ("own/deep/empty", 0o755),
            ("files/Leer ü", 0o775),
        ] {
            let at = world.live(PROVIDER).join(path);
            fs::create_dir_all(&at).expect("made");
            fs::set_permissions(&at, fs::Permissions::from_mode(mode)).expect("a mode");
        }
    });
    let ran = world.run(APPLY).exits_with(exit::OK);
    for path in [
        "files/empty",
        "own",
        "own/deep",
        "own/deep/empty",
        "files/Leer ü",
    ] {
        let path = format!("{PROVIDER}/{path}");
        assert_eq!(ran.before().get(&path), ran.after().get(&path), "{path}");
    }
}

#[test]
fn new_files_get_the_mode_and_owner_of_the_old_ones() {
    let share = "MSIShare/HostedEmail2007NS.msi";
    let world = World::with_deployment().with(|world| {
        for (path, mode) in [
            (share.to_owned(), 0o640),
            (format!("{PROVIDER}/state.toml"), 0o600),
            (PROVIDER.to_owned(), 0o750),
        ] {
            fs::set_permissions(world.live(&path), fs::Permissions::from_mode(mode))
                .expect("a mode");
        }
    });
    let ran = world.run(APPLY).exits_with(exit::OK);
    for (path, mode) in [
        (share.to_owned(), 0o640),
        (format!("{PROVIDER}/state.toml"), 0o600),
        (PROVIDER.to_owned(), 0o750),
    ] {
        let (was, is) = (
            ran.before().get(&path).expect("it existed"),
            ran.after().get(&path).cloned().expect("it exists"),
        );
        assert_eq!((is.mode, is.owner), (mode, was.owner), "{path}");
    }
}

#[test]
fn unmanaged_files_of_servers_and_in_the_share_are_not_touched() {
    let world = World::with_deployment()
        .write_file("MSIShare/own.msi", "no installer")
        .write_file("Servers/MPS01/Files/own/file", "unmanaged")
        .write_file("Servers/MPS01/Services/notes.txt", "unmanaged")
        .write_file("notes.txt", "unmanaged");
    let ran = world.run(APPLY).exits_with(exit::OK);
    for path in [
        "MSIShare/own.msi",
        "Servers/MPS01/Files/own/file",
        "Servers/MPS01/Services/notes.txt",
        "notes.txt",
    ] {
        assert_eq!(ran.before().get(path), ran.after().get(path), "{path}");
    }
}

#[test]
fn unmanaged_files_stay_in_place_if_an_item_is_uninstalled_for_good() {
    let rest = "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Web\" = [\"Site\"]\n[payload]\nfiles = []\n";
    let unmanaged = [
        "Web/Site/WEB01/files/own/web.config",
        "Web/Site/WEB01/notes.txt",
    ];
    let mut world = World::with_site(SMALL).manifest("small", &small("KB100001", rest));
    for path in unmanaged {
        world = world.write_file(path, "unmanaged");
    }
    let before = unmanaged.map(|path| identity(&world, path));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(unmanaged.map(|path| identity(&world, path)), before);
    let left = Listing::of(&world.live("Web/Site/WEB01")).paths(|_, entry| entry.kind == "file");
    assert_eq!(
        left,
        ["files/own/web.config", "notes.txt", "state.toml"].map(std::path::PathBuf::from)
    );
}

#[test]
fn a_managed_file_that_was_changed_by_hand_is_reported_and_kept() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let condition = |path: &std::path::Path| {
        path.starts_with("Things/Provider/files") && path.ends_with("Provider.dll")
    };
    let [dll] = &before.paths(|path, _| condition(path))[..] else {
        panic!("one library is installed")
    };
    let dll = dll.to_str().expect("a plain path");
    let world = world.write_file(dll, "patched at three in the morning");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints(&format!(
            "warning: `{dll}` was changed since `Provider` was installed"
        ))
        .prints("the changed file stays in the run's directory");
    let kept = world
        .run_directory("0001-KB100001")
        .join("slots/1/old")
        .join(dll.trim_start_matches("Things/Provider/"));
    assert_eq!(
        fs::read_to_string(kept).expect("the changed file is kept"),
        "patched at three in the morning"
    );
    world
        .run("verify")
        .exits_with(exit::OK)
        .does_not_print("unmanaged");
}

#[test]
fn a_missing_managed_file_is_reported() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let condition = |path: &std::path::Path| {
        path.starts_with("Things/Provider/files") && path.ends_with("Provider.dll")
    };
    let [dll] = &before.paths(|path, _| condition(path))[..] else {
        panic!("one library is installed")
    };
    let dll = dll.to_str().expect("a plain path");
    let world = world.remove(dll);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints(&format!("warning: `{dll}` is missing"));
    world.run("verify").exits_with(exit::OK);
}

/// Returns a world whose run has removed the provider, and waits at a manual step before its
/// installation.
fn waiting() -> World {
    let by_hand = "[[steps]]\nid = \"wait\"\naction = \"manual\"\ninstructions = \"Wait.\"\n[[steps]]\nid = \"copy\"";
    let world = small_world(&UPDATE_PROVIDER.replace("[[steps]]\nid = \"copy\"", by_hand));
    world
        .at_terminal("apply small.toml --yes", "stop\n")
        .exits_with(exit::STOPPED);
    world
}

#[test]
fn unmanaged_files_added_while_a_run_waits_are_kept_by_resume_and_undo() {
    let unmanaged = [
        "Things/Provider/notes.txt",
        "Things/Provider/own/deep/notes.txt",
        "Things/Provider/files/notes.txt",
    ];
    for command in ["resume --yes --done wait", "undo --yes"] {
        let world = unmanaged.into_iter().fold(waiting(), |world, path| {
            world.write_file(path, format!("unmanaged at {path}"))
        });
        let before = unmanaged.map(|path| identity(&world, path));
        world.run(command).exits_with(exit::OK);
        assert_eq!(
            unmanaged.map(|path| identity(&world, path)),
            before,
            "after `{command}`"
        );
        world
            .run("verify")
            .exits_with(exit::OK)
            .prints("unmanaged: `Things/Provider/files/notes.txt`");
    }
}

#[test]
fn unmanaged_files_removed_while_a_run_waits_are_not_restored() {
    for command in ["resume --yes --done wait", "undo --yes"] {
        let by_hand = "[[steps]]\nid = \"wait\"\naction = \"manual\"\ninstructions = \"Wait.\"\n[[steps]]\nid = \"copy\"";
        let world = small_world(&UPDATE_PROVIDER.replace("[[steps]]\nid = \"copy\"", by_hand));
        let world = world
            .write_file("Things/Provider/notes.txt", "unmanaged")
            .write_file("Things/Provider/other.txt", "unmanaged");
        world
            .at_terminal("apply small.toml --yes", "stop\n")
            .exits_with(exit::STOPPED);
        let world = world.remove("Things/Provider/notes.txt");
        world
            .run(command)
            .exits_with(exit::OK)
            .prints("`Things/Provider/notes.txt` was there when the run began, and is not any more")
            .does_not_print("as it was before");
        world
            .run("report last")
            .does_not_print("as it was before\n");
        assert!(
            !world.live("Things/Provider/notes.txt").exists()
                && world.live("Things/Provider/other.txt").exists()
        );
    }
}

#[test]
fn what_appeared_in_a_directory_that_the_run_made_is_named_by_its_rollback() {
    let install = "[[steps]]\nid = \"install\"\naction = \"install\"\nitems.\"Things\" = [\"Extra\"]\n\
                   [[steps]]\nid = \"wait\"\naction = \"manual\"\ninstructions = \"Wait.\"\n[payload]\nfiles = []\n";
    let world = World::with_site(SMALL).manifest("small", &small("KB100001", install));
    world
        .at_terminal("apply small.toml --yes", "stop\n")
        .exits_with(exit::STOPPED);
    world
        .copy()
        .run("undo --yes")
        .exits_with(exit::OK)
        .does_not_print("is kept there");
    let world = world.write_file("Things/Extra/data/notes.txt", "unmanaged");
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .prints("was in a directory that the run had made, and is kept there")
        .prints("not in its place any more: `Things/Extra/data`")
        .does_not_print("as it was before");
}

#[test]
fn what_appeared_since_the_run_is_named_by_its_rollback() {
    let world = small_world(UPDATE_PROVIDER).write_file("Things/Provider/old.txt", "before");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file("Things/Provider/notes.txt", "unmanaged");
    world
        .run("undo last --yes")
        .exits_with(exit::OK)
        .prints("stays: `Things/Provider/notes.txt`")
        .does_not_print("Things/Provider/old.txt")
        .does_not_print("as it was before");
    world
        .run("report last")
        .prints("as it was before, except for unmanaged files that appeared");
    assert!(world.live("Things/Provider/notes.txt").exists());
}

#[test]
fn an_unmanaged_directory_may_hold_anything() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        let data = world.live("Things/Provider/files/data");
        fs::create_dir_all(data.join("Upper")).expect("made");
        fs::create_dir(data.join("upper")).expect("made");
        fs::write(data.join(OsStr::from_bytes(b"caf\xe9.txt")), "data").expect("written");
        std::os::unix::fs::symlink("/etc", data.join("link")).expect("linked");
        let mut deep = data;
        for _ in 0..150 {
            deep.push("deeper");
        }
        fs::create_dir_all(deep).expect("made");
    });
    let inode = |world: &World| {
        let metadata = fs::metadata(world.live("Things/Provider/files/data"));
        metadata.expect("it is there").ino()
    };
    let before = inode(&world);
    world.run("plan small.toml").exits_with(exit::OK);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(inode(&world), before);
    world
        .run("verify")
        .exits_with(exit::OK)
        .prints("`Things/Provider/files/data` has no record");
    world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(inode(&world), before);
}

#[test]
fn many_files_beside_managed_ones_are_counted_in_the_plan() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        let data = world.live("Things/Provider");
        (0..1_200).for_each(|file| drop(fs::write(data.join(format!("{file}.log")), "data")));
    });
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("1,200 unmanaged files and directories beside managed files move along one by one");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert!(world.live("Things/Provider/1199.log").exists());
}

#[test]
fn an_unmanaged_file_may_spell_a_managed_directory_in_another_case_while_a_run_waits() {
    for command in ["resume --yes --done wait", "undo --yes"] {
        let world = waiting().write_file("Things/Provider/FILES/own/notes.txt", "unmanaged");
        world.run(command).exits_with(exit::OK);
        assert_eq!(
            world.read("Things/Provider/files/own/notes.txt"),
            "unmanaged",
            "after `{command}`"
        );
        assert!(
            !world.live("Things/Provider/FILES").exists(),
            "after `{command}` two names differ only in case"
        );
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn an_unmanaged_file_at_the_path_of_a_new_one_is_never_lost() {
    let dlls = [
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        // Another spelling is the same name.
        "Things/Provider/Files/program files/Provider/PROVIDER.DLL",
    ];
    for (dll, command) in dlls
        .map(|dll| ["resume --yes --done wait", "undo --yes"].map(|command| (dll, command)))
        .concat()
    {
        let world = waiting().write_file(dll, "unmanaged, written while the run waited");
        let ran = world.run(command);
        let everywhere = Listing::strict(&world.deployment());
        let digest = rollup::names::Digest::of(b"unmanaged, written while the run waited");
        let kept = everywhere.paths(|_, entry| entry.sha256 == Some(digest));
        assert_eq!(kept.len(), 1, "after `{command}`");
        let name = dll.rsplit('/').next().expect("a name");
        let message = format!("{name}` is at a path that a managed file is to take");
        ran.exits_with(11)
            .does_not_print("matches the plan")
            .prints(&message);
        world.run("status").prints("run 0001-KB100001");
    }
}

#[test]
fn an_unmanaged_file_whose_name_is_not_utf8_is_never_left_behind() {
    let not_utf8 = |world: &World| {
        world
            .live("Things/Provider")
            .join(OsStr::from_bytes(b"caf\xe9.txt"))
    };
    let message = "cannot be moved along: its name is not UTF-8";
    for command in ["resume --yes --done wait", "undo --yes"] {
        let world = waiting();
        let unmanaged = not_utf8(&world);
        fs::write(&unmanaged, "unmanaged").expect("Linux permits the name");
        world
            .run(command)
            .exits_with(11)
            .prints(message)
            .prints("is unfinished")
            .tree_is_unchanged();
        fs::rename(&unmanaged, world.live("Things/Provider/renamed.txt"))
            .expect("it can be renamed");
        world.run(command).exits_with(exit::OK);
        assert_eq!(
            world.read("Things/Provider/renamed.txt"),
            "unmanaged",
            "after `{command}`"
        );
    }
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    fs::write(not_utf8(&world), "unmanaged").expect("Linux permits the name");
    world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .prints(message)
        .prints("rename it")
        .tree_is_unchanged();
}
