//! Corrections by `validate --fix`: what has exactly one answer is written, and nothing else.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use serde_json::Value;
use snapbox::str;

use crate::small::{UPDATE_PROVIDER, small, small_world};
use crate::world::{World, exit};

/// Returns a manifest with four mistakes, of which three have one answer.
fn misspelled() -> String {
    small("KB100002", UPDATE_PROVIDER)
        .replace("title =", "titel   =  ")
        .replace(
            "action = \"uninstall\"",
            "action = 'uninstal' # the old one",
        )
        .replace("\"Things\"", "\"Thigns\"")
        .replace("files = [\"Provider.msi\"]", "files = [\"Prvdr.msi\"]")
}

fn world() -> World {
    small_world(UPDATE_PROVIDER).write_file("../m.toml", misspelled())
}

fn text(world: &World) -> String {
    fs::read_to_string(world.at("m.toml")).expect("a manifest")
}

#[test]
fn what_has_one_answer_is_corrected_and_the_rest_is_reported() {
    let world = world();
    let ran = world
        .run("validate m.toml -d deployment --fix")
        .exits_with(exit::INVALID)
        .nothing_was_touched();
    snapbox::assert_data_eq!(
        ran.stdout(),
        str![[r#"
fixed: m.toml:4:1: `titel` is now `title`
fixed: m.toml:10:10: `'uninstal'` is now `"uninstall"`
fixed: m.toml:11:7: `"Thigns"` is now `"Things"`
error[RU0201]: `Prvdr.msi` is copied, but is not in the file table
  --> m.toml:16:10
   |
16 | files = ["Prvdr.msi"]
   |          ^^^^^^^^^^^ did you mean `Provider.msi`?
   |
   = help: correct the name, or add its row to `[payload] files`

warning[RU0612]: no item of `small` is installed from `Prvdr.msi`
  --> m.toml:16:10
   |
16 | files = ["Prvdr.msi"]
   |          ^^^^^^^^^^^ did you mean `Provider.msi`?
   |
   = help: correct the name here, or the item's `installer` in `deployment.toml`

warning[RU0207]: no file of the table is pinned
  --> m.toml:21:1
   |
21 | [payload]
   | ^^^^^^^^^
   |
   = help: run `rollup pin MANIFEST --payload DIR`, which checks the files and writes their hashes

warning[RU0206]: `Provider.msi` has neither a size nor a hash
  --> m.toml:22:19
   |
22 | files = [{ name = "Provider.msi" }]
   |                   ^^^^^^^^^^^^^^
   |
   = help: add its `size`, or pin it with `rollup pin`

1 file: 1 error, 3 warnings, 0 notes; 3 fixed
`rollup explain RU0201` explains the first of them

"#]]
    );
    let expected = misspelled()
        .replace("titel", "title")
        .replace("'uninstal'", "\"uninstall\"")
        .replace("Thigns", "Things");
    assert_eq!(text(&world), expected);
    // A second time there is nothing to correct.
    let ran = world
        .run("validate m.toml -d deployment --fix")
        .exits_with(exit::INVALID)
        .does_not_print("fixed");
    drop(ran);
    assert_eq!(text(&world), expected);
}

#[test]
fn a_suggestion_and_its_correction_are_the_same() {
    let world = world();
    let document = world
        .run("validate m.toml -d deployment --format json")
        .json();
    let findings = document["findings"].as_array().expect("findings");
    let suggested: Vec<(&Value, &Value)> = findings
        .iter()
        .filter(|finding| finding["fixable"] == true)
        .map(|finding| (&finding["line"], &finding["replacement"]))
        .collect();
    let fixed = world
        .run("validate m.toml -d deployment --format json --fix")
        .json();
    let corrections = fixed["corrections"].as_array().expect("corrections");
    let made: Vec<(&Value, &Value)> = corrections
        .iter()
        .map(|correction| (&correction["line"], &correction["new"]))
        .collect();
    assert_eq!(suggested, made);
    assert_eq!(made.len(), 3);
    let left = fixed["findings"].as_array().expect("findings");
    assert!(left.iter().all(|finding| finding["fixable"] == false));
}

#[test]
fn a_document_without_mistakes_is_not_written() {
    let world = world();
    let before = world.at("small.toml").metadata().expect("a file");
    world
        .run("validate small.toml -d deployment --fix")
        .exits_with(exit::OK)
        .does_not_print("fixed");
    let after = world.at("small.toml").metadata().expect("a file");
    assert_eq!(
        (before.ino(), before.mtime_nsec()),
        (after.ino(), after.mtime_nsec())
    );
}

#[test]
fn a_corrected_file_keeps_its_link_mode_and_line_ends() {
    let world = small_world(UPDATE_PROVIDER)
        .write_file("../m.toml", misspelled().replace('\n', "\r\n"))
        .with(|world| {
            let mode = fs::Permissions::from_mode(0o640);
            fs::set_permissions(world.at("m.toml"), mode).expect("set");
            symlink("m.toml", world.at("link.toml")).expect("linked");
        });
    world
        .run("validate link.toml -d deployment --fix")
        .exits_with(exit::INVALID)
        .prints("3 fixed");
    assert!(world.at("link.toml").is_symlink());
    let mode = world.at("m.toml").metadata().expect("a file").mode();
    assert_eq!(mode & 0o7777, 0o640);
    assert!(!text(&world).replace("\r\n", "").contains('\n'));
    assert!(text(&world).contains("action = \"uninstall\" # the old one\r\n"));
}

#[test]
fn several_documents_are_corrected_each_by_itself() {
    let world = world()
        .write_file("../many/a.toml", misspelled())
        .write_file("../many/sub/b.toml", misspelled())
        .write_file("../many/Cargo.toml", "[package]\nnam = \"x\"\n");
    world
        .run("validate many m.toml -d deployment --fix")
        .exits_with(exit::INVALID)
        .prints("fixed: many/a.toml:4:1: `titel` is now `title`")
        .prints("fixed: many/sub/b.toml:4:1: `titel` is now `title`")
        .prints("9 fixed");
    assert!(world.read("../many/Cargo.toml").contains("nam ="));
    assert_eq!(world.read("../many/a.toml"), text(&world));
}

#[test]
fn standard_input_and_a_deployment_are_not_written() {
    let world = world();
    world
        .run("validate - m.toml --fix")
        .exits_with(exit::USAGE)
        .prints("standard input cannot be corrected");
    world
        .run("validate /dev/stdin --fix")
        .exits_with(exit::USAGE)
        .prints("is not a file that can be replaced");
    assert_eq!(text(&world), misspelled());
    let world = world.edit(
        "deployment/deployment.toml",
        "product_version",
        "prduct_version",
    );
    let ran = world
        .run("validate m.toml deployment/deployment.toml --fix")
        .exits_with(exit::USAGE);
    ran.prints("is in the deployment")
        .prints("now: this command changed nothing")
        .prints("next: change a copy of it elsewhere")
        .nothing_was_touched();
    assert_eq!(text(&world), misspelled());
    // Nor is the description that a manifest is checked against.
    world
        .run("validate m.toml -d deployment --fix")
        .exits_with(exit::INVALID)
        .prints("did you mean `product_version`?")
        .prints("2 fixed")
        .nothing_was_touched();
}

#[test]
fn a_file_that_cannot_be_written_keeps_its_text() {
    if rustix::process::geteuid().is_root() {
        // Root may write to every file.
        return;
    }
    let world = world().with(|world| {
        let mode = fs::Permissions::from_mode(0o440);
        fs::set_permissions(world.at("m.toml"), mode).expect("set");
    });
    world
        .run("validate m.toml --fix")
        .exits_with(exit::IO)
        .prints("cannot write `m.toml`");
    assert_eq!(text(&world), misspelled());
}

#[test]
fn a_secret_is_neither_printed_nor_corrected() {
    let text = small(
        "KB100002",
        "[[steps]]\nid = \"init\"\naction = \"initialize\"\nitems.\"Things\" = [\"Initialize Things\"]\n\
         parameters.\"Initialize Things\" = { apiToken = 4711 }\n",
    );
    let world = world().write_file("../m.toml", &text);
    let ran = world
        .run("validate m.toml --fix")
        .exits_with(exit::INVALID)
        .prints("error[RU0102]")
        .does_not_print("4711");
    drop(ran);
    world
        .run("validate m.toml --fix --format json")
        .does_not_print("4711");
    assert_eq!(world.read("../m.toml"), text);
}

#[test]
fn a_report_says_what_can_be_corrected() {
    let world = world();
    world
        .run("validate m.toml -d deployment")
        .exits_with(exit::INVALID)
        .prints("`rollup validate --fix` corrects 3 of them");
    world
        .run("validate m.toml -d deployment --fix --format markdown")
        .prints("| corrected | was | is |")
        .prints("fixed: m.toml:4:1: `titel` is now `title`");
}
