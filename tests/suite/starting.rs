//! Documents to start from, by `init`: valid but for their `TODO`s, and complete once these are
//! replaced.

use std::fs;
use std::os::unix::fs::symlink;

use serde_json::Value;

use crate::small::{SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{KB952076, World, exit};

/// Values in place of each `TODO`, by the beginning of its line.
const MANIFEST_VALUES: [(&str, &str); 9] = [
    ("kb =", "kb = \"KB100009\""),
    ("title =", "title = \"A first rollup\""),
    ("product =", "product = \"Sample\""),
    ("product_versions =", "product_versions = [\"1.0\"]"),
    ("url =", "url = \"https://vendor.example/kb100009\""),
    ("revision =", "revision = \"1.0\""),
    ("items.", "items.\"Things\" = ["),
    ("  \"TODO an item", "  \"Provider\","),
    ("service =", "service = \"Engine\""),
];

const DEPLOYMENT_VALUES: [(&str, &str); 8] = [
    ("name =", "name = \"first\""),
    ("product =", "product = \"Sample\""),
    ("product_version =", "product_version = \"1.0\""),
    ("  { name = \"TODO-ROLE\"", "  { name = \"engine\" },"),
    (
        "  { name = \"TODO-SERVER\"",
        "  { name = \"ENG01\", roles = [\"engine\"] },",
    ),
    (
        "  { name = \"TODO-SERVICE\"",
        "  { name = \"Engine\", on = \"engine\" },",
    ),
    ("path =", "path = \"Things\""),
    (
        "  { name = \"TODO-ITEM\"",
        "  { name = \"Provider\", installer = \"Provider.msi\" },",
    ),
];

/// Replaces every line with a `TODO`.
#[track_caller]
fn filled(text: &str, values: &[(&str, &str)]) -> String {
    let line = |line: &str| {
        let is_open = line.contains("TODO") && !line.starts_with('#');
        let value = values.iter().find(|(begin, _)| line.starts_with(begin));
        match (is_open, value) {
            (false, _) => line.to_owned(),
            (true, Some((_, value))) => (*value).to_owned(),
            (true, None) => panic!("no value for `{line}`"),
        }
    };
    let lines: Vec<String> = text.lines().map(line).collect();
    lines.join("\n") + "\n"
}

/// Returns the codes that `validate` finds, each once.
fn codes(world: &World, arguments: &str) -> Vec<String> {
    let document = world
        .run(&format!("validate {arguments} --format json"))
        .json();
    let findings = document["findings"].as_array().expect("findings").clone();
    let code = |finding: &Value| finding["code"].as_str().expect("a code").to_owned();
    let mut codes: Vec<String> = findings.iter().map(code).collect();
    codes.sort();
    codes.dedup();
    codes
}

#[test]
fn new_documents_become_a_rollup_that_is_applied() {
    let world = small_world(UPDATE_PROVIDER);
    let ran = world
        .run("init deployment -o new.toml")
        .exits_with(exit::OK);
    ran.prints("written to new.toml")
        .prints("next: replace each TODO; `rollup validate new.toml` lists them");
    assert_eq!(codes(&world, "new.toml"), ["RU0121"]);
    let deployment = filled(&world.read("../new.toml"), &DEPLOYMENT_VALUES);
    let world = world.write_file("../site/deployment.toml", deployment);
    assert_eq!(codes(&world, "site"), [""; 0]);
    world
        .run("init manifest -p KB100001 -o draft.toml")
        .exits_with(exit::OK);
    assert_eq!(codes(&world, "draft.toml"), ["RU0121", "RU0207"]);
    let manifest = filled(&world.read("../draft.toml"), &MANIFEST_VALUES);
    // The number is that of the directory.
    assert!(manifest.contains("kb = \"KB100001\""), "{manifest}");
    let world = world.write_file("../first.toml", manifest);
    assert_eq!(codes(&world, "first.toml -d site -p KB100001"), ["RU0207"]);
    world.run("pin first.toml -p KB100001").exits_with(exit::OK);
    assert_eq!(codes(&world, "first.toml -d site -p KB100001"), [""; 0]);
    // The whole way, on a deployment that is built from the description.
    world
        .run("rehearse first.toml -d site/deployment.toml -p KB100001 --lab lab --prepare")
        .exits_with(exit::OK);
    world
        .run("plan first.toml -d lab/deployment -p KB100001")
        .exits_with(exit::OK)
        .prints("Provider");
    world
        .run("apply first.toml -d lab/deployment -p KB100001 --yes")
        .exits_with(exit::OK);
    world.run("verify -d lab/deployment").exits_with(exit::OK);
}

#[test]
fn a_manifest_without_a_payload_has_one_row_to_replace() {
    let world = World::with_site(SMALL);
    let ran = world.run("init manifest --kb 100009").exits_with(exit::OK);
    assert!(ran.stdout().contains("\nkb = \"KB100009\"\n"));
    assert!(ran.stdout().contains("  { name = \"TODO.msi\" },\n"));
    ran.prints("next: replace each TODO; `rollup validate FILE` lists them");
    let text = world
        .run("init manifest --kb acme-2024.7")
        .stdout()
        .to_owned();
    assert!(text.contains("\nid = \"acme-2024.7\"\n"), "{text}");
}

#[test]
fn the_rows_of_a_payload_are_those_of_its_files() {
    let world = World::with_deployment().with(|world| {
        fs::create_dir(world.at("KB952076/x64")).expect("made");
        fs::write(world.at("KB952076/x64/Readme.txt"), "read me").expect("written");
        fs::write(world.at("KB952076/a\\b.txt"), "no name of a row").expect("written");
        symlink("Readme.txt", world.at("KB952076/x64/link.txt")).expect("linked");
    });
    let ran = world
        .run("init manifest -p KB952076 -o draft.toml")
        .exits_with(exit::OK);
    ran.prints("`a\\b.txt` is left out: no file table can name it")
        .prints("`x64/link.txt` is left out");
    let draft = world.read("../draft.toml");
    // Sizes, times and names of the sample are those of the shipped manifest.
    let facts = |text: &str| -> Vec<String> {
        let rows = text.lines().filter(|line| line.starts_with("  { name = "));
        let words = |row: &str| row.split_whitespace().collect::<Vec<_>>().join(" ");
        rows.map(words)
            .filter(|row| row.contains(".msi"))
            .map(|row| row.split(" }").next().unwrap_or_default().to_owned())
            .collect()
    };
    let shipped = facts(KB952076);
    assert!(shipped.len() > 15);
    for row in shipped {
        let row = row.split(", unused").next().unwrap_or_default();
        assert!(
            facts(&draft).iter().any(|found| found == row),
            "{row}\n{draft}"
        );
    }
    assert!(
        draft.contains("# Hosted Email 2007 Web Service 4"),
        "{draft}"
    );
    assert!(draft.contains("{ name = \"x64/Readme.txt\","), "{draft}");
    let codes = codes(&world, "draft.toml -p KB952076");
    assert_eq!(codes, ["RU0121", "RU0203", "RU0207", "RU0709"]);
}

#[test]
fn a_document_that_exists_is_replaced_only_with_force() {
    let world = World::with_site(SMALL).write_file("../mine.toml", "# edited\n");
    let ran = world
        .run("init manifest -o mine.toml")
        .exits_with(exit::USAGE);
    ran.prints("`mine.toml` exists already")
        .prints("now: this command changed nothing")
        .prints("`--force` replaces it");
    assert_eq!(world.read("../mine.toml"), "# edited\n");
    world
        .run("init manifest -o mine.toml --force")
        .exits_with(exit::OK);
    assert!(world.read("../mine.toml").contains("[rollup]"));
    world
        .run("init deployment -o deployment/deployment.toml --force")
        .exits_with(exit::USAGE)
        .prints("is in the deployment")
        .nothing_was_touched();
}

#[test]
fn options_without_a_use_are_refused() {
    let world = World::with_site(SMALL);
    for (arguments, reason) in [
        ("init deployment --kb KB1", "`--kb` is for a manifest"),
        ("init deployment -p KB1", "`--payload` is for a manifest"),
        ("init manifest --name x", "`--name` is for a deployment"),
        ("init manifest --force", "--output"),
        ("init", "<DOCUMENT>"),
    ] {
        world.run(arguments).exits_with(exit::USAGE).prints(reason);
    }
    world
        .run("init manifest -p nowhere")
        .exits_with(exit::NO_INPUT)
        .prints("there is no payload directory `nowhere`");
    fs::create_dir(world.at("empty")).expect("made");
    world
        .run("init manifest -p empty")
        .exits_with(exit::NO_INPUT)
        .prints("has no files");
}
