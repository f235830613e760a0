//! `undo` of a finished run: the exact reverse, newest run first, and only if no managed file was
//! changed since.

use std::fs;

use crate::listing::Listing;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{APPLY, World, exit};

const PROVIDER: &str = "Things/Provider";

/// Applies three rollups, one after another. Returns the trees before and after each of them.
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
fn undo_restores_the_deployment_to_the_byte() {
    let world = World::with_deployment();
    let before = Listing::of(&world.deployment());
    world.run(APPLY).exits_with(exit::OK);
    let ran = world.run("undo KB952076 --yes").exits_with(exit::OK);
    ran.prints("it will be rolled back:")
        .prints("- remove Exchange 2007 Provider (step install)")
        .prints("restart required: Provisioning Engine on MPS01, MPS02")
        .prints("run 0001-KB952076 is undone: the deployment is as it was before");
    before.assert_same(&Listing::of(&world.deployment()));
    world.run("verify").exits_with(exit::OK);
    world
        .run("status")
        .exits_with(exit::OK)
        .prints("no run in progress")
        .does_not_print("KB952076 revision");
    world
        .run("undo KB952076 --yes")
        .exits_with(exit::OK)
        .prints("is already undone")
        .tree_is_unchanged();
}

#[test]
fn an_undone_rollup_can_be_applied_again() {
    let world = small_world(UPDATE_PROVIDER);
    let first = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .after()
        .without_times();
    world.run("undo last --yes").exits_with(exit::OK);
    // The run is closed: only a run in progress can be resumed.
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .prints("no run in progress")
        .tree_is_unchanged();
    let plan = world.plan("small.toml");
    let second = world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("as run 0002-KB100001")
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
        for (verb, result) in [("undo", "is undone"), ("rollback", "is already undone")] {
            let ran = world.run(&format!("{verb} {named} --yes"));
            ran.exits_with(exit::OK)
                .prints(&format!("run 0001-KB100001 {result}"));
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
        .prints("nothing to do: no run in progress")
        .nothing_was_touched();
    world
        .run("resume --yes")
        .exits_with(exit::OK)
        .prints("nothing to do: no run in progress")
        .nothing_was_touched();
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let ran = world
        .run("undo --yes")
        .exits_with(exit::OK)
        .tree_is_unchanged();
    ran.prints("`rollup undo 1 -d deployment` rolls back 0001-KB100001, which is finished");
    let ran = world
        .run("undo 7 --yes")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    ran.prints("there is no run `7`")
        .prints("known: 0001-KB100001");
    world
        .run("undo nonsense --yes")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
}

#[test]
fn an_undo_three_runs_later_is_refused_and_newest_first_restores_the_first_tree() {
    let (world, trees) = three_runs();
    let ran = world
        .run("undo 1 --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints("run 0003-KB100003 is later than 0001-KB100001 and changed `Things/Provider`")
        .prints("undo run 0003-KB100003 first")
        .does_not_print("0002-KB100002")
        // What the later run installed is managed.
        .does_not_print("unmanaged");
    for (number, before) in [3, 2, 1].into_iter().zip(trees.iter().rev().skip(1)) {
        world
            .run(&format!("undo {number} --yes"))
            .exits_with(exit::OK);
        before.assert_same(&Listing::of(&world.deployment()));
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn a_file_changed_since_is_named_and_nothing_is_undone() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let dll = format!("{PROVIDER}/files/Program Files/Provider/Provider.dll");
    let world = world
        .write_file(&dll, "a hotfix")
        .remove("Share/Provider.msi");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::MISMATCH)
        .tree_is_unchanged();
    ran.prints(&format!("`{dll}` has 8 bytes"))
        .prints("`Share/Provider.msi` is gone")
        .prints("undo 1 -d deployment --discard-changes");
    assert!(
        !world
            .read(".rollup/runs/0001-KB100001/journal")
            .contains("reopened")
    );
}

#[test]
fn an_installed_object_that_is_gone_is_named_before_anything_moves() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world.remove("Share/Provider.msi");
    world
        .run("undo last --yes --discard-changes")
        .exits_with(exit::MISMATCH)
        .tree_is_unchanged()
        .prints("objects that the run installed are gone: `Share/Provider.msi`")
        .prints("put an empty file or directory in their place");
    let world = world.write_file("Share/Provider.msi", "");
    world
        .run("undo last --yes --discard-changes")
        .exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
}

#[test]
fn a_file_changed_since_is_kept_in_the_slot_with_discard_changes() {
    let world = small_world(UPDATE_PROVIDER);
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let dll = format!("{PROVIDER}/files/Program Files/Provider/Provider.dll");
    let world = world.write_file(&dll, "a hotfix");
    world
        .run("undo last --yes --discard-changes")
        .exits_with(exit::OK);
    before.assert_same(&Listing::of(&world.deployment()));
    let kept = walkdir::WalkDir::new(world.run_directory("0001-KB100001")).into_iter();
    let kept = kept.filter_map(|entry| fs::read_to_string(entry.expect("listed").path()).ok());
    assert_eq!(kept.filter(|text| text == "a hotfix").count(), 1);
}

#[test]
fn an_unmanaged_file_stays_with_its_item_on_undo() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let unmanaged = format!("{PROVIDER}/files/own/notes.txt");
    let world = world.write_file(&unmanaged, "unmanaged");
    world.run("undo last --yes").exits_with(exit::OK);
    assert_eq!(world.read(&unmanaged), "unmanaged");
    let directory = format!("\"{PROVIDER}/files/own\"");
    assert!(
        world
            .read(".rollup/runs/0001-KB100001/journal")
            .contains(&directory),
        "it is not listed in the journal"
    );
}

#[test]
fn an_unmanaged_file_keeps_the_directory_that_the_run_made() {
    let copy = "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"Tools\"\non = \"web\"\nfiles = [\"Tool.txt\"]\n\
                [payload]\nfiles = [{ name = \"Tool.txt\" }]\n";
    let world = small_world(copy);
    let before = Listing::of(&world.deployment());
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let unmanaged = "Servers/WEB01/Files/Tools/notes.txt";
    let world = world.write_file(unmanaged, "unmanaged");
    let ran = world.run("undo last --yes").exits_with(exit::OK);
    ran.prints("`Servers/WEB01/Files/Tools` stays, which the run had made: it is not empty")
        .does_not_print("as it was before");
    assert_eq!(world.read(unmanaged), "unmanaged");
    let world = world.remove("Servers/WEB01/Files/Tools");
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
fn undo_asks_for_the_rollback_of_a_manual_step() {
    let world = with_manual_step("undo = \"Run the other script.\"");
    let ran = world.run("undo last --yes").exits_with(exit::STOPPED);
    ran.prints("Run the other script.")
        .prints("? by hand (step script)")
        .prints("undo -d deployment --done script --yes");
    let ran = world.run("undo --yes --done script").exits_with(exit::OK);
    ran.prints("step script rolled back").prints("is undone");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_step_by_hand_is_work_that_a_recovery_lists() {
    let manual = format!(
        "{UPDATE_PROVIDER}[[steps]]\nid = \"mail\"\naction = \"manual\"\ninstructions = \"Send a mail.\"\n"
    );
    let world = small_world(&manual);
    world.run(APPLY_SMALL).exits_with(exit::STOPPED);
    world
        .run("resume --yes --done mail")
        .exits_with(exit::OK)
        .prints("it will be finished: ? by hand (step mail)")
        .does_not_print("no operation is left");
}

#[test]
fn a_manual_step_without_undo_blocks_the_undo_of_a_finished_run() {
    let world = with_manual_step("");
    let ran = world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .tree_is_unchanged();
    ran.prints(
        "the manual step `script` was done, and the manifest has no `undo` instructions for it",
    );
}

#[test]
fn an_undo_prompts_at_a_terminal_and_needs_yes_elsewhere() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    world
        .run("undo last")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    world
        .at_terminal("undo last", "no\n")
        .exits_with(exit::INTERRUPTED)
        .tree_is_unchanged();
    world
        .at_terminal("undo last", "yes\n")
        .exits_with(exit::OK)
        .prints("is undone");
}

#[test]
fn an_open_run_behind_a_manual_step_without_undo_can_only_be_resumed() {
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
    ran.prints(
        "the manual step `database` was done, and the manifest has no `undo` instructions for it",
    );
    let ran = world
        .run("status")
        .exits_with(exit::STOPPED)
        .nothing_was_touched();
    ran.prints("waiting for a person at step script: Do script.")
        .prints("point of no return: the manual step `database`: the manifest has no `undo`")
        .prints("next: rollup resume -d deployment --done script --yes finishes it")
        .does_not_print("rollup undo");
    world
        .run("resume --yes --done script")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn an_unknown_step_or_prerequisite_cannot_be_confirmed() {
    let world = with_manual_step("undo = \"Run the other script.\"");
    let ran = world
        .run("undo last --yes --done skript")
        .exits_with(exit::USAGE)
        .tree_is_unchanged();
    ran.prints("there is no manual step named `skript`")
        .prints("did you mean `--done script`?");
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("apply small.toml --yes --confirm backup")
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    ran.prints("there is no `confirm` prerequisite named `backup`");
}
