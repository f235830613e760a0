//! Every action of the manifest's language, on real files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

/// No payload.
const NO_FILES: &str = "[payload]\nfiles = []\n";

/// A step about a service.
fn service_step(id: &str, action: &str, more: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\naction = \"{action}\"\nservice = \"Engine\"\n{more}\n")
}

/// A world whose manifest has only steps about the engine.
fn with_steps(steps: &[(&str, &str)]) -> World {
    let steps: String = steps
        .iter()
        .map(|(action, more)| service_step(&format!("do-{action}"), action, more))
        .collect();
    small_world(&format!("{steps}{NO_FILES}"))
}

/// The file of the engine on a server.
fn engine(server: &str) -> String {
    format!("Servers/{server}/Services/Engine.toml")
}

/// Running, enabled, starts.
fn state(world: &World, server: &str) -> (bool, bool, i64) {
    let record: toml::Table = world.read(&engine(server)).parse().expect("a record");
    let flag = |key: &str| record[key].as_bool().expect("a flag");
    (
        flag("running"),
        flag("enabled"),
        record["starts"].as_integer().expect("a number"),
    )
}

fn service(running: bool, enabled: bool, starts: u32) -> String {
    format!("schema = 1\nrunning = {running}\nenabled = {enabled}\nstarts = {starts}\n")
}

/// Kind, target and server of every operation of a plan.
fn operations(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().expect("steps").iter();
    let operations = steps.flat_map(|step| step["operations"].as_array().expect("operations"));
    let told = operations.map(|operation| {
        let text = |key: &str| operation[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("kind"), text("target"), text("server"))
    });
    told.collect()
}

/// The live paths of a plan's swaps, but for the level.
fn live(plan: &Value) -> Vec<&str> {
    let swaps = plan["swaps"].as_array().expect("swaps").iter();
    swaps
        .filter_map(|swap| swap["live"].as_str())
        .filter(|live| *live != "applied.toml")
        .collect()
}

#[test]
fn start_starts_what_is_stopped() {
    let world = with_steps(&[("start", "")]).put(&engine("ENG02"), service(false, true, 4));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("Engine on ENG01: it is running already")
        .says("started Engine on ENG02");
    assert_eq!(
        (state(&world, "ENG01"), state(&world, "ENG02")),
        ((true, true, 0), (true, true, 5))
    );
}

#[test]
fn stop_stops_what_runs() {
    let world = with_steps(&[("stop", "")]).put(&engine("ENG02"), service(false, true, 4));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("stopped Engine on ENG01");
    assert_eq!(
        (state(&world, "ENG01"), state(&world, "ENG02")),
        ((false, true, 0), (false, true, 4))
    );
}

#[test]
fn restart_is_two_swaps_and_one_where_the_service_was_stopped() {
    let world = with_steps(&[("restart", "")]).put(&engine("ENG02"), service(false, true, 4));
    let plan = world.plan("small.toml");
    assert_eq!(
        operations(&plan),
        [
            "stop Engine ENG01",
            "start Engine ENG01",
            "start Engine ENG02"
        ]
    );
    assert_eq!(
        live(&plan),
        [engine("ENG01"), engine("ENG01"), engine("ENG02")]
    );
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("restarted Engine on ENG01");
    assert_eq!(
        (state(&world, "ENG01"), state(&world, "ENG02")),
        ((true, true, 1), (true, true, 5))
    );
}

#[test]
fn disable_and_enable_say_whether_a_service_may_be_started() {
    let world = with_steps(&[("disable", "")]);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("disabled Engine on ENG01, ENG02");
    assert_eq!(state(&world, "ENG01"), (true, false, 0));
    let enable = format!("{}{NO_FILES}", service_step("enable", "enable", ""));
    let world = world.manifest("enable", &small("KB100002", &enable));
    world
        .run("apply enable.toml --yes")
        .exits_with(exit::OK)
        .says("enabled Engine on ENG01, ENG02");
    assert_eq!(state(&world, "ENG01"), (true, true, 0));
}

#[test]
fn a_disabled_service_is_not_started() {
    for (action, running) in [("start", false), ("restart", false), ("restart", true)] {
        let world = with_steps(&[(action, "")]).put(&engine("ENG02"), service(running, false, 0));
        let ran = world
            .run(APPLY_SMALL)
            .exits_with(exit::NOT_READY)
            .nothing_was_touched();
        ran.says(&format!(
            "step `do-{action}` starts `Engine on ENG02`, which is disabled"
        ))
        .does_not_say("ENG01`, which");
    }
    let world = with_steps(&[("enable", ""), ("start", "")])
        .put(&engine("ENG02"), service(false, false, 0));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(state(&world, "ENG02"), (true, true, 1));
}

#[test]
fn a_service_stops_first_and_starts_last_around_other_steps() {
    let steps = format!(
        "{}{}",
        service_step("stop", "stop", ""),
        UPDATE_PROVIDER.replace(
            "[payload]",
            &format!("{}[payload]", service_step("start", "start", ""))
        )
    );
    let world = small_world(&steps);
    let plan = operations(&world.plan("small.toml"));
    assert_eq!(
        (plan[0].as_str(), plan[plan.len() - 1].as_str()),
        ("stop Engine ENG01", "start Engine ENG02")
    );
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("restarted Engine on ENG01, ENG02");
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_service_without_a_file_is_running_and_enabled() {
    for gone in [
        engine("ENG01"),
        "Servers/ENG01/Services".to_owned(),
        "Servers/ENG01".to_owned(),
    ] {
        let world = with_steps(&[("restart", ""), ("stop", "")]).remove(&gone);
        world
            .run(APPLY_SMALL)
            .exits_with(exit::OK)
            .says("as previewed");
        assert_eq!(state(&world, "ENG01"), (false, true, 1), "without {gone}");
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn a_step_may_be_narrowed_to_a_platform_or_a_role() {
    let world = with_steps(&[("stop", "platform = \"x64\"")]);
    assert_eq!(operations(&world.plan("small.toml")), ["stop Engine ENG02"]);
    let world = with_steps(&[("stop", "on = \"engine\"\nplatform = \"X86\"")]);
    assert_eq!(operations(&world.plan("small.toml")), ["stop Engine ENG01"]);
    // No server of the service's role holds the other one.
    let world = with_steps(&[("stop", "on = \"web\"")]);
    assert_eq!(operations(&world.plan("small.toml")), [""; 0]);
}

/// A manifest that runs a package on the engines.
fn run_tool(version: &str) -> String {
    format!(
        "[[steps]]\nid = \"run\"\naction = \"run\"\nfiles = [\"TOOL.msi\"]\non = \"engine\"\n\
         [payload]\nfiles = [{{ name = \"Tool.msi\", version = \"{version}\" }}]\n"
    )
}

#[test]
fn run_installs_a_package_outside_the_console() {
    let world = small_world(&run_tool("4.0.300"));
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("ran 1 item");
    let after = ran.after();
    for server in ["ENG01", "ENG02"] {
        let directory = format!("Servers/{server}/Programs/Tool");
        assert!(
            after
                .get(format!("{directory}/files/Program Files/Tool/Tool.dll"))
                .is_some()
        );
        let state: toml::Table = world
            .read(&format!("{directory}/state.toml"))
            .parse()
            .expect("a record");
        assert_eq!(
            (state["state"].as_str(), state["version"].as_str()),
            (Some("verified"), Some("4.0.300"))
        );
        assert_eq!(
            (state["product"].as_str(), state["kb"].as_str()),
            (Some("Tool"), Some("KB100001"))
        );
    }
    assert!(
        !world.live("Servers/WEB01/Programs/Tool").exists()
            && !world.live("Share/Tool.msi").exists()
    );
    world
        .run("verify")
        .exits_with(exit::OK)
        .does_not_say("beside");
}

#[test]
fn running_the_same_package_again_is_nothing_to_do_and_another_one_replaces_it() {
    let world = small_world(&run_tool("4.0.300"));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("apply small.toml --yes --reapply")
        .exits_with(exit::OK)
        .says("version 4.0.300 of the same package is installed");
    let world = world.manifest("newer", &small("KB100002", &run_tool("4.0.400")));
    world
        .run("apply newer.toml --yes")
        .exits_with(exit::OK)
        .says("Tool on ENG01, ENG02 4.0.300 -> 4.0.400");
    assert!(
        world
            .read("Servers/ENG02/Programs/Tool/state.toml")
            .contains("version = \"4.0.400\"")
    );
    let world = world.manifest("older", &small("KB100003", &run_tool("4.0.100")));
    let ran = world
        .run("apply older.toml --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.says("version 4.0.100")
        .says("older than the installed 4.0.400");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn only_a_package_can_be_run() {
    let world = small_world(&run_tool("4.0.300")).with(|world| {
        fs::write(world.at("KB100001/Tool.msi"), "#!/bin/sh\ntouch executed\n").expect("written");
    });
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .says("`Tool.msi` is no installer")
        .nothing_was_touched();
    assert!(!world.at("executed").exists());
}

/// A manifest that copies two files into a directory of the engines.
fn copy_to(directory: &str) -> String {
    format!(
        "[[steps]]\nid = \"copy\"\naction = \"copy\"\nfiles = [\"One.txt\", \"Two.txt\"]\non = \"engine\"\nto = \"{directory}\"\n\
         [payload]\nfiles = [\n  {{ name = \"One.txt\", modified = 2008-03-31T18:32:00Z }},\n  {{ name = \"two.txt\" }},\n]\n"
    )
}

#[test]
fn copy_puts_files_on_every_server_of_a_role() {
    let world = small_world(&copy_to("."));
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("copied 4 files");
    let after = ran.after();
    let mut inodes = BTreeSet::new();
    for server in ["ENG01", "ENG02"] {
        for name in ["One.txt", "Two.txt"] {
            let path = format!("Servers/{server}/Files/{name}");
            let metadata =
                fs::metadata(world.live(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            assert_eq!(
                metadata.nlink(),
                1,
                "copies on many servers are never one file"
            );
            assert!(inodes.insert(metadata.ino()));
        }
        let one = after
            .get(format!("Servers/{server}/Files/One.txt"))
            .expect("copied");
        assert_eq!(
            one.modified,
            Some(1_206_988_320 * 1_000_000_000),
            "copies keep the time of the payload"
        );
    }
    assert!(!world.live("Servers/WEB01/Files/One.txt").exists());
    world.run("verify").exits_with(exit::OK);
    world
        .run("apply small.toml --yes --reapply")
        .exits_with(exit::OK)
        .says("the same file is there");
}

#[test]
fn what_goes_into_a_new_directory_is_one_object() {
    let world = small_world(&copy_to("Tools/deep/er"));
    let plan = world.plan("small.toml");
    assert_eq!(
        live(&plan),
        ["Servers/ENG01/Files/Tools", "Servers/ENG02/Files/Tools"]
    );
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("copied 4 files");
    let came = ran
        .after()
        .paths(|path, _| ran.before().get(path).is_none() && path.starts_with("Servers/ENG02"));
    let expected = [
        "",
        "/deep",
        "/deep/er",
        "/deep/er/One.txt",
        "/deep/er/Two.txt",
    ];
    assert_eq!(
        came,
        expected.map(|below| PathBuf::from(format!("Servers/ENG02/Files/Tools{below}")))
    );
    let there =
        small_world(&copy_to("Tools/deep/er")).put("Servers/ENG01/Files/tools/his.txt", "his own");
    let plan = there.plan("small.toml");
    assert_eq!(
        live(&plan),
        [
            "Servers/ENG01/Files/tools/deep",
            "Servers/ENG02/Files/Tools"
        ]
    );
    there.run(APPLY_SMALL).exits_with(exit::OK);
    assert!(
        there
            .live("Servers/ENG01/Files/tools/deep/er/One.txt")
            .exists()
    );
}

#[test]
fn two_steps_may_copy_into_one_new_directory() {
    let more = "[[steps]]\nid = \"more\"\naction = \"copy\"\nfiles = [\"Two.txt\"]\non = \"engine\"\nto = \"Tools/deep/er\"\n[payload]";
    let world = small_world(
        &copy_to("Tools/deep/er")
            .replace("\"One.txt\", \"Two.txt\"", "\"One.txt\"")
            .replace("[payload]", more),
    );
    let plan = world.plan("small.toml");
    assert_eq!(live(&plan)[2], "Servers/ENG01/Files/Tools/deep/er/Two.txt");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("as previewed");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_file_that_a_copy_replaces_is_kept() {
    let world = small_world(&copy_to(".")).put("Servers/ENG01/Files/ONE.TXT", "the old one");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("copied 4 files; the 1 file they replace are kept");
    assert_ne!(world.read("Servers/ENG01/Files/ONE.TXT"), "the old one");
    let old = world.run_directory("0001-KB100001").join("slots/1/old");
    assert_eq!(fs::read_to_string(old).expect("it is kept"), "the old one");
}

#[test]
fn no_copy_leaves_the_directory_of_its_server() {
    for directory in ["..", "../..", "/etc", "a/../../b", "C:/x"] {
        let world = World::with_site(SMALL);
        fs::write(
            world.at("small.toml"),
            small("KB100001", &copy_to(directory)),
        )
        .expect("written");
        fs::create_dir(world.at("KB100001")).expect("made");
        world
            .run(APPLY_SMALL)
            .exits_with(exit::INVALID)
            .nothing_was_touched();
    }
}

#[test]
fn others_are_the_rows_that_no_step_deploys() {
    let world = small_world(
        "[[steps]]\nid = \"one\"\naction = \"copy\"\nfiles = [\"One.txt\"]\non = \"engine\"\nto = \".\"\n\
         [[steps]]\nid = \"others\"\naction = \"copy\"\nothers = true\nto = \"share\"\n\
         [payload]\nfiles = [\n  { name = \"One.txt\" },\n  { name = \"Two.txt\" },\n  { name = \"Three.txt\" },\n  \
         { name = \"Four.txt\", unused = \"read by people\" },\n]\n",
    );
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    let came = ran
        .after()
        .paths(|path, _| path.starts_with("Share") && ran.before().get(path).is_none());
    assert_eq!(
        came,
        ["Share/Three.txt", "Share/Two.txt"].map(PathBuf::from)
    );
}

#[test]
fn removed_by_brings_back_exactly_what_was_removed() {
    let world = small_world(
        &UPDATE_PROVIDER.replace("[\"Provider\"]\n[[", "[\"Provider\", \"Extra\"]\n[["),
    );
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("Extra: it is not installed")
        .says("installed 1 item");
    assert!(ran.after().get("Things/Extra/state.toml").is_none());
}

/// A manifest that installs the group `Things` after its provider was removed.
const INSTALL_GROUP: &str = r#"
[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Provider"]
[[steps]]
id = "install"
action = "install"
groups = ["Things"]
[payload]
files = []
"#;

#[test]
fn the_install_of_a_group_takes_in_what_is_new_only_when_told_so() {
    let world = small_world(INSTALL_GROUP);
    let ran = world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .says("as not installed here");
    ran.says("Namespace, Core: it is installed, and this run did not remove it");
    assert_eq!(
        operations(&world.plan("small.toml")),
        ["uninstall Provider -", "install Provider -"]
    );
    let plan = world.plan("small.toml --include-missing");
    assert_eq!(
        operations(&plan),
        [
            "uninstall Provider -",
            "install Provider -",
            "install Extra -"
        ]
    );
    world
        .run("apply small.toml --yes --include-missing")
        .exits_with(exit::OK)
        .says("installed 2 items");
    assert!(
        world
            .read("Things/Extra/state.toml")
            .contains("state = \"verified\"")
    );
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn what_is_taken_in_needs_its_installer() {
    let world = small_world(INSTALL_GROUP).remove("Share/Extra.msi");
    let ran = world
        .run("apply small.toml --yes --include-missing")
        .exits_with(exit::MISMATCH)
        .nothing_was_touched();
    ran.says("`Extra` needs the installer `Extra.msi`");
    world.run(APPLY_SMALL).exits_with(exit::OK);
}

#[test]
fn install_of_an_item_by_name_installs_it_from_the_share() {
    let world = small_world(
        "[[steps]]\nid = \"install\"\naction = \"install\"\nitems.\"Things\" = [\"Extra\", \"Namespace\"]\n[payload]\nfiles = []\n",
    );
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("installed 1 item");
    ran.says("Namespace: version 4.0.200 of the same package is installed");
    assert!(
        world
            .read("Things/Extra/state.toml")
            .contains("version = \"4.0.200\"")
    );
}

#[test]
fn an_installed_item_is_replaced_without_being_removed_first() {
    let (_, rest) = UPDATE_PROVIDER
        .split_once("[[steps]]\nid = \"copy\"")
        .expect("a copy step");
    let rest = rest.replace(
        "removed_by = \"remove\"",
        "items.\"Things\" = [\"Provider\"]",
    );
    let world = small_world(&format!("[[steps]]\nid = \"copy\"{rest}"));
    let plan = world.plan("small.toml");
    assert_eq!(
        operations(&plan),
        ["replace Provider.msi -", "replace Provider -"]
    );
    assert_eq!(plan["outage"], serde_json::json!([]));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("replaced 1 item");
}

#[test]
fn one_batch_follows_the_dependencies_and_is_reversed_for_the_uninstall() {
    let world = small_world(
        "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\", \"Namespace\"]\nitems.\"Web\" = [\"Site\"]\n\
         [[steps]]\nid = \"install\"\naction = \"install\"\ngroups = [\"Web\", \"Things\"]\n[payload]\nfiles = []\n",
    );
    let expected = [
        "uninstall Site WEB01",
        "uninstall Namespace -",
        "uninstall Provider -",
        "install Provider -",
        "install Namespace -",
        "install Site WEB01",
    ];
    assert_eq!(operations(&world.plan("small.toml")), expected);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn an_item_may_be_a_prerequisite() {
    let rest = |item: &str| format!("[[prerequisites]]\nitem = \"{item}\"\n{UPDATE_PROVIDER}");
    let ran = small_world(&rest("Extra"));
    let ran = ran
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.says("`Extra` is required, and not installed");
    small_world(&rest("Namespace"))
        .run(APPLY_SMALL)
        .exits_with(exit::OK);
    // A procedure runs, and is never installed.
    small_world(&rest("Initialize Things"))
        .run(APPLY_SMALL)
        .exits_with(exit::INVALID)
        .nothing_was_touched();
}

/// An update that asks whether somebody did something first.
fn with_confirmation() -> World {
    small_world(&format!(
        "[[prerequisites]]\nconfirm = \"Is the database backed up?\"\nid = \"backup-made\"\n{UPDATE_PROVIDER}"
    ))
}

#[test]
fn what_only_a_person_can_check_is_never_answered_by_yes() {
    let world = with_confirmation();
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .says("to be confirmed first (`--confirm backup-made`): Is the database backed up?");
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.says("`backup-made` is not confirmed: Is the database backed up?")
        .says("--confirm backup-made");
    let ran = world
        .run("apply small.toml --yes --confirm something-else")
        .exits_with(exit::USAGE);
    ran.nothing_was_touched();
    world
        .run("apply small.toml --yes --confirm BACKUP-made")
        .exits_with(exit::OK);
    assert!(
        world
            .read(".rollup/runs/0001-KB100001/journal")
            .contains(r#""confirmed":["backup-made"]"#)
    );
}

#[test]
fn a_person_at_a_terminal_is_asked() {
    let world = with_confirmation();
    let ran = world
        .at_terminal("apply small.toml --yes", "no\n")
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.says("Is the database backed up? [y/N]")
        .says("`backup-made` is not confirmed");
    let ran = world
        .at_terminal("apply small.toml", "y\nno\n")
        .exits_with(exit::INTERRUPTED)
        .nothing_was_touched();
    ran.says("Apply KB100001? [y/N]")
        .says("not applied")
        .says("nothing has changed");
    world
        .at_terminal("apply small.toml", "yes\ny\n")
        .exits_with(exit::OK)
        .says("as previewed");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn silence_is_nobodys_yes() {
    let world = small_world(UPDATE_PROVIDER);
    for typed in ["\n", "\u{4}", "maybe\n", "yes please\n"] {
        world
            .at_terminal("apply small.toml", typed)
            .exits_with(exit::INTERRUPTED)
            .nothing_was_touched();
    }
}

/// A manual step, with what more it says.
fn by_hand(id: &str, more: &str) -> String {
    format!(
        "[[steps]]\nid = \"{id}\"\naction = \"manual\"\ninstructions = \"Run the script {id} on the database.\"\n{more}\n"
    )
}

/// Stops the engine, waits for these manual steps, and starts the engine.
fn with_manual(steps: &[(&str, &str)]) -> World {
    let manual: String = steps.iter().map(|(id, more)| by_hand(id, more)).collect();
    let (stop, start) = (
        service_step("stop", "stop", ""),
        service_step("start", "start", ""),
    );
    small_world(&format!("{stop}{manual}{start}{NO_FILES}"))
}

const UNDO: &str = "undo = \"Run the script that takes it back.\"";

#[test]
fn an_optional_manual_step_is_skipped_without_a_terminal_and_told() {
    let world = with_manual(&[("script", "optional = true")]);
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("Run the script script on the database.");
    ran.says("manual step script skipped").says("as previewed");
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
}

#[test]
fn without_a_terminal_the_run_stops_at_a_manual_step_until_it_is_confirmed() {
    let world = with_manual(&[("script", UNDO)]);
    world
        .run("apply small.toml --dry-run")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    ran.says("Run the script script on the database.")
        .says("resume -d deployment --done script");
    assert_eq!(state(&world, "ENG01"), (false, true, 0));
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .says("step stop: done, 2 operations")
        .says("step script: to be done");
    world
        .run("resume --yes")
        .exits_with(exit::STOPPED)
        .tree_is_unchanged()
        .says("--done script");
    let ran = world.run("resume --yes --done script").exits_with(exit::OK);
    ran.says("manual step script done").says("as previewed");
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
}

#[test]
fn what_is_away_twice_is_lacking_twice() {
    let steps = "[[steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n\
                 [[steps]]\nid = \"in\"\naction = \"install\"\nitems.\"Things\" = [\"Provider\"]\n";
    let again = steps
        .replace("\"out\"", "\"out-again\"")
        .replace("\"in\"", "\"in-again\"");
    let between = "[[steps]]\nid = \"between\"\naction = \"restart\"\nservice = \"Engine\"\n";
    let plan =
        small_world(&format!("{steps}{between}{again}[payload]\nfiles = []\n")).plan("small.toml");
    let windows: Vec<(&str, &str)> = plan["outage"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|lacking| {
            (
                lacking["from"].as_str().expect("a step"),
                lacking["to"].as_str().expect("a step"),
            )
        })
        .collect();
    assert_eq!(windows, [("out", "in"), ("out-again", "in-again")]);
}

#[test]
fn a_manual_step_that_cannot_be_taken_back_is_told_as_the_point_of_no_return() {
    let world = with_manual(&[("script", "")]);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .says("no way back: once step `script` is done by hand, it cannot be taken back")
        .says("by hand; the run waits here");
    let world = with_manual(&[("script", &format!("{UNDO}\non = \"engine\""))]);
    let ran = world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .does_not_say("cannot be taken back");
    ran.says("taken back: Run the script that takes it back.")
        .says("on ENG01, ENG02");
}

#[test]
fn a_person_says_that_a_manual_step_is_done() {
    let world = with_manual(&[("script", UNDO)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "what?\nyes\n")
        .exits_with(exit::OK);
    ran.says("Is it done? [yes/stop]")
        .says("manual step script done")
        .says("waited for 1 manual step")
        .says("as previewed");
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
}

#[test]
fn an_optional_manual_step_may_be_skipped_at_a_terminal() {
    let world = with_manual(&[("script", "optional = true"), ("other", UNDO)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "skip\nskip\ny\n")
        .exits_with(exit::OK);
    ran.says("Is it done? [yes/skip/stop]")
        .says("manual step script skipped")
        .says("manual step other done");
}

/// A run that waits at its manual step `script`.
fn stopped(more: &str) -> World {
    let world = with_manual(&[("script", more)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "stop\n")
        .exits_with(exit::STOPPED);
    ran.says("everything up to there is on disk; the run is open")
        .says("rollup resume")
        .says("--done");
    world
}

#[test]
fn a_run_that_waits_is_open_and_everybody_says_so() {
    let world = stopped(UNDO);
    assert_eq!(
        state(&world, "ENG01"),
        (false, true, 0),
        "everything up to there is on disk"
    );
    assert!(!world.live("applied.toml").exists());
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .says("run 0001-KB100001 is unfinished")
        .says("rollup resume -d")
        .nothing_was_touched();
    let status = world
        .run("status --format json")
        .exits_with(exit::STOPPED)
        .json();
    assert_eq!(status["open"]["run"], "0001-KB100001");
    world
        .run("history")
        .exits_with(exit::OK)
        .says("unfinished")
        .nothing_was_touched();
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .says("run 0001-KB100001 is unfinished")
        .nothing_was_touched();
    world
        .run("tree")
        .exits_with(exit::OK)
        .says("a run is open")
        .nothing_was_touched();
    for command in [APPLY_SMALL, "plan small.toml"] {
        world
            .run(command)
            .exits_with(exit::NOT_READY)
            .says("run 0001-KB100001 is unfinished")
            .tree_is_unchanged();
    }
}

#[test]
fn a_run_that_waits_goes_on_when_the_step_is_confirmed() {
    let world = stopped("");
    world
        .run("resume --yes")
        .exits_with(exit::STOPPED)
        .says("Run the script script on the database.")
        .tree_is_unchanged();
    world
        .run("resume --yes --done other")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    world
        .run("resume --yes --done script")
        .exits_with(exit::OK)
        .says("run 0001-KB100001 is finished")
        .says("as previewed");
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
    world
        .run("status")
        .exits_with(exit::OK)
        .says("at rest")
        .says("in force: KB100001");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_run_that_waits_can_be_undone() {
    let before = with_manual(&[("script", "")]);
    let world = stopped("");
    let after = world
        .run("undo --yes")
        .exits_with(exit::OK)
        .says("everything is as it was before")
        .after();
    // Not yet confirmed, there is nothing to take back by hand.
    crate::listing::Listing::of(&before.deployment())
        .without_times()
        .assert_same(&after.without_times());
    world
        .run("status")
        .exits_with(exit::OK)
        .says("at rest")
        .says("no rollup is in force");
    world.run("history").says("undone");
    world
        .at_terminal("apply small.toml --yes", "yes\n")
        .exits_with(exit::OK)
        .says("run 0002-KB100001");
}

#[test]
fn what_was_done_by_hand_is_taken_back_by_hand() {
    let world = with_manual(&[("script", UNDO), ("second", UNDO)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "yes\nstop\n")
        .exits_with(exit::STOPPED);
    ran.says("manual step script done");
    let ran = world
        .run("undo --yes")
        .exits_with(exit::STOPPED)
        .says("script to be taken back by hand");
    ran.says("Run the script that takes it back.")
        .does_not_say("second to be taken back")
        .tree_is_unchanged();
    assert_eq!(state(&world, "ENG01"), (false, true, 0));
    world
        .run("undo --yes --done script")
        .exits_with(exit::OK)
        .says("manual step script taken back");
    assert_eq!(state(&world, "ENG01"), (true, true, 0));
    world.run("status").exits_with(exit::OK).says("at rest");
}

#[test]
fn the_way_back_can_be_turned_again() {
    let world = with_manual(&[("script", UNDO), ("second", UNDO)]);
    world
        .at_terminal("apply small.toml --yes", "yes\nstop\n")
        .exits_with(exit::STOPPED);
    world.run("undo --yes").exits_with(exit::STOPPED);
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .says("on the way back");
    world
        .run("resume --yes --done second")
        .exits_with(exit::OK)
        .does_not_say("script to be done by hand");
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
}

#[test]
fn behind_a_step_that_cannot_be_taken_back_there_is_no_way_back() {
    let world = with_manual(&[("script", ""), ("second", UNDO)]);
    world
        .at_terminal("apply small.toml --yes", "yes\nstop\n")
        .exits_with(exit::STOPPED);
    let ran = world
        .run("undo --yes")
        .exits_with(exit::NOT_READY)
        .says("script")
        .tree_is_unchanged();
    ran.says("rollup resume");
    world.run("resume --yes --done second").exits_with(exit::OK);
    assert_eq!(state(&world, "ENG01"), (true, true, 1));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn what_somebody_changed_while_a_run_waited_is_not_overwritten() {
    let by_hand = service(true, true, 77);
    let world = stopped("").put(&engine("ENG02"), &by_hand);
    let ran = world.run("resume --yes --done script").tree_is_unchanged();
    ran.exits_with(11)
        .says("Servers/ENG02/Services/Engine.toml` is not what the plan saw")
        .says("run 0001-KB100001 is unfinished");
    assert_eq!(world.read(&engine("ENG02")), by_hand);
    let world = world.put(&engine("ENG02"), service(false, true, 0));
    world.run("resume --yes --done script").exits_with(exit::OK);
}
