//! A plan is approved as a whole: a saved plan with any other word, number or path is refused.

use rollup::plan::{self, Plan};
use serde_json::Value;

use crate::saved_plans::ALL_KINDS;
use crate::small::small_world;
use crate::world::{World, exit};

/// Steps and texts of every kind that a plan can have.
fn world_with_full_plan() -> World {
    let words = r#"
requires = ["KB99"]
fixes = ["It forgets the namespace."]
notes = ["Back up the database first."]
registry_changes = "None that matter."
computer_restart = "if-in-use"
[[prerequisites]]
product = "Database"
service_pack = 2
[[prerequisites]]
id = "backup"
confirm = "Is there a backup?"
[[steps]]
id = "database"
title = "Update the database"
action = "manual"
instructions = "Run up.sql."
undo = "Run down.sql."
on = "engine"
"#;
    let world = small_world(&format!("{words}{ALL_KINDS}")).edit(
        "deployment/deployment.toml",
        "share = \"Share\"",
        "share = \"Share\"\napplied = [\"KB99\"]",
    );
    world
        .run("plan small.toml --save plan.json")
        .exits_with(exit::OK);
    world
}

fn saved(world: &World) -> Value {
    serde_json::from_str(&world.read("../plan.json")).expect("JSON")
}

/// Returns a saved plan without the text of its manifest.
fn without_manifest(mut document: Value) -> Value {
    let keys = document.as_object_mut().expect("an object");
    keys.remove("manifest_text").expect("a text");
    document
}

/// Adds the pointers of all values that have no further values in them.
fn add_leaves(value: &Value, pointer: &str, leaves: &mut Vec<String>) {
    match value {
        Value::Object(below) if !below.is_empty() => {
            for (key, value) in below {
                let key = key.replace('~', "~0").replace('/', "~1");
                add_leaves(value, &format!("{pointer}/{key}"), leaves);
            }
        }
        Value::Array(below) if !below.is_empty() => {
            for (at, value) in below.iter().enumerate() {
                add_leaves(value, &format!("{pointer}/{at}"), leaves);
            }
        }
        _ => leaves.push(pointer.to_owned()),
    }
}

fn leaves(document: &Value) -> Vec<String> {
    let mut leaves = Vec::new();
    add_leaves(document, "", &mut leaves);
    leaves
}

/// Returns the document with another value of the same type at one place.
fn changed(document: &Value, pointer: &str) -> Value {
    let mut document = document.clone();
    let leaf = document.pointer_mut(pointer).expect("a leaf");
    *leaf = match &*leaf {
        Value::Null => "x".into(),
        Value::Bool(is_true) => (!is_true).into(),
        Value::Number(number) => (number.as_u64().expect("no fraction") + 1).into(),
        Value::String(text) if text.len() == 64 && !text.contains(' ') => {
            let first = if text.starts_with('0') { '1' } else { '0' };
            format!("{first}{}", &text[1..]).into()
        }
        Value::String(text) => format!("{text}x").into(),
        Value::Array(_) => vec!["x"].into(),
        Value::Object(_) => serde_json::json!({ "x": "x" }),
    };
    document
}

/// Returns the plan with new digests, if it is one.
fn forged(document: Value) -> Option<Plan> {
    let mut plan: Plan = serde_json::from_value(document).ok()?;
    plan.bind();
    let document = serde_json::to_value(&plan).expect("a plan");
    plan::parse_value(&document).ok()
}

#[test]
fn every_other_value_in_a_plan_is_refused() {
    let document = without_manifest(saved(&world_with_full_plan()));
    let plan = plan::parse_value(&document).expect("a plan");
    let leaves = leaves(&document);
    assert!(leaves.len() > 200, "{} values", leaves.len());
    let mut refused = 0;
    for pointer in leaves {
        let changed = changed(&document, &pointer);
        assert!(
            plan::parse_value(&changed).is_err(),
            "{pointer} can be changed"
        );
        if pointer == "/digest" || pointer == "/checksum" {
            continue;
        }
        let Some(forged) = forged(changed) else {
            continue;
        };
        // Comments move the lines of a manifest.
        let is_free = pointer.starts_with("/context/") || pointer.ends_with("/line");
        assert_eq!(forged.digest == plan.digest, is_free, "{pointer}");
        let differences = plan::differences(&plan, &forged);
        assert_eq!(differences.is_empty(), is_free, "{pointer}");
        refused += usize::from(!is_free);
    }
    assert!(refused > 100, "{refused} values were changed and forged");
}

#[test]
fn what_is_not_understood_in_a_plan_is_refused_by_name() {
    let document = without_manifest(saved(&world_with_full_plan()));
    for pointer in [
        "",
        "/options",
        "/steps/0",
        "/steps/1/operations/0",
        "/swaps/0",
        "/context",
    ] {
        let mut document = document.clone();
        let table = document.pointer_mut(pointer).and_then(Value::as_object_mut);
        table
            .expect("a table")
            .insert("approved_by".to_owned(), "nobody".into());
        let error = plan::parse_value(&document).expect_err("an unknown key");
        let message = error.to_string();
        assert!(
            message.contains("approved_by` is not known to this version"),
            "{pointer}: {message}"
        );
    }
}

/// Digests are no signatures: they can be computed again for other contents.
#[test]
fn a_forged_plan_is_stale_and_the_change_is_named() {
    let world = world_with_full_plan();
    let saved = saved(&world);
    let document = without_manifest(saved.clone());
    let changes = [
        ("/rollup/title", "rollup.title"),
        ("/documented/notes/0", "documented.notes[0]"),
        (
            "/documented/checked/0/found/0",
            "documented.checked[0].found[0]",
        ),
        (
            "/confirmations/0/question",
            "confirmations[backup].question",
        ),
        ("/warnings/0", "warnings[0]"),
        (
            "/steps/0/manual/instructions",
            "steps[database].manual.instructions",
        ),
        ("/steps/1/operations/0/seen", "steps[remove].operations["),
        ("/swaps/1/new/0/sha256", "swaps[Share/Site.msi].new["),
        ("/description", "`deployment.toml` has changed"),
    ];
    for (pointer, name) in changes {
        let changed = changed(&document, pointer);
        let plan = forged(changed).unwrap_or_else(|| panic!("{pointer} is not a plan any more"));
        let mut text = serde_json::to_value(&plan).expect("a plan");
        text["manifest_text"] = saved["manifest_text"].clone();
        std::fs::write(world.at("forged.json"), text.to_string()).expect("written");
        world
            .run("apply forged.json --yes --confirm backup")
            .exits_with(exit::STALE_PLAN)
            .nothing_was_touched()
            .prints(name);
        world.run("show forged.json").exits_with(exit::OK);
    }
    world
        .run("apply plan.json --yes --confirm backup --stop-before database")
        .exits_with(exit::STOPPED);
}
