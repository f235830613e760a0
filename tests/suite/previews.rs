//! What a preview looks like, in every form: whole texts, compared with those in `previews/`.
//!
//! `SNAPSHOTS=overwrite cargo test --test suite previews` writes them anew; read what changed.

use std::path::Path;

use serde_json::Value;

use crate::pages::EVERYTHING;
use crate::saved_plans::ALL_KINDS;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// What a command prints on a screen of so many columns.
fn printed(world: &World, words: &str, columns: usize) -> String {
    let output = world
        .command(words)
        .env("COLUMNS", columns.to_string())
        .output()
        .expect("it runs");
    assert!(
        output.status.success(),
        "{words}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

fn is_as_kept(name: &str, text: &str) {
    let at = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/suite/previews")
        .join(name);
    let expected = snapbox::Data::read_from(&at, Some(snapbox::data::DataFormat::Text));
    snapbox::Assert::new()
        .action_env("SNAPSHOTS")
        .normalize_paths(false)
        .eq(text.to_owned(), expected.raw());
}

#[test]
fn every_form_of_a_plan_is_as_it_was() {
    let world = small_world(EVERYTHING);
    let plan = "plan small.toml --include-missing";
    for (name, words, columns) in [
        ("narrow.txt", "", 80),
        ("wide.txt", "", 120),
        ("why.txt", "--why", 80),
        ("undo.txt", "--undo", 80),
        ("tree.txt", "--tree", 80),
        ("ticket.md", "--format markdown", 80),
    ] {
        let text = printed(&world, &format!("{plan} {words}"), columns);
        if !name.ends_with(".md") {
            let wide: Vec<&str> = text
                .lines()
                .filter(|line| line.chars().count() > columns)
                .collect();
            assert!(wide.is_empty(), "{name}: {wide:#?}");
        }
        is_as_kept(name, &text);
    }
}

#[test]
fn the_preview_of_kb952076_fits_any_screen() {
    let world = World::with_deployment();
    for columns in [80, 100, 160] {
        for words in ["", "--why", "--tree", "--undo", "--include-missing"] {
            let text = printed(&world, &format!("plan kb952076.toml {words}"), columns);
            let wide: Vec<&str> = text
                .lines()
                .filter(|line| line.chars().count() > columns)
                .collect();
            assert!(wide.is_empty(), "`{words}` on {columns} columns: {wide:#?}");
        }
    }
}

#[test]
fn what_fits_nowhere_beside_the_name_goes_below_it() {
    let world = World::with_deployment();
    let (narrow, wide) = (
        printed(&world, "plan kb952076.toml", 80),
        printed(&world, "plan kb952076.toml", 120),
    );
    let changes = |text: &str| {
        text.split_once("3. install")
            .expect("steps")
            .0
            .matches(" -> ")
            .count()
    };
    // Sizes and hashes of 18 files, on two lines or on one.
    assert_eq!((changes(&narrow), changes(&wide)), (36, 36));
    let alone = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("          ") && line.contains(" -> "))
            .count()
    };
    assert_eq!((alone(&narrow), alone(&wide)), (18, 0));
}

#[test]
fn a_saved_plan_is_shown_as_it_was_planned() {
    let world = small_world(EVERYTHING);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    let forms = [
        "",
        "--why",
        "--tree",
        "--undo",
        "--format markdown",
        "--format html",
    ];
    let planned: Vec<String> = forms
        .iter()
        .map(|form| printed(&world, &format!("plan small.toml {form}"), 80))
        .collect();
    // Stale, and with no deployment to ask.
    let world = world.with(|world| std::fs::remove_dir_all(world.deployment()).expect("removed"));
    for (form, planned) in forms.iter().zip(planned) {
        assert_eq!(
            printed(&world, &format!("show plan.json {form}"), 80),
            planned,
            "{form}"
        );
    }
}

#[test]
fn a_plan_of_an_earlier_version_is_shown_without_its_console() {
    let world = small_world(ALL_KINDS);
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    let mut plan: Value = serde_json::from_str(&world.read("../plan.json")).expect("JSON");
    for new in ["context", "checksum"] {
        plan.as_object_mut()
            .expect("an object")
            .remove(new)
            .expect("it is there");
    }
    std::fs::write(world.at("plan.json"), plan.to_string()).expect("written");
    world
        .run("show plan.json")
        .exits_with(exit::OK)
        .says("6 operations in 5 steps")
        .says("an earlier version made the plan");
    world
        .run("show plan.json --tree")
        .exits_with(exit::OK)
        .says("made by an earlier version of rollup");
    world
        .run("show plan.json --format html")
        .exits_with(exit::OK)
        .says("made by an earlier version of rollup");
    world
        .run("apply plan.json --yes")
        .exits_with(exit::OK)
        .says("as previewed");
}

#[test]
fn what_was_never_installed_and_will_be_is_loud_and_in_place() {
    let world = small_world(EVERYTHING);
    let text = printed(&world, "plan small.toml --include-missing", 80);
    let (before, after) = text
        .split_once("+ install    Extra")
        .expect("it is installed");
    assert!(before.contains("4. install"), "{text}");
    let next = after.lines().nth(1).expect("a line behind it");
    assert_eq!(
        next.trim(),
        "new here: it was not installed before, and will be now",
        "{text}"
    );
    assert_eq!(text.matches("new here").count(), 1, "{text}");
    assert!(!printed(&small_world(UPDATE_PROVIDER), "plan small.toml", 80).contains("new here"));
}

#[test]
fn every_plan_conforms_to_its_schema() {
    let world = small_world(EVERYTHING);
    let schema = world.run("schema plan").exits_with(exit::OK).json();
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of draft 2020-12");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let conforms = |plan: &Value, about: &str| {
        let faults: Vec<String> = schema
            .iter_errors(plan)
            .map(|fault| format!("{fault} at {}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{about}: {faults:#?}");
    };
    let printed =
        |world: &World, words: &str| -> Value { world.run(words).exits_with(exit::OK).json() };
    conforms(
        &printed(
            &world,
            "plan small.toml --include-missing --save plan.json --format json",
        ),
        "printed",
    );
    conforms(&read(&world, "plan.json"), "saved");
    conforms(
        &printed(
            &World::with_deployment(),
            "plan kb952076.toml --format json",
        ),
        "KB952076",
    );
    let world = small_world(ALL_KINDS);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    conforms(
        &read(&world, "deployment/.rollup/runs/0001-KB100001/plan.json"),
        "of a run",
    );
    let world = world.put(
        "Web/Site/WEB01/files/Program Files/Site/Site.dll",
        "a hotfix",
    );
    world
        .run("accept --reason mended --yes")
        .exits_with(exit::OK);
    conforms(
        &read(&world, "deployment/.rollup/runs/0002-accept/plan.json"),
        "that accepts",
    );
    let without = small_world(ALL_KINDS)
        .with(|world| std::fs::remove_dir_all(world.at("KB100001")).expect("removed"));
    let mut plan = printed(&without, "plan small.toml --format json");
    conforms(&plan, "without a payload");
    // And it does refuse.
    plan["steps"][0]["operations"][0]["kind"] = "explode".into();
    assert!(!schema.is_valid(&plan));
}

fn read(world: &World, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(world.at(file)).expect("a file")).expect("JSON")
}
