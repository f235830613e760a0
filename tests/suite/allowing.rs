//! Comments that allow findings: `# rollup: allow RU0202` in a document.

use serde_json::Value;

use crate::small::{small, small_world};
use crate::world::{World, exit};

/// Steps and rows with two unused files, of which a comment allows the first.
const UNUSED: &str = r#"
[[steps]]
id = "restart"
action = "restart"
service = "IIS"

[payload] # rollup: allow RU0207
files = [
  # For special cases only.
  # rollup: allow RU0202 # see the article
  { name = "Tool.exe", size = 2048 },
  { name = "Other.exe", size = 4096 }, # rollup: allow RU0204, RU0202
]
"#;

fn world() -> World {
    small_world(UNUSED)
}

fn json(world: &World, arguments: &str) -> Value {
    world.run(&format!("{arguments} --format json")).json()
}

/// Returns the codes in a list of findings, with their lines.
fn codes(list: &Value) -> Vec<String> {
    let rows = list.as_array().expect("a list").iter();
    rows.map(|row| format!("{} {}", row["line"], row["code"].as_str().expect("a code")))
        .collect()
}

#[test]
fn a_comment_allows_a_warning_on_its_line_or_below() {
    let world = world();
    let ran = world
        .run("validate small.toml --deny warnings")
        .exits_with(exit::OK);
    assert_eq!(
        ran.stdout(),
        "note[RU0011]: RU0204 is not found here, so the comment allows nothing\n  \
         --> small.toml:18:56\n   |\n\
         18 |   { name = \"Other.exe\", size = 4096 }, # rollup: allow RU0204, RU0202\n   |                                                        ^^^^^^\n   |\n   \
         = help: it is about its own line; move it, or remove the code\n\n\
         1 file: 0 errors, 0 warnings, 1 note; 3 allowed by comments\n"
    );
}

#[test]
fn allowed_findings_are_in_reports_for_programs() {
    let world = world();
    let document = json(&world, "validate small.toml");
    assert_eq!(
        (&document["warnings"], &document["notes"]),
        (&0.into(), &1.into())
    );
    assert_eq!(codes(&document["findings"]), ["18 RU0011"]);
    assert_eq!(
        codes(&document["allowed"]),
        ["13 RU0207", "17 RU0202", "18 RU0202"]
    );
    let comments = [0, 1, 2].map(|at| document["allowed"][at]["allowed_by"].as_u64());
    assert_eq!(comments, [Some(13), Some(16), Some(18)]);
    let report = world.run("validate small.toml --format sarif").json();
    let results = report["runs"][0]["results"].as_array().expect("results");
    let suppressed: Vec<&Value> = results
        .iter()
        .filter(|result| result.get("suppressions").is_some())
        .collect();
    assert_eq!((results.len(), suppressed.len()), (4, 3));
    let suppression = &suppressed[1]["suppressions"][0];
    assert_eq!(suppression["kind"], "inSource");
    assert_eq!(
        suppression["location"]["physicalLocation"]["region"]["startLine"],
        16
    );
    world
        .run("validate small.toml --format github")
        .does_not_print("RU0202");
    world
        .run("validate small.toml --format markdown")
        .prints("Comments in the files allow 3 findings.")
        .does_not_print("RU0202");
}

#[test]
fn what_is_denied_by_its_code_cannot_be_allowed() {
    let world = world();
    world
        .run("validate small.toml --deny RU0202")
        .exits_with(exit::INVALID)
        .prints("2 errors");
    // A pin that the caller requires is not the author's decision.
    let pinned = small(
        "KB100002",
        "[[steps]]\nid = \"copy\"\naction = \"copy\"\nto = \"share\"\nfiles = [\"Core.msi\"]\n\
         [payload]\nfiles = [{ name = \"Core.msi\", size = 512 }]\n\
         [payload.sha256] # rollup: allow RU0207\n",
    );
    let world = world.write_file("../unpinned.toml", pinned);
    world
        .run("validate unpinned.toml --deny warnings")
        .exits_with(exit::OK)
        .prints("0 warnings");
    world
        .run("validate unpinned.toml --require-hashes")
        .exits_with(exit::INVALID)
        .prints("error[RU0207]");
}

#[test]
fn an_error_cannot_be_allowed() {
    let rest = UNUSED.replace(
        "service = \"IIS\"",
        "servce = \"IIS\" # rollup: allow RU0101",
    );
    let ran = small_world_unchecked(&rest);
    let ran = ran.run("validate bad.toml").exits_with(exit::INVALID);
    ran.prints("error[RU0101]")
        .prints("warning[RU0010]: RU0101 is an error here, and an error cannot be allowed")
        // Nothing is missed while there are errors.
        .does_not_print("RU0011");
}

#[test]
fn a_comment_is_not_missed_without_what_its_code_is_checked_against() {
    let rest = UNUSED
        .replace(
            "action = \"restart\"",
            "action = \"restart\" # rollup: allow RU0604",
        )
        .replace(" RU0204,", "");
    let world = small_world(&rest);
    world
        .run("validate small.toml")
        .prints("0 notes; 3 allowed by comments");
    world
        .run("validate small.toml -d deployment")
        .prints("RU0604 is not found here");
}

#[test]
fn what_is_not_understood_is_a_warning() {
    let rest = UNUSED
        .replace("allow RU0204, RU0202", "ignore RU0202")
        .replace("allow RU0202", "allow RU0202 RU02O3 all");
    let ran = small_world(&rest);
    let ran = ran.run("validate small.toml");
    ran.exits_with(exit::OK)
        .prints("`RU02O3` is not the code of a finding")
        .prints("`all` is not the code of a finding")
        .prints("a comment for rollup is not understood")
        .prints("no step uses `Other.exe`")
        .prints("4 warnings");
}

/// Makes a world with a manifest `bad.toml` that has errors.
fn small_world_unchecked(rest: &str) -> World {
    world().write_file("../bad.toml", small("KB100003", rest))
}
