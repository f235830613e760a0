//! Packages that rollup cannot open: stored, recorded, and never executed.

use std::os::unix::fs::PermissionsExt;

use crate::listing::Listing;
use crate::small::{SMALL, small};
use crate::world::{World, exit};

/// Program for Windows, as far as its signature.
const PROGRAM: &[u8] = b"MZ\x90\0\x03\0\0";

/// Step that stores a hotfix on both engine servers, with more keys.
fn hotfix(keys: &str) -> String {
    format!(
        "[[steps]]\nid = \"hotfix\"\naction = \"run\"\non = \"engine\"\nfiles = [\"hotfix.exe\"]\n{keys}\
         [payload]\nfiles = [{{ name = \"hotfix.exe\" }}]\n"
    )
}

const REVERSIBLE: &str = "arguments = \"/quiet /norestart\"\nundo = \"hotfix.exe /uninstall\"\n";

fn world(keys: &str) -> World {
    World::with_site(SMALL)
        .manifest("small", &small("KB100001", &hotfix(keys)))
        .with(|world| write(world, "KB100001/hotfix.exe", PROGRAM))
}

/// Writes a file of the world's directory.
fn write(world: &World, path: &str, bytes: &[u8]) {
    std::fs::write(world.at(path), bytes).expect("written");
}

const APPLY: &str = "apply small.toml --yes";
const RECORD: &str = "Servers/ENG01/Programs/hotfix.exe/state.toml";
const FILE: &str = "Servers/ENG01/Programs/hotfix.exe/files/hotfix.exe";

#[test]
fn an_opaque_package_is_stored_and_recorded_with_its_arguments() {
    let world = world(REVERSIBLE);
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("store hotfix.exe on ENG01, ENG02")
        .prints("arguments: /quiet /norestart")
        .prints("undo by hand: hotfix.exe /uninstall");
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("stored hotfix.exe on ENG01")
        .does_not_print("ran");
    let record = world.read(RECORD);
    for line in [
        "kind = \"opaque\"",
        "product = \"hotfix.exe\"",
        "arguments = \"/quiet /norestart\"",
        "installer = { name = \"hotfix.exe\"",
    ] {
        assert!(record.contains(line), "{record}");
    }
    assert!(!record.contains("product_code"), "{record}");
    assert_eq!(std::fs::read(world.live(FILE)).expect("the file"), PROGRAM);
    let mode = std::fs::metadata(world.live(FILE))
        .expect("the file")
        .permissions()
        .mode();
    assert_eq!(mode & 0o111, 0, "it can be executed");
    world.run("verify").exits_with(exit::OK);
    std::fs::write(world.live(FILE), b"another").expect("written");
    world
        .run("verify")
        .exits_with(exit::MISMATCH)
        .prints("hotfix.exe");
}

#[test]
fn two_packages_of_one_name_need_two_directories() {
    let twice = hotfix("undo = \"x\"\n")
        .replace(
            "[\"hotfix.exe\"]",
            "[\"x86/hotfix.exe\", \"x64/Hotfix.exe\"]",
        )
        .replace(
            "{ name = \"hotfix.exe\" }",
            "{ name = \"x86/hotfix.exe\" }, { name = \"x64/Hotfix.exe\" }",
        );
    World::with_site(SMALL)
        .write_file("../small.toml", small("KB100001", &twice))
        .run("validate small.toml")
        .exits_with(exit::INVALID)
        .prints(
            "error[RU0315]: `x64/Hotfix.exe` would be stored in the directory of `x86/hotfix.exe`",
        );
}

#[test]
fn the_same_file_with_the_same_arguments_is_nothing_to_do() {
    let applied = world(REVERSIBLE);
    applied.run(APPLY).exits_with(exit::OK);
    let again = applied.manifest("second", &small("KB100002", &hotfix(REVERSIBLE)));
    again
        .run("plan second.toml -p KB100001")
        .exits_with(exit::OK)
        .prints("the same package is there, with the same arguments");
    let other = again.manifest(
        "third",
        &small(
            "KB100003",
            &hotfix("arguments = \"/passive\"\nundo = \"x\"\n"),
        ),
    );
    other
        .run("plan third.toml -p KB100001")
        .exits_with(exit::OK)
        .prints("replace hotfix.exe on ENG01, ENG02");
}

#[test]
fn without_undo_it_is_a_point_of_no_return() {
    let world = world("");
    world
        .run("validate small.toml")
        .exits_with(exit::OK)
        .prints("note[RU0311]: `hotfix.exe` cannot be rolled back");
    world
        .run("plan small.toml")
        .exits_with(exit::OK)
        .prints("point of no return: step `hotfix`");
    world.run(APPLY).exits_with(exit::OK);
    world
        .run("undo last --yes")
        .exits_with(exit::NOT_READY)
        .prints("rollup cannot open the package")
        .tree_is_unchanged();
}

#[test]
fn undo_waits_for_a_person_before_it_takes_the_package_away() {
    let world = world(REVERSIBLE);
    let before = Listing::of(&world.deployment());
    world.run(APPLY).exits_with(exit::OK);
    world
        .run("undo last --yes")
        .exits_with(exit::STOPPED)
        .prints("hotfix.exe /uninstall")
        .prints("on ENG01, ENG02")
        .prints("--done hotfix");
    assert!(
        world.live(FILE).exists(),
        "it was taken away without an answer"
    );
    world
        .run("status")
        .prints("waiting for a person at step hotfix");
    world.run("undo --done hotfix --yes").exits_with(exit::OK);
    assert_eq!(Listing::of(&world.deployment()), before);
}

#[test]
fn going_forward_again_needs_another_answer_for_the_next_rollback() {
    let steps = format!(
        "{}\n",
        hotfix(REVERSIBLE).replace(
            "[[steps]]\nid = \"hotfix\"",
            "[[steps]]\nid = \"first\"\naction = \"manual\"\ninstructions = \"Do it.\"\nundo = \"Remove it.\"\n[[steps]]\nid = \"hotfix\"",
        )
    );
    let world = World::with_site(SMALL)
        .manifest("small", &small("KB100001", &steps))
        .with(|world| write(world, "KB100001/hotfix.exe", PROGRAM));
    world.run(APPLY).exits_with(exit::STOPPED);
    world.run("resume --done first --yes").exits_with(exit::OK);
    world
        .run("undo last --yes")
        .exits_with(exit::STOPPED)
        .prints("--done hotfix");
    // The package is rolled back; then the manual step waits.
    world
        .run("undo --done hotfix --yes")
        .exits_with(exit::STOPPED)
        .does_not_print("was not used")
        .prints("--done first");
    // A person has to restore what a person removed.
    world
        .run("resume --yes")
        .exits_with(exit::STOPPED)
        .prints("hotfix.exe was rolled back by hand: run it again with `/quiet /norestart`.")
        .prints("--done hotfix");
    world
        .run("status")
        .prints("waiting for a person at step hotfix");
    world.run("resume --done hotfix --yes").exits_with(exit::OK);
    assert!(world.live(FILE).exists());
    world
        .run("undo last --yes")
        .exits_with(exit::STOPPED)
        .prints("--done hotfix");
}

#[test]
fn a_damaged_file_is_replaced_by_the_same_package() {
    let world = world(REVERSIBLE);
    world.run(APPLY).exits_with(exit::OK);
    std::fs::write(world.live(FILE), b"another").expect("written");
    world
        .run("apply small.toml --reapply --yes")
        .exits_with(exit::OK)
        .prints("replaced hotfix.exe on ENG01");
    assert_eq!(std::fs::read(world.live(FILE)).expect("the file"), PROGRAM);
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn a_program_gets_the_directory_of_its_own_name() {
    let world = world(&format!("program = \"Hotfix 7\"\n{REVERSIBLE}"));
    world.run(APPLY).exits_with(exit::OK);
    assert!(
        world
            .live("Servers/ENG02/Programs/Hotfix 7/files/hotfix.exe")
            .is_file()
    );
}

#[test]
fn a_file_of_another_kind_is_refused_by_name() {
    let world = world(REVERSIBLE);
    write(
        &world,
        "KB100001/hotfix.exe",
        b"<!doctype html><p>Sign in</p>",
    );
    world
        .run("plan small.toml")
        .exits_with(exit::MISMATCH)
        .prints("`hotfix.exe` is not a program (PE): it is an HTML page");
    world
        .run("validate small.toml -p KB100001")
        .exits_with(exit::INVALID)
        .prints("error[RU0704]");
}

#[test]
fn a_package_does_not_replace_one_of_another_kind() {
    let tool = "[[steps]]\nid = \"tool\"\naction = \"run\"\non = \"engine\"\nfiles = [\"Tool.msi\"]\n[payload]\nfiles = [{ name = \"Tool.msi\" }]\n";
    let world = World::with_site(SMALL).manifest("small", &small("KB100001", tool));
    world.run(APPLY).exits_with(exit::OK);
    let programs = std::fs::read_dir(world.live("Servers/ENG01/Programs")).expect("programs");
    let name = programs.last().expect("one").expect("readable").file_name();
    let name = name.to_str().expect("text");
    let keys = format!("program = \"{name}\"\n{REVERSIBLE}");
    let world = world
        .manifest("second", &small("KB100002", &hotfix(&keys)))
        .with(|world| write(world, "KB100002/hotfix.exe", PROGRAM));
    world
        .run("plan second.toml")
        .exits_with(exit::MISMATCH)
        .prints("which was installed from a package of another kind")
        .prints("give it another `program`");
}

#[test]
fn an_installer_does_not_replace_an_opaque_package_of_an_earlier_step() {
    let steps = hotfix(&format!("program = \"Tool\"\n{REVERSIBLE}"));
    let steps = steps.replace(
        "[payload]\nfiles = [",
        "[[steps]]\nid = \"tool\"\naction = \"run\"\non = \"engine\"\nfiles = [\"Tool.msi\"]\n\
         [payload]\nfiles = [{ name = \"Tool.msi\" }, ",
    );
    World::with_site(SMALL)
        .manifest("small", &small("KB100001", &steps))
        .run("plan small.toml")
        .exits_with(exit::MISMATCH)
        .prints("which was installed from a package of another kind");
}

#[test]
fn patches_and_updates_of_windows_are_rehearsed() {
    let steps = "[[steps]]\nid = \"patch\"\naction = \"run\"\non = \"engine\"\nfiles = [\"fix.msp\", \"kb1.msu\"]\nundo = \"Uninstall both.\"\n\
                 [payload]\nfiles = [{ name = \"fix.msp\", size = 65536 }, { name = \"kb1.msu\", size = 5000 }]\n";
    World::with_site(SMALL)
        .manifest("small", &small("KB100001", steps))
        .run("rehearse small.toml -d deployment --lab there")
        .exits_with(exit::OK)
        .prints("stored fix.msp on ENG01");
}

#[test]
fn keys_of_one_kind_do_not_apply_to_another() {
    let msi = |keys: &str| {
        format!(
            "[[steps]]\nid = \"tool\"\naction = \"run\"\non = \"engine\"\nfiles = [\"Tool.msi\"]\n{keys}\n[payload]\nfiles = [{{ name = \"Tool.msi\" }}]\n"
        )
    };
    for keys in [
        "arguments = \"/quiet\"",
        "program = \"Tool\"",
        "undo = \"x\"",
    ] {
        let key = keys.split(' ').next().expect("a key");
        World::with_site(SMALL)
            .with(|world| {
                write(
                    world,
                    "small.toml",
                    small("KB100001", &msi(keys)).as_bytes(),
                )
            })
            .run("validate small.toml")
            .exits_with(exit::INVALID)
            .prints(&format!(
                "error[RU0314]: `{key}` does not apply to `Tool.msi`"
            ));
    }
    let invalid = |keys: &str| {
        World::with_site(SMALL).with(|world| {
            write(
                world,
                "small.toml",
                small("KB100001", &hotfix(keys)).as_bytes(),
            )
        })
    };
    invalid("features = [\"Tools\"]\nundo = \"x\"\n")
        .run("validate small.toml")
        .exits_with(exit::INVALID)
        .prints("error[RU0314]: `features` does not apply to `hotfix.exe`");
    invalid("irreversible = \"It cannot.\"\nundo = \"x\"\n")
        .run("validate small.toml")
        .exits_with(exit::INVALID)
        .prints("`irreversible` and `undo` exclude each other");
}
