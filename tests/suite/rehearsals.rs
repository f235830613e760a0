//! Rehearsals: `rehearse` makes a lab, applies the rollup there, and changes nothing else.

use std::fs;

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{KB952076, World, exit};

const REHEARSE: &str = "rehearse kb952076.toml --lab lab";

#[test]
fn a_rehearsal_builds_a_lab_applies_and_verifies() {
    let world = World::with_deployment();
    let ran = world
        .run(REHEARSE)
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("made lab/deployment and lab/payload")
        .prints("applied KB952076 as run 0001-KB952076")
        .prints("the result matches the plan")
        .prints("everything matches");
    world
        .run("status -d lab/deployment")
        .exits_with(exit::OK)
        .prints("applied: KB952076");
    world
        .run("apply kb952076.toml --yes -d lab/deployment -p lab/payload")
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn a_rehearsal_has_the_same_result_as_an_apply() {
    let (rehearsed, applied) = (World::with_deployment(), World::with_deployment());
    rehearsed.run(REHEARSE).exits_with(exit::OK);
    let applied = applied
        .run(crate::world::APPLY)
        .exits_with(exit::OK)
        .after()
        .without_times();
    applied.assert_same(&Listing::of(&rehearsed.at("lab/deployment")).without_times());
}

#[test]
fn a_lab_is_replaced_only_with_replace() {
    let world = World::with_deployment();
    world.run(REHEARSE).exits_with(exit::OK);
    fs::remove_file(world.at("lab/deployment/MSIShare/HostedEmail2007NS.msi")).expect("removed");
    let lab = Listing::strict(&world.at("lab"));
    let ran = world.run(REHEARSE).exits_with(exit::USAGE);
    ran.prints("`lab` exists already")
        .prints("now: `lab` is a complete lab")
        .prints("`--replace` replaces it");
    lab.assert_same(&Listing::strict(&world.at("lab")));
    world
        .run(&format!("{REHEARSE} --replace"))
        .exits_with(exit::OK)
        .prints("everything matches");
    assert!(
        world
            .at("lab/deployment/MSIShare/HostedEmail2007NS.msi")
            .exists()
    );
}

#[test]
fn a_directory_that_is_not_a_lab_is_never_replaced() {
    let world = World::with_deployment();
    fs::create_dir(world.at("lab"))
        .and_then(|()| fs::write(world.at("lab/notes.txt"), "mine"))
        .expect("written");
    fs::write(world.at("file"), "not a directory").expect("written");
    let before = Listing::strict(&world.at("lab"));
    for options in ["", "--replace", "--prepare", "--prepare --replace"] {
        let ran = world
            .run(&format!("{REHEARSE} {options}"))
            .exits_with(exit::USAGE);
        ran.prints("`lab` was not made by `rollup rehearse`, so it is not replaced");
        world
            .run(&format!("rehearse kb952076.toml --lab file {options}"))
            .exits_with(exit::USAGE);
        world
            .run(&format!(
                "rehearse kb952076.toml --lab deployment {options}"
            ))
            .exits_with(exit::USAGE)
            .nothing_was_touched();
    }
    before.assert_same(&Listing::strict(&world.at("lab")));
    assert_eq!(
        fs::read_to_string(world.at("file")).expect("a file"),
        "not a directory"
    );
}

#[test]
fn an_empty_directory_can_become_a_lab() {
    let world = World::with_deployment();
    fs::create_dir(world.at("lab")).expect("made");
    world
        .run(&format!("{REHEARSE} --prepare"))
        .exits_with(exit::OK);
}

#[test]
fn a_prepared_lab_is_in_the_state_before_the_rollup() {
    let world = World::with_deployment();
    let ran = world
        .run(&format!("{REHEARSE} --prepare"))
        .exits_with(exit::OK)
        .prints("is in the state before the rollup");
    let apply = ran
        .stdout()
        .lines()
        .find_map(|line| line.strip_prefix("next: rollup "))
        .expect("a next command");
    world
        .run("status -d lab/deployment")
        .exits_with(exit::OK)
        .prints("applied: KB948755")
        .does_not_print("KB952076");
    let description =
        fs::read_to_string(world.at("lab/deployment/deployment.toml")).expect("a description");
    assert!(
        !description.contains("#:schema"),
        "the description refers to the schema of the sample"
    );
    world
        .at_terminal(apply, "yes\n")
        .exits_with(exit::OK)
        .prints("applied KB952076");
    world.run("verify -d lab/deployment").exits_with(exit::OK);
}

#[test]
fn a_rehearsal_on_a_copy_does_not_change_the_original() {
    let world = World::with_deployment()
        .write_file(
            "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files/notes.txt",
            "unmanaged",
        )
        .edit(
            "deployment/deployment.toml",
            "name = \"hmc40\"",
            "name = \"mine\"",
        );
    let ran = world
        .run(&format!("{REHEARSE} -d deployment -p KB952076"))
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("applied KB952076")
        .prints("unmanaged: `Hosted Exchange/");
    world
        .run("status -d lab/deployment")
        .prints("deployment mine in lab/deployment")
        .prints("applied: KB952076");
    assert!(!world.at("lab/payload").exists());
}

#[test]
fn a_copy_of_a_deployment_has_its_applied_rollups_but_not_its_runs() {
    let world = World::with_deployment();
    world.run(crate::world::APPLY).exits_with(exit::OK);
    world
        .run(&format!("{REHEARSE} -d deployment --prepare"))
        .exits_with(exit::OK)
        .nothing_was_touched();
    world.run("history -d lab/deployment").prints("no run yet");
    world
        .run("status -d lab/deployment")
        .prints("applied: KB952076");
}

#[test]
fn a_copy_has_the_same_names_bytes_modes_and_times() {
    let world = World::with_deployment();
    world
        .run(&format!("{REHEARSE} -d deployment --prepare"))
        .exits_with(exit::OK);
    Listing::of(&world.deployment()).assert_same(&Listing::of(&world.at("lab/deployment")));
}

#[test]
fn pins_of_a_real_payload_require_that_payload() {
    let pin = "fc8152aa8f8cc464b35b7debb0620557e847496a90a85ebb8d9b5c63caccc504";
    assert!(KB952076.contains(pin));
    let world = World::with_deployment().edit("kb952076.toml", pin, &"ab".repeat(32));
    let ran = world.run(REHEARSE).exits_with(exit::MISMATCH);
    ran.prints("the manifest pins a real payload: `Hostedemail2007ns.msi` is pinned as abab")
        .prints("rehearse with the real files: `--payload DIR`");
    assert!(!world.at("lab").exists());
}

#[test]
fn a_payload_that_cannot_be_built_is_refused_without_making_a_lab() {
    // A package cannot be so small.
    let world = World::with_deployment().without_pins().edit(
        "kb952076.toml",
        "size = 312_320",
        "size = 512",
    );
    world
        .run(REHEARSE)
        .exits_with(exit::MISMATCH)
        .prints("ostedemail2007ns.msi");
    assert!(!world.at("lab").exists());
}

#[test]
fn a_refused_rehearsal_has_the_exit_code_of_a_refused_apply() {
    let world = World::with_deployment().truncate_payload("HostedEmail2007NS.msi");
    world
        .run(&format!("{REHEARSE} -p KB952076"))
        .exits_with(exit::MISMATCH)
        .prints("`Hostedemail2007ns.msi` is too short")
        .prints("now: `lab` was made; nothing was applied in it");
    for arguments in [
        "rehearse missing.toml",
        "rehearse kb952076.toml -p nowhere",
        "rehearse kb952076.toml -d nowhere",
    ] {
        world
            .run(arguments)
            .exits_with(exit::NO_INPUT)
            .nothing_was_touched();
    }
}

/// Arguments that rehearse the small rollup on a copy of the world's deployment, and fail there.
const WITH_FAILURE: &str =
    "rehearse small.toml -d deployment -p KB100001 --lab lab --inject-failure";

#[test]
fn a_failed_operation_is_rolled_back_and_the_whole_tree_compared() {
    let world =
        small_world(UPDATE_PROVIDER).write_file("Things/Provider/files/notes.txt", "unmanaged");
    // Each step has one operation, so its id and the operation's number mean the same.
    let failures = [
        (
            ["remove", "1"],
            "operation 1 of 3 will fail: uninstall Provider",
        ),
        (
            ["copy", "2"],
            "operation 2 of 3 will fail: replace Provider.msi",
        ),
        (
            ["INSTALL", "3"],
            "operation 3 of 3 will fail: install Provider",
        ),
    ];
    for (names, operation) in failures {
        for name in names {
            let ran = world
                .run(&format!("{WITH_FAILURE} {name} --replace"))
                .exits_with(exit::ROLLED_BACK)
                .nothing_was_touched();
            ran.prints(operation)
                .prints("Input/output error")
                .prints("rolling back")
                .prints("the whole tree is as before: 70 files and directories compared")
                .prints(
                    "now: run 0001-KB100001 is undone: the deployment is as it was before the run",
                )
                .prints("next: `rollup report last -d lab/deployment` shows the run");
            Listing::of(&world.deployment()).assert_same(&Listing::of(&world.at("lab/deployment")));
            world
                .run("history -d lab/deployment")
                .prints("1 KB100001 undone");
        }
    }
}

#[test]
fn an_unknown_step_is_refused_without_making_a_lab() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run(&format!("{WITH_FAILURE} instal"))
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    ran.prints("the manifest has no step `instal`")
        .prints("now: nothing was made")
        .prints("did you mean `--inject-failure install`?")
        .prints("the steps are remove, copy, install; or give the number of an operation");
    world
        .run(&format!("{WITH_FAILURE} unrelated"))
        .exits_with(exit::USAGE)
        .does_not_print("did you mean");
    world
        .run(&format!("{WITH_FAILURE} copy --prepare"))
        .exits_with(exit::USAGE)
        .prints("cannot be used with");
    assert!(!world.at("lab").exists());
}

#[test]
fn an_operation_number_beyond_the_plan_is_refused_with_the_count() {
    let world = small_world(UPDATE_PROVIDER);
    for number in ["4", "99"] {
        let ran = world
            .run(&format!("{WITH_FAILURE} {number} --replace"))
            .exits_with(exit::USAGE)
            .nothing_was_touched();
        ran.prints(&format!(
            "there is no operation {number}: the plan has 3 operations, counted from 1"
        ))
        .prints("now: `lab` is a complete lab");
    }
}

#[test]
fn a_manual_step_cannot_fail_but_can_prevent_the_rollback() {
    let manual = |more: &str| {
        format!(
            "[[steps]]\nid = \"script\"\naction = \"manual\"\ninstructions = \"Run the script.\"\n{more}\n"
        )
    };
    let steps_with = |more: &str| {
        UPDATE_PROVIDER.replacen(
            "[[steps]]\nid = \"install\"",
            &format!("{}[[steps]]\nid = \"install\"", manual(more)),
            1,
        )
    };
    let world = small_world(&steps_with("undo = \"Run the other script.\""));
    let ran = world
        .run(&format!("{WITH_FAILURE} script"))
        .exits_with(exit::USAGE);
    ran.prints("step `script` has no operation that could fail: it is a manual step");
    let ran = world
        .run(&format!("{WITH_FAILURE} install --replace"))
        .exits_with(exit::ROLLED_BACK);
    ran.prints("step script done in a rehearsal")
        .prints("step script rolled back in a rehearsal")
        .prints("the whole tree is as before");
    // A manual step that cannot be rolled back: the steps before it stay applied.
    let world = small_world(&steps_with(""));
    let ran = world
        .run(&format!("{WITH_FAILURE} install"))
        .exits_with(exit::NEEDS_ATTENTION);
    ran.prints("the manual step `script` cannot be rolled back")
        .prints("are not as before")
        .prints("now: run 0001-KB100001 is unfinished, rolling back")
        .prints("`rollup resume -d lab/deployment --yes` goes forward again");
    world
        .run("resume -d lab/deployment --yes")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn manual_steps_count_as_done_in_a_rehearsal() {
    let manual =
        "[[steps]]\nid = \"script\"\naction = \"manual\"\ninstructions = \"Run the script.\"\n";
    let world = small_world(&format!("{manual}{UPDATE_PROVIDER}"));
    let ran = world
        .run("rehearse small.toml -d deployment --lab lab")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("script to be done by hand")
        .prints("step script done in a rehearsal")
        .prints("everything matches");
}

#[test]
fn a_lab_never_replaces_its_source() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml --lab lab --prepare")
        .exits_with(exit::OK);
    let before = Listing::of(&world.at("lab"));
    for from in ["-d lab/deployment", "-p lab/payload"] {
        let ran = world
            .run(&format!(
                "rehearse kb952076.toml --lab lab --replace {from}"
            ))
            .exits_with(exit::USAGE);
        ran.prints("is inside the directory that the lab would replace")
            .prints("now: `lab` is a complete lab");
        before.assert_same(&Listing::of(&world.at("lab")));
    }
}
