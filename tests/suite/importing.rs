//! `import`: an article becomes a manifest draft, with every line accounted for.

use std::fs;
use std::path::PathBuf;

use rollup::article;
use rollup::document::{Findings, Source};
use rollup::manifest::{self, Difference, Manifest};
use serde_json::json;

use crate::world::{KB952076, World, exit};

/// An article about a product that nobody sells.
const ARTICLE: &str = "\
Article ID: 612345 - Last Review: June 3, 2011 - Revision: 1.2

Description of Update Rollup 7 for the Orchard services in Contoso Grove 2.5

SUMMARY

This rollup is dated May 30, 2011.

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
    World::with_deployment().put("../article.txt", ARTICLE)
}

fn parsed(text: &str) -> Manifest {
    let mut findings = Findings::default();
    let manifest = manifest::parse(&Source::new("draft.toml", text), &mut findings);
    manifest.unwrap_or_else(|| panic!("{findings:#?}\n{text}"))
}

#[test]
fn a_draft_goes_to_standard_output_and_what_is_open_to_standard_error() {
    let world = world();
    let ran = world
        .run("import article.txt")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = ran.says("KB612345: 5 steps (1 manual), 2 files in the table, 0 prerequisites");
    let ran = ran.says("article.txt:30: step `manual`: this was not understood");
    let ran = ran.says("next: rollup import article.txt --report");
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
fn a_draft_goes_into_a_file_that_a_command_may_write() {
    let world = world();
    world
        .run("import article.txt -o draft.toml")
        .exits_with(exit::OK)
        .says("written to draft.toml");
    parsed(&fs::read_to_string(world.at("draft.toml")).expect("the draft"));
    world
        .run("import article.txt -o article.txt")
        .exits_with(exit::USAGE)
        .says("is what the command reads");
    let inside = format!(
        "import article.txt -o {}",
        world.deployment().join("x.toml").display()
    );
    world
        .run(&inside)
        .exits_with(exit::USAGE)
        .says("is in the deployment")
        .nothing_was_touched();
    world
        .run("import article.txt -o nowhere/x.toml")
        .exits_with(exit::IO)
        .says("cannot write");
}

#[test]
fn the_report_accounts_for_every_line_of_the_installation_section() {
    let world = world();
    let ran = world
        .run("import article.txt --report")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let ran = ran.says("26 Back up the files in the GroveShare folder.");
    let ran = ran.says("needs no step: rollup always keeps what it replaces");
    ran.says("manual: step manual");
    let told = world
        .run("import article.txt --report --format json -o draft.toml")
        .exits_with(exit::OK)
        .json();
    assert_eq!(
        (
            &told["exit_code"],
            &told["found"]["kb"],
            &told["found"]["steps"]
        ),
        (&json!(0), &json!("KB612345"), &json!(5))
    );
    let lines = told["installation"].as_array().expect("the lines");
    let numbers: Vec<_> = lines
        .iter()
        .filter_map(|line| line["line"].as_u64())
        .collect();
    let wanted: Vec<u64> = ARTICLE
        .lines()
        .enumerate()
        .map(|(at, line)| (at as u64 + 1, line))
        .filter(|(number, line)| (14..=34).contains(number) && !line.trim().is_empty())
        .map(|(number, _)| number)
        .collect();
    assert_eq!(numbers, wanted);
    assert_eq!(
        lines[4],
        json!({ "line": 20, "text": "Expand Orchard, and then expand Orchard Providers.",
                                 "became": "understood", "steps": ["uninstall"] })
    );
    assert!(world.at("draft.toml").is_file());
}

#[test]
fn what_is_no_article_is_refused_with_what_was_looked_for() {
    let world = world()
        .put("../cake.txt", "Take three eggs.\n")
        .put("../tool.exe", b"MZ\0\0")
        .put("../big.txt", vec![b'a'; 5 << 20]);
    let ran = world
        .run("import cake.txt")
        .exits_with(65)
        .says("it has no KB number, no installation steps and no file table");
    ran.says("a heading such as `Installation information`")
        .nothing_was_touched();
    world
        .run("import tool.exe")
        .exits_with(65)
        .says("it is not a text: byte 0x00 at offset 2");
    world
        .run("import big.txt")
        .exits_with(65)
        .says("it has more than 4 MB");
    world
        .run("import nowhere.txt")
        .exits_with(66)
        .says("there is no file `nowhere.txt`");
    world
        .run("import cake.txt --format json")
        .exits_with(exit::USAGE);
    let told = world
        .run("import cake.txt --report --format json")
        .exits_with(65)
        .json();
    assert_eq!(told["outcome"], "invalid");
}

/// How a draft may differ from the manifest that a person wrote from the same article: ids and
/// titles of steps and the wording of fixes and notes are the author's, and pins are in no article.
fn is_allowed(difference: &Difference) -> bool {
    matches!(
        difference.what.as_str(),
        "id" | "title" | "fixes" | "notes" | "sha256"
    )
}

#[test]
#[ignore = "needs the vendor's article, whose text is not ours to ship: ROLLUP_ARTICLE names the file"]
fn the_article_of_kb952076_becomes_its_manifest() {
    let path = PathBuf::from(
        std::env::var_os("ROLLUP_ARTICLE").expect("ROLLUP_ARTICLE names the article"),
    );
    let imported = article::import(&fs::read(path).expect("the article")).expect("it is one");
    // Steps are matched by their ids, and those are the author's.
    let draft = imported
        .draft
        .replace("\"restart-provisioning-engine\"", "\"restart-engine\"");
    let mut draft = parsed(&draft);
    let mut written = parsed(KB952076);
    for manifest in [&mut draft, &mut written] {
        manifest
            .steps
            .iter_mut()
            .for_each(|step| step.title.clone_from(&step.id));
    }
    let differences = manifest::compare(&written, &draft);
    let other: Vec<_> = differences
        .iter()
        .filter(|difference| !is_allowed(difference))
        .collect();
    assert!(other.is_empty(), "{other:#?}");
    let counted: usize = imported.accounted.len();
    assert_eq!(
        (counted, imported.found.manual),
        (71, 0),
        "{:#?}",
        imported.accounted
    );
}
