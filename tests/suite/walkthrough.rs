//! Apply of KB952076 to the sample with the shipped manifest: plan, files, services, records and
//! history.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::listing::Listing;
use crate::world::{APPLY, World, exit};

const RUN: &str = "0001-KB952076";

/// Returns the live paths of a plan.
fn live_paths(plan: &Value) -> Vec<PathBuf> {
    let swaps = plan["swaps"].as_array().expect("a plan with swaps");
    swaps
        .iter()
        .map(|swap| PathBuf::from(swap["live"].as_str().expect("a live path")))
        .collect()
}

/// Returns kind, size and hash of every entry of a plan's expected state.
fn expected_entries(plan: &Value) -> BTreeMap<PathBuf, (String, Option<u64>, Option<String>)> {
    let entries = plan["expected_state"]["entries"]
        .as_array()
        .expect("a plan with an expected state");
    let entries = entries.iter().map(|entry| {
        let text = |key: &str| entry[key].as_str().map(str::to_owned);
        let path = text("path").expect("a path").into();
        (
            path,
            (
                text("kind").expect("a kind"),
                entry["size"].as_u64(),
                text("sha256"),
            ),
        )
    });
    entries.collect()
}

/// Returns kind, size and hash of every entry at and below some paths.
fn actual_entries(
    tree: &Listing,
    live: &[PathBuf],
) -> BTreeMap<PathBuf, (String, Option<u64>, Option<String>)> {
    let below = |path: &Path| live.iter().any(|live| path.starts_with(live));
    let paths = tree.paths(|path, _| below(path));
    let entries = paths.into_iter().map(|path| {
        let entry = tree.get(&path).expect("listed");
        let size = (entry.kind == "file").then_some(entry.size);
        let facts = (
            entry.kind.to_owned(),
            size,
            entry.sha256.map(|digest| digest.to_string()),
        );
        (path, facts)
    });
    entries.collect()
}

/// Counts the operations of a plan by step and kind.
fn operations(plan: &Value) -> BTreeMap<(String, String), usize> {
    let mut counts = BTreeMap::new();
    for step in plan["steps"].as_array().expect("steps") {
        for operation in step["operations"].as_array().expect("operations") {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            *counts
                .entry((text(&step["id"]), text(&operation["kind"])))
                .or_insert(0) += 1;
        }
    }
    counts
}

#[test]
fn an_apply_reaches_exactly_the_expected_state_of_its_plan() {
    let world = World::with_deployment();
    let plan = world.plan("kb952076.toml");
    let live = live_paths(&plan);
    let ran = world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    let (before, after) = (ran.before().clone(), ran.after());
    assert_eq!(actual_entries(&after, &live), expected_entries(&plan));
    // The directory of the records is made for the first of them.
    let is_made = |path: &Path| path == Path::new("applied");
    let elsewhere = |path: &Path| !is_made(path) && !live.iter().any(|live| path.starts_with(live));
    before.only(elsewhere).assert_same(&after.only(elsewhere));
}

#[test]
fn the_plan_has_every_operation_of_the_article() {
    let plan = World::with_deployment().plan("kb952076.toml");
    let expected = [
        (("copy", "replace"), 18),
        (("initialize", "initialize"), 3),
        // 11 items, and 7 web services on two servers each.
        (("install", "install"), 11 + 7 * 2),
        (("restart-engine", "start"), 2),
        (("restart-engine", "stop"), 2),
        (("uninstall", "uninstall"), 11 + 7 * 2),
    ];
    let expected =
        expected.map(|((step, kind), count)| ((step.to_owned(), kind.to_owned()), count));
    assert_eq!(operations(&plan), BTreeMap::from(expected));
    assert_eq!(plan["applied"]["after"], serde_json::json!(["KB952076"]));
}

#[test]
fn replaced_files_are_kept_in_their_slots() {
    let world = World::with_deployment();
    let plan = world.plan("kb952076.toml");
    let ran = world.run(APPLY).exits_with(exit::OK);
    let mut saved = 0;
    for swap in plan["swaps"]
        .as_array()
        .expect("swaps")
        .iter()
        .filter(|swap| swap["step"] == "copy")
    {
        let live = swap["live"].as_str().expect("a live path");
        let slot = world
            .run_directory(RUN)
            .join("slots")
            .join(swap["number"].to_string());
        let (old, before) = (
            Listing::of(&slot.join("old")),
            ran.before().get(live).expect("an entry"),
        );
        assert_eq!(old.get(""), Some(before), "{live}");
        assert!(!slot.join("new").exists());
        saved += 1;
    }
    assert_eq!(saved, 18);
}

#[test]
fn removed_instances_are_kept_in_their_slots() {
    let world = World::with_deployment();
    let plan = world.plan("kb952076.toml");
    let ran = world.run(APPLY).exits_with(exit::OK);
    let swaps = plan["swaps"]
        .as_array()
        .expect("swaps")
        .iter()
        .filter(|swap| swap["step"] == "uninstall");
    for swap in swaps {
        let live = Path::new(swap["live"].as_str().expect("a live path"));
        let old = world
            .run_directory(RUN)
            .join("slots")
            .join(swap["number"].to_string())
            .join("old");
        let before = ran.before().clone().only(|path| path.starts_with(live));
        let after = Listing::of(&old);
        for path in before.paths(|_, _| true) {
            let below = path.strip_prefix(live).expect("a path below");
            assert_eq!(before.get(&path), after.get(below), "{}", path.display());
        }
        assert_eq!(
            before.paths(|_, _| true).len(),
            after.paths(|_, _| true).len(),
            "{}",
            live.display()
        );
    }
}

#[test]
fn apply_prints_a_summary() {
    World::with_deployment()
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("applied KB952076 as run 0001-KB952076")
        .prints("removed 18 items, 7 of them on 2 servers: 25 instances in all")
        .prints("installed 18 items, 7 of them on 2 servers: 25 instances in all")
        .prints("copied 18 files; the 18 files they replace are kept")
        .prints("ran 3 procedures")
        .prints("restarted Provisioning Engine on MPS01, MPS02");
}

#[test]
fn new_files_have_the_bytes_and_times_of_the_payload_and_the_spelling_of_the_share() {
    let world = World::with_deployment();
    let after = world.run(APPLY).exits_with(exit::OK).after();
    let mut compared = 0;
    for path in after.paths(|path, entry| path.starts_with("MSIShare") && entry.kind == "file") {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .expect("a plain name");
        let payload = Listing::of(&world.at("KB952076"));
        let of_payload = payload.paths(|path, _| path.as_os_str().eq_ignore_ascii_case(name));
        if let [found] = &of_payload[..] {
            let (in_payload, in_share) = (
                payload.get(found).expect("listed"),
                after.get(&path).expect("listed"),
            );
            assert_eq!(
                (in_payload.sha256, in_payload.modified),
                (in_share.sha256, in_share.modified),
                "{name}"
            );
            assert_ne!(
                found.to_str(),
                Some(name),
                "the file table has other spellings"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 18);
}

#[test]
fn a_service_is_started_once_on_each_server_of_its_role() {
    let world = World::with_deployment();
    let ran = world.run(APPLY).exits_with(exit::OK);
    let after = ran.after();
    for server in ["MPS01", "MPS02"] {
        let service = world.read(&format!(
            "Servers/{server}/Services/Provisioning Engine.toml"
        ));
        let service: toml::Table = service.parse().expect("a record");
        assert_eq!(service["running"].as_bool(), Some(true));
        assert_eq!(service["enabled"].as_bool(), Some(true));
    }
    for (server, service) in [
        ("PROV01", "IIS"),
        ("MPSSQL01", "SQL Server"),
        ("EXHUB01", "Exchange Transport"),
    ] {
        let record = format!("Servers/{server}/Services/{service}.toml");
        assert_eq!(after.get(&record), ran.before().get(&record), "{record}");
    }
}

#[test]
fn missing_items_are_not_installed_and_are_named() {
    let world = World::with_deployment();
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("left out of install, as not installed here")
        .prints("Exchange 2003 Coexistence Provider")
        .prints("Hosted SharePoint 2007 Web Service on PROV02");
    assert!(
        !world
            .live("Hosted Exchange/Exchange Provisioning/Exchange 2003 Coexistence Provider")
            .exists()
    );
    assert!(
        !world
            .live("MPS Web Services/Hosted SharePoint 2007 Web Service")
            .exists()
    );
}

#[test]
fn a_second_apply_has_nothing_to_do() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("nothing to do: KB952076 revision 1.0 is applied, and nothing has changed since")
        .does_not_print("staging run")
        .tree_is_unchanged();
    assert!(!world.run_directory("0002-KB952076").exists());
}

#[test]
fn reapply_repeats_every_step() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let ran = world
        .run("apply kb952076.toml --yes --reapply")
        .exits_with(exit::OK);
    ran.prints("applied KB952076 as run 0002-KB952076")
        .prints("installed 18 items")
        .prints("restarted Provisioning Engine");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_second_apply_names_files_that_changed() {
    let world = World::with_deployment();
    let after = world.run(APPLY).exits_with(exit::OK).after();
    let condition = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.eq_ignore_ascii_case("Exchange2007Provider.dll"))
    };
    let [dll] = &after.paths(|path, _| condition(path))[..] else {
        panic!("one such file")
    };
    let dll = dll.to_str().expect("a plain path");
    let world = world.write_file(dll, "changed by hand");
    world
        .run(APPLY)
        .exits_with(exit::MISMATCH)
        .prints("is applied, but has drifted since")
        .prints(dll)
        .tree_is_unchanged();
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints(dll)
        .nothing_was_touched();
    world
        .run("apply kb952076.toml --yes --reapply")
        .exits_with(exit::OK);
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn after_an_apply_the_deployment_is_clean_and_everything_matches() {
    let world = World::with_deployment();
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("applied: KB948755 (listed in `deployment.toml`)");
    world
        .run("history")
        .exits_with(exit::OK)
        .prints("no run yet");
    world.run(APPLY).exits_with(exit::OK);
    world
        .run("verify")
        .exits_with(exit::OK)
        .prints("everything matches")
        .does_not_print("drift")
        .does_not_print("unmanaged");
    let status = world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress")
        .prints("applied: KB952076 revision 1.0");
    status.prints("superseded: KB948755").prints("by KB952076");
    world
        .run("history")
        .exits_with(exit::OK)
        .prints("1 KB952076 applied")
        .prints("1 run, 1 can be undone");
    let history = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(history["runs"][0]["state"], "applied");
    assert_eq!(history["runs"].as_array().map(Vec::len), Some(1));
    let status = world
        .run("status --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&status["open"], &status["in_progress_by"]),
        (&Value::Null, &Value::Null),
        "no command is running"
    );
    assert_eq!(
        status["applied"],
        serde_json::json!([{ "kb": "KB952076", "revision": "1.0" }])
    );
}

#[test]
fn the_recorded_state_is_the_expected_state_of_the_plan() {
    let world = World::with_deployment();
    let mut plan = world.plan("kb952076.toml");
    world.run(APPLY).exits_with(exit::OK);
    let history = world
        .run("history --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        history["runs"][0]["measured"],
        plan["expected_state"]["digest"]
    );
    assert_eq!(history["runs"][0]["plan"], plan["digest"]);
    let saved =
        fs::read_to_string(world.run_directory(RUN).join("plan.json")).expect("a saved plan");
    // The keys about the command are not part of the plan.
    for key in ["outcome", "exit_code", "changed"] {
        let value = plan
            .as_object_mut()
            .and_then(|document| document.remove(key));
        assert!(value.is_some(), "`{key}` is missing");
    }
    assert!(
        serde_json::from_str::<Value>(&saved).expect("JSON") == plan,
        "the saved plan differs"
    );
}

#[test]
fn the_record_of_an_applied_rollup_states_its_relations_and_what_it_brought() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let record: toml::Table = world
        .read("applied/KB952076.toml")
        .parse()
        .expect("a record");
    let is_digest = |text: &str| text.parse::<rollup::names::Digest>().is_ok();
    assert_eq!(record["schema"].as_integer(), Some(1));
    assert_eq!(
        (record["kb"].as_str(), record["revision"].as_str()),
        (Some("KB952076"), Some("1.0"))
    );
    assert!(record["manifest"].as_str().is_some_and(is_digest));
    assert_eq!(
        record["includes"],
        toml::Value::Array(vec!["KB948755".into()])
    );
    let covered: Vec<&str> = record["servers"]["mps-web"]
        .as_array()
        .expect("servers")
        .iter()
        .filter_map(toml::Value::as_str)
        .collect();
    assert_eq!(covered, ["PROV01", "PROV02"]);
    let item = &record["items"]["Hosted Email 2007 Web Service"];
    assert_eq!(item["version"].as_str(), Some("4.0.300"));
    assert!(
        item.get("servers").is_none(),
        "it is on all of them: {item}"
    );
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("applied: KB952076 revision 1.0")
        .prints("superseded: KB948755 (listed in `deployment.toml`), by KB952076");
}

#[test]
fn the_record_of_an_installed_item_names_its_rollup_and_installer() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let state = world.read("MPS Web Services/Hosted Email 2007 Web Service/PROV02/state.toml");
    let state: toml::Table = state.parse().expect("a record");
    for (key, value) in [
        ("state", "verified"),
        ("kb", "KB952076"),
        ("revision", "1.0"),
        ("version", "4.0.300"),
    ] {
        assert_eq!(state[key].as_str(), Some(value), "{key}");
    }
    assert_eq!(
        state["product"].as_str(),
        Some("Hosted Email 2007 Web Service")
    );
    assert_eq!(
        state["installer"]["name"].as_str(),
        Some("HostedEmail2007WS.msi")
    );
    let files = state["files"].as_table().expect("files");
    assert!(!files.is_empty());
    for (path, facts) in files {
        let at = world
            .live("MPS Web Services/Hosted Email 2007 Web Service/PROV02/files")
            .join(path);
        let bytes = fs::read(at).expect("an installed file");
        assert_eq!(facts["size"].as_integer(), Some(bytes.len() as i64));
        assert_eq!(
            facts["sha256"].as_str(),
            Some(rollup::names::Digest::of(&bytes).to_string().as_str())
        );
    }
}

#[test]
fn the_same_rollup_gives_the_same_bytes_on_two_copies() {
    let (first, second) = (World::with_deployment(), World::with_deployment());
    let first = first
        .run(APPLY)
        .exits_with(exit::OK)
        .after()
        .without_times();
    first.assert_same(
        &second
            .run(APPLY)
            .exits_with(exit::OK)
            .after()
            .without_times(),
    );
}
