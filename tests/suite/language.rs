//! Actions of the manifest language, on real files.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

/// Empty payload.
const NO_FILES: &str = "[payload]\nfiles = []\n";

/// Returns a step with an action on the engine service.
fn service_step(id: &str, action: &str, keys: &str) -> String {
    format!("[[steps]]\nid = \"{id}\"\naction = \"{action}\"\nservice = \"Engine\"\n{keys}\n")
}

/// Makes a world whose manifest has only steps with actions on the engine service.
fn world_with_service_steps(steps: &[(&str, &str)]) -> World {
    let steps: String = steps
        .iter()
        .map(|(action, keys)| service_step(&format!("do-{action}"), action, keys))
        .collect();
    small_world(&format!("{steps}{NO_FILES}"))
}

/// Returns the path of the engine's state file on a server.
fn engine_file(server: &str) -> String {
    format!("Servers/{server}/Services/Engine.toml")
}

/// Reads if the engine is running and enabled.
fn state(world: &World, server: &str) -> (bool, bool) {
    let record: toml::Table = world.read(&engine_file(server)).parse().expect("a record");
    let flag = |key: &str| record[key].as_bool().expect("a flag");
    (flag("running"), flag("enabled"))
}

fn service(running: bool, enabled: bool) -> String {
    format!("schema = 1\nrunning = {running}\nenabled = {enabled}\n")
}

/// Returns kind, target and server of every operation of a plan.
fn operations(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().expect("steps").iter();
    let operations = steps.flat_map(|step| step["operations"].as_array().expect("operations"));
    let descriptions = operations.map(|operation| {
        let text = |key: &str| operation[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("kind"), text("target"), text("server"))
    });
    descriptions.collect()
}

/// Returns the live paths of a plan's swaps, without the record of the applied rollup.
fn live_paths(plan: &Value) -> Vec<&str> {
    let swaps = plan["swaps"].as_array().expect("swaps").iter();
    swaps
        .filter_map(|swap| swap["live"].as_str())
        .filter(|path| !path.starts_with("applied/"))
        .collect()
}

#[test]
fn start_starts_a_stopped_service() {
    let world = world_with_service_steps(&[("start", "")])
        .write_file(&engine_file("ENG02"), service(false, true));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("Engine on ENG01: it is running already")
        .prints("started Engine on ENG02");
    assert_eq!(
        (state(&world, "ENG01"), state(&world, "ENG02")),
        ((true, true), (true, true))
    );
}

#[test]
fn stop_stops_a_running_service() {
    let world = world_with_service_steps(&[("stop", "")])
        .write_file(&engine_file("ENG02"), service(false, true));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("stopped Engine on ENG01");
    assert_eq!(
        (state(&world, "ENG01"), state(&world, "ENG02")),
        ((false, true), (false, true))
    );
}

#[test]
fn restart_is_two_swaps_or_one_for_a_stopped_service() {
    let world = world_with_service_steps(&[("restart", "")])
        .write_file(&engine_file("ENG02"), service(false, true));
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
        live_paths(&plan),
        [
            engine_file("ENG01"),
            engine_file("ENG01"),
            engine_file("ENG02")
        ]
    );
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("restarted Engine on ENG01");
    assert_eq!(
        (state(&world, "ENG01"), state(&world, "ENG02")),
        ((true, true), (true, true))
    );
}

#[test]
fn disable_and_enable_set_if_a_service_can_be_started() {
    let world = world_with_service_steps(&[("disable", "")]);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("disabled Engine on ENG01, ENG02");
    assert_eq!(state(&world, "ENG01"), (true, false));
    let enable = format!("{}{NO_FILES}", service_step("enable", "enable", ""));
    let world = world.manifest("enable", &small("KB100002", &enable));
    world
        .run("apply enable.toml --yes")
        .exits_with(exit::OK)
        .prints("enabled Engine on ENG01, ENG02");
    assert_eq!(state(&world, "ENG01"), (true, true));
}

#[test]
fn a_disabled_service_is_not_started() {
    for (action, running) in [("start", false), ("restart", false), ("restart", true)] {
        let world = world_with_service_steps(&[(action, "")])
            .write_file(&engine_file("ENG02"), service(running, false));
        let ran = world
            .run(APPLY_SMALL)
            .exits_with(exit::NOT_READY)
            .nothing_was_touched();
        ran.prints(&format!(
            "step `do-{action}` starts `Engine on ENG02`, which is disabled"
        ))
        .does_not_print("ENG01`, which");
    }
    let world = world_with_service_steps(&[("enable", ""), ("start", "")])
        .write_file(&engine_file("ENG02"), service(false, false));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(state(&world, "ENG02"), (true, true));
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
        .prints("restarted Engine on ENG01, ENG02");
    assert_eq!(state(&world, "ENG01"), (true, true));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_service_without_a_file_is_running_and_enabled() {
    for missing in [
        engine_file("ENG01"),
        "Servers/ENG01/Services".to_owned(),
        "Servers/ENG01".to_owned(),
    ] {
        let world = world_with_service_steps(&[("restart", ""), ("stop", "")]).remove(&missing);
        world
            .run(APPLY_SMALL)
            .exits_with(exit::OK)
            .prints("the result matches the plan");
        assert_eq!(state(&world, "ENG01"), (false, true), "without {missing}");
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn a_step_can_be_limited_to_a_platform_or_a_role() {
    let world = world_with_service_steps(&[("stop", "platform = \"x64\"")]);
    assert_eq!(operations(&world.plan("small.toml")), ["stop Engine ENG02"]);
    let world = world_with_service_steps(&[("stop", "on = \"engine\"\nplatform = \"X86\"")]);
    assert_eq!(operations(&world.plan("small.toml")), ["stop Engine ENG01"]);
    // No server has both roles.
    let world = world_with_service_steps(&[("stop", "on = \"web\"")]);
    assert_eq!(operations(&world.plan("small.toml")), [""; 0]);
}

/// Returns a manifest that runs a package on the engines.
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
        .prints("0001-KB100001: ran Tool on ENG01, ENG02 ");
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
        .does_not_print("unmanaged");
}

#[test]
fn run_skips_the_same_package_and_replaces_an_older_one() {
    let world = small_world(&run_tool("4.0.300"));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("apply small.toml --yes --reapply")
        .exits_with(exit::OK)
        .prints("version 4.0.300 of the same package is installed");
    let world = world.manifest("newer", &small("KB100002", &run_tool("4.0.400")));
    world
        .run("apply newer.toml --yes")
        .exits_with(exit::OK)
        .prints("Tool on ENG01, ENG02 4.0.300 -> 4.0.400");
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
    ran.prints("version 4.0.100")
        .prints("older than the installed 4.0.400");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_plan_without_a_payload_has_the_package_to_run_on_each_server() {
    let world = small_world(&run_tool("4.0.300"))
        .with(|world| fs::rename(world.at("KB100001"), world.at("elsewhere")).expect("renamed"));
    let ran = world.run("plan small.toml").exits_with(exit::OK);
    ran.prints("+ run TOOL.msi on ENG01, ENG02")
        .prints("unknown without a payload -> unknown without a payload")
        .prints("2 operations in 1 step");
}

#[test]
fn only_a_package_can_be_run() {
    let world = small_world(&run_tool("4.0.300")).with(|world| {
        fs::write(world.at("KB100001/Tool.msi"), "#!/bin/sh\ntouch executed\n").expect("written");
    });
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints("`Tool.msi` is not an installer")
        .nothing_was_touched();
    assert!(!world.at("executed").exists());
}

/// Returns a manifest that copies two files into a directory of the engines.
fn copy_to(directory: &str) -> String {
    format!(
        "[[steps]]\nid = \"copy\"\naction = \"copy\"\nfiles = [\"One.txt\", \"Two.txt\"]\non = \"engine\"\nto = \"{directory}\"\n\
         [payload]\nfiles = [\n  {{ name = \"One.txt\", modified = 2008-03-31T18:32:00Z }},\n  {{ name = \"two.txt\" }},\n]\n"
    )
}

#[test]
fn copy_writes_files_on_every_server_of_a_role() {
    let world = small_world(&copy_to("."));
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("copied 4 files");
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
                "copies on several servers are separate files"
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
        .prints("the same file is there");
}

#[test]
fn missing_directories_are_made_for_the_files_in_them() {
    let world = small_world(&copy_to("Tools/deep/er"));
    let plan = world.plan("small.toml");
    let files = |server: &str| {
        ["One", "Two"].map(|name| format!("Servers/{server}/Files/Tools/deep/er/{name}.txt"))
    };
    assert_eq!(live_paths(&plan), [files("ENG01"), files("ENG02")].concat());
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("copied 4 files");
    let new_paths = ran
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
        new_paths,
        expected.map(|below| PathBuf::from(format!("Servers/ENG02/Files/Tools{below}")))
    );
    let with_directory = small_world(&copy_to("Tools/deep/er"))
        .write_file("Servers/ENG01/Files/tools/notes.txt", "unmanaged");
    let plan = with_directory.plan("small.toml");
    assert_eq!(
        live_paths(&plan),
        [
            files("ENG01").map(|file| file.replace("Tools", "tools")),
            files("ENG02")
        ]
        .concat()
    );
    with_directory.run(APPLY_SMALL).exits_with(exit::OK);
    assert!(
        with_directory
            .live("Servers/ENG01/Files/tools/deep/er/One.txt")
            .exists()
    );
}

#[test]
fn two_steps_can_copy_into_one_new_directory() {
    let second_step = "[[steps]]\nid = \"more\"\naction = \"copy\"\nfiles = [\"Two.txt\"]\non = \"engine\"\nto = \"Tools/deep/er\"\n[payload]";
    let world = small_world(
        &copy_to("Tools/deep/er")
            .replace("\"One.txt\", \"Two.txt\"", "\"One.txt\"")
            .replace("[payload]", second_step),
    );
    let plan = world.plan("small.toml");
    assert_eq!(
        live_paths(&plan)[2],
        "Servers/ENG01/Files/Tools/deep/er/Two.txt"
    );
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_file_that_a_copy_replaces_is_kept() {
    let world = small_world(&copy_to(".")).write_file("Servers/ENG01/Files/ONE.TXT", "the old one");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("copied 4 files; the 1 file they replace are kept");
    assert_ne!(world.read("Servers/ENG01/Files/ONE.TXT"), "the old one");
    let old = world.run_directory("0001-KB100001").join("slots/1/old");
    assert_eq!(
        fs::read_to_string(old).expect("the old file"),
        "the old one"
    );
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
fn others_copies_the_rows_that_no_other_step_deploys() {
    let world = small_world(
        "[[steps]]\nid = \"one\"\naction = \"copy\"\nfiles = [\"One.txt\"]\non = \"engine\"\nto = \".\"\n\
         [[steps]]\nid = \"others\"\naction = \"copy\"\nothers = true\nto = \"share\"\n\
         [payload]\nfiles = [\n  { name = \"One.txt\" },\n  { name = \"Two.txt\" },\n  { name = \"Three.txt\" },\n  \
         { name = \"Four.txt\", unused = \"read by people\" },\n]\n",
    );
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    let new_paths = ran
        .after()
        .paths(|path, _| path.starts_with("Share") && ran.before().get(path).is_none());
    assert_eq!(
        new_paths,
        ["Share/Three.txt", "Share/Two.txt"].map(PathBuf::from)
    );
}

#[test]
fn removed_by_installs_exactly_the_removed_items() {
    let world = small_world(
        &UPDATE_PROVIDER.replace("[\"Provider\"]\n[[", "[\"Provider\", \"Extra\"]\n[["),
    );
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("Extra: it is not installed")
        .prints("removed Provider installed Provider copied 1 file");
    assert!(ran.after().get("Things/Extra/state.toml").is_none());
}

/// Manifest that installs the group `Things` after the removal of its provider.
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
fn the_install_of_a_group_skips_missing_items_without_include_missing() {
    let world = small_world(INSTALL_GROUP);
    let ran = world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("as not installed here");
    ran.prints("Namespace, Core: it is installed, and this run did not remove it");
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
        .prints("installed 2 items");
    assert!(
        world
            .read("Things/Extra/state.toml")
            .contains("state = \"verified\"")
    );
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_missing_item_is_installed_only_if_its_installer_is_in_the_share() {
    let world = small_world(INSTALL_GROUP).remove("Share/Extra.msi");
    let ran = world
        .run("apply small.toml --yes --include-missing")
        .exits_with(exit::MISMATCH)
        .nothing_was_touched();
    ran.prints("`Extra` requires the installer `Extra.msi`");
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
        .prints("0001-KB100001: installed Extra ");
    ran.prints("Namespace: version 4.0.200 of the same package is installed");
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
        .prints("0001-KB100001: replaced Provider copied 1 file");
}

#[test]
fn an_install_follows_the_dependencies_and_an_uninstall_reverses_them() {
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
fn an_item_can_be_a_prerequisite() {
    let rest = |item: &str| format!("[[prerequisites]]\nitem = \"{item}\"\n{UPDATE_PROVIDER}");
    let ran = small_world(&rest("Extra"));
    let ran = ran
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.prints("`Extra` is required, but not installed");
    small_world(&rest("Namespace"))
        .run(APPLY_SMALL)
        .exits_with(exit::OK);
    // A procedure is never installed.
    small_world(&rest("Initialize Things"))
        .run(APPLY_SMALL)
        .exits_with(exit::INVALID)
        .nothing_was_touched();
}

/// Makes a world whose manifest has a prerequisite that must be confirmed.
fn with_confirmation() -> World {
    small_world(&format!(
        "[[prerequisites]]\nconfirm = \"Is the database backed up?\"\nid = \"backup-made\"\n{UPDATE_PROVIDER}"
    ))
}

#[test]
fn yes_does_not_answer_a_confirmation() {
    let world = with_confirmation();
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("to be confirmed first (`--confirm backup-made`): Is the database backed up?");
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.prints("`backup-made` is not confirmed: Is the database backed up?")
        .prints("--confirm backup-made");
    world
        .run("apply small.toml --reapply --yes")
        .exits_with(exit::NOT_READY)
        .prints("`rollup apply small.toml -d deployment --reapply --yes --confirm backup-made`");
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
fn at_a_terminal_apply_prompts() {
    let world = with_confirmation();
    let ran = world
        .at_terminal("apply small.toml --yes", "no\n")
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.prints("Is the database backed up? [y/N]")
        .prints("`backup-made` is not confirmed");
    let ran = world
        .at_terminal("apply small.toml", "y\nno\n")
        .exits_with(exit::INTERRUPTED)
        .nothing_was_touched();
    ran.prints("Apply KB100001 to small in deployment? [y/N]")
        .prints("not confirmed")
        .prints("now: this command changed nothing");
    world
        .at_terminal("apply small.toml", "yes\ny\n")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn only_yes_is_an_approval() {
    let world = small_world(UPDATE_PROVIDER);
    for typed in ["\n", "\u{4}", "maybe\n", "yes please\n"] {
        world
            .at_terminal("apply small.toml", typed)
            .exits_with(exit::INTERRUPTED)
            .nothing_was_touched();
    }
}

/// Returns a manual step with additional keys.
fn manual_step(id: &str, keys: &str) -> String {
    format!(
        "[[steps]]\nid = \"{id}\"\naction = \"manual\"\ninstructions = \"Run the script {id} on the database.\"\n{keys}\n"
    )
}

/// Makes a world whose manifest stops the engine, has these manual steps, and starts the engine.
fn world_with_manual_steps(steps: &[(&str, &str)]) -> World {
    let manual: String = steps
        .iter()
        .map(|(id, keys)| manual_step(id, keys))
        .collect();
    let (stop, start) = (
        service_step("stop", "stop", ""),
        service_step("start", "start", ""),
    );
    small_world(&format!("{stop}{manual}{start}{NO_FILES}"))
}

const WITH_UNDO: &str = "undo = \"Run the script that restores the database.\"";

#[test]
fn without_a_terminal_an_optional_manual_step_is_skipped_with_a_message() {
    let world = world_with_manual_steps(&[("script", "optional = true")]);
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("Run the script script on the database.");
    ran.prints("step script skipped")
        .prints("the result matches the plan");
    assert_eq!(state(&world, "ENG01"), (true, true));
}

#[test]
fn without_a_terminal_a_run_stops_at_a_manual_step_until_it_is_done() {
    let world = world_with_manual_steps(&[("script", WITH_UNDO)]);
    world
        .run("apply small.toml --dry-run")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    ran.prints("Run the script script on the database.")
        .prints("resume -d deployment --done script --yes");
    assert_eq!(state(&world, "ENG01"), (false, true));
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints("step stop: done, 2 operations")
        .prints("step script: to be done");
    world
        .run("resume --yes")
        .exits_with(exit::STOPPED)
        .tree_is_unchanged()
        .prints("--done script");
    let ran = world.run("resume --yes --done script").exits_with(exit::OK);
    ran.prints("step script done")
        .prints("the result matches the plan");
    assert_eq!(state(&world, "ENG01"), (true, true));
}

#[test]
fn an_item_that_is_removed_twice_has_two_outages() {
    let steps = "[[steps]]\nid = \"out\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n\
                 [[steps]]\nid = \"in\"\naction = \"install\"\nitems.\"Things\" = [\"Provider\"]\n";
    let steps_again = steps
        .replace("\"out\"", "\"out-again\"")
        .replace("\"in\"", "\"in-again\"");
    let restart = "[[steps]]\nid = \"between\"\naction = \"restart\"\nservice = \"Engine\"\n";
    let plan = small_world(&format!(
        "{steps}{restart}{steps_again}[payload]\nfiles = []\n"
    ))
    .plan("small.toml");
    let outages: Vec<(&str, &str)> = plan["outage"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|outage| {
            (
                outage["from"].as_str().expect("a step"),
                outage["to"].as_str().expect("a step"),
            )
        })
        .collect();
    assert_eq!(outages, [("out", "in"), ("out-again", "in-again")]);
}

#[test]
fn a_manual_step_without_undo_is_the_point_of_no_return() {
    let world = world_with_manual_steps(&[("script", "")]);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("point of no return: the manual step `script`: the manifest has no `undo` instructions for it")
        .prints("manual step; the run waits here");
    let world = world_with_manual_steps(&[("script", &format!("{WITH_UNDO}\non = \"engine\""))]);
    let ran = world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .does_not_print("point of no return");
    ran.prints("undo: Run the script that restores the database.")
        .prints("on ENG01, ENG02");
}

#[test]
fn at_a_terminal_the_operator_answers_that_a_manual_step_is_done() {
    let world = world_with_manual_steps(&[("script", WITH_UNDO)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "what?\nyes\n")
        .exits_with(exit::OK);
    ran.prints("Is it done? [yes/stop]")
        .prints("step script done")
        .prints("waited for 1 manual step")
        .prints("the result matches the plan");
    assert_eq!(state(&world, "ENG01"), (true, true));
}

#[test]
fn at_a_terminal_an_optional_manual_step_can_be_skipped() {
    let world = world_with_manual_steps(&[("script", "optional = true"), ("other", WITH_UNDO)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "skip\nskip\ny\n")
        .exits_with(exit::OK);
    ran.prints("Is it done? [yes/skip/stop]")
        .prints("step script skipped")
        .prints("step other done");
}

/// Makes a world with a run that stopped at its manual step `script`.
fn stopped_at_manual_step(keys: &str) -> World {
    let world = world_with_manual_steps(&[("script", keys)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "stop\n")
        .exits_with(exit::STOPPED);
    ran.prints("now: run 0001-KB100001 is unfinished, 2 of 4 operations done; unavailable: Engine on ENG01, ENG02")
        .prints("rollup resume")
        .prints("--done");
    world
}

#[test]
fn a_run_that_stopped_at_a_manual_step_is_open_for_every_command() {
    let world = stopped_at_manual_step(WITH_UNDO);
    assert_eq!(
        state(&world, "ENG01"),
        (false, true),
        "the steps before are on disk"
    );
    assert!(!world.live("applied.toml").exists());
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints("run 0001-KB100001 is unfinished")
        .prints("rollup resume -d deployment --done script --yes")
        .nothing_was_touched();
    let status = world
        .run("status --format json")
        .exits_with(exit::STOPPED)
        .json();
    assert_eq!(status["open"]["run"], "0001-KB100001");
    world
        .run("history")
        .exits_with(exit::OK)
        .prints("unfinished")
        .nothing_was_touched();
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("run 0001-KB100001 is unfinished")
        .nothing_was_touched();
    world
        .run("tree")
        .exits_with(exit::OK)
        .prints("a run is open")
        .nothing_was_touched();
    for command in [APPLY_SMALL, "plan small.toml"] {
        world
            .run(command)
            .exits_with(exit::NOT_READY)
            .prints("run 0001-KB100001 is unfinished")
            .tree_is_unchanged();
    }
}

#[test]
fn a_stopped_run_is_finished_when_its_manual_step_is_done() {
    let world = stopped_at_manual_step("");
    world
        .run("resume --yes")
        .exits_with(exit::STOPPED)
        .prints("Run the script script on the database.")
        .tree_is_unchanged();
    world
        .run("resume --yes --done other")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    world
        .run("resume --yes --done script")
        .exits_with(exit::OK)
        .prints("run 0001-KB100001 is finished")
        .prints("the result matches the plan");
    assert_eq!(state(&world, "ENG01"), (true, true));
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress")
        .prints("applied: KB100001");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_stopped_run_can_be_rolled_back() {
    let before = world_with_manual_steps(&[("script", "")]);
    let world = stopped_at_manual_step("");
    let after = world
        .run("undo --yes")
        .exits_with(exit::OK)
        .prints("the deployment is as it was before")
        .after();
    // The step is not confirmed, so there is nothing to roll back by hand.
    crate::listing::Listing::of(&before.deployment())
        .without_times()
        .assert_same(&after.without_times());
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("no run in progress")
        .prints("no rollup is applied");
    world.run("history").prints("undone");
    world
        .at_terminal("apply small.toml --yes", "yes\n")
        .exits_with(exit::OK)
        .prints("run 0002-KB100001");
}

#[test]
fn a_manual_step_is_rolled_back_by_hand() {
    let world = world_with_manual_steps(&[("script", WITH_UNDO), ("second", WITH_UNDO)]);
    let ran = world
        .at_terminal("apply small.toml --yes", "yes\nstop\n")
        .exits_with(exit::STOPPED);
    ran.prints("step script done");
    let ran = world
        .run("undo --yes")
        .exits_with(exit::STOPPED)
        .prints("script to be rolled back by hand");
    ran.prints("Run the script that restores the database.")
        .does_not_print("second to be rolled back")
        .tree_is_unchanged();
    assert_eq!(state(&world, "ENG01"), (false, true));
    world
        .run("undo --yes --done script")
        .exits_with(exit::OK)
        .prints("step script rolled back");
    assert_eq!(state(&world, "ENG01"), (true, true));
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("no run in progress");
}

#[test]
fn a_rollback_can_be_resumed_forward() {
    let world = world_with_manual_steps(&[("script", WITH_UNDO), ("second", WITH_UNDO)]);
    world
        .at_terminal("apply small.toml --yes", "yes\nstop\n")
        .exits_with(exit::STOPPED);
    world.run("undo --yes").exits_with(exit::STOPPED);
    world
        .run("status")
        .exits_with(exit::STOPPED)
        .prints("rolling back");
    world
        .run("resume --yes --done second")
        .exits_with(exit::OK)
        .does_not_print("script to be done by hand");
    assert_eq!(state(&world, "ENG01"), (true, true));
}

#[test]
fn a_run_is_not_rolled_back_behind_its_point_of_no_return() {
    let world = world_with_manual_steps(&[("script", ""), ("second", WITH_UNDO)]);
    world
        .at_terminal("apply small.toml --yes", "yes\nstop\n")
        .exits_with(exit::STOPPED);
    let ran = world
        .run("undo --yes")
        .exits_with(exit::NOT_READY)
        .prints("script")
        .tree_is_unchanged();
    ran.prints("rollup resume");
    world.run("resume --yes --done second").exits_with(exit::OK);
    assert_eq!(state(&world, "ENG01"), (true, true));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_change_while_a_run_is_stopped_is_not_overwritten() {
    let other_state = service(true, true);
    let world = stopped_at_manual_step("").write_file(&engine_file("ENG02"), &other_state);
    let ran = world.run("resume --yes --done script").tree_is_unchanged();
    ran.exits_with(11)
        .prints("Servers/ENG02/Services/Engine.toml` differs from the plan")
        .prints("run 0001-KB100001 is unfinished");
    assert_eq!(world.read(&engine_file("ENG02")), other_state);
    let world = world.write_file(&engine_file("ENG02"), service(false, true));
    world.run("resume --yes --done script").exits_with(exit::OK);
}
