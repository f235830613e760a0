//! `validate --article`: does the manifest still say what its article says?

use crate::world::{World, exit};

const DIRECTORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/codes/RU0801");

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{DIRECTORY}/{name}")).expect("a fixture")
}

/// The manifest of the fixture with what its article says, and the article.
fn world(manifest: impl Fn(String) -> String) -> World {
    let faithful = fixture("manifest.toml").replace("2_345", "2_354");
    World::with_deployment()
        .put("../manifest.toml", manifest(faithful))
        .put("../article.txt", fixture("article.txt"))
}

const VALIDATE: &str = "validate manifest.toml --article article.txt";

#[test]
fn a_manifest_that_says_what_its_article_says_has_no_findings() {
    let reworded = |text: String| {
        let title = "id = \"put-in-place\"\ntitle = \"In words of our own\"";
        text.replace("id = \"copy\"", title)
            .replace("[\"one.msi\", \"two.xml\"]", "[\"two.xml\", \"one.msi\"]")
    };
    world(reworded)
        .run(VALIDATE)
        .exits_with(exit::OK)
        .says("0 errors, 0 warnings, 0 notes");
}

#[test]
fn a_name_in_another_spelling_is_told() {
    let world = world(|text| text.replace("\"two.xml\"]", "\"TWO.xml\"]"));
    world
        .run(VALIDATE)
        .exits_with(65)
        .says("`files` of `copy` is `TWO.xml`, and `two.xml` in the article");
}

#[test]
fn two_digits_exchanged_are_told_with_both_places() {
    let world = world(|text| text.replace("1_024", "1_042"));
    let ran = world.run(VALIDATE).exits_with(65).nothing_was_touched();
    let ran = ran
        .says("`size` of `one.msi` is 1042, and 1024 in the article")
        .says("manifest.toml:22:23");
    ran.says("the article at article.txt:19");
}

#[test]
fn a_file_that_was_forgotten_is_told_where_it_belongs() {
    let world = world(|text| text.replace("[\"one.msi\", \"two.xml\"]", "[\"one.msi\"]"));
    let ran = world.run(VALIDATE).exits_with(65);
    ran.says("error[RU0802]: `two.xml` in `files` of `copy` is missing, and the article has it");
}

#[test]
fn the_article_of_another_rollup_is_compared_no_further() {
    let world = world(|text| {
        text.replace("KB900001", "KB900002")
            .replace("1_024", "7_168")
    });
    let ran = world.run(VALIDATE).exits_with(65);
    ran.says("the manifest is of KB900002, and the article of KB900001")
        .does_not_say("in the article");
}

#[test]
fn one_article_is_not_compared_with_two_manifests() {
    let world = world(|text| text).put("../other.toml", fixture("manifest.toml"));
    let ran = world
        .run("validate manifest.toml other.toml --article article.txt")
        .exits_with(exit::USAGE);
    ran.says("an article is that of one rollup, and 2 manifests are given");
}

#[test]
fn what_is_no_article_is_told_before_anything_is_compared() {
    let world = world(|text| text).put("../cake.txt", "Take three eggs.\n");
    world
        .run("validate manifest.toml --article cake.txt")
        .exits_with(65)
        .says("it is no article about an update rollup");
    world
        .run("validate manifest.toml --article none.txt")
        .exits_with(66)
        .says("there is no file `none.txt`");
}

/// The articles of other products, each with the manifest that a person wrote from it, and what is
/// told of the two: what the article leaves open, and what the grammar does not read.
#[test]
fn what_is_read_of_each_article_is_what_a_person_read() {
    let directory = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/articles"));
    for article in [
        "corvane-telephony.txt",
        "brightmoor-workspaces.html",
        "tessaly-billing.txt",
    ] {
        let name = article.split('.').next().expect("a name");
        let world = World::with_deployment();
        crate::world::copy_tree(directory, &world.at("articles"));
        let words = format!(
            "validate articles/{name}.expected.toml --article articles/{article} --allow RU0202,RU0203,RU0207"
        );
        let told = world.run(&words);
        let expected = directory.join(format!("{name}.findings.txt"));
        let expected = snapbox::Data::read_from(&expected, Some(snapbox::data::DataFormat::Text));
        snapbox::Assert::new()
            .action_env("SNAPSHOTS")
            .normalize_paths(false)
            .eq(told.stdout(), expected.raw());
    }
}
