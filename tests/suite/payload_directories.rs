//! Payloads with directories: `x86/Setup.msi` and `x64/Setup.msi` are two files. A copy has the last
//! part of the name, a payload is read only below the directories that the file table names, and no
//! link leads out of it.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use rollup::names::Digest;
use rustix::fs::{CWD, FileType, Mode, mknodat};

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, SMALL, small, small_world};
use crate::world::{World, exit};

/// Packages for two platforms with one name, an installer for the share, and a file for the others.
const BOTH: &str = r#"
[[steps]]
id = "x86"
action = "run"
on = "engine"
platform = "x86"
files = ["x86/Setup.msi"]
[[steps]]
id = "x64"
action = "run"
on = "engine"
platform = "x64"
files = ["x64/Setup.msi"]
[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Provider"]
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Server/Update/Provider.msi"]
[[steps]]
id = "install"
action = "install"
removed_by = "remove"
[[steps]]
id = "web"
action = "copy"
to = "Tools"
on = "web"
others = true
[payload]
files = [
  { name = "x86/Setup.msi", size = 32768 },
  { name = "x64/Setup.msi", size = 32768 },
  { name = "Server/Update/Provider.msi", size = 32768 },
  { name = "Server/Read me.txt", size = 100 },
]
"#;

/// Manual step that needs two files of one name.
const BY_HAND: &str = r#"
[[steps]]
id = "by-hand"
action = "manual"
instructions = "Run the script of the platform."
undo = "Run it backward."
files = ["x86/fix.vbs", "X64/Fix.vbs"]
[payload]
files = [{ name = "x86/fix.vbs", size = 70 }, { name = "x64/fix.vbs", size = 80 }]
"#;

/// Returns a step that copies files to a directory of a role's servers.
fn copy(id: &str, role: &str, file: &str) -> String {
    format!(
        "[[steps]]\nid = \"{id}\"\naction = \"copy\"\non = \"{role}\"\nto = \"Tools\"\nfiles = [\"{file}\"]\n"
    )
}

fn with_table(steps: &str, names: &[&str]) -> String {
    let rows = names
        .iter()
        .map(|name| format!("{{ name = \"{name}\", size = 1024 }}"));
    let rows = rows.collect::<Vec<_>>().join(", ");
    format!("{steps}[payload]\nfiles = [{rows}]\n")
}

/// Makes a world whose manifest `small.toml` has mistakes, without a payload.
fn faulty_world(rest: &str) -> World {
    World::with_site(SMALL).with(|world| {
        fs::write(world.at("small.toml"), small("KB100001", rest)).expect("written");
    })
}

fn payload(world: &World, path: &str) -> Vec<u8> {
    fs::read(world.at("KB100001").join(path)).expect("a file of the payload")
}

fn swap(world: &World, a: &str, b: &str) {
    let [a, b] = [a, b].map(|path| world.at("KB100001").join(path));
    let spare = world.at("spare");
    fs::rename(&a, &spare)
        .and_then(|()| fs::rename(&b, &a))
        .and_then(|()| fs::rename(&spare, &b))
        .expect("renamed");
}

/// Asserts that a payload of [`BOTH`] that was changed is refused with these words.
#[track_caller]
fn assert_refused(change: impl FnOnce(&Path), words: &[&str]) {
    let world = small_world(BOTH).with(|world| change(&world.at("KB100001")));
    for (command, code) in [
        ("plan small.toml", exit::MISMATCH),
        (APPLY_SMALL, exit::MISMATCH),
        ("validate small.toml -p KB100001", exit::INVALID),
        ("pin small.toml -p KB100001", exit::MISMATCH),
    ] {
        let ran = world.run(command).exits_with(code).nothing_was_touched();
        words.iter().fold(ran, |ran, words| ran.prints(words));
    }
}

#[test]
fn files_of_one_name_are_deployed_and_undone() {
    let world = small_world(BOTH);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("Server/Update/Provider.msi");
    let applied = world.run(APPLY_SMALL).exits_with(exit::OK);
    let applied = applied.prints("the result matches the plan");
    for (server, program, below) in [
        ("ENG01", "Setup (x86)", "x86/Setup.msi"),
        ("ENG02", "Setup (x64)", "x64/Setup.msi"),
    ] {
        let record = world.read(&format!("Servers/{server}/Programs/{program}/state.toml"));
        let sha256 = Digest::of(&payload(&world, below));
        let installer = format!("installer = {{ name = \"Setup.msi\", sha256 = \"{sha256}\" }}");
        assert!(record.contains(&installer), "{record}");
    }
    assert!(!world.live("Servers/ENG01/Programs/Setup (x64)").exists());
    for (live, below) in [
        ("Share/Provider.msi", "Server/Update/Provider.msi"),
        (
            "Servers/WEB01/Files/Tools/Read me.txt",
            "Server/Read me.txt",
        ),
    ] {
        assert_eq!(
            fs::read(world.live(live)).expect("a copy"),
            payload(&world, below)
        );
    }
    assert!(!world.live("Share/Server").exists());
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    world.run("undo 1 --yes").exits_with(exit::OK);
    applied
        .before()
        .assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_saved_plan_names_the_files_with_their_directories() {
    let world = small_world(BOTH);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    world
        .run("show plan.json")
        .exits_with(exit::OK)
        .prints("> copy Server/Read me.txt on WEB01, into Files/Tools");
    for format in ["markdown", "html", "json"] {
        world
            .run(&format!("show plan.json --format {format}"))
            .exits_with(exit::OK)
            .prints("x64/Setup.msi");
    }
    swap(&world, "x86/Setup.msi", "x64/Setup.msi");
    world
        .run("apply plan.json --yes")
        .exits_with(exit::STALE_PLAN)
        .prints("`x64/Setup.msi` in the payload is not the file that the plan was made from")
        .nothing_was_touched();
    swap(&world, "x86/Setup.msi", "x64/Setup.msi");
    world.run("apply plan.json --yes").exits_with(exit::OK);
}

#[test]
fn pins_distinguish_files_of_one_name() {
    let world = small_world(BOTH);
    world
        .run("pin small.toml -p KB100001")
        .exits_with(exit::OK)
        .prints("pinned 4 files");
    let text = fs::read_to_string(world.at("small.toml")).expect("a manifest");
    let pin = |path| format!("\"{path}\" = \"{}\"\n", Digest::of(&payload(&world, path)));
    let pins = pin("x86/Setup.msi") + &pin("x64/Setup.msi");
    assert!(
        text.contains(&format!("[payload.sha256]\n{pins}")),
        "{text}"
    );
    world
        .run("pin small.toml -p KB100001")
        .exits_with(exit::OK)
        .prints("nothing to do");
    world
        .run("validate small.toml -p KB100001 --require-hashes")
        .exits_with(exit::OK);
    swap(&world, "x86/Setup.msi", "x64/Setup.msi");
    for (command, code) in [
        ("plan small.toml", exit::MISMATCH),
        ("validate small.toml -p KB100001", exit::INVALID),
    ] {
        world
            .run(command)
            .exits_with(code)
            .prints("`x86/Setup.msi` in the payload is the file that is pinned as `x64/Setup.msi`")
            .prints("`x64/Setup.msi` in the payload is the file that is pinned as `x86/Setup.msi`");
    }
}

#[test]
fn files_of_a_manual_step_are_staged_with_their_directories() {
    let world = small_world(BY_HAND);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("file: x86/fix.vbs, SHA-256 ")
        .prints("file: x64/Fix.vbs, SHA-256 ");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::STOPPED)
        .prints("manual/by-hand: x86/fix.vbs, SHA-256 ")
        .prints("x64/Fix.vbs, SHA-256 ");
    let staged = world.run_directory("0001-KB100001").join("manual/by-hand");
    for (at, below) in [
        ("x86/fix.vbs", "x86/fix.vbs"),
        ("x64/Fix.vbs", "x64/fix.vbs"),
    ] {
        assert_eq!(
            fs::read(staged.join(at)).expect("a staged file"),
            payload(&world, below)
        );
    }
    world
        .run("resume --yes --done by-hand")
        .exits_with(exit::OK);
    let undone = world.run("undo 1 --yes").exits_with(exit::STOPPED);
    undone.prints("Run it backward.");
}

#[test]
fn directories_are_found_in_any_case() {
    let world = small_world(BOTH).with(|world| {
        let payload = world.at("KB100001");
        fs::rename(payload.join("Server"), payload.join("SERVER")).expect("renamed");
        fs::rename(payload.join("SERVER/Update"), payload.join("SERVER/update")).expect("renamed");
    });
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert!(world.live("Share/Provider.msi").exists());
}

#[test]
fn a_missing_directory_is_reported_for_each_file() {
    assert_refused(
        |payload| fs::remove_dir_all(payload.join("Server")).expect("removed"),
        &[
            "`Server/Update/Provider.msi` is missing from the payload",
            "`Server/Read me.txt` is missing from the payload",
        ],
    );
}

#[test]
fn a_file_outside_of_its_directory_is_missing() {
    let flatten = |payload: &Path| {
        fs::rename(payload.join("x64/Setup.msi"), payload.join("Setup.msi")).expect("renamed");
    };
    assert_refused(flatten, &["`x64/Setup.msi` is missing from the payload"]);
}

#[test]
fn a_link_in_place_of_a_directory_is_not_followed() {
    for at in ["x64", "Server/Update"] {
        let words = format!("`{at}` is a symbolic link, not a directory");
        let link = |payload: &Path| {
            let elsewhere = payload.with_file_name("elsewhere");
            fs::rename(payload.join(at), &elsewhere)
                .and_then(|()| symlink(&elsewhere, payload.join(at)))
                .expect("linked");
        };
        assert_refused(link, &[&words]);
    }
}

#[test]
fn a_link_in_place_of_a_file_in_a_directory_is_not_followed() {
    let link = |payload: &Path| {
        let at = payload.join("x64/Setup.msi");
        fs::rename(&at, payload.join("x64/other.msi"))
            .and_then(|()| symlink("other.msi", &at))
            .expect("linked");
    };
    let words = "`x64/Setup.msi` in the payload cannot be used: it is a symbolic link, not a file";
    // `pin` has its own words.
    let world = small_world(BOTH).with(|world| link(&world.at("KB100001")));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints(words);
    world
        .run("pin small.toml -p KB100001")
        .exits_with(exit::MISMATCH)
        .prints("`x64/Setup.msi` cannot be pinned: it is a symbolic link, not a file");
}

#[test]
fn anything_but_a_directory_on_the_way_to_a_file_is_refused() {
    let file = |payload: &Path| {
        fs::remove_dir_all(payload.join("x64"))
            .and_then(|()| fs::write(payload.join("x64"), "a file"))
            .expect("written");
    };
    assert_refused(file, &["`x64` is a file, not a directory"]);
    let fifo = |payload: &Path| {
        fs::remove_dir_all(payload.join("x64")).expect("removed");
        let mode = Mode::from_raw_mode(0o600);
        mknodat(CWD, payload.join("x64"), FileType::Fifo, mode, 0).expect("made");
    };
    assert_refused(fifo, &["`x64` is a FIFO, not a directory"]);
}

#[test]
fn names_that_differ_only_in_case_are_refused_at_every_level() {
    let top = |payload: &Path| fs::create_dir(payload.join("X64")).expect("made");
    assert_refused(top, &["`X64` and `x64` in the payload differ only in case"]);
    let below = |payload: &Path| fs::create_dir(payload.join("Server/UPDATE")).expect("made");
    assert_refused(
        below,
        &["`Server/UPDATE` and `Server/Update` in the payload differ only in case"],
    );
    let file = |payload: &Path| fs::write(payload.join("x64/SETUP.msi"), "").expect("written");
    assert_refused(
        file,
        &["`x64/SETUP.msi` and `x64/Setup.msi` in the payload differ only in case"],
    );
}

#[test]
fn a_name_that_is_not_utf8_is_refused_at_every_level() {
    for directory in ["", "x64", "Server/Update"] {
        let write = |payload: &Path| {
            let name = OsStr::from_bytes(b"caf\xe9.txt");
            fs::write(payload.join(directory).join(name), "").expect("written");
        };
        assert_refused(
            write,
            &["in the payload cannot be used: its name is not UTF-8"],
        );
    }
}

#[test]
fn only_directories_of_the_table_are_read() {
    let world = small_world(BOTH).with(|world| {
        let payload = world.at("KB100001");
        fs::write(payload.join("x64/notes.txt"), "").expect("written");
        fs::create_dir_all(payload.join("Symbols/x64")).expect("made");
        fs::write(payload.join("Symbols/one.pdb"), "").expect("written");
        fs::write(payload.join("Symbols/ONE.pdb"), "").expect("written");
    });
    let ran = world
        .run("validate small.toml -p KB100001")
        .exits_with(exit::OK);
    ran.prints("note[RU0709]: `x64/notes.txt` is in the payload, but not in the file table")
        .prints("note[RU0709]: `Symbols` is in the payload, but not in the file table")
        .does_not_print("pdb");
    world.run(APPLY_SMALL).exits_with(exit::OK);
}

#[test]
fn a_cabinet_is_looked_for_beside_its_package() {
    let steps = "[[steps]]\nid = \"run\"\naction = \"run\"\non = \"engine\"\nfiles = [\"x64/Setup.msi\"]\n\
                 [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"x64/!files.cab\"]\n\
                 [payload]\nfiles = [{ name = \"x64/Setup.msi\", size = 32768 }, { name = \"x64/!files.cab\" }]\n";
    let world = small_world(steps).with(|world| {
        // Moves the cabinet out of the package: `#` marks the name of one inside.
        let at = world.at("KB100001/x64/Setup.msi");
        let mut package = fs::read(&at).expect("a package");
        let find = |bytes: &[u8]| {
            let mut windows = package.windows(bytes.len());
            windows.position(|window| window == bytes).expect("found")
        };
        let (name, start) = (find(b"#files.cab"), find(b"MSCF"));
        let length = package[start + 8..start + 12]
            .try_into()
            .expect("four bytes");
        let end = start + u32::from_le_bytes(length) as usize;
        fs::write(world.at("KB100001/x64/!files.cab"), &package[start..end]).expect("written");
        package[name] = b'!';
        fs::write(&at, &package).expect("written");
    });
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    assert!(
        world
            .live("Servers/ENG01/Programs/Setup (x64)/files")
            .exists()
    );
    world.run("undo 1 --yes").exits_with(exit::OK);
    // A cabinet of this name elsewhere in the payload is another file.
    fs::rename(
        world.at("KB100001/x64/!files.cab"),
        world.at("KB100001/!files.cab"),
    )
    .expect("renamed");
    world
        .run("plan small.toml")
        .exits_with(exit::MISMATCH)
        .prints("`x64/Setup.msi` cannot be installed from")
        .prints("!files.cab");
}

#[test]
fn two_files_at_one_path_of_the_share_are_refused() {
    let share = "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\n";
    let names = ["x86/Setup.txt", "x64/SETUP.txt"];
    let one_step = format!("{share}files = [\"x86/Setup.txt\", \"x64/SETUP.txt\"]\n");
    let rest = format!("{share}others = true\n");
    for steps in [&one_step, &rest] {
        let world = faulty_world(&with_table(steps, &names));
        let ran = world.run("validate small.toml").exits_with(exit::INVALID);
        ran.prints("error[RU0315]: `x64/SETUP.txt` would replace `x86/Setup.txt`, which this step copies to the same path");
        world.run("plan small.toml").exits_with(exit::INVALID);
    }
}

#[test]
fn two_files_at_one_path_of_a_server_are_refused() {
    let names = ["x86/Setup.txt", "x64/Setup.txt"];
    let same_role = copy("one", "web", names[0]) + &copy("two", "web", names[1]);
    faulty_world(&with_table(&same_role, &names))
        .run("validate small.toml")
        .exits_with(exit::INVALID)
        .prints("error[RU0315]: `x64/Setup.txt` would replace `x86/Setup.txt`, which the step `one` copies to the same path");
    let two_roles = copy("one", "web", names[0]) + &copy("two", "engine", names[1]);
    let two_roles = with_table(&two_roles, &names);
    small_world(&two_roles)
        .run(APPLY_SMALL)
        .exits_with(exit::OK);
    // Only the deployment shows that a server holds both roles.
    let site = SMALL.replace("roles = [\"web\"]", "roles = [\"web\", \"engine\"]");
    let world = World::with_site(&site).manifest("small", &small("KB100001", &two_roles));
    world.run("validate small.toml").exits_with(exit::OK);
    let words = "`x64/Setup.txt` would replace `x86/Setup.txt`, which the step `one` copies to the same path on `WEB01`";
    world
        .run("validate small.toml -d deployment")
        .exits_with(exit::INVALID)
        .prints(words);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::INVALID)
        .prints(words)
        .nothing_was_touched();
}

#[test]
fn one_file_copied_to_several_places_is_not_a_conflict() {
    let names = ["x86/Setup.txt", "x64/Setup.txt"];
    let steps = copy("one", "web", names[0])
        + &copy("two", "web", names[1]).replace("\"Tools\"", "\"Tools/x64\"");
    let world = small_world(&with_table(&steps, &names));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let read = |at| fs::read(world.live(at)).expect("a copy");
    assert_eq!(
        read("Servers/WEB01/Files/Tools/Setup.txt"),
        payload(&world, names[0])
    );
    assert_eq!(
        read("Servers/WEB01/Files/Tools/x64/Setup.txt"),
        payload(&world, names[1])
    );
}

#[test]
fn a_directory_has_one_spelling_and_is_not_a_file() {
    let steps = copy("one", "web", "x64/One.txt");
    let world = faulty_world(&with_table(&steps, &["x64/One.txt", "X64/Two.txt"]));
    let ran = world.run("validate small.toml").exits_with(exit::INVALID);
    ran.prints("error[RU0108]: the directory `X64` is spelled `x64` on line");
    let world = faulty_world(&with_table(&steps, &["X64", "x64/One.txt"]));
    let ran = world.run("validate small.toml").exits_with(exit::INVALID);
    ran.prints("error[RU0108]: `x64` is a directory here, and a file on line");
}

#[test]
fn a_name_without_its_directories_is_not_guessed_among_several() {
    let steps = copy("one", "web", "Setup.txt");
    let world = faulty_world(&with_table(&steps, &["x64/Setup.txt"]));
    world
        .run("validate small.toml")
        .exits_with(exit::INVALID)
        .prints("did you mean `x64/Setup.txt`?");
    let names = ["x86/Setup.txt", "x64/Setup.txt"];
    for steps in [&steps, &copy("one", "web", "x32/Setup.txt")] {
        faulty_world(&with_table(steps, &names))
            .run("validate small.toml")
            .exits_with(exit::INVALID)
            .prints("the table has `x86/Setup.txt` and `x64/Setup.txt`")
            .does_not_print("did you mean")
            .does_not_print("RU0202");
    }
}

#[test]
fn names_that_leave_the_payload_are_refused() {
    for (name, why) in [
        ("../Setup.txt", "leads to another directory"),
        ("/Setup.txt", "has an empty part"),
        ("x64//Setup.txt", "has an empty part"),
        ("nul/Setup.txt", "is the name of a device"),
        ("x64 /Setup.txt", "drops a dot or a space"),
        ("x64\\\\Setup.txt", "a path has `/` between its parts"),
    ] {
        let steps = copy("one", "web", name);
        faulty_world(&with_table(&steps, &[name]))
            .run("validate small.toml")
            .exits_with(exit::INVALID)
            .prints("error[RU0107]")
            .prints(why);
    }
}

#[test]
fn another_directory_is_another_file_in_a_comparison_and_another_case_is_not() {
    let manifest = |directory: &str| {
        let name = format!("{directory}/Setup.txt");
        small(
            "KB100001",
            &with_table(&copy("one", "web", &name), &[&name]),
        )
    };
    let world = World::with_site(SMALL).with(|world| {
        for directory in ["x64", "X64", "x86"] {
            let at = world.at(&format!("{directory}.toml"));
            fs::write(at, manifest(directory)).expect("written");
        }
    });
    world.run("diff x64.toml x64.toml").exits_with(exit::OK);
    let spelled = world.run("diff x64.toml X64.toml --detailed-exitcode");
    let spelled = spelled.exits_with(exit::CHANGES);
    spelled.prints("X64/Setup.txt").does_not_print("removed");
    world
        .run("diff x64.toml x86.toml")
        .exits_with(exit::OK)
        .prints("x86/Setup.txt");
}

#[test]
fn a_rehearsal_builds_the_directories() {
    let world = small_world(BOTH);
    fs::remove_dir_all(world.at("KB100001")).expect("removed");
    world
        .run("rehearse small.toml -d deployment/deployment.toml --lab lab")
        .exits_with(exit::OK);
    for file in ["x86/Setup.msi", "x64/Setup.msi", "Server/Read me.txt"] {
        assert!(world.at("lab/payload").join(file).is_file(), "{file}");
    }
    world
        .run("rehearse small.toml -d deployment/deployment.toml --lab lab --replace")
        .exits_with(exit::OK);
}

#[test]
fn an_article_names_the_files_with_or_without_their_directories() {
    let steps = copy("one", "web", "x86/Setup.txt") + &copy("two", "engine", "x64/Setup.txt");
    let table = with_table(&steps, &["x86/Setup.txt", "x64/Setup.txt"]);
    let table = table.replace(
        "x64/Setup.txt\", size = 1024",
        "x64/Setup.txt\", size = 2048",
    );
    let article = |rows: &str| {
        let world = faulty_world(&table);
        let text = format!("Article ID: 100001\nFile name File size\n{rows}");
        fs::write(world.at("article.txt"), text).expect("written");
        world
    };
    let validate = "validate small.toml --article article.txt";
    for rows in [
        "Setup.txt 1,024\nSetup.txt 2,048\n",
        "x86\\Setup.txt 1,024\nx64\\Setup.txt 2,048\n",
        "x86/Setup.txt 1,024\nx64/Setup.txt 2,048\n",
    ] {
        let world = article(rows);
        let ran = world.run(validate).exits_with(exit::OK);
        ran.does_not_print("RU080");
    }
    let world = article("x86\\Setup.txt 1,024\nx64\\Setup.txt 2,084\nx64\\Other.txt 3,072\n");
    let ran = world.run(validate).exits_with(exit::INVALID);
    ran.prints("`size` of `x64/Setup.txt` is 2048, but")
        .prints("Other.txt` is missing, but the article has it");
}
