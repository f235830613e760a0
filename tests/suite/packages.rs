//! Installer packages in plans, runs, checks and `inspect`: features, unreadable ones that are only
//! copied, and what is known of any file.

use std::fs;

use rollup::rehearse::SAMPLE;

use crate::world::{World, exit};

/// Deployment with one item, which asks for a feature that its package has off.
const SITE: &str = "schema = 1\nname = \"small\"\nproduct = \"P\"\nproduct_version = \"1.0\"\nshare = \"S\"\n\
    roles = [{ name = \"r\" }]\nservers = [{ name = \"A\", roles = [\"r\"] }]\n\
    [[groups]]\npath = \"G\"\nitems = [{ name = \"Item\", installer = \"item.msi\", features = [\"Tools\"] }]\n";

/// Rollup that replaces the item.
const REPLACE: &str = "schema = 1\n[rollup]\nkb = \"KB900001\"\ntitle = \"Item\"\nproduct = \"P\"\nproduct_versions = [\"1.0\"]\n\
    [[steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"G\" = [\"Item\"]\n\
    [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"item.msi\"]\n\
    [[steps]]\nid = \"in\"\naction = \"install\"\nremoved_by = \"out\"\n\
    [payload]\nfiles = [{ name = \"item.msi\" }]\n";

/// Rollup that copies a file to the servers.
const COPY: &str = "schema = 1\n[rollup]\nkb = \"KB900002\"\ntitle = \"Tool\"\nproduct = \"P\"\nproduct_versions = [\"1.0\"]\n\
    [[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"r\"\nfiles = [\"tool.msi\"]\n\
    [payload]\nfiles = [{ name = \"tool.msi\" }]\n";

const FEATURE_FILE: &str = "G/Item/files/Program Files/Item/Tools/Tools.txt";

/// Replaces a file of a payload.
fn replace(world: &World, file: &str, text: &str) {
    fs::write(world.at(file), text).expect("written");
}

#[test]
fn an_item_gets_the_features_that_it_asks_for() {
    let world = World::with_site(SITE).manifest("item", REPLACE);
    assert!(world.live(FEATURE_FILE).exists());
    world.run("apply item.toml --yes").exits_with(exit::OK);
    assert!(world.read(FEATURE_FILE).contains("4.0.300"));
    let record = world.read("G/Item/state.toml");
    assert!(record.contains("features = [\"Tools\"]"), "{record}");
    world.run("verify").exits_with(exit::OK);
    world.run("undo last --yes").exits_with(exit::OK);
    assert!(world.read(FEATURE_FILE).contains("4.0.200"));
    // The same package without the feature is another installation.
    let world = world.edit("deployment/deployment.toml", ", features = [\"Tools\"]", "");
    world.run("apply item.toml --yes").exits_with(exit::OK);
    assert!(!world.live(FEATURE_FILE).exists());
    assert!(!world.read("G/Item/state.toml").contains("features"));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn the_same_package_with_other_features_is_not_nothing_to_do() {
    let install = REPLACE
        .replace("removed_by = \"out\"", "items.\"G\" = [\"Item\"]")
        .replace(
            "[[steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"G\" = [\"Item\"]\n",
            "",
        );
    let world = World::with_site(SITE).manifest("item", &install);
    world.run("apply item.toml --yes").exits_with(exit::OK);
    world
        .run("plan item.toml --reapply")
        .exits_with(exit::OK)
        .prints("of the same package is installed");
    let world = world.edit("deployment/deployment.toml", ", features = [\"Tools\"]", "");
    world
        .run("plan item.toml --reapply")
        .exits_with(exit::OK)
        .does_not_print("of the same package is installed");
}

#[test]
fn a_feature_that_the_package_lacks_is_refused() {
    let world = World::with_site(SITE).manifest("item", REPLACE).edit(
        "deployment/deployment.toml",
        "\"Tools\"",
        "\"Docs\"",
    );
    world
        .run("plan item.toml")
        .exits_with(exit::MISMATCH)
        .prints("`item.msi` cannot be installed from: the package has no feature `Docs`; it has Tools, Complete")
        .tree_is_unchanged();
}

#[test]
fn an_installer_that_is_only_copied_need_not_be_readable() {
    let world = World::with_site(SITE)
        .manifest("tool", COPY)
        .with(|world| replace(world, "KB900002/tool.msi", "of another kind"));
    let warning =
        "`tool.msi` is only copied, and cannot be installed: it is a file of an unknown kind";
    for command in [
        "validate tool.toml -d deployment -p KB900002",
        "plan tool.toml",
        "pin tool.toml",
        "apply tool.toml --yes",
    ] {
        world.run(command).exits_with(exit::OK).prints(warning);
    }
    assert_eq!(
        world.read("Servers/A/Files/Tools/tool.msi"),
        "of another kind"
    );
    // One finding for one file.
    let findings = world.run("validate tool.toml -d deployment -p KB900002 --format json");
    let findings = findings.exits_with(exit::OK).json();
    let about = findings["findings"].as_array().expect("findings").iter();
    let about = about.filter(|finding| finding["message"].to_string().contains("tool.msi"));
    assert_eq!(about.count(), 1, "{findings}");
}

#[test]
fn an_installer_of_an_item_has_to_be_readable() {
    let world = World::with_site(SITE)
        .manifest("item", REPLACE)
        .with(|world| replace(world, "KB900001/item.msi", "<!doctype html>"));
    world
        .run("plan item.toml")
        .exits_with(exit::MISMATCH)
        .prints("`item.msi` is not an installer: it is an HTML page")
        .tree_is_unchanged();
}

#[test]
fn inspect_keeps_what_it_knows_of_each_file() {
    let world = World::with_deployment();
    let package = fs::read(world.at("KB952076/Hostedemail2007ns.msi")).expect("a package");
    let at = package.windows(4).position(|window| window == b"MSCF");
    let mut broken = package.clone();
    broken[at.expect("a cabinet") + 3] = b'X';
    fs::write(world.at("broken.msi"), broken).expect("written");
    let files = "KB952076/Hostedemail2007ns.msi missing.msi broken.msi";
    let document = world
        .run(&format!("inspect {files} --format json"))
        .exits_with(exit::INVALID)
        .json();
    let [whole, missing, broken] = &document["files"].as_array().expect("files")[..] else {
        panic!("{document}");
    };
    assert!(
        missing["error"].to_string().contains("no file"),
        "{missing}"
    );
    assert_eq!(whole["package"]["identity"], broken["package"]["identity"]);
    let paths = |file: &serde_json::Value| {
        let files = file["package"]["files"].as_array().expect("files").iter();
        files.map(|file| file["path"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(paths(whole), paths(broken));
    assert!(broken["package"]["files"][0]["sha256"].is_null());
    assert!(
        broken["error"].to_string().contains("is damaged"),
        "{broken}"
    );
    world
        .run("inspect KB952076/Hostedemail2007ns.msi missing.msi KB952076/Hostedemail2007ws.msi")
        .exits_with(exit::NO_INPUT)
        .prints("Exchange 2007 Hosted Email")
        .prints("Hosted Email 2007 Web Service")
        .prints("2 of 3 packages can be installed");
}

#[test]
fn the_packages_of_a_second_rehearsal_have_higher_versions() {
    let world = World::with_site(SITE);
    for (name, kb) in [("one", "KB900001"), ("two", "KB900003")] {
        fs::write(
            world.at(&format!("{name}.toml")),
            REPLACE.replace("KB900001", kb),
        )
        .expect("written");
    }
    fs::write(world.at("site.toml"), SITE).expect("written");
    world
        .run("rehearse one.toml -d site.toml --lab lab1")
        .exits_with(exit::OK);
    world
        .run("rehearse two.toml -d lab1/deployment --lab lab2")
        .exits_with(exit::OK);
    let record = |lab: &str| {
        let at = world.at(&format!("{lab}/deployment/G/Item/state.toml"));
        fs::read_to_string(at).expect("a record")
    };
    assert!(record("lab1").contains("version = \"4.0.300\""));
    assert!(record("lab2").contains("version = \"4.0.301\""));
    // The sample describes items without features, whose packages are the same everywhere.
    assert!(!SAMPLE.contains("features"));
}

#[test]
fn a_run_step_gets_the_features_that_it_asks_for() {
    let run = "schema = 1\n[rollup]\nkb = \"KB900004\"\ntitle = \"Tool\"\nproduct = \"P\"\nproduct_versions = [\"1.0\"]\n\
        [[steps]]\nid = \"run\"\naction = \"run\"\non = \"r\"\nfiles = [\"tool.msi\"]\nfeatures = [\"Extra\"]\n\
        [payload]\nfiles = [{ name = \"tool.msi\" }]\n";
    let world = World::with_site(SITE).manifest("tool", run);
    world.run("apply tool.toml --yes").exits_with(exit::OK);
    let programs = "Servers/A/Programs/tool";
    world.read(&format!(
        "{programs}/files/Program Files/tool/Extra/Extra.txt"
    ));
    let record = world.read(&format!("{programs}/state.toml"));
    assert!(record.contains("features = [\"Extra\"]"), "{record}");
    world.run("verify").exits_with(exit::OK);
    // A feature that the package lacks is found with the payload alone.
    let world = world.edit("tool.toml", "\"Extra\"", "\"Docs\"");
    world
        .run("validate tool.toml -p KB900004")
        .exits_with(exit::INVALID)
        .prints("RU0705")
        .prints("the package has no feature `Docs`; it has Extra, Complete");
}
