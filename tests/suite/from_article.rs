//! Path from an article to an applied rollup without an editor: facts that stay open in a draft are
//! reported, and the draft can still be rehearsed.

use std::fs;
use std::path::Path;

use crate::world::{World, exit};

/// Makes a world with an article, the `deployment.toml` that fits it, and its draft, as a person
/// decides it, with the pins of a lab's payload.
fn pinned(article: &str, decided: impl Fn(&str) -> String) -> World {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/articles");
    let read = |name: &str| fs::read(directory.join(name)).expect("a fixture");
    let name = article.split('.').next().expect("a name");
    let world = World::with_deployment()
        .write_file("../article", read(article))
        .write_file("../site.toml", read(&format!("{name}.deployment.toml")));
    world
        .run("import article -o draft.toml")
        .exits_with(exit::OK);
    let draft = fs::read_to_string(world.at("draft.toml")).expect("the draft");
    fs::write(world.at("draft.toml"), decided(&draft)).expect("written");
    world
        .run("rehearse draft.toml -d site.toml --prepare")
        .exits_with(exit::OK)
        .nothing_was_touched();
    world
        .run("pin draft.toml -p lab/payload")
        .exits_with(exit::OK)
        .prints("pinned");
    world
}

/// Validates a draft, of which a person would decide the open points before.
const VALIDATE: &str = "validate draft.toml -d lab/deployment -p lab/payload --allow RU0122";
const REHEARSE: &str = "rehearse draft.toml -d site.toml -p lab/payload --lab other";

#[test]
fn services_and_installers_of_an_article_are_applied_and_rolled_back() {
    // The draft quotes the copy of all files that the article does not name; a person writes it.
    let decided = |draft: &str| {
        let (before, step) = draft
            .split_once("id = \"manual\"\n")
            .expect("the manual step");
        let (_, after) = step.split_once("\n\n").expect("more steps");
        let copy = "id = \"copy\"\naction = \"copy\"\nto = \"Prompts/System\"\non = \"media\"\nothers = true\n\n";
        let support = "platform = \"x86\", unused = \"for support\" },";
        let (rows, trace) = after.split_once("CvTrace.exe").expect("its row");
        let trace = trace.replacen("platform = \"x86\" },", support, 1);
        format!("{before}{copy}{rows}CvTrace.exe{trace}")
    };
    let world = pinned("corvane-telephony.txt", decided);
    // The article does not say how to roll back the conditional restart, a manual step.
    world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("RU0311")
        .prints("0 errors, 0 warnings, 1 note");
    let ran = world
        .run(REHEARSE)
        .exits_with(exit::OK)
        .prints("the result matches the plan");
    ran.prints("ran 5 items on 6 servers")
        .prints("everything matches");
    let before = crate::listing::Listing::of(&world.at("lab/deployment")).without_times();
    world
        .run("apply draft.toml --yes -d lab/deployment -p lab/payload")
        .exits_with(exit::OK);
    world.run("verify -d lab/deployment").exits_with(exit::OK);
    world
        .run("undo last --yes -d lab/deployment")
        .exits_with(exit::OK);
    before.assert_same(&crate::listing::Listing::of(&world.at("lab/deployment")).without_times());
}

#[test]
fn console_steps_parameters_and_manual_steps_of_a_page_are_rehearsed() {
    let world = pinned("brightmoor-workspaces.html", str::to_owned);
    world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("no step uses `SiteAudit.exe`")
        .prints("0 errors, 1 warning, 0 notes");
    let ran = world
        .run(REHEARSE)
        .exits_with(exit::NOT_READY)
        .prints("Make sure that you have a full backup");
    ran.prints("--confirm full-backup-planstore-database");
    let ran = world.run(&format!(
        "{REHEARSE} --replace --confirm full-backup-planstore-database"
    ));
    ran.exits_with(exit::OK)
        .prints("the result matches the plan")
        .prints("everything matches");
    world
        .run("status -d other/deployment")
        .exits_with(exit::OK)
        .prints("applied: KB730415");
}

#[test]
fn a_pasted_article_with_open_sizes_is_rehearsed() {
    let world = pinned("tessaly-billing.txt", str::to_owned);
    let ran = world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .prints("0 errors, 1 warning, 1 note");
    ran.prints("`uninstall` removes `Legacy Rating Provider`, which no later step installs again");
    let ran = world.run(&format!("{REHEARSE} --confirm do-not-start-while"));
    ran.exits_with(exit::OK)
        .prints("the result matches the plan")
        .prints("everything matches");
}

#[test]
fn a_lab_can_be_built_from_a_description_alone() {
    let world = World::with_deployment().write_file("../broken.toml", "schema = 1\nname = 3\n");
    let site =
        fs::read_to_string(world.deployment().join("deployment.toml")).expect("the sample's");
    let world = world.write_file("../site.toml", site);
    world
        .run("rehearse kb952076.toml -d site.toml --prepare")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let built = crate::listing::Listing::of(&world.at("lab/deployment")).without_times();
    built.assert_same(&crate::listing::Listing::of(&world.deployment()).without_times());
    let ran = world
        .run("rehearse kb952076.toml -d broken.toml --lab other")
        .exits_with(exit::INVALID);
    ran.prints("broken.toml")
        .prints("fix the file")
        .nothing_was_touched();
    assert!(!world.at("other").exists());
    // A source inside the old lab would be removed with it.
    fs::copy(world.at("site.toml"), world.at("lab/site.toml")).expect("copied");
    world
        .run("rehearse kb952076.toml -d lab/site.toml --replace")
        .exits_with(exit::USAGE);
    assert!(world.at("lab/site.toml").is_file());
}
