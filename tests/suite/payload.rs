//! A payload that is not what the file table says is refused before anything changes, and the file
//! is named.

use std::fs;

use crate::world::{APPLY, World, exit};

/// Two files of equal size and date: only what is in them tells them apart.
const TWINS: (&str, &str) = (
    "Hostedunifiedmessaging2007ws.msi",
    "Managedmobility2007ws.msi",
);

/// Refused as a mismatch, by `plan` and by `apply`, with these words.
#[track_caller]
fn is_refused(world: &World, words: &[&str]) {
    for command in [APPLY, "plan kb952076.toml", "apply kb952076.toml --dry-run"] {
        let mut ran = world
            .run(command)
            .exits_with(exit::MISMATCH)
            .nothing_was_touched();
        for words in words {
            ran = ran.says(words);
        }
        ran.says("now: nothing of the deployment has changed");
        assert!(!world.live(".rollup").exists());
    }
}

#[test]
fn a_missing_file_is_refused() {
    let world = World::with_deployment().remove_payload("HostedEmail2007NS.msi");
    is_refused(
        &world,
        &[
            "`Hostedemail2007ns.msi` is missing in the payload",
            "unpack the vendor's download again",
        ],
    );
}

#[test]
fn a_file_smaller_than_the_file_table_says_is_refused() {
    let world = World::with_deployment().truncate_payload("HostedEmail2007NS.msi");
    let sizes = "the file table says 312320 bytes, the payload has 311808";
    is_refused(&world, &["`Hostedemail2007ns.msi` is too short", sizes]);
}

#[test]
fn a_longer_file_is_refused() {
    let world =
        World::with_deployment().change_payload("HostedEmail2007NS.msi", |bytes| bytes.push(0));
    is_refused(&world, &["`Hostedemail2007ns.msi` is too long", "312321"]);
}

#[test]
fn an_empty_file_is_refused() {
    let world = World::with_deployment().change_payload("HostedEmail2007NS.msi", Vec::clear);
    is_refused(&world, &["`Hostedemail2007ns.msi` is too short"]);
}

#[test]
fn one_flipped_byte_is_refused_wherever_it_is() {
    for at in [0, 200_000, 312_319] {
        let world = World::with_deployment()
            .change_payload("HostedEmail2007NS.msi", |bytes| bytes[at] ^= 1);
        is_refused(
            &world,
            &["`Hostedemail2007ns.msi` is not the pinned file: SHA-256"],
        );
    }
}

#[test]
fn all_faults_are_told_at_once() {
    let world = World::with_deployment()
        .remove_payload("Exchange2007Provider.msi")
        .truncate_payload("HostedEmail2007NS.msi")
        .change_payload("ManagedEmail2007NS.msi", |bytes| bytes[5000] ^= 1);
    is_refused(
        &world,
        &[
            "`Exchange2007provider.msi`",
            "`Hostedemail2007ns.msi`",
            "`Managedemail2007ns.msi`",
        ],
    );
}

#[test]
fn two_swapped_files_of_one_size_are_told_by_their_pins() {
    let world = World::with_deployment().swap_payload(TWINS.0, TWINS.1);
    is_refused(
        &world,
        &[
            "`Hostedunifiedmessaging2007ws.msi` in the payload is the file that is pinned as `Managedmobility2007ws.msi`",
            "`Managedmobility2007ws.msi` in the payload is the file that is pinned as `Hostedunifiedmessaging2007ws.msi`",
            "two files may be swapped",
        ],
    );
}

#[test]
fn two_swapped_files_of_one_size_are_told_without_pins_by_the_product_inside() {
    let world = World::with_deployment()
        .without_pins()
        .swap_payload(TWINS.0, TWINS.1);
    is_refused(
        &world,
        &[
            "`Hostedunifiedmessaging2007ws.msi` should hold `Hosted Unified Messaging 2007 Web Service`",
            "and holds `Managed Mobility 2007 Web Service`",
            "`Managedmobility2007ws.msi` should hold `Managed Mobility 2007 Web Service`",
            "two files may be swapped",
        ],
    );
}

#[test]
fn without_pins_the_right_files_are_taken_and_it_is_told_how_little_was_compared() {
    let world = World::with_deployment().without_pins();
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .says("18 files have no pinned SHA-256 in the manifest");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn zeros_of_the_right_size_are_no_installer() {
    let world = World::with_deployment()
        .without_pins()
        .change_payload("HostedEmail2007NS.msi", |bytes| bytes.fill(0));
    is_refused(&world, &["`Hostedemail2007ns.msi` is no installer"]);
}

#[test]
fn a_text_of_the_right_size_is_no_installer() {
    let page = |bytes: &mut Vec<u8>| {
        let text = b"<html>404 not found</html>\n";
        bytes
            .iter_mut()
            .zip(text.iter().cycle())
            .for_each(|(byte, letter)| *byte = *letter);
    };
    let world = World::with_deployment()
        .without_pins()
        .change_payload("HostedEmail2007NS.msi", page);
    is_refused(&world, &["`Hostedemail2007ns.msi` is no installer"]);
}

#[test]
fn a_damaged_installer_is_refused_though_nobody_pinned_it() {
    // Everything behind the first sectors, which make a package of it.
    let damage = |bytes: &mut Vec<u8>| bytes[4096..].fill(0xA5);
    let world = World::with_deployment()
        .without_pins()
        .change_payload("HostedEmail2007NS.msi", damage);
    is_refused(&world, &["`Hostedemail2007ns.msi`"]);
}

#[test]
fn a_directory_in_place_of_a_file_is_refused() {
    let world = World::with_deployment().with(|world| {
        let at = world.payload_file("HostedEmail2007NS.msi");
        fs::remove_file(&at)
            .and_then(|()| fs::create_dir(&at))
            .expect("made");
    });
    is_refused(
        &world,
        &["`Hostedemail2007ns.msi` in the payload cannot be used: it is a directory, not a file"],
    );
}

#[test]
fn a_link_in_place_of_a_file_is_not_followed() {
    let world = World::with_deployment().with(|world| {
        let at = world.payload_file("HostedEmail2007NS.msi");
        fs::rename(&at, world.at("elsewhere.msi")).expect("renamed");
        std::os::unix::fs::symlink(world.at("elsewhere.msi"), &at).expect("linked");
    });
    is_refused(
        &world,
        &["`Hostedemail2007ns.msi` in the payload cannot be used: it is a symbolic link"],
    );
}

#[test]
fn two_files_that_differ_only_in_case_are_refused() {
    let world = World::with_deployment().with(|world| {
        fs::write(world.at("KB952076/HOSTEDEMAIL2007NS.MSI"), "another one").expect("written");
    });
    is_refused(
        &world,
        &["`HOSTEDEMAIL2007NS.MSI` and `Hostedemail2007ns.msi` in the payload differ only in case"],
    );
}

#[test]
fn a_file_that_no_step_deploys_may_be_missing_or_wrong() {
    let world = World::with_deployment()
        .remove_payload("Hmoabupdate.msi")
        .truncate_payload("Makegallinked.exe");
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .says("`Makegallinked.exe` is too short");
    world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::OK);
}

#[test]
fn files_that_are_not_in_the_table_are_left_alone() {
    let world = World::with_deployment().with(|world| {
        fs::write(world.at("KB952076/Read me.txt"), "hello").expect("written");
    });
    world.run(APPLY).exits_with(exit::OK);
    assert!(!world.live("MSIShare/Read me.txt").exists());
    let validated = world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::OK);
    validated
        .says("note[RU0709]: `Read me.txt` lies in the payload and in no row of the file table");
}

#[test]
fn a_wrong_date_is_worth_a_word_only_where_nothing_is_pinned() {
    let shifted = |world: &World, hours: u64| {
        let at = world.payload_file("HostedEmail2007NS.msi");
        let modified = fs::metadata(&at)
            .and_then(|metadata| metadata.modified())
            .expect("a time");
        // Other worlds share the file.
        let bytes = fs::read(&at).expect("read");
        fs::remove_file(&at)
            .and_then(|()| fs::write(&at, bytes))
            .expect("written");
        crate::world::set_modified(&at, modified + std::time::Duration::from_secs(hours * 3600));
    };
    let world = World::with_deployment().with(|world| shifted(world, 7));
    world
        .run("plan kb952076.toml")
        .exits_with(exit::OK)
        .does_not_say("time zone");
    let world = world.without_pins();
    let ran = world.run("plan kb952076.toml").exits_with(exit::OK);
    ran.says("`Hostedemail2007ns.msi` is dated 7 h off, which looks like another time zone");
    shifted(&world, 24 * 300);
    let ran = world.run("plan kb952076.toml").exits_with(exit::OK);
    ran.says("`Hostedemail2007ns.msi` has another date than the file table says");
}

#[test]
fn a_payload_directory_that_does_not_exist_is_no_input() {
    let world = World::with_deployment();
    for command in [
        "plan kb952076.toml -p nowhere",
        "apply kb952076.toml --yes -p nowhere",
    ] {
        world
            .run(command)
            .exits_with(exit::NO_INPUT)
            .says("there is no payload directory `nowhere`")
            .nothing_was_touched();
    }
}

#[test]
fn an_apply_without_any_payload_says_how_to_name_one() {
    let world = World::with_deployment().with(|world| {
        fs::rename(world.at("KB952076"), world.at("elsewhere")).expect("renamed");
    });
    world
        .run(APPLY)
        .exits_with(exit::USAGE)
        .says("no payload was given, and no directory `KB952076` lies beside the manifest")
        .says("--payload DIR")
        .nothing_was_touched();
}
