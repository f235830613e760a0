//! `rehearse` makes a lab, applies there for real, and touches nothing else.

use std::fs;

use crate::listing::Listing;
use crate::small::{UPDATE_PROVIDER, small_world};
use crate::world::{KB952076, World, exit};

const REHEARSE: &str = "rehearse kb952076.toml --lab lab";

#[test]
fn a_rehearsal_builds_applies_and_verifies() {
    let world = World::with_deployment();
    let ran = world
        .run(REHEARSE)
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("made lab/deployment and lab/payload")
        .says("applied KB952076 as run 0001-KB952076")
        .says("as previewed")
        .says("everything matches");
    world
        .run("status -d lab/deployment")
        .exits_with(exit::OK)
        .says("in force: KB952076");
    world
        .run("apply kb952076.toml --yes -d lab/deployment -p lab/payload")
        .exits_with(exit::OK)
        .says("nothing to do");
}

#[test]
fn a_rehearsal_ends_as_an_apply_does() {
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
fn a_lab_that_is_there_is_replaced_only_when_told_so() {
    let world = World::with_deployment();
    world.run(REHEARSE).exits_with(exit::OK);
    fs::remove_file(world.at("lab/deployment/MSIShare/HostedEmail2007NS.msi"))
        .expect("it was made");
    let lab = Listing::strict(&world.at("lab"));
    let ran = world.run(REHEARSE).exits_with(exit::USAGE);
    ran.says("`lab` exists already")
        .says("now: `lab` is a lab, and complete")
        .says("`--replace` makes it anew");
    lab.assert_same(&Listing::strict(&world.at("lab")));
    world
        .run(&format!("{REHEARSE} --replace"))
        .exits_with(exit::OK)
        .says("everything matches");
    assert!(
        world
            .at("lab/deployment/MSIShare/HostedEmail2007NS.msi")
            .exists()
    );
}

#[test]
fn a_directory_of_somebody_else_is_never_replaced() {
    let world = World::with_deployment();
    fs::create_dir(world.at("lab"))
        .and_then(|()| fs::write(world.at("lab/thesis.txt"), "years"))
        .expect("written");
    fs::write(world.at("file"), "no directory").expect("written");
    let before = Listing::strict(&world.at("lab"));
    for options in ["", "--replace", "--prepare", "--prepare --replace"] {
        let ran = world
            .run(&format!("{REHEARSE} {options}"))
            .exits_with(exit::USAGE);
        ran.says("`lab` was not made by `rollup rehearse`, so it is not replaced");
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
        fs::read_to_string(world.at("file")).expect("there"),
        "no directory"
    );
}

#[test]
fn an_empty_directory_may_become_a_lab() {
    let world = World::with_deployment();
    fs::create_dir(world.at("lab")).expect("made");
    world
        .run(&format!("{REHEARSE} --prepare"))
        .exits_with(exit::OK);
}

#[test]
fn a_prepared_lab_is_in_the_state_before_and_says_what_to_type() {
    let world = World::with_deployment();
    let ran = world
        .run(&format!("{REHEARSE} --prepare"))
        .exits_with(exit::OK)
        .says("is in the state before the rollup");
    let apply = ran
        .stdout()
        .lines()
        .find_map(|line| line.strip_prefix("next: rollup "))
        .expect("a next command");
    world
        .run("status -d lab/deployment")
        .exits_with(exit::OK)
        .says("in force: KB948755")
        .does_not_say("KB952076");
    let description =
        fs::read_to_string(world.at("lab/deployment/deployment.toml")).expect("a description");
    assert!(
        !description.contains("#:schema"),
        "the schema lies beside the sample, not beside a lab"
    );
    world
        .at_terminal(apply, "yes\n")
        .exits_with(exit::OK)
        .says("applied KB952076");
    world.run("verify -d lab/deployment").exits_with(exit::OK);
}

#[test]
fn a_rehearsal_on_a_copy_leaves_the_original_alone() {
    let world = World::with_deployment()
        .put(
            "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/files/his.txt",
            "his own",
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
    ran.says("applied KB952076")
        .says("beside: `Hosted Exchange/");
    world
        .run("status -d lab/deployment")
        .says("deployment mine in lab/deployment")
        .says("in force: KB952076");
    assert!(!world.at("lab/payload").exists());
}

#[test]
fn a_copy_of_a_deployment_has_its_level_but_not_its_runs() {
    let world = World::with_deployment();
    world.run(crate::world::APPLY).exits_with(exit::OK);
    world
        .run(&format!("{REHEARSE} -d deployment --prepare"))
        .exits_with(exit::OK)
        .nothing_was_touched();
    world.run("history -d lab/deployment").says("no run yet");
    world
        .run("status -d lab/deployment")
        .says("in force: KB952076");
}

#[test]
fn a_copy_is_the_same_in_names_bytes_modes_and_times() {
    let world = World::with_deployment();
    world
        .run(&format!("{REHEARSE} -d deployment --prepare"))
        .exits_with(exit::OK);
    Listing::of(&world.deployment()).assert_same(&Listing::of(&world.at("lab/deployment")));
}

#[test]
fn pins_of_a_real_payload_ask_for_it() {
    let pin = "fc8152aa8f8cc464b35b7debb0620557e847496a90a85ebb8d9b5c63caccc504";
    assert!(KB952076.contains(pin));
    let world = World::with_deployment().edit("kb952076.toml", pin, &"ab".repeat(32));
    let ran = world.run(REHEARSE).exits_with(exit::MISMATCH);
    ran.says("the manifest pins a real payload: `Hostedemail2007ns.msi` is pinned as abab")
        .says("rehearse with the real files: `--payload DIR`");
    assert!(!world.at("lab").exists());
}

#[test]
fn a_table_that_cannot_be_built_is_refused_before_anything_is_made() {
    // No package is as small as that.
    let world = World::with_deployment().without_pins().edit(
        "kb952076.toml",
        "size = 312_320",
        "size = 512",
    );
    world
        .run(REHEARSE)
        .exits_with(exit::MISMATCH)
        .says("ostedemail2007ns.msi");
    assert!(!world.at("lab").exists());
}

#[test]
fn a_refused_rehearsal_ends_as_a_refused_apply() {
    let world = World::with_deployment().truncate_payload("HostedEmail2007NS.msi");
    world
        .run(&format!("{REHEARSE} -p KB952076"))
        .exits_with(exit::MISMATCH)
        .says("`Hostedemail2007ns.msi` is too short");
    for words in [
        "rehearse missing.toml",
        "rehearse kb952076.toml -p nowhere",
        "rehearse kb952076.toml -d nowhere",
    ] {
        world
            .run(words)
            .exits_with(exit::NO_INPUT)
            .nothing_was_touched();
    }
}

/// Rehearse a failure of the small rollup on a copy of the world's deployment.
const FAIL: &str = "rehearse small.toml -d deployment -p KB100001 --lab lab --inject-failure";

#[test]
fn an_operation_that_fails_is_put_back_and_the_whole_tree_compared() {
    let world = small_world(UPDATE_PROVIDER).put("Things/Provider/files/his.txt", "his own");
    // One operation in each step: a step's id and the operation's number name the same one.
    let failing = [
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
    for (names, what) in failing {
        for named in names {
            let ran = world
                .run(&format!("{FAIL} {named} --replace"))
                .exits_with(exit::UNDONE)
                .nothing_was_touched();
            ran.says(what)
                .says("Input/output error")
                .says("putting everything back")
                .says("the whole tree is as before: 70 files and directories compared")
                .says("now: everything was put back")
                .says("next: `rollup report last -d lab/deployment` tells what was done");
            Listing::of(&world.deployment()).assert_same(&Listing::of(&world.at("lab/deployment")));
            world
                .run("history -d lab/deployment")
                .says("0001-KB100001 undone");
        }
    }
}

#[test]
fn an_unknown_step_is_told_before_anything_is_made() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run(&format!("{FAIL} instal"))
        .exits_with(exit::USAGE)
        .nothing_was_touched();
    ran.says("the manifest has no step `instal`")
        .says("now: nothing was made")
        .says("did you mean `--inject-failure install`?")
        .says("the steps are remove, copy, install; or give the number of an operation");
    world
        .run(&format!("{FAIL} thesis"))
        .exits_with(exit::USAGE)
        .does_not_say("did you mean");
    world
        .run(&format!("{FAIL} copy --prepare"))
        .exits_with(exit::USAGE)
        .says("cannot be used with");
    assert!(!world.at("lab").exists());
}

#[test]
fn a_number_beyond_the_plan_says_how_many_operations_there_are() {
    let world = small_world(UPDATE_PROVIDER);
    for number in ["0", "4", "99"] {
        let ran = world
            .run(&format!("{FAIL} {number} --replace"))
            .exits_with(exit::USAGE)
            .nothing_was_touched();
        ran.says(&format!(
            "there is no operation {number}: the plan has 3 operations, counted from 1"
        ))
        .says("now: the lab is in the state before the rollup");
    }
}

#[test]
fn a_step_by_hand_cannot_fail_but_may_stand_in_the_way_back() {
    let manual = |more: &str| {
        format!(
            "[[steps]]\nid = \"script\"\naction = \"manual\"\ninstructions = \"Run the script.\"\n{more}\n"
        )
    };
    let with = |more: &str| {
        UPDATE_PROVIDER.replacen(
            "[[steps]]\nid = \"install\"",
            &format!("{}[[steps]]\nid = \"install\"", manual(more)),
            1,
        )
    };
    let world = small_world(&with("undo = \"Run the other script.\""));
    let ran = world.run(&format!("{FAIL} script")).exits_with(exit::USAGE);
    ran.says("step `script` has no operation that could fail: it is done by hand");
    let ran = world
        .run(&format!("{FAIL} install --replace"))
        .exits_with(exit::UNDONE);
    ran.says("this is a rehearsal, where it counts as done")
        .says("this is a rehearsal, where it counts as taken back")
        .says("the whole tree is as before");
    // Nobody can take it back: what lies before it stays.
    let world = small_world(&with(""));
    let ran = world
        .run(&format!("{FAIL} install"))
        .exits_with(exit::NEEDS_ATTENTION);
    ran.says("the manual step `script` cannot be taken back")
        .says("are not as before");
    world
        .run("resume -d lab/deployment --yes")
        .exits_with(exit::OK)
        .says("as previewed");
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
    ran.says("script to be done by hand")
        .says("this is a rehearsal, where it counts as done")
        .says("manual step script done")
        .says("everything matches");
}

#[test]
fn a_lab_never_replaces_what_it_is_made_from() {
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
        ran.says("lies in the directory that the lab would replace")
            .says("now: `lab` is a lab, and complete");
        before.assert_same(&Listing::of(&world.at("lab")));
    }
}
