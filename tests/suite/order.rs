//! The order of a manifest is the order of the run: each step sees what the steps before it left,
//! and each run what the runs before it left.

use rollup::installer::{Recipe, build_package};
use rollup::names::FileName;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

#[test]
fn an_installer_is_taken_from_the_share_as_it_is_at_that_step() {
    let steps = r#"
[[steps]]
id = "remove"
action = "uninstall"
items."Things" = ["Provider"]
[[steps]]
id = "install"
action = "install"
removed_by = "remove"
[[steps]]
id = "copy"
action = "copy"
to = "share"
files = ["Provider.msi"]
[payload]
files = [{ name = "Provider.msi" }]
"#;
    let world = small_world(steps);
    let before = world.read("Things/Provider/state.toml");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .says("as previewed");
    let after = world.read("Things/Provider/state.toml");
    let version = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("version"))
            .map(str::to_owned)
    };
    assert_eq!(
        version(&before),
        version(&after),
        "the newer installer came only after the install"
    );
}

#[test]
fn what_a_later_run_leaves_alone_still_belongs_to_the_earlier_one() {
    let world = World::with_deployment();
    world.run("apply kb952076.toml --yes").exits_with(exit::OK);
    // The files are the same the second time, so that the second run copies none of them.
    world
        .run("apply kb952076.toml --yes --reapply")
        .exits_with(exit::OK);
    let world = world.put("MSIShare/HostedEmail2007WS.msi", "a hotfix");
    world
        .run("apply kb952076.toml --yes")
        .exits_with(exit::MISMATCH)
        .says("MSIShare/HostedEmail2007WS.msi")
        .says("--reapply")
        .tree_is_unchanged();
}

#[test]
fn two_packages_of_one_product_in_one_step_are_refused() {
    let steps = r#"
[[steps]]
id = "run"
action = "run"
on = "engine"
files = ["Tool.msi", "Again.msi"]
[payload]
files = [{ name = "Tool.msi" }, { name = "Again.msi" }]
"#;
    let world = small_world(steps);
    let recipe = Recipe {
        name: FileName::parse("Again.msi").expect("a name"),
        product: "Tool".to_owned(),
        version: "9".parse().expect("a version"),
        size: None,
        files: Vec::new(),
        modified: 1_199_145_600,
    };
    let again = build_package(&recipe).expect("it can be built");
    std::fs::write(world.at("KB100001/Again.msi"), again).expect("it can be written");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .says("`Again.msi` holds `Tool`, which this step brings to the same place already")
        .nothing_was_touched();
}

#[test]
fn what_the_run_itself_brought_is_not_told_as_drift() {
    let steps = UPDATE_PROVIDER.replace(
        "[payload]",
        "[[steps]]\nid = \"again\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n\
         [[steps]]\nid = \"back\"\naction = \"install\"\nremoved_by = \"again\"\n[payload]",
    );
    let world = small_world(&steps);
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.does_not_say("is missing, though")
        .does_not_say("was changed since")
        .says("as previewed");
}

#[test]
fn a_superseded_rollup_is_told_by_what_stands_in_its_place() {
    let world = small_world(UPDATE_PROVIDER);
    let chain = |kb: &str, relation: &str| small(kb, &format!("{relation}\n{UPDATE_PROVIDER}"));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = world
        .manifest("second", &chain("KB100002", "replaces = [\"KB100001\"]"))
        .manifest("third", &chain("KB100003", "replaces = [\"KB100002\"]"))
        .manifest("needy", &chain("KB100004", "requires = [\"KB100001\"]"));
    world.run("apply second.toml --yes").exits_with(exit::OK);
    world.run("apply third.toml --yes").exits_with(exit::OK);
    let ran = world.run(APPLY_SMALL).exits_with(exit::NOT_APPLICABLE);
    ran.says("KB100001 is superseded: KB100003 is in force")
        .does_not_say("KB100002 is in force");
    // What was replaced is not thereby present, and cannot be applied any more.
    let ran = world
        .run("apply needy.toml --yes")
        .exits_with(exit::NOT_READY);
    ran.says("KB100003 replaced KB100001")
        .does_not_say("apply KB100001 first")
        .tree_is_unchanged();
}

#[test]
fn what_is_lacking_is_told_together_with_everything_else() {
    let world = small_world(&format!(
        "requires = [\"KB7\"]\n[[prerequisites]]\nproduct = \"Database\"\nservice_pack = 3\n{UPDATE_PROVIDER}"
    ));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .says("KB7 is required")
        .says("service pack 3 is required")
        .nothing_was_touched();
}

#[test]
fn what_hides_a_record_is_drift() {
    let world = small_world(UPDATE_PROVIDER).remove("Things/Provider/state.toml");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .says("`Things/Provider/files` holds files, and no `state.toml` says what they are");
}

#[test]
fn a_rehearsal_never_copies_a_deployment_into_itself() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml -d deployment --lab deployment/lab")
        .exits_with(exit::USAGE)
        .says("`deployment/lab` is in the deployment")
        .nothing_was_touched();
}

#[test]
fn two_spellings_of_one_name_are_drift_and_the_recorded_one_is_compared() {
    let world = small_world(UPDATE_PROVIDER).put("Things/Provider/STATE.toml", "his");
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.says("`Things/Provider/state.toml` and `Things/Provider/STATE.toml` differ only in case");
}
