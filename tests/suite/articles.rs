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
fn a_name_in_another_spelling_is_a_note() {
    let world = world(|text| text.replace("\"two.xml\"", "\"TWO.xml\""));
    world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("`TWO.xml` is spelled `two.xml` in the article");
}

#[test]
fn two_exchanged_digits_are_reported_at_both_places() {
    let world = world(|text| text.replace("1_024", "1_042"));
    let ran = world.run(VALIDATE).exits_with(65).nothing_was_touched();
    let ran = ran
        .prints("`size` of `one.msi` is 1042, but 1024 in the article")
        .prints("manifest.toml:22:12");
    ran.prints("the article at article.txt:19");
}

#[test]
fn a_forgotten_file_is_missing() {
    let world = world(|text| {
        text.replace(", \"two.xml\"]", "]").replace("  { name = \"two.xml\", size = 2_354, modified = 2008-03-31T18:33:00Z },\n", "")
            .replace("\"two.xml\" = \"0fcf89ad70329531949603392e80ee37646d48dc96c1d7e1fe749a042618a50e\"\n", "")
    });
    let ran = world.run(VALIDATE).exits_with(65);
    ran.prints("error[RU0802]: file `two.xml` is missing, but the article has it");
}

#[test]
fn a_comment_accounts_for_no_file() {
    let world = world(|text| {
        text.replace(", \"two.xml\"]", "]").replace("  { name = \"two.xml\", size = 2_354, modified = 2008-03-31T18:33:00Z },\n", "# TODO two.xml\n")
            .replace("\"two.xml\" = \"0fcf89ad70329531949603392e80ee37646d48dc96c1d7e1fe749a042618a50e\"\n", "")
    });
    world
        .run(VALIDATE)
        .exits_with(65)
        .prints("file `two.xml` is missing");
}

#[test]
fn of_several_rows_of_one_name_one_must_fit() {
    let article = |row: &str| {
        fixture("article.txt").replace(
            "two.xml\t2,354\t",
            &format!("two.xml\t{row}\ntwo.xml\t2,354\t"),
        )
    };
    let other =
        world(|text| text).write_file("../article.txt", article("9,999\t31-Mar-2008\t18:33"));
    other
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("0 errors, 0 warnings, 0 notes");
    let other = world(|text| text.replace("2_354", "2_355"))
        .write_file("../article.txt", article("9,999\t31-Mar-2008\t18:33"));
    other
        .run(VALIDATE)
        .exits_with(65)
        .prints("`size` of `two.xml` is 2355, but 9999 in the article");
}

#[test]
fn a_service_that_no_step_names_is_a_warning() {
    let service = "Step 2: Restart\n  1. Restart the Mill Engine service on each engine server.\n\nFile information";
    let world = world(|text| text).write_file(
        "../article.txt",
        fixture("article.txt").replace("File information", service),
    );
    world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("warning[RU0802]: no step accounts for the restart of a service: Restart the Mill Engine service");
}

#[test]
fn a_draft_with_open_points_does_not_pass() {
    let article = fixture("article.txt")
        .replace("Article ID: 900001 - ", "")
        .replace("File information", "Files (UTC)");
    let world = world(|text| text).write_file("../other.txt", article);
    world
        .run("import other.txt -o other.toml")
        .exits_with(exit::OK);
    world
        .run("validate other.toml --allow RU0207")
        .exits_with(65)
        .prints("error[RU0121]: a value is still a `TODO`");
    world
        .run("import other.txt --kb KB900001 -o known.toml")
        .exits_with(exit::OK);
    world
        .run("validate known.toml --allow RU0207")
        .exits_with(exit::OK);
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
