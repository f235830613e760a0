//! Payloads that do not match the file table: they are refused before any change, with the name of
//! the file.

use std::fs;

use crate::world::{APPLY, World, exit};

/// Two files with the same size and date, which differ only in their contents.
const SAME_SIZE: (&str, &str) = (
    "Hostedunifiedmessaging2007ws.msi",
    "Managedmobility2007ws.msi",
);

/// Asserts that `plan` and `apply` refuse the payload as a mismatch, and print these words.
#[track_caller]
fn assert_refused(world: &World, words: &[&str]) {
    for command in [APPLY, "plan kb952076.toml", "apply kb952076.toml --dry-run"] {
        let mut ran = world
            .run(command)
            .exits_with(exit::MISMATCH)
            .nothing_was_touched();
        for words in words {
            ran = ran.prints(words);
        }
        ran.prints("now: this command changed nothing");
        assert!(!world.live(".rollup").exists());
    }
}

#[test]
fn a_missing_payload_file_is_refused() {
    let world = World::with_deployment().remove_payload("HostedEmail2007NS.msi");
    assert_refused(
        &world,
        &[
            "`Hostedemail2007ns.msi` is missing from the payload",
            "unpack the vendor's download again",
        ],
    );
}

#[test]
fn apply_refuses_a_payload_smaller_than_the_file_table_says() {
    let world = World::with_deployment().truncate_payload("HostedEmail2007NS.msi");
    let sizes = "it has 311808 bytes, and 312320 in the file table";
    assert_refused(&world, &["`Hostedemail2007ns.msi` is too short", sizes]);
}

#[test]
fn a_payload_file_longer_than_the_file_table_says_is_refused() {
    let world =
        World::with_deployment().change_payload("HostedEmail2007NS.msi", |bytes| bytes.push(0));
    assert_refused(&world, &["`Hostedemail2007ns.msi` is too long", "312321"]);
}

#[test]
fn an_empty_payload_file_is_refused() {
    let world = World::with_deployment().change_payload("HostedEmail2007NS.msi", Vec::clear);
    assert_refused(&world, &["`Hostedemail2007ns.msi` is too short"]);
}

#[test]
fn one_changed_byte_is_refused_at_any_offset() {
    for at in [0, 200_000, 312_319] {
        let world = World::with_deployment()
            .change_payload("HostedEmail2007NS.msi", |bytes| bytes[at] ^= 1);
        assert_refused(
            &world,
            &["`Hostedemail2007ns.msi` is not the pinned file: its SHA-256 is"],
        );
    }
}

#[test]
fn all_faults_of_a_payload_are_reported_at_once() {
    let world = World::with_deployment()
        .remove_payload("Exchange2007Provider.msi")
        .truncate_payload("HostedEmail2007NS.msi")
        .change_payload("ManagedEmail2007NS.msi", |bytes| bytes[5000] ^= 1);
    assert_refused(
        &world,
        &[
            "`Exchange2007provider.msi`",
            "`Hostedemail2007ns.msi`",
            "`Managedemail2007ns.msi`",
        ],
    );
}

#[test]
fn two_swapped_files_of_one_size_are_recognized_by_their_pins() {
    let world = World::with_deployment().swap_payload(SAME_SIZE.0, SAME_SIZE.1);
    assert_refused(
        &world,
        &[
            "`Hostedunifiedmessaging2007ws.msi` in the payload is the file that is pinned as `Managedmobility2007ws.msi`",
            "`Managedmobility2007ws.msi` in the payload is the file that is pinned as `Hostedunifiedmessaging2007ws.msi`",
            "two files may be swapped",
        ],
    );
}

#[test]
fn without_pins_two_swapped_files_of_one_size_are_recognized_by_their_product() {
    let world = World::with_deployment()
        .without_pins()
        .swap_payload(SAME_SIZE.0, SAME_SIZE.1);
    assert_refused(
        &world,
        &[
            "`Hostedunifiedmessaging2007ws.msi` should hold `Hosted Unified Messaging 2007 Web Service`",
            "but holds `Managed Mobility 2007 Web Service`",
            "`Managedmobility2007ws.msi` should hold `Managed Mobility 2007 Web Service`",
            "two files may be swapped",
        ],
    );
}

#[test]
fn without_pins_matching_files_are_applied_with_a_warning() {
    let world = World::with_deployment().without_pins();
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("18 files have no pinned SHA-256 in the manifest");
    world.run("verify").exits_with(exit::OK);
}

#[test]
fn zeros_of_the_right_size_are_not_an_installer() {
    let world = World::with_deployment()
        .without_pins()
        .change_payload("HostedEmail2007NS.msi", |bytes| bytes.fill(0));
    assert_refused(&world, &["`Hostedemail2007ns.msi` is not an installer"]);
}

#[test]
fn a_text_of_the_right_size_is_not_an_installer() {
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
    assert_refused(&world, &["`Hostedemail2007ns.msi` is not an installer"]);
}

#[test]
fn a_damaged_installer_is_refused_without_its_pin() {
    // Keeps the first sectors, by which the file is recognized as a package.
    let damage = |bytes: &mut Vec<u8>| bytes[4096..].fill(0xA5);
    let world = World::with_deployment()
        .without_pins()
        .change_payload("HostedEmail2007NS.msi", damage);
    assert_refused(&world, &["`Hostedemail2007ns.msi`"]);
}

#[test]
fn a_directory_in_place_of_a_file_is_refused() {
    let world = World::with_deployment().with(|world| {
        let at = world.payload_file("HostedEmail2007NS.msi");
        fs::remove_file(&at)
            .and_then(|()| fs::create_dir(&at))
            .expect("made");
    });
    assert_refused(
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
    assert_refused(
        &world,
        &["`Hostedemail2007ns.msi` in the payload cannot be used: it is a symbolic link"],
    );
}

#[test]
fn two_files_that_differ_only_in_case_are_refused() {
    let world = World::with_deployment().with(|world| {
        fs::write(world.at("KB952076/HOSTEDEMAIL2007NS.MSI"), "another one").expect("written");
    });
    assert_refused(
        &world,
        &["`HOSTEDEMAIL2007NS.MSI` and `Hostedemail2007ns.msi` in the payload differ only in case"],
    );
}

#[test]
fn a_payload_file_that_no_step_deploys_can_be_missing_or_wrong() {
    let world = World::with_deployment()
        .remove_payload("Hmoabupdate.msi")
        .truncate_payload("Makegallinked.exe");
    world
        .run(APPLY)
        .exits_with(exit::OK)
        .prints("`Makegallinked.exe` is too short");
    world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::OK);
}

#[test]
fn files_that_are_not_in_the_table_are_ignored() {
    let world = World::with_deployment().with(|world| {
        fs::write(world.at("KB952076/Read me.txt"), "hello").expect("written");
    });
    world.run(APPLY).exits_with(exit::OK);
    assert!(!world.live("MSIShare/Read me.txt").exists());
    let ran = world
        .run("validate kb952076.toml -p KB952076")
        .exits_with(exit::OK);
    ran.prints("note[RU0709]: `Read me.txt` is in the payload, but not in the file table");
}

#[test]
fn a_wrong_date_is_reported_only_without_pins() {
    let shift_time = |world: &World, hours: u64| {
        let at = world.payload_file("HostedEmail2007NS.msi");
        let modified = fs::metadata(&at)
            .and_then(|metadata| metadata.modified())
            .expect("a time");
        // The file is shared with other worlds.
        let bytes = fs::read(&at).expect("read");
        fs::remove_file(&at)
            .and_then(|()| fs::write(&at, bytes))
            .expect("written");
        crate::world::set_modified(&at, modified + std::time::Duration::from_secs(hours * 3600));
    };
    let world = World::with_deployment().with(|world| shift_time(world, 7));
    world
        .run("plan kb952076.toml")
        .exits_with(exit::OK)
        .does_not_print("time zone");
    let world = world.without_pins();
    let ran = world.run("plan kb952076.toml").exits_with(exit::OK);
    ran.prints(
        "the date of `Hostedemail2007ns.msi` is off by 7 h, which looks like another time zone",
    );
    shift_time(&world, 24 * 300);
    let ran = world.run("plan kb952076.toml").exits_with(exit::OK);
    ran.prints("`Hostedemail2007ns.msi` has another date than in the file table");
}

#[test]
fn a_payload_directory_that_does_not_exist_is_an_input_error() {
    let world = World::with_deployment();
    for command in [
        "plan kb952076.toml -p nowhere",
        "apply kb952076.toml --yes -p nowhere",
    ] {
        world
            .run(command)
            .exits_with(exit::NO_INPUT)
            .prints("there is no payload directory `nowhere`")
            .nothing_was_touched();
    }
}

#[test]
fn apply_without_a_payload_prints_the_option_that_names_one() {
    let world = World::with_deployment().with(|world| {
        fs::rename(world.at("KB952076"), world.at("elsewhere")).expect("renamed");
    });
    world
        .run(APPLY)
        .exits_with(exit::USAGE)
        .prints("no payload was given, and no directory `KB952076` is beside the manifest")
        .prints("--payload DIR")
        .nothing_was_touched();
}
