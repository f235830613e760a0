//! Readiness of a deployment: a rollup that it is not ready for is refused before any change, with
//! the name of the cause.

use std::fs;

use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{APPLY, KB952076, World, exit};

#[test]
fn servers_without_the_service_pack_are_named() {
    let world = World::with_deployment().edit(
        "deployment/deployment.toml",
        r#"{ name = "Exchange Server 2007", service_pack = 1, servers = ["EXHUB01", "EXMBX01", "EXMBX02", "EXCAS01"] }"#,
        r#"{ name = "Exchange Server 2007", service_pack = 1, servers = ["EXHUB01", "EXCAS01"] },
  { name = "Exchange Server 2007", service_pack = 0, servers = ["EXMBX01", "EXMBX02"] }"#,
    );
    world
        .run(APPLY)
        .exits_with(exit::NOT_READY)
        .prints("`Exchange Server 2007` on EXMBX01 has no service pack, but at least service pack 1 is required")
        .prints("`Exchange Server 2007` on EXMBX02 has no service pack")
        .does_not_print("on EXHUB01")
        .nothing_was_touched();
}

#[test]
fn a_later_service_pack_is_accepted() {
    let world = World::with_deployment().edit(
        "deployment/deployment.toml",
        "service_pack = 1",
        "service_pack = 3",
    );
    world.run("plan kb952076.toml").exits_with(exit::OK);
}

#[test]
fn a_required_product_that_no_server_has_is_named() {
    let manifest =
        format!("[[prerequisites]]\nproduct = \"Mail\"\nservice_pack = 1\n{UPDATE_PROVIDER}");
    let world = small_world(&manifest);
    let ran = world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .nothing_was_touched();
    ran.prints("`Mail` is required, but no server has it");
}

#[test]
fn another_version_of_the_product_is_refused() {
    let world = World::with_deployment().edit(
        "deployment/deployment.toml",
        "product_version = \"4.0\"",
        "product_version = \"4.5\"",
    );
    world
        .run(APPLY)
        .exits_with(exit::NOT_APPLICABLE)
        .prints("KB952076 is for version 4.0 of `Microsoft Solution for Hosted Messaging and Collaboration`")
        .prints("this deployment has 4.5")
        .nothing_was_touched();
}

#[test]
fn another_product_is_refused() {
    let world = World::with_deployment().edit(
        "deployment/deployment.toml",
        "product = \"Microsoft Solution for Hosted Messaging and Collaboration\"",
        "product = \"Something else\"",
    );
    let ran = world
        .run(APPLY)
        .exits_with(exit::NOT_APPLICABLE)
        .nothing_was_touched();
    ran.prints("this deployment is `Something else`");
}

#[test]
fn a_missing_parameter_is_named_with_its_procedure() {
    let world = World::with_deployment().edit(
        "deployment/deployment.toml",
        "\"Initialize Managed Email 2007\" = { preferredDomainController = \"AD01.hosting.example\" }",
        "",
    );
    world
        .run(APPLY)
        .exits_with(exit::NOT_READY)
        .prints("the procedure `Initialize Managed Email 2007` requires the parameter `preferredDomainController`")
        .nothing_was_touched();
}

#[test]
fn a_parameter_of_the_manifest_overrides_the_stored_one() {
    let steps = "[[steps]]\nid = \"initialize\"\naction = \"initialize\"\nitems.\"Things\" = [\"Initialize Things\"]\n";
    let manifest = format!(
        "{steps}parameters.\"Initialize Things\" = {{ controller = \"dc2\", more = \"yes\" }}\n[payload]\nfiles = []\n"
    );
    let world = small_world(&manifest);
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("ran Initialize Things");
    let state: toml::Table = world
        .read("Things/Initialize Things/state.toml")
        .parse()
        .expect("a record");
    assert_eq!(state["parameters"]["controller"].as_str(), Some("dc2"));
    assert_eq!(state["parameters"]["more"].as_str(), Some("yes"));
    assert_eq!(
        (state["state"].as_str(), state["kb"].as_str()),
        (Some("verified"), Some("KB100001"))
    );
}

#[test]
fn an_item_that_is_not_removable_is_never_uninstalled() {
    let world = small_world(&UPDATE_PROVIDER.replace("Provider", "Core"));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .prints("`Core`")
        .prints("may not be removed")
        .nothing_was_touched();
}

#[test]
fn an_item_that_others_require_cannot_be_removed_for_good() {
    let world = small_world(
        "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n[payload]\nfiles = []\n",
    );
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .prints("the run removes `Provider`, which `Namespace` still requires at the end")
        .nothing_was_touched();
}

#[test]
fn an_item_that_nothing_requires_can_be_removed_for_good() {
    let world = small_world(
        "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Namespace\"]\nitems.\"Web\" = [\"Site\"]\n[payload]\nfiles = []\n",
    );
    world
        .run(APPLY_SMALL)
        .exits_with(exit::OK)
        .prints("removed 2 items");
    assert!(
        world
            .read("Web/Site/WEB01/state.toml")
            .contains("state = \"not-installed\"")
    );
    assert!(
        world
            .read("Web/Site/WEB01/state.toml")
            .contains("kb = \"KB100001\"")
    );
    assert!(!world.live("Web/Site/WEB01/files").exists());
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn an_update_of_an_item_names_the_items_that_require_it() {
    let world = small_world(UPDATE_PROVIDER);
    world.run(APPLY_SMALL).exits_with(exit::OK).prints(
        "dependencies unavailable during the run: Namespace is without Provider from step remove to step install",
    );
    assert!(
        world
            .read("Things/Provider/state.toml")
            .contains("version = \"4.0.300\"")
    );
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn an_older_installer_needs_allow_downgrade() {
    let world = small_world(&UPDATE_PROVIDER.replace(
        "{ name = \"Provider.msi\" }",
        "{ name = \"Provider.msi\", version = \"4.0.100\" }",
    ));
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .prints("`Provider.msi` has version 4.0.100 of `Provider`, which is older than the installed 4.0.200")
        .does_not_print("still requires at the end")
        .prints("--allow-downgrade")
        .nothing_was_touched();
    world
        .run("apply small.toml --yes --allow-downgrade")
        .exits_with(exit::OK);
    assert!(
        world
            .read("Things/Provider/state.toml")
            .contains("version = \"4.0.100\"")
    );
}

#[test]
fn an_installer_of_another_product_is_refused_with_both_names() {
    let world = small_world(UPDATE_PROVIDER).with(|world| {
        fs::copy(
            world.live("Share/Namespace.msi"),
            world.at("KB100001/Provider.msi"),
        )
        .expect("copied");
    });
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints("`Provider.msi` should hold `Provider` for `Provider`, but holds `Namespace`")
        .nothing_was_touched();
}

#[test]
fn an_installer_that_is_missing_in_the_share_is_named() {
    let steps = "[[steps]]\nid = \"remove\"\naction = \"uninstall\"\nitems.\"Things\" = [\"Provider\"]\n\
                 [[steps]]\nid = \"install\"\naction = \"install\"\nremoved_by = \"remove\"\n[payload]\nfiles = []\n";
    let world = small_world(steps).remove("Share/Provider.msi");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::MISMATCH)
        .prints(
            "`Provider` requires the installer `Provider.msi`, which is not in the share at this step",
        )
        .nothing_was_touched();
}

/// Returns the shipped manifest with another KB number and other relations to rollups.
fn manifest_with_number(kb: &str, relations: &str) -> String {
    let text = KB952076.replace("kb = \"KB952076\"", &format!("kb = \"{kb}\""));
    let includes = "includes = [\"KB948755\"]          # all of Update Rollup 2 is in here,\n";
    let replaces = "replaces = [\"KB948755\"]          # and this rollup replaces it\n";
    assert!(text.contains(includes) && text.contains(replaces));
    text.replace(includes, relations).replace(replaces, "")
}

#[test]
fn a_rollup_that_an_applied_one_includes_is_superseded() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    fs::write(
        world.at("kb948755.toml"),
        manifest_with_number("KB948755", ""),
    )
    .expect("written");
    world
        .run("apply kb948755.toml -p KB952076 --yes")
        .exits_with(exit::NOT_APPLICABLE)
        .prints("KB948755 is superseded: KB952076 is applied and includes it")
        .tree_is_unchanged();
}

#[test]
fn a_rollup_supersedes_those_that_it_replaces() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    fs::write(
        world.at("next.toml"),
        manifest_with_number("KB999999", "replaces = [\"KB952076\"]\n"),
    )
    .expect("written");
    world
        .run("apply next.toml -p KB952076 --yes")
        .exits_with(exit::OK)
        .prints("applied: KB952076 now; KB999999 afterwards");
    world
        .run(APPLY)
        .exits_with(exit::NOT_APPLICABLE)
        .prints("KB952076 is superseded: KB999999 is applied")
        .tree_is_unchanged();
    world
        .run("apply kb952076.toml --yes --reapply")
        .exits_with(exit::NOT_APPLICABLE)
        .tree_is_unchanged();
    world.run("verify").exits_with(exit::OK);
    world
        .run("status")
        .prints("superseded: KB952076 revision 1.0, by KB999999")
        .prints("superseded: KB948755");
}

#[test]
fn a_rollup_without_a_record_is_applied_but_cannot_be_compared() {
    let world = World::with_deployment();
    fs::write(
        world.at("kb948755.toml"),
        manifest_with_number("KB948755", ""),
    )
    .expect("written");
    let ran = world
        .run("apply kb948755.toml -p KB952076 --yes")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("nothing to do: KB948755 is applied already")
        .prints("nothing could be compared");
}

#[test]
fn a_required_rollup_that_is_missing_is_named() {
    let world = World::with_deployment();
    fs::write(
        world.at("next.toml"),
        manifest_with_number("KB999999", "requires = [\"KB952076\"]\n"),
    )
    .expect("written");
    let next = "apply next.toml -p KB952076 --yes";
    world
        .run(next)
        .exits_with(exit::NOT_READY)
        .prints("KB952076 is required, and neither applied nor included by an applied rollup")
        .nothing_was_touched();
    world.run(APPLY).exits_with(exit::OK);
    world.run(next).exits_with(exit::OK);
}

#[test]
fn a_required_rollup_can_be_included_in_an_applied_one() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    fs::write(
        world.at("next.toml"),
        manifest_with_number("KB999999", "requires = [\"KB948755\"]\n"),
    )
    .expect("written");
    world
        .run("plan next.toml -p KB952076")
        .exits_with(exit::OK)
        .does_not_print("is required");
}

#[test]
fn a_newer_revision_is_applied_and_an_older_one_is_refused() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let newer = KB952076.replace("revision = \"1.0\"", "revision = \"1.10\"");
    fs::write(world.at("newer.toml"), newer).expect("written");
    world
        .run("apply newer.toml -p KB952076 --yes")
        .exits_with(exit::OK)
        .prints("applied KB952076 as run 0002-KB952076");
    fs::write(
        world.at("older.toml"),
        KB952076.replace("revision = \"1.0\"", "revision = \"1.9\""),
    )
    .expect("written");
    world
        .run("apply older.toml -p KB952076 --yes")
        .exits_with(exit::NOT_APPLICABLE)
        .prints("revision 1.10 of KB952076 is applied, which is newer than revision 1.9")
        .tree_is_unchanged();
}

#[test]
fn an_unknown_item_is_refused_with_the_nearest_name() {
    let world = World::with_deployment().edit(
        "kb952076.toml",
        "\"Exchange 2007 Hosted Email\"",
        "\"Exchange 2007 Hosted Emial\"",
    );
    for command in [
        APPLY,
        "plan kb952076.toml",
        "validate kb952076.toml -d deployment",
    ] {
        world
            .run(command)
            .exits_with(exit::INVALID)
            .prints("Exchange 2007 Hosted Emial")
            .prints("did you mean `Exchange 2007 Hosted Email`?")
            .prints("kb952076.toml:39:3")
            .nothing_was_touched();
    }
}

#[test]
fn an_unknown_role_group_or_service_is_refused_with_the_nearest_name() {
    for (from, to, nearest) in [
        ("on = \"mps-engine\"", "on = \"mps-engin\"", "`mps-engine`"),
        (
            "\"MPS Web Service\"]",
            "\"MPS Web Servces\"]",
            "`MPS Web Service",
        ),
        (
            "service = \"Provisioning Engine\"",
            "service = \"Provisioning Engin\"",
            "`Provisioning Engine`",
        ),
    ] {
        let world = World::with_deployment().edit("kb952076.toml", from, to);
        world
            .run(APPLY)
            .exits_with(exit::INVALID)
            .prints("did you mean")
            .prints(nearest)
            .nothing_was_touched();
    }
}

#[test]
fn without_a_terminal_a_command_needs_yes() {
    let world = World::with_deployment();
    let ran = world
        .run("apply kb952076.toml")
        .exits_with(exit::USAGE)
        .prints("cannot prompt: standard input is not a terminal")
        .prints("--yes");
    ran.prints("now: this command changed nothing")
        .nothing_was_touched();
    for command in ["resume", "undo"] {
        world
            .run(command)
            .exits_with(exit::OK)
            .prints("nothing to do: no run in progress")
            .nothing_was_touched();
    }
}

#[test]
fn paths_that_do_not_exist_are_an_input_error() {
    let world = World::with_deployment();
    for (command, path) in [
        (
            "apply kb952076.toml --yes -d nowhere",
            "there is no deployment `nowhere`",
        ),
        (
            "apply missing.toml --yes",
            "there is no file `missing.toml`",
        ),
        ("status -d nowhere", "there is no deployment `nowhere`"),
        (
            "verify -d KB952076",
            "`KB952076` is not a deployment: it has no `deployment.toml`",
        ),
        ("validate missing.toml", "there is no file `missing.toml`"),
        ("inspect missing.msi", "there is no file `missing.msi`"),
    ] {
        world
            .run(command)
            .exits_with(exit::NO_INPUT)
            .prints(path)
            .nothing_was_touched();
    }
}

#[test]
fn bad_arguments_are_a_usage_error() {
    let world = World::with_deployment();
    for command in [
        "frobnicate",
        "apply",
        "plan kb952076.toml --format yaml",
        "apply kb952076.toml --lock-timeout soon",
    ] {
        world
            .run(command)
            .exits_with(exit::USAGE)
            .nothing_was_touched();
    }
    for command in ["--help", "apply --help", "--version"] {
        world.run(command).exits_with(exit::OK);
    }
}

#[test]
fn the_deployment_is_found_in_the_parent_directories() {
    let world = World::with_deployment();
    let mut command = world.command("plan ../../kb952076.toml -p ../../KB952076");
    command
        .current_dir(world.live("MSIShare"))
        .env_remove("ROLLUP_DEPLOYMENT");
    let output = command.output().expect("the program runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(String::from_utf8_lossy(&output.stderr).contains("found in the parent directories"));
    let mut command = world.command("status");
    let output = command
        .env_remove("ROLLUP_DEPLOYMENT")
        .output()
        .expect("the program runs");
    assert_eq!(output.status.code(), Some(exit::USAGE));
}

#[test]
fn an_invalid_record_is_named_and_stops_the_plan() {
    let state = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider/state.toml";
    for text in [
        "state = ",
        "schema = 1\nstate = \"splendid\"\n",
        "schema = 1\nstate = \"verified\"\n",
    ] {
        let world = World::with_deployment().write_file(state, text);
        world
            .run(APPLY)
            .exits_with(exit::INVALID)
            .prints(&format!("`{state}` cannot be used"))
            .nothing_was_touched();
        world
            .run("verify")
            .exits_with(exit::MISMATCH)
            .prints(state)
            .nothing_was_touched();
    }
}

#[test]
fn an_error_in_deployment_toml_is_printed_with_its_place() {
    let world = World::with_deployment().edit(
        "deployment/deployment.toml",
        "share = \"MSIShare\"",
        "share = \"..\"",
    );
    for command in [APPLY, "status", "tree", "verify", "plan kb952076.toml"] {
        world
            .run(command)
            .exits_with(exit::INVALID)
            .prints("deployment.toml:")
            .nothing_was_touched();
    }
}

#[test]
fn a_deployment_of_a_later_version_is_refused() {
    let world = World::with_deployment();
    world.run(APPLY).exits_with(exit::OK);
    let world = world.write_file(".rollup/format", "2\n");
    for command in [APPLY, "undo --yes", "resume --yes", "status", "verify"] {
        world
            .run(command)
            .exits_with(exit::INVALID)
            .prints("`.rollup` has format 2")
            .nothing_was_touched();
    }
}
