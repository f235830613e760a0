//! Rehearsals of several rollups in a row: each is applied on the result of the one before, and a plan
//! that was made there holds on the real deployment once it is that far.

use std::fs;

use crate::listing::Listing;
use crate::small::{SMALL, TOOL, UPDATE_PROVIDER, small};
use crate::world::{World, exit};

/// Steps of the second rollup, which brings a newer version of the same package.
fn second_update() -> String {
    let row = "{ name = \"Provider.msi\" }";
    assert!(UPDATE_PROVIDER.contains(row));
    UPDATE_PROVIDER.replace(row, "{ name = \"Provider.msi\", version = \"4.0.400\" }")
}

/// Makes a world with two manifests that fit the deployment, and a payload for each; the second one
/// requires the first one.
fn world_with(first: &str, second: &str) -> World {
    let second = format!("requires = [\"KB100001\"]\n{second}");
    World::with_site(SMALL)
        .manifest("first", &small("KB100001", first))
        .manifest("second", &small("KB100002", &second))
        .with(|world| fs::write(world.at("site.toml"), SMALL).expect("written"))
}

fn world() -> World {
    world_with(UPDATE_PROVIDER, UPDATE_PROVIDER)
}

/// Arguments that rehearse both on a deployment that is built from its description.
const CHAIN: &str = "rehearse first.toml second.toml -d site.toml --lab lab";
/// Arguments that rehearse both on a copy of the deployment, with their payloads.
const ON_A_COPY: &str =
    "rehearse first.toml second.toml -d deployment -p KB100001 -p KB100002 --lab lab";

#[test]
fn two_rollups_are_rehearsed_in_a_row() {
    let world = world();
    let ran = world.run(CHAIN).exits_with(exit::OK).nothing_was_touched();
    ran.prints("made lab/deployment and lab/payload/1-KB100001, lab/payload/2-KB100002")
        .prints("rollup 1 of 2")
        .prints("applied KB100001 as run 0001-KB100001")
        .prints("rollup 2 of 2")
        .prints("applied KB100002 as run 0002-KB100002")
        .prints("everything matches");
    world
        .run("status -d lab/deployment")
        .prints("applied: KB100001 revision 1.0 applied: KB100002 revision 1.0");
    // A sample package is newer each time.
    for (payload, version) in [("1-KB100001", "4.0.300"), ("2-KB100002", "4.0.301")] {
        world
            .run(&format!("inspect lab/payload/{payload}/Provider.msi"))
            .prints(version);
    }
    world
        .run("tree -d lab/deployment")
        .prints("Provider verified 4.0.301");
}

#[test]
fn the_order_of_the_command_line_is_the_order_of_the_rehearsal() {
    let world = world();
    let ran = world
        .run("rehearse second.toml first.toml -d site.toml --lab lab")
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.prints("KB100001").does_not_print("rollup 2 of 2");
}

#[test]
fn two_revisions_of_a_rollup_have_their_own_payloads() {
    let revision =
        |revision: &str| format!("[article]\nrevision = \"{revision}\"\n{UPDATE_PROVIDER}");
    let world = World::with_site(SMALL)
        .manifest("first", &small("KB100001", &revision("1.0")))
        .with(|world| {
            let newer = small("KB100001", &revision("2.0"));
            fs::write(world.at("second.toml"), newer).expect("written");
            fs::write(world.at("site.toml"), SMALL).expect("written");
        });
    world
        .run(CHAIN)
        .exits_with(exit::OK)
        .prints("lab/payload/1-KB100001, lab/payload/2-KB100001")
        .prints("applied KB100001 as run 0002-KB100001");
}

#[test]
fn a_prepared_lab_is_in_the_state_before_the_last_rollup() {
    let world = world();
    let ran = world
        .run(&format!("{CHAIN} --prepare"))
        .exits_with(exit::OK)
        .prints("lab/deployment is in the state before the last rollup");
    let apply = ran
        .stdout()
        .lines()
        .find_map(|line| line.strip_prefix("next: rollup "))
        .expect("a next command");
    world
        .run("status -d lab/deployment")
        .prints("applied: KB100001")
        .does_not_print("KB100002");
    world
        .run(apply)
        .exits_with(exit::OK)
        .prints("applied KB100002 as run 0002-KB100002");
}

#[test]
fn a_failure_is_injected_into_the_last_rollup() {
    let world = world_with(UPDATE_PROVIDER, TOOL);
    let ran = world
        .run(&format!("{CHAIN} --inject-failure tool"))
        .exits_with(exit::ROLLED_BACK)
        .nothing_was_touched();
    ran.prints("applied KB100001 as run 0001-KB100001")
        .prints("operation 1 of 2 will fail")
        .prints("the whole tree is as before");
    world
        .run("status -d lab/deployment")
        .prints("applied: KB100001")
        .does_not_print("KB100002");
    // The last rollup has none of the first one's steps.
    world
        .run(&format!("{CHAIN} --replace --inject-failure install"))
        .exits_with(exit::USAGE)
        .prints("the manifest has no step `install`");
}

#[test]
fn the_last_rollup_is_killed_everywhere_and_the_lab_is_replaced_afterwards() {
    let world = world_with(
        TOOL,
        "[[steps]]\nid = \"restart\"\naction = \"stop\"\nservice = \"IIS\"\n",
    );
    let ran = world
        .run(&format!("{CHAIN} --crash-everywhere"))
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("applied KB100001 as run 0001-KB100001")
        .prints("KB100002 revision 1.0, on a copy of small")
        .prints("points recover");
    // A killed rehearsal leaves copies with the files that the first rollup brought.
    let left = world.at("lab/worker-1/deployment");
    crate::world::copy_tree(&world.at("lab/deployment"), &left);
    fs::remove_dir_all(left.join(".rollup")).expect("removed");
    world
        .run(&format!("{CHAIN} --prepare --replace"))
        .exits_with(exit::OK);
    assert!(!left.exists());
}

#[test]
fn every_manifest_has_a_payload_or_none_has() {
    let world = world();
    for payloads in ["-p KB100001", "-p KB100001 -p KB100002 -p KB100001"] {
        world
            .run(&format!("{CHAIN} {payloads}"))
            .exits_with(exit::USAGE)
            .nothing_was_touched()
            .prints("there are 2 manifests, but")
            .prints("give `--payload` once for each manifest, in the same order, or not at all");
    }
    world
        .run("rehearse first.toml nowhere.toml -d site.toml --lab lab")
        .exits_with(exit::NO_INPUT);
    assert!(!world.at("lab").exists());
}

#[test]
fn an_answer_belongs_to_the_manifest_that_asks() {
    let ask = |id: &str, rest: &str| {
        format!("[[prerequisites]]\nconfirm = \"Is it so?\"\nid = \"{id}\"\n{rest}")
    };
    let world = world_with(&ask("one", UPDATE_PROVIDER), &ask("two", TOOL));
    world
        .run(&format!("{CHAIN} --confirm one --confirm three"))
        .exits_with(exit::USAGE)
        .prints("there is no `confirm` prerequisite named `three`");
    assert!(!world.at("lab").exists());
    world
        .run(&format!("{CHAIN} --confirm one --confirm two"))
        .exits_with(exit::OK)
        .prints("applied KB100002 as run 0002-KB100002");
    world
        .run(&format!("{CHAIN} --replace --confirm one"))
        .exits_with(exit::NOT_READY)
        .prints("`two` is not confirmed: Is it so?");
}

#[test]
fn a_plan_from_the_copy_holds_on_the_deployment_that_is_as_far() {
    let world = world_with(UPDATE_PROVIDER, &second_update());
    // The deployment has runs and unmanaged files that a copy lacks, or that came later.
    let world = world.manifest("earlier", &small("KB100000", TOOL));
    world
        .run("apply earlier.toml --yes -p KB100000")
        .exits_with(exit::OK);
    world
        .run(&format!("{ON_A_COPY} --prepare"))
        .exits_with(exit::OK)
        .nothing_was_touched();
    let save = "plan second.toml -d lab/deployment -p KB100002 --save plan.json";
    world.run(save).exits_with(exit::OK);
    // The deployment is not that far yet.
    world
        .run("apply plan.json --yes -p KB100002")
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged()
        .prints("`Share/Provider.msi` has other contents")
        .prints("KB100001 is required, and neither applied nor included");
    let world = world.write_file("Things/Provider/files/notes.txt", "unmanaged");
    world
        .run("apply first.toml --yes -p KB100001")
        .exits_with(exit::OK);
    world.run("plan plan.json -p KB100002").exits_with(exit::OK);
    let ran = world
        .run("apply plan.json --yes -p KB100002")
        .exits_with(exit::OK);
    let ran = ran.prints("the result matches the plan");
    ran.prints("as run 0003-KB100002");
    // The rehearsal has the same result, too, but for the operator's file.
    world
        .run("apply plan.json --yes -d lab/deployment -p KB100002")
        .exits_with(exit::OK);
    fs::remove_file(world.live("Things/Provider/files/notes.txt")).expect("it moved along");
    let of = |path| Listing::of(&world.at(path)).without_times();
    of("deployment").assert_same(&of("lab/deployment"));
}

/// Makes a world whose deployment has a secret under this name, and saves a plan of the second rollup
/// on a copy; then applies the first one.
fn world_with_secret(name: &str) -> World {
    let world = world_with(UPDATE_PROVIDER, &second_update()).edit(
        "deployment/deployment.toml",
        "{ controller = \"dc1\" }",
        &format!("{{ controller = \"dc1\", {name} = {{ env = \"SERVICE_PASSWORD\" }} }}"),
    );
    world
        .run(&format!("{ON_A_COPY} --prepare"))
        .exits_with(exit::OK);
    let save = "plan second.toml -d lab/deployment -p KB100002 --save plan.json";
    world.run(save).exits_with(exit::OK);
    world
        .run("apply first.toml --yes -p KB100001")
        .exits_with(exit::OK);
    world
}

#[test]
fn a_plan_from_a_copy_holds_although_the_copy_lacks_the_secrets() {
    let world = world_with_secret("password");
    world
        .run("apply plan.json --yes -p KB100002")
        .exits_with(exit::OK)
        .prints("the result matches the plan");
}

#[test]
fn a_plan_from_a_copy_is_refused_if_only_the_place_of_a_parameter_makes_it_secret() {
    let world = world_with_secret("connection");
    world
        .run("apply plan.json --yes -p KB100002")
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged()
        .prints("`deployment.toml` has changed");
}

#[test]
fn a_plan_from_the_copy_names_the_changes_that_the_copy_did_not_have() {
    let world = world_with(UPDATE_PROVIDER, &second_update());
    world
        .run(&format!("{ON_A_COPY} --prepare"))
        .exits_with(exit::OK);
    let save = "plan second.toml -d lab/deployment -p KB100002 --save plan.json";
    world.run(save).exits_with(exit::OK);
    world
        .run("apply first.toml --yes -p KB100001")
        .exits_with(exit::OK);
    let world = world.write_file(
        "Things/Provider/files/Program Files/Provider/Provider.dll",
        "a hotfix",
    );
    world
        .run("apply plan.json --yes -p KB100002")
        .exits_with(exit::STALE_PLAN)
        .tree_is_unchanged()
        .prints("Provider.dll");
}
