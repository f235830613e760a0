//! Commands about the files of a payload: `inspect` and `pin`.

use std::fs;

use crate::world::{KB952076, World, exit};

#[test]
fn inspect_describes_an_installer() {
    let world = World::with_deployment();
    let ran = world
        .run("inspect KB952076/Hostedemail2007ns.msi")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("product Exchange 2007 Hosted Email")
        .prints("version 4.0.300")
        .prints("312,320 bytes")
        .prints("fc8152aa8f8cc464b35b7debb0620557e847496a90a85ebb8d9b5c63caccc504")
        .prints("Hostedemail2007ns.dll");
}

#[test]
fn inspect_prints_a_json_document() {
    let world = World::with_deployment();
    let ran = world
        .run("inspect --format json KB952076/Hostedemail2007ns.msi KB952076/Makegallinked.exe");
    let document = ran.exits_with(exit::INVALID).json();
    assert_eq!(
        (
            &document["schema"],
            &document["exit_code"],
            &document["changed"]
        ),
        (&1.into(), &65.into(), &false.into())
    );
    let [package, program] = &document["files"].as_array().expect("files")[..] else {
        panic!("{document}")
    };
    assert_eq!(package["size"], 312_320);
    assert_eq!(
        package["package"]["identity"]["product"],
        "Exchange 2007 Hosted Email"
    );
    assert_eq!(package["package"]["identity"]["version"], "4.0.300");
    let files = package["package"]["files"].as_array().expect("files");
    // A library, its description, a readme, and a file that fills the package to its documented
    // size.
    assert_eq!(files.len(), 4);
    for file in files {
        for key in ["path", "size", "sha256"] {
            assert!(!file[key].is_null(), "`{key}` is missing in {file}");
        }
    }
    assert!(
        program["error"].is_string() && program["package"].is_null(),
        "{program}"
    );
}

#[test]
fn inspect_explains_why_a_file_cannot_be_used() {
    let world = World::with_deployment();
    fs::write(world.at("page.msi"), "<html>")
        .and_then(|()| fs::write(world.at("empty.msi"), ""))
        .expect("written");
    let package = fs::read(world.at("KB952076/Hostedemail2007ns.msi")).expect("a package");
    fs::write(world.at("half.msi"), &package[..package.len() / 2]).expect("written");
    for file in ["page.msi", "empty.msi", "half.msi", "kb952076.toml"] {
        world
            .run(&format!("inspect {file}"))
            .exits_with(exit::INVALID)
            .prints("cannot be installed: ");
    }
    for path in ["nowhere.msi", "KB952076"] {
        world
            .run(&format!("inspect {path}"))
            .exits_with(exit::NO_INPUT)
            .prints(path);
    }
}

/// Returns the pins of a manifest, as text.
fn pins(text: &str) -> &str {
    text.split_once("[payload.sha256]")
        .map_or("", |(_, pins)| pins)
}

#[test]
fn pin_writes_only_the_pins() {
    let world = World::with_deployment().without_pins();
    let before = fs::read_to_string(world.at("kb952076.toml")).expect("a manifest");
    world
        .run("pin kb952076.toml")
        .exits_with(exit::OK)
        .prints("pinned 21 files in kb952076.toml")
        .nothing_was_touched();
    let after = fs::read_to_string(world.at("kb952076.toml")).expect("a manifest");
    assert_eq!(
        after.split("[payload.sha256]").next().map(str::trim_end),
        Some(before.trim_end())
    );
    assert_eq!(pins(&after).trim(), pins(KB952076).trim());
    assert!(!world.at("kb952076.toml.new").exists());
}

#[test]
fn pin_again_changes_nothing() {
    let world = World::with_deployment();
    let before = fs::metadata(world.at("kb952076.toml"))
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    world
        .run("pin kb952076.toml")
        .exits_with(exit::OK)
        .prints("nothing to do: 21 files are pinned already");
    assert_eq!(
        fs::read_to_string(world.at("kb952076.toml")).expect("a manifest"),
        KB952076
    );
    let after = fs::metadata(world.at("kb952076.toml"))
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    assert_eq!(before, after);
}

#[test]
fn pin_replaces_a_pin_on_its_line() {
    let pin = "fc8152aa8f8cc464b35b7debb0620557e847496a90a85ebb8d9b5c63caccc504";
    let world = World::with_deployment().edit("kb952076.toml", pin, &"ab".repeat(32));
    world.run("pin kb952076.toml").exits_with(exit::OK);
    assert_eq!(
        fs::read_to_string(world.at("kb952076.toml")).expect("a manifest"),
        KB952076
    );
}

#[test]
fn pin_keeps_the_mode_and_the_line_endings_of_the_manifest() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::with_deployment().without_pins();
    let crlf = fs::read_to_string(world.at("kb952076.toml"))
        .expect("a manifest")
        .replace('\n', "\r\n");
    fs::write(world.at("kb952076.toml"), &crlf).expect("written");
    fs::set_permissions(world.at("kb952076.toml"), fs::Permissions::from_mode(0o640))
        .expect("a mode");
    world.run("pin kb952076.toml").exits_with(exit::OK);
    let mode = fs::metadata(world.at("kb952076.toml"))
        .expect("a file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
    let after = fs::read_to_string(world.at("kb952076.toml")).expect("a manifest");
    let (before, _) = after.split_once("[payload.sha256]").expect("pins");
    assert_eq!(before.trim_end(), crlf.trim_end());
    world.run("apply kb952076.toml --yes").exits_with(exit::OK);
}

#[test]
fn pin_refuses_files_that_do_not_match_the_table() {
    let assert_refused = |world: World, words: &[&str]| {
        let before = fs::read_to_string(world.at("kb952076.toml")).expect("a manifest");
        let mut ran = world
            .run("pin kb952076.toml -d deployment")
            .exits_with(exit::MISMATCH)
            .nothing_was_touched();
        for words in words {
            ran = ran.prints(words);
        }
        ran.prints("now: this command changed nothing");
        assert_eq!(
            fs::read_to_string(world.at("kb952076.toml")).expect("a manifest"),
            before
        );
    };
    let world = || World::with_deployment().without_pins();
    assert_refused(
        world().swap_payload(
            "Hostedunifiedmessaging2007ws.msi",
            "Managedmobility2007ws.msi",
        ),
        &[
            "`Hostedunifiedmessaging2007ws.msi` should hold",
            "`Managedmobility2007ws.msi` should hold",
        ],
    );
    assert_refused(
        world().truncate_payload("HostedEmail2007NS.msi"),
        &["`Hostedemail2007ns.msi` is too short"],
    );
    assert_refused(
        world().remove_payload("HostedEmail2007NS.msi"),
        &["`Hostedemail2007ns.msi` is missing"],
    );
    // Also those that no step deploys.
    assert_refused(
        world().remove_payload("Makegallinked.exe"),
        &["`Makegallinked.exe` is missing"],
    );
    assert_refused(
        world().truncate_payload("Hmoabupdate.msi"),
        &["`Hmoabupdate.msi` is too short"],
    );
}
