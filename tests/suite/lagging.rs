//! What lags behind an applied rollup, and runs that only catch up.

use std::path::Path;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

/// Steps that update the web service on its servers, and copy a tool there.
const UPDATE_SITE: &str = r#"
[[steps]]
id = "remove"
action = "uninstall"
items."Web" = ["Site"]
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Site.msi"]
[[steps]]
id = "install"
action = "install"
removed_by = "remove"
[[steps]]
id = "tool"
action = "copy"
to = "Tools"
on = "web"
files = ["Tool.txt"]
[[steps]]
id = "check"
action = "manual"
instructions = "Open the site."
undo = "Close it."
optional = true
on = "web"
[[steps]]
id = "inform"
action = "manual"
instructions = "Inform everyone."
undo = "Inform everyone."
optional = true
[[steps]]
id = "restart"
action = "restart"
service = "IIS"
[payload]
files = [{ name = "Site.msi" }, { name = "Tool.txt" }]
"#;

/// Server of the small site, and a second one with the same role.
const ONE: &str = "{ name = \"WEB01\", roles = [\"web\"] },";
const TWO: &str =
    "{ name = \"WEB01\", roles = [\"web\"] },\n  { name = \"WEB02\", roles = [\"web\"] },";

/// Returns a world with two web servers, of which the second one lost its role while the rollup was
/// applied, and has it again.
fn came_back() -> World {
    let world = World::with_site(&SMALL.replace(ONE, TWO))
        .manifest("small", &small("KB100001", UPDATE_SITE));
    let whole = world.read("deployment.toml");
    let without = whole.replace(
        "{ name = \"WEB02\", roles = [\"web\"] }",
        "{ name = \"WEB02\" }",
    );
    let world = world.write_file("deployment.toml", without);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.write_file("deployment.toml", whole)
}

fn version(world: &World, server: &str) -> String {
    let record = world.read(&format!("Web/Site/{server}/state.toml"));
    let record: toml::Table = record.parse().expect("a record");
    record["version"].as_str().expect("a version").to_owned()
}

#[test]
fn a_server_that_was_away_lags_and_only_it_is_caught_up() {
    let world = came_back();
    for command in ["status", "verify"] {
        world
            .run(command)
            .prints("server WEB02 lags behind KB100001, which did not cover it");
    }
    world.run("verify").exits_with(exit::MISMATCH);
    let document = world.run("verify --format json").json();
    assert_eq!(document["lagging"].as_array().map(Vec::len), Some(1));
    let document = world.run("status --format json").json();
    assert_eq!(document["lagging"].as_array().map(Vec::len), Some(1));
    world
        .run("plan small.toml --detailed-exitcode")
        .exits_with(exit::CHANGES)
        .prints("this run only catches up")
        .prints("Site on WEB02");

    // Of what the page says was checked, the rest holds for a rollup that is not applied.
    world
        .run("plan small.toml --format html")
        .exits_with(exit::OK)
        .prints("<li>The rollup is for this product and version.</li>");
    let first = Listing::of(&world.live("Web/Site/WEB01"));
    let before = world.read("applied/KB100001.toml");
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.prints("Open the site.")
        .prints("restarted IIS on WEB02")
        .does_not_print("Inform everyone.")
        .does_not_print("WEB01");
    first.assert_same(&Listing::of(&world.live("Web/Site/WEB01")));
    assert_eq!(version(&world, "WEB02"), version(&world, "WEB01"));
    assert!(world.live("Servers/WEB02/Files/Tools/Tool.txt").exists());
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    // The run that caught up is undone first; the rollup stays applied by the other one.
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("undo run 0002-KB100001 first")
        .tree_is_unchanged();
    world
        .run("undo KB100001 --yes")
        .exits_with(exit::OK)
        .prints("KB100001 stays applied, by run 0001-KB100001");
    assert_eq!(world.read("applied/KB100001.toml"), before);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("server WEB02 lags");
}

#[test]
fn a_server_without_the_item_is_covered_by_a_run_that_installs_nothing_there() {
    let world = came_back().remove("Web/Site/WEB02");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert!(!world.live("Web/Site/WEB02").exists());
    let record: toml::Table = world.read("applied/KB100001.toml").parse().expect("TOML");
    let names = |value: &toml::Value| {
        let names = value.as_array().expect("names").iter();
        names
            .map(|name| name.as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&record["servers"]["web"]), ["WEB01", "WEB02"]);
    assert_eq!(names(&record["items"]["Site"]["servers"]), ["WEB01"]);
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn steps_skip_a_server_that_is_offline_and_it_lags_afterwards() {
    let offline = TWO.replace(
        "[\"web\"] },\n  { name = \"WEB02\", roles = [\"web\"]",
        "[\"web\"] },\n  { name = \"WEB02\", roles = [\"web\"], offline = true",
    );
    let world = World::with_site(&SMALL.replace(ONE, TWO))
        .manifest("small", &small("KB100001", UPDATE_SITE))
        .edit("deployment/deployment.toml", TWO, &offline);
    let before = version(&world, "WEB02");
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.prints("server WEB02 is offline: this run leaves it out, and it lags afterwards")
        .does_not_print("on WEB02");
    assert_eq!(version(&world, "WEB02"), before);
    world.run("verify").exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("offline: server WEB02")
        .does_not_print("lags");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
    let world = world.edit("deployment/deployment.toml", ", offline = true", "");
    world.run("verify").exits_with(exit::MISMATCH);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(version(&world, "WEB02"), version(&world, "WEB01"));
    // What the run changed there cannot be rolled back while the server is away.
    let world = world.edit("deployment/deployment.toml", TWO, &offline);
    world
        .run("undo 2 --yes")
        .exits_with(exit::NOT_READY)
        .prints("run 0002-KB100001 changed server WEB02, which is offline")
        .tree_is_unchanged();
    world
        .run("history 2")
        .exits_with(exit::OK)
        .prints("cannot be undone: run 0002-KB100001 changed server WEB02, which is offline");
}

#[test]
fn an_offline_server_does_not_count_for_prerequisites() {
    let prerequisite =
        "[[prerequisites]]\nproduct = \"Database\"\nservice_pack = 2\non = \"engine\"\n";
    let world = small_world(&format!("{prerequisite}{UPDATE_PROVIDER}"));
    world
        .run("plan small.toml")
        .exits_with(exit::NOT_READY)
        .prints("`Database` is required on ENG02");
    let world = world.edit(
        "deployment/deployment.toml",
        "platform = \"x64\" }",
        "platform = \"x64\", offline = true }",
    );
    world.run("plan small.toml").exits_with(exit::OK);
}

#[test]
fn what_is_missing_is_brought_again_and_what_was_changed_is_not_overwritten() {
    for (path, named) in [
        (
            "Web/Site/WEB01",
            "`Site on WEB01` lags behind KB100001: it is not installed",
        ),
        (
            "Servers/WEB01/Files/Tools/Tool.txt",
            "`Tool.txt on WEB01` lags behind KB100001: it is missing",
        ),
        (
            "Share/Site.msi",
            "`Share/Site.msi` lags behind KB100001: it is missing",
        ),
    ] {
        let world = small_world(UPDATE_SITE);
        world.run(APPLY_SMALL).exits_with(exit::OK);
        let after = Listing::of(&world.deployment()).without_times();
        let world = world.remove(path);
        world.run("verify").exits_with(exit::MISMATCH).prints(named);
        world
            .run("plan small.toml")
            .exits_with(exit::OK)
            .prints(named);
        world.run(APPLY_SMALL).exits_with(exit::OK);
        let elsewhere = |path: &Path| !path.starts_with(".rollup");
        after.only(elsewhere).assert_same(
            &Listing::of(&world.deployment())
                .without_times()
                .only(elsewhere),
        );
        world.run("verify").exits_with(exit::OK);
    }
    let world = small_world(UPDATE_SITE);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.write_file("Servers/WEB01/Files/Tools/Tool.txt", "a hotfix");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints("Tool.txt` has")
        .tree_is_unchanged();
}

#[test]
fn what_was_accepted_as_missing_does_not_lag() {
    let world = small_world(UPDATE_SITE);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.remove("Servers/WEB01/Files/Tools/Tool.txt");
    world
        .run("accept --yes --reason 'not wanted'")
        .exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn only_the_newest_run_counts_for_what_it_brought() {
    let world = came_back();
    let second = UPDATE_SITE.replace("id = \"tool\"", "id = \"second-tool\"");
    let second = format!("includes = [\"KB100001\"]\n{second}");
    let world = world.manifest("second", &small("KB100002", &second));
    // The second rollup covers both servers, and includes the first one.
    world.run("apply second.toml --yes").exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_APPLICABLE)
        .prints("KB100001 is superseded: KB100002 is applied and includes it");
    world.run("undo KB100002 --yes").exits_with(exit::OK);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("server WEB02 lags behind KB100001");
}

#[test]
fn a_superseded_rollup_catches_up_with_what_no_later_one_brought() {
    let world = small_world(UPDATE_SITE);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let second = format!("replaces = [\"KB100001\"]\n{UPDATE_PROVIDER}");
    let world = world.manifest("second", &small("KB100002", &second));
    world.run("apply second.toml --yes").exits_with(exit::OK);
    world.run(APPLY_SMALL).exits_with(exit::NOT_APPLICABLE);
    let record = world.read("applied/KB100001.toml");
    let world = world.remove("Servers/WEB01/Files/Tools/Tool.txt");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("copied 1 file");
    assert_eq!(world.read("applied/KB100001.toml"), record);
    world.run("verify").exits_with(exit::OK);
    world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .prints("undo run 0003-KB100001 first");
}

#[test]
fn catching_up_takes_the_manifest_that_was_applied() {
    let world = came_back();
    let text = world.read("../small.toml");
    // Comments, line ends and the order of keys say nothing.
    let same = format!("# reviewed\r\n{}", text.replace('\n', "\r\n"));
    let world = world.write_file("../small.toml", same);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("only catches up");
    let other = text.replace("Open the site.", "Open the site twice.");
    let world = world.write_file("../small.toml", other);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints("says something else than the one that was applied")
        .tree_is_unchanged();
}

#[test]
fn directories_of_no_instance_are_named() {
    let world = came_back().edit("deployment/deployment.toml", TWO, ONE);
    for command in ["status", "verify"] {
        let ran = world.run(command).exits_with(exit::OK);
        ran.prints("`Web/Site/WEB02` belongs to no server or instance")
            .prints("`Servers/WEB02` belongs to no server or instance");
    }
    // An item that moved, or that the console no longer has, is not where its record is.
    let world = small_world(UPDATE_SITE).edit(
        "deployment/deployment.toml",
        "path = \"Web\"",
        "path = \"Pages\"",
    );
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("`Web/Site/WEB01` belongs to no server or instance");
}

#[test]
fn an_installed_item_without_what_it_requires_is_a_difference() {
    let world = small_world(UPDATE_SITE).remove("Things/Namespace");
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.prints("`Site on WEB01` requires `Namespace`, which is not installed")
        .prints("1 difference");
    let document = world.run("verify --format json").json();
    assert_eq!(document["lacking"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_role_of_which_no_server_was_there_lags() {
    let offline = ONE.replace("[\"web\"] }", "[\"web\"], offline = true }");
    let world = small_world(UPDATE_SITE).edit("deployment/deployment.toml", ONE, &offline);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
    let world = world.edit("deployment/deployment.toml", ", offline = true", "");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("server WEB01 lags behind KB100001");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("installed");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_run_that_catches_up_brings_nothing_but_what_was_recorded() {
    let old = small_world(UPDATE_SITE);
    let bytes = std::fs::read(old.live("Share/Site.msi")).expect("an installer");
    let world = came_back();
    let record = world.read("applied/KB100001.toml");
    std::fs::write(world.live("Share/Site.msi"), bytes).expect("written");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints("`Site` would be another one than the one that KB100001 brought")
        .tree_is_unchanged();
    assert_eq!(world.read("applied/KB100001.toml"), record);
}

#[test]
fn a_run_that_would_leave_something_behind_does_not_catch_up() {
    let world = small_world(UPDATE_SITE);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let newer = UPDATE_SITE.replace("Tool.txt", "Other.txt");
    let newer = format!("[article]\nrevision = \"2.0\"\n{newer}");
    let world = world.manifest("newer", &small("KB100001", &newer));
    world
        .run("accept --applied newer.toml --yes --reason 'by hand'")
        .exits_with(exit::OK);
    let world = world.remove("Servers/WEB01/Files/Tools/Tool.txt");
    world
        .run("plan newer.toml")
        .exits_with(exit::NOT_READY)
        .prints("and no step of this manifest changes that");
}

#[test]
fn a_server_lags_in_the_role_in_which_it_was_not_covered() {
    let world = small_world(&format!(
        "{}{}",
        UPDATE_SITE.split("[payload]").next().expect("steps"),
        "[[steps]]\nid = \"engines\"\naction = \"copy\"\nto = \"Engine\"\non = \"engine\"\nfiles = [\"Tool.txt\"]\n\
         [payload]\nfiles = [{ name = \"Site.msi\" }, { name = \"Tool.txt\" }]\n"
    ));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let both = ONE.replace("[\"web\"]", "[\"web\", \"engine\"]");
    let world = world.edit("deployment/deployment.toml", ONE, &both);
    let ran = world.run("plan small.toml").exits_with(exit::OK);
    ran.prints("server WEB01 lags behind KB100001")
        .prints("1 operation in")
        .does_not_print("Site on WEB01");
}

#[test]
fn a_renamed_role_and_a_server_in_another_case_are_the_same() {
    let world = came_back()
        .edit(
            "deployment/deployment.toml",
            "{ name = \"web\" }",
            "{ name = \"pages\", aliases = [\"web\"] }",
        )
        .edit("deployment/deployment.toml", "\"WEB01\"", "\"web01\"");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
    let record: toml::Table = world.read("applied/KB100001.toml").parse().expect("TOML");
    let servers = record["servers"].as_table().expect("a table");
    assert_eq!(servers.keys().collect::<Vec<_>>(), ["pages"]);
    assert_eq!(servers["pages"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_service_that_a_later_rollup_stopped_is_not_started_by_a_catch_up() {
    let world = small_world(UPDATE_SITE);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let stop =
        "[[steps]]\nid = \"stop\"\naction = \"stop\"\nservice = \"IIS\"\n[payload]\nfiles = []\n";
    let world = world.manifest("second", &small("KB100002", stop));
    world.run("apply second.toml --yes").exits_with(exit::OK);
    let world = world.remove("Servers/WEB01/Files/Tools/Tool.txt");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let record = world.read("Servers/WEB01/Services/IIS.toml");
    assert!(record.contains("running = false"), "{record}");
    world.run("undo KB100002 --yes").exits_with(exit::OK);
}

#[test]
fn an_included_rollup_lags_where_neither_record_covers_the_server() {
    let world = came_back();
    let engines = "includes = [\"KB100001\"]\n[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\n\
                   on = \"engine\"\nfiles = [\"Tool.txt\"]\n[payload]\nfiles = [{ name = \"Tool.txt\" }]\n";
    let world = world.manifest("second", &small("KB100002", engines));
    world.run("apply second.toml --yes").exits_with(exit::OK);
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("server WEB02 lags behind KB100001");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_catch_up_that_was_closed_unfinished_is_made_up_for() {
    let world = came_back();
    world
        .run("apply small.toml --yes --stop-before install")
        .exits_with(exit::STOPPED);
    world
        .run("accept --yes --reason 'power was lost'")
        .exits_with(exit::OK);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(version(&world, "WEB02"), version(&world, "WEB01"));
    world.run("verify").exits_with(exit::OK);
}
