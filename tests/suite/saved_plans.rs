//! A plan that was saved is shown as it was, applied exactly as it was, and refused when what it
//! touches has moved.

use serde_json::Value;

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{Ran, World, exit};

const SAVE: &str = "plan small.toml --save plan.json";
const APPLY_PLAN: &str = "apply plan.json --yes";

fn saved() -> World {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run(SAVE)
        .exits_with(exit::OK)
        .nothing_was_touched()
        .says("is saved in plan.json");
    world
}

/// A manifest that touches every kind of thing: an item on a server, a file, a procedure and
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

fn is_stale<'w>(world: &'w World, why: &str) -> Ran<'w> {
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
        .says("the saved plan")
        .says("is stale")
        .says(why)
        .says("makes a plan of what is true now");
    // It can still be looked at.
    world
        .run("show plan.json")
        .exits_with(exit::OK)
        .says(&digest(world));
    ran
}

#[test]
fn a_saved_plan_is_applied_without_another_word() {
    let world = saved();
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .says(&digest(&world))
        .says("as previewed");
    world.run("history").says(&digest(&world));
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn it_does_what_the_manifest_does() {
    let by_manifest = small_world(UPDATE_PROVIDER);
    let by_manifest = by_manifest
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .after()
        .without_times();
    by_manifest.assert_same(
        &saved()
            .run(APPLY_PLAN)
            .exits_with(exit::OK)
            .after()
            .without_times(),
    );
}

#[test]
fn it_is_used_up_when_its_run_finished_and_valid_again_when_that_is_undone() {
    let world = saved();
    world.run(APPLY_PLAN).exits_with(exit::OK);
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .tree_is_unchanged()
        .says("nothing to do");
    world.run("undo last --yes").exits_with(exit::OK);
    world
        .run("plan plan.json")
        .exits_with(exit::OK)
        .says(&digest(&world));
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .says("as previewed");
    let world = world.put(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "a hotfix",
    );
    world
        .run(APPLY_PLAN)
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged();
}

#[test]
fn it_can_be_staged_and_committed_later() {
    let world = saved();
    world
        .run("stage plan.json --yes")
        .exits_with(exit::OK)
        .says("rollup apply plan.json -d deployment");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .says("lies staged with this plan")
        .says("as previewed");
}

#[test]
fn a_change_elsewhere_does_not_make_it_stale() {
    let world = saved()
        .put("Web/Site/WEB01/files/his.txt", "his")
        .put("Servers/WEB01/Files/his.txt", "his");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn a_state_that_moved_is_named() {
    let all = || {
        let world = small_world(ALL_KINDS);
        world.run(SAVE).exits_with(exit::OK);
        world
    };
    is_stale(
        &all().put(
            "Servers/WEB01/Services/IIS.toml",
            "schema = 1\nrunning = true\nenabled = true\nstarts = 7\n",
        ),
        "`Servers/WEB01/Services/IIS.toml`",
    );
    is_stale(
        &all().put(
            "Web/Site/WEB01/files/Program Files/Site/Site.dll",
            "a hotfix",
        ),
        "`Web/Site/WEB01/files/Program Files/Site/Site.dll`",
    );
    let his = "Web/Site/WEB01/files/his.txt";
    is_stale(
        &all().put(his, "his"),
        &format!("`{his}` is an operator's file that came since"),
    );
    let path = "Things/Initialize Things/state.toml";
    let record = all().read(path).replace("dc1", "dc2");
    is_stale(&all().put(path, record), &format!("`{path}`"));
}

#[test]
fn an_installer_that_changed_in_the_share_is_named() {
    is_stale(
        &saved().put("Share/Provider.msi", "another one"),
        "`Share/Provider.msi`",
    );
}

#[test]
fn a_server_that_was_added_is_named() {
    let world = small_world(ALL_KINDS);
    world.run(SAVE).exits_with(exit::OK);
    let more = SMALL.replace(
        "{ name = \"WEB01\", roles = [\"web\"] },",
        "{ name = \"WEB01\", roles = [\"web\"] }, { name = \"WEB02\", roles = [\"web\"] },",
    );
    let world = world.put("deployment.toml", more);
    is_stale(&world, "WEB02 is to be done now and was not");
}

#[test]
fn a_manifest_that_changed_is_named() {
    is_stale(
        &saved().edit("small.toml", "A small rollup", "Another title"),
        "the manifest was changed since",
    );
    let world = saved();
    std::fs::remove_file(world.at("small.toml")).expect("removed");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::NO_INPUT)
        .says("the manifest of the plan is gone");
}

#[test]
fn a_payload_that_changed_is_named() {
    let other = small_world(&UPDATE_PROVIDER.replace(
        "{ name = \"Provider.msi\" }",
        "{ name = \"Provider.msi\", size = 40_960 }",
    ));
    let world = saved();
    std::fs::copy(
        other.at("KB100001/Provider.msi"),
        world.at("KB100001/Provider.msi"),
    )
    .expect("copied");
    is_stale(
        &world,
        "`Provider.msi` in the payload is another file than then",
    );
}

#[test]
fn the_level_that_changed_is_named() {
    let world = saved().edit(
        "deployment/deployment.toml",
        "share = \"Share\"",
        "share = \"Share\"\nlevel = [\"KB99\"]",
    );
    is_stale(&world, "in force was nothing, and now is KB99");
}

#[test]
fn an_approved_digest_holds_a_manifest_to_its_plan() {
    let world = saved();
    let approved = digest(&world);
    let other = "0".repeat(64);
    let ran = world
        .run(&format!("{APPLY_SMALL} --expect-plan {other}"))
        .exits_with(exit::STALE_PLAN);
    ran.tree_is_unchanged().says(&format!(
        "the plan is {approved} now, and {other} was approved"
    ));
    world
        .run(&format!("{APPLY_SMALL} --expect-plan {approved}"))
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn what_is_no_plan_of_ours_is_refused() {
    let world = saved().edit("plan.json", "\"action\": \"copy\"", "\"action\": \"run\"");
    world
        .run(APPLY_PLAN)
        .exits_with(exit::INVALID)
        .says("changed by hand or damaged")
        .nothing_was_touched();
    let world = world.edit("plan.json", "\"schema\": 1", "\"schema\": 2");
    world
        .run("show plan.json")
        .exits_with(exit::INVALID)
        .says("schema 2");
    world
        .run("show small.toml")
        .exits_with(exit::INVALID)
        .says("`small.toml` is no saved plan");
    world.run("show nowhere.json").exits_with(exit::NO_INPUT);
    saved()
        .run("apply plan.json --yes --include-missing")
        .exits_with(exit::USAGE)
        .says("is decided already");
}

#[test]
fn a_preview_is_never_written_over_what_it_is_made_from() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(SAVE).exits_with(exit::OK);
    let kept = ["small.toml", "plan.json", "KB100001/Provider.msi"];
    let before: Vec<_> = kept
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
            ran.says("nothing was written")
                .says("name a place that is somewhere else");
        }
    }
    world
        .run("show plan.json -o deployment/applied.toml")
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    world
        .run("show plan.json -o plan.json")
        .exits_with(exit::USAGE);
    world
        .run("plan small.toml --save a.json -o ./a.json")
        .exits_with(exit::USAGE)
        .says("name the same file");
    let after: Vec<_> = kept
        .iter()
        .map(|file| std::fs::read(world.at(file)).expect("a file"))
        .collect();
    assert!(before == after);
    world
        .run("show plan.json -o -")
        .exits_with(exit::OK)
        .says("KB100001 revision 1.0");
    assert!(!world.at("-").exists());
}

#[test]
fn a_plan_whose_words_were_changed_is_refused() {
    let world = saved();
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
        std::fs::write(world.at("forged.json"), text.replacen(from, to, 1)).expect("written");
        for command in [
            "show forged.json",
            "plan forged.json",
            "apply forged.json --yes",
        ] {
            world
                .run(command)
                .exits_with(exit::INVALID)
                .tree_is_unchanged()
                .says("its digests do not fit its contents");
        }
    }
    // Nor does it help to leave the checksum out.
    let mut plan: Value = serde_json::from_str(&text).expect("JSON");
    plan.as_object_mut()
        .expect("an object")
        .remove("checksum")
        .expect("a checksum");
    std::fs::write(world.at("forged.json"), plan.to_string()).expect("written");
    world
        .run("show forged.json")
        .exits_with(exit::INVALID)
        .says("its digests do not fit its contents");
}

#[test]
fn a_plan_for_another_deployment_is_stale() {
    let world = saved().edit(
        "deployment/deployment.toml",
        "name = \"small\"",
        "name = \"large\"",
    );
    is_stale(&world, "it is a plan for `small`, and this is `large`");
}

#[test]
fn parameters_that_changed_are_named_with_both_values() {
    let world = small_world(ALL_KINDS);
    world.run(SAVE).exits_with(exit::OK);
    let world = world.edit(
        "deployment/deployment.toml",
        "controller = \"dc1\"",
        "controller = \"dc2\"",
    );
    let ran = is_stale(
        &world,
        "initialize `Initialize Things`: then verified; controller=dc1",
    );
    ran.says("now verified; controller=dc2");
}

#[test]
fn a_saved_plan_that_is_still_true_says_so() {
    saved()
        .run("plan plan.json")
        .exits_with(exit::OK)
        .says("plan.json is still true")
        .nothing_was_touched();
    let world = saved();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("plan plan.json --format html -o p.html")
        .exits_with(exit::OK)
        .says("nothing was written to p.html");
}

#[test]
fn an_approved_digest_holds_a_saved_plan_too() {
    let world = saved();
    let digest = digest(&world);
    for command in ["apply", "stage"] {
        let other = format!("{command} plan.json --yes --expect-plan {}", "0".repeat(64));
        world
            .run(&other)
            .exits_with(exit::STALE_PLAN)
            .tree_is_unchanged()
            .says("was approved");
    }
    world
        .run(&format!("apply plan.json --yes --expect-plan {digest}"))
        .exits_with(exit::OK);
}

/// A beginning of twelve digits is forged in a minute of one core.
#[test]
fn fewer_than_all_digits_are_no_approval() {
    let world = saved();
    let digest = digest(&world);
    let longer = format!("{digest}0");
    let spaced = format!("'{digest} '");
    let beginnings = [
        &digest[..1],
        &digest[..12],
        &digest[..63],
        &longer,
        &spaced,
        "''",
    ];
    for (digits, command) in beginnings
        .iter()
        .flat_map(|digits| ["apply", "stage"].map(|command| (digits, command)))
    {
        for what in ["plan.json", "small.toml"] {
            let ran = world
                .run(&format!("{command} {what} --yes --expect-plan {digits}"))
                .exits_with(exit::USAGE);
            ran.nothing_was_touched().says("expect-plan");
        }
    }
    let ran = world.run(&format!(
        "apply plan.json --yes --expect-plan {}",
        &digest[..12]
    ));
    ran.says("all 64 hexadecimal digits of its digest, which `rollup plan`, `rollup show` and `rollup history` print");
    world
        .run(&format!(
            "apply plan.json --yes --expect-plan {}",
            digest.to_uppercase()
        ))
        .exits_with(exit::OK);
}

#[test]
fn what_is_printed_for_an_approval_is_the_whole_digest() {
    let world = saved();
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
        let output = world.command(command).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned()
            + &String::from_utf8_lossy(&output.stderr);
        let shortened = text.replace(&digest, "").contains(&digest[..8]);
        assert!(!shortened, "`{command}` shortens the digest:\n{text}");
    }
    for command in ["history", "history 1", "report 1", "show plan.json"] {
        world.run(command).says(&digest);
    }
}

#[test]
fn without_a_payload_there_is_nothing_to_save() {
    let world = small_world(UPDATE_PROVIDER);
    std::fs::remove_dir_all(world.at("KB100001")).expect("removed");
    world
        .run(SAVE)
        .exits_with(exit::USAGE)
        .says("cannot be saved");
    assert!(!world.at("plan.json").exists());
}

#[test]
fn a_preview_can_tell_by_its_exit_code_that_there_is_something_to_do() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("plan small.toml --detailed-exitcode")
        .exits_with(exit::CHANGES);
    let told = world
        .run("plan small.toml --detailed-exitcode --format json")
        .exits_with(exit::CHANGES)
        .json();
    assert_eq!(
        (&told["exit_code"], &told["outcome"]),
        (&2.into(), &"changes".into())
    );
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("plan small.toml --detailed-exitcode")
        .exits_with(exit::OK)
        .says("nothing to do");
}

#[test]
fn the_way_back_is_shown_before_anything_is_done() {
    let gate =
        "[[steps]]\nid = \"database\"\naction = \"manual\"\ninstructions = \"Run up.sql.\"\n";
    let world = small_world(&format!("{gate}undo = \"Run down.sql.\"\n{ALL_KINDS}"));
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
    let places: Vec<_> = order
        .iter()
        .map(|part| ran.stdout().find(part).expect(part))
        .collect();
    assert!(places.is_sorted(), "{}", ran.stdout());
    ran.says("- remove Site on WEB01")
        .says("+ put back Site on WEB01")
        .says("~ put back Site.msi")
        .says("Run down.sql.");
    let world = small_world(&ALL_KINDS.replace("[payload]", &format!("{gate}[payload]")));
    // The whole way is shown, and from where it is no way any more.
    let ran = world
        .run("plan small.toml --undo")
        .says("nobody says how this is taken back");
    let (before, after) = ran
        .stdout()
        .split_once("nobody says how")
        .expect("it is said");
    assert!(
        !before.contains("put back") && after.contains("put back"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn the_console_is_shown_before_queued_and_after() {
    let world = small_world(ALL_KINDS);
    let ran = world
        .run("plan small.toml --tree")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("small before queued after")
        .says("WEB01 4.0.200 -+ uninstall, install 4.0.300")
        .says("Initialize Things verified * initialize verified")
        .says("Provider 4.0.200")
        .says("Extra not-installed");
    world
        .run("plan small.toml --tree --undo")
        .exits_with(exit::USAGE);
}

#[test]
fn a_ticket_has_the_whole_plan_and_its_way_back() {
    let world = saved();
    let ran = world
        .run("show plan.json --format markdown")
        .exits_with(exit::OK);
    let text = ran.stdout();
    for part in [
        "# KB100001 revision 1.0: A small rollup",
        "## Steps",
        "### 2. copy",
        "## Files",
        "## The way back",
    ] {
        assert!(text.contains(part), "`{part}` is missing in\n{text}");
    }
    assert!(
        text.contains(&format!("| plan | `{}` |", digest(&world))),
        "{text}"
    );
    assert!(text.contains("| install | Provider | 4.0.300 |"), "{text}");
    // Every row of a table has as many cells as its head.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for table in text.split("\n\n").filter(|part| part.starts_with('|')) {
        assert!(
            table
                .lines()
                .all(|line| cells(line) == cells(table.lines().next().expect("a head"))),
            "{table}"
        );
    }
    world
        .run("plan small.toml --format markdown")
        .exits_with(exit::OK)
        .nothing_was_touched()
        .says("## The way back");
}
