//! A finished run goes back: strictly the reverse, newest first, and only while nobody changed what
//! it left.

use std::fs;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{APPLY, World, exit};

const PROVIDER: &str = "Things/Provider";

/// Three rollups on each other, applied.
fn three_runs() -> (World, [Listing; 4]) {
    let copy = |name: &str| {
        format!(
            "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \".\"\non = \"engine\"\nfiles = [\"{name}\"]\n\
             [payload]\nfiles = [{{ name = \"{name}\" }}]\n"
        )
    };
    let mut world = small_world(UPDATE_PROVIDER);
    world = world.manifest("second", &small("KB100002", &copy("Second.txt")));
    world = world.manifest("third", &small("KB100003", UPDATE_PROVIDER));
    let mut trees = vec![Listing::of(&world.deployment())];
    for manifest in ["small", "second", "third"] {
        world
            .run(&format!("apply {manifest}.toml --yes"))
            .exits_with(exit::OK);
        trees.push(Listing::of(&world.deployment()));
    }
    (world, trees.try_into().expect("four trees"))
}

#[test]
fn a_finished_run_is_taken_back_to_the_byte() {
    let world = World::with_deployment();
    let before = Listing::of(&world.deployment());
    world.run(APPLY).exits_with(exit::OK);
    let ran = world.run("undo KB952076 --yes").exits_with(exit::OK);
    ran.says("it will be taken back:")
        .says("take back install Exchange 2007 Provider (step install)")
        .says("restart due: Provisioning Engine on MPS01, MPS02")
        .says("run 0001-KB952076 is undone: everything is as it was before");
    before.assert_same(&Listing::of(&world.deployment()));
    world.run("verify").exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .says("at rest")
        .does_not_say("KB952076 revision");
    world
        .run("undo KB952076 --yes")
        .exits_with(exit::OK)
        .says("is undone already")
        .tree_is_unchanged();
}

#[test]
fn what_was_undone_can_be_applied_again() {
    let world = small_world(UPDATE_PROVIDER);
    let first = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .after()
        .without_times();
    world.run("undo last --yes").exits_with(exit::OK);
    // It has come to rest: only what is under way can be turned round.
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .says("no run is unfinished")
        .tree_is_unchanged();
    let plan = world.plan("small.toml");
    let second = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("as run 0002-KB100001")
        .after()
        .without_times();
    first.assert_same(&second);
    world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(world.plan("small.toml")["digest"], plan["digest"]);
}

#[test]
fn a_run_is_named_by_number_rollup_directory_or_last() {
    for named in ["1", "kb100001", "100001", "last", "LAST", "0001-KB100001"] {
        let world = small_world(UPDATE_PROVIDER);
        world.run(APPLY_SMALL).exits_with(exit::OK);
        for verb in ["undo", "rollback"] {
            let ran = world.run(&format!("{verb} {named} --yes"));
            ran.exits_with(exit::OK).says("run 0001-KB100001 is undone");
            if named.eq_ignore_ascii_case("last") {
                break;
            }
        }
    }
}

#[test]
fn a_finished_run_has_to_be_named() {
    let world = small_world(UPDATE_PROVIDER);
    world
        .run("undo --yes")
        .exits_with(exit::OK)
        .says("nothing to do: no run is unfinished")
        .nothing_was_touched();
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .says("nothing to do: no run is unfinished")
        .nothing_was_touched();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let ran = world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    ran.says("`rollup undo -d deployment last` takes back 0001-KB100001, which is finished");
    let ran = world
        .run("undo 7 --yes")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    ran.says("there is no run `7`").says("known: 0001-KB100001");
    world
        .run("undo nonsense --yes")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
}

#[test]
fn an_undo_three_runs_later_is_refused_and_newest_first_ends_in_the_first_tree() {
    let (world, trees) = three_runs();
    let ran = world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.says("run 0003-KB100003 came after 0001-KB100001 and builds on it")
        .says("run 0002-KB100002 came after 0001-KB100001 and builds on it")
        .says("undo the newest run first: 0003-KB100003");
    for (number, before) in [3, 2, 1].into_iter().zip(trees.iter().rev().skip(1)) {
        world
            .run(&format!("undo {number} --yes"))
            .exits_with(exit::OK);
        before.assert_same(&Listing::of(&world.deployment()));
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn what_was_changed_since_is_named_and_nothing_is_taken_back() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let dll = format!("{PROVIDER}/files/Program Files/Provider/Provider.dll");
    let world = world.put(&dll, "a hotfix").remove("Share/Provider.msi");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::MISMATCH)
        .tree_is_unchanged();
    ran.says(&format!("`{dll}` has 8 bytes"))
        .says("`Share/Provider.msi` is gone")
        .says("undo -d deployment 1 --discard-changes");
    assert!(
        !world
            .read(".rollup/runs/0001-KB100001/journal")
            .contains("reopened")
    );
}

#[test]
fn what_was_changed_since_is_kept_in_the_slot_where_it_is_to_go_back_anyway() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let dll = format!("{PROVIDER}/files/Program Files/Provider/Provider.dll");
    let world = world.put(&dll, "a hotfix");
    world
        .run("undo last --yes --discard-changes")
        .exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
    let kept = walkdir::WalkDir::new(world.run_directory("0001-KB100001")).into_iter();
    let kept = kept.filter_map(|entry| fs::read_to_string(entry.expect("listed").path()).ok());
    assert_eq!(kept.filter(|text| text == "a hotfix").count(), 1);
}

#[test]
fn an_operators_file_goes_back_with_its_item() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let his = format!("{PROVIDER}/files/own/notes.txt");
    let world = world.put(&his, "his");
    world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(world.read(&his), "his");
    assert!(
        world
            .read(".rollup/runs/0001-KB100001/journal")
            .contains(&his),
        "it is not listed in the journal"
    );
}

#[test]
fn an_operators_file_that_nothing_old_can_take_is_in_the_way() {
    let copy = "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"web\"\nfiles = [\"Tool.txt\"]\n\
                [payload]\nfiles = [{ name = \"Tool.txt\" }]\n";
    let world = small_world(copy);
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let his = "Servers/WEB01/Files/Tools/his.txt";
    let world = world.put(his, "his");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.says(&format!(
        "{his}` is an operator's file in a directory that the run made"
    ));
    let world = world.remove(his);
    world.run("undo last --yes").exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

fn with_manual_step(undo: &str) -> World {
    let manual = format!(
        "[[steps]]\nid = \"script\"\naction = \"manual\"\ninstructions = \"Run the script.\"\n{undo}\n{UPDATE_PROVIDER}"
    );
    let world = small_world(&manual);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world.run("resume --yes --done script").exits_with(exit::OK);
    world
}

#[test]
fn what_a_person_did_is_taken_back_by_a_person() {
    let world = with_manual_step("undo = \"Run the other script.\"");
    let ran = world.run("undo last --yes").exits_with(exit::STOPPED);
    ran.says("Run the other script.")
        .says("undo -d deployment --done script");
    let ran = world.run("undo --yes --done script").exits_with(exit::OK);
    ran.says("manual step script taken back").says("is undone");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn what_a_person_did_and_nobody_can_take_back_keeps_the_run() {
    let world = with_manual_step("");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.says(
        "the manual step `script` was done, and the manifest does not say how to take it back",
    );
}

#[test]
fn an_undo_asks_at_a_terminal_and_needs_a_yes_elsewhere() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("undo last")
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    world
        .at_terminal("undo last", "no\n")
        .exits_with(exit::INTERRUPTED)
        .tree_is_unchanged();
    world
        .at_terminal("undo last", "yes\n")
        .exits_with(exit::OK)
        .says("is undone");
}

#[test]
fn an_open_run_that_nobody_can_take_back_goes_forward_only() {
    let manual = |id: &str, undo: &str| {
        format!(
            "[[steps]]\nid = \"{id}\"\naction = \"manual\"\ninstructions = \"Do {id}.\"\n{undo}"
        )
    };
    let world = small_world(&format!(
        "{}{}{UPDATE_PROVIDER}",
        manual("database", ""),
        manual("script", "")
    ));
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done database")
        .exits_with(exit::STOPPED);
    let ran = world
        .run("undo --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.says(
        "the manual step `database` was done, and the manifest does not say how to take it back",
    );
    let ran = world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched();
    ran.says("waits for a person at step script: Do script.")
        .says("the manual step `database` was done, and cannot be taken back")
        .says("next: rollup resume -d deployment --done script takes it to its end")
        .does_not_say("rollup undo");
    world
        .run("resume --yes --done script")
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn a_step_that_is_not_there_is_confirmed_by_nobody() {
    let world = with_manual_step("undo = \"Run the other script.\"");
    let ran = world
        .run("undo last --yes --done skript")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    ran.says("there is no manual step named `skript`")
        .says("did you mean `--done script`?");
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("apply small.toml --yes --confirm backup")
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    ran.says("there is no prerequisite to be confirmed named `backup`");
}
