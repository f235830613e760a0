//! Names: they are compared without regard to case, and the spelling on disk is kept.

use std::path::{Path, PathBuf};

use crate::small::{APPLY_SMALL, SMALL, UPDATE_PROVIDER, small, small_world};
use crate::world::{APPLY, KB952076, World, exit};

/// Renames objects of the sample to spellings that differ from `deployment.toml` and the manifest.
fn with_other_spellings(world: World) -> World {
    let provider = "Hosted Exchange/Exchange Provisioning/Exchange 2007 Provider";
    world
        .rename(
            &format!("{provider}/state.toml"),
            &format!("{provider}/State.TOML"),
        )
        .rename(
            provider,
            "Hosted Exchange/Exchange Provisioning/EXCHANGE 2007 provider",
        )
        .rename(
            "Hosted Exchange/Exchange Provisioning",
            "Hosted Exchange/exchange provisioning",
        )
        .rename("Hosted Exchange", "HOSTED exchange")
        .rename(
            "MPS Web Services/Hosted Email 2007 Web Service/PROV02",
            "MPS Web Services/Hosted Email 2007 Web Service/prov02",
        )
        .rename("MPS Web Services", "mps web services")
        .rename(
            "MSIShare/HostedEmail2007NS.msi",
            "MSIShare/HOSTEDemail2007ns.MSI",
        )
        .rename("MSIShare", "msishare")
        .rename(
            "Servers/MPS01/Services/Provisioning Engine.toml",
            "Servers/MPS01/Services/PROVISIONING engine.TOML",
        )
        .rename("Servers/MPS01", "Servers/mps01")
        .rename("Servers", "SERVERS")
}

#[test]
fn an_update_keeps_the_spelling_on_disk() {
    let world = with_other_spellings(World::with_deployment());
    world
        .run("verify")
        .exits_with(exit::OK)
        .prints("33 installed items")
        .does_not_print("unmanaged");
    let ran = world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("installed 18 items, 7 of them on 2 servers");
    let after = ran.after();
    // All but the files of installers keep their names, and only the applied rollup is new.
    let installed = |path: &Path| path.components().any(|part| part.as_os_str() == "files");
    let missing = ran
        .before()
        .paths(|path, _| !installed(path) && after.get(path).is_none());
    assert_eq!(missing, <[PathBuf; 0]>::default());
    let new = after.paths(|path, _| !installed(path) && ran.before().get(path).is_none());
    assert_eq!(
        new,
        [
            PathBuf::from("applied"),
            PathBuf::from("applied/KB952076.toml")
        ]
    );
    let share = after
        .get("msishare/HOSTEDemail2007ns.MSI")
        .expect("the spelling of the share");
    assert_eq!(share.size, 312_320);
    let state =
        world.read("HOSTED exchange/exchange provisioning/EXCHANGE 2007 provider/State.TOML");
    assert!(state.contains("4.0.300"), "{state}");
    assert!(
        world
            .read("SERVERS/mps01/Services/PROVISIONING engine.TOML")
            .contains("running = true")
    );
    world
        .run("verify")
        .exits_with(exit::OK)
        .does_not_print("unmanaged");
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("nothing to do");
}

#[test]
fn directories_that_stay_installed_keep_their_spelling() {
    let replace = UPDATE_PROVIDER
        .split_once("[[steps]]\nid = \"copy\"")
        .expect("a copy step")
        .1;
    let replace = replace.replace(
        "removed_by = \"remove\"",
        "items.\"Things\" = [\"Provider\"]",
    );
    let replaced = small_world(&format!("[[steps]]\nid = \"copy\"{replace}"));
    // Directories that are removed in between return with the installer's spelling, but those with
    // unmanaged files keep theirs.
    let updated = small_world(UPDATE_PROVIDER)
        .write_file("Things/Provider/files/Program Files/notes.txt", "unmanaged");
    for world in [replaced, updated] {
        let world = world
            .rename(
                "Things/Provider/files/Program Files",
                "Things/Provider/files/PROGRAM files",
            )
            .rename("Things/Provider/files", "Things/Provider/FILES");
        let after = world.run(APPLY_SMALL).exits_with(exit::OK).after();
        assert!(
            after
                .get("Things/Provider/FILES/PROGRAM files/Provider/Provider.dll")
                .is_some(),
            "{after:?}"
        );
        assert!(after.get("Things/Provider/files").is_none());
        world.run("verify").exits_with(exit::OK);
    }
}

#[test]
fn a_respelled_deployment_has_the_same_operations() {
    let operations = |world: &World| {
        let plan = world.plan("kb952076.toml");
        let steps = plan["steps"].as_array().expect("steps").clone();
        let all = steps
            .into_iter()
            .flat_map(|step| step["operations"].as_array().expect("operations").clone());
        all.map(|operation| {
            format!(
                "{} {} {}",
                operation["kind"], operation["target"], operation["server"]
            )
        })
        .collect::<Vec<_>>()
    };
    assert_eq!(
        operations(&World::with_deployment()),
        operations(&with_other_spellings(World::with_deployment()))
    );
}

#[test]
fn a_new_file_gets_the_spelling_of_the_step() {
    let world = World::with_deployment().remove("MSIShare/HostedEmail2007NS.msi");
    let ran = world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("copied HostedEmail2007NS.msi");
    assert!(ran.after().get("MSIShare/HostedEmail2007NS.msi").is_some());
    assert!(ran.after().get("MSIShare/Hostedemail2007ns.msi").is_none());
}

#[test]
fn the_payload_can_be_spelled_in_any_case() {
    let world = World::with_deployment().with(|world| {
        for file in std::fs::read_dir(world.at("KB952076")).expect("a payload") {
            let file = file.expect("an entry").path();
            let name = file
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a plain name")
                .to_uppercase();
            std::fs::rename(&file, file.with_file_name(name)).expect("renamed");
        }
    });
    let after = world.run(APPLY).exits_with(exit::OK).after();
    assert!(
        after
            .get("MSIShare/HostedEmail2007NS.msi")
            .is_some_and(|entry| entry.size == 312_320)
    );
}

#[test]
fn a_manifest_can_spell_names_of_the_deployment_in_any_case() {
    let world = World::with_deployment()
        .edit(
            "kb952076.toml",
            "\"Exchange 2007 Hosted Email\"",
            "\"EXCHANGE 2007 hosted email\"",
        )
        // By its alias.
        .edit(
            "kb952076.toml",
            "\"Exchange 2007 Managed Email\"",
            "\"managed EMAIL 2007\"",
        )
        .edit(
            "kb952076.toml",
            "items.\"MPS Web Services\"",
            "items.\"web services\"",
        )
        .edit(
            "kb952076.toml",
            "[\"Hosted Exchange\", \"MPS Web Service\"]",
            "[\"hosted exchange\", \"MPS WEB SERVICES\"]",
        )
        .edit(
            "kb952076.toml",
            "\"HostedEmail2007WS.msi\"",
            "\"hostedemail2007WS.MSI\"",
        )
        .edit(
            "kb952076.toml",
            "service = \"Provisioning Engine\"",
            "service = \"provisioning engine\"",
        )
        .edit(
            "kb952076.toml",
            "on = \"mps-engine\"",
            "on = \"mps ENGINE servers\"",
        );
    let ran = world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("installed 18 items, 7 of them on 2 servers: 25 instances");
    assert!(
        ran.after()
            .get("MSIShare/HostedEmail2007WS.msi")
            .is_some_and(|entry| entry.size == 531_456)
    );
    assert!(ran.after().get("MSIShare/hostedemail2007WS.MSI").is_none());
}

#[test]
fn a_kb_number_can_be_written_in_any_spelling() {
    for (kb, directory) in [
        ("952076", "KB952076"),
        ("kb952076", "kb952076"),
        ("KB952076", "952076"),
        ("Kb952076", "Kb952076"),
    ] {
        let world = World::with_deployment()
            .edit(
                "kb952076.toml",
                "kb = \"KB952076\"",
                &format!("kb = \"{kb}\""),
            )
            .edit(
                "kb952076.toml",
                "replaces = [\"KB948755\"]",
                "replaces = [\"948755\"]",
            )
            .edit(
                "kb952076.toml",
                "includes = [\"KB948755\"]",
                "includes = [\"kb948755\"]",
            )
            .with(|world| {
                std::fs::rename(world.at("KB952076"), world.at(directory)).expect("renamed")
            });
        let plan = world
            .run("plan kb952076.toml")
            .exits_with(exit::OK)
            .prints("KB952076 revision 1.0");
        plan.prints("applied: KB948755 now; KB952076 afterwards")
            .prints("75 operations in 5 steps");
    }
    let world = World::with_deployment();
    for kb in [
        "KB",
        "KB0952076",
        "KB95207x",
        "-952076",
        "KB 952076",
        "9520761234",
    ] {
        std::fs::write(
            world.at("other.toml"),
            KB952076.replace("kb = \"KB952076\"", &format!("kb = \"{kb}\"")),
        )
        .expect("written");
        world
            .run("plan other.toml -p KB952076")
            .exits_with(exit::INVALID)
            .prints("is not a KB number");
    }
}

#[test]
fn case_is_folded_by_character_and_not_by_language() {
    // The upper case of a sharp s has two characters, so it is not folded.
    let directory = "Things/Provider/files";
    let world = small_world(UPDATE_PROVIDER)
        .write_file(&format!("{directory}/straße.txt"), "")
        .write_file(&format!("{directory}/STRASSE.txt"), "")
        .write_file(&format!("{directory}/ÄÖÜ.txt"), "");
    world.run(APPLY_SMALL).exits_with(exit::OK);
    let world = small_world(UPDATE_PROVIDER)
        .write_file(&format!("{directory}/äöü.txt"), "")
        .write_file(&format!("{directory}/ÄÖÜ.txt"), "");
    world
        .run(APPLY_SMALL)
        .exits_with(exit::NOT_READY)
        .prints("differ only in case")
        .nothing_was_touched();
}

#[test]
fn two_spellings_of_a_new_directory_are_one_directory() {
    let copy = |id: &str, to: &str| {
        format!(
            "[[steps]]\nid = \"{id}\"\naction = \"copy\"\nto = \"{to}\"\non = \"engine\"\nfiles = [\"Tool.txt\"]\n"
        )
    };
    let steps = format!(
        "{}{}[payload]\nfiles = [{{ name = \"Tool.txt\" }}]\n",
        copy("first", "tools"),
        copy("second", "TOOLS/New"),
    );
    let world = World::with_site(SMALL).manifest("small", &small("KB100001", &steps));
    world.run(APPLY_SMALL).exits_with(exit::OK);
    assert!(
        world
            .live("Servers/ENG01/Files/tools/New/Tool.txt")
            .is_file()
    );
    world.run("verify").exits_with(exit::OK);
}
