//! Saved plans: they are shown and applied unchanged, and refused if the state that they depend on
//! has changed.

use serde_json::Value;

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{CommandRun, World, exit};

const SAVE: &str = "plan small.toml --save plan.json";
const APPLY_PLAN: &str = "apply plan.json --yes";

fn world_with_saved_plan() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run(SAVE)
        .exits_with(exit::OK)
        .nothing_was_touched()
        .prints("saved to plan.json");
    world
}

/// Manifest that changes one target of each kind: an item on a server, a file, a procedure and
/// services.
pub(crate) const ALL_KINDS: &str = r#"
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
id = "initialize"
action = "initialize"
items."Things" = ["Initialize Things"]
[[steps]]
id = "restart"
action = "restart"
service = "IIS"
[payload]
files = [{ name = "Site.msi" }]
"#;

fn digest(world: &World) -> String {
    let plan: Value =
        serde_json::from_slice(&std::fs::read(world.at("plan.json")).expect("a plan"))
            .expect("JSON");
    plan["digest"].as_str().expect("a digest").to_owned()
}

fn assert_stale<'w>(world: &'w World, reason: &str) -> CommandRun<'w> {
    for command in ["plan plan.json", "apply plan.json --yes --dry-run"] {
        world
            .run(command)
            .exits_with(exit::STALE_PLAN)
            .nothing_was_touched();
    }
    let ran = world
        .run(APPLY_PLAN)
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
    let ran = ran
        .prints("the saved plan")
        .prints("is stale")
        .prints(reason)
        .prints("--save FILE` plans again");
    // A stale plan can still be shown.
    world
        .run("show plan.json")
        .exits_with(exit::OK)
        .prints(&digest(world));
    ran
}

#[test]
fn a_saved_plan_is_applied() {
    let world = world_with_saved_plan();
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .prints(&digest(&world))
        .prints("the result matches the plan");
    world.run("history 1").prints(&digest(&world));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_saved_plan_has_the_same_result_as_its_manifest() {
    let from_manifest = small_world(UPDATE_PROVIDER);
    let from_manifest = from_manifest
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .after()
        .without_times();
    from_manifest.assert_same(
        &world_with_saved_plan()
            .run(APPLY_PLAN)
            .exits_with(exit::OK)
            .after()
            .without_times(),
    );
}

#[test]
fn a_saved_plan_can_be_applied_again_after_an_undo() {
    let world = world_with_saved_plan();
    world.run(APPLY_PLAN).exits_with(exit::OK);
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .tree_is_unchanged()
        .prints("nothing to do");
    world.run("undo last --yes").exits_with(exit::OK);
    world
        .run("plan plan.json")
        .exits_with(exit::OK)
        .prints(&digest(&world));
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    let world = world.write_file(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "a hotfix",
    );
    world
        .run(APPLY_PLAN)
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
}

#[test]
fn a_saved_plan_can_be_staged_and_committed_later() {
    let world = world_with_saved_plan();
    world
        .run("stage plan.json --yes")
        .exits_with(exit::OK)
        .prints("rollup resume -d deployment");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .prints("is staged with this plan")
        .prints("the result matches the plan");
}

#[test]
fn a_change_elsewhere_does_not_make_a_plan_stale() {
    let world = world_with_saved_plan()
        .write_file("Web/Site/WEB01/files/notes.txt", "unmanaged")
        .write_file("Servers/WEB01/Files/notes.txt", "unmanaged");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn a_changed_target_makes_a_plan_stale() {
    let all = || {
        let world = small_world(ALL_KINDS);
        world.run(SAVE).exits_with(exit::OK);
        world
    };
    assert_stale(
        &all().write_file(
            "Servers/WEB01/Services/IIS.toml",
            "schema = 1\nrunning = true\nenabled = true\n# touched\n",
        ),
        "`Servers/WEB01/Services/IIS.toml`",
    );
    assert_stale(
        &all().write_file(
            "Web/Site/WEB01/files/Program Files/Site/Site.dll",
            "a hotfix",
        ),
        "`Web/Site/WEB01/files/Program Files/Site/Site.dll`",
    );
    let path = "Things/Initialize Things/state.toml";
    let record = all().read(path).replace("dc1", "dc2");
    assert_stale(&all().write_file(path, record), &format!("`{path}`"));
}

#[test]
fn a_changed_installer_in_the_share_makes_a_plan_stale() {
    assert_stale(
        &world_with_saved_plan().write_file("Share/Provider.msi", "another one"),
        "`Share/Provider.msi`",
    );
}

#[test]
fn an_added_server_makes_a_plan_stale() {
    let world = small_world(ALL_KINDS);
    world.run(SAVE).exits_with(exit::OK);
    let new_server_list = SMALL.replace(
        "{ name = \"WEB01\", roles = [\"web\"] },",
        "{ name = \"WEB01\", roles = [\"web\"] }, { name = \"WEB02\", roles = [\"web\"] },",
    );
    let world = world.write_file("deployment.toml", new_server_list);
    assert_stale(&world, "WEB02 is in the plan now, and was not before");
}

/// A run takes the unmanaged files that it finds, and a change elsewhere concerns it as little.
#[test]
fn unmanaged_files_and_the_rest_of_the_console_are_noted() {
    let world = small_world(ALL_KINDS);
    world.run(SAVE).exits_with(exit::OK);
    let unmanaged = [
        "Web/Site/WEB01/files/notes.txt",
        "Web/Site/WEB01/files/Program Files/Site/own/notes.txt",
        "Web/Site/WEB01/files/Program Files/more.txt",
    ];
    let mut world = world.edit(
        "deployment/Things/Provider/state.toml",
        "4.0.200",
        "4.0.201",
    );
    for path in unmanaged {
        world = world.write_file(path, "unmanaged");
    }
    for command in ["plan plan.json", "apply plan.json --dry-run"] {
        world
            .run(command)
            .exits_with(exit::OK)
            .nothing_was_touched()
            .prints("note: since the plan was saved, `Web/Site/WEB01/files/notes.txt` is an")
            .prints("in the rest of the console, `console[Things].items[Provider]")
            .prints("was \"4.0.200\", and now is \"4.0.201\"");
    }
    world
        .run(
            "apply small.toml --dry-run --yes --expect-plan DIGEST"
                .replace("DIGEST", &digest(&world))
                .as_str(),
        )
        .exits_with(exit::OK);
    let ran = world.run(APPLY_PLAN).exits_with(exit::OK);
    ran.prints("note: since the plan was saved")
        .prints("the result matches the plan");
    for path in unmanaged {
        assert_eq!(world.read(path), "unmanaged");
    }
    std::fs::remove_file(world.live(unmanaged[0])).expect("removed");
    world.run("undo last --yes").exits_with(exit::OK);
}

#[test]
fn a_saved_plan_has_its_manifest() {
    let world = world_with_saved_plan().edit("small.toml", "A small rollup", "Another title");
    world.run("plan plan.json").exits_with(exit::OK);
    std::fs::remove_file(world.at("small.toml")).expect("removed");
    let text = world.read("../plan.json");
    let manifest = crate::small::small("KB100001", UPDATE_PROVIDER);
    world.run(APPLY_PLAN).exits_with(exit::OK);
    let kept = world.run_directory("0001-KB100001").join("manifest.toml");
    assert_eq!(std::fs::read_to_string(kept).expect("a manifest"), manifest);
    let here = world.at("").display().to_string();
    assert!(!text.contains(here.trim_end_matches('/')), "{text}");
}

/// Returns a saved plan with another text of its manifest.
fn with_manifest_text(world: &World, change: impl FnOnce(&str) -> String) -> String {
    let mut plan: Value = serde_json::from_str(&world.read("../plan.json")).expect("JSON");
    let text = plan["manifest_text"].as_str().expect("a text");
    plan["manifest_text"] = change(text).into();
    plan.to_string()
}

/// Checks that every command which takes a saved plan refuses this text of one.
#[track_caller]
fn refuses_forged(world: &World, text: &str, words: &str) {
    std::fs::write(world.at("forged.json"), text).expect("written");
    for command in [
        "show forged.json",
        "plan forged.json",
        "apply forged.json --yes",
    ] {
        let ran = world.run(command).exits_with(exit::INVALID);
        ran.nothing_was_touched().prints(words);
    }
}

#[test]
fn another_manifest_in_a_saved_plan_is_refused() {
    let world = world_with_saved_plan();
    let changes: [fn(&str) -> String; 4] = [
        |text| text.replace("A small rollup", "A harmless rollup"),
        |text| text.replace("action = \"install\"", "action = \"manual\""),
        |_| String::new(),
        |text| format!("{text}x"),
    ];
    for change in changes {
        let words = "the manifest in it is not the one that the plan was made from";
        refuses_forged(&world, &with_manifest_text(&world, change), words);
    }
    let commented = with_manifest_text(&world, |text| format!("# reviewed\r\n{text}"));
    std::fs::write(world.at("commented.json"), commented).expect("written");
    world.run("apply commented.json --yes").exits_with(exit::OK);
}

#[test]
fn comments_and_line_ends_leave_a_digest_as_it_is() {
    let world = world_with_saved_plan();
    let approved = digest(&world);
    for (document, at) in [
        ("deployment.toml", "deployment/deployment.toml"),
        ("small.toml", "small.toml"),
    ] {
        let text = std::fs::read_to_string(world.at(at)).expect("a text");
        let text = format!("# {document}\n\n{text}# the end\n").replace('\n', "\r\n");
        std::fs::write(world.at(at), text).expect("written");
    }
    world
        .run(&format!(
            "apply small.toml --yes --dry-run --expect-plan {approved}"
        ))
        .exits_with(exit::OK);
    let world = world.edit("small.toml", "A small rollup", "Another title");
    world
        .run(&format!("{APPLY_SMALL} --expect-plan {approved}"))
        .exits_with(exit::STALE_PLAN)
        .nothing_was_touched();
}

#[test]
fn a_changed_description_makes_a_plan_stale() {
    let world = world_with_saved_plan().edit(
        "deployment/deployment.toml",
        "service_pack = 2",
        "service_pack = 3",
    );
    assert_stale(
        &world,
        "since the plan was saved, `deployment.toml` has changed",
    );
}

#[test]
fn the_command_after_a_save_works_as_it_is_printed() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        std::fs::create_dir(world.at("out")).expect("made");
        std::fs::rename(world.at("KB100001"), world.at("files")).expect("renamed");
    });
    let ran = world
        .run("plan small.toml -p files --save out/plan.json")
        .exits_with(exit::OK);
    let (printed, _) = ran.printed();
    let next = printed.split("next: rollup ").nth(1).expect("a command");
    let next = next.lines().next().expect("a line").to_owned();
    std::fs::remove_file(world.at("small.toml")).expect("removed");
    // Without `-p`, the payload is looked for beside the plan.
    world
        .run("apply out/plan.json --yes")
        .exits_with(exit::USAGE)
        .nothing_was_touched()
        .prints("no directory `KB100001` is beside the saved plan")
        .prints("`--payload DIR`");
    let ran = world.run(&next).exits_with(exit::OK);
    ran.prints("the result matches the plan");
}

#[test]
fn a_saved_plan_is_used_with_the_options_that_it_was_made_with() {
    let world = small_world(&ALL_KINDS.replace(
        "items.\"Things\" = [\"Initialize Things\"]",
        "items.\"Things\" = [\"Initialize Things\"]\n[[steps]]\nid = \"all\"\naction = \"install\"\ngroups = [\"Things\"]",
    ));
    world
        .run("plan small.toml --include-missing --save plan.json")
        .exits_with(exit::OK);
    world
        .run("plan small.toml --format json")
        .exits_with(exit::OK)
        .prints("\"include_missing\": \"no\"");
    world
        .run("plan plan.json --format json")
        .exits_with(exit::OK)
        .prints("\"include_missing\": \"yes\"");
}

#[test]
fn a_changed_payload_makes_a_plan_stale() {
    let other = small_world(&UPDATE_PROVIDER.replace(
        "{ name = \"Provider.msi\" }",
        "{ name = \"Provider.msi\", size = 40_960 }",
    ));
    let world = world_with_saved_plan();
    std::fs::copy(
        other.at("KB100001/Provider.msi"),
        world.at("KB100001/Provider.msi"),
    )
    .expect("copied");
    assert_stale(
        &world,
        "`Provider.msi` in the payload is not the file that the plan was made from",
    );
}

#[test]
fn changed_applied_rollups_make_a_plan_stale() {
    let world = world_with_saved_plan().edit(
        "deployment/deployment.toml",
        "share = \"Share\"",
        "share = \"Share\"\napplied = [\"KB99\"]",
    );
    assert_stale(&world, "applied was none, and now is KB99");
}

#[test]
fn expect_plan_refuses_a_manifest_with_another_plan() {
    let world = world_with_saved_plan();
    let plan_digest = digest(&world);
    let other = "0".repeat(64);
    let ran = world
        .run(&format!("{APPLY_SMALL} --expect-plan {other}"))
        .exits_with(exit::STALE_PLAN);
    ran.tree_is_unchanged().prints(&format!(
        "the plan now has the digest {plan_digest}; approved was {other}"
    ));
    world
        .run(&format!("{APPLY_SMALL} --expect-plan {plan_digest}"))
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn a_file_that_is_not_a_valid_plan_is_refused() {
    let world =
        world_with_saved_plan().edit("plan.json", "\"action\": \"copy\"", "\"action\": \"run\"");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::INVALID)
        .prints("it was changed by hand or is damaged")
        .nothing_was_touched();
    let world = world.edit("plan.json", "\"schema\": 1", "\"schema\": 2");
    world
        .run("show plan.json")
        .exits_with(exit::INVALID)
        .prints("schema 2");
    world
        .run("show small.toml")
        .exits_with(exit::INVALID)
        .prints("`small.toml` is not a saved plan");
    world.run("show nowhere.json").exits_with(exit::NO_INPUT);
    world_with_saved_plan()
        .run("apply plan.json --yes --include-missing")
        .exits_with(exit::USAGE)
        .prints("the options of a saved plan cannot be changed");
}

#[test]
fn a_preview_never_replaces_an_input() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(SAVE).exits_with(exit::OK);
    let inputs = ["small.toml", "plan.json", "KB100001/Provider.msi"];
    let before: Vec<_> = inputs
        .iter()
        .map(|file| std::fs::read(world.at(file)).expect("a file"))
        .collect();
    for file in [
        "./small.toml",
        "KB100001/Provider.msi",
        "deployment/deployment.toml",
        "deployment/Things/plan.json",
    ] {
        for flag in ["--save", "--format html -o"] {
            let ran = world
                .run(&format!("plan small.toml {flag} {file}"))
                .exits_with(exit::USAGE)
                .nothing_was_touched();
            ran.prints("now: this command changed nothing")
                .prints("name a path somewhere else");
        }
    }
    world
        .run("show plan.json -o deployment/Share/plan.json")
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    world
        .run("show plan.json -o plan.json")
        .exits_with(exit::USAGE);
    world
        .run("plan small.toml --save a.json -o ./a.json")
        .exits_with(exit::USAGE)
        .prints("name the same file");
    let after: Vec<_> = inputs
        .iter()
        .map(|file| std::fs::read(world.at(file)).expect("a file"))
        .collect();
    assert!(before == after);
    world
        .run("show plan.json -o -")
        .exits_with(exit::OK)
        .prints("KB100001 revision 1.0");
    assert!(!world.at("-").exists());
}

#[test]
fn a_plan_with_changed_contents_is_refused() {
    let world = world_with_saved_plan();
    let text = world.read("../plan.json");
    let changes = [
        ("A small rollup", "A harmless rollup"),
        ("\"target\": \"Provider\"", "\"target\": \"Nothing\""),
        ("\"deployment\": \"small\"", "\"deployment\": \"large\""),
        ("so only name, size", "and all is well, size"),
        ("\"state\": \"verified\"", "\"state\": \"not-installed\""),
    ];
    for (from, to) in changes {
        assert!(text.contains(from), "{from}: {text}");
        let words = "its digests do not match its contents";
        refuses_forged(&world, &text.replacen(from, to, 1), words);
    }
    // A plan without its checksum is refused, too.
    let mut plan: Value = serde_json::from_str(&text).expect("JSON");
    plan.as_object_mut()
        .expect("an object")
        .remove("checksum")
        .expect("a checksum");
    std::fs::write(world.at("forged.json"), plan.to_string()).expect("written");
    world
        .run("show forged.json")
        .exits_with(exit::INVALID)
        .prints("its digests do not match its contents");
}

#[test]
fn a_plan_for_another_deployment_is_stale() {
    let world = world_with_saved_plan().edit(
        "deployment/deployment.toml",
        "name = \"small\"",
        "name = \"large\"",
    );
    assert_stale(
        &world,
        "it is a plan for `small`, and this deployment is `large`",
    );
}

#[test]
fn changed_parameters_are_named_with_both_values() {
    let world = small_world(ALL_KINDS);
    world.run(SAVE).exits_with(exit::OK);
    let world = world.edit(
        "deployment/deployment.toml",
        "controller = \"dc1\"",
        "controller = \"dc2\"",
    );
    let ran = assert_stale(
        &world,
        "initialize Initialize Things: then verified; controller=dc1",
    );
    ran.prints("now verified; controller=dc2");
}

#[test]
fn a_saved_plan_that_is_not_stale_is_reported_as_such() {
    world_with_saved_plan()
        .run("plan plan.json")
        .exits_with(exit::OK)
        .prints("plan.json still holds")
        .nothing_was_touched();
    let world = world_with_saved_plan();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("plan plan.json --format html -o p.html")
        .exits_with(exit::OK)
        .prints("nothing was written to p.html");
}

#[test]
fn expect_plan_refuses_another_saved_plan() {
    let world = world_with_saved_plan();
    let digest = digest(&world);
    for command in ["apply", "stage"] {
        let other = format!("{command} plan.json --yes --expect-plan {}", "0".repeat(64));
        world
            .run(&other)
            .exits_with(exit::STALE_PLAN)
            .tree_is_unchanged()
            .prints("approved was");
    }
    world
        .run(&format!("apply plan.json --yes --expect-plan {digest}"))
        .exits_with(exit::OK);
}

/// Twelve digits can be forged in a minute on one core.
#[test]
fn expect_plan_needs_all_digits_of_a_digest() {
    let world = world_with_saved_plan();
    let digest = digest(&world);
    let longer = format!("{digest}0");
    let spaced = format!("'{digest} '");
    let invalid_digests = [
        &digest[..1],
        &digest[..12],
        &digest[..63],
        &longer,
        &spaced,
        "''",
    ];
    for (digits, command) in invalid_digests
        .iter()
        .flat_map(|digits| ["apply", "stage"].map(|command| (digits, command)))
    {
        for file in ["plan.json", "small.toml"] {
            let ran = world
                .run(&format!("{command} {file} --yes --expect-plan {digits}"))
                .exits_with(exit::USAGE);
            ran.nothing_was_touched().prints("expect-plan");
        }
    }
    let ran = world.run(&format!(
        "apply plan.json --yes --expect-plan {}",
        &digest[..12]
    ));
    ran.prints("all 64 hexadecimal digits of the plan's digest, which `rollup plan`, `rollup show` and `rollup history RUN` print");
    world
        .run(&format!(
            "apply plan.json --yes --expect-plan {}",
            digest.to_uppercase()
        ))
        .exits_with(exit::OK);
}

#[test]
fn a_digest_is_always_printed_whole() {
    let world = world_with_saved_plan();
    let digest = digest(&world);
    for command in [
        "plan small.toml",
        "show plan.json",
        "show plan.json --undo",
        "show plan.json --format markdown",
        "show plan.json --format html",
        "apply small.toml --dry-run",
        "stage small.toml --yes",
        APPLY_PLAN,
        "history",
        "history 1",
        "report 1",
        "report 1 --format markdown",
        "report 1 --format html",
    ] {
        let output = world.command(command).output().expect("the program runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let shortened = text.replace(&digest, "").contains(&digest[..8]);
        assert!(!shortened, "`{command}` shortens the digest:\n{text}");
    }
    for command in ["history 1", "report 1", "show plan.json"] {
        world.run(command).prints(&digest);
    }
}

#[test]
fn a_plan_without_a_payload_cannot_be_saved() {
    let world = small_world(UPDATE_PROVIDER);
    std::fs::remove_dir_all(world.at("KB100001")).expect("removed");
    world
        .run(SAVE)
        .exits_with(exit::USAGE)
        .prints("cannot be saved");
    assert!(!world.at("plan.json").exists());
}

#[test]
fn the_exit_code_of_a_plan_can_show_that_there_are_changes() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("plan small.toml --detailed-exitcode")
        .exits_with(exit::CHANGES);
    let document = world
        .run("plan small.toml --detailed-exitcode --format json")
        .exits_with(exit::CHANGES)
        .json();
    assert_eq!(
        (&document["exit_code"], &document["outcome"]),
        (&2.into(), &"changes".into())
    );
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("plan small.toml --detailed-exitcode")
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn plan_undo_prints_the_rollback() {
    let manual_step =
        "[[steps]]\nid = \"database\"\naction = \"manual\"\ninstructions = \"Run up.sql.\"\n";
    let world = small_world(&format!(
        "{manual_step}undo = \"Run down.sql.\"\n{ALL_KINDS}"
    ));
    let ran = world
        .run("plan small.toml --undo")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let order = [
        "6. restart",
        "5. initialize",
        "4. install",
        "- remove ",
        "3. copy",
        "2. remove",
    ];
    let offsets: Vec<_> = order
        .iter()
        .map(|part| ran.stdout().find(part).expect(part))
        .collect();
    assert!(offsets.is_sorted(), "{}", ran.stdout());
    ran.prints("- remove Site on WEB01")
        .prints("+ restore Site on WEB01")
        .prints("~ restore Site.msi")
        .prints("Run down.sql.");
    let world = small_world(&ALL_KINDS.replace("[payload]", &format!("{manual_step}[payload]")));
    // All steps are shown, with the point of no return.
    let ran = world
        .run("plan small.toml --undo")
        .prints("point of no return: if this was done");
    let (before, after) = ran
        .stdout()
        .split_once("point of no return")
        .expect("the point of no return");
    assert!(
        !before.contains("restore") && after.contains("restore"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn plan_tree_prints_the_console_before_and_after() {
    let world = small_world(ALL_KINDS);
    let ran = world
        .run("plan small.toml --tree")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("small before queued after")
        .prints("WEB01 4.0.200 -+ uninstall, install 4.0.300")
        .prints("Initialize Things verified * initialize verified")
        .prints("Provider 4.0.200")
        .prints("Extra not-installed");
    world
        .run("plan small.toml --tree --undo")
        .exits_with(exit::USAGE);
}

#[test]
fn a_plan_in_markdown_has_all_its_parts() {
    let world = world_with_saved_plan();
    let ran = world
        .run("show plan.json --format markdown")
        .exits_with(exit::OK);
    let text = ran.stdout();
    for part in [
        "# KB100001 revision 1.0: A small rollup",
        "## Steps",
        "### 2. copy",
        "## Files",
        "## Rollback",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    assert!(
        text.contains(&format!("| plan | `{}` |", digest(&world))),
        "{text}"
    );
    assert!(text.contains("| install | Provider | 4.0.300 |"), "{text}");
    // Every row of a table has as many cells as its header.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
        assert!(
            table
                .lines()
                .all(|line| cells(line) == cells(table.lines().next().expect("a header"))),
            "{table}"
        );
    }
    world
        .run("plan small.toml --format markdown")
        .exits_with(exit::OK)
        .nothing_was_touched()
        .prints("## Rollback");
}
