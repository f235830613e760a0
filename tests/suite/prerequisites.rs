//! Prerequisites on products and items: ranges, versions, absence and alternatives. A prerequisite
//! that does not hold is refused before any change, with every server, what was found there and what
//! is wanted.

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small};
use crate::world::{World, exit};

/// Products of the deployment: one with another service pack on each server, one without a version.
const PRODUCTS: &str = r#"products = [
  { name = "Database", service_pack = 2, version = "9.0.3042", servers = ["ENG01"] },
  { name = "Database", service_pack = 4, version = "9.0.5000", servers = ["ENG02"] },
  { name = "Mail", aliases = ["Post"], service_pack = 1, servers = ["ENG01"] },
  { name = "Search", version = "2007 R2", servers = ["WEB01"] },
]"#;

/// Makes a world whose deployment has [`PRODUCTS`], with a manifest of these prerequisites.
#[track_caller]
fn world_with(prerequisites: &str) -> World {
    let products = r#"products = [{ name = "Database", service_pack = 2, servers = ["ENG01"] }]"#;
    let site = SMALL.replace(products, PRODUCTS);
    let rest = format!("{prerequisites}\n{UPDATE_PROVIDER}");
    World::with_site(&site).manifest("small", &small("KB100001", &rest))
}

/// Asserts that a prerequisite holds, and that the plan prints what was found.
#[track_caller]
fn holds(prerequisite: &str, checked: &str) {
    let world = world_with(&format!("[[prerequisites]]\n{prerequisite}"));
    let ran = world.run("plan small.toml").exits_with(exit::OK);
    ran.prints(checked);
}

/// Asserts that a prerequisite does not hold, with this code and these lines.
#[track_caller]
fn fails(prerequisite: &str, code: i32, lines: &[&str]) {
    let world = world_with(&format!("[[prerequisites]]\n{prerequisite}"));
    let mut ran = world
        .run(APPLY_SMALL)
        .exits_with(code)
        .nothing_was_touched();
    for line in lines {
        ran = ran.prints(line);
    }
}

#[test]
fn a_product_may_have_any_service_pack_of_a_range() {
    holds(
        "product = \"Database\"\nservice_pack = { min = 2, max = 4 }",
        "Database, service pack 2 to 4: ENG01 (service pack 2), ENG02 (service pack 4)",
    );
    fails(
        "product = \"Database\"\nservice_pack = { min = 1, max = 3 }",
        exit::NOT_READY,
        &[
            "`Database` on ENG02 has service pack 4, but service pack 1 to 3 is required",
            "update the server, then change its entry in `products` of `deployment.toml`",
        ],
    );
    fails(
        "product = \"Mail\"\nservice_pack = { max = 0 }",
        exit::NOT_READY,
        &["`Mail` on ENG01 has service pack 1, but no service pack is required"],
    );
}

#[test]
fn a_product_has_a_version_or_one_of_a_range() {
    holds(
        "product = \"Database\"\nversion = { min = \"9.0.3042\", max = \"9.0.10000\" }",
        "Database, version 9.0.3042 to 9.0.10000: ENG01 (service pack 2, version 9.0.3042), ENG02 (service pack 4, version 9.0.5000)",
    );
    holds(
        "product = \"Search\"\nversion = \"2007 R2\"",
        "Search, version 2007 R2: WEB01 (version 2007 R2)",
    );
    fails(
        "product = \"Database\"\nversion = \"9.0.3042\"",
        exit::NOT_READY,
        &["`Database` on ENG02 has version 9.0.5000, but version 9.0.3042 is required"],
    );
    fails(
        "product = \"Search\"\nversion = { min = \"2007\" }",
        exit::NOT_READY,
        &["`Search` on WEB01 has version 2007 R2, but at least version 2007 is required"],
    );
}

#[test]
fn a_version_that_is_not_documented_does_not_hold() {
    fails(
        "product = \"Mail\"\nversion = \"8.1\"",
        exit::NOT_READY,
        &[
            "`deployment.toml` names no version of `Mail` on ENG01, but version 8.1 is required",
            "add `version` to its entry in `products` of `deployment.toml`",
        ],
    );
}

#[test]
fn a_product_is_absent_if_no_server_of_the_role_has_it() {
    holds(
        "product = \"Mail\"\nabsent = true\non = \"web\"",
        "Mail is absent: no server of web has it",
    );
    holds(
        "product = \"Nothing\"\nabsent = true",
        "Nothing is absent: no server has it",
    );
    fails(
        "product = \"database\"\nabsent = true",
        exit::NOT_READY,
        &[
            "`database` must be absent, but ENG01, ENG02 have it",
            "remove it there, then remove its entry in `products` of `deployment.toml`",
        ],
    );
    fails(
        "product = \"Post\"\nabsent = true\non = \"engine\"",
        exit::NOT_READY,
        &["`Post` must be absent, but ENG01 has it"],
    );
}

#[test]
fn an_item_has_a_version_or_is_absent() {
    holds(
        "item = \"Site\"\nversion = { min = \"4.0.200\" }",
        "Site, at least version 4.0.200 is installed: Site on WEB01 (version 4.0.200)",
    );
    holds(
        "item = \"Extra\"\nabsent = true",
        "Extra is absent: not installed",
    );
    fails(
        "item = \"Site\"\nversion = { min = \"4.0.201\" }",
        exit::NOT_READY,
        &["`Site on WEB01` has version 4.0.200, but at least version 4.0.201 is required"],
    );
    fails(
        "item = \"Extra\"\nversion = \"4.0.200\"",
        exit::NOT_READY,
        &[
            "`Extra` is required, but not installed",
            "first apply a rollup that installs it",
        ],
    );
    fails(
        "item = \"Site\"\nabsent = true",
        exit::NOT_READY,
        &[
            "`Site on WEB01` must be absent, but it is installed",
            "first apply a rollup that uninstalls it",
        ],
    );
}

#[test]
fn an_unlisted_item_is_absent_and_otherwise_makes_the_rollup_not_applicable() {
    fails(
        "item = \"Migration Kit\"\nversion = \"1.0\"",
        exit::NOT_APPLICABLE,
        &["`Migration Kit` is required, and the console of `small` does not list it"],
    );
    let world = world_with("[[prerequisites]]\nitem = \"Sites\"\nabsent = true");
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("Sites is absent: not installed");
    world
        .run("validate small.toml -d deployment")
        .exits_with(exit::OK)
        .prints("note[RU0620]: `small` has no item `Sites`, so this condition holds there")
        .prints("did you mean `Site`?");
}

#[test]
fn one_alternative_is_enough() {
    let any = |entries: &str| format!("any = [{entries}]");
    holds(
        &any("{ product = \"Mail\", service_pack = 2 }, { item = \"Site\" }"),
        "Mail, at least service pack 2; or Site is installed: Site on WEB01",
    );
    // One alternative may name a product or an item that the deployment does not have.
    let unknown = any("{ item = \"Migration Kit\" }, { product = \"Mail\" }");
    holds(
        &unknown,
        "Migration Kit is installed; or Mail: ENG01 (service pack 1)",
    );
    let world = world_with(&format!("[[prerequisites]]\n{unknown}"));
    world
        .run("validate small.toml -d deployment")
        .exits_with(exit::OK)
        .prints("note[RU0620]: `small` has no item `Migration Kit`, so this alternative does not hold there");
}

#[test]
fn a_refusal_names_every_alternative_in_one_reason() {
    let any = |entries: &str| format!("any = [{entries}]");
    fails(
        &any("{ product = \"Database\", service_pack = 5 }, { item = \"Extra\" }"),
        exit::NOT_READY,
        &[
            "no alternative of the prerequisite on line 7 holds: \
             `Database` on ENG01 has service pack 2, but at least service pack 5 is required, and \
             `Database` on ENG02 has service pack 4, but at least service pack 5 is required; \
             `Extra` is required, but not installed",
            "one is enough: update the server, then change its entry in `products` of \
             `deployment.toml`; or first apply a rollup that installs it",
        ],
    );
    // The rollup is not applicable only if no alternative can ever hold.
    let unlisted = "{ item = \"Migration Kit\" }";
    fails(
        &any(&format!("{unlisted}, {{ item = \"Other Kit\" }}")),
        exit::NOT_APPLICABLE,
        &["the console of `small` does not list it; `Other Kit` is required"],
    );
    fails(
        &any(&format!("{unlisted}, {{ product = \"Nothing\" }}")),
        exit::NOT_READY,
        &["`Nothing` is required, but no server has it"],
    );
}

#[test]
fn a_procedure_is_not_an_alternative() {
    fails(
        "any = [{ item = \"Site\" }, { item = \"Initialize Things\" }]",
        exit::INVALID,
        &["`Initialize Things` is a procedure, and procedures are never installed"],
    );
}

#[test]
fn an_offline_server_counts_neither_as_present_nor_as_absent() {
    let world = world_with("[[prerequisites]]\nproduct = \"Search\"\nabsent = true").edit(
        "deployment/deployment.toml",
        "roles = [\"web\"] }",
        "roles = [\"web\"], offline = true }",
    );
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("Search is absent: no server has it");
}

#[test]
fn what_no_server_online_can_show_is_not_met() {
    for required in [
        "product = \"Mail\"\non = \"web\"",
        "item = \"Site\"\nversion = \"99.0\"",
    ] {
        world_with(&format!("[[prerequisites]]\n{required}"))
            .edit(
                "deployment/deployment.toml",
                "roles = [\"web\"] }",
                "roles = [\"web\"], offline = true }",
            )
            .run("plan small.toml")
            .exits_with(exit::NOT_READY)
            .prints("is required, but no server on which to check it is online");
    }
}

#[test]
fn a_range_and_an_alternative_are_named_by_a_comparison() {
    let manifest =
        |prerequisites: &str| small("KB100001", &format!("{prerequisites}\n{UPDATE_PROVIDER}"));
    let any = "[[prerequisites]]\nany = [{ item = \"Site\" }, { product = \"Mail\", service_pack = { max = 2 } }]";
    let world = world_with("[[prerequisites]]\nproduct = \"Mail\"\nservice_pack = 1")
        .write_file("../a.toml", manifest("[[prerequisites]]\nproduct = \"Mail\"\nservice_pack = 1"))
        .write_file(
            "../b.toml",
            manifest(&format!(
                "[[prerequisites]]\nproduct = \"Mail\"\nservice_pack = {{ min = 1, max = 2 }}\n{any}"
            )),
        );
    world
        .run("diff a.toml b.toml")
        .exits_with(exit::OK)
        .prints("~ changed Mail: service_pack: 1 -> { max: 2, min: 1 }")
        .prints("+ added prerequisite: any: { item: Site }, { product: Mail, service_pack: { max: 2, min: 0 } }");
}
