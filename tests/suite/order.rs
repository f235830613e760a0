//! Order of steps and runs: each step sees the result of the steps before it, and each run the
//! result of the runs before it.

use rollup::installer::{Recipe, build_package};
use rollup::names::FileName;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

#[test]
fn an_install_uses_the_installer_that_is_in_the_share_at_that_step() {
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
        .prints("the result matches the plan");
    let after = world.read("Things/Provider/state.toml");
    let version = |text: &str| {
        text.lines()
            .find(|line| line.starts_with("version"))
            .map(str::to_owned)
    };
    assert_eq!(
        version(&before),
        version(&after),
        "the newer installer was copied after the install"
    );
}

#[test]
fn a_file_that_a_later_run_does_not_change_still_belongs_to_the_earlier_run() {
    let world = World::with_deployment();
    world.run("apply kb952076.toml --yes").exits_with(exit::OK);
    // The files have not changed, so the second run copies none of them.
    world
        .run("apply kb952076.toml --yes --reapply")
        .exits_with(exit::OK);
    let world = world.write_file("MSIShare/HostedEmail2007WS.msi", "a hotfix");
    world
        .run("apply kb952076.toml --yes")
        .exits_with(exit::MISMATCH)
        .prints("MSIShare/HostedEmail2007WS.msi")
        .prints("--reapply")
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
        features: Vec::new(),
    };
    let package = build_package(&recipe).expect("a package");
    std::fs::write(world.at("KB100001/Again.msi"), package).expect("written");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints("`Again.msi` holds `Tool`, which this step already installs to the same directory")
        .nothing_was_touched();
}

#[test]
fn a_change_by_the_same_run_is_not_drift() {
    let steps = UPDATE_PROVIDER.replace(
        "[payload]",
        "[[steps]]\nid = \"again\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n\
         [[steps]]\nid = \"back\"\naction = \"install\"\nremoved_by = \"again\"\n[payload]",
    );
    let world = small_world(&steps);
    let ran = world.run(APPLY_SMALL).exits_with(exit::OK);
    ran.does_not_print("is missing, although")
        .does_not_print("was changed since")
        .prints("the result matches the plan");
}

#[test]
fn a_superseded_rollup_is_refused_with_the_rollup_that_supersedes_it() {
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
    ran.prints("KB100001 is superseded: KB100003 is applied")
        .does_not_print("KB100002 is applied");
    // A rollup that was replaced does not count as applied, and cannot be applied any more.
    let ran = world
        .run("apply needy.toml --yes")
        .exits_with(exit::NOT_READY);
    ran.prints("KB100003 replaced KB100001")
        .does_not_print("apply KB100001 first")
        .tree_is_unchanged();
}

#[test]
fn missing_rollups_and_prerequisites_are_reported_at_once() {
    let world = small_world(&format!(
        "requires = [\"KB7\"]\n[[prerequisites]]\nproduct = \"Database\"\nservice_pack = 3\n{UPDATE_PROVIDER}"
    ));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .prints("KB7 is required")
        .prints("but at least service pack 3 is required")
        .nothing_was_touched();
}

#[test]
fn a_missing_state_file_is_drift() {
    let world = small_world(UPDATE_PROVIDER).remove("Things/Provider/state.toml");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("`Things/Provider/files` contains files, but no `state.toml` describes them");
}

#[test]
fn a_rehearsal_never_copies_a_deployment_into_itself() {
    let world = World::with_deployment();
    world
        .run("rehearse kb952076.toml -d deployment --lab deployment/lab")
        .exits_with(exit::USAGE)
        .prints("`deployment/lab` is in the deployment")
        .nothing_was_touched();
}

#[test]
fn two_spellings_of_one_name_are_drift() {
    let world = small_world(UPDATE_PROVIDER).write_file("Things/Provider/STATE.toml", "unmanaged");
    let ran = world.run("verify").exits_with(exit::MISMATCH);
    ran.prints("`Things/Provider/state.toml` and `Things/Provider/STATE.toml` differ only in case");
}
