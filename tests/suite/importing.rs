//! Import of an article: `import` writes a manifest draft and a report on every line.

use std::fs;
use std::path::PathBuf;

use rollup::article;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Manifest, ManifestDifference};
use serde_json::json;

use crate::world::{KB952076, World, exit};

/// Article about an invented product.
const ARTICLE: &str = "\
Article ID: 612345 - Last Review: June 3, 2011 - Revision: 1.2

Description of Update Rollup 7 for the Orchard services in Contoso Grove 2.5

SUMMARY

This rollup is dated May 30, 2011. The times of its files are UTC.

Issues that are fixed

This rollup fixes the following issues:
  • The mill stops at midnight.

Installation information

To install this rollup, follow these steps.

Step 1: Remove the old providers
  1. Start the Grove Deployment tool.
  2. Expand Orchard, and then expand Orchard Providers.
  3. Right-click each of the following components, and then click Uninstall:
     • Apple Provider
     • Pear Provider
  4. Click Start Deployment.
Step 2: Copy the files
  1. Back up the files in the GroveShare folder.
  2. Copy the following files to the GroveShare folder:
     • AppleProvider.msi
     • PearProvider.msi
  3. Run the script Upgrade.sql against the Grove database.
Step 3: Install the new providers
  1. Right-click Orchard, and then click Install all in this group.
  2. Click Start Deployment.
  3. Restart the Grove Engine service on each engine server.

Replacement information

This rollup replaces KB600001.

File information

File name\tFile size\tDate\tTime
AppleProvider.msi\t372,736\t30-May-2011\t10:15
PearProvider.msi\t250,368\t30-May-2011\t10:15

APPLIES TO
  • Contoso Grove 2.5
";

fn world() -> World {
    World::with_deployment().write_file("../article.txt", ARTICLE)
}

fn parsed(text: &str) -> Manifest {
    let mut findings = Findings::default();
    let manifest = manifest::parse(&Source::new("draft.toml", text), &mut findings);
    manifest.unwrap_or_else(|| panic!("{findings:#?}\n{text}"))
}

#[test]
fn a_draft_goes_to_standard_output_and_its_open_points_to_standard_error() {
    let world = world();
    let ran = world
        .run("import article.txt")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = ran.prints("KB612345: 5 steps (1 manual), 2 files in the table, 0 prerequisites");
    let ran = ran.prints("article.txt:30: step `manual`: this was not understood");
    let ran = ran.prints("next: rollup import article.txt --report");
    let manifest = parsed(ran.stdout());
    assert_eq!(
        manifest.rollup.title,
        "Update Rollup 7 for the Orchard services"
    );
    let steps: Vec<_> = manifest.steps.iter().map(|step| step.id.as_str()).collect();
    assert_eq!(
        steps,
        [
            "uninstall",
            "copy",
            "manual",
            "install",
            "restart-grove-engine"
        ]
    );
}

#[test]
fn a_draft_is_only_written_to_a_permitted_file() {
    let world = world();
    world
        .run("import article.txt -o draft.toml")
        .exits_with(exit::OK)
        .prints("written to draft.toml");
    parsed(&fs::read_to_string(world.at("draft.toml")).expect("the draft"));
    world
        .run("import article.txt -o article.txt")
        .exits_with(exit::USAGE)
        .prints("is an input of this command");
    let in_deployment = format!(
        "import article.txt -o {}",
        world.deployment().join("x.toml").display()
    );
    world
        .run(&in_deployment)
        .exits_with(exit::USAGE)
        .prints("is in the deployment")
        .nothing_was_touched();
    world
        .run("import article.txt -o nowhere/x.toml")
        .exits_with(exit::IO)
        .prints("cannot write");
}

#[test]
fn the_report_lists_every_line_of_the_installation_section() {
    let world = world();
    let ran = world
        .run("import article.txt --report")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = ran.prints("26 Back up the files in the GroveShare folder.");
    let ran = ran.prints("needs no step: rollup always keeps replaced files");
    ran.prints("manual: step manual");
    let document = world
        .run("import article.txt --report --format json -o draft.toml")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (
            &document["exit_code"],
            &document["found"]["kb"],
            &document["found"]["steps"]
        ),
        (&json!(0), &json!("KB612345"), &json!(5))
    );
    let lines = document["installation"].as_array().expect("the lines");
    let numbers: Vec<_> = lines
        .iter()
        .filter_map(|line| line["line"].as_u64())
        .collect();
    let expected: Vec<u64> = ARTICLE
        .lines()
        .enumerate()
        .map(|(at, line)| (at as u64 + 1, line))
        .filter(|(number, line)| (14..=34).contains(number) && !line.trim().is_empty())
        .map(|(number, _)| number)
        .collect();
    assert_eq!(numbers, expected);
    assert_eq!(
        lines[4],
        json!({ "line": 20, "text": "Expand Orchard, and then expand Orchard Providers.",
                                 "result": "understood", "steps": ["uninstall"] })
    );
    assert!(world.at("draft.toml").is_file());
}

#[test]
fn a_text_that_is_not_an_article_is_refused_with_the_reason() {
    let world = world()
        .write_file("../cake.txt", "Take three eggs.\n")
        .write_file("../tool.exe", b"MZ\0\0")
        .write_file("../big.txt", vec![b'a'; 5 << 20]);
    let ran = world
        .run("import cake.txt")
        .exits_with(65)
        .prints("it has no installation steps and no file table");
    ran.prints("a heading such as `Installation information`")
        .nothing_was_touched();
    world
        .run("import tool.exe")
        .exits_with(65)
        .prints("it is not a text: byte 0x00 at offset 2");
    world
        .run("import big.txt")
        .exits_with(65)
        .prints("it has more than 4 MB");
    world
        .run("import nowhere.txt")
        .exits_with(66)
        .prints("there is no file `nowhere.txt`");
    world
        .run("import cake.txt --format json")
        .exits_with(exit::USAGE);
    let document = world
        .run("import cake.txt --report --format json")
        .exits_with(65)
        .json();
    assert_eq!(document["outcome"], "invalid");
}

/// Returns true if a draft may differ so from the manifest that a person wrote from the article.
/// The author chose ids and titles of steps and the wording of fixes and notes, and an article has
/// no pins.
fn is_allowed(difference: &ManifestDifference) -> bool {
    matches!(
        difference.key.as_str(),
        "id" | "title" | "fixes" | "notes" | "sha256"
    )
}

#[test]
#[ignore = "needs the vendor's article, which the repository may not contain: ROLLUP_ARTICLE names the file"]
fn the_article_of_kb952076_gives_its_manifest() {
    let path = PathBuf::from(
        std::env::var_os("ROLLUP_ARTICLE").expect("ROLLUP_ARTICLE names the article"),
    );
    let imported = article::import(&fs::read(path).expect("the article")).expect("an article");
    // Steps are matched by their ids, which the author chose.
    let draft = imported
        .draft
        .replace("\"restart-provisioning-engine\"", "\"restart-engine\"");
    let mut draft = parsed(&draft);
    let mut by_a_person = parsed(KB952076);
    for manifest in [&mut draft, &mut by_a_person] {
        manifest.steps.iter_mut().for_each(|step| step.title = None);
    }
    let differences = manifest::compare(&by_a_person, &draft);
    let unexpected: Vec<_> = differences
        .iter()
        .filter(|difference| !is_allowed(difference))
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    let lines_read: usize = imported.installation.len();
    assert_eq!(
        (lines_read, imported.found.manual),
        (71, 0),
        "{:#?}",
        imported.installation
    );
}
