//! Previews of plans in every form: whole texts, compared with the snapshots in `previews/`.
//!
//! `SNAPSHOTS=overwrite cargo test --test suite previews` updates them; review the differences.

use std::path::Path;

use serde_json::Value;

use crate::pages::WITH_HOSTILE_TEXTS;
use crate::saved_plans::ALL_KINDS;
use crate::small::{APPLY_SMALL, UPDATE_PROVIDER, small_world};
use crate::world::{World, exit};

/// Returns the standard output of a command at this width.
fn printed(world: &World, arguments: &str, columns: usize) -> String {
    let output = world
        .command(arguments)
        .env("COLUMNS", columns.to_string())
        .output()
        .expect("the program runs");
    assert!(
        output.status.success(),
        "{arguments}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("text")
}

fn assert_matches_snapshot(name: &str, text: &str) {
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
fn every_form_of_a_plan_matches_its_snapshot() {
    let world = small_world(WITH_HOSTILE_TEXTS);
    let plan = "plan small.toml --include-missing";
    for (name, arguments, columns) in [
        ("narrow.txt", "", 80),
        ("wide.txt", "", 120),
        ("why.txt", "--why", 80),
        ("undo.txt", "--undo", 80),
        ("tree.txt", "--tree", 80),
        ("ticket.md", "--format markdown", 80),
    ] {
        let text = printed(&world, &format!("{plan} {arguments}"), columns);
        if !name.ends_with(".md") {
            let wide: Vec<&str> = text
                .lines()
                .filter(|line| line.chars().count() > columns)
                .collect();
            assert!(wide.is_empty(), "{name}: {wide:#?}");
        }
        // Time, user and absolute paths are of this machine.
        let is_portable = |line: &&str| !line.starts_with("| shown |") && !line.contains(" | /");
        let lines: Vec<&str> = text.lines().filter(is_portable).collect();
        let text = lines.join("\n") + "\n";
        assert_matches_snapshot(name, &text);
    }
}

#[test]
fn the_preview_of_kb952076_fits_any_screen() {
    let world = World::with_deployment();
    for columns in [80, 100, 160] {
        for arguments in ["", "--why", "--tree", "--undo", "--include-missing"] {
            let text = printed(&world, &format!("plan kb952076.toml {arguments}"), columns);
            let wide: Vec<&str> = text
                .lines()
                .filter(|line| line.chars().count() > columns)
                .collect();
            assert!(
                wide.is_empty(),
                "`{arguments}` on {columns} columns: {wide:#?}"
            );
        }
    }
}

#[test]
fn details_that_do_not_fit_beside_a_name_go_below_it() {
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
    let on_their_own_lines = |text: &str| {
        text.lines()
            .filter(|line| line.starts_with("          ") && line.contains(" -> "))
            .count()
    };
    assert_eq!(
        (on_their_own_lines(&narrow), on_their_own_lines(&wide)),
        (18, 0)
    );
}

/// Returns the part of a text that is about the plan alone, and not about the command.
pub(crate) fn of_the_plan(text: &str) -> &str {
    let begin = ["\n## What changes", "class=\"annex\""];
    let begin = begin.iter().find_map(|begin| text.find(begin));
    &text[begin.unwrap_or_default()..]
}

#[test]
fn a_saved_plan_is_shown_as_it_was_planned() {
    let world = small_world(WITH_HOSTILE_TEXTS);
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
    // The plan is stale, as there is no deployment.
    let world = world.with(|world| std::fs::remove_dir_all(world.deployment()).expect("removed"));
    for (form, planned) in forms.iter().zip(planned) {
        let shown = printed(&world, &format!("show plan.json {form}"), 80);
        assert_eq!(of_the_plan(&shown), of_the_plan(&planned), "{form}");
    }
}

#[test]
fn a_new_item_is_marked_at_its_operation() {
    let world = small_world(WITH_HOSTILE_TEXTS);
    let text = printed(&world, "plan small.toml --include-missing", 80);
    let (before, after) = text
        .split_once("+ install    Extra")
        .expect("an operation on `Extra`");
    assert!(before.contains("4. install"), "{text}");
    let next = after.lines().nth(1).expect("a next line");
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
    let world = small_world(WITH_HOSTILE_TEXTS);
    let schema = world.run("schema plan").exits_with(exit::OK).json();
    jsonschema::draft202012::meta::validate(&schema).expect("a schema of draft 2020-12");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let assert_conforms = |plan: &Value, about: &str| {
        let faults: Vec<String> = schema
            .iter_errors(plan)
            .map(|fault| format!("{fault} at {}", fault.instance_path()))
            .collect();
        assert!(faults.is_empty(), "{about}: {faults:#?}");
    };
    let printed = |world: &World, arguments: &str| -> Value {
        world.run(arguments).exits_with(exit::OK).json()
    };
    assert_conforms(
        &printed(
            &world,
            "plan small.toml --include-missing --save plan.json --format json",
        ),
        "printed",
    );
    assert_conforms(&read(&world, "plan.json"), "saved");
    assert_conforms(
        &printed(
            &World::with_deployment(),
            "plan kb952076.toml --format json",
        ),
        "KB952076",
    );
    let world = small_world(ALL_KINDS);
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert_conforms(
        &read(&world, "deployment/.rollup/runs/0001-KB100001/plan.json"),
        "of a run",
    );
    let world = world.write_file(
        "Web/Site/WEB01/files/Program Files/Site/Site.dll",
        "a hotfix",
    );
    world
        .run("accept --reason repaired --yes")
        .exits_with(exit::OK);
    assert_conforms(
        &read(&world, "deployment/.rollup/runs/0002-accept/plan.json"),
        "that accepts",
    );
    let without_payload = small_world(ALL_KINDS)
        .with(|world| std::fs::remove_dir_all(world.at("KB100001")).expect("removed"));
    let mut plan = printed(&without_payload, "plan small.toml --format json");
    assert_conforms(&plan, "without a payload");
    // The schema refuses an unknown kind.
    plan["steps"][0]["operations"][0]["kind"] = "explode".into();
    assert!(!schema.is_valid(&plan));
}

fn read(world: &World, file: &str) -> Value {
    serde_json::from_slice(&std::fs::read(world.at(file)).expect("a file")).expect("JSON")
}
