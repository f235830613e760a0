//! From an article to an applied rollup, without an editor: what stays open in a draft is told, and
//! does not keep anybody from rehearsing it.

use std::fs;
use std::path::Path;

use crate::world::{World, exit};

/// An article beside the description of a site, its draft, and the payload of a lab that pins the
/// draft.
fn pinned(article: &str) -> World {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/articles");
    let read = |name: &str| fs::read(directory.join(name)).expect("a fixture");
    let name = article.split('.').next().expect("a name");
    let world = World::with_deployment()
        .put("../article", read(article))
        .put("../site.toml", read(&format!("{name}.deployment.toml")));
    world
        .run("import article -o draft.toml")
        .exits_with(exit::OK);
    world
        .run("rehearse draft.toml -d site.toml --prepare")
        .exits_with(exit::OK)
        .nothing_was_touched();
    world
        .run("pin draft.toml -p lab/payload")
        .exits_with(exit::OK)
        .says("pinned");
    world
}

const VALIDATE: &str = "validate draft.toml -d lab/deployment -p lab/payload";
const REHEARSE: &str = "rehearse draft.toml -d site.toml -p lab/payload --lab other";

#[test]
fn services_and_installers_of_an_article_are_applied_and_taken_back() {
    let world = pinned("corvane-telephony.txt");
    // The conditional restart is a gate that nobody says how to take back.
    world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .says("RU0311")
        .says("0 errors, 0 warnings, 1 note");
    let ran = world
        .run(REHEARSE)
        .exits_with(exit::OK)
        .says("as previewed");
    ran.says("ran 5 items, 5 of them on 6 servers")
        .says("everything matches");
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
fn console_steps_parameters_and_gates_of_a_page_are_rehearsed() {
    let world = pinned("brightmoor-workspaces.html");
    world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .says("no step uses `SiteAudit.exe`")
        .says("0 errors, 2 warnings, 0 notes");
    let ran = world
        .run(REHEARSE)
        .exits_with(exit::NOT_READY)
        .says("Make sure that you have a full backup");
    ran.says("--confirm full-backup-planstore-database");
    let ran = world.run(&format!(
        "{REHEARSE} --replace --confirm full-backup-planstore-database"
    ));
    ran.exits_with(exit::OK)
        .says("as previewed")
        .says("everything matches");
    world
        .run("status -d other/deployment")
        .exits_with(exit::OK)
        .says("in force: KB730415");
}

#[test]
fn a_pasted_article_with_sizes_left_open_is_rehearsed() {
    let world = pinned("tessaly-billing.txt");
    let ran = world
        .run(VALIDATE)
        .exits_with(exit::OK)
        .says("0 errors, 2 warnings, 1 note");
    ran.says("`uninstall` removes `Legacy Rating Provider`, and no later step puts that back");
    let ran = world.run(&format!("{REHEARSE} --confirm do-not-start-while"));
    ran.exits_with(exit::OK)
        .says("as previewed")
        .says("everything matches");
}

#[test]
fn a_lab_may_be_built_from_a_description_alone() {
    let world = World::with_deployment().put("../broken.toml", "schema = 1\nname = 3\n");
    let site =
        fs::read_to_string(world.deployment().join("deployment.toml")).expect("the sample's");
    let world = world.put("../site.toml", site);
    world
        .run("rehearse kb952076.toml -d site.toml --prepare")
        .exits_with(exit::OK)
        .nothing_was_touched();
    let built = crate::listing::Listing::of(&world.at("lab/deployment")).without_times();
    built.assert_same(&crate::listing::Listing::of(&world.deployment()).without_times());
    let refused = world
        .run("rehearse kb952076.toml -d broken.toml --lab other")
        .exits_with(exit::INVALID);
    refused
        .says("broken.toml")
        .says("fix the file")
        .nothing_was_touched();
    assert!(!world.at("other").exists());
    // What a lab is made from is not lost with the lab before it.
    fs::copy(world.at("site.toml"), world.at("lab/site.toml")).expect("copied");
    world
        .run("rehearse kb952076.toml -d lab/site.toml --replace")
        .exits_with(exit::USAGE);
    assert!(world.at("lab/site.toml").is_file());
}
