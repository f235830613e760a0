//! `diff`: what one manifest changes against another, in words and for programs.

use std::collections::BTreeSet;
use std::fs;

use rollup::document::{Findings, KeyKind, Source};
use rollup::manifest::{self, MANIFEST, Manifest};
use serde_json::{Value, json};
use toml::Table;

use crate::schemas::{FULL_MANIFEST, Step, changed, put, tables, ways};
use crate::transcripts::program;
use crate::world::{KB952076, World, exit};

/// The shipped manifest as `a.toml`, and changed in these places as `b.toml`.
fn beside(changes: &[(&str, &str)]) -> World {
    let changed = changes
        .iter()
        .fold(KB952076.to_owned(), |text, (from, to)| {
            assert!(text.contains(from), "it does not hold `{from}`");
            text.replacen(from, to, 1)
        });
    World::with_deployment()
        .put("../a.toml", KB952076)
        .put("../b.toml", changed)
}

#[test]
fn a_manifest_is_no_different_from_itself() {
    let world = beside(&[]);
    let ran = world
        .run("diff a.toml b.toml --detailed-exitcode")
        .exits_with(exit::OK)
        .nothing_was_touched();
    ran.says("no difference: a.toml and b.toml mean the same");
    let told = world
        .run("diff a.toml b.toml --format json")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (&told["differences"], &told["exit_code"], &told["changed"]),
        (&json!([]), &json!(0), &json!(false))
    );
}

#[test]
fn layout_order_and_case_make_no_difference() {
    let world = beside(&[
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
        .says("no difference");
}

/// A change of each kind.
const EACH: &[(&str, &str)] = &[
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
        "[[steps]]\nid = \"tell\"\naction = \"manual\"\ninstructions = \"Tell everybody.\"\noptional = true\n\n[[steps]]\nid = \"restart-engine\"",
    ),
    ("size = 250_368", "size = 250_880"),
    (
        "name = \"Hmoabupdate.msi\", ",
        "name = \"HMOABUpdate.msi\", ",
    ),
];

#[test]
fn a_change_of_each_kind_is_told_at_its_lines() {
    let world = beside(EACH);
    let ran = world.run("diff a.toml b.toml").exits_with(exit::OK);
    let ran = ran.says(
        "~ changed title: Update Rollup 3 for the Hosted Exchange services -> Update Rollup 4",
    );
    let ran = ran.says("+ added includes: KB900000 b.toml:13");
    let ran = ran.says("~ changed revision: 1.0 -> 1.1 a.toml:27, b.toml:27");
    let ran = ran.says("~ changed Exchange Server 2007: service_pack: 1 -> 2 a.toml:30, b.toml:30");
    let ran = ran.says(
        "[[steps]] uninstall - removed items.\"Hosted Exchange/Exchange Provisioning\": Exchange 2007 Provider a.toml:",
    );
    let ran = ran.says("~ changed files: HostedEmail2007NS.msi -> hostedemail2007ns.msi");
    let ran = ran.says("[[steps]] tell + added step, after `initialize` b.toml:");
    let ran = ran.says("instructions: Tell everybody. optional: true");
    let ran =
        ran.says("~ changed Exchange2007oabresourcemanagerns.msi: size: 250,368 -> 250,880 bytes");
    let ran = ran.says("~ changed HMOABUpdate.msi: name: Hmoabupdate.msi -> HMOABUpdate.msi");
    ran.says("9 differences: 2 added, 1 removed, 6 changed");
    world
        .run("diff a.toml b.toml --detailed-exitcode")
        .exits_with(2)
        .nothing_was_touched();
    world
        .run("diff b.toml a.toml")
        .says("[[steps]] tell - removed step, which stood after `initialize`");
}

#[test]
fn programs_read_the_same() {
    let world = beside(EACH);
    let told = world
        .run("diff a.toml b.toml --format json --detailed-exitcode")
        .exits_with(2)
        .json();
    assert_eq!(
        (&told["schema"], &told["outcome"], &told["exit_code"]),
        (&json!(1), &json!("changes"), &json!(2))
    );
    assert_eq!(
        (&told["old"]["kb"], &told["new"]["revision"]),
        (&json!("KB952076"), &json!("1.1"))
    );
    let differences = told["differences"].as_array().expect("differences");
    assert_eq!(differences.len(), 9);
    let of = |what: &str| {
        differences
            .iter()
            .find(|difference| difference["what"] == what)
            .expect("it is told")
    };
    assert_eq!(
        *of("service_pack"),
        json!({ "where": "prerequisites", "of": "Exchange Server 2007", "what": "service_pack", "kind": "changed",
                "old": 1, "new": 2, "old_line": 30, "new_line": 30 })
    );
    assert_eq!(
        (&of("size")["old"], &of("size")["new"]),
        (&json!(250_368), &json!(250_880))
    );
    let step = json!({ "after": "initialize", "action": "manual", "instructions": "Tell everybody.", "optional": true });
    assert_eq!(
        (&of("step")["new"], &of("step")["old"]),
        (&step, &Value::Null)
    );
}

#[test]
fn a_step_that_moved_says_where_to() {
    let (before, last) = KB952076
        .split_once("[[steps]]\nid = \"restart-engine\"")
        .expect("it is the last step");
    let (last, payload) = last.split_once("[payload]").expect("there is one");
    let (head, first) = before.split_once("[[steps]]\n").expect("there is one");
    let moved = format!(
        "{head}[[steps]]\nid = \"restart-engine\"{last}[[steps]]\n{first}[payload]{payload}"
    );
    let world = beside(&[]).put("../b.toml", moved);
    let ran = world.run("diff a.toml b.toml");
    ran.says(
        "[[steps]] restart-engine > moved step: now before `uninstall`, was after `initialize`",
    )
    .says("1 difference: 1 moved");
}

#[test]
fn both_manifests_tell_their_errors_at_once() {
    let world = beside(&[("to = \"share\"", "too = \"share\"")]);
    let world = world.edit(
        "a.toml",
        "action = \"initialize\"",
        "action = \"initialise\"",
    );
    let ran = world.run("diff a.toml b.toml").exits_with(exit::INVALID);
    ran.says("did you mean `initialize`?")
        .says("did you mean `to`?")
        .says("`a.toml` has")
        .says("`b.toml` has");
    let ran = world
        .run("diff a.toml nowhere.toml")
        .exits_with(exit::INVALID);
    ran.says("did you mean `initialize`?")
        .says("there is no file `nowhere.toml`");
    world
        .run("diff kb952076.toml nowhere.toml")
        .exits_with(exit::NO_INPUT)
        .says("there is no file `nowhere.toml`");
    let told = world
        .run("diff nowhere.toml kb952076.toml --format json")
        .exits_with(exit::NO_INPUT)
        .json();
    assert_eq!(told["outcome"], "no-input");
    world.run("diff kb952076.toml").exits_with(exit::USAGE);
}

#[test]
fn it_fits_a_screen_of_80_columns_and_has_colour_only_there() {
    let long = (
        "Every new mailbox had ActiveSync",
        "Each and every new mailbox had ActiveSync",
    );
    let changes: Vec<_> = EACH.iter().copied().chain([long]).collect();
    let world = beside(&changes);
    let output = program(&world.at(""))
        .args(["diff", "a.toml", "b.toml"])
        .output()
        .expect("it runs");
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

/// Other values that might do in a place of the manifest.
fn others(value: &toml::Value) -> Vec<toml::Value> {
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
                .filter(|other| other != value)
                .collect()
        }
        toml::Value::Integer(number) => vec![toml::Value::Integer(number + 512)],
        toml::Value::Boolean(flag) => vec![toml::Value::Boolean(!flag)],
        toml::Value::Datetime(time) => {
            let other = time
                .to_string()
                .replace("2008-0", "2008-1")
                .replace("-14", "-15");
            other
                .parse()
                .map(toml::Value::Datetime)
                .into_iter()
                .collect()
        }
        toml::Value::Float(_) | toml::Value::Array(_) | toml::Value::Table(_) => Vec::new(),
    }
}

/// Whatever is changed or taken away, wherever the manifest is still without errors, it is told. A
/// key that nobody compares, or of which no other value was tried, fails this.
#[test]
fn every_key_of_the_language_makes_a_difference() {
    let document: Table = FULL_MANIFEST.parse().expect("TOML");
    let full = parsed(FULL_MANIFEST).expect("it has no errors");
    assert_eq!(
        manifest::compare(&full, &parsed(&document.to_string()).expect("no errors")),
        []
    );
    let mut shapes = Vec::new();
    tables(&document, &MANIFEST, &[], &mut shapes);
    let root = toml::Value::Table(document.clone());
    let mut all = Vec::new();
    ways(&root, &[], &mut all);
    let mut told: BTreeSet<(&str, &str)> = BTreeSet::new();
    for way in &all {
        let value = way.iter().try_fold(&root, |value, step| match step {
            Step::Key(key) => value.get(key.as_str()),
            Step::Entry(at) => value.get(*at),
        });
        let others = value.map(others).unwrap_or_default();
        let mut texts: Vec<String> = others
            .into_iter()
            .map(|other| changed(&document, way, |holder, step| put(holder, step, other)))
            .collect();
        texts.push(changed(&document, way, |holder, step| {
            match (holder, step) {
                (toml::Value::Table(table), Step::Key(key)) => drop(table.remove(key)),
                (toml::Value::Array(list), Step::Entry(at)) => drop(list.remove(*at)),
                _ => {}
            }
        }));
        for new in texts.iter().filter_map(|text| parsed(text)) {
            let forth = manifest::compare(&full, &new);
            // A row's platform is x86 where it is left out, and a revision 1.0.
            let is_default = matches!(way.last(), Some(Step::Key(key)) if key == "platform" || key == "revision");
            assert!(
                is_default || !forth.is_empty(),
                "{way:?} makes no difference"
            );
            assert_eq!(forth.len(), manifest::compare(&new, &full).len(), "{way:?}");
            if forth.is_empty() {
                continue;
            }
            for (above, shape) in shapes.iter().filter(|(above, _)| way.starts_with(above)) {
                if let Some(Step::Key(key)) = way.get(above.len()) {
                    told.extend(shape.key(key).map(|key| (shape.title, key.name)));
                }
            }
        }
    }
    // These cannot change or go alone: the step would have no targets, or there is no other step to
    // name.
    let instead = [
        ("others", "others = true", "files = [\"d.txt\"]", 1),
        (
            "removed_by",
            "removed_by = \"uninstall\"",
            "groups = [\"Other Group\"]",
            2,
        ),
    ];
    for (key, from, to, count) in instead {
        let differences = manifest::compare(
            &full,
            &parsed(&FULL_MANIFEST.replace(from, to)).expect("no errors"),
        );
        assert!(
            differences.iter().any(|difference| difference.what == key),
            "{differences:#?}"
        );
        assert_eq!(differences.len(), count, "{differences:#?}");
        told.insert(("[[steps]]", key));
    }
    for shape in MANIFEST.all() {
        for key in shape
            .named()
            .iter()
            .filter(|key| !matches!(key.kind, KeyKind::Only(_)))
        {
            assert!(
                told.contains(&(shape.title, key.name)),
                "`{}` of {} was not tried",
                key.name,
                shape.title
            );
        }
    }
}

#[test]
#[ignore = "takes seconds in a debug build; it would take hours if rows were looked for one by one"]
fn fifty_thousand_rows_on_each_side_are_compared() {
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
    let world = beside(&[]);
    fs::write(world.at("a.toml"), table(1)).expect("written");
    fs::write(world.at("b.toml"), table(2)).expect("written");
    world
        .run("diff a.toml b.toml")
        .exits_with(exit::OK)
        .says("50,000 differences: 50,000 changed");
}
