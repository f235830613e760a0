//! What an operator put beside installed files comes through an update: the same file, untouched.

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

/// Where an operator may have put something, in the directory of an item or procedure.
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

/// The same file: inode, mode, owner, bytes and time.
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

/// Puts a file everywhere that an operator may have put one, each with a mode and time of its own.
fn with_unmanaged(mut world: World) -> World {
    for (number, path) in (0_u32..).zip(places()) {
        world = world.put(&path, format!("his own, number {number}"));
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
fn an_operators_files_come_through_an_update_untouched() {
    let world = with_unmanaged(World::with_deployment());
    let before: Vec<_> = places().iter().map(|path| identity(&world, path)).collect();
    world.run(APPLY).exits_with(exit::OK).says("as previewed");
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
fn verify_tells_an_operators_files_and_finds_nothing_wrong_with_them() {
    let world = with_unmanaged(World::with_deployment());
    for _ in 0..2 {
        let told = world
            .run("verify --format json")
            .exits_with(exit::OK)
            .json();
        let mut beside: Vec<&str> = told["beside"]
            .as_array()
            .expect("a list")
            .iter()
            .map(|path| path.as_str().expect("a path"))
            .collect();
        // A procedure has no files of its own.
        let mut expected = places();
        expected.retain(|path| !path.contains("Configuration"));
        beside.sort_unstable();
        expected.sort_unstable();
        assert_eq!(beside, expected);
        world
            .run("verify")
            .exits_with(exit::OK)
            .says("everything matches")
            .says(&format!(
                "beside: `{PROVIDER}/files/notes.txt` is an operator's; it is left alone"
            ))
            .nothing_was_touched();
        world.run(APPLY).exits_with(exit::OK);
    }
}

#[test]
fn control_characters_in_an_operators_names_do_not_reach_the_terminal() {
    let world =
        World::with_deployment().put(&format!("{PROVIDER}/files/\u{1b}[31mred\u{7}.txt"), "");
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
            !ran.stdout().contains('\u{1b}') && !ran.said("\u{7}"),
            "{}",
            ran.stdout()
        );
    }
}

#[test]
fn an_operators_empty_directories_are_made_anew() {
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
fn new_files_take_mode_and_owner_of_what_they_replace() {
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
            ran.before().get(&path).expect("there"),
            ran.after().get(&path).cloned().expect("there"),
        );
        assert_eq!((is.mode, is.owner), (mode, was.owner), "{path}");
    }
}

#[test]
fn what_an_operator_put_below_the_servers_and_into_the_share_is_not_touched() {
    let world = World::with_deployment()
        .put("MSIShare/his.msi", "no installer")
        .put("Servers/MPS01/Files/his/file", "his")
        .put("Servers/MPS01/Services/his.txt", "his")
        .put("notes.txt", "his");
    let ran = world.run(APPLY).exits_with(exit::OK);
    for path in [
        "MSIShare/his.msi",
        "Servers/MPS01/Files/his/file",
        "Servers/MPS01/Services/his.txt",
        "notes.txt",
    ] {
        assert_eq!(ran.before().get(path), ran.after().get(path), "{path}");
    }
}

#[test]
fn an_operators_files_stay_where_an_item_is_removed_for_good() {
    let rest = "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Web\" = [\"Site\"]\n[payload]\nfiles = []\n";
    let his = [
        "Web/Site/WEB01/files/his/web.config",
        "Web/Site/WEB01/his.txt",
    ];
    let mut world = World::with_site(SMALL).manifest("small", &small("KB100001", rest));
    for path in his {
        world = world.put(path, "his own");
    }
    let before = his.map(|path| identity(&world, path));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(his.map(|path| identity(&world, path)), before);
    let left = Listing::of(&world.live("Web/Site/WEB01")).paths(|_, entry| entry.kind == "file");
    assert_eq!(
        left,
        ["files/his/web.config", "his.txt", "state.toml"].map(std::path::PathBuf::from)
    );
}

#[test]
fn a_file_of_ours_that_was_changed_by_hand_is_told_and_kept() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let is_it = |path: &std::path::Path| {
        path.starts_with("Things/Provider/files") && path.ends_with("Provider.dll")
    };
    let [dll] = &before.paths(|path, _| is_it(path))[..] else {
        panic!("one library is installed")
    };
    let dll = dll.to_str().expect("a plain path");
    let world = world.put(dll, "patched at three in the morning");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says(&format!(
            "warning: `{dll}` was changed since `Provider` was installed"
        ))
        .says("the changed file stays in the run's directory");
    let kept = world
        .run_directory("0001-KB100001")
        .join("slots/1/old")
        .join(dll.trim_start_matches("Things/Provider/"));
    assert_eq!(
        fs::read_to_string(kept).expect("it is kept"),
        "patched at three in the morning"
    );
    world
        .run("verify")
        .exits_with(exit::OK)
        .does_not_say("beside");
}

#[test]
fn a_file_of_ours_that_is_missing_is_told() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    let is_it = |path: &std::path::Path| {
        path.starts_with("Things/Provider/files") && path.ends_with("Provider.dll")
    };
    let [dll] = &before.paths(|path, _| is_it(path))[..] else {
        panic!("one library is installed")
    };
    let dll = dll.to_str().expect("a plain path");
    let world = world.remove(dll);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says(&format!("warning: `{dll}` is missing"));
    world.run("verify").exits_with(exit::OK);
}

/// A run that removed the provider and waits for a person before it is installed again.
fn waiting() -> World {
    let by_hand = "[[steps]]\nid = \"wait\"\naction = \"manual\"\ninstructions = \"Wait.\"\n[[steps]]\nid = \"copy\"";
    let world = small_world(&UPDATE_PROVIDER.replace("[[steps]]\nid = \"copy\"", by_hand));
    world
        .at_terminal("apply small.toml --yes", "stop\n")
        .exits_with(exit::STOPPED);
    world
}

#[test]
fn what_an_operator_adds_while_a_run_waits_comes_along_both_ways() {
    let his = [
        "Things/Provider/his.txt",
        "Things/Provider/own/deep/his.txt",
        "Things/Provider/files/his.txt",
    ];
    for way in ["resume --yes --done wait", "undo --yes"] {
        let world = his.into_iter().fold(waiting(), |world, path| {
            world.put(path, format!("his own at {path}"))
        });
        let before = his.map(|path| identity(&world, path));
        world.run(way).exits_with(exit::OK);
        assert_eq!(
            his.map(|path| identity(&world, path)),
            before,
            "after `{way}`"
        );
        world
            .run("verify")
            .exits_with(exit::OK)
            .says("beside: `Things/Provider/files/his.txt`");
    }
}

#[test]
fn what_an_operator_takes_away_while_a_run_waits_is_not_missed() {
    for way in ["resume --yes --done wait", "undo --yes"] {
        let by_hand = "[[steps]]\nid = \"wait\"\naction = \"manual\"\ninstructions = \"Wait.\"\n[[steps]]\nid = \"copy\"";
        let world = small_world(&UPDATE_PROVIDER.replace("[[steps]]\nid = \"copy\"", by_hand));
        let world = world
            .put("Things/Provider/his.txt", "his own")
            .put("Things/Provider/other.txt", "his own");
        world
            .at_terminal("apply small.toml --yes", "stop\n")
            .exits_with(exit::STOPPED);
        let world = world.remove("Things/Provider/his.txt");
        world.run(way).exits_with(exit::OK);
        assert!(
            !world.live("Things/Provider/his.txt").exists()
                && world.live("Things/Provider/other.txt").exists()
        );
    }
}

#[test]
fn an_operator_may_spell_a_directory_of_ours_as_he_likes_while_it_is_gone() {
    for way in ["resume --yes --done wait", "undo --yes"] {
        let world = waiting().put("Things/Provider/FILES/his/own.txt", "his own");
        world.run(way).exits_with(exit::OK);
        assert_eq!(
            world.read("Things/Provider/files/his/own.txt"),
            "his own",
            "after `{way}`"
        );
        assert!(
            !world.live("Things/Provider/FILES").exists(),
            "after `{way}` two names differ only in case"
        );
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn an_operators_file_that_comes_where_the_installer_brings_one_is_never_lost() {
    let dlls = [
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        // Another spelling is the same name.
        "Things/Provider/Files/program files/Provider/PROVIDER.DLL",
    ];
    for (dll, way) in dlls
        .map(|dll| ["resume --yes --done wait", "undo --yes"].map(|way| (dll, way)))
        .concat()
    {
        let world = waiting().put(dll, "his own, written while the run waited");
        let ran = world.run(way);
        let everywhere = Listing::strict(&world.deployment());
        let digest = rollup::names::Digest::of(b"his own, written while the run waited");
        let kept = everywhere.paths(|_, entry| entry.sha256 == Some(digest));
        assert_eq!(kept.len(), 1, "after `{way}`");
        let name = dll.rsplit('/').next().expect("a name");
        let told = format!("{name}` stands where a file of ours should come");
        ran.exits_with(11).does_not_say("as previewed").says(&told);
        world.run("status").says("run 0001-KB100001");
    }
}

#[test]
fn an_operators_file_with_a_name_that_is_no_text_is_never_left_behind() {
    let no_text = |world: &World| {
        world
            .live("Things/Provider")
            .join(OsStr::from_bytes(b"caf\xe9.txt"))
    };
    let told = "cannot be moved along: its name is not UTF-8";
    for way in ["resume --yes --done wait", "undo --yes"] {
        let world = waiting();
        let his = no_text(&world);
        fs::write(&his, "his own").expect("a name that Linux takes");
        world
            .run(way)
            .exits_with(11)
            .says(told)
            .says("is unfinished")
            .tree_is_unchanged();
        fs::rename(&his, world.live("Things/Provider/renamed.txt")).expect("he renames it");
        world.run(way).exits_with(exit::OK);
        assert_eq!(
            world.read("Things/Provider/renamed.txt"),
            "his own",
            "after `{way}`"
        );
    }
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    fs::write(no_text(&world), "his own").expect("a name that Linux takes");
    world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .says(told)
        .says("rename it")
        .tree_is_unchanged();
}
