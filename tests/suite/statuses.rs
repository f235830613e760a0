//! The six states that `status` knows, and what it says of each; the prompt, and the messages of
//! failures.

use std::fs;

use rollup::deployment::locked::LockedDeployment;
use rollup::deployment::tree::Tree;
use serde_json::Value;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

const STOP: &str = "apply small.toml --yes --stop-before install";

fn status(world: &World) -> Value {
    world.run("status --format json").json()
}

#[test]
fn a_stopped_run_is_interrupted_with_who_when_and_why() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(STOP).exits_with(exit::STOPPED);
    let ran = world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched();
    ran.prints("interrupted: run 0001-KB100001 is unfinished, 2 of 3 operations done")
        .prints("s ago, by ")
        .prints("stopped before step `install`, as requested (exit code 12)")
        .prints("which worked on it, has ended")
        .prints("unavailable since ")
        .prints(": Provider")
        .prints("step remove: done, 1 operation")
        .prints("at operation 3 of 3: install Provider (step install)")
        .prints("next: rollup resume -d deployment --yes finishes it or: rollup undo -d deployment --yes rolls it back");
    let document = status(&world);
    assert_eq!(document["state"], "interrupted");
    let open = &document["open"];
    assert_eq!(open["percent"], 66);
    assert_eq!(open["unavailable"], "Provider");
    for key in [
        "began_at",
        "began_by",
        "began_on",
        "stopped",
        "unavailable_since",
    ] {
        assert!(open[key].is_string(), "{key}: {open:#}");
    }
    assert_eq!(document["next"][0], "rollup resume -d deployment --yes");
    assert_eq!(document["next"][1], "rollup undo -d deployment --yes");
}

#[test]
fn a_process_at_work_is_in_progress_with_its_phase() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(STOP).exits_with(exit::STOPPED);
    let tree = Tree::open(&world.deployment()).expect("a deployment");
    let locked = LockedDeployment::lock(tree, "resume", std::time::Duration::ZERO);
    let locked = locked.expect("a free lock");
    let ran = world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched();
    ran.prints("in progress: process ")
        .prints("is changing the deployment; run 0001-KB100001: committing, 66 %")
        .does_not_print("interrupted:")
        .does_not_print("next:");
    let document = status(&world);
    assert_eq!(document["state"], "in-progress");
    drop(locked);
    world.run("status").prints("interrupted: run 0001-KB100001");
}

#[test]
fn a_staged_run_that_no_longer_fits_is_stale_and_not_to_be_committed() {
    let world = small_world(UPDATE_PROVIDER);
    world.run("stage small.toml --yes").exits_with(exit::OK);
    assert_eq!(status(&world)["state"], "staged");
    assert_eq!(
        status(&world)["next"][0],
        "rollup resume -d deployment --yes"
    );
    fs::write(world.live("Share/Provider.msi"), "another").expect("written");
    let ran = world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched();
    ran.prints(
        "staged: run 0001-KB100001 is staged and not begun; nothing has changed; it is stale",
    )
    .prints("stale: `Share/Provider.msi` has 7 bytes")
    .prints("next: rollup undo -d deployment --yes discards it; then plan and apply again")
    .does_not_print("rollup resume");
    assert_eq!(status(&world)["next"][0], "rollup undo -d deployment --yes");
}

#[test]
fn a_conflict_needs_attention() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(STOP).exits_with(exit::STOPPED);
    fs::remove_dir_all(world.live("Things/Provider")).expect("removed");
    let ran = world.run("status").exits_with(exit::NEEDS_ATTENTION);
    ran.prints("needs attention: run 0001-KB100001 is unfinished")
        .prints("problem: ");
    assert_eq!(status(&world)["state"], "needs-attention");
}

#[test]
fn a_missing_object_leaves_only_the_direction_that_does_not_need_it() {
    for (object, possible, impossible) in [
        ("3/new", "undo", "rollup resume"),
        ("2/old", "resume", "rollup undo"),
    ] {
        let world = small_world(UPDATE_PROVIDER);
        world.run(STOP).exits_with(exit::STOPPED);
        let world = world.remove(&format!(".rollup/runs/0001-KB100001/slots/{object}"));
        world
            .run("status")
            .exits_with(exit::NEEDS_ATTENTION)
            .prints("problem: both the new and the old object are missing")
            .prints(&format!("next: rollup {possible} -d deployment --yes"))
            .does_not_print("fix the problems above")
            .does_not_print(impossible);
        world.run(&format!("{possible} --yes")).exits_with(exit::OK);
    }
}

#[test]
fn a_clean_deployment_says_so() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("clean: no run in progress");
    assert_eq!(status(&world)["state"], "clean");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_eq!(status(&world)["state"], "clean");
}

#[test]
fn the_prompt_ends_with_the_change_the_outage_the_rollback_and_the_deployment() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .at_terminal("apply small.toml", "n\n")
        .exits_with(exit::INTERRUPTED)
        .tree_is_unchanged();
    let (text, _) = ran.printed();
    let lines: Vec<&str> = text.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("[y/N]"))
        .expect("a prompt");
    let last = lines[at - 3..=at].join("\n");
    for words in [
        "changes: 3 operations in 3 steps",
        "unavailable during the run: 1 item",
        "undo: everything can be rolled back",
        "Apply KB100001 to small in deployment? [y/N]",
    ] {
        assert!(last.contains(words), "`{words}` is not in\n{last}");
    }
    world.run(STOP).exits_with(exit::STOPPED);
    world
        .at_terminal("undo", "n\n")
        .exits_with(exit::INTERRUPTED)
        .prints("unavailable now, until it ends: Provider")
        .does_not_print("outage: ")
        .prints("Roll back run 0001-KB100001 of small in deployment? [y/N]");
    world
        .at_terminal("resume", "n\n")
        .exits_with(exit::INTERRUPTED)
        .prints("Finish run 0001-KB100001 of small in deployment? [y/N]");
    world.run("resume --yes").exits_with(exit::OK);
    world
        .at_terminal("undo last", "n\n")
        .exits_with(exit::INTERRUPTED)
        .prints("outage: 1 item during the rollback")
        .prints("Roll back run 0001-KB100001 of small in deployment? [y/N]");
}

#[test]
fn commands_check_before_they_ask() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("resume")
        .exits_with(exit::OK)
        .prints("nothing to do: no run in progress");
    world
        .run("undo 99")
        .exits_with(exit::USAGE)
        .prints("there is no run `99`");
    world
        .run("apply small.toml --confirm nothing")
        .exits_with(exit::USAGE)
        .prints("there is no `confirm` prerequisite named `nothing`")
        .does_not_print("step remove");
    world
        .run("apply small.toml")
        .exits_with(exit::USAGE)
        .prints("cannot prompt")
        .prints("`rollup apply small.toml -d deployment --yes` does it without asking");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("apply small.toml")
        .exits_with(exit::OK)
        .prints("nothing to do");
    world
        .run("undo")
        .exits_with(exit::OK)
        .prints("nothing to do");
    world.run("undo last --yes").exits_with(exit::OK);
    world
        .run("undo 1")
        .exits_with(exit::OK)
        .prints("already undone");
}

#[test]
fn a_failure_names_the_step_the_operation_and_the_item() {
    let world = small_world(UPDATE_PROVIDER);
    let rehearse = "rehearse small.toml -d deployment -p KB100001 --lab";
    world
        .run(&format!("{rehearse} lab --inject-failure install"))
        .exits_with(exit::ROLLED_BACK)
        .prints("error: step `install`, operation 3 of 3 (install Provider): cannot rename");
    world
        .run("history 1 -d lab/deployment")
        .exits_with(exit::OK)
        .prints("rolling back: step `install`, operation 3 of 3 (install Provider)");
    world
        .run(&format!("{rehearse} lab2 --inject-failure 0"))
        .exits_with(exit::USAGE)
        .prints("there is no operation 0: operations are counted from 1");
    assert!(!world.at("lab2").exists());
}

#[test]
fn a_manual_step_in_an_outage_makes_it_as_long_as_a_person_takes() {
    let steps = "[[steps]]\nid = \"stop\"\naction = \"stop\"\nservice = \"Engine\"\n\
                 [[steps]]\nid = \"by-hand\"\naction = \"manual\"\ninstructions = \"Edit.\"\nundo = \"Edit back.\"\n\
                 [[steps]]\nid = \"start\"\naction = \"start\"\nservice = \"Engine\"\n";
    let world = small_world(steps);
    let words = "from step stop to step start, as long as a person takes for step by-hand";
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints(words);
    world
        .run("plan small.toml --format markdown")
        .exits_with(exit::OK)
        .prints("as long as a person takes for step by-hand");
    let ran = world.at_terminal("apply small.toml", "n\n");
    ran.prints("as long as a person takes for step `by-hand`");
}

#[test]
fn instances_behind_the_dependents_are_counted() {
    let world = small_world(UPDATE_PROVIDER);
    let plan = world.plan("small.toml");
    assert_eq!(plan["outage"][0]["instance"], "Namespace");
    assert_eq!(plan["outage_behind"], 1);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("and 1 instance through these");
}

#[test]
fn an_optional_step_without_a_terminal_has_no_answerer() {
    let manual = "[[steps]]\nid = \"look\"\naction = \"manual\"\ninstructions = \"Look.\"\noptional = true\n";
    let world = small_world(&format!("{manual}{UPDATE_PROVIDER}"));
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.prints("manual step look: skipped; not asked: no terminal")
        .does_not_print("waited for");
    for command in ["history 1", "report 1"] {
        let ran = world.run(command).exits_with(exit::OK);
        ran.prints("skipped; not asked: no terminal")
            .does_not_print("skipped by");
    }
    let document = world.run("history 1 --format json").json();
    let records = document["records"].as_array().expect("records").clone();
    let answer = records
        .iter()
        .find(|record| record["record"] == "confirmed");
    let answer = answer.expect("an answer");
    assert_eq!(answer["from"], "no-terminal");
    assert!(answer.get("by").is_none(), "{answer:#}");
    let world = small_world(&format!("{manual}{UPDATE_PROVIDER}"));
    world.at_terminal(APPLY_SMALL, "yes\n").exits_with(exit::OK);
    world
        .run("history 1")
        .prints("manual step look: done by")
        .prints("at a prompt");
}

#[test]
fn files_of_a_manual_step_are_verified_and_staged() {
    let manual = "[[steps]]\nid = \"by-hand\"\naction = \"manual\"\ninstructions = \"Run it.\"\n\
                  undo = \"Run it back.\"\nfiles = [\"fix.vbs\"]\n[payload]\nfiles = [{ name = \"fix.vbs\", size = 7 }]\n";
    let world = small_world(manual);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("file: fix.vbs, SHA-256 ");
    let ran = world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    ran.prints("files in deployment/.rollup/runs/0001-KB100001/manual/by-hand: fix.vbs, SHA-256 ");
    let staged = world
        .run_directory("0001-KB100001")
        .join("manual/by-hand/fix.vbs");
    assert_eq!(
        fs::read(staged).expect("staged"),
        fs::read(world.at("KB100001/fix.vbs")).expect("a payload")
    );
    world
        .run("resume --yes --done by-hand")
        .exits_with(exit::OK);
    fs::write(world.at("KB100001/fix.vbs"), "changed!").expect("written");
    world
        .run("plan small.toml --reapply")
        .exits_with(exit::MISMATCH)
        .prints("fix.vbs");
}

#[test]
fn a_missing_installer_is_one_difference() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    fs::remove_file(world.live("Share/Provider.msi")).expect("removed");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("1 difference in");
}

#[test]
fn an_unlisted_prerequisite_makes_the_rollup_not_applicable() {
    let world = small_world(&format!(
        "[[prerequisites]]\nitem = \"Migration Kit\"\n{UPDATE_PROVIDER}"
    ));
    world
        .run("plan small.toml")
        .exits_with(exit::NOT_APPLICABLE)
        .prints("`Migration Kit` is required, and the console of `small` does not list it");
}

#[test]
fn a_product_is_known_by_its_aliases() {
    let site = crate::small::SMALL
        .replace(
            "product = \"Sample\"",
            "product = \"Sample\"\nproduct_aliases = [\"The Sample\"]",
        )
        .replace(
            "{ name = \"Database\",",
            "{ name = \"Database\", aliases = [\"DB\"],",
        );
    let text = small(
        "KB100001",
        &format!("[[prerequisites]]\nproduct = \"db\"\nservice_pack = 2\n{UPDATE_PROVIDER}"),
    );
    let text = text.replace("product = \"Sample\"", "product = \"The Sample\"");
    let world = World::with_site(&site).manifest("small", &text);
    world.run("plan small.toml").exits_with(exit::OK);
    let taken = site.replace(
        "servers = [\"ENG01\"] }]",
        "servers = [\"ENG01\"] }, { name = \"Other\", aliases = [\"DB\"], servers = [\"ENG02\"] }]",
    );
    fs::write(world.at("taken.toml"), taken).expect("written");
    world
        .run("validate taken.toml")
        .exits_with(exit::INVALID)
        .prints("there are two products with the name `DB`");
}

#[test]
fn a_rollup_without_files_needs_no_payload() {
    let world =
        small_world("[[steps]]\nid = \"restart\"\naction = \"restart\"\nservice = \"Engine\"\n");
    let _ = fs::remove_dir_all(world.at("KB100001"));
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK)
        .prints("saved to plan.json");
    world.run("apply plan.json --yes").exits_with(exit::OK);
}

#[test]
fn the_wrong_kind_of_file_is_named() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("apply deployment/deployment.toml --yes")
        .exits_with(exit::INVALID)
        .nothing_was_touched();
    ran.prints("describes a deployment; it is not a manifest");
    world
        .run("rehearse small.toml -d small.toml --lab lab")
        .exits_with(exit::INVALID)
        .prints("is a manifest; it does not describe a deployment");
    world
        .run("plan small.toml --format html -o page.html")
        .exits_with(exit::OK);
    for command in ["validate page.html", "plan page.html"] {
        world
            .run(command)
            .exits_with(exit::INVALID)
            .prints("is a page that rollup made");
    }
    world
        .run("plan small.toml --format json -o plan.json")
        .exits_with(exit::OK);
    world
        .run("validate plan.json")
        .exits_with(exit::INVALID)
        .prints("the document is a saved plan, not a manifest");
    world
        .run("status -d .")
        .exits_with(exit::NO_INPUT)
        .prints("`./deployment` is one: `-d ./deployment`");
    world
        .run("plan small.toml -p .")
        .exits_with(exit::NO_INPUT)
        .prints("`./KB100001` has: `-p ./KB100001`");
}

#[test]
fn a_report_of_an_unfinished_run_says_since_when_something_is_unavailable() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(STOP).exits_with(exit::STOPPED);
    for form in ["text", "markdown", "html"] {
        let ran = world
            .run(&format!("report last --format {form}"))
            .exits_with(exit::OK);
        ran.prints("navailable since")
            .does_not_print("from the first rename to the last");
    }
}
