//! Differences between two manifests, as `diff` prints them for people and for programs.

use std::collections::BTreeSet;
use std::fs;

use rollup::document::{Findings, KeyKind, Source};
use rollup::manifest::{self, MANIFEST, Manifest, ManifestDifference};
use serde_json::{Value, json};
use toml::Table;

use crate::sampling::Sampling;
use crate::schemas::{
    FULL_MANIFEST, PathSegment, changed, collect_paths, collect_tables, set_value,
};
use crate::transcripts::program;
use crate::world::{KB952076, World, exit};

/// Makes a world with the shipped manifest as `a.toml`, and a changed one as `b.toml`.
fn changed_manifest(changes: &[(&str, &str)]) -> World {
    let changed = changes
        .iter()
        .fold(KB952076.to_owned(), |text, (from, to)| {
            assert!(
                text.contains(from),
                "the manifest does not contain `{from}`"
            );
            text.replacen(from, to, 1)
        });
    World::with_deployment()
        .write_file("../a.toml", KB952076)
        .write_file("../b.toml", changed)
}

#[test]
fn a_manifest_does_not_differ_from_itself() {
    let world = changed_manifest(&[]);
    let ran = world
        .run("diff a.toml b.toml --detailed-exitcode")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.prints("no difference: a.toml and b.toml mean the same");
    let document = world
        .run("diff a.toml b.toml --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (
            &document["differences"],
            &document["exit_code"],
            &document["changed"]
        ),
        (&json!([]), &json!(0), &json!(false))
    );
}

#[test]
fn layout_order_and_case_make_no_difference() {
    let world = changed_manifest(&[
        ("schema = 1\n", "schema = 1\n# another line\n\n"),
        ("size = 372_736", "size = 372736"),
        (
            "\"Exchange 2007 Hosted Email\",\n  \"Exchange 2007 Hosted Unified Messaging\",",
            "\"exchange 2007 hosted unified messaging\", \"Exchange 2007 Hosted Email\",",
        ),
        ("on = \"mps-engine\"", "on = \"MPS-Engine\""),
        ("revision = \"1.0\"", "revision = \"1\""),
    ]);
    world
        .run("diff a.toml b.toml --detailed-exitcode")
        .exits_with(exit::OK)
        .prints("no difference");
}

/// Replacements in the shipped manifest, one of each kind of change.
const CHANGES_OF_EACH_KIND: &[(&str, &str)] = &[
    ("title = \"Update Rollup 3", "title = \"Update Rollup 4"),
    (
        "includes = [\"KB948755\"]",
        "includes = [\"KB948755\", \"KB900000\"]",
    ),
    ("revision = \"1.0\"", "revision = \"1.1\""),
    ("service_pack = 1 ", "service_pack = 2 "),
    ("  \"Exchange 2007 Provider\",\n", ""),
    ("\"HostedEmail2007NS.msi\"", "\"hostedemail2007ns.msi\""),
    (
        "[[steps]]\nid = \"restart-engine\"",
        "[[steps]]\nid = \"inform\"\naction = \"manual\"\ninstructions = \"Inform all users.\"\noptional = true\n\n[[steps]]\nid = \"restart-engine\"",
    ),
    ("size = 250_368", "size = 250_880"),
    (
        "name = \"Hmoabupdate.msi\", ",
        "name = \"HMOABUpdate.msi\", ",
    ),
];

#[test]
fn a_change_of_each_kind_is_printed_with_its_lines() {
    let world = changed_manifest(CHANGES_OF_EACH_KIND);
    let ran = world.run("diff a.toml b.toml").exits_with(exit::OK);
    let ran = ran.prints(
        "~ changed title: Update Rollup 3 for the Hosted Exchange services -> Update Rollup 4",
    );
    let ran = ran.prints("+ added includes: KB900000 b.toml:13");
    let ran = ran.prints("~ changed revision: 1.0 -> 1.1 a.toml:27, b.toml:27");
    let ran =
        ran.prints("~ changed Exchange Server 2007: service_pack: 1 -> 2 a.toml:30, b.toml:30");
    let ran = ran.prints(
        "[[steps]] uninstall - removed items.\"Hosted Exchange/Exchange Provisioning\": Exchange 2007 Provider a.toml:",
    );
    let ran = ran.prints("~ changed files: HostedEmail2007NS.msi -> hostedemail2007ns.msi");
    let ran = ran.prints("[[steps]] inform + added step b.toml:");
    let ran = ran
        .prints("action: manual after: initialize instructions: Inform all users. optional: true");
    let ran =
        ran.prints("~ changed Exchange2007oabresourcemanagerns.msi: size: 250,368 -> 250,880");
    let ran = ran.prints("~ changed HMOABUpdate.msi: name: Hmoabupdate.msi -> HMOABUpdate.msi");
    ran.prints("9 differences: 2 added, 1 removed, 6 changed");
    world
        .run("diff a.toml b.toml --detailed-exitcode")
        .exits_with(2)
        .nothing_was_touched();
    world
        .run("diff b.toml a.toml")
        .prints("[[steps]] inform - removed step b.toml:");
}

#[test]
fn the_json_document_has_the_same_differences() {
    let world = changed_manifest(CHANGES_OF_EACH_KIND);
    let document = world
        .run("diff a.toml b.toml --format json --detailed-exitcode")
        .exits_with(2)
        .json();
    assert_eq!(
        (
            &document["schema"],
            &document["outcome"],
            &document["exit_code"]
        ),
        (&json!(1), &json!("changes"), &json!(2))
    );
    assert_eq!(
        (&document["old"]["kb"], &document["new"]["revision"]),
        (&json!("KB952076"), &json!("1.1"))
    );
    let differences = document["differences"].as_array().expect("differences");
    assert_eq!(differences.len(), 9);
    let of = |key: &str| {
        differences
            .iter()
            .find(|difference| difference["key"] == key)
            .expect("a difference")
    };
    assert_eq!(
        *of("service_pack"),
        json!({ "table": "prerequisites", "of": "Exchange Server 2007", "key": "service_pack", "kind": "changed",
                "old": 1, "new": 2, "old_line": 30, "new_line": 30 })
    );
    assert_eq!(
        (&of("size")["old"], &of("size")["new"]),
        (&json!(250_368), &json!(250_880))
    );
    let step = json!({ "after": "initialize", "action": "manual", "instructions": "Inform all users.", "optional": true });
    assert_eq!(
        (&of("step")["new"], &of("step")["old"]),
        (&step, &Value::Null)
    );
}

#[test]
fn another_order_of_the_steps_is_one_difference() {
    let (before, last) = KB952076
        .split_once("[[steps]]\nid = \"restart-engine\"")
        .expect("the last step");
    let (last, payload) = last.split_once("[payload]").expect("a payload");
    let (head, first) = before.split_once("[[steps]]\n").expect("a first step");
    let moved = format!(
        "{head}[[steps]]\nid = \"restart-engine\"{last}[[steps]]\n{first}[payload]{payload}"
    );
    let world = changed_manifest(&[]).write_file("../b.toml", moved);
    let ran = world.run("diff a.toml b.toml");
    ran.prints(
        "[[steps]] > moved order: uninstall, copy, install, initialize, restart-engine -> restart-engine, uninstall, copy, install, initialize a.toml:34, b.toml:34",
    )
    .prints("1 difference: 1 moved");
}

#[test]
fn the_errors_of_both_manifests_are_printed_at_once() {
    let world = changed_manifest(&[("to = \"share\"", "too = \"share\"")]);
    let world = world.edit(
        "a.toml",
        "action = \"initialize\"",
        "action = \"initialise\"",
    );
    let ran = world.run("diff a.toml b.toml").exits_with(exit::INVALID);
    ran.prints("did you mean `initialize`?")
        .prints("did you mean `to`?")
        .prints("`a.toml` has")
        .prints("`b.toml` has");
    let ran = world
        .run("diff a.toml nowhere.toml")
        .exits_with(exit::INVALID);
    ran.prints("did you mean `initialize`?")
        .prints("there is no file `nowhere.toml`");
    world
        .run("diff kb952076.toml nowhere.toml")
        .exits_with(exit::NO_INPUT)
        .prints("there is no file `nowhere.toml`");
    let document = world
        .run("diff nowhere.toml kb952076.toml --format json")
        .exits_with(exit::NO_INPUT)
        .json();
    assert_eq!(document["outcome"], "no-input");
    world.run("diff kb952076.toml").exits_with(exit::USAGE);
}

#[test]
fn differences_fit_80_columns_without_colour() {
    let long = (
        "Every new mailbox had ActiveSync",
        "Each and every new mailbox had ActiveSync",
    );
    let changes: Vec<_> = CHANGES_OF_EACH_KIND.iter().copied().chain([long]).collect();
    let world = changed_manifest(&changes);
    let output = program(&world.at(""))
        .args(["diff", "a.toml", "b.toml"])
        .output()
        .expect("the program runs");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!text.contains('\u{1b}'), "{text}");
    let wide: Vec<&str> = text
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
}

fn parsed(text: &str) -> Option<Manifest> {
    manifest::parse(&Source::new("m.toml", text), &mut Findings::default())
}

/// Compares two manifests. There is no difference if and only if the digests of their meaning are
/// equal, so a key that one of the two forgot fails the tests that change every key.
fn compared(old: &Manifest, new: &Manifest) -> Vec<ManifestDifference> {
    let differences = manifest::compare(old, new);
    assert_eq!(
        differences.is_empty(),
        old.meaning() == new.meaning(),
        "{differences:#?}"
    );
    differences
}

/// Returns other values that may be valid in the same place of the manifest.
fn other_values(value: &toml::Value) -> Vec<toml::Value> {
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| toml::Value::String((*text).to_owned()))
            .collect::<Vec<_>>()
    };
    match value {
        toml::Value::String(text) => {
            let sha = text.replace("9f86", "0000");
            let all = [
                &format!("{text}x"),
                &format!("{text}.1"),
                "KB77",
                "stop",
                "d.txt",
                "http://x.example/",
                &sha,
            ];
            texts(&all)
                .into_iter()
                .filter(|other_value| other_value != value)
                .collect()
        }
        toml::Value::Integer(number) => vec![toml::Value::Integer(number + 512)],
        toml::Value::Boolean(flag) => vec![toml::Value::Boolean(!flag)],
        toml::Value::Datetime(time) => {
            let other_value = time
                .to_string()
                .replace("2008-0", "2008-1")
                .replace("-14", "-15");
            other_value
                .parse()
                .map(toml::Value::Datetime)
                .into_iter()
                .collect()
        }
        toml::Value::Float(_) | toml::Value::Array(_) | toml::Value::Table(_) => Vec::new(),
    }
}

/// Changes or removes every value in turn. If the manifest still has no errors, there must be a
/// difference. A key that is not compared, or of which no other value was tried, fails the test.
#[test]
fn every_key_of_the_language_makes_a_difference() {
    let document: Table = FULL_MANIFEST.parse().expect("TOML");
    let full = parsed(FULL_MANIFEST).expect("no errors");
    assert_eq!(
        compared(&full, &parsed(&document.to_string()).expect("no errors")),
        []
    );
    let mut tables = Vec::new();
    collect_tables(&document, &MANIFEST, &[], &mut tables);
    let root = toml::Value::Table(document.clone());
    let mut paths = Vec::new();
    collect_paths(&root, &[], &mut paths);
    let mut tried: BTreeSet<(&str, &str)> = BTreeSet::new();
    let mut last: Option<Manifest> = None;
    let sampling = Sampling::one_of(12);
    for (at, path) in paths.iter().enumerate() {
        let value = path.iter().try_fold(&root, |value, segment| match segment {
            PathSegment::Key(key) => value.get(key.as_str()),
            PathSegment::Index(index) => value.get(*index),
        });
        let other_values = value.map(other_values).unwrap_or_default();
        let mut texts: Vec<String> = other_values
            .into_iter()
            .map(|other_value| {
                changed(&document, path, |parent, segment| {
                    set_value(parent, segment, other_value)
                })
            })
            .collect();
        texts.push(changed(&document, path, |parent, segment| {
            match (parent, segment) {
                (toml::Value::Table(table), PathSegment::Key(key)) => drop(table.remove(key)),
                (toml::Value::Array(list), PathSegment::Index(index)) => drop(list.remove(*index)),
                _ => {}
            }
        }));
        for new in texts.iter().filter_map(|text| parsed(text)) {
            let forward = compared(&full, &new);
            if let Some(last) = last.replace(new.clone())
                && sampling.includes(at, 0)
            {
                compared(&last, &new);
            }
            // The defaults are x86 for the platform of a row, and 1.0 for a revision.
            let is_default = matches!(path.last(), Some(PathSegment::Key(key)) if key == "platform" || key == "revision");
            assert!(
                is_default || !forward.is_empty(),
                "{path:?} makes no difference"
            );
            assert_eq!(forward.len(), compared(&new, &full).len(), "{path:?}");
            if forward.is_empty() {
                continue;
            }
            for (table_path, shape) in tables
                .iter()
                .filter(|(table_path, _)| path.starts_with(table_path))
            {
                if let Some(PathSegment::Key(key)) = path.get(table_path.len()) {
                    tried.extend(shape.key(key).map(|key| (shape.title, key.name)));
                }
            }
        }
    }
    // These cannot change or be removed alone: the step would have no targets, or there is no other
    // step to name.
    let replacements = [
        (
            "[[steps]]",
            "others",
            "others = true",
            "files = [\"d.txt\"]",
            1,
        ),
        (
            "[[steps.steps]]",
            "removed_by",
            "removed_by = \"each-out\"",
            "groups = [\"Other Group\"]",
            2,
        ),
        (
            "[[steps]]",
            "removed_by",
            "removed_by = \"uninstall\"",
            "groups = [\"Other Group\"]",
            2,
        ),
    ];
    for (title, key, from, to, count) in replacements {
        let differences = compared(
            &full,
            &parsed(&FULL_MANIFEST.replace(from, to)).expect("no errors"),
        );
        assert!(
            differences.iter().any(|difference| difference.key == key),
            "{differences:#?}"
        );
        assert_eq!(differences.len(), count, "{differences:#?}");
        tried.insert((title, key));
    }
    for shape in MANIFEST.all() {
        for key in shape
            .named()
            .iter()
            .filter(|key| !matches!(key.kind, KeyKind::Only(_)))
            // A rollup has a KB number or an id, and one step takes all other files.
            .filter(|key| {
                ![("[rollup]", "id"), ("[[steps.steps]]", "others")]
                    .contains(&(shape.title, key.name))
            })
        {
            assert!(
                tried.contains(&(shape.title, key.name)),
                "`{}` of {} was not tried",
                key.name,
                shape.title
            );
        }
    }
}

#[test]
#[ignore = "takes seconds in a debug build; it would take hours if rows were looked for one by one"]
fn a_comparison_of_fifty_thousand_rows_ends() {
    let head = KB952076.split_once("[payload]").expect("a payload").0;
    let head = head.split_once("[[steps]]").expect("steps").0;
    let table = |size: usize| -> String {
        let row = |at: usize| {
            format!(
                "  {{ name = \"File{at}.dll\", size = {}, unused = \"for nothing\" }},\n",
                size + at % 7
            )
        };
        let step = "[[steps]]\nid = \"m\"\naction = \"manual\"\ninstructions = \"x\"\n";
        format!(
            "{head}{step}[payload]\nfiles = [\n{}]\n",
            (0..50_000).map(row).collect::<String>()
        )
    };
    let world = changed_manifest(&[]);
    fs::write(world.at("a.toml"), table(1)).expect("written");
    fs::write(world.at("b.toml"), table(2)).expect("written");
    world
        .run("diff a.toml b.toml")
        .exits_with(exit::OK)
        .prints("50,000 differences: 50,000 changed");
}
