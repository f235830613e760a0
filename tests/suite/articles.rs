//! Comparison of a manifest with the article that it was written from, by `validate --article`.

use crate::world::{World, exit};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/codes/RU0801");

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{DIRECTORY}/{name}")).expect("a fixture")
}

/// Makes a world with the article of the fixture, and a manifest that is changed from the one that
/// matches it.
fn world(change: impl Fn(String) -> String) -> World {
    let matching = fixture("manifest.toml").replace("2_345", "2_354");
    World::with_deployment()
        .write_file("../manifest.toml", change(matching))
        .write_file("../article.txt", fixture("article.txt"))
}

const VALIDATE: &str = "validate manifest.toml --article article.txt";

#[test]
fn a_manifest_that_matches_its_article_has_no_findings() {
    let reworded = |text: String| {
        let title = "id = \"copy-files\"\ntitle = \"Another title\"";
        text.replace("id = \"copy\"", title)
            .replace("[\"one.msi\", \"two.xml\"]", "[\"two.xml\", \"one.msi\"]")
    };
    world(reworded)
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("0 errors, 0 warnings, 0 notes");
}

#[test]
fn a_name_in_another_spelling_is_a_finding() {
    let world = world(|text| text.replace("\"two.xml\"]", "\"TWO.xml\"]"));
    world
        .run(VALIDATE)
        .exits_with(65)
        .prints("`files` of `copy` is `TWO.xml`, but `two.xml` in the article");
}

#[test]
fn two_exchanged_digits_are_reported_at_both_places() {
    let world = world(|text| text.replace("1_024", "1_042"));
    let ran = world.run(VALIDATE).exits_with(65).nothing_was_touched();
    let ran = ran
        .prints("`size` of `one.msi` is 1042, but 1024 in the article")
        .prints("manifest.toml:22:23");
    ran.prints("the article at article.txt:19");
}

#[test]
fn a_forgotten_file_is_reported_at_the_step_that_lacks_it() {
    let world = world(|text| text.replace("[\"one.msi\", \"two.xml\"]", "[\"one.msi\"]"));
    let ran = world.run(VALIDATE).exits_with(65);
    ran.prints("error[RU0802]: `two.xml` in `files` of `copy` is missing, but the article has it");
}

#[test]
fn a_minimum_revision_that_the_article_does_not_give_is_a_warning() {
    let requires = |list: &str| {
        world(|text| text.replace("released", &format!("requires = [{list}]\nreleased")))
            .write_file(
                "../article.txt",
                fixture("article.txt").replace(
                    "Installation information",
                    "Prerequisites\n\nBefore you install this rollup, you must install update KB900000.\n\n\
                     Installation information",
                ),
            )
    };
    requires("\"KB900000\"")
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("0 errors, 0 warnings, 0 notes");
    requires("\"KB900000 >= 2.0\"")
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("warning[RU0803]: the minimum revision of `KB900000 >= 2.0` in `requires` is not in the article");
}

#[test]
fn the_article_of_another_rollup_is_not_compared_further() {
    let world = world(|text| {
        text.replace("KB900001", "KB900002")
            .replace("1_024", "7_168")
    });
    let ran = world.run(VALIDATE).exits_with(65);
    ran.prints("the manifest is of KB900002, but the article is of KB900001")
        .does_not_print("in the article");
}

#[test]
fn one_article_is_not_compared_with_two_manifests() {
    let world = world(|text| text).write_file("../other.toml", fixture("manifest.toml"));
    let ran = world
        .run("validate manifest.toml other.toml --article article.txt")
        .exits_with(exit::USAGE);
    ran.prints("an article belongs to one rollup, but 2 manifests are given");
}

#[test]
fn a_text_that_is_not_an_article_is_refused_before_any_comparison() {
    let world = world(|text| text).write_file("../cake.txt", "Take three eggs.\n");
    world
        .run("validate manifest.toml --article cake.txt")
        .exits_with(65)
        .prints("it is not an article about an update rollup");
    world
        .run("validate manifest.toml --article none.txt")
        .exits_with(66)
        .prints("there is no file `none.txt`");
}

/// Compares articles of other products with the manifests that a person wrote from them. Their
/// findings are the facts that the article leaves open and the parts that the grammar cannot read.
#[test]
fn each_article_is_read_as_a_person_reads_it() {
    let directory = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/articles"));
    for article in [
        "corvane-telephony.txt",
        "brightmoor-workspaces.html",
        "tessaly-billing.txt",
    ] {
        let name = article.split('.').next().expect("a name");
        let world = World::with_deployment();
        crate::world::copy_tree(directory, &world.at("articles"));
        let arguments = format!(
            "validate articles/{name}.expected.toml --article articles/{article} --allow RU0202,RU0203,RU0207"
        );
        let output = world.run(&arguments);
        let expected = directory.join(format!("{name}.findings.txt"));
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(output.stdout(), expected.raw());
    }
}
